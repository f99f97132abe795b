"""The Falcon face: OAuth2 tokens, the `/humio` prefix, correlation rules.

Its errors are JSON envelopes, not text; the routes of searching are the same underneath. Tokens
live for `TOKEN_LIFE` by the sandbox's clock. Correlation rules are kept in memory, not run.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.sandbox.answers import Refusal, json_answer
from orchestrator.sandbox.auth import caller_of, demand, sandbox_of
from orchestrator.sandbox.settings import ALL_RIGHTS, Right, TokenRole
from orchestrator.sandbox.state import Sandbox
from orchestrator.units import format_instant

TOKEN_LIFE = timedelta(seconds=1_799)
REGION = "us-1"
_RULE_MEMBERS = ("customer_id", "name", "severity", "status", "template_id", "search", "operation")
_SEVERITIES = {10, 30, 50, 70, 90}
_STATUSES = {"active", "inactive"}


def envelope(
    resources: list[Any], *, errors: list[dict[str, object]] | None = None
) -> dict[str, object]:
    """Return the gateway's frame around an answer."""
    meta: dict[str, object] = {"query_time": 0.001, "trace_id": secrets.token_hex(16)}
    meta["pagination"] = {"offset": 0, "limit": max(len(resources), 1), "total": len(resources)}
    return {"meta": meta, "resources": resources, "errors": errors or []}


def envelope_answer(refusal: Refusal) -> Response:
    """Return a refusal as the gateway sends it."""
    error: dict[str, object] = {"code": refusal.status, "message": refusal.text}
    return json_answer(envelope([], errors=[error]), status=refusal.status)


async def oauth_token(request: Request) -> Response:
    """`POST /oauth2/token`: 201 with a token that the sandbox then knows."""
    sandbox = sandbox_of(request)
    async with request.form() as form:
        given_id, given_secret = str(form.get("client_id", "")), str(form.get("client_secret", ""))
    known = any(
        hmac.compare_digest(client.client_id.encode(), given_id.encode())
        and hmac.compare_digest(client.client_secret.encode(), given_secret.encode())
        for client in sandbox.settings.falcon_clients
    )
    if not known:
        return envelope_answer(Refusal(403, "access denied, authorization failed"))
    text = secrets.token_urlsafe(32)
    sandbox.issue_token(text, TokenRole(name=given_id, rights=ALL_RIGHTS), life=TOKEN_LIFE)
    life_s = TOKEN_LIFE // timedelta(seconds=1)
    answer = json_answer(
        {"access_token": text, "expires_in": life_s, "token_type": "bearer"}, status=201
    )
    answer.headers["X-Cs-Region"] = REGION
    return answer


async def revoke_token(request: Request) -> Response:
    """`POST /oauth2/revoke`."""
    sandbox = sandbox_of(request)
    async with request.form() as form:
        sandbox.tokens.pop(str(form.get("token", "")), None)
    return json_answer(envelope([]))


async def create_rule(request: Request) -> Response:
    """`POST /correlation-rules/entities/rules/v1`: one object."""
    sandbox = _caller(request, Right.CHANGE_TRIGGERS)
    given = await _json(request)
    if not isinstance(given, dict):
        raise Refusal(400, "an object is expected")
    missing = [name for name in _RULE_MEMBERS if name not in given]
    if missing:
        raise Refusal(400, f"missing required field(s): {', '.join(missing)}")
    _check_rule(given)
    now = format_instant(sandbox.clock.now())
    rule = {
        **given,
        "id": secrets.token_hex(16),
        "rule_id": secrets.token_hex(16),
        "version": 1,
        "state": "published",
        "type": "correlation",
        "created_on": now,
        "last_updated_on": now,
        "user_id": "sandbox",
    }
    sandbox.correlation_rules[rule["rule_id"]] = rule
    return json_answer(envelope([rule]))


