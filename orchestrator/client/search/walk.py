"""All events of a filter query, however many: page after page, each around the last one's oldest.

A filter query's result holds the newest 200 events unless it ends in `tail()`. The next page is a
job of its own over the same span, `around` the oldest event seen; repeats are told by `@id`.
Source: library.humio.com, kb/kb-queryjobs-api-pagination.html.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import timedelta

from orchestrator.client.search.query_jobs import QueryJobs
from orchestrator.client.search.spec import EVENT_ID, QuerySpec, around_of, member_of, time_ms_of
from orchestrator.client.types import QueryResult
from orchestrator.errors import QueryIncomplete, QueryRejected


async def walk_events(
    jobs: QueryJobs, repository: str, spec: QuerySpec, *, deadline: timedelta, page_events: int
) -> AsyncGenerator[Mapping[str, str]]:
    """Yield each event that the filter query finds once, newest first; a page is held at a time.

    Args:
        jobs: Where to search.
        repository: Repository or view.
        spec: A filter query with its span; events keep `@id` and `@timestamp`.
        deadline: Longest time of one page.
        page_events: Events per page after the first.

    Raises:
        QueryRejected: The query is an aggregate, or the server refused it.
        QueryIncomplete: A page is incomplete for another reason than its size.
        UnexpectedResponse: Events came without `@id` or `@timestamp`: the query drops them.
    """
    seen: set[str] = set()
    page = await jobs.run(repository, spec, deadline=deadline)
    if page.is_aggregate:
        raise QueryRejected("only the events of a filter query can be walked", advice=_ADVICE)
    while True:
        _check_whole(page)
        fresh = [row for row in page.rows if member_of(row, EVENT_ID) not in seen]
        for row in fresh:
            yield row
        if not fresh or not (page.has_more_events or spec.around is not None):
            return
        # Only the last page can come again: whatever is older was not yet seen.
        seen = {member_of(row, EVENT_ID) for row in page.rows}
        # Of several at the same time the last in the server's order.
        oldest = min(reversed(fresh), key=time_ms_of)
        spec = replace(
            spec,
            around=around_of(oldest, before=page_events, after=0),
        )
        page = await jobs.run(repository, spec, deadline=deadline)


_ADVICE = "Leave the aggregate out, or read its rows with search()."


def _check_whole(page: QueryResult) -> None:
    reasons = [
        reason for reason in page.completeness.reasons if "more events matched" not in reason
    ]
    if reasons:
        raise QueryIncomplete(tuple(reasons))
