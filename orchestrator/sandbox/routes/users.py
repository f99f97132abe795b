"""Routes of users, the older way to them; GraphQL has the same users with more members."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.sandbox.answers import Refusal, json_answer
from orchestrator.sandbox.auth import caller_of, demand
from orchestrator.sandbox.routes.query_body import body_of
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Record

_MEMBERS = ("userID", "username", "email", "isRoot")


async def list_users(request: Request) -> Response:
    """`GET /api/v1/users`: the token's own user and those that were made, for root only."""
    sandbox, role = _administered(request)
    own = {"userID": role.name, "username": role.name, "email": role.name, "isRoot": True}
    return json_answer([own, *(_wire(user) for user in sandbox.directory.users.values())])


async def create_user(request: Request) -> Response:
    """`POST /api/v1/users`: make a user; one whose e-mail address is known already is kept."""
    sandbox, _ = _administered(request)
    body = body_of(await request.body())
    email = body.get("email")
    if not isinstance(email, str) or not email:
        raise Refusal(400, "The request content was malformed: email must be a string")
    profile = {"email": email, "isRoot": body.get("isRoot") is True}
    user = sandbox.directory.add_user(email, profile, now_ms=sandbox.now_ms())
    sandbox.save()
    return json_answer(_wire(user))


async def delete_user(request: Request) -> Response:
    """`DELETE /api/v1/users/ID`: the answer is the user that was deleted."""
    sandbox, _ = _administered(request)
    gone = sandbox.directory.remove_user(request.path_params["user_id"])
    if gone is None:
        raise Refusal(404, "The user does not exist")
    sandbox.save()
    return json_answer(_wire(gone))


def _wire(user: Record) -> Record:
    return {name: user[name] for name in _MEMBERS}


def _administered(request: Request) -> tuple[Sandbox, TokenRole]:
    sandbox, role = caller_of(request)
    demand(role, Right.ADMIN)
    return sandbox, role
