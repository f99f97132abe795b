"""Queries over event files larger than memory: what is read of each line, and what is kept of it.

`run` is the way in. `plan` says what a query needs of events, `need` which lines cannot matter and
`merge` what can be grouped at once; `ways` and `parquet` read files, `lines` turns text into
columns exactly as it is spelled, `source` keeps what survives and hands it to the engine.
"""
