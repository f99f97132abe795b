"""The members of a query job's request, and what type each must be of.

A member that is null counts as absent, and one that LogScale does not know is let through.
Source: the vendor's OpenAPI text of the query API, QueryJobInput; `start`, `end` and the like are
read by `orchestrator.sandbox.search.timespans`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a value must be: a test, and the words for it."""

    fits: Callable[[object], bool]
    words: str


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_fraction(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


_BOOL = _Kind(_is_bool, "true or false")
_COUNT = _Kind(_is_count, "a count")
_TEXT = _Kind(_is_text, "a string")
_WHOLE = _Kind(_is_whole, "a whole number")
_FRACTION = _Kind(_is_fraction, "a number above 0 and up to 1")
_OBJECT = _Kind(_is_object, "an object")
_TEXTS = _Kind(_is_texts, "an object of names and strings")
_MEMBERS: Mapping[str, _Kind] = {
    "queryString": _TEXT,
    "isLive": _BOOL,
    "timeZoneOffsetMinutes": _WHOLE,
    "timeZone": _TEXT,
    "arguments": _TEXTS,
    "showQueryEventDistribution": _BOOL,
    "around": _OBJECT,
    "useIngestTime": _BOOL,
    "autobucketCount": _COUNT,
    "wantsAutoBucketing": _BOOL,
    "allowEventSkipping": _BOOL,
    "noResultUntilDone": _BOOL,
    "computeFieldStats": _BOOL,
    "doneCriteria": _OBJECT,
    "languageVersion": _TEXT,
    "isInteractive": _BOOL,
    "isAlertQuery": _BOOL,
    "includeDeletedEvents": _BOOL,
    "isRepeatingSubquery": _BOOL,
    "dashboardFilter": _TEXT,
    "dashboardFilterVersion": _TEXT,
    "nextRunInterval": _OBJECT,
    "extraLogFields": _TEXTS,
}
_INNER_MEMBERS: Mapping[str, Mapping[str, _Kind]] = {
    "around": {
        "eventId": _TEXT,
        "timestamp": _WHOLE,
        "numberOfEventsBefore": _COUNT,
        "numberOfEventsAfter": _COUNT,
    },
    "doneCriteria": {
        "fractionOfDataScanned": _FRACTION,
        "minimumMatchedEvents": _COUNT,
        "minimumResultRows": _COUNT,
    },
    "nextRunInterval": {"start": _WHOLE, "end": _WHOLE},
}
_INNER_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "around": ("eventId", "timestamp"),
    "nextRunInterval": ("start", "end"),
}


def member_problem(body: Mapping[str, object]) -> str:
    """Return what is wrong with the first member that is not of its type, empty where none is."""
    for name, kind in _MEMBERS.items():
        value = body.get(name)
        if value is None:
            continue
        if not kind.fits(value):
            return f"{name} must be {kind.words}"
        if isinstance(value, dict) and (problem := _inner_problem(name, value)):
            return problem
    return ""


def _inner_problem(name: str, value: Mapping[str, object]) -> str:
    for inner in _INNER_REQUIRED.get(name, ()):
        if value.get(inner) is None:
            return f"{name} needs {inner}"
    for inner, kind in _INNER_MEMBERS.get(name, {}).items():
        if value.get(inner) is not None and not kind.fits(value[inner]):
            return f"{name}.{inner} must be {kind.words}"
    return ""
