"""What an asset's input must satisfy beyond its types; every breach is named, not the first.

The conditional rules of scheduled searches, and the limits of the two alert kinds. The wording of
LogScale's own refusals is not known; their form is: a bare message, and the reasons in `state`.
Source: field descriptions of the schema, and the operator's validation of the same inputs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestrator.cql import nodes, walk
from orchestrator.sandbox.answers import Refusal, wrong_input
from orchestrator.sandbox.search.run import Checked, check
from orchestrator.sandbox.storage.domains import AssetKind, Domain, Record, display_name
from orchestrator.sandbox.triggers.kinds import MAX_BACKFILL_RUNS

MAX_ACTIONS = 10
_TIME_ZONE = re.compile(r"UTC(?:[+-]\d{2}(?::\d{2})?)?\Z")
_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_PART = re.compile(r"(\*|\d+(?:-\d+)?)(?:/(\d+))?\Z")
_AGGREGATE_SECONDS = range(60, 86_400 + 1, 60)

State = dict[str, str]


def check_asset(kind: AssetKind, record: Record, domain: Domain) -> None:
    """Let the record pass, or refuse it.

    Raises:
        InputRefused: At least one rule is broken; `state` says which, by field.
    """
    state: State = {}
    _check_name(kind, record, domain, state)
    match kind:
        case AssetKind.SCHEDULED_SEARCH:
            _check_query(record, state)
            _check_scheduled(record, state)
        case AssetKind.FILTER_ALERT:
            checked = _check_query(record, state)
            _check_filter_alert(record, checked, state)
        case AssetKind.AGGREGATE_ALERT:
            checked = _check_query(record, state)
            _check_aggregate_alert(record, checked, state)
        case AssetKind.LEGACY_ALERT:
            _check_query(record, state)
            _check_legacy_alert(record, state)
        case AssetKind.SAVED_QUERY:
            _check_query(record, state)
        case AssetKind.ACTION:
            _check_action(record, state)
    if len(record.get("actionIds", ())) > MAX_ACTIONS:
        state["actionIdsOrNames"] = f"at most {MAX_ACTIONS} actions are allowed"
    if state:
        raise wrong_input(state)


def check_action(record: Record) -> None:
    """Let an action pass that is not stored, whatever its name, or refuse it.

    Raises:
        InputRefused: At least one rule is broken.
    """
    state: State = {}
    _check_action(record, state)
    if state:
        raise wrong_input(state)


def action_ids(given: Sequence[str], domain: Domain, *, member: str) -> list[str]:
    """Return the ids of the actions that are meant, by id or by name; `member` holds them.

    Raises:
        InputRefused: One of them does not exist.
    """
    actions = domain.assets[AssetKind.ACTION]
    by_name = {display_name(record): action_id for action_id, record in actions.items()}
    found = []
    for text in given:
        action_id = text if text in actions else by_name.get(text)
        if action_id is None:
            reason = f"no action has the id or name '{text}'"
            raise wrong_input({member: reason})
        found.append(action_id)
    return found


def _check_name(kind: AssetKind, record: Record, domain: Domain, state: State) -> None:
    name = record["name"]
    if not name.strip():
        state["name"] = "must not be empty"
    taken = (other for other in domain.assets[kind].values() if other["id"] != record["id"])
    if any(display_name(other) == display_name(record) for other in taken):
        state["name"] = f"the name '{name}' is already in use"


def _check_query(record: Record, state: State) -> Checked | None:
    try:
        return check(record["queryString"])
    except Refusal as exc:
        state["queryString"] = exc.text.split("\n", 1)[0]
        return None


def _check_scheduled(record: Record, state: State) -> None:
    is_ingest = record["queryTimestampType"] == "IngestTimestamp"
    needed = (
        ("maxWaitTimeSeconds",) if is_ingest else ("backfillLimit", "searchIntervalOffsetSeconds")
    )
    barred = (
        ("backfillLimit", "searchIntervalOffsetSeconds") if is_ingest else ("maxWaitTimeSeconds",)
    )
    kind = record["queryTimestampType"]
    for field in needed:
        if record[field] is None:
            state[field] = f"is required when queryTimestampType is {kind}"
        elif record[field] < 0:
            state[field] = "must not be negative"
    if (record["backfillLimit"] or 0) > MAX_BACKFILL_RUNS:
        state["backfillLimit"] = f"must not exceed {MAX_BACKFILL_RUNS}, the server's own limit"
    for field in barred:
        if record[field] is not None:
            state[field] = f"must be absent when queryTimestampType is {kind}"
    if record["searchIntervalSeconds"] <= 0:
        state["searchIntervalSeconds"] = "must be positive"
    if problem := cron_problem(record["schedule"]):
        state["schedule"] = problem
    if not _TIME_ZONE.match(record["timeZone"]):
        state["timeZone"] = "must be UTC or an offset such as UTC-01 or UTC+12:45"


def _check_filter_alert(record: Record, checked: Checked | None, state: State) -> None:
    if checked is not None and checked.is_aggregate:
        state["queryString"] = "a filter alert's query must not aggregate"
    elif checked is not None and any(isinstance(n, nodes.Subquery) for n in walk(checked.query)):
        state["queryString"] = "a filter alert's query must not join"
    throttle = record["throttleTimeSeconds"]
    if throttle is not None and throttle < 60:
        state["throttleTimeSeconds"] = "must be at least 60"


def _check_aggregate_alert(record: Record, checked: Checked | None, state: State) -> None:
    if checked is not None and not checked.is_aggregate:
        state["queryString"] = "an aggregate alert's query must aggregate"
    if record["searchIntervalSeconds"] not in _AGGREGATE_SECONDS:
        state["searchIntervalSeconds"] = "must be whole minutes, from one minute to 24 hours"
    if record["throttleTimeSeconds"] < 1:
        state["throttleTimeSeconds"] = "must be positive"


def _check_legacy_alert(record: Record, state: State) -> None:
    if record["searchIntervalSeconds"] <= 0:
        state["queryStart"] = "must be before now"
    if record["throttleTimeMillis"] <= 0:
        state["throttleTimeMillis"] = "must be positive"


def _check_action(record: Record, state: State) -> None:
    if "method" in record and record["method"] not in {"GET", "POST", "PUT"}:
        state["method"] = "must be GET, POST or PUT"
    if "url" in record and not str(record["url"]).startswith(("http://", "https://")):
        state["url"] = "must be an http or https URL"
    if "recipients" in record and not record["recipients"]:
        state["recipients"] = "must not be empty"


def cron_problem(text: str) -> str:
    """Return what is wrong with a five-field schedule, empty when nothing is.

    The minute may be a lone `H`; names of days and months are not known, as on LogScale.
    """
    fields = text.split()
    if len(fields) != len(_CRON_RANGES):
        return "must have the five fields: minute hour day-of-month month day-of-week"
    for position, (field, (low, high)) in enumerate(zip(fields, _CRON_RANGES, strict=True)):
        if position == 0 and field == "H":
            continue
        for part in field.split(","):
            match = _CRON_PART.match(part)
            if match is None:
                return f"'{part}' is not a number, a range or a step"
            numbers = [int(n) for n in match[1].split("-") if n != "*"]
            if any(not low <= n <= high for n in numbers) or numbers != sorted(numbers):
                return f"'{part}' is outside {low} to {high}"
            if match[2] == "0":
                return f"'{part}' steps by nothing"
    return ""
