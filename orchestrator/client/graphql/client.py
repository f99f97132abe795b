"""The GraphQL envelope: 200 is not success, `errors` decides.

LogScale's errors may say as little as "There were errors in the input." and hold the reasons in
`state`, a member of its own; both go into the exception.
Source: humio/cli issue 75; GraphQL specification, section 7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.client.graphql.documents import holds_mutation, load_document
from orchestrator.client.http.members import Members, json_object
from orchestrator.client.http.problems import (
    excerpt,
    request_id_of,
    unknown_repository,
    without_secrets,
)
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.http.transport import Response
from orchestrator.client.wire import WireGraphqlRequest
from orchestrator.errors import ClientError, GraphqlError, GraphqlProblem
from orchestrator.secret import SecretText

_PATH = "graphql"
# Where an operation asks for its repository or view, and the variables that may name it.
_DOMAINS = (("searchDomain",), ("repository",))
_NAMES = ("view", "repository")
_MOST_PROBLEMS = 500
_UNNAMED = "the document"


class Graphql:
    """Runs operations as one identity.

    Queries are retried, mutations only where the server surely did nothing.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def execute(
        self, operation: str, variables: Mapping[str, object] | None = None
    ) -> Members:
        """Return the `data` of a packaged operation.

        Args:
            operation: Name of the document, which is also its operation name.
            variables: Values, in the types that the document declares.

        Raises:
            UnknownRepository: No such repository or view, or no right to see it.
            GraphqlError: The envelope holds other errors, even if it holds data too.
            ClientError: The call itself failed.
        """
        return await self.run(load_document(operation), variables, operation=operation)

    async def run(
        self,
        document: str,
        variables: Mapping[str, object] | None = None,
        *,
        operation: str = "",
    ) -> Members:
        """Return the `data` of a document of the caller's own.

        Args:
            document: Its text, with the fragments that it uses. One with a mutation in it counts as
                a mutation, whichever operation is run.
            variables: Values, in the types that the document declares; those called `view` and
                `repository` are taken for names. A `SecretText` is sent, and is in no error.
            operation: Which of its operations to run, where it has several.

        Raises:
            UnknownRepository: No such repository or view, or no right to see it.
            GraphqlError: The envelope holds other errors, even if it holds data too.
            ClientError: The call itself failed.
        """
        secrets: list[SecretText] = []
        given = {name: _revealed(value, secrets) for name, value in (variables or {}).items()}
        body: WireGraphqlRequest = {"query": document, "variables": given}
        if operation:
            body = {"query": document, "operationName": operation, "variables": given}
        request = json_request("POST", _PATH, body, idempotent=not holds_mutation(document))
        response = await self._session.call(request)
        envelope = json_object(response, where=operation or _UNNAMED)
        errors = envelope.members("errors")
        if errors:
            problems = tuple(_problem(error, secrets) for error in errors[:_MOST_PROBLEMS])
            more = len(errors) - len(problems)
            said = [str(problem) for problem in problems] + ([f"{more} more"] if more else [])
            text = f"{operation or _UNNAMED}: {'; and '.join(said)}"
            raise _error(text, problems, response, given)
        return envelope.member("data")


def _revealed(value: object, secrets: list[SecretText]) -> object:
    """Return what goes onto the wire for a value; its secrets are added to `secrets`."""
    match value:
        case SecretText():
            secrets.append(value)
            return value.reveal()
        case Mapping():
            return {name: _revealed(inner, secrets) for name, inner in value.items()}
        case list() | tuple():
            return [_revealed(inner, secrets) for inner in value]
        case _:
            return value


def _error(
    text: str,
    problems: tuple[GraphqlProblem, ...],
    response: Response,
    variables: Mapping[str, object],
) -> ClientError:
    request_id = request_id_of(response)
    name = next((str(variables[name]) for name in _NAMES if name in variables), None)
    if name is not None and problems[0].path in _DOMAINS:
        return unknown_repository(name, said=text, method="POST", path=_PATH, request_id=request_id)
    return GraphqlError(text, problems=problems, method="POST", path=_PATH, request_id=request_id)


def _problem(error: Members, secrets: Sequence[SecretText]) -> GraphqlProblem:
    state, path = error.raw.get("state"), error.raw.get("path")

    def shown(text: object) -> str:
        return excerpt(without_secrets(secrets, str(text)))

    return GraphqlProblem(
        message=shown(error.text("message", "an error without a message")),
        state={shown(name): shown(reason) for name, reason in state.items()}
        if isinstance(state, dict)
        else {},
        path=tuple(step if isinstance(step, int) else shown(step) for step in path)
        if isinstance(path, list)
        else (),
    )
