"""Evaluates CQL over local events: compiles a query to Polars, or a filter to a row test."""
