"""Lookup files through GraphQL: read, edit by rows, remove. Rows are text cells under a header."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.storage.domains import Domain, StoredFile

_PAGE_ROWS = 200
Cells = list[list[str]]


def file_queries(caller: Caller) -> dict[str, Callable[..., Any]]:
    """Return the resolvers that read files."""

    def content(
        _info: Any,
        name: str,
        fileName: str,  # noqa: N803 -- the schema's name
        offset: int | None = None,
        limit: int | None = None,
        filterString: str | None = None,  # noqa: N803 -- the schema's name
    ) -> dict[str, Any]:
        domain = caller.readable(name)
        file = _found(domain, fileName)
        return _snapshot(file, domain, offset=offset, limit=limit, wanted=filterString)

    return {"getFileContent": content}


def file_mutations(caller: Caller) -> dict[str, Callable[..., Any]]:
    """Return the resolvers that change files."""

    def writable(name: str) -> Domain:
        return caller.domain(name, Right.CHANGE_FILES)

    def new_file(
        _info: Any,
        fileName: str,  # noqa: N803 -- the schema's name
        name: str,
        labels: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        domain = writable(name)
        if fileName in domain.files:
            raise InputRefused(f"The file '{fileName}' already exists")
        file = caller.sandbox.put_file(domain, fileName, b"", by=caller.role.name, labels=labels)
        return _snapshot(file, domain)

    def update_file(
        _info: Any,
        fileName: str,  # noqa: N803 -- the schema's name
        name: str,
        changedRows: Cells,  # noqa: N803 -- the schema's name
        headers: list[str],
        columnChanges: Sequence[Any],  # noqa: N803 -- the schema's name
        limit: int | None = None,
        offset: int | None = None,
        labels: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        del columnChanges
        domain = writable(name)
        _, rows = cells(_found(domain, fileName).content)
        first = offset or 0
        rows[first : first + (limit if limit is not None else len(rows))] = changedRows
        content = _to_csv([headers, *rows])
        file = caller.sandbox.put_file(
            domain, fileName, content, by=caller.role.name, labels=labels
        )
        return _snapshot(file, domain, offset=offset, limit=limit)

    def remove_file(
        _info: Any,
        fileName: str,  # noqa: N803 -- the schema's name
        name: str,
    ) -> dict[str, Any]:
        domain = writable(name)
        del domain.files[_found(domain, fileName).name]
        caller.sandbox.save()
        return {"result": True}

    return {"newFile": new_file, "updateFile": update_file, "removeFile": remove_file}


def field_search(
    domain: Domain,
    _info: Any,
    fileName: str,  # noqa: N803 -- the schema's name
    fieldName: str,  # noqa: N803 -- the schema's name
    valueFilters: Sequence[Mapping[str, Any]],  # noqa: N803 -- the schema's name
    fieldsToInclude: Sequence[str],  # noqa: N803 -- the schema's name
    maxEntries: int,  # noqa: N803 -- the schema's name
    prefixFilter: str | None = None,  # noqa: N803 -- the schema's name
) -> list[list[dict[str, str]]]:
    """Return a file's rows whose field begins as wanted, in the file's order: some fields of each.

    Raises:
        InputRefused: There is no such file or no such field, or the file is no table.
    """
    file = _found(domain, fileName)
    rows = _json_rows(file.content) if file.name.endswith(".json") else _csv_rows(file.content)
    if rows and not any(fieldName in row for row in rows):
        raise InputRefused(f"The file '{fileName}' has no field '{fieldName}'")
    matching = [
        row
        for row in rows
        if fieldName in row
        and row[fieldName].startswith(prefixFilter or "")
        and all(row.get(wanted["field"]) in wanted["values"] for wanted in valueFilters)
    ]
    shown = dict.fromkeys([fieldName, *fieldsToInclude])
    return [
        [{"key": name, "value": row[name]} for name in shown if name in row]
        for row in matching[: max(0, maxEntries)]
    ]


def _csv_rows(content: bytes) -> list[dict[str, str]]:
    header, rows = cells(content)
    return [dict(zip(header, row, strict=False)) for row in rows]


def _json_rows(content: bytes) -> list[dict[str, str]]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise InputRefused("The file is not JSON") from exc
    rows = found if isinstance(found, list) else [found]
    if not all(isinstance(row, dict) for row in rows):
        raise InputRefused("The file is no list of objects")
    return [
        {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in row.items()
        }
        for row in rows
    ]


def csv_problem(content: bytes) -> str:
    """Return why `content` is no CSV lookup, empty when it is one."""
    try:
        header, rows = cells(content)
    except (UnicodeDecodeError, csv.Error) as exc:
        return str(exc)
    if not header:
        return "the first row must name the columns"
    if len(set(header)) != len(header):
        return "two columns have one name"
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            return f"row {number} has {len(row)} cells and the header {len(header)}"
    return ""


def cells(content: bytes) -> tuple[list[str], Cells]:
    """Return a CSV file's header and rows; an empty file has neither."""
    rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))) if row]
    return (rows[0], rows[1:]) if rows else ([], [])


def _found(domain: Domain, name: str) -> StoredFile:
    if name not in domain.files:
        raise InputRefused(f"The file '{name}' does not exist")
    return domain.files[name]


def _snapshot(
    file: StoredFile,
    domain: Domain,
    *,
    offset: int | None = None,
    limit: int | None = None,
    wanted: str | None = None,
) -> dict[str, Any]:
    header, rows = cells(file.content)
    if wanted:
        rows = [row for row in rows if any(wanted in cell for cell in row)]
    first, most = offset or 0, _PAGE_ROWS if limit is None else limit
    return {
        "nameAndPath": {"name": file.name, "path": None},
        "headers": header,
        "lines": rows[first : first + most],
        "totalLinesCount": len(rows),
        "limit": most,
        "offset": first,
        "filterString": wanted,
        "resource": f"search-domains/{domain.id}/files/{file.name}",
    }


def _to_csv(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
