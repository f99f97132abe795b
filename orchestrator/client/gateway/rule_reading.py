"""A correlation rule as the gateway answers with it, read.

A tenant's rules are of many hands and kinds: a member of an unknown form does not hide the rule, or
those beside it. It is named in `unread` and stays in `raw`; only a rule without an id or a name is
none.
Source: CrowdStrike gofalcon, correlationrulesapi_rule_v1 and what it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from orchestrator.client.gateway.go_times import instant_of, parse_go_duration
from orchestrator.client.http.members import Members
from orchestrator.client.types import (
    AttackMapping,
    CorrelationRule,
    RuleNotification,
    RuleRun,
    RuleState,
    RuleSuppression,
)
from orchestrator.errors import UnexpectedResponse

T = TypeVar("T")
_EVERY = "@every "
# Transient states count by where they lead; an unknown one counts as off.
_ON = {"active", "creating", "updating"}


def read_rule(members: Members) -> CorrelationRule:
    """Return the rule that one of the gateway's resources describes.

    Raises:
        UnexpectedResponse: It has no id or no name.
    """
    rule = _Reader(members)
    search, operation = rule.inner("search"), rule.inner("operation")
    return CorrelationRule(
        id=members.text("rule_id"),
        name=members.text("name"),
        description=rule.text("description"),
        query=search.take("filter", Members.text, ""),
        enabled=rule.take("status", Members.text, "") in _ON,
        severity=rule.take("severity", Members.number, 0),
        tactic=rule.text("tactic"),
        technique=rule.text("technique"),
        schedule=operation.take("schedule", _every, None),
        lookback=search.take("lookback", _duration, None),
        outcome=search.text("outcome", "detection"),
        trigger_mode=search.text("trigger_mode", "summary"),
        use_ingest_time=search.take("use_ingest_time", _flag, False),
        case_template_id=search.text("case_template_id"),
        template_id=rule.text("template_id"),
        comment=rule.text("comment"),
        mitre_attack=rule.take("mitre_attack", _attack, ()),
        notifications=rule.take("notifications", _notifications, ()),
        guardrail_notifications=rule.take("guardrail_notifications", _notifications, ()),
        suppression=operation.take("suppression", _suppression, None),
        start_on=operation.take("start_on", instant_of, None),
        stop_on=operation.take("stop_on", instant_of, None),
        state=_state(rule, operation),
        unread=tuple(rule.unread),
        raw=members.raw,
    )


class _Reader:
    """Reads members one by one, and notes those that cannot be read.

    Attributes:
        unread: Their paths within the rule, in the order in which they were met.
    """

    def __init__(
        self, members: Members, *, path: str = "", unread: list[str] | None = None
    ) -> None:
        self._members, self._path = members, path
        self.unread: list[str] = [] if unread is None else unread

    def take(self, name: str, read: Callable[[Members, str], T], default: T) -> T:
        """Return what `read` makes of a member, or the default where it refuses it."""
        try:
            return read(self._members, name)
        except UnexpectedResponse:
            self.unread.append(f"{self._path}{name}")
            return default

    def text(self, name: str, default: str = "") -> str:
        """Return a text member; the default for an absent, null or unreadable one."""
        return self.take(name, lambda members, member: members.text(member, default), default)

    def inner(self, name: str) -> _Reader:
        """Return an object member; an empty one where there is none."""
        members = self.take(name, Members.optional_member, Members({}, where=name))
        return _Reader(members, path=f"{self._path}{name}.", unread=self.unread)


def _state(rule: _Reader, operation: _Reader) -> RuleState:
    return RuleState(
        version_id=rule.text("id"),
        version=rule.take("version", lambda members, name: members.number(name, 0), 0),
        publication=rule.text("state"),
        status=rule.text("status"),
        message=rule.text("status_msg"),
        kind=rule.text("type"),
        author=rule.text("author"),
        created_at=rule.take("created_on", instant_of, None),
        updated_at=rule.take("last_updated_on", instant_of, None),
        next_run_at=rule.take("next_execution_on", instant_of, None),
        expires_at=operation.take("expiration_on", instant_of, None),
        last_run=rule.take("last_execution", _run, None),
    )


def _run(members: Members, name: str) -> RuleRun | None:
    if name not in members:
        return None
    run = members.member(name)
    result = run.optional_member("result_metadata")
    return RuleRun(
        status=run.text("status_display", ""),
        errors=run.texts("errors"),
        warnings=run.texts("warnings"),
        result_count=result.number("result_count", 0),
        started_at=instant_of(result, "execution_start"),
        finished_at=instant_of(result, "execution_finish"),
        window_until=instant_of(result, "search_window_end"),
    )


def _every(operation: Members, name: str) -> timedelta:
    schedule = operation.member(name)
    definition = schedule.text("definition")
    if not definition.startswith(_EVERY):
        raise schedule.wrong("definition", "@every and a duration")
    return _length(schedule, "definition", definition.removeprefix(_EVERY))


def _duration(members: Members, name: str) -> timedelta:
    return _length(members, name, members.text(name))


def _length(members: Members, name: str, text: str) -> timedelta:
    try:
        return parse_go_duration(text)
    except ValueError as exc:
        raise members.wrong(name, "a duration such as 1h15m") from exc


def _flag(members: Members, name: str) -> bool:
    return members.flag(name, False)


def _attack(members: Members, name: str) -> tuple[AttackMapping, ...]:
    return tuple(
        AttackMapping(tactic_id=m.text("tactic_id"), technique_id=m.text("technique_id", ""))
        for m in members.members(name)
    )


def _notifications(members: Members, name: str) -> tuple[RuleNotification, ...]:
    return tuple(_notification(note) for note in members.members(name))


def _notification(note: Members) -> RuleNotification:
    config = note.optional_member("config")
    return RuleNotification(
        kind=note.text("type"),
        recipients=config.texts("recipients"),
        plugin_id=config.text("plugin_id", ""),
        config_id=config.text("config_id", ""),
        severity=config.text("severity", ""),
        channel_id=config.text("channel_id", ""),
        team_id=config.text("team_id", ""),
        raw=note.raw,
    )


def _suppression(operation: Members, name: str) -> RuleSuppression | None:
    suppression = operation.optional_member(name)
    if not suppression.text("suppression_period", ""):
        return None
    by = suppression.optional_member("filter").optional_member("field_based")
    period = _duration(suppression, "suppression_period")
    return RuleSuppression(period=period, field=by.text("field", ""))
