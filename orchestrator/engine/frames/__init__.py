"""Steps over the whole frame: aggregates, order, sequences, joins."""