async def list_rules(request: Request) -> Response:
    """`GET …/combined/rules/v1|v2`, `…/queries/rules/v1|v2`: all rules, or their ids."""
    sandbox = _caller(request, Right.READ)
    rules = list(sandbox.correlation_rules.values())
    offset = int(request.query_params.get("offset", 0))
    limit = int(request.query_params.get("limit", 100))
    page = rules[offset : offset + limit]
    ids_only = "/queries/" in request.url.path
    answer = envelope([rule["id"] for rule in page] if ids_only else page)
    meta = answer["meta"]
    if isinstance(meta, dict):
        meta["pagination"] = {"offset": offset, "limit": limit, "total": len(rules)}
    return json_answer(answer)


async def get_rules(request: Request) -> Response:
    """`GET …/entities/rules/v1?ids=` and `…/latest-rules/v1?rule_ids=`: by either id."""
    sandbox = _caller(request, Right.READ)
    ids = request.query_params.getlist("ids") + request.query_params.getlist("rule_ids")
    return json_answer(envelope([_rule(sandbox, rule_id) for rule_id in ids]))


async def update_rules(request: Request) -> Response:
    """`PATCH …/entities/rules/v1`: an array; what is absent stays, the version id changes."""
    sandbox = _caller(request, Right.CHANGE_TRIGGERS)
    given = await _json(request)
    if not isinstance(given, list):
        raise Refusal(400, "an array of rules is expected")
    changed = []
    for patch in given:
        if not isinstance(patch, dict) or "id" not in patch:
            raise Refusal(400, "each element needs the id of its rule")
        if patch.get("status") == "inactive" and "operation" in patch:
            raise Refusal(400, "status inactive and operation cannot change in one request")
        old = _rule(sandbox, str(patch["id"]))
        rule = _merged(old, {k: v for k, v in patch.items() if k != "id"})
        _check_rule(rule)
        rule |= {
            "id": secrets.token_hex(16),
            "version": old["version"] + 1,
            "last_updated_on": format_instant(sandbox.clock.now()),
        }
        sandbox.correlation_rules[old["rule_id"]] = rule
        changed.append(rule)
    return json_answer(envelope(changed))


async def delete_rules(request: Request) -> Response:
    """`DELETE …/entities/rules/v1?ids=`."""
    sandbox = _caller(request, Right.CHANGE_TRIGGERS)
    rules = [_rule(sandbox, rule_id) for rule_id in request.query_params.getlist("ids")]
    for rule in rules:
        del sandbox.correlation_rules[rule["rule_id"]]
    return json_answer(envelope([rule["rule_id"] for rule in rules]))


def _caller(request: Request, right: Right) -> Sandbox:
    sandbox, role = caller_of(request)
    demand(role, right)
    return sandbox


async def _json(request: Request) -> object:
    try:
        return await request.json()
    except ValueError as exc:
        raise Refusal(400, "the body is not JSON") from exc


def _rule(sandbox: Sandbox, rule_id: str) -> dict[str, Any]:
    for rule in sandbox.correlation_rules.values():
        if rule_id in {rule["id"], rule["rule_id"]}:
            return rule
    raise Refusal(404, f"rule {rule_id} not found")


def _merged(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return `old` with `patch` laid over it; `search` and `operation` member by member."""
    merged = {**old, **patch}
    for member in ("search", "operation"):
        if isinstance(patch.get(member), dict):
            merged[member] = {**old.get(member, {}), **patch[member]}
    return merged


def _check_rule(rule: Mapping[str, Any]) -> None:
    if rule["severity"] not in _SEVERITIES:
        raise Refusal(400, "severity must be 10, 30, 50, 70 or 90")
    if rule["status"] not in _STATUSES:
        raise Refusal(400, "status must be active or inactive")
    search = rule["search"]
    if not isinstance(search, dict) or not search.get("filter"):
        raise Refusal(400, "search.filter must not be empty")
    if search.get("outcome") not in {"detection", "case"}:
        raise Refusal(400, "search.outcome must be detection or case")
    if search.get("trigger_mode") not in {"summary", "verbose"}:
        raise Refusal(400, "search.trigger_mode must be summary or verbose")
