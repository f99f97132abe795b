"""Repositories and views, what is installed in them, and what the token may do there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from orchestrator.client.graphql.assets import was_done
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.graphql.view_wire import read_view, write_connections
from orchestrator.client.http.members import MILLISECOND, Members
from orchestrator.client.types import (
    QueryAnalysis,
    QueryProblem,
    QueryShape,
    Retention,
    View,
    ViewConnection,
    Viewer,
)
from orchestrator.errors import NotFound, RequestRejected

_DAY = timedelta(days=1)
LANGUAGE = "legacy"
"""The query language's version, by the schema's name for the one that everybody uses."""


class Views:
    """The repositories and views of one server."""

    def __init__(self, graphql: Graphql) -> None:
        self._graphql = graphql

    async def list(self) -> tuple[View, ...]:
        """Return all repositories and views that the token may see, sorted by name.

        Raises:
            ClientError: The server could not be asked.
        """
        data = await self._graphql.execute("ListViews", {})
        return tuple(
            sorted(map(read_view, data.members("searchDomains")), key=lambda view: view.name)
        )

    async def get(self, name: str) -> View:
        """Return one repository or view.

        Raises:
            UnknownRepository: No such repository or view, or no right to see it.
        """
        data = await self._graphql.execute("ReadView", {"view": name})
        return read_view(data.member("searchDomain"))

    async def create_repository(
        self,
        name: str,
        *,
        description: str = "",
        max_age: timedelta | None = None,
        max_ingest_bytes: int | None = None,
        max_storage_bytes: int | None = None,
    ) -> None:
        """Create a repository.

        Args:
            name: Unique among repositories and views.
            description: For people.
            max_age: How long it keeps events; None for ever.
            max_ingest_bytes: How many it keeps, by their size as they come in; None for any.
            max_storage_bytes: The same, by their size as they are stored.

        Raises:
            GraphqlError: The name is taken, a limit is none, or no right.
        """
        content = {
            "name": name,
            "description": description,
            "ageMillis": None if max_age is None else max_age // MILLISECOND,
            "ingestBytes": max_ingest_bytes,
            "storageBytes": max_storage_bytes,
        }
        given = {member: value for member, value in content.items() if value is not None}
        await self._graphql.execute("CreateRepository", given)

    async def set_retention(self, name: str, retention: Retention) -> None:
        """Put other limits in the place of a repository's; the server deletes what they leave out.

        Raises:
            GraphqlError: No such repository, a limit is none, or no right.
        """
        age = retention.max_age
        content = {
            "repository": name,
            # Null takes a limit away, other than a member that is left out.
            "days": None if age is None else age / _DAY,
            "ingest": retention.ingest_gb,
            "storage": retention.storage_gb,
        }
        await self._graphql.execute("UpdateRetention", content)

    async def describe(self, name: str, description: str) -> None:
        """Put another description in the place of a repository's or view's.

        Raises:
            GraphqlError: No such name, or no right.
        """
        content = {"name": name, "description": description}
        await self._graphql.execute("UpdateDescription", content)

    async def set_automatic_search(self, name: str, *, is_on: bool) -> None:
        """Say whether the web page of a repository or view searches as soon as it is opened.

        Raises:
            GraphqlError: No such name, or no right.
        """
        await self._graphql.execute("SetAutomaticSearch", {"name": name, "isOn": is_on})

    async def create_view(
        self, name: str, connections: Sequence[ViewConnection], *, description: str = ""
    ) -> None:
        """Create a view over repositories.

        Args:
            name: Unique among repositories and views.
            connections: What it shows.
            description: For people.

        Raises:
            GraphqlError: The name is taken, a repository is not there, or no right.
        """
        content = {
            "name": name,
            "description": description,
            "connections": write_connections(connections),
        }
        await self._graphql.execute("CreateView", content)

    async def update_view(self, view: View, connections: Sequence[ViewConnection]) -> None:
        """Replace a view's connections, if they still are as they were read.

        Args:
            view: As it was listed.
            connections: All that it shows from now on.

        Raises:
            NotFound: The view is gone.
            RequestRejected: Its connections changed since it was read.
            GraphqlError: A repository is not there, or no right.
        """
        current = next((found for found in await self.list() if found.id == view.id), None)
        if current is None:
            raise NotFound(f"{view.name} is gone")
        if Counter(current.connections) != Counter(view.connections):
            raise RequestRejected(
                f"the connections of {view.name} changed since it was read", advice="Read it again."
            )
        content = {"name": current.name, "connections": write_connections(connections)}
        await self._graphql.execute("UpdateView", content)

    async def delete(self, name: str, *, reason: str) -> None:
        """Delete a repository or view with all its events and assets.

        Raises:
            RequestRejected: The server answered that it did not delete it.
            GraphqlError: No such name, or no right.
        """
        data = await self._graphql.execute("DeleteView", {"name": name, "reason": reason})
        if not was_done(data):
            raise RequestRejected(f"{name} was not deleted")

    async def viewer(self) -> Viewer:
        """Return who the token belongs to.

        Raises:
            ClientError: The server could not be asked.
        """
        found = (await self._graphql.execute("ReadViewer", {})).member("viewer")
        return Viewer(
            id=found.text("id"), name=found.text("username"), is_root=found.flag("isRoot")
        )

    async def allowed_actions(self, view: str) -> frozenset[str]:
        """Return what the token may do in a repository or view, such as `ChangeTriggers`.

        Raises:
            UnknownRepository: No such repository or view, or no right to see it.
        """
        data = await self._graphql.execute("ListAllowedActions", {"view": view})
        return frozenset(data.member("searchDomain").texts("allowedViewActions"))

    async def validate(self, query: str, *, is_live: bool = False) -> tuple[QueryProblem, ...]:
        """Return what the server says is wrong with a query; empty if it would run.

        Raises:
            ClientError: The server could not be asked.
        """
        content = {"query": query, "version": LANGUAGE, "isLive": is_live}
        return _problems(
            (await self._graphql.execute("ValidateQuery", content)).member("validateQuery")
        )

    async def analyze(
        self,
        query: str,
        *,
        view: str | None = None,
        is_live: bool = False,
        arguments: Mapping[str, str] | None = None,
        reject_functions: Sequence[str] = (),
    ) -> QueryAnalysis:
        """Return what the server makes of a query; it says more than `validate`.

        Args:
            query: The text.
            view: Where it would run: saved queries and lookup files are looked up there.
            is_live: Whether it is meant as a live query.
            arguments: Values of its parameters.
            reject_functions: Names that the caller does not want in it.

        Raises:
            GraphqlError: No such view, or no right to see it.
        """
        given = [{"name": name, "value": value} for name, value in (arguments or {}).items()]
        content: dict[str, object] = {
            "queryString": query,
            "version": {"name": LANGUAGE},
            "isLive": is_live,
            "arguments": given,
            "rejectFunctions": list(reject_functions),
        }
        if view is not None:
            content["viewName"] = view
        data = await self._graphql.execute("AnalyzeQuery", {"input": content})
        found = data.member("analyzeQuery")
        validation, suggested = found.member("validateQuery"), found.raw.get("suggestedAlertType")
        return QueryAnalysis(
            problems=_problems(validation),
            is_valid=validation.flag("isValid"),
            alert_type=""
            if suggested is None
            else found.member("suggestedAlertType").text("alertType"),
        )

    async def shape(self, query: str, *, view: str, is_live: bool = False) -> QueryShape:
        """Return how the server would run a query; one that it would not run is an error.

        Args:
            query: The text.
            view: Where it would run.
            is_live: Whether it is meant as a live query.

        Raises:
            GraphqlError: The query is wrong, or no such view, or no right to see it.
        """
        content = {"query": query, "version": LANGUAGE, "isLive": is_live, "view": view}
        data = await self._graphql.execute("ReadQueryShape", content)
        return _shape(data.member("queryAnalysis"))


def _shape(members: Members) -> QueryShape:
    return QueryShape(
        is_aggregate=members.flag("isAggregate"),
        is_single_phase=members.flag("isSinglePhase"),
        filter_part=members.text("filterPart"),
        suits_filter_alert=members.flag("isValidFilterAlertQuery"),
    )


def _problems(validation: Members) -> tuple[QueryProblem, ...]:
    problems = tuple(
        QueryProblem(
            message=item.text("message"),
            code=item.text("code"),
            severity=item.text("severity"),
        )
        for item in validation.members("diagnostics")
    )
    if not validation.flag("isValid") and not problems:
        return (QueryProblem(message="the query is not valid", code="", severity="Error"),)
    return problems
