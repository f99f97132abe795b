"""Steps that look at one row: filters, assignments, case and match, fields read out of a text."""
