"""The triggers as typed values, read from the records that GraphQL and the Falcon face keep.

Lengths and instants are ms. Sources: the schema's field descriptions; for correlation rules the
vendor's published clients.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from orchestrator.ids import derive
from orchestrator.sandbox.storage.domains import AssetKind, Record
from orchestrator.units import parse_instant, to_epoch_ms

TRIGGER_KINDS = (
    AssetKind.SCHEDULED_SEARCH,
    AssetKind.FILTER_ALERT,
    AssetKind.AGGREGATE_ALERT,
    AssetKind.LEGACY_ALERT,
)
RULES = "correlationRules"
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_GO_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}
MAX_BACKFILL_RUNS = 5
"""Missed runs that a scheduled search may make up for; what a server of LogScale's own settings
takes.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """Silence after a firing; `field` limits it to rows of the same value."""

    length_ms: int
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every trigger has."""

    key: str
    """Names it in the sandbox: search domain, kind and id."""
    id: str
    name: str
    description: str
    domain: str
    query: str
    action_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledSearch(Common):
    """Runs on a cron in a fixed offset from UTC."""

    schedule: str
    zone: str
    interval_ms: int
    offset_ms: int = 0
    by_ingest: bool
    backfill_runs: int = 0
    max_wait_ms: int = 0
    on_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterAlert(Common):
    """Fires on each event, as it arrives."""

    throttle: Throttle | None
    has_email: bool = False
    """Whether an e-mail action is among its actions, which lowers what it may fire in a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateAlert(Common):
    """Looks at a window that ends now, whenever events arrive."""

    interval_ms: int
    by_ingest: bool
    is_immediate: bool
    throttle: Throttle


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyAlert(Common):
    """Keeps a live query open: its window ends now at every look, whatever was looked at before."""

    interval_ms: int
    throttle: Throttle


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationRule(Common):
    """Runs at a fixed pace and looks back."""

    every_ms: int
    base_ms: int
    """The first run, or one pace before it."""
    stop_ms: int = 0
    """No run after this; 0 for ever."""
    lookback_ms: int
    by_ingest: bool
    outcome: str
    """`detection` or `case`."""
    is_verbose: bool
    """One outcome for each row, in place of one for each run."""


LiveAlert: TypeAlias = AggregateAlert | LegacyAlert
"""An alert on the rows of a window that ends now."""
Trigger: TypeAlias = ScheduledSearch | FilterAlert | LiveAlert | CorrelationRule


def asset_key(domain: str, kind: AssetKind, asset_id: str) -> str:
    """Return what names an asset's state."""
    return f"{domain}/{kind.value}/{asset_id}"


def rule_key(rule_id: str) -> str:
    """Return what names a correlation rule's state."""
    return f"{RULES}/{rule_id}"


def trigger_of(kind: AssetKind, record: Record, *, domain: str, has_email: bool) -> Trigger:
    """Return the asset of one of `TRIGGER_KINDS` as a trigger."""
    common: dict[str, Any] = {
        "key": asset_key(domain, kind, record["id"]),
        "id": record["id"],
        "name": record["name"],
        "description": record["description"] or "",
        "domain": domain,
        "query": record["queryString"],
        "action_ids": tuple(record["actionIds"]),
    }
    if kind is AssetKind.SCHEDULED_SEARCH:
        return ScheduledSearch(
            **common,
            schedule=_with_minute(record["schedule"], record["id"]),
            zone=record["timeZone"],
            interval_ms=record["searchIntervalSeconds"] * 1000,
            offset_ms=(record["searchIntervalOffsetSeconds"] or 0) * 1000,
            by_ingest=record["queryTimestampType"] == "IngestTimestamp",
            backfill_runs=record["backfillLimit"] or 0,
            max_wait_ms=(record["maxWaitTimeSeconds"] or 0) * 1000,
            on_empty=bool(record.get("triggerOnEmptyResult")),
        )
    if kind is AssetKind.LEGACY_ALERT:
        length_ms, throttle_field = record["throttleTimeMillis"], record["throttleField"] or ""
        return LegacyAlert(
            **common,
            interval_ms=record["searchIntervalSeconds"] * 1000,
            throttle=Throttle(length_ms=length_ms, field=throttle_field),
        )
    seconds = record["throttleTimeSeconds"]
    throttle = Throttle(length_ms=(seconds or 0) * 1000, field=record["throttleField"] or "")
    if kind is AssetKind.FILTER_ALERT:
        return FilterAlert(**common, throttle=throttle if seconds else None, has_email=has_email)
    return AggregateAlert(
        **common,
        interval_ms=record["searchIntervalSeconds"] * 1000,
        by_ingest=record["queryTimestampType"] == "IngestTimestamp",
        is_immediate=record["triggerMode"] == "ImmediateMode",
        throttle=throttle,
    )


def rule_of(rule: Record, *, domain: str) -> CorrelationRule:
    """Return a correlation rule as a trigger that searches `domain`.

    Raises:
        ValueError: Its schedule, its look-back or one of its instants cannot be read.
    """
    search, operation = rule["search"], rule["operation"]
    schedule = operation.get("schedule") if isinstance(operation, dict) else None
    definition = str(schedule.get("definition", "")) if isinstance(schedule, dict) else ""
    if not definition.startswith("@every "):
        raise ValueError(f"operation.schedule.definition {definition!r} is not '@every 1h0m'")
    every_ms = go_duration_ms(definition.removeprefix("@every "))
    if every_ms <= 0:
        raise ValueError(f"operation.schedule.definition {definition!r} never passes")
    created_ms = _instant_ms(rule["created_on"])
    first = operation.get("start_on")
    # A run at `base`, or a whole pace after it.
    base_ms = _instant_ms(first) if first else created_ms + every_ms
    if rule.get("trigger_on_create") and not first:
        base_ms = created_ms
    stop = operation.get("stop_on")
    return CorrelationRule(
        key=rule_key(rule["rule_id"]),
        id=rule["rule_id"],
        name=str(rule["name"]),
        description=str(rule.get("description") or ""),
        domain=domain,
        query=str(search["filter"]),
        every_ms=every_ms,
        base_ms=base_ms,
        stop_ms=_instant_ms(stop) if stop else 0,
        lookback_ms=go_duration_ms(str(search.get("lookback", ""))),
        by_ingest=search.get("use_ingest_time") is True,
        outcome=str(search["outcome"]),
        is_verbose=search["trigger_mode"] == "verbose",
    )


def go_duration_ms(text: str) -> int:
    """Return the length of a Go duration such as `1h15m`.

    Raises:
        ValueError: It is none.
    """
    parts = _GO_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration such as 1h15m")
    return round(sum(float(number) * _GO_MS[unit] for number, unit in parts))


def _with_minute(schedule: str, asset_id: str) -> str:
    """Return the schedule with a lone `H` replaced by the minute that the id stands for."""
    minute, _, rest = schedule.strip().partition(" ")
    return f"{int(derive('minute', asset_id)[:8], 16) % 60} {rest}" if minute == "H" else schedule


def _instant_ms(text: object) -> int:
    return to_epoch_ms(parse_instant(str(text)))
