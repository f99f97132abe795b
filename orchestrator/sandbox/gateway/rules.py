"""Correlation rules: one object each, with a stable id and an id per version.

They are kept and checked as NG-SIEM does. A change makes a new version and publishes it at once;
the one before stays, unpublished. Versions have their routes in `rule_versions`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.gateway.envelope import (
    answer,
    caller,
    ids_in,
    json_body,
    object_body,
    page,
    wanted,
)
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Record
from orchestrator.sandbox.triggers.kinds import rule_key
from orchestrator.units import format_instant, from_epoch_ms

PREFIX = "/correlation-rules"
_RULES = f"{PREFIX}/entities/rules"
# The published schema demands template_id as well; the vendor's own tools leave it out.
_REQUIRED = ("customer_id", "name", "severity", "status", "search", "operation")
# Members that the gateway alone writes.
_OWN = {"id", "rule_id", "version", "created_on", "last_updated_on", "user_id", "user_uuid"}
# Tuples, not sets: what a client sends need not be hashable.
_SEVERITIES = (10, 30, 50, 70, 90)
_STATUSES = ("active", "inactive")
_LISTS = ("mitre_attack", "notifications", "guardrail_notifications")
_CHANNELS = ("email", "slack", "pagerduty", "webhook", "ms_teams")
_TRIGGER_MODES = ("summary", "verbose")
_CUSTOMER = re.compile(r"[0-9a-f]{32}\Z")
_MOST_TECHNIQUES = 10


def routes() -> list[BaseRoute]:
    """Return the routes of correlation rules."""
    return [
        Route(f"{PREFIX}/combined/rules/v1", list_rules),
        Route(f"{PREFIX}/queries/rules/v1", list_rule_ids),
        Route(f"{_RULES}/v1", get_rules),
        Route(f"{_RULES}/v1", create_rule, methods=["POST"]),
        Route(f"{_RULES}/v1", update_rules, methods=["PATCH"]),
        Route(f"{_RULES}/v1", delete_rules, methods=["DELETE"]),
    ]


async def list_rules(request: Request) -> Response:
    """`GET …/combined/rules/v1`: rules as published, by filter, `q` and sort."""
    sandbox = caller(request, Right.READ)
    rules = [shown(sandbox, rule) for rule in sandbox.correlation_rules.values()]
    return page(request, found_in(request, rules))


async def list_rule_ids(request: Request) -> Response:
    """`GET …/queries/rules/v1`: the ids of the same."""
    sandbox = caller(request, Right.READ)
    rules = found_in(request, list(sandbox.correlation_rules.values()))
    return page(request, [rule["id"] for rule in rules])


async def get_rules(request: Request) -> Response:
    """`GET …/entities/rules/v1?ids=`: rules by either of their ids."""
    sandbox = caller(request, Right.READ)
    return answer([shown(sandbox, rule_of(sandbox, rule_id)) for rule_id in ids_in(request)])


async def create_rule(request: Request) -> Response:
    """`POST …/entities/rules/v1`: one object."""
    sandbox = caller(request, Right.CHANGE_TRIGGERS)
    rule = first_version(sandbox, await object_body(request))
    sandbox.keep_rule(rule)
    return answer([shown(sandbox, rule)], written=1)


async def update_rules(request: Request) -> Response:
    """`PATCH …/entities/rules/v1`: an array; what is absent stays, the version id changes."""
    sandbox = caller(request, Right.CHANGE_TRIGGERS)
    given = await json_body(request)
    if not isinstance(given, list) or not given:
        raise Refusal(400, "an array of rules is expected")
    # All are looked at before one is changed.
    changed = [_next_version(sandbox, patch) for patch in given]
    if len({rule["rule_id"] for rule in changed}) < len(changed):
        raise Refusal(400, "a rule is named twice")
    for rule in changed:
        publish(sandbox, rule)
    return answer([shown(sandbox, rule) for rule in changed], written=len(changed))


async def delete_rules(request: Request) -> Response:
    """`DELETE …/entities/rules/v1?ids=`: rules with all their versions."""
    sandbox = caller(request, Right.CHANGE_TRIGGERS)
    rules = [rule_of(sandbox, rule_id) for rule_id in ids_in(request)]
    ids = list(dict.fromkeys(rule["rule_id"] for rule in rules))
    sandbox.forget_rules(ids)
    return answer(ids, written=len(ids))


def found_in(request: Request, rules: list[Record]) -> list[Record]:
    """Return which rules the query string's filter and `q` let through, in order of its sort."""
    text = request.query_params.get("q", "").casefold()
    found = wanted(request, rules, sort="created_on")
    return [rule for rule in found if text in f"{rule['name']}\n{rule['description']}".casefold()]


def rule_of(sandbox: Sandbox, rule_id: str) -> Record:
    """Return the published rule with this id, the stable one or that of its version.

    Raises:
        Refusal: 404, there is none.
    """
    rule = sandbox.correlation_rules.get(rule_id)
    if rule is None:
        version = sandbox.rule_versions.get(rule_id, {})
        rule = sandbox.correlation_rules.get(str(version.get("rule_id", "")))
    if rule is None or rule_id not in {rule["id"], rule["rule_id"]}:
        raise Refusal(404, f"rule {rule_id[:80]} not found")
    return rule


