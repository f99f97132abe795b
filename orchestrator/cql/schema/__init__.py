"""What is known of Falcon's events: their names, their fields, and what the fields mean.

The tables know part of the truth: sensors differ by platform and release, and the platform adds
fields of its own. So an event counts as `complete` only where several public samples agree, and
even then only fields that are known from other events may be called absent (see `lint/schema.py`).

Sources: public sensor samples and published queries; names, units and meanings only.
The tables are JSON for the reason that the catalogue's are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Required, TypedDict

__all__ = [
    "EVENT_TAG",
    "NOT_EVENTS",
    "EventType",
    "FieldInfo",
    "Unit",
    "common_fields",
    "event",
    "events",
    "known_fields",
    "nearest_event",
    "tags",
]

EVENT_TAG = "#event_simpleName"
"""The tag that names the kind of a sensor event."""


NOT_EVENTS = {
    "FileReadInfo": "FileOpenInfo",
    "SensitiveFileRead": "CriticalFileAccessed",
    "SuspiciousFileOpenInfo": "FileOpenInfo",
}
"""Names that published queries filter by and no sensor sends, with the event that comes closest."""


class Unit(StrEnum):
    """What the number in a field counts, or how its text is to be read."""

    MILLISECONDS = "epoch milliseconds"
    SECONDS = "epoch seconds"
    """With a fraction: `1773134042.120`."""
    BYTES = "bytes"
    CODE = "code"
    """A number that stands for something else."""
    BITS = "bits"
    """A number whose bits are flags."""
    HEX = "hexadecimal"
    ADDRESS = "IP address"
    PATH = "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldInfo:
    """One field of Falcon's events."""

    name: str
    about: str
    """What it means, in a phrase or sentence."""
    unit: Unit | None = None
    """None for plain text and plain numbers."""
    tag: bool = False
    """Its name starts with `#`: fixed when the event came in, cheap to filter by."""
    common: bool = False
    """May stand on any event: its header, or added by the platform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One kind of sensor event: what `#event_simpleName` names."""

    name: str
    about: str
    platforms: tuple[str, ...] = ()
    """Which values of `event_platform` send it: Win, Lin, Mac; empty if not known."""
    fields: tuple[str, ...] = ()
    """Its own fields, in alphabetical order, without the common ones."""
    complete: bool = False
    """`fields` holds all that public samples of any platform show."""


def event(name: str) -> EventType | None:
    """Return the kind of event of this name, compared exactly; None if it is not known."""
    return events().get(name)


@cache
def events() -> Mapping[str, EventType]:
    """Return every known kind of event by its name."""
    table: dict[str, _EventRow] = json.loads(_text("events.json"))
    return MappingProxyType(
        {
            name: EventType(
                name=name,
                about=row["about"],
                platforms=tuple(row.get("platforms", ())),
                fields=tuple(row.get("fields", ())),
                complete=row.get("complete", False),
            )
            for name, row in table.items()
        }
    )


@cache
def known_fields() -> Mapping[str, FieldInfo]:
    """Return every known field by its name, common fields and tags included."""
    table: dict[str, _FieldRow] = json.loads(_text("fields.json"))
    return MappingProxyType(
        {
            name: FieldInfo(
                name=name,
                about=row["about"],
                unit=Unit(row["unit"]) if "unit" in row else None,
                tag=name.startswith("#"),
                common=row.get("common", False),
            )
            for name, row in table.items()
        }
    )


@cache
def common_fields() -> frozenset[str]:
    """Return the names of the fields that may stand on any event."""
    return frozenset(name for name, field in known_fields().items() if field.common)


@cache
def tags() -> frozenset[str]:
    """Return the names of the known tags, with their `#`."""
    return frozenset(name for name, field in known_fields().items() if field.tag)


def nearest_event(name: str) -> str | None:
    """Return the known event that `name` most likely means, if one is very close."""
    by_case = {known.lower(): known for known in events()}
    close = get_close_matches(name.lower(), list(by_case), n=1, cutoff=0.9)
    return by_case[close[0]] if close else None


class _EventRow(TypedDict, total=False):
    about: Required[str]
    platforms: list[str]
    fields: list[str]
    complete: bool


class _FieldRow(TypedDict, total=False):
    about: Required[str]
    unit: str
    common: bool


def _text(name: str) -> bytes:
    return files(__package__ or __name__).joinpath(name).read_bytes()
