"""Dashboards as the YAML of packages: kept as text, and read for what clients ask about them.

Nothing is drawn. Read are the forms v0.3.0 to v0.20.0 that packages publish: widgets with a query,
with text, or with parameters, and sections; a widget of another type is one of an unknown type.
Source: package files in public repositories, such as CrowdStrike/logscale-community-content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.sandbox.answers import wrong_input
from orchestrator.sandbox.assets.yaml_forms import (
    Members,
    form_text,
    mapping_of,
    optional_text_of,
    read_form,
    text_of,
    texts_of,
)
from orchestrator.sandbox.storage.domains import Record

_PLACE = ("x", "y", "width", "height")


def dashboard_record(text: str, name: str | None = None) -> Record:
    """Return what a dashboard is kept with, under its own name or another.

    Raises:
        InputRefused: The text is no dashboard.
    """
    return read_form(text, lambda raw: _record(raw, text, name))


def dashboard_yaml(record: Record) -> str:
    """Return the dashboard as a file that makes it again, as it is called and described now."""
    told = {name: record[name] for name in ("name", "description", "labels")}

    def written(raw: Members) -> str:
        members = {**raw, **told}
        return form_text({k: v for k, v in members.items() if v or k not in told})

    return read_form(record["template"], written)


def widgets_of(text: str) -> list[Record]:
    """Return a dashboard's widgets in the file's order, each with its type's name in GraphQL."""
    return read_form(text, _widgets)


def sections_of(text: str) -> list[Record]:
    """Return a dashboard's sections in their order."""
    return read_form(text, _sections)


def shared_time_of(text: str) -> Record:
    """Return the times that all widgets share, if they do."""
    return read_form(text, _shared_time)


def check_dashboard(record: Record, others: list[Record]) -> None:
    """Let a dashboard pass beside the others of its search domain, or refuse it.

    Raises:
        InputRefused: Its name is empty, or is another's.
    """
    if not record["name"].strip():
        raise wrong_input({"name": "must not be empty"})
    if any(o["name"] == record["name"] and o["id"] != record["id"] for o in others):
        reason = f"the name '{record['name']}' is already in use"
        raise wrong_input({"name": reason})


def _record(raw: Members, text: str, name: str | None) -> Record:
    # What cannot be read later is refused now.
    for read in (_widgets, _sections, _shared_time):
        read(raw)
    return {
        "name": name or text_of(raw, "name"),
        "description": optional_text_of(raw, "description"),
        "labels": texts_of(raw, "labels"),
        "template": text,
    }


def _widgets(raw: Members) -> list[Record]:
    return [_widget(*entry) for entry in _entries(raw, "widgets")]


def _sections(raw: Members) -> list[Record]:
    found = [_section(*entry) for entry in _entries(raw, "sections")]
    return sorted(found, key=lambda section: int(section["order"]))


def _entries(raw: Members, name: str) -> list[tuple[str, Members]]:
    found = list(mapping_of(raw, name).items())
    if not all(isinstance(held, dict) for _, held in found):
        raise TypeError(f"{name} is not a mapping of mappings")
    return [(str(key), held) for key, held in found]


def _widget(widget_id: str, raw: Members) -> Record:
    common: Record = {
        "id": widget_id,
        "title": optional_text_of(raw, "title") or "",
        "description": optional_text_of(raw, "description"),
        **{name: _whole(raw, name) for name in _PLACE},
    }
    match raw.get("type"):
        case "query":
            return common | {
                "__typename": "QueryBasedWidget",
                "queryString": text_of(raw, "queryString"),
                # An instant is a number in the YAML.
                "start": str(raw["start"]),
                "end": str(raw.get("end", "now")),
                "isLive": raw.get("isLive") is True,
                "widgetType": optional_text_of(raw, "visualization") or "list-view",
                "options": json.loads(json.dumps(mapping_of(raw, "options"), default=str)),
            }
        case "note":
            return common | {
                "__typename": "NoteWidget",
                "text": text_of(raw, "text"),
                "backgroundColor": optional_text_of(raw, "backgroundColor"),
                "textColor": optional_text_of(raw, "textColor"),
            }
        case "parameterPanel":
            ids = texts_of(raw, "parameterIds")
            return common | {"__typename": "ParameterPanel", "parameterIds": ids}
        case _:
            return common | {"__typename": "UnknownWidget"}


def _section(section_id: str, raw: Members) -> Record:
    times = mapping_of(raw, "timeSelector")
    return {
        "id": section_id,
        "title": optional_text_of(raw, "title"),
        "description": optional_text_of(raw, "description"),
        "collapsed": raw.get("collapsed") is True,
        "timeSelector": {"start": str(times["start"]), "end": str(times.get("end", "now"))}
        if times
        else None,
        "widgetIds": texts_of(raw, "widgetIds"),
        "order": _whole(raw, "order"),
    }


def _shared_time(raw: Members) -> Record:
    shared: Mapping[str, Any] = mapping_of(raw, "sharedTimeInterval")
    return {
        "defaultSharedTimeStart": str(shared.get("start", "1d")),
        "defaultSharedTimeEnd": str(shared.get("end", "now")),
        "defaultSharedTimeEnabled": shared.get("enabled") is True,
    }


def _whole(raw: Members, name: str) -> int:
    value = raw.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is not a whole number")
    return value
