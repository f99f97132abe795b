"""What a server is busy with: the queries that run, who started them, how much that was."""

from __future__ import annotations

from orchestrator.client.graphql.assets import was_done
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.http.members import MILLISECOND
from orchestrator.client.types import ExceededQuota, QueryCost, QuotaUsage, RunningQuery
from orchestrator.errors import NotFound


class RunningQueries:
    """The queries of a server that run at the moment."""

    def __init__(self, graphql: Graphql) -> None:
        self._graphql = graphql

    async def list(self, *, containing: str = "") -> tuple[RunningQuery, ...]:
        """Return the queries that the token may see, the longest running first; at most 1000.

        Args:
            containing: Only those with this in their text.

        Raises:
            ClientError: The server could not be asked.
        """
        content = {"searchTerm": containing} if containing else {}
        data = await self._graphql.execute("ListRunningQueries", content)
        found = [
            RunningQuery(
                id=item.text("id"),
                view=item.text("view"),
                query=item.text("queryInput"),
                started_by=item.text("initiatedBy", ""),
                is_live=item.flag("isLive"),
                age=item.span("timeInMillis", unit=MILLISECOND),
                queued=item.span("timeQueuedInMillis", unit=MILLISECOND),
                status=item.text("status"),
                total_work=item.number("totalWork"),
                work_done=item.number("workDone"),
                cost=QueryCost(static=item.decimal("staticCost"), live=item.decimal("liveCost")),
            )
            for item in data.member("runningQueries").members("queries")
        ]
        return tuple(sorted(found, key=lambda query: (-query.age, query.id)))

    async def kill(self, view: str, pattern: str) -> None:
        """End the queries of a repository or view that have this in their text.

        Who waits for one of them is told that it was cancelled.

        Raises:
            NotFound: The server ended none.
            GraphqlError: No such view, or no right.
        """
        data = await self._graphql.execute("KillQuery", {"view": view, "pattern": pattern})
        if not was_done(data):
            raise NotFound(f"no running query of {view} has {pattern!r} in it")

    async def usage(self, username: str) -> tuple[QuotaUsage, ...]:
        """Return what a user's queries came to, for each interval that quotas count.

        Raises:
            ClientError: The server could not be asked, or no right.
        """
        data = await self._graphql.execute("ReadQuotaUsage", {"username": username})
        return tuple(
            QuotaUsage(
                interval=item.text("interval"),
                queries=item.number("queryCount"),
                static_cost=item.number("staticCost"),
                live_cost=item.number("liveCost"),
            )
            for item in data.members("queryQuotaUsage")
        )

    async def exceeded(self, username: str) -> tuple[ExceededQuota, ...]:
        """Return the quotas that a user has used up, by kind.

        Raises:
            ClientError: The server could not be asked, or no right.
        """
        data = await self._graphql.execute("ListExceededQuotas", {"username": username})
        found = [
            ExceededQuota(kind=item.text("kind"), resets_at=item.epoch_ms("resetsAt"))
            for item in data.members("exceededQueryQuotas")
        ]
        return tuple(sorted(found, key=lambda quota: quota.kind))
