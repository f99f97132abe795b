"""Correlation rules: one object each, with a stable id and an id per version.

They are kept and checked as NG-SIEM does.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal, json_answer
from orchestrator.sandbox.gateway.envelope import caller, envelope, json_body, number_in
from orchestrator.sandbox.gateway.fql import FqlError, parse_fql
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.triggers.kinds import rule_key
from orchestrator.units import format_instant, from_epoch_ms

_RULE_MEMBERS = ("customer_id", "name", "severity", "status", "template_id", "search", "operation")
_SEVERITIES = {10, 30, 50, 70, 90}
_STATUSES = {"active", "inactive"}


def routes() -> list[BaseRoute]:
    """Return the routes of correlation rules, their versions and the vendor's templates."""
    base = "/correlation-rules"
    rules, versions = f"{base}/entities/rules/v1", f"{base}/entities/rule-versions"
    listing = [
        Route(f"{base}/{what}/rules/{version}", list_rules)
        for what in ("combined", "queries")
        for version in ("v1", "v2")
    ]
    return [
        *listing,
        Route(rules, get_rules),
        Route(rules, create_rule, methods=["POST"]),
        Route(rules, update_rules, methods=["PATCH"]),
        Route(rules, delete_rules, methods=["DELETE"]),
        Route(f"{base}/entities/rules/v2", get_versions),
        Route(f"{base}/entities/latest-rules/v1", get_rules),
        Route(f"{versions}/publish/v1", publish_version, methods=["PATCH"]),
        Route(f"{versions}/v1", delete_versions, methods=["DELETE"]),
        Route(f"{base}/queries/templates/v1", list_templates),
        Route(f"{base}/entities/templates/v1", list_templates),
    ]


async def create_rule(request: Request) -> Response:
    """`POST /correlation-rules/entities/rules/v1`: one object."""
    sandbox = caller(request, Right.CHANGE_TRIGGERS)
    given = await json_body(request)
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
    sandbox.keep_rule(rule)
    return json_answer(envelope([rule]))


async def list_rules(request: Request) -> Response:
    """`GET …/combined/rules/v1|v2`, `…/queries/rules/v1|v2`: all rules, or their ids."""
    sandbox = caller(request, Right.READ)
    try:
        matches = parse_fql(request.query_params.get("filter", ""))
    except FqlError as exc:
        raise Refusal(400, str(exc)) from exc
    wanted = request.query_params.get("q", "").lower()
    rules = [
        rule
        for rule in sandbox.correlation_rules.values()
        if matches(rule) and wanted in str(rule["name"]).lower()
    ]
    name, _, direction = request.query_params.get("sort", "").replace("|", ".").partition(".")
    if name:
        rules.sort(key=lambda rule: str(rule.get(name, "")), reverse=direction == "desc")
    offset, limit = number_in(request, "offset", 0), number_in(request, "limit", 100)
    page = rules[offset : offset + limit]
    is_ids = "/queries/" in request.url.path
    shown = [rule["id"] if is_ids else _shown(sandbox, rule) for rule in page]
    pagination: dict[str, object] = {"offset": offset, "limit": limit, "total": len(rules)}
    return json_answer(envelope(shown, pagination=pagination))


async def get_rules(request: Request) -> Response:
    """`GET …/entities/rules/v1?ids=` and `…/latest-rules/v1?rule_ids=`: by either id."""
    sandbox = caller(request, Right.READ)
    ids = request.query_params.getlist("ids") + request.query_params.getlist("rule_ids")
    return json_answer(envelope([_shown(sandbox, _rule(sandbox, rule_id)) for rule_id in ids]))


async def update_rules(request: Request) -> Response:
    """`PATCH …/entities/rules/v1`: an array; what is absent stays, the version id changes."""
    sandbox = caller(request, Right.CHANGE_TRIGGERS)
    given = await json_body(request)
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
        sandbox.keep_rule(rule)
        changed.append(rule)
    return json_answer(envelope(changed))


async def delete_rules(request: Request) -> Response:
    """`DELETE …/entities/rules/v1?ids=`."""
    sandbox = caller(request, Right.CHANGE_TRIGGERS)
    rules = [_rule(sandbox, rule_id) for rule_id in request.query_params.getlist("ids")]
    sandbox.forget_rules([rule["rule_id"] for rule in rules])
    return json_answer(envelope([rule["rule_id"] for rule in rules]))


async def get_versions(request: Request) -> Response:
    """`GET …/entities/rules/v2?ids=`: versions, by their own id."""
    sandbox = caller(request, Right.READ)
    ids = request.query_params.getlist("ids")
    return json_answer(envelope([_version(sandbox, version_id) for version_id in ids]))


async def publish_version(request: Request) -> Response:
    """`PATCH …/rule-versions/publish/v1`: an older version becomes what the rule is."""
    sandbox = caller(request, Right.CHANGE_TRIGGERS)
    given = await json_body(request)
    version = _version(sandbox, str(given.get("id", "")) if isinstance(given, dict) else "")
    sandbox.keep_rule(version | {"last_updated_on": format_instant(sandbox.clock.now())})
    return json_answer(envelope([version["id"]]))


async def delete_versions(request: Request) -> Response:
    """`DELETE …/rule-versions/v1?ids=`: versions that their rule does not use."""
    sandbox = caller(request, Right.CHANGE_TRIGGERS)
    versions = [_version(sandbox, i) for i in request.query_params.getlist("ids")]
    for version in versions:
        if sandbox.correlation_rules.get(version["rule_id"], {}).get("id") == version["id"]:
            raise Refusal(400, f"version {version['id']} is published")
    for version in versions:
        del sandbox.rule_versions[version["id"]]
    sandbox.save()
    return json_answer(envelope([version["id"] for version in versions]))


async def list_templates(request: Request) -> Response:
    """`GET …/templates/v1`: none; templates are the vendor's."""
    caller(request, Right.READ)
    return json_answer(envelope([]))


def _rule(sandbox: Sandbox, rule_id: str) -> dict[str, Any]:
    for rule in sandbox.correlation_rules.values():
        if rule_id in {rule["id"], rule["rule_id"]}:
            return rule
    raise Refusal(404, f"rule {rule_id} not found")


def _shown(sandbox: Sandbox, rule: dict[str, Any]) -> dict[str, Any]:
    """Return the rule with how its last run went and when it runs next, where it is run."""
    state = sandbox.triggers.execution(rule_key(rule["rule_id"]))
    if state is None:
        return rule
    next_on = format_instant(from_epoch_ms(state.next_ms)) if state.next_ms else None
    ran = {"last_execution": state.execution} if state.execution else {}
    return {**rule, **ran, "next_execution_on": next_on}


def _version(sandbox: Sandbox, version_id: str) -> dict[str, Any]:
    found = sandbox.rule_versions.get(version_id)
    if found is None:
        raise Refusal(404, f"version {version_id} not found")
    return found


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
