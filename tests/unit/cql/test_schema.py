"""The tables of events hold together; the checks speak only where they are sure."""

from __future__ import annotations

import pytest

from orchestrator.cql import QueryKind, lint
from orchestrator.cql.schema import (
    EVENT_TAG,
    NOT_EVENTS,
    EventType,
    Unit,
    common_fields,
    event,
    events,
    known_fields,
    nearest_event,
    tags,
)


def named(kind: EventType) -> str:
    return kind.name


@pytest.mark.parametrize("kind", events().values(), ids=named)
def test_event_is_described_and_its_fields_are_known(kind: EventType) -> None:
    assert kind.about.endswith(".")
    assert set(kind.platforms) <= {"Win", "Lin", "Mac"}
    assert set(kind.fields) <= set(known_fields()) - common_fields()
    assert list(kind.fields) == sorted(set(kind.fields), key=str.lower)
    assert not kind.complete or kind.fields


def test_every_field_is_common_or_on_an_event() -> None:
    used = {name for kind in events().values() for name in kind.fields}

    assert set(known_fields()) == used | common_fields()
    assert all(info.about.endswith(".") for info in known_fields().values())


def test_tags_are_the_fields_with_a_hash() -> None:
    assert EVENT_TAG in tags()
    assert {name for name, info in known_fields().items() if info.tag} == tags()
    assert all(known_fields()[name].common for name in tags())


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("timestamp", Unit.MILLISECONDS),
        ("@timestamp", Unit.MILLISECONDS),
        ("ContextTimeStamp", Unit.SECONDS),
        ("ProcessStartTime", Unit.SECONDS),
        ("CommandLine", None),
    ],
)
def test_times_say_what_they_count(name: str, unit: Unit | None) -> None:
    assert known_fields()[name].unit is unit


def test_event_is_found_by_its_exact_name() -> None:
    kind = event("DnsRequest")

    assert kind is not None
    assert kind.complete
    assert "DomainName" in kind.fields
    assert event("dnsrequest") is None


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("processrollup2", "ProcessRollup2"), ("ProcesRollup2", "ProcessRollup2"), ("Open", None)],
)
def test_nearest_event(name: str, nearest: str | None) -> None:
    assert nearest_event(name) == nearest


def test_names_that_no_sensor_sends_lead_to_one_that_it_does() -> None:
    assert not set(NOT_EVENTS) & set(events())
    assert set(NOT_EVENTS.values()) <= set(events())


def test_absent_process_name_says_where_it_stands() -> None:
    (found,) = lint(
        "#event_simpleName=NetworkConnectIP4 | ImageFileName!=/agent/i", kind=QueryKind.SEARCH
    )

    assert found.message == "No sample of NetworkConnectIP4 has the field `ImageFileName`."
    assert found.help.startswith("It stands on ProcessRollup2: join on `aid`")


def test_fix_of_a_tag_keeps_its_quotes() -> None:
    (found,) = lint('in(field="event_simpleName", values=["X"])', kind=QueryKind.SEARCH)

    assert found.fix is not None
    assert found.fix.text == '"#event_simpleName"'
