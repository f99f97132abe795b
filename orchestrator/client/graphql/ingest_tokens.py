"""Ingest tokens of one repository: each may send events there, and may have a parser of its own.

Their secrets can be read again, other than those of API tokens.
Source: GraphQL schema of server 1.204.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.client.graphql.assets import was_done
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.http.members import Members
from orchestrator.client.types import IngestToken
from orchestrator.errors import RequestRejected
from orchestrator.secret import SecretText


class IngestTokens:
    """The ingest tokens of one repository; a view has none."""

    def __init__(self, graphql: Graphql, *, repository: str) -> None:
        self._graphql, self._repository = graphql, repository

    async def list(self) -> tuple[IngestToken, ...]:
        """Return all tokens, sorted by name; none where the caller may not see them.

        Raises:
            UnknownRepository: No such repository, or no right to see it.
        """
        data = await self._graphql.execute("ListIngestTokens", {"repository": self._repository})
        listed = data.member("repository").members("ingestTokens")
        return tuple(sorted(map(_read, listed), key=lambda token: token.name))

    async def create(
        self, name: str, *, parser: str = "", secret: SecretText | None = None
    ) -> IngestToken:
        """Make a token.

        Args:
            name: Unique in the repository.
            parser: What reads the events that it sends; empty leaves that to each of them.
            secret: The token itself; None has the server make one.

        Raises:
            GraphqlError: The name or the secret is taken, there is no such parser, or no right.
        """
        given: dict[str, object] = {"repositoryName": self._repository, "name": name}
        if parser:
            given["parser"] = parser
        if secret is not None:
            given["customToken"] = secret
        data = await self._graphql.execute("AddIngestToken", {"input": given})
        return _read(data.member("addIngestTokenV3"))

    async def assign_parser(self, token: IngestToken, parser: str) -> IngestToken:
        """Have what a token sends read by a parser, or by none of its own, and return the token.

        Args:
            token: As it was listed.
            parser: Its name; empty takes away the one that the token has.

        Raises:
            GraphqlError: No such token or parser, or no right.
        """
        if not parser:
            where = {"repository": self._repository, "name": token.name}
            await self._graphql.execute("UnassignParser", where)
            return replace(token, parser="")
        given = {"repositoryName": self._repository, "tokenName": token.name, "parser": parser}
        data = await self._graphql.execute("AssignParser", {"input": given})
        return _read(data.member("assignParserToIngestTokenV2"))

    async def delete(self, token: IngestToken) -> None:
        """Delete a token; what is sent with it is refused from then on.

        Raises:
            RequestRejected: The server answered that it did not delete it.
            GraphqlError: No such token, or no right.
        """
        where = {"repository": self._repository, "name": token.name}
        data = await self._graphql.execute("RemoveIngestToken", where)
        if not was_done(data):
            raise RequestRejected(f"the ingest token {token.name} was not deleted")


def _read(members: Members) -> IngestToken:
    return IngestToken(
        name=members.text("name"),
        secret=SecretText(members.text("token")),
        parser=members.optional_member("parser").text("name", ""),
    )
