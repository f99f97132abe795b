"""The query jobs that run, as GraphQL shows them, and their end.

Who may not monitor queries sees and ends jobs of one's own. The sandbox counts queries and no
costs, so that every cost is 0, and the quotas that can be used up are those of the number of
queries.
Source: descriptions in the schema; library.humio.com, GraphQL reference, killQuery.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.nodes import ORGANIZATION, Node
from orchestrator.sandbox.quotas import QuotaInterval
from orchestrator.sandbox.search.job_wire import TOTAL_WORK
from orchestrator.sandbox.search.query_jobs import Job
from orchestrator.sandbox.settings import Right

_MOST = 1000
_INTERVALS = {
    "PerDay": QuotaInterval.DAY,
    "PerHour": QuotaInterval.HOUR,
    "PerTenMinutes": QuotaInterval.TEN_MINUTES,
    "PerMinute": QuotaInterval.ONE_MINUTE,
}


def running_queries(caller: Caller) -> dict[str, Callable[..., Any]]:
    """Return the resolvers of the root fields about running queries, by field name."""
    sandbox = caller.sandbox

    def listed(
        searchTerm: str = "",  # noqa: N803 -- the schema's name
        sortField: str = "Age",  # noqa: N803 -- the schema's name
        sortOrder: str = "Ascending",  # noqa: N803 -- the schema's name
        **_global: Any,
    ) -> Node:
        found = [
            _node(job, now=sandbox.clock.monotonic())
            for job in _visible(caller)
            if (searchTerm or "") in job.search.checked.text
        ]
        # Costs are all the same; what remains keeps the order in which the jobs began.
        found.sort(key=_SORTED.get(sortField, _age), reverse=sortOrder == "Descending")
        return {
            "updateAvailableIn": 0,
            "totalNumberOfQueries": len(found),
            "totalNumberOfLiveQueries": sum(bool(query["isLive"]) for query in found),
            "totalNumberOfClients": len({query["initiatedBy"] for query in found}),
            "queries": found[:_MOST],
        }

    def kill(view: str, pattern: str) -> Node:
        domain = caller.domain(view, _right_to_see(caller))
        hit = [
            job
            for job in _visible(caller)
            if job.domain == domain.name and pattern in job.search.checked.text
        ]
        for job in hit:
            sandbox.jobs.kill(job, by=caller.role.name)
        return {"result": bool(hit)}

    def usage(username: str) -> list[Node]:
        _may_ask_about(caller, username)
        spent = sandbox.jobs.quotas.spent(username)
        return [
            {"interval": name, "queryCount": spent[interval], "staticCost": 0, "liveCost": 0}
            for name, interval in _INTERVALS.items()
        ]

    def exceeded(username: str) -> list[Node]:
        _may_ask_about(caller, username)
        # One for each kind of measure, however many of its intervals are used up.
        waits = sandbox.jobs.quotas.used_up(username).values()
        resets_ms = sandbox.now_ms() + 1000 * max(waits, default=0)
        return [{"kind": "QueryCount", "resetsAt": resets_ms}] if waits else []

    return {
        "runningQueries": lambda _info, **given: listed(**given),
        "killQuery": lambda _info, viewName, pattern: kill(viewName, pattern),  # noqa: N803 -- the schema's name
        "queryQuotaUsage": lambda _info, username: usage(username),
        "exceededQueryQuotas": lambda _info, username: exceeded(username),
    }


def _visible(caller: Caller) -> Sequence[Job]:
    caller.demand(_right_to_see(caller))
    jobs = caller.sandbox.jobs
    alive = (jobs.find(job_id, domain=None) for job_id in jobs.ids())
    return [
        job
        for job in alive
        if job is not None
        and not job.problem
        and (job.is_live or job.answer is None)
        and (caller.may(Right.MONITOR_QUERIES) or job.owner == caller.role.name)
    ]


def _right_to_see(caller: Caller) -> Right:
    """Return what is asked of the caller: those who see the queries of all need not read."""
    return Right.MONITOR_QUERIES if caller.may(Right.MONITOR_QUERIES) else Right.READ


def _may_ask_about(caller: Caller, username: str) -> None:
    is_own = username == caller.role.name
    caller.demand(_right_to_see(caller) if is_own else Right.MONITOR_QUERIES)


def _node(job: Job, *, now: float) -> Node:
    is_done = job.answer is not None
    length_ms = job.search.end_ms - job.search.start_ms
    return {
        "id": job.id,
        "initiatedBy": job.owner or None,
        "isLive": job.is_live,
        "isHistoricDone": is_done,
        "queryInput": job.search.checked.text,
        "queryPrefix": job.search.prefix,
        "totalWork": TOTAL_WORK,
        "workDone": TOTAL_WORK if is_done else 0,
        "view": job.domain,
        "organization": ORGANIZATION,
        "timeInMillis": int((now - job.started) * 1000),
        "timeQueuedInMillis": job.queued_ms,
        "isDashboard": False,
        "timeInterval": f"{length_ms / 1000:g}s",
        "status": "Running" if job.began is not None else "Queued",
        "totalCost": 0.0,
        "liveCost": 0.0,
        "staticCost": 0.0,
    }


def _age(query: Node) -> Any:
    return query["timeInMillis"]


_SORTED: dict[str, Callable[[Node], Any]] = {
    "InitiatedBy": lambda query: query["initiatedBy"] or "",
    "View": lambda query: query["view"],
    "Status": lambda query: query["status"],
}
