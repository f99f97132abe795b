"""Queries over event files larger than memory: what is read of each line, and what is kept of it.

`plan` says what a query needs, `need` which lines cannot matter, `lines` turns a chunk of a file
into columns, `source` keeps what survives and hands it to the engine.
"""
