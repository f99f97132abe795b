"""What a query itself says of its time window: an interval of its own, the buckets of its chart."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.cql import nodes
from orchestrator.engine.frames.charts import bucket_bounds
from orchestrator.engine.frames.tables import time_interval
from orchestrator.errors import CqlError
from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.search.run import Search, context_of, refusal_text


def bucket_bounds_of(search: Search) -> tuple[int, int, int] | None:
    """Return the first and last start and the length of a time chart's buckets, in ms.

    None for another query, and where the chart's span can be told by the run alone.
    """
    if search.checked.time_chart is None:
        return None
    try:
        return bucket_bounds(search.checked.time_chart, context_of(search))
    except CqlError:
        return None


def with_own_interval(search: Search) -> Search:
    """Return the search with the window that a leading setTimeInterval() sets.

    Raises:
        Refusal: 400, the interval is none.
    """
    query, context = search.checked.query, context_of(search)
    try:
        own = time_interval(query.pipeline, context)
    except CqlError as exc:
        raise Refusal(400, refusal_text(query.text, str(exc), exc.start, exc.end)) from exc
    if own is context:
        return search
    first = query.pipeline.steps[0]
    named = {"end": "now"} | {
        argument.name: query.text[argument.value.span.start : argument.value.span.end].strip('"')
        for argument in (first.arguments if isinstance(first, nodes.Call) else ())
        if argument.name in {"start", "end", "timezone"}
    }
    return replace(
        search,
        start_ms=own.start_ms,
        end_ms=own.end_ms,
        zone=named.get("timezone", search.zone),
        own_interval=named,
    )
