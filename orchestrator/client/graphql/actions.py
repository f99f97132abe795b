"""What alerts and scheduled searches invoke: list, create, update, test, delete.

Listing asks for all that an action holds, its secrets too, so that an update can leave alone what
it does not mean to change. As for assets, a change is looked for before a write, not during it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from orchestrator.client.graphql.action_kinds import content_of, input_of
from orchestrator.client.graphql.asset_wire import moment
from orchestrator.client.graphql.assets import was_done
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.graphql.replacing import has_changed
from orchestrator.client.graphql.versions import ACTION_LABELS, ServerVersion
from orchestrator.client.http.members import Members
from orchestrator.client.types import Action, ActionContent, ActionTest
from orchestrator.errors import NotFound, RequestRejected
from orchestrator.secret import SecretText


class Actions:
    """The actions of one view or repository.

    Args:
        graphql: Where they are kept.
        view: Name of the view or repository.
        version: Gives the server's version; documents are chosen by it.
    """

    def __init__(
        self, graphql: Graphql, *, view: str, version: Callable[[], Awaitable[ServerVersion]]
    ) -> None:
        self._graphql, self._view, self._version = graphql, view, version

    async def list(self) -> tuple[Action, ...]:
        """Return all actions with what they hold, sorted by name.

        Raises:
            UnknownRepository: No such repository or view, or no right to see it.
            UnexpectedResponse: An action of a known kind lacks a member.
        """
        data = await self._graphql.execute(await self._dialect("ListActions"), {"view": self._view})
        listed = data.member("searchDomain").members("actions")
        return tuple(sorted((_read(members) for members in listed), key=lambda item: item.name))

    async def create(
        self, name: str, content: ActionContent, *, labels: Sequence[str] = ()
    ) -> Action:
        """Create an action.

        Args:
            name: Unique in the view.
            content: What it does; its secrets go onto the wire and nowhere else.
            labels: For servers from 1.204 on.

        Raises:
            GraphqlError: The server refused it, such as for a name that is taken.
            RequestRejected: The server is too old for labels.
        """
        given = {"viewName": self._view, "name": name, **input_of(content)}
        if labels:
            given |= await self._labels(name, labels)
        data = await self._graphql.execute(f"Create{content.kind}", {"input": given})
        return replace(_read(data.member(f"create{content.kind}")), labels=tuple(labels))

    async def create_from_template(self, text: str, *, name: str = "") -> Action:
        """Create an action from the YAML of a package.

        Args:
            text: The YAML.
            name: Takes the place of the name in it; empty keeps that.

        Raises:
            RequestRejected: The server is older than 1.204, where a name must be given.
            GraphqlError: The text is no template of an action, or its name is taken.
        """
        if not name and await self._version() < ACTION_LABELS:
            raise RequestRejected(
                "this server takes no action's name from a template", advice="Give a name too."
            )
        given = {"viewName": self._view, "yamlTemplate": text, **({"name": name} if name else {})}
        operation = await self._dialect("CreateActionFromTemplate")
        data = await self._graphql.execute(operation, {"input": given})
        return _read(data.member("createActionFromTemplate"))

    async def to_template(self, action: Action) -> SecretText:
        """Return an action in the YAML of packages, which may hold its secrets.

        Raises:
            GraphqlError: No such action, or no right.
        """
        variables = {"view": self._view, "id": action.id}
        data = await self._graphql.execute("ReadActionTemplate", variables)
        return SecretText(data.member("searchDomain").member("asset").text("yamlTemplate"))

    async def update(
        self,
        action: Action,
        content: ActionContent,
        *,
        name: str = "",
        labels: Sequence[str] | None = None,
    ) -> Action:
        """Replace all that an action does, if it still is as it was listed; its kind stays.

        To change one member alone, give `dataclasses.replace(action.content, …)`.

        Args:
            action: As it was listed.
            content: What it does from now on.
            name: A new name; empty keeps the old one.
            labels: All of its labels from now on; None keeps those that it has.

        Raises:
            NotFound: The action is gone.
            RequestRejected: It changed since it was read, or is of another kind than the content,
                or the server is too old for labels.
            GraphqlError: The server refused the new content, or no right.
        """
        if content.kind != action.kind:
            raise RequestRejected(
                f"action {action.name} is a {action.kind} and cannot become a {content.kind}",
                advice="Delete it and create another.",
            )
        current = next((found for found in await self.list() if found.id == action.id), None)
        if current is None:
            raise NotFound(f"action {action.name} is gone from {self._view}")
        if has_changed(current, action):
            raise RequestRejected(
                f"action {action.name} in {self._view} changed since it was read",
                advice="Read it again.",
            )
        wanted = current.labels if labels is None else tuple(labels)
        given = {
            "viewName": self._view,
            "id": action.id,
            "name": name or action.name,
            **input_of(content),
            **await self._labels(action.name, wanted),
        }
        data = await self._graphql.execute(f"Update{content.kind}", {"input": given})
        return replace(_read(data.member(f"update{content.kind}")), labels=wanted)

    async def test(
        self,
        name: str,
        content: ActionContent,
        *,
        trigger: str,
        events: Sequence[Mapping[str, object]],
    ) -> ActionTest:
        """Let the server really send once what the action would send; nothing is stored.

        Args:
            name: The action's.
            content: What it does; its secrets go onto the wire and nowhere else.
            trigger: Name of the trigger that the message speaks of.
            events: What the trigger is said to have found.

        Raises:
            GraphqlError: The server refused the action itself, or no right.
        """
        given = {
            "viewName": self._view,
            "name": name,
            **input_of(content),
            "triggerName": trigger,
            "eventData": json.dumps([dict(event) for event in events]),
        }
        data = await self._graphql.execute(f"Test{content.kind}", {"input": given})
        found = data.member(f"test{content.kind}")
        return ActionTest(is_sent=found.flag("success"), message=found.text("message"))

    async def delete(self, action: Action) -> None:
        """Delete an action by its id.

        Raises:
            RequestRejected: The server answered that it did not delete it.
            GraphqlError: No such action, no right, or it is in use.
        """
        content = {"viewName": self._view, "id": action.id}
        data = await self._graphql.execute("DeleteAction", {"input": content})
        if not was_done(data):
            raise RequestRejected(f"action {action.name} in {self._view} was not deleted")

    async def _dialect(self, operation: str) -> str:
        """Return which of an operation's two documents this server knows."""
        return operation if await self._version() >= ACTION_LABELS else f"{operation}Before1204"

    async def _labels(self, name: str, labels: Sequence[str]) -> dict[str, object]:
        """Return the labels as a member of an input, none where there is no such member."""
        if await self._version() >= ACTION_LABELS:
            return {"labels": list(labels)}
        if labels:
            raise RequestRejected(
                f"action {name}: servers before 1.204 have no labels on actions",
                advice="Leave the labels out.",
            )
        return {}


def _read(members: Members) -> Action:
    return Action(
        id=members.text("id"),
        name=members.text("name"),
        kind=members.text("__typename"),
        content=content_of(members),
        labels=members.texts("labels"),
        display_name=members.text("displayName"),
        modified_at=moment(members.optional_member("modifiedInfo"), "modifiedAt"),
    )
