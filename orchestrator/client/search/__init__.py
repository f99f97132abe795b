"""Searching: query jobs, live queries, walks past the buffer."""
