"""Assets as the YAML of packages, for the forms that are published: nothing is made up.

Read and written are saved queries v0.3.0, legacy alerts v0.3.0, scheduled searches by event time
v0.1.0, and, without a throttle, filter alerts v0.1.0, whose `triggerLimit` means nothing here. Of
anything else the text has the name alone.
Source: package files in public repositories, such as CrowdStrike/logscale-community-content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import yaml

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.storage.domains import AssetKind, Domain, Record
from orchestrator.units import format_duration, parse_duration

MAX_CHARS = 200_000
_SCHEMAS = "https://schemas.humio.com"
_MS = timedelta(milliseconds=1)
Members = Mapping[str, Any]


def yaml_of(kind: AssetKind, record: Record, domain: Domain) -> str:
    """Return the asset as YAML; its name alone where no form of it is published."""
    members: Members = {"name": record["name"]}
    match kind:
        case AssetKind.SAVED_QUERY:
            members = _query_members(record)
        case AssetKind.LEGACY_ALERT:
            members = {
                "$schema": f"{_SCHEMAS}/alert/v0.3.0",
                **_trigger_members(record, domain),
                "timeInterval": record["queryStart"],
                "throttleTime": format_duration(record["throttleTimeMillis"] * _MS),
                "throttleField": record["throttleField"],
            }
        case AssetKind.SCHEDULED_SEARCH if record["queryTimestampType"] == "EventTimestamp":
            offset = record["searchIntervalOffsetSeconds"] or 0
            members = {
                "$schema": f"{_SCHEMAS}/scheduledsearch/v0.1.0",
                **_trigger_members(record, domain),
                "queryStart": f"{record['searchIntervalSeconds'] + offset}s",
                "queryEnd": f"{offset}s" if offset else "now",
                "schedule": record["schedule"],
                "timeZone": record["timeZone"],
                "backfillLimit": record["backfillLimit"],
            }
        case AssetKind.FILTER_ALERT if record["throttleTimeSeconds"] is None:
            members = {
                "$schema": f"{_SCHEMAS}/filteralert/v0.1.0",
                **_trigger_members(record, domain),
            }
        case _:
            pass
    kept = {name: value for name, value in members.items() if value is not None}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)


def input_of(kind: AssetKind, text: str) -> dict[str, Any]:
    """Return the members of a create's input, without a view, that the YAML stands for.

    Raises:
        InputRefused: The text is no YAML of this kind of asset.
    """
    raw = _parsed(text)
    read = _READERS[kind]
    try:
        return read(raw)
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        what = f"{exc.args[0]} is missing" if isinstance(exc, KeyError) else str(exc)
        raise _refused(what) from exc


def _parsed(text: str) -> Members:
    if len(text) > MAX_CHARS:
        raise _refused(f"longer than {MAX_CHARS} characters")
    try:
        raw = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise _refused("not YAML") from exc
    if not isinstance(raw, dict):
        raise _refused("not a mapping")
    return raw


def _refused(reason: str) -> InputRefused:
    return InputRefused("There were errors in the input.", {"yamlTemplate": reason})


# --- writing ------------------------------------------------------------------------------------


def _query_members(record: Record) -> Members:
    return {
        "$schema": f"{_SCHEMAS}/query/v0.3.0",
        "name": record["name"],
        "queryString": record["queryString"],
        "timeInterval": {
            "isLive": record["isLive"],
            "start": record["start"],
            "end": record["end"],
        },
        "visualization": {"type": record["widgetType"], "options": {}},
    }


def _trigger_members(record: Record, domain: Domain) -> Members:
    actions = domain.assets[AssetKind.ACTION]
    return {
        "name": record["name"],
        "description": record["description"],
        "enabled": record["enabled"],
        "queryString": record["queryString"],
        "labels": record["labels"],
        "actionNameReferences": [
            actions[action_id]["name"] for action_id in record["actionIds"] if action_id in actions
        ],
    }


# --- reading ------------------------------------------------------------------------------------


def _saved_query(raw: Members) -> dict[str, Any]:
    interval, shown = _mapping(raw, "timeInterval"), _mapping(raw, "visualization")
    return {
        "name": _text(raw, "name"),
        "queryString": _text(raw, "queryString"),
        "start": _optional_text(interval, "start"),
        "end": _optional_text(interval, "end"),
        "isLive": interval.get("isLive") is True,
        "widgetType": _optional_text(shown, "type"),
    }


def _trigger(raw: Members) -> dict[str, Any]:
    return {
        "name": _text(raw, "name"),
        "description": _optional_text(raw, "description"),
        "queryString": _text(raw, "queryString"),
        "enabled": raw.get("enabled", True) is True,
        "labels": _texts(raw, "labels"),
        "actions": _texts(raw, "actionNameReferences"),
    }


def _legacy_alert(raw: Members) -> dict[str, Any]:
    return {
        **_trigger(raw),
        "queryStart": _text(raw, "timeInterval"),
        "throttleTimeMillis": parse_duration(_text(raw, "throttleTime")) // _MS,
        "throttleField": _optional_text(raw, "throttleField"),
    }


def _scheduled_search(raw: Members) -> dict[str, Any]:
    return {
        **_trigger(raw),
        "queryStart": _text(raw, "queryStart"),
        "queryEnd": _text(raw, "queryEnd"),
        "schedule": _text(raw, "schedule"),
        "timeZone": _text(raw, "timeZone"),
        "backfillLimit": _whole(raw, "backfillLimit"),
    }


def _text(raw: Members, name: str) -> str:
    value = raw[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not text")
    return value


def _mapping(raw: Members, name: str) -> Members:
    value = raw.get(name) or {}
    if not isinstance(value, dict):
        raise TypeError(f"{name} is not a mapping")
    return value


def _optional_text(raw: Members, name: str) -> str | None:
    return None if raw.get(name) is None else _text(raw, name)


def _texts(raw: Members, name: str) -> list[str]:
    value = raw.get(name) or []
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise TypeError(f"{name} is not a list of texts")
    return value


def _whole(raw: Members, name: str) -> int:
    value = raw[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is not a whole number")
    return value


_READERS: Mapping[AssetKind, Callable[[Members], dict[str, Any]]] = {
    AssetKind.SAVED_QUERY: _saved_query,
    AssetKind.LEGACY_ALERT: _legacy_alert,
    AssetKind.SCHEDULED_SEARCH: _scheduled_search,
    AssetKind.FILTER_ALERT: _trigger,
}
