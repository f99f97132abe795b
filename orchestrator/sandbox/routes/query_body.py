"""A query job's request body becomes a `Search`; what is wrong with it becomes a 400.

Some members change nothing here: a search reads all of its window unless a fraction of it is
enough, so the other `doneCriteria` are always met and `allowEventSkipping` is never used;
`isInteractive`, `isAlertQuery`, `nextRunInterval`, … are hints to a cluster.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from orchestrator.cql import Level, parse_filter
from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.routes.request_members import member_problem
from orchestrator.sandbox.search.answer_extras import files_used
from orchestrator.sandbox.search.run import (
    Around,
    Search,
    check,
    refusal_text,
    refuse_unsupported,
)
from orchestrator.sandbox.search.timespans import TimeBase, TimeRefused, resolve, zone_of
from orchestrator.sandbox.search.windows import with_own_interval
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Domain
from orchestrator.sandbox.storage.events import Span

_DAY_MS = 86_400_000
_AROUND_EVENTS = 100

Body = Mapping[str, object]


def body_of(raw: bytes) -> Body:
    """Return the request's JSON object.

    Raises:
        Refusal: 400, not JSON, not an object, or with half a surrogate pair in it.
    """
    try:
        body = json.loads(raw or b"{}")
        if b"\\u" in raw:
            # An escape may name half a pair, which no answer could repeat.
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise _malformed("not JSON") from exc
    if not isinstance(body, dict):
        raise _malformed("an object is expected")
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
    if problem := member_problem(body):
        raise _malformed(problem)
    text = body.get("queryString")
    if not isinstance(text, str):
        raise _malformed("queryString must be a string")
    checked = check(text)
    refuse_unsupported(checked)
    search = Search(
        checked=checked,
        start_ms=0,
        end_ms=0,
        now_ms=sandbox.now_ms(),
        use_ingest_time=body.get("useIngestTime") is True,
        around=_around(body.get("around"), is_aggregate=checked.is_aggregate),
        arguments=_texts(body.get("arguments")),
        saved=sandbox.saved_queries(domain),
        lookups=sandbox.lookups(domain),
        prefix=_prefix(domain, body.get("dashboardFilter")),
        repository=domain.name,
        limit=sandbox.settings.aggregate_limit if checked.is_aggregate else limit,
        wants_distribution=body.get("showQueryEventDistribution") is True,
        wants_field_stats=body.get("computeFieldStats") is True,
        files=files_used(checked.query, sandbox.files(domain)),
        share=_share(body),
        bucket_count=_positive(body.get("autobucketCount")),
    )
    try:
        return _timed(search, body)
    except TimeRefused as exc:
        raise Refusal(400, str(exc)) from exc


def _malformed(problem: str) -> Refusal:
    return Refusal(400, f"The request content was malformed: {problem}")


def _timed(search: Search, body: Body) -> Search:
    live = is_live(body)
    if live and body.get("end") not in {None, "", "now"}:
        raise TimeRefused("a live query ends now: leave end out")
    name, offset = body.get("timeZone"), body.get("timeZoneOffsetMinutes")
    minutes = offset if isinstance(offset, int) else 0
    # Which of the two wins is not published; the name says more.
    zone_name = name if isinstance(name, str) and name else _offset_name(minutes)
    base = TimeBase(now_ms=search.now_ms, zone=zone_of(zone_name), live=live)
    end_ms = resolve(body.get("end"), base, default_ms=search.now_ms)
    start_ms = resolve(body.get("start"), base, default_ms=search.now_ms - _DAY_MS)
    if start_ms > end_ms:
        raise TimeRefused("start is after end")
    ingest = Span(
        start_ms=_bound(body.get("ingestStart"), base), end_ms=_bound(body.get("ingestEnd"), base)
    )
    asked = replace(search, start_ms=start_ms, end_ms=end_ms, ingest=ingest, zone=zone_name)
    return with_own_interval(asked)


def _offset_name(minutes: int) -> str:
    """Return `+05:30` for 330, the form that zones have in queries."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}" if minutes else "UTC"


def _bound(raw: object, base: TimeBase) -> int | None:
    return None if raw is None or raw == "" else resolve(raw, base, default_ms=base.now_ms)


def _texts(raw: object) -> dict[str, str]:
    return {name: str(text) for name, text in raw.items()} if isinstance(raw, dict) else {}


def _positive(raw: object) -> int | None:
    return raw if isinstance(raw, int) and raw > 0 else None


def _share(body: Body) -> float:
    """Return the fraction of the events that is enough; a live search reads them all."""
    criteria = body.get("doneCriteria")
    fraction = criteria.get("fractionOfDataScanned") if isinstance(criteria, dict) else None
    return float(fraction) if isinstance(fraction, int | float) and not is_live(body) else 1.0


def _prefix(domain: Domain, dashboard_filter: object) -> str:
    """Return what stands in front of the query: the view's own filter, then the dashboard's.

    Raises:
        Refusal: 400, the dashboard's is no filter.
    """
    if not isinstance(dashboard_filter, str) or not dashboard_filter.strip():
        return domain.prefix()
    parsed = parse_filter(dashboard_filter)
    for found in parsed.diagnostics:
        if found.level is Level.ERROR:
            text = refusal_text(dashboard_filter, found.message, found.span.start, found.span.end)
            raise Refusal(400, text)
    own = domain.prefix()
    return f"({own}) and ({dashboard_filter})" if own else dashboard_filter


def _around(raw: object, *, is_aggregate: bool) -> Around | None:
    if not isinstance(raw, dict):
        return None
    if is_aggregate:
        raise Refusal(400, "around needs a filter query")
    return Around(
        event_id=raw["eventId"],
        timestamp_ms=raw["timestamp"],
        before=_count(raw.get("numberOfEventsBefore")),
        after=_count(raw.get("numberOfEventsAfter")),
    )


def _count(raw: object) -> int:
    return raw if isinstance(raw, int) else _AROUND_EVENTS
