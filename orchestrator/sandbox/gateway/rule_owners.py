"""Owners of correlation rules: whose a rule is, a person's or an API client's.

A rule has one owner, all of whose members are replaced together, in each of its versions; no
version is made of it. Only administrators change owners.
Source: CrowdStrike gofalcon (correlation_rules_admin) and falconpy; which members go together is
not published.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.gateway.envelope import answer, caller, object_body, texts_in
from orchestrator.sandbox.gateway.rules import PREFIX, rule_of, shown
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Record

_OWNERSHIP = f"{PREFIX}/entities/rules/ownership"
_MEMBERS = ("user_id", "user_uuid", "api_client_id")


def routes() -> list[BaseRoute]:
    """Return the routes of owners."""
    return [
        Route(f"{_OWNERSHIP}/v1", change_owner, methods=["PUT"]),
        Route(f"{_OWNERSHIP}/v2", change_owners, methods=["PUT"]),
    ]


async def change_owner(request: Request) -> Response:
    """`PUT …/rules/ownership/v1`: of one rule, answered whole."""
    sandbox = caller(request, Right.ADMIN)
    body = await object_body(request)
    rule = rule_of(sandbox, str(body.get("id", "")))
    _give(sandbox, [rule["rule_id"]], _owner_in(body))
    return answer([shown(sandbox, rule_of(sandbox, rule["rule_id"]))], written=1)


async def change_owners(request: Request) -> Response:
    """`PUT …/rules/ownership/v2`: of several rules or of none, answered with their ids."""
    sandbox = caller(request, Right.ADMIN)
    body = await object_body(request)
    rules = [rule_of(sandbox, rule_id) for rule_id in texts_in(body, "ids")]
    ids = list(dict.fromkeys(rule["rule_id"] for rule in rules))
    _give(sandbox, ids, _owner_in(body))
    return answer(ids, written=len(ids))


def _owner_in(body: Record) -> dict[str, str]:
    owner = {name: body.get(name, "") for name in _MEMBERS}
    if not all(isinstance(text, str) for text in owner.values()) or not any(owner.values()):
        raise Refusal(400, f"an owner is needed, as text: {', '.join(_MEMBERS)}")
    return owner


def _give(sandbox: Sandbox, rule_ids: Sequence[str], owner: dict[str, str]) -> None:
    for version_id, version in sandbox.rule_versions.items():
        if version["rule_id"] in rule_ids:
            sandbox.rule_versions[version_id] = {**version, **owner}
    for rule_id in rule_ids:
        version_id = sandbox.correlation_rules[rule_id]["id"]
        sandbox.correlation_rules[rule_id] = sandbox.rule_versions[version_id]
    sandbox.save()
