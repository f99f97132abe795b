"""A query job's request body becomes a `Search`; what is wrong with it becomes a 400.

Members that LogScale knows and the sandbox has no use for (`doneCriteria`, `languageVersion`, …)
are accepted and ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.domains import Domain
from orchestrator.sandbox.search import Around, Search, check, refuse_unsupported
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage import Span
from orchestrator.sandbox.timespans import TimeBase, TimeRefused, resolve, zone_of

_DAY_MS = 86_400_000

Body = Mapping[str, object]


def body_of(raw: bytes) -> Body:
    """Return the request's JSON object.

    Raises:
        Refusal: 400, not JSON or not an object.
    """
    try:
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError) as exc:
        raise Refusal(400, "The request content was malformed: not JSON") from exc
    if not isinstance(body, dict):
        raise Refusal(400, "The request content was malformed: an object is expected")
    return body


def is_live(body: Body) -> bool:
    """Return the body's `isLive`."""
    return body.get("isLive") is True


def search_of(body: Body, *, sandbox: Sandbox, domain: Domain, limit: int | None) -> Search:
    """Return the search that the body asks for.

    `limit` is the most rows to keep where the query is a filter; None keeps all.

    Raises:
        Refusal: 400, the query or a member is wrong; the text says which.
    """
    text = body.get("queryString")
    if not isinstance(text, str):
        raise Refusal(400, "The request content was malformed: queryString must be a string")
    checked = check(text)
    refuse_unsupported(checked)
    search = Search(
        checked=checked,
        start_ms=0,
        end_ms=0,
        now_ms=sandbox.now_ms(),
        use_ingest_time=body.get("useIngestTime") is True,
        around=_around(body.get("around"), is_aggregate=checked.is_aggregate),
        arguments=_arguments(body.get("arguments")),
        saved=sandbox.saved_queries(domain),
        lookups=sandbox.lookups(domain),
        prefix=domain.prefix(),
        repository=domain.name,
        limit=sandbox.settings.aggregate_limit if checked.is_aggregate else limit,
        wants_distribution=body.get("showQueryEventDistribution") is True,
    )
    try:
        return _timed(search, body)
    except TimeRefused as exc:
        raise Refusal(400, str(exc)) from exc


def _timed(search: Search, body: Body) -> Search:
    live = is_live(body)
    if live and (isinstance(body.get("start"), int) or body.get("end") not in {None, "now"}):
        raise TimeRefused("a live query takes a relative start and ends now")
    offset = body.get("timeZoneOffsetMinutes")
    name = body.get("timeZone")
    zone = zone_of(
        name if isinstance(name, str) else None,
        offset_minutes=offset if isinstance(offset, int) else 0,
    )
    base = TimeBase(now_ms=search.now_ms, zone=zone, live=live)
    end_ms = resolve(body.get("end"), base, default_ms=search.now_ms)
    start_ms = resolve(body.get("start"), base, default_ms=search.now_ms - _DAY_MS)
    if start_ms > end_ms:
        raise TimeRefused("start is after end")
    ingest = Span(
        start_ms=_bound(body.get("ingestStart"), base), end_ms=_bound(body.get("ingestEnd"), base)
    )
    return replace(search, start_ms=start_ms, end_ms=end_ms, ingest=ingest)


def _bound(raw: object, base: TimeBase) -> int | None:
    return None if raw is None or raw == "" else resolve(raw, base, default_ms=base.now_ms)


def _arguments(raw: object) -> dict[str, str]:
    if raw is None:
        return {}
    if not isinstance(raw, dict) or not all(isinstance(v, str) for v in raw.values()):
        raise Refusal(400, "The request content was malformed: arguments must map names to strings")
    return raw


def _around(raw: object, *, is_aggregate: bool) -> Around | None:
    if raw is None:
        return None
    if is_aggregate:
        raise Refusal(400, "around needs a filter query")
    if not isinstance(raw, dict) or not isinstance(raw.get("eventId"), str):
        raise Refusal(400, "The request content was malformed: around needs an eventId")
    counts = {}
    for name, member in (("before", "numberOfEventsBefore"), ("after", "numberOfEventsAfter")):
        value = raw.get(member, 100)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise Refusal(400, f"The request content was malformed: {member} must be a count")
        counts[name] = value
    return Around(event_id=raw["eventId"], before=counts["before"], after=counts["after"])
