"""The GraphQL envelope: 200 is not success, `errors` decides.

LogScale's errors may say as little as "There were errors in the input." and hold the reasons in
`state`, a member of its own; both go into the exception.
Source: humio/cli issue 75; GraphQL specification, section 7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestrator.client.graphql.documents import load_document
from orchestrator.client.http.members import Members, json_object
from orchestrator.client.http.problems import excerpt, request_id_of, unknown_repository
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.wire import WireGraphqlRequest
from orchestrator.errors import GraphqlError

_PATH = "graphql"
# Where an operation asks for its repository or view, whose name is the variable `view`.
_DOMAIN = ["searchDomain"]
_MUTATION = re.compile(r"^\s*mutation\b", re.MULTILINE)


class Graphql:
    """Runs packaged operations as one identity."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def execute(
        self, operation: str, variables: Mapping[str, object] | None = None
    ) -> Members:
        """Return the `data` of an operation.

        Queries are retried, mutations only where the server surely did nothing.

        Args:
            operation: Name of a packaged document, which is also its operation name.
            variables: Values, in the types that the document declares.

        Raises:
            UnknownRepository: No such repository or view, or no right to see it.
            GraphqlError: The envelope holds other errors, even if it holds data too.
            ClientError: The call itself failed.
        """
        document = load_document(operation)
        body = WireGraphqlRequest(
            query=document, operationName=operation, variables=dict(variables or {})
        )
        idempotent = _MUTATION.search(document) is None
        response = await self._session.call(
            json_request("POST", _PATH, body, idempotent=idempotent)
        )
        envelope = json_object(response, where=operation)
        errors = envelope.members("errors")
        if errors:
            problem, request_id = _problem(operation, errors), request_id_of(response)
            if errors[0].raw.get("path") == _DOMAIN and "view" in body["variables"]:
                name = str(body["variables"]["view"])
                raise unknown_repository(
                    name, said=problem, method="POST", path=_PATH, request_id=request_id
                )
            raise GraphqlError(problem, method="POST", path=_PATH, request_id=request_id)
        return envelope.member("data")


def _problem(operation: str, errors: tuple[Members, ...]) -> str:
    first = errors[0]
    parts = [first.text("message", "an error without a message")]
    state = first.raw.get("state")
    if isinstance(state, dict):
        parts += [f"{name}: {reason}" for name, reason in state.items()]
    path = first.raw.get("path")
    if isinstance(path, list) and path:
        parts.append("at " + ".".join(str(step) for step in path))
    if len(errors) > 1:
        parts.append(f"and {len(errors) - 1} more")
    return f"{operation}: {excerpt('; '.join(parts))}"
