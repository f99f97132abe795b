"""What a correlation rule's outcome leaves behind: events in a repository of its own, an alert.

An outcome is one rule trigger event, and one rule match event for each row that the rule found; the
alert has the same id. In summary mode a run has one outcome, in verbose mode one for each row, of
which the first `MOST_OUTCOMES` count.
Source: exported events of tenants and queries over them in public repositories (repository, event
types, `Ngsiem.*` names, form of the alert id); CrowdStrike gofalcon, detects_alert (alert).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.ids import derive
from orchestrator.sandbox.ingest.shapes import Row
from orchestrator.sandbox.storage.domains import Record
from orchestrator.sandbox.storage.events import INGEST_TIMESTAMP, TIMESTAMP
from orchestrator.sandbox.triggers.kinds import CorrelationRule
from orchestrator.sandbox.triggers.templates import Firing
from orchestrator.units import format_instant, from_epoch_ms

REPOSITORY = "xdr_indicatorsrepo"
"""Where the events go; made with the first of them. Correlation rules do not look into it."""
OUTCOMES = ("detection", "case")
MOST_OUTCOMES = 100
_SEVERITIES = {10: "Informational", 30: "Low", 50: "Medium", 70: "High", 90: "Critical"}
_EPOCH_MS = re.compile(r"\d{1,15}\Z", re.ASCII)
# The store's own, and what would make a search take a copy for its original.
_DROPPED = ("@id", "#repo", INGEST_TIMESTAMP)


def facts_of(rule: CorrelationRule, record: Record) -> dict[str, str]:
    """Return what a rule's outcomes say of it, as it is when it runs."""
    return {
        "outcome": rule.outcome,
        "mode": "verbose" if rule.is_verbose else "summary",
        "customer_id": str(record.get("customer_id", "")),
        "severity": str(record.get("severity", "")),
        "tactic": str(record.get("tactic", "")),
        "technique": str(record.get("technique", "")),
    }


def outcomes_of(firing: Firing) -> list[tuple[list[Row], Record]]:
    """Return the events and the alert of each outcome; the same firing has the same ids."""
    is_verbose = firing.facts["mode"] == "verbose"
    groups = [[row] for row in firing.rows[:MOST_OUTCOMES]] if is_verbose else [firing.rows]
    return [_outcome(firing, number, rows) for number, rows in enumerate(groups)]


def _outcome(
    firing: Firing, number: int, rows: Sequence[Mapping[str, str]]
) -> tuple[list[Row], Record]:
    indicator = derive("indicator", firing.id, number)
    customer = firing.facts["customer_id"]
    alert_id = f"{customer}:ngsiem:{customer}:{indicator}"
    common = {
        "Ngsiem.alert.id": alert_id,
        "Ngsiem.detection.id": derive("detection", firing.id, number),
        "Ngsiem.indicator.id": indicator,
    }
    alert = _alert(firing, alert_id, indicator)
    trigger: Row = {
        **common,
        TIMESTAMP: str(firing.at_ms),
        "Ngsiem.event.type": "ngsiem-rule-trigger-event",
        "Ngsiem.event.outcome": f"correlation-rule-{firing.facts['outcome']}",
        "rule.id": firing.trigger_id,
        "rule.name": firing.name,
        "Vendor.SeverityName": str(alert["severity_name"]),
    }
    trigger["@rawstring"] = json.dumps(trigger, ensure_ascii=False)
    return [trigger, *(_match(firing, row, common) for row in rows)], alert


def _match(firing: Firing, row: Mapping[str, str], common: Mapping[str, str]) -> Row:
    found: Row = {name: value for name, value in row.items() if name not in _DROPPED}
    if "@id" in row:
        found["Ngsiem.event.id"] = row["@id"]
    # The row of an aggregate has no time, or one that its query made.
    if not _EPOCH_MS.match(found.get(TIMESTAMP, "")):
        found[TIMESTAMP] = str(firing.at_ms)
    return {
        **found,
        **common,
        "Ngsiem.event.type": "ngsiem-rule-match-event",
        "Ngsiem.event.subtype": "result_event",
        "Ngsiem.parent.indicator.id[0]": common["Ngsiem.indicator.id"],
        "rule.id": firing.trigger_id,
        "rule.name": firing.name,
    }


def _alert(firing: Firing, alert_id: str, indicator: str) -> Record:
    severity, facts = firing.facts["severity"], firing.facts
    number = int(severity) if severity.isdecimal() else 0
    at = format_instant(from_epoch_ms(firing.at_ms))
    alert: dict[str, Any] = {
        "composite_id": alert_id,
        "id": f"ngsiem:{facts['customer_id']}:{indicator}",
        "cid": facts["customer_id"],
        "product": "ngsiem",
        "type": "ngsiem-rule-trigger-event",
        "name": firing.name,
        "display_name": firing.name,
        "description": firing.description,
        "severity": number,
        "severity_name": _SEVERITIES.get(number, ""),
        "status": "new",
        "tags": [],
        "assigned_to_name": "",
        "assigned_to_uid": "",
        "assigned_to_uuid": "",
        "show_in_ui": True,
        "timestamp": at,
        "created_timestamp": at,
        "updated_timestamp": at,
    }
    # A rule names either by its id or by its name, and does not say which.
    return {**alert, **{name: facts[name] for name in ("tactic", "technique") if facts[name]}}
