"""Routes that LogScale does not have, for people and tests; and status, unknown paths.

    GET    /_sandbox/overview  events, jobs, assets, files, and the faults still to come
    POST   /_sandbox/faults    {"pattern": "POST */queryjobs", "faults": [{"kind": "unavailable"}]}
    DELETE /_sandbox/faults    let everything pass again
    PUT    /_sandbox/quotas    {"oneMinute": 100}: queries that each role may start, from now on
    PUT    /_sandbox/hosts     [{"device_id": "…", "hostname": "…"}]: all hosts that there are
    GET    /_sandbox/invocations   what triggers' actions did, newest first; ?trigger=NAME, ?limit=N
    GET    /_sandbox/mail      the mails that e-mail actions wrote, newest first

All of them need a token with the right ADMIN; `POST /_sandbox/check`, the linter behind the page's
search box, needs READ alone.
"""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.sandbox.answers import Refusal, forbidden, json_answer, text_answer
from orchestrator.sandbox.auth import caller_of, demand, sandbox_of
from orchestrator.sandbox.faults.kinds import fault_from_json
from orchestrator.sandbox.quotas import quotas_from_json
from orchestrator.sandbox.routes.health import health_checks, http_status, worst
from orchestrator.sandbox.routes.overview import overview, pending_faults
from orchestrator.sandbox.routes.query_body import body_of
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox


async def status(request: Request) -> Response:
    """`GET /api/v1/status`: the worst of the checks of `health-json`; needs no token."""
    sandbox = sandbox_of(request)
    found = worst(health_checks(sandbox))
    content = {"status": found.value, "version": sandbox.settings.version}
    return json_answer(content, status=http_status(found))


async def is_node_up(_request: Request) -> Response:
    """`GET /api/v1/is-node-up`: what probes ask; needs no token, and its status is the answer."""
    return text_answer(200, "true")


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


async def set_quotas(request: Request) -> Response:
    """`PUT /_sandbox/quotas`: replace the query quotas; `{}` lifts them."""
    sandbox = _controlled(request)
    try:
        sandbox.jobs.quotas.limits = quotas_from_json(body_of(await request.body()))
    except ValueError as exc:
        raise Refusal(400, str(exc)) from exc
    return json_answer({"quotas": sandbox.jobs.quotas.limits})


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
