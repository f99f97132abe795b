"""Elasticsearch's bulk form of ingest: a line that says what to do, then a line with the document.

`index` and `create` add an event. Nothing else can be done to events: `update` and `delete` fail
alone, each as an item of the answer, and the rest is stored. `@timestamp` is the event's time,
`message` its raw text, which the token's parser reads.
Source: elastic.co, docs-bulk; library.humio.com, logscale-api.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.sandbox.ingest.refusals import BodyRefused
from orchestrator.sandbox.ingest.shapes import Row, flat_row, loads, text_of, text_row
from orchestrator.sandbox.ingest.times import event_times
from orchestrator.sandbox.storage.events import TIMESTAMP

PRODUCT_HEADERS = {"X-Elastic-Product": "Elasticsearch"}
"""Elasticsearch's own clients refuse an answer without it."""
_ADDING = frozenset({"index", "create"})
_WITHOUT_DOCUMENT = frozenset({"delete"})
_OTHERS = frozenset({"update", "delete"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkItem:
    """One action of the body; `row` is None where `problem` says why."""

    action: str
    index: str
    id: str
    row: Row | None = None
    problem: str = ""

    def to_wire(self) -> dict[str, object]:
        """Return the item as Elasticsearch answers it."""
        told: dict[str, object] = {"_index": self.index, "_id": self.id}
        if self.row is None:
            error = {"type": "illegal_argument_exception", "reason": self.problem}
            return {self.action: told | {"status": 400, "error": error}}
        return {self.action: told | {"result": "created", "status": 201}}


def bulk_items(body: bytes, *, now_ms: int, parser: str | None) -> list[BulkItem]:
    """Return the actions of a bulk body in order.

    Raises:
        BodyRefused: A line that should name an action does not, or its document is missing.
    """
    lines = iter([line for line in body.split(b"\n") if line.strip()])
    items = [_item(line, lines, now_ms=now_ms, parser=parser) for line in lines]
    if not items:
        raise BodyRefused("the body holds no action")
    return items


def bulk_answer(items: list[BulkItem], *, took_ms: int) -> dict[str, object]:
    """Return Elasticsearch's answer: what became of each action."""
    return {
        "took": took_ms,
        "errors": any(item.row is None for item in items),
        "items": [item.to_wire() for item in items],
    }


def _item(line: bytes, lines: Iterator[bytes], *, now_ms: int, parser: str | None) -> BulkItem:
    action, told = _action(line)
    index, item_id = str(told.get("_index") or ""), str(told.get("_id") or secrets.token_hex(10))
    document = None
    if action not in _WITHOUT_DOCUMENT:
        document = next(lines, None)
        if document is None:
            raise BodyRefused(f"the document of the last {action} is missing")
    if action not in _ADDING or document is None:
        problem = f"events are never changed: {action} is not possible"
        return BulkItem(action=action, index=index, id=item_id, problem=problem)
    try:
        row = _row(document, now_ms=now_ms, parser=parser)
    except BodyRefused as exc:
        return BulkItem(action=action, index=index, id=item_id, problem=str(exc))
    return BulkItem(action=action, index=index, id=item_id, row=row)


def _action(line: bytes) -> tuple[str, Mapping[str, object]]:
    raw = loads(line)
    if isinstance(raw, Mapping) and len(raw) == 1:
        name, told = next(iter(raw.items()))
        if name in _ADDING | _OTHERS and isinstance(told, Mapping):
            return name, told
    raise BodyRefused('a line such as {"index": {}} is expected before each document')


def _row(document: bytes, *, now_ms: int, parser: str | None) -> Row:
    raw = loads(document)
    if not isinstance(raw, Mapping):
        raise BodyRefused("a document must be an object")
    message = raw.get("message")
    text = message if isinstance(message, str) else text_of(document)
    parsed = text_row(text, now_ms=now_ms, parser=parser or "none")
    row = parsed | flat_row(raw)
    row |= event_times(raw.get(TIMESTAMP, now_ms))
    if parser is None:
        del row["#type"]
    return row
