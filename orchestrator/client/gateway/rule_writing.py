"""A correlation rule as the gateway takes it: whole to make one, by what differs to change one.

What a patch leaves out stays as it is, so that members which are not known here outlive a change.
An empty text clears a member, an empty list a list.
Source: CrowdStrike gofalcon (correlationrulesapi models), terraform-provider-crowdstrike.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from orchestrator.client.gateway.go_times import format_go_duration
from orchestrator.client.types import CorrelationRule, RuleNotification
from orchestrator.errors import RequestRejected
from orchestrator.units import format_instant

INACTIVE = "inactive"
_ON_FAILURE = {"send_on_success": "never", "send_on_failure": "always"}


def customer_of(customer_id: str) -> str:
    """Return the tenant's id as the gateway takes it: in lower case, without the checksum."""
    return customer_id.partition("-")[0].lower()


def create_body(
    rule: CorrelationRule, *, customer_id: str, trigger_on_create: bool
) -> dict[str, object]:
    """Return the body that makes a rule.

    Raises:
        ValueError: It has no schedule or no lookback.
        RequestRejected: An action has no notification.
    """
    if rule.schedule is None or rule.lookback is None:
        raise ValueError(f"{rule.name} has no schedule or no lookback")
    _check_actions(rule, known=())
    body = _members(rule, customer_id)
    # Empty lists and comments are left out of a new rule, not cleared in it.
    optional = ("comment", "mitre_attack", "notifications", "guardrail_notifications")
    body = {name: value for name, value in body.items() if value or name not in optional}
    return body | {
        "search": {**_search(rule, has_template=False), "execution_mode": "scheduled"},
        "operation": _operation(rule),
        "customer_id": customer_id,
        "template_id": rule.template_id,
        "trigger_on_create": trigger_on_create,
    }


def patch_of(
    wanted: CorrelationRule, current: CorrelationRule, *, customer_id: str
) -> dict[str, object]:
    """Return the members of a patch that makes `current` what is wanted; none if it is already.

    Raises:
        RequestRejected: An action has no notification, or the gateway cannot take an end away.
    """
    _check_actions(wanted, known=current.actions)
    if wanted.stop_on is None and current.stop_on is not None:
        raise RequestRejected(
            f"the end of {current.name} cannot be taken away",
            advice="Move stop_on, or make the rule anew.",
        )
    patch = _differing(_members(wanted, customer_id), _members(current, customer_id))
    has_template = bool(wanted.case_template_id or current.case_template_id)
    search = _search(wanted, has_template=has_template)
    if search != _search(current, has_template=has_template):
        patch["search"] = search
    operation = _differing(_operation(wanted), _operation(current))
    if wanted.suppression is None and current.suppression is not None:
        operation["suppression"] = {"suppression_period": ""}
    return patch | ({"operation": operation} if operation else {})


def _differing(wanted: dict[str, object], current: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in wanted.items() if current.get(name) != value}


def _check_actions(rule: CorrelationRule, *, known: Collection[str]) -> None:
    told = {note.kind for note in rule.notifications}
    missing = sorted(set(rule.actions) - told - set(known))
    if missing:
        raise RequestRejected(
            f"{rule.name}: no notification is given for {', '.join(missing)}",
            advice="A correlation rule tells by its notifications: give one of that kind.",
        )


def _members(rule: CorrelationRule, customer_id: str) -> dict[str, object]:
    return {
        "name": rule.name,
        "description": rule.description,
        "severity": rule.severity,
        "status": "active" if rule.enabled else INACTIVE,
        "tactic": rule.tactic,
        "technique": rule.technique,
        "comment": rule.comment,
        "mitre_attack": [
            {"tactic_id": attack.tactic_id}
            | ({"technique_id": attack.technique_id} if attack.technique_id else {})
            for attack in rule.mitre_attack
        ],
        "notifications": _notes(rule.notifications, customer_id, options=_ON_FAILURE),
        "guardrail_notifications": _notes(rule.guardrail_notifications, customer_id, options={}),
    }


def _search(rule: CorrelationRule, *, has_template: bool) -> dict[str, object]:
    """Return the search, without what could not be read of it."""
    search: dict[str, object] = {
        "filter": rule.query,
        "lookback": format_go_duration(rule.lookback) if rule.lookback is not None else "",
        "outcome": rule.outcome,
        "trigger_mode": rule.trigger_mode,
    }
    search = {name: value for name, value in search.items() if value}
    search["use_ingest_time"] = rule.use_ingest_time
    if has_template or rule.case_template_id:
        search["case_template_id"] = rule.case_template_id
    return search


def _operation(rule: CorrelationRule) -> dict[str, object]:
    operation: dict[str, object] = {}
    if rule.schedule is not None:
        operation["schedule"] = {"definition": f"@every {format_go_duration(rule.schedule)}"}
    for name, at in (("start_on", rule.start_on), ("stop_on", rule.stop_on)):
        if at is not None:
            operation[name] = format_instant(at)
    if rule.suppression is not None:
        suppression: dict[str, object] = {
            "suppression_period": format_go_duration(rule.suppression.period)
        }
        if rule.suppression.field:
            suppression["filter"] = {"field_based": {"field": rule.suppression.field}}
        operation["suppression"] = suppression
    return operation


def _notes(
    notes: Sequence[RuleNotification], customer_id: str, *, options: dict[str, str]
) -> list[dict[str, object]]:
    return [_note(note, customer_id, options=options) for note in notes]


def _note(
    note: RuleNotification, customer_id: str, *, options: dict[str, str]
) -> dict[str, object]:
    before = note.raw.get("config")
    kept = before if isinstance(before, dict) else {}
    config = {
        **kept,
        "cid": kept.get("cid") or customer_id,
        "config_id": note.config_id,
        "plugin_id": note.plugin_id,
        "recipients": list(note.recipients),
        "severity": note.severity,
    }
    place = {"channel_id": note.channel_id, "team_id": note.team_id}
    config |= {name: value for name, value in place.items() if value or name in kept}
    default = {"options": options} if options else {}
    return {**default, **note.raw, "type": note.kind, "config": config}
