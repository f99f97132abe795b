"""Answers from files and lists: recording, replay, scripts."""
