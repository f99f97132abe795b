"""API tokens of a server: made, listed, given another secret, deleted.

A secret is told once, when it is made. When a token ends cannot be changed afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from orchestrator.client.graphql.client import Graphql
from orchestrator.client.http.members import Members
from orchestrator.client.types import ApiToken, NewToken, View
from orchestrator.errors import RequestRejected
from orchestrator.secret import SecretText
from orchestrator.units import from_epoch_ms, to_epoch_ms

_PAGE = 100


class Tokens:
    """The API tokens of one server; ingest tokens are none of them."""

    def __init__(self, graphql: Graphql) -> None:
        self._graphql = graphql

    async def create_personal(self, *, ends_at: datetime | None = None) -> NewToken:
        """Make a token that may do all that the caller may, until `ends_at` or for ever.

        Raises:
            GraphqlError: The server refused it, such as for a time that is over.
            ClientError: The caller is no person, or the server could not be asked.
        """
        given = _ending(ends_at)
        data = await self._graphql.execute("CreatePersonalToken", {"input": given})
        return _made(data.member("createPersonalUserTokenV2"))

    async def create_for_views(
        self,
        name: str,
        views: Collection[View],
        permissions: Collection[str],
        *,
        ends_at: datetime | None = None,
    ) -> NewToken:
        """Make a token for some repositories and views.

        Args:
            name: For people.
            views: Where it is good for anything; as `Views.list` returned them.
            permissions: What it may do there, such as `ReadAccess` and `ChangeTriggers`.
            ends_at: None for never.

        Raises:
            GraphqlError: A view or a permission is not there, or no right.
        """
        given = {
            "name": name,
            "viewIds": [view.id for view in views],
            "viewPermissions": sorted(permissions),
            **_ending(ends_at),
        }
        return await self._create("View", given)

    async def create_for_organization(
        self, name: str, permissions: Collection[str], *, ends_at: datetime | None = None
    ) -> NewToken:
        """Make a token that administers the organization; it cannot read events.

        Args:
            name: For people.
            permissions: What it may do, such as `ManageUsers`.
            ends_at: None for never.

        Raises:
            GraphqlError: A permission is not there, or no right.
        """
        given = {"organizationPermissions": sorted(permissions)}
        return await self._create("Organization", {"name": name, **given, **_ending(ends_at)})

    async def create_for_system(
        self, name: str, permissions: Collection[str], *, ends_at: datetime | None = None
    ) -> NewToken:
        """Make a token that administers the cluster.

        Args:
            name: For people.
            permissions: What it may do, such as `ManageCluster`.
            ends_at: None for never.

        Raises:
            GraphqlError: A permission is not there, or no right.
        """
        given = {"systemPermissions": sorted(permissions)}
        return await self._create("System", {"name": name, **given, **_ending(ends_at)})

    async def list(self) -> tuple[ApiToken, ...]:
        """Return the tokens of views, organization and system, by name; none that is personal.

        Raises:
            ClientError: The server could not be asked, or no right.
        """
        found: list[ApiToken] = []
        while True:
            page = {"skip": len(found), "limit": _PAGE}
            listed = (await self._graphql.execute("ListTokens", page)).member("tokens")
            results = [_read(members) for members in listed.members("results")]
            found += results
            if not results or len(found) >= listed.number("totalResults"):
                return tuple(sorted(found, key=lambda token: (token.name, token.id)))

    async def rotate(self, token: ApiToken) -> SecretText:
        """Put another secret in the place of the token's, which is worthless from then on.

        Raises:
            GraphqlError: No such token, or no right.
        """
        data = await self._graphql.execute("RotateToken", {"input": {"id": token.id}})
        return SecretText(data.text("rotateToken"))

    async def delete(self, token: ApiToken) -> None:
        """Delete a token.

        Raises:
            RequestRejected: The server answered that it did not delete it.
            GraphqlError: No such token, or no right.
        """
        data = await self._graphql.execute("DeleteToken", {"input": {"id": token.id}})
        if not data.flag("deleteToken"):
            raise RequestRejected(f"the token {token.name} was not deleted")

    async def _create(self, kind: str, given: Mapping[str, object]) -> NewToken:
        data = await self._graphql.execute(f"Create{kind}Token", {"input": given})
        return _made(data.member(f"create{kind}PermissionsTokenV2"))


def _ending(ends_at: datetime | None) -> dict[str, object]:
    return {} if ends_at is None else {"expireAt": to_epoch_ms(ends_at)}


def _made(members: Members) -> NewToken:
    return NewToken(
        secret=SecretText(members.text("token")), token=_read(members.member("tokenMetadata"))
    )


def _read(members: Members) -> ApiToken:
    ends_ms = members.optional_number("expireAt")
    return ApiToken(
        id=members.text("id"),
        name=members.text("name"),
        kind=members.text("__typename"),
        created_at=from_epoch_ms(members.number("createdAt")),
        ends_at=None if ends_ms is None else from_epoch_ms(ends_ms),
    )
