"""Saved queries, scheduled searches and alerts of one view: list, create, update, switch, delete.

The API has no revision to write against and updates replace everything. So an update reads the
asset again, compares it with what the caller saw, and refuses if someone changed it in between; a
change in the moment between that read and the write is lost, which the API cannot prevent. What the
caller leaves open, such as whose rights the asset runs with, is written as it was read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from orchestrator.client.graphql.asset_kinds import AssetKind, kind_of
from orchestrator.client.graphql.asset_wire import WriteContext
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.graphql.replacing import has_changed, merged
from orchestrator.client.graphql.versions import SAVED_QUERY_TEMPLATES, ServerVersion
from orchestrator.client.http.members import Members
from orchestrator.client.types import Asset, QueryOwnership, SavedQuery
from orchestrator.errors import NotFound, RequestRejected

A = TypeVar("A", bound=Asset)


class Assets:
    """The assets of one view or repository.

    Args:
        graphql: Where they are kept.
        view: Name of the view or repository.
        version: Gives the server's version; documents are chosen by it.
        ownership: Who new assets run as that name no owner.
    """

    def __init__(
        self,
        graphql: Graphql,
        *,
        view: str,
        version: Callable[[], Awaitable[ServerVersion]],
        ownership: QueryOwnership = QueryOwnership.ORGANIZATION,
    ) -> None:
        self._graphql, self._view = graphql, view
        self._version, self._ownership = version, ownership

    async def list(self, kind: type[A]) -> tuple[A, ...]:
        """Return all assets of a kind, sorted by name; the API has no filter and no pages.

        Raises:
            UnknownRepository: No such repository or view, or no right to see it.
        """
        return await self._listed(kind_of(kind, await self._version()))

    async def create(self, asset: A) -> A:
        """Create an asset and return it as the server has it; its `id` is ignored.

        Raises:
            GraphqlError: The server refused it, such as for a name that is taken.
            RequestRejected: The asset cannot exist on this server.
        """
        kind = kind_of(type(asset), await self._version())
        context = await self._context(kind)
        content = kind.to_input(asset, context)
        data = await self._graphql.execute(kind.create_operation, {"input": content})
        return kind.from_wire(kind.result(data))

    async def from_template(self, kind: type[A], text: str) -> A:
        """Return what the server reads from the YAML of a package; nothing is stored.

        It has no id and may be given to `create`, after the actions that it names.

        Args:
            kind: LegacyAlert, FilterAlert, AggregateAlert or, from server 1.204 on,
                ScheduledSearch. A saved query is made by `create_from_template`.
            text: The YAML.

        Raises:
            TypeError: No template of this kind is read on this server.
            GraphqlError: The text is no template of this kind, or names an action that is not
                there.
        """
        row = kind_of(kind, await self._version())
        if not row.template_operation:
            raise TypeError(f"{kind.__name__} is not read from a template on this server")
        content = {"viewName": self._view, "yamlTemplate": text}
        data = await self._graphql.execute(row.template_operation, {"input": content})
        found = data.member(next(iter(data.raw), ""))
        # What is not stored has no id.
        return row.from_wire(Members({**found.raw, "id": ""}, where=row.template_operation))

    async def create_from_template(self, text: str, *, name: str = "") -> SavedQuery:
        """Create a saved query from the YAML of a package; the server offers it for no other kind.

        Args:
            text: The YAML.
            name: Takes the place of the name in it; empty keeps that.

        Raises:
            RequestRejected: The server is too old.
            GraphqlError: The text is no template of a saved query, or its name is taken.
        """
        version = await self._version()
        if version < SAVED_QUERY_TEMPLATES:
            raise RequestRejected(
                "this server makes no saved query from a template",
                advice="Create it from its query's text.",
            )
        content = {"viewName": self._view, "yamlTemplate": text, **({"name": name} if name else {})}
        data = await self._graphql.execute("CreateSavedQueryFromTemplate", {"input": content})
        found = data.member("createSavedQueryFromTemplate")
        return kind_of(SavedQuery, version).from_wire(found)

    async def to_template(self, asset: A) -> str:
        """Return an asset in the YAML of packages, as far as its server has a form for it.

        Raises:
            ValueError: The asset has no id: it was never read from a server.
            GraphqlError: No such asset, or no right.
        """
        kind = kind_of(type(asset), await self._version())
        variables = {"view": self._view, "id": _id_of(asset)}
        data = await self._graphql.execute(kind.export_operation, variables)
        return data.member("searchDomain").member("asset").text("yamlTemplate")

    async def update(self, asset: A, *, expected: A) -> A:
        """Replace an asset, if it still is as `expected`, and return it as the server has it.

        Where both sides know it, the time of the last change counts too, so that a change which no
        member shows does not pass unseen.

        Args:
            asset: The wanted content; its `id` is ignored in favour of the expected one's. An
                `owner`, or a member of a saved query, that is None stays as it is.
            expected: The asset as it was read before, with its id.

        Raises:
            NotFound: The asset is gone.
            RequestRejected: It changed since it was read, or the wanted one cannot exist on this
                server.
            GraphqlError: The server refused the new content.
        """
        kind = kind_of(type(asset), await self._version())
        current = next(
            (found for found in await self._listed(kind) if found.id == expected.id), None
        )
        if current is None:
            raise NotFound(f"{expected.name} is gone from {self._view}")
        if has_changed(current, expected):
            raise RequestRejected(
                f"{expected.name} in {self._view} changed since it was read",
                advice="Make the plan again.",
            )
        context = await self._context(kind, current=current)
        content = {**kind.to_input(merged(asset, current), context), "id": current.id}
        data = await self._graphql.execute(kind.update_operation, {"input": content})
        return kind.from_wire(kind.result(data))

    async def delete(self, asset: A) -> None:
        """Delete an asset by its id.

        Raises:
            ValueError: The asset has no id: it was never read from a server.
            RequestRejected: The server answered that it did not delete it.
            GraphqlError: No such asset, or no right.
        """
        content = {"viewName": self._view, "id": _id_of(asset)}
        kind = kind_of(type(asset), await self._version())
        data = await self._graphql.execute(kind.delete_operation, {"input": content})
        if not was_done(data):
            raise RequestRejected(f"{asset.name} in {self._view} was not deleted")

    async def enable(self, asset: A) -> None:
        """Switch an alert or a scheduled search on; nothing else of it changes.

        Raises:
            TypeError: This kind of asset does not run by itself.
            ValueError: The asset has no id: it was never read from a server.
            RequestRejected: The server answered that it did not.
            GraphqlError: No such asset, or no right.
        """
        await self._touch("Enable", asset)

    async def disable(self, asset: A) -> None:
        """Switch an alert or a scheduled search off; fails as `enable` does."""
        await self._touch("Disable", asset)

    async def clear_error(self, asset: A) -> None:
        """Let a server forget the last error of an alert or a scheduled search, which it then
        tries again at once; fails as `enable` does.
        """
        await self._touch("ClearErrorOn", asset)

    async def add_label(self, asset: A, label: str) -> None:
        """Add one label to an alert or a scheduled search; labels of a saved query are updated.

        Raises:
            RequestRejected: The server is too old to change one label alone, or answered that it
                did not.
            TypeError: This kind of asset does not run by itself.
            ValueError: The asset has no id: it was never read from a server.
            GraphqlError: No such asset, or no right.
        """
        await self._touch("Add", asset, label=label)

    async def remove_label(self, asset: A, label: str) -> None:
        """Take one label away; fails as `add_label` does."""
        await self._touch("Remove", asset, label=label)

    async def _touch(self, verb: str, asset: A, *, label: str | None = None) -> None:
        version = await self._version()
        kind = kind_of(type(asset), version)
        if not kind.trigger:
            raise TypeError(f"{type(asset).__name__} cannot be switched, labelled or cleared")
        content = {"viewName": self._view, "id": _id_of(asset)}
        if label is None:
            operation = f"{verb}{kind.trigger}"
        else:
            if version < kind.labels_since:
                raise RequestRejected(
                    f"{asset.name}: this server cannot change one label of a {kind.trigger} alone",
                    advice="Update the asset with all of its labels.",
                )
            operation = f"{verb}{kind.trigger}Label"
            content["label"] = label
        data = await self._graphql.execute(operation, {"input": content})
        # Some kinds answer with the asset, others with whether it was done.
        if data.raw.get(next(iter(data.raw), "")) is False:
            raise RequestRejected(
                f"{asset.name} in {self._view} was not changed: the server said no to {operation}",
                advice="Read it again: somebody may have deleted it.",
            )

    async def _listed(self, kind: AssetKind[A]) -> tuple[A, ...]:
        data = await self._graphql.execute(kind.list_operation, {"view": self._view})
        domain = data.member("searchDomain")
        found = [kind.from_wire(members) for members in domain.members(kind.member)]
        return tuple(sorted(found, key=lambda asset: asset.name))

    async def _context(self, kind: AssetKind[A], *, current: A | None = None) -> WriteContext:
        ids: dict[str, str] = {}
        if kind.needs_action_ids:
            data = await self._graphql.execute("ListActionNames", {"view": self._view})
            listed = data.member("searchDomain").members("actions")
            ids = {action.text("name"): action.text("id") for action in listed}
        return WriteContext(
            view=self._view, ownership=self._ownership, action_ids=ids, current=current
        )


def _id_of(asset: Asset) -> str:
    if not asset.id:
        raise ValueError(f"{asset.name} has no id")
    return asset.id


def was_done(data: Members) -> bool:
    """Return what a deletion answered: a bare boolean, or an object with `result`."""
    name = next(iter(data.raw), "")
    if isinstance(data.raw.get(name), bool):
        return data.flag(name)
    return data.member(name).flag("result")
