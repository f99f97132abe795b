"""What alerts and scheduled searches invoke: list, create, update, test, delete."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from orchestrator.client.graphql.action_kinds import ActionContent
from orchestrator.client.graphql.assets import was_done
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.http.members import Members
from orchestrator.client.types import Action, ActionTest
from orchestrator.errors import NotFound, RequestRejected


class Actions:
    """The actions of one view or repository."""

    def __init__(self, graphql: Graphql, *, view: str) -> None:
        self._graphql, self._view = graphql, view

    async def list(self) -> tuple[Action, ...]:
        """Return all actions, sorted by name; `kind` is open, the vendor adds new ones.

        Raises:
            UnknownRepository: No such repository or view, or no right to see it.
        """
        data = await self._graphql.execute("ListActions", {"view": self._view})
        listed = data.member("searchDomain").members("actions")
        return tuple(sorted((_read(members) for members in listed), key=lambda item: item.name))

    async def create(self, name: str, content: ActionContent) -> Action:
        """Create an action of any kind that `action_kinds` has.

        Args:
            name: Unique in the view.
            content: What it does; its secrets go onto the wire and nowhere else.

        Raises:
            GraphqlError: The server refused it, such as for a name that is taken.
        """
        operation = f"Create{content.kind}"
        given = {"viewName": self._view, "name": name, **content.to_input()}
        data = await self._graphql.execute(operation, {"input": given})
        return _read(data.member(f"create{content.kind}"))

    async def update(self, action: Action, content: ActionContent, *, name: str = "") -> Action:
        """Replace all that an action does; its kind stays.

        Its content cannot be compared with what the caller once saw, for that holds secrets; what
        the list shows of it can be, and must be as it was.

        Args:
            action: As it was listed.
            content: What it does from now on.
            name: A new name; empty keeps the old one.

        Raises:
            NotFound: The action is gone.
            RequestRejected: It was renamed since it was read, or is of another kind than the
                content.
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
        if current != action:
            raise RequestRejected(
                f"action {action.name} in {self._view} changed since it was read",
                advice="Read it again.",
            )
        given = {
            "viewName": self._view,
            "id": action.id,
            "name": name or action.name,
            **content.to_input(),
        }
        data = await self._graphql.execute(f"Update{content.kind}", {"input": given})
        return _read(data.member(f"update{content.kind}"))

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
            **content.to_input(),
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


def _read(members: Members) -> Action:
    return Action(id=members.text("id"), name=members.text("name"), kind=members.text("__typename"))
