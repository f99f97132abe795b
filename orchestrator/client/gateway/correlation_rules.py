"""Correlation rules of Falcon NG-SIEM: what stands there for alerts and scheduled searches.

A rule's `rule_id` is stable, its `id` changes with every update.
Source: CrowdStrike gofalcon (correlationrulesapi models) and falconpy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar

from orchestrator.client.gateway.envelope import ask, list_all
from orchestrator.client.http.members import Members
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.http.transport import Request
from orchestrator.client.types import Asset, CorrelationRule
from orchestrator.errors import NotFound, RequestRejected, UnexpectedResponse

A = TypeVar("A", bound=Asset)
PAGE_RULES = 100
_RULES = "correlation-rules/entities/rules/v1"
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\Z")


class CorrelationRules:
    """The correlation rules of one tenant, with the same methods as `Assets`.

    Args:
        session: Who asks.
        customer_id: The tenant; upper case and a checksum suffix are normalised.
    """

    def __init__(self, session: Session, *, customer_id: str) -> None:
        self._session = session
        self._customer_id = customer_id.partition("-")[0].lower()

    async def list(self, kind: type[A]) -> tuple[A, ...]:
        """Return all correlation rules, sorted by name; none of any other kind.

        Raises:
            ClientError: The gateway could not be asked.
        """
        if not issubclass(kind, CorrelationRule):
            return ()
        found = await list_all(
            self._session,
            "correlation-rules/combined/rules/v1",
            lambda page: ((rule.id, rule) for rule in map(read_rule, page.objects)),
            limit=PAGE_RULES,
        )
        rules = sorted(found.values(), key=lambda rule: rule.name)
        return tuple(rule for rule in rules if isinstance(rule, kind))

    async def get(self, rule_id: str) -> CorrelationRule:
        """Return a rule by its stable id.

        Raises:
            NotFound: No such rule.
        """
        query = (("ids", rule_id),)
        page = await ask(self._session, json_request("GET", _RULES, query=query, idempotent=True))
        if not page.objects:
            raise NotFound(f"rule {rule_id} is gone from the tenant")
        return read_rule(page.objects[0])

    async def create(self, asset: A) -> A:
        """Create a rule and return it as the gateway has it; its `id` is ignored.

        Raises:
            RequestRejected: The gateway refused it.
        """
        body = {
            **_write(_rule(asset)),
            "customer_id": self._customer_id,
            "template_id": "",
            "trigger_on_create": False,
        }
        return await self._written(json_request("POST", _RULES, body), asset)

    async def update(self, asset: A, *, expected: A) -> A:
        """Replace a rule, if it still is as `expected`, and return it as the gateway has it.

        Raises:
            NotFound: The rule is gone.
            RequestRejected: It changed since it was read, or the gateway refused the content.
        """
        wanted, before = _rule(asset), _rule(expected)
        current = await self._unchanged(before)
        patch = {**_write(wanted), "id": current.id}
        # The execution mode is fixed at creation.
        patch["search"] = {**_search(wanted, before.raw)}
        if wanted.enabled or wanted.schedule == before.schedule:
            if not wanted.enabled:
                # Refused together with a switch to inactive; it did not change either.
                del patch["operation"]
            return await self._written(json_request("PATCH", _RULES, [patch]), asset)
        switched = {"id": current.id, "status": patch.pop("status")}
        await self._written(json_request("PATCH", _RULES, [patch]), asset)
        return await self._written(json_request("PATCH", _RULES, [switched]), asset)

    async def delete(self, asset: A) -> None:
        """Delete a rule by its stable id.

        Raises:
            ValueError: The rule has no id: it was never read from the gateway.
            NotFound: No such rule.
        """
        if not asset.id:
            raise ValueError(f"{asset.name} has no id")
        query = (("ids", asset.id),)
        await ask(self._session, json_request("DELETE", _RULES, query=query))

    async def enable(self, asset: A) -> None:
        """Switch a rule on; nothing else of it changes.

        Raises:
            ValueError: The rule has no id: it was never read from the gateway.
            NotFound: No such rule.
        """
        await self._switch(asset, "active")

    async def disable(self, asset: A) -> None:
        """Switch a rule off; nothing else of it changes.

        Raises:
            ValueError: The rule has no id: it was never read from the gateway.
            NotFound: No such rule.
        """
        await self._switch(asset, "inactive")

    async def _switch(self, asset: A, status: str) -> None:
        if not asset.id:
            raise ValueError(f"{asset.name} has no id")
        patch = [{"id": asset.id, "status": status}]
        await self._written(json_request("PATCH", _RULES, patch), asset)

    async def _unchanged(self, expected: CorrelationRule) -> CorrelationRule:
        """Return the rule as the gateway has it now, which is as `expected`.

        Raises:
            NotFound: It is gone.
            RequestRejected: It changed since it was read.
        """
        current = await self.get(expected.id)
        # The version tells of changes to members that are not read here; it may not be known.
        versions = {rule.raw.get("id") for rule in (current, expected)} - {None}
        if current != expected or len(versions) > 1:
            raise RequestRejected(
                f"{expected.name} changed since it was read", advice="Make the plan again."
            )
        return current

    async def _written(self, request: Request, asset: A) -> A:
        page = await ask(self._session, request)
        if not page.objects:
            raise UnexpectedResponse("no rule came back", method=request.method, path=request.path)
        written = read_rule(page.objects[0])
        if not isinstance(written, type(asset)):
            raise TypeError(f"{type(asset).__name__} is not managed by the gateway")
        return written


def _rule(asset: Asset) -> CorrelationRule:
    if not isinstance(asset, CorrelationRule):
        raise TypeError(f"{type(asset).__name__} is not managed by the gateway")
    return asset


def read_rule(members: Members) -> CorrelationRule:
    """Return the rule that one of the gateway's resources describes.

    Raises:
        UnexpectedResponse: A member is missing, or of another kind.
    """
    search, operation = members.member("search"), members.member("operation")
    channels = {note.text("type", "") for note in members.members("notifications")}
    return CorrelationRule(
        id=members.text("rule_id"),
        name=members.text("name"),
        description=members.text("description", ""),
        query=search.text("filter"),
        # Transient states count by where they lead; an unknown one counts as off.
        enabled=members.text("status") in {"active", "creating", "updating"},
        severity=members.number("severity"),
        tactic=members.text("tactic", ""),
        technique=members.text("technique", ""),
        schedule=_read_every(operation.member("schedule")),
        lookback=_read_duration(search, "lookback", search.text("lookback")),
        actions=tuple(sorted(channels - {""})),
        raw=members.raw,
    )


def _write(rule: CorrelationRule) -> dict[str, object]:
    return {
        "name": rule.name,
        "description": rule.description,
        "severity": rule.severity,
        "status": "active" if rule.enabled else "inactive",
        "tactic": rule.tactic,
        "technique": rule.technique,
        "search": {**_search(rule, rule.raw), "execution_mode": "scheduled"},
        "operation": {"schedule": {"definition": f"@every {format_go_duration(rule.schedule)}"}},
    }


def _search(rule: CorrelationRule, raw: Mapping[str, object]) -> dict[str, object]:
    """Return the search; what an existing rule makes of its hits is kept."""
    before = raw.get("search")
    kept = before if isinstance(before, dict) else {}
    return {
        "filter": rule.query,
        "lookback": format_go_duration(rule.lookback),
        "outcome": kept.get("outcome") or "detection",
        "trigger_mode": kept.get("trigger_mode") or "summary",
        "use_ingest_time": bool(kept.get("use_ingest_time", False)),
    }


def _read_every(schedule: Members) -> timedelta:
    definition = schedule.text("definition")
    if not definition.startswith("@every "):
        raise schedule.wrong("definition", "@every and a duration")
    return _read_duration(schedule, "definition", definition.removeprefix("@every "))


def _read_duration(members: Members, name: str, text: str) -> timedelta:
    try:
        return parse_go_duration(text)
    except ValueError as exc:
        raise members.wrong(name, "a duration such as 1h15m") from exc


def parse_go_duration(text: str) -> timedelta:
    """Return the length of a Go duration of whole hours, minutes and seconds, such as `1h15m`.

    Raises:
        ValueError: Another form.
    """
    match = _DURATION.match(text.strip())
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is not a duration; write 1h15m")
    hours, minutes, seconds = (int(group or 0) for group in match.groups())
    try:
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError as exc:
        raise ValueError("the duration is longer than the calendar") from exc


def format_go_duration(duration: timedelta) -> str:
    """Return a Go duration of hours and minutes, and seconds where there are some: `1h0m`."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m" + (f"{seconds}s" if seconds else "")
