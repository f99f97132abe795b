"""Routes that LogScale does not have, for people and tests; and status, users, unknown paths.

    GET    /_sandbox/overview  events, jobs, assets, files, and the faults still to come
    POST   /_sandbox/faults    {"pattern": "POST */queryjobs", "faults": [{"kind": "unavailable"}]}
    DELETE /_sandbox/faults    let everything pass again
    PUT    /_sandbox/hosts     [{"device_id": "…", "hostname": "…"}]: all hosts that there are
    GET    /_sandbox/invocations   what triggers' actions did, newest first; ?trigger=NAME, ?limit=N
    GET    /_sandbox/mail      the mails that e-mail actions wrote, newest first

All of them need a token with the right ADMIN.
"""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.ids import derive
from orchestrator.sandbox.answers import Refusal, forbidden, json_answer
from orchestrator.sandbox.auth import caller_of, demand, sandbox_of
from orchestrator.sandbox.faults import fault_from_json
from orchestrator.sandbox.overview import overview, pending_faults
from orchestrator.sandbox.requests import body_of
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox


async def status(request: Request) -> Response:
    """`GET /api/v1/status`: needs no token."""
    return json_answer({"status": "OK", "version": sandbox_of(request).settings.version})


async def list_users(request: Request) -> Response:
    """`GET /api/v1/users`: the token's own user and those that were made, for root only."""
    sandbox, role = caller_of(request)
    demand(role, Right.ADMIN)
    own = {"userID": role.name, "username": role.name, "email": role.name, "isRoot": True}
    return json_answer([own, *sandbox.users.values()])


async def create_user(request: Request) -> Response:
    """`POST /api/v1/users`: make a user; one whose e-mail address is known already is kept."""
    sandbox = _controlled(request)
    body = body_of(await request.body())
    email = body.get("email")
    if not isinstance(email, str) or not email:
        raise Refusal(400, "The request content was malformed: email must be a string")
    user_id = derive("user", email)[:24]
    user = {
        "userID": user_id,
        "username": email,
        "email": email,
        "isRoot": body.get("isRoot") is True,
    }
    found = sandbox.users.setdefault(user_id, user)
    sandbox.save()
    return json_answer(found)


async def delete_user(request: Request) -> Response:
    """`DELETE /api/v1/users/ID`: the answer is the user that was deleted."""
    sandbox = _controlled(request)
    gone = sandbox.users.pop(request.path_params["user_id"], None)
    if gone is None:
        raise Refusal(404, "The user does not exist")
    sandbox.save()
    return json_answer(gone)


async def show_overview(request: Request) -> Response:
    """`GET /_sandbox/overview`."""
    return json_answer(overview(_controlled(request)))


async def set_faults(request: Request) -> Response:
    """`POST /_sandbox/faults`: what the next requests that fit the pattern meet, in order."""
    sandbox = _controlled(request)
    body = body_of(await request.body())
    pattern, raw = body.get("pattern"), body.get("faults")
    if not isinstance(pattern, str) or not isinstance(raw, list):
        raise Refusal(400, 'a body such as {"pattern": "POST */queryjobs", "faults": [...]}')
    try:
        sandbox.faults.set(pattern, [fault_from_json(entry) for entry in raw])
    except ValueError as exc:
        raise Refusal(400, str(exc)) from exc
    return json_answer({"faults": pending_faults(sandbox)})


async def clear_faults(request: Request) -> Response:
    """`DELETE /_sandbox/faults`."""
    _controlled(request).faults.clear()
    return Response(status_code=204)


async def set_hosts(request: Request) -> Response:
    """`PUT /_sandbox/hosts`: replace the hosts of the Falcon face by an array of devices."""
    sandbox = _controlled(request)
    try:
        hosts = json.loads(await request.body())
    except ValueError as exc:
        raise Refusal(400, "the body is not JSON") from exc
    if not isinstance(hosts, list) or not all(_is_host(host) for host in hosts):
        raise Refusal(400, "an array of objects, each with a device_id, is expected")
    sandbox.hosts = {host["device_id"]: host for host in hosts}
    sandbox.save()
    return json_answer({"hosts": len(sandbox.hosts)})


async def invocations(request: Request) -> Response:
    """`GET /_sandbox/invocations`: each attempt at an action, newest first, without secrets."""
    sandbox = _controlled(request)
    wanted, limit = request.query_params.get("trigger"), request.query_params.get("limit", "")
    found = [
        entry
        for entry in reversed(sandbox.triggers.book.invocations)
        if wanted is None or entry["trigger"] == wanted
    ]
    if limit.isdecimal():
        found = found[: int(limit)]
    return json_answer({"invocations": found})


async def mail(request: Request) -> Response:
    """`GET /_sandbox/mail`: what e-mail actions wrote; nothing ever leaves by SMTP."""
    sandbox = _controlled(request)
    return json_answer({"mail": list(reversed(sandbox.triggers.book.mails()))})


async def unknown_api(request: Request) -> Response:
    """An API path that nobody serves: 401 or 403 first, then 404 as text."""
    _, role = caller_of(request)
    if Right.READ not in role.rights:
        raise forbidden()
    raise Refusal(404, "The requested resource could not be found.")


def _controlled(request: Request) -> Sandbox:
    sandbox, role = caller_of(request)
    demand(role, Right.ADMIN)
    return sandbox


def _is_host(raw: object) -> bool:
    return isinstance(raw, dict) and isinstance(raw.get("device_id"), str)
