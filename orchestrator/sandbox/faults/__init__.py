"""Faults on demand: what can go wrong, and the layer that makes it so."""
