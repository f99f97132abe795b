"""What alerts and scheduled searches invoke: list, create the two common kinds, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.client.assets import was_done
from orchestrator.client.decode import Members
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.types import Action
from orchestrator.errors import RequestRejected
from orchestrator.secret import SecretText


class Actions:
    """The actions of one view or repository."""

    def __init__(self, graphql: Graphql, *, view: str) -> None:
        self._graphql, self._view = graphql, view

    async def list(self) -> tuple[Action, ...]:
        """Return all actions, sorted by name; `kind` is open, the vendor adds new ones.

        Raises:
            GraphqlError: No such view, or no right to see it.
        """
        data = await self._graphql.execute("ListActions", {"view": self._view})
        listed = data.member("searchDomain").members("actions")
        return tuple(sorted((_read(members) for members in listed), key=lambda item: item.name))

    async def create_webhook(
        self,
        name: str,
        *,
        url: SecretText,
        body_template: str,
        method: str = "POST",
        headers: Mapping[str, SecretText] | None = None,
    ) -> Action:
        """Create an action that calls a web address; address and headers may hold secrets.

        Args:
            name: Unique in the view.
            url: Where to.
            body_template: Text with the vendor's placeholders, such as `{events}`.
            method: GET, POST or PUT.
            headers: Sent with each call.

        Raises:
            GraphqlError: The server refused it, such as for a name that is taken.
        """
        pairs = [
            {"header": header, "value": value.reveal()} for header, value in (headers or {}).items()
        ]
        content = {
            "viewName": self._view,
            "name": name,
            "url": url.reveal(),
            "method": method,
            "headers": pairs,
            "bodyTemplate": body_template,
            "ignoreSSL": False,
            "useProxy": False,
        }
        data = await self._graphql.execute("CreateWebhookAction", {"input": content})
        return _read(data.member("createWebhookAction"))

    async def create_email(
        self, name: str, *, recipients: Sequence[str], subject_template: str | None = None
    ) -> Action:
        """Create an action that sends mail; None keeps the server's own subject.

        Raises:
            GraphqlError: The server refused it, such as for a name that is taken.
        """
        content: dict[str, object] = {
            "viewName": self._view,
            "name": name,
            "recipients": list(recipients),
            "useProxy": False,
        }
        if subject_template is not None:
            content["subjectTemplate"] = subject_template
        data = await self._graphql.execute("CreateEmailAction", {"input": content})
        return _read(data.member("createEmailAction"))

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
