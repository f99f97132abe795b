"""Parsers: CQL scripts that turn a line of text into an event's fields, run by the same engine.

`json` and `kv` are built in, and read by ingest itself. A repository's own are records; what one
of them cannot read is stored as it came, with `@error`, as LogScale does.
Source: library.humio.com, parsers-create.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.engine.context import Context
from orchestrator.engine.events import Events
from orchestrator.engine.run import run_query
from orchestrator.errors import CqlError
from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.ingest.shapes import Row
from orchestrator.sandbox.ingest.times import is_time
from orchestrator.sandbox.search.run import EVENT_ID, check, refuse_unsupported
from orchestrator.sandbox.storage.domains import Domain, Record, display_name
from orchestrator.sandbox.storage.events import INGEST_TIMESTAMP, NANOS, TIMESTAMP, frame_of

BUILT_IN: Mapping[str, str] = {"json": "parseJson()", "kv": "kvParse()"}
"""By name: the script that says what ingest does itself."""
_MAX_RUN_MS = 2**53
_WHOLE = re.compile(r"-?[0-9]{1,15}\Z")
_MINE = "__event"
"""Tells which event a row comes from; taken off again."""
_LATER = frozenset({_MINE, EVENT_ID, INGEST_TIMESTAMP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What a parser does to an event."""

    name: str
    text: str
    tags: tuple[str, ...] = ()
    """Fields that become tags, without their `#`."""
    removed: tuple[str, ...] = ()
    """Fields that are taken away before the script runs."""


def script_of(record: Record) -> Script:
    """Return what a parser's record says."""
    return Script(
        name=record["name"],
        text=record["script"],
        tags=tuple(name.lstrip("#") for name in record["fieldsToTag"]),
        removed=tuple(record["fieldsToBeRemovedBeforeParsing"]),
    )


def script_problem(text: str) -> str:
    """Return why LogScale, or the engine, would not run `text` as a parser; empty when it runs."""
    try:
        checked = check(text)
        refuse_unsupported(checked)
    except Refusal as exc:
        return exc.text.split("\n", 1)[0]
    return "a parser must not aggregate" if checked.is_aggregate else ""


def scripts_of(domain: Domain) -> dict[str, Script]:
    """Return the repository's own parsers and those of packages, as they are at this moment.

    Each is found by the name that others refer to it by, and a package's by its bare name too,
    where the repository has no parser of that name itself.
    """
    records = domain.parsers.values()
    found = {record["name"]: script_of(record) for record in records}
    return found | {display_name(record): script_of(record) for record in records}


def parsed_rows(
    rows: Sequence[Row],
    scripts: Mapping[str, Script],
    *,
    imposed: str | None,
    by_type: bool,
    now_ms: int,
) -> Sequence[Row]:
    """Return the rows as the repository's own parsers leave them; CPU work, for a thread.

    `imposed` is the token's parser and holds for all rows; else each row's `#type` decides, where
    `by_type` says so. Rows without a parser of the repository's own stay as they are.
    """
    kept: list[Row] = []
    by_parser: dict[str, list[Row]] = {}
    for row in rows:
        name = imposed or (row.get("#type", "") if by_type else "")
        if name in scripts:
            by_parser.setdefault(name, []).append(row)
        else:
            kept.append(row)
    for name, mine in by_parser.items():
        kept += run_script(scripts[name], mine, now_ms=now_ms)
    return kept


def run_script(script: Script, rows: Sequence[Row], *, now_ms: int) -> list[Row]:
    """Return what the parser makes of the rows, in their order: dropped ones are left out."""
    given = [_bare(row, script, position) for position, row in enumerate(rows)]
    context = Context(start_ms=0, end_ms=_MAX_RUN_MS, now_ms=now_ms)
    try:
        result = run_query(script.text, Events.from_frame(frame_of(given)), context=context)
    except CqlError as exc:
        error = {"@error": "true", "@error_msg": str(exc), "#type": script.name}
        return [{**row, **error} for row in rows]
    made = sorted(result.rows, key=lambda row: int(row[_MINE]))
    return [_finished(row, rows[int(row[_MINE])], script, now_ms) for row in made]


def _bare(row: Row, script: Script, position: int) -> Row:
    left = {name: value for name, value in row.items() if name not in script.removed}
    return left | {"#type": script.name, _MINE: str(position)}


def _finished(row: Mapping[str, str], given: Row, script: Script, now_ms: int) -> Row:
    # The engine gives every event an id and an ingest time; here both are still to come.
    event = {name: value for name, value in row.items() if name not in _LATER}
    if INGEST_TIMESTAMP in given:
        event[INGEST_TIMESTAMP] = given[INGEST_TIMESTAMP]
    for name in script.tags:
        if name in event:
            event[f"#{name}"] = event.pop(name)
    if event.get(TIMESTAMP) != given.get(TIMESTAMP) and event.get(NANOS) == given.get(NANOS):
        # It is left of another time.
        event.pop(NANOS, None)
    if not _is_time(event.get(TIMESTAMP, "")):
        event[TIMESTAMP] = str(now_ms)
    return event


def _is_time(text: str) -> bool:
    return _WHOLE.match(text) is not None and is_time(int(text))
