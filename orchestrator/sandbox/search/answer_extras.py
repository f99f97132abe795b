"""What a poll answer says besides its rows, if asked: statistics of fields, lookup files read.

Source: the vendor's OpenAPI text of the query API, FieldStat and FileInfo.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from orchestrator.cql import nodes, walk
from orchestrator.sandbox.storage.domains import StoredFile

_TOP_VALUES = 10
_FILE_READERS = frozenset({"lookup", "match", "readfile"})

Json = dict[str, object]


def field_stats(rows: Sequence[Mapping[str, str]]) -> list[Json]:
    """Return one object per field of the rows, the most frequent field first.

    `topValues` maps the ten most frequent values to how often each occurs.
    """
    values: dict[str, Counter[str]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, Counter())[value] += 1
    found = sorted(values.items(), key=lambda entry: (-entry[1].total(), entry[0]))
    return [
        {
            "fieldName": name,
            "numOfOccurrences": counted.total(),
            "numOfDistinctValues": len(counted),
            "topValues": dict(counted.most_common(_TOP_VALUES)),
        }
        for name, counted in found
    ]


def files_used(query: nodes.Query, held: Mapping[str, StoredFile]) -> list[Json]:
    """Return one object per lookup file that the query names, of those that are held by path."""
    names = {
        query.text[inner.span.start : inner.span.end].strip('"')
        for node in walk(query)
        if isinstance(node, nodes.Call) and node.name.lower() in _FILE_READERS
        for inner in walk(node)
    }
    return [
        {
            "name": path,
            "contentHash": held[path].content_hash,
            "modifiedTimestamp": held[path].modified_ms,
            "tableType": "File",
        }
        for path in sorted(names & held.keys())
    ]
