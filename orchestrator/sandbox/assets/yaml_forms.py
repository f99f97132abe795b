"""Assets as the YAML of packages, for the forms that are published: nothing is made up.

Read and written are saved queries v0.3.0, legacy alerts v0.3.0, scheduled searches by event time
v0.1.0, actions that store a lookup file v0.5.0, and, without a throttle, filter alerts v0.1.0,
whose `triggerLimit` means nothing here. Of anything else the text has the name alone.
Source: package files in public repositories, such as CrowdStrike/logscale-community-content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import yaml

from orchestrator.sandbox.answers import InputRefused, wrong_input
from orchestrator.sandbox.storage.domains import AssetKind, Domain, Record, display_name
from orchestrator.units import format_duration, parse_duration

MAX_CHARS = 200_000
UPLOAD_FILE = "upload-file"
"""The type of an action that stores a lookup file; no other has a published form."""
_SCHEMAS = "https://schemas.humio.com"
_MS = timedelta(milliseconds=1)
T = TypeVar("T")
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
        case AssetKind.ACTION if record.get("typename") == "UploadFileAction":
            members = {
                "$schema": f"{_SCHEMAS}/action/v0.5.0",
                "name": record["name"],
                "type": UPLOAD_FILE,
                "fileName": record["fileName"],
            }
        case _:
            pass
    return form_text({name: value for name, value in members.items() if value is not None})


def form_text(members: Members) -> str:
    """Return members as YAML, in their order."""
    return yaml.safe_dump(dict(members), sort_keys=False, allow_unicode=True)


def input_of(kind: AssetKind, text: str) -> dict[str, Any]:
    """Return the members of a create's input, without a view, that the YAML stands for.

    Of an action it has `type` too, as the file names it.

    Raises:
        InputRefused: The text is no YAML of this kind of asset.
    """
    return read_form(text, _READERS.get(kind, _unpublished))


def read_form(text: str, read: Callable[[Members], T]) -> T:
    """Return what `read` makes of a text's mapping.

    Args:
        text: YAML.
        read: Takes members with the functions below, whose errors become the reason of a refusal.

    Raises:
        InputRefused: The text is no mapping in YAML, or `read` could not take it.
    """
    raw = _parsed(text)
    try:
        return read(raw)
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        what = f"{exc.args[0]} is missing" if isinstance(exc, KeyError) else str(exc)
        raise _refused(what) from exc


def text_of(raw: Members, name: str) -> str:
    """Return a member that must be there and be text."""
    value = raw[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not text")
    return value


def optional_text_of(raw: Members, name: str) -> str | None:
    """Return a member that is text or is not there."""
    return None if raw.get(name) is None else text_of(raw, name)


def texts_of(raw: Members, name: str) -> list[str]:
    """Return a list of texts; empty where it is not there."""
    value = raw.get(name) or []
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise TypeError(f"{name} is not a list of texts")
    return value


def mapping_of(raw: Members, name: str) -> Members:
    """Return a mapping; empty where it is not there."""
    value = raw.get(name) or {}
    if not isinstance(value, dict):
        raise TypeError(f"{name} is not a mapping")
    return value


def mappings_of(raw: Members, name: str) -> list[Members]:
    """Return a list of mappings; empty where it is not there."""
    value = raw.get(name) or []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise TypeError(f"{name} is not a list of mappings")
    return value


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
    return wrong_input({"yamlTemplate": reason})


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
    used = (actions[action_id] for action_id in record["actionIds"] if action_id in actions)
    return {
        "name": record["name"],
        "description": record["description"],
        "enabled": record["enabled"],
        "queryString": record["queryString"],
        "labels": record["labels"],
        "actionNameReferences": [display_name(action) for action in used],
    }


# --- reading ------------------------------------------------------------------------------------


def _saved_query(raw: Members) -> dict[str, Any]:
    interval, shown = mapping_of(raw, "timeInterval"), mapping_of(raw, "visualization")
    return {
        "name": text_of(raw, "name"),
        "queryString": text_of(raw, "queryString"),
        "start": _time_of(interval, "start"),
        "end": _time_of(interval, "end"),
        "isLive": interval.get("isLive") is True,
        "widgetType": optional_text_of(shown, "type"),
    }


def _trigger(raw: Members) -> dict[str, Any]:
    return {
        "name": text_of(raw, "name"),
        "description": optional_text_of(raw, "description"),
        "queryString": text_of(raw, "queryString"),
        "enabled": raw.get("enabled", True) is True,
        "labels": texts_of(raw, "labels"),
        "actions": texts_of(raw, "actionNameReferences"),
    }


def _legacy_alert(raw: Members) -> dict[str, Any]:
    return {
        **_trigger(raw),
        "queryStart": text_of(raw, "timeInterval"),
        "throttleTimeMillis": parse_duration(text_of(raw, "throttleTime")) // _MS,
        "throttleField": optional_text_of(raw, "throttleField"),
    }


def _scheduled_search(raw: Members) -> dict[str, Any]:
    return {
        **_trigger(raw),
        "queryStart": text_of(raw, "queryStart"),
        "queryEnd": text_of(raw, "queryEnd"),
        "schedule": text_of(raw, "schedule"),
        "timeZone": text_of(raw, "timeZone"),
        "backfillLimit": _whole(raw, "backfillLimit"),
    }


def _action(raw: Members) -> dict[str, Any]:
    if text_of(raw, "type") != UPLOAD_FILE:
        raise ValueError(f"type {raw['type']} has no published form: only {UPLOAD_FILE} is read")
    return {"name": text_of(raw, "name"), "fileName": text_of(raw, "fileName"), "type": raw["type"]}


def _unpublished(_raw: Members) -> dict[str, Any]:
    raise ValueError("no form of this kind of asset is published")


def _time_of(raw: Members, name: str) -> str | None:
    """Return a time as text: relative, or an instant in epoch ms, which is a number in the YAML."""
    value = raw.get(name)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else optional_text_of(raw, name)


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
    AssetKind.ACTION: _action,
}
