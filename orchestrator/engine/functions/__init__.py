"""The functions of CQL that look at one row, by family."""
