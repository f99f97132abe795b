"""Inputs of mutations become records: what an asset is kept as, every member there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.sandbox.answers import wrong_input
from orchestrator.sandbox.assets.checks import action_ids
from orchestrator.sandbox.assets.yaml_forms import UPLOAD_FILE, input_of
from orchestrator.sandbox.search.timespans import TimeBase, TimeRefused, resolve
from orchestrator.sandbox.storage.domains import AssetKind, Domain, Record

Input = Mapping[str, Any]
_TEMPLATE_TYPES = {UPLOAD_FILE: "UploadFileAction"}


def saved_query(given: Input, _domain: Domain) -> Record:
    """Return the record of a saved query."""
    return saved_query_members(given["name"], given["queryString"], given)


def saved_query_members(name: str, query: str, given: Input) -> Record:
    """Return what a saved query is kept with, whichever face made it; `given` has the rest."""
    return {
        "name": name,
        "queryString": query,
        "description": given.get("description"),
        "start": given.get("start") or "24h",
        "end": given.get("end") or "now",
        "isLive": given.get("isLive") or False,
        "widgetType": given.get("widgetType") or "list-view",
        "options": _options(given),
        "labels": given.get("labels") or [],
    }


def _options(given: Input) -> str:
    """Return a widget's options: written as a text of JSON, and read as JSON."""
    text = given.get("options") or "{}"
    try:
        json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise wrong_input({"options": "is no JSON"}) from exc
    return str(text)


def saved_query_from_template(given: Input, domain: Domain) -> Record:
    """Return the record of a saved query given as YAML, under its own name or another."""
    read = input_of(AssetKind.SAVED_QUERY, given["yamlTemplate"])
    return saved_query({**read, "name": given.get("name") or read["name"]}, domain)


def saved_query_update(given: Input, _domain: Domain) -> Record:
    """Return what an update of a saved query changes."""
    members = saved_query_members(given.get("name", ""), given.get("queryString", ""), given)
    return {name: value for name, value in members.items() if given.get(name) is not None}


def action(given: Input, _domain: Domain, *, typename: str) -> Record:
    """Return the record of an action of this type."""
    own = {name: value for name, value in given.items() if name not in {"viewName", "id"}}
    record = {**own, "typename": typename, "labels": given.get("labels") or []}
    if typename == "EmailAction":
        defaults = {"attachCsv": False, "subjectTemplate": None, "bodyTemplate": None}
        record = defaults | {k: v for k, v in record.items() if v is not None or k != "attachCsv"}
    return record


def action_from_template(given: Input, domain: Domain) -> Record:
    """Return the record of an action given as YAML, under its own name or another."""
    read = input_of(AssetKind.ACTION, given["yamlTemplate"])
    return action_of_template({**read, "name": given.get("name") or read["name"]}, domain)


def action_of_template(given: Input, domain: Domain) -> Record:
    """Return the record of an action given as YAML; `type` is the file's word for its type."""
    own = {name: value for name, value in given.items() if name != "type"}
    return action(own, domain, typename=_TEMPLATE_TYPES[given["type"]])


def _trigger(given: Input, domain: Domain) -> Record:
    """Return what every trigger's input has."""
    member = "actionIdsOrNames" if "actionIdsOrNames" in given else "actions"
    enabled = given.get("enabled")
    return {
        "name": given["name"],
        "description": given.get("description"),
        "queryString": given["queryString"],
        "enabled": True if enabled is None else enabled,
        "labels": given.get("labels") or [],
        "actionIds": action_ids(given[member], domain, member=member),
        "queryOwnershipType": given.get("queryOwnershipType") or "User",
        "runAsUserId": given.get("runAsUserId"),
    }


def _throttle_field(given: Input) -> str | None:
    """Return the field to throttle by, from the newer list of them or the older member."""
    fields = given.get("throttleFields")
    if not fields:
        return given.get("throttleField")
    if len(fields) > 1:
        reason = "to throttle by several fields is not supported by the sandbox"
        raise wrong_input({"throttleFields": reason})
    return str(fields[0])


def filter_alert(given: Input, domain: Domain) -> Record:
    """Return the record of a filter alert."""
    return _trigger(given, domain) | {
        "throttleTimeSeconds": given.get("throttleTimeSeconds"),
        "throttleField": _throttle_field(given),
    }


def aggregate_alert(given: Input, domain: Domain) -> Record:
    """Return the record of an aggregate alert."""
    return _trigger(given, domain) | {
        "throttleTimeSeconds": given["throttleTimeSeconds"],
        "throttleField": _throttle_field(given),
        "searchIntervalSeconds": given["searchIntervalSeconds"],
        "queryTimestampType": given["queryTimestampType"],
        "triggerMode": given.get("triggerMode") or "CompleteMode",
    }


def legacy_alert(given: Input, domain: Domain) -> Record:
    """Return the record of a legacy alert."""
    return _trigger(given, domain) | {
        "queryStart": given["queryStart"],
        # What the text stands for.
        "searchIntervalSeconds": _seconds_ago(given, "queryStart"),
        "throttleTimeMillis": given["throttleTimeMillis"],
        "throttleField": given.get("throttleField"),
    }


def scheduled_search(given: Input, domain: Domain) -> Record:
    """Return the record of a scheduled search, as its updates give it."""
    record = _trigger(given, domain) | {
        "schedule": given["schedule"],
        "timeZone": given["timeZone"],
        "queryTimestampType": given["queryTimestampType"],
        "searchIntervalSeconds": given["searchIntervalSeconds"],
        "searchIntervalOffsetSeconds": given.get("searchIntervalOffsetSeconds"),
        "maxWaitTimeSeconds": given.get("maxWaitTimeSeconds"),
        "backfillLimit": given.get("backfillLimit"),
    }
    # The V2 update does not know this member and leaves it as it was.
    if given.get("triggerOnEmptyResult") is not None:
        record["triggerOnEmptyResult"] = given["triggerOnEmptyResult"]
    return record


def created_scheduled_search(given: Input, domain: Domain) -> Record:
    """Return the record of a new scheduled search."""
    return {"triggerOnEmptyResult": False} | scheduled_search(given, domain)


def older_scheduled_search(given: Input, domain: Domain) -> Record:
    """Return the record of the older form, whose window is two relative times."""
    start, end = (_seconds_ago(given, member) for member in ("queryStart", "queryEnd"))
    return created_scheduled_search(
        {
            **given,
            "queryTimestampType": "EventTimestamp",
            "searchIntervalSeconds": start - end,
            "searchIntervalOffsetSeconds": end,
            "maxWaitTimeSeconds": None,
        },
        domain,
    )


def _seconds_ago(given: Input, member: str) -> int:
    try:
        ago_ms = -resolve(given[member], TimeBase(now_ms=0, live=True), default_ms=0)
    except TimeRefused as exc:
        raise wrong_input({member: str(exc)}) from exc
    if ago_ms < 0 or ago_ms % 1000:
        raise wrong_input({member: "must be relative, in whole seconds"})
    return ago_ms // 1000