def shown(sandbox: Sandbox, rule: Record) -> Record:
    """Return the rule with how its last run went and when it runs next, where it is run."""
    state = sandbox.triggers.execution(rule_key(rule["rule_id"]))
    if state is None or rule["state"] != "published":
        return rule
    next_on = format_instant(from_epoch_ms(state.next_ms)) if state.next_ms else None
    ran = {"last_execution": state.execution} if state.execution else {}
    return {**rule, **ran, "next_execution_on": next_on}


def first_version(sandbox: Sandbox, given: Mapping[str, Any], **fixed: object) -> Record:
    """Return a new rule of what a client gave; `fixed` is laid over it.

    Raises:
        Refusal: 400, a member is missing or wrong.
    """
    missing = [name for name in _REQUIRED if name not in given]
    if missing:
        raise Refusal(400, f"missing required field(s): {', '.join(missing)}")
    now = format_instant(sandbox.clock.now())
    rule = {
        "description": "",
        "template_id": "",
        "tactic": "",
        "technique": "",
        "mitre_attack": [],
        "comment": "",
        "notifications": [],
        "guardrail_notifications": [],
        **_given(given),
        "id": secrets.token_hex(16),
        "rule_id": secrets.token_hex(16),
        "version": 1,
        "state": "published",
        "type": "correlation",
        "status_msg": "",
        "created_on": now,
        "last_updated_on": now,
        "user_id": "sandbox",
        "user_uuid": "",
        "api_client_id": "",
        **fixed,
    }
    _check(rule)
    return rule


def publish(sandbox: Sandbox, rule: Record) -> None:
    """Make a version what its rule is; the one before stays, unpublished."""
    before = sandbox.correlation_rules.get(rule["rule_id"])
    if before is not None and before["id"] != rule["id"]:
        sandbox.rule_versions[before["id"]] = {**before, "state": "unpublished"}
    sandbox.keep_rule({**rule, "state": "published"})


def next_number(sandbox: Sandbox, rule_id: str) -> int:
    """Return the number of a rule's next version; numbers are not used twice."""
    versions = sandbox.rule_versions.values()
    return 1 + max((v["version"] for v in versions if v["rule_id"] == rule_id), default=0)


def _next_version(sandbox: Sandbox, patch: object) -> Record:
    if not isinstance(patch, dict) or not isinstance(patch.get("id"), str):
        raise Refusal(400, "each element needs the id of its rule")
    if patch.get("status") == "inactive" and "operation" in patch:
        raise Refusal(400, "status inactive and operation cannot change in one request")
    old = rule_of(sandbox, patch["id"])
    rule = _merged(old, _given(patch))
    rule |= {
        "id": secrets.token_hex(16),
        "version": next_number(sandbox, old["rule_id"]),
        "state": "published",
        "last_updated_on": format_instant(sandbox.clock.now()),
    }
    _check(rule)
    return rule


def _given(members: Mapping[str, Any]) -> Record:
    """Return what a client may set; the vendor's own write null for a list that they leave out."""
    empty = {name for name in _LISTS if members.get(name) is None}
    return {name: value for name, value in members.items() if name not in _OWN | empty}


def _merged(old: Mapping[str, Any], patch: Mapping[str, Any]) -> Record:
    """Return `old` with `patch` laid over it; `search` and `operation` member by member."""
    merged = {**old, **patch}
    for member in ("search", "operation"):
        if isinstance(patch.get(member), dict) and isinstance(old.get(member), dict):
            merged[member] = {**old[member], **patch[member]}
    operation = merged["operation"]
    if isinstance(operation, dict) and operation.get("suppression") == {"suppression_period": ""}:
        # An empty text clears.
        merged["operation"] = {n: v for n, v in operation.items() if n != "suppression"}
    return merged


def _check(rule: Mapping[str, Any]) -> None:
    for name in ("name", "description", "comment", "tactic", "technique", "template_id"):
        if not isinstance(rule.get(name, ""), str):
            raise Refusal(400, f"{name} must be a text")
    if not rule["name"]:
        raise Refusal(400, "name must not be empty")
    if not isinstance(rule["customer_id"], str) or not _CUSTOMER.match(rule["customer_id"]):
        raise Refusal(400, "customer_id must be 32 lower-case hex digits")
    if rule["severity"] not in _SEVERITIES:
        raise Refusal(400, "severity must be 10, 30, 50, 70 or 90")
    if rule["status"] not in _STATUSES:
        raise Refusal(400, "status must be active or inactive")
    mitre = rule["mitre_attack"]
    if not isinstance(mitre, list) or len(mitre) > _MOST_TECHNIQUES:
        raise Refusal(400, f"mitre_attack must be an array of at most {_MOST_TECHNIQUES}")
    for name in _LISTS[1:]:
        _check_notes(rule[name], name)
    search = rule["search"]
    if not isinstance(search, dict) or not search.get("filter"):
        raise Refusal(400, "search.filter must not be empty")
    if not isinstance(search["filter"], str):
        raise Refusal(400, "search.filter must be a text")
    for name, words in (("outcome", ("detection", "case")), ("trigger_mode", _TRIGGER_MODES)):
        if search.get(name) not in words:
            raise Refusal(400, f"search.{name} must be {' or '.join(words)}")


def _check_notes(notes: object, name: str) -> None:
    if not isinstance(notes, list) or not all(isinstance(note, dict) for note in notes):
        raise Refusal(400, f"{name} must be an array of objects")
    if any(note.get("type") not in _CHANNELS for note in notes):
        raise Refusal(400, f"{name}: type must be one of {', '.join(_CHANNELS)}")
    if not all(isinstance(note.get("config"), dict) for note in notes):
        raise Refusal(400, f"{name}: config is required")
