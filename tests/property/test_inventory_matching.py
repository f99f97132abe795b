"""Laws of matching: what may never make a finding look excused."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestrator.inventory.compare import glob_matches
from orchestrator.inventory.index import FactIndex, Timeline, covers
from orchestrator.inventory.names import Strength, compare, is_placeholder, parse_host
from orchestrator.inventory.tables import TABLES
from orchestrator.model.inventory import Fact, FactTable, MatchMode, Part, Subject
from tests.unit.inventory.making import make_fact, make_inventory, make_subject, table_of

START = datetime(2026, 3, 10, tzinfo=UTC)
LABEL = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=8).filter(
    lambda text: parse_host(text) is not None and not is_placeholder(text)
)
HOST = st.builds(lambda *labels: ".".join(labels), LABEL, LABEL, LABEL)
VALUE = st.text(string.ascii_letters + string.digits + "/._@ ", min_size=4, max_size=12).filter(
    lambda text: text.strip() == text and not is_placeholder(text) and ".." not in text
)
INSTANT = st.integers(0, 86_400).map(lambda seconds: START + timedelta(seconds=seconds))


def part_value(part: Part) -> st.SearchStrategy[str]:
    match part.mode:
        case MatchMode.HOST:
            return HOST
        case MatchMode.ABSENT:
            return st.just("none")
        case _:
            return VALUE


@st.composite
def held(draw: st.DrawFn) -> tuple[FactTable, Fact, Subject]:
    """A table, a fact with every part filled in, and a subject that it holds for."""
    table = draw(st.sampled_from(TABLES))
    values = {part.column: draw(part_value(part)) for part in table.parts}
    first = draw(INSTANT)
    last = first + timedelta(seconds=draw(st.integers(0, 600)))
    fact = make_fact(
        table.name,
        id="the one",
        values=values,
        valid_from=first - timedelta(seconds=draw(st.integers(0, 600))),
        valid_until=last + timedelta(seconds=draw(st.integers(1, 600))),
    )
    entities = {
        part.entity: "" if part.mode is MatchMode.ABSENT else values[part.column]
        for part in table.parts
    }
    return table, fact, make_subject(entities, first=first, last=last)


@given(held())
def test_fact_with_every_part_holds(case: tuple[FactTable, Fact, Subject]) -> None:
    table, fact, subject = case

    assert make_inventory(fact).match(table.name, subject).holds


@given(held(), st.data())
def test_any_part_of_the_finding_changed_does_not_hold(
    case: tuple[FactTable, Fact, Subject], data: st.DataObject
) -> None:
    table, fact, subject = case
    part = data.draw(st.sampled_from(table.parts))
    old = subject.entities[part.entity]
    value = data.draw(HOST if part.mode is MatchMode.HOST else VALUE)
    assume(value not in old and value.lower() not in {text.lower() for text in old})
    changed = data.draw(st.sampled_from([(value,), (*old, value), ("unresolved",), ("-", value)]))
    other = replace(subject, entities={**subject.entities, part.entity: changed})

    match = make_inventory(fact).match(table.name, other)

    assert not match.holds


@given(held(), st.data())
def test_any_part_of_the_finding_left_out_does_not_hold(
    case: tuple[FactTable, Fact, Subject], data: st.DataObject
) -> None:
    table, fact, subject = case
    part = data.draw(st.sampled_from(table.parts))
    rest = {name: values for name, values in subject.entities.items() if name != part.entity}

    assert not make_inventory(fact).match(table.name, replace(subject, entities=rest)).holds


@given(held(), st.integers(1, 10_000), st.booleans())
def test_event_outside_the_validity_does_not_hold(
    case: tuple[FactTable, Fact, Subject], seconds: int, early: bool
) -> None:
    table, fact, subject = case
    assert fact.valid_from is not None
    assert fact.valid_until is not None
    outside = (
        replace(subject, first_seen=fact.valid_from - timedelta(seconds=seconds))
        if early
        else replace(subject, last_seen=fact.valid_until + timedelta(seconds=seconds - 1))
    )

    assert not make_inventory(fact).match(table.name, outside).holds


@given(held(), st.lists(held(), max_size=5), st.data())
def test_unrelated_fact_never_changes_a_verdict(
    case: tuple[FactTable, Fact, Subject],
    others: list[tuple[FactTable, Fact, Subject]],
    data: st.DataObject,
) -> None:
    """Unrelated: about another host, program and container, in whatever table."""
    table, fact, subject = case
    mine = {value for values in subject.entities.values() for value in values}
    shorts = {name.short for value in mine if (name := parse_host(value))}
    unrelated = [
        replace(other, id=f"other {number}")
        for number, (_, other, _) in enumerate(others)
        if not mine & set(other.values.values())
        and not any(
            (name := parse_host(value)) and name.short in shorts for value in other.values.values()
        )
    ]
    present = data.draw(st.booleans())
    base = [fact] if present else []

    before = make_inventory(*base, tables=[table.name]).match(table.name, subject)
    after = make_inventory(*base, *unrelated, tables=[table.name]).match(table.name, subject)

    assert (after.holds, after.known, after.matched) == (before.holds, before.known, before.matched)


@given(st.text(max_size=30), st.text(max_size=30))
def test_comparing_names_is_symmetric_and_blanks_match_nothing(left: str, right: str) -> None:
    one, other = parse_host(left), parse_host(right)

    if one is not None and other is not None:
        assert compare(one, other) == compare(other, one)
    for name in (one, other):
        if name is not None:
            assert compare(name, name) > Strength.NONE
            assert name.text.strip() not in ("", "-")


@given(st.text(max_size=30))
def test_normalising_a_name_twice_changes_nothing(text: str) -> None:
    name = parse_host(text)

    if name is not None and not name.text.endswith("."):
        assert parse_host(name.text) == name


@given(st.text("ab*/", max_size=8), st.text("ab/", max_size=10))
def test_glob_matches_as_the_expression_it_stands_for(pattern: str, value: str) -> None:
    expression = ".*".join(re.escape(piece) for piece in pattern.split("*"))

    assert glob_matches(pattern, value) is bool(re.fullmatch(expression, value))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.none() | INSTANT, st.none() | INSTANT), max_size=60),
    INSTANT,
    st.integers(0, 7_200),
)
def test_timeline_proposes_every_fact_that_covers(
    spans: list[tuple[datetime | None, datetime | None]], first: datetime, length: int
) -> None:
    facts = [
        make_fact("runner", id=str(number), host="h", valid_from=start, valid_until=end)
        for number, (start, end) in enumerate(spans)
    ]
    last = first + timedelta(seconds=length)

    near = list(Timeline(facts).near(first, last))

    assert {fact.id for fact in near} >= {f.id for f in facts if covers(f, first, last)}
    assert len({fact.id for fact in near}) == len(near)


@settings(max_examples=60)
@given(st.lists(st.text("ab*/", min_size=1, max_size=6), max_size=20), st.text("ab/", max_size=8))
def test_index_proposes_every_pattern_that_matches(patterns: list[str], value: str) -> None:
    facts = [
        make_fact("native_tool", id=str(number), image=pattern)
        for number, pattern in enumerate(patterns)
    ]
    index = FactIndex(table_of("native_tool"), facts)

    proposed = {fact.id for fact in index.proposals([value], first=START, last=START)}

    assert proposed >= {fact.id for fact in facts if glob_matches(fact.values["image"], value)}
