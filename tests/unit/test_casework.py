"""The shipped rules: each loads, lints and passes its own cases, with the numbers of WHY.md."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from orchestrator.casework import expected_fingerprints, run_rule_cases, sample_sources
from orchestrator.cql.diagnostics import Level
from orchestrator.cql.lint import QueryKind, lint
from orchestrator.inventory.tables import TABLES
from orchestrator.model.rule import Rule
from orchestrator.rules.cases import CaseReport, Expectation, read_cases
from orchestrator.rules.load import load_rules

QUERIES = Path(__file__).parents[2] / "queries"
SLUGS = ["t1528_illicit_consent", "t1528_published_corrected", "t1528_token_access"]
FOUND_BY = SLUGS[0], SLUGS[2]


def test_all_shipped_rules_load_without_an_error() -> None:
    rules = load_rules(QUERIES, tables=TABLES)

    assert [rule.slug for rule in rules.rules] == SLUGS
    assert [p for p in rules.problems if p.level is Level.ERROR] == []


@pytest.mark.parametrize("slug", SLUGS)
def test_shipped_query_lints_without_an_error(slug: str) -> None:
    found = lint(_rule(slug).query, kind=QueryKind.SCHEDULED_SEARCH)

    assert [d for d in found if d.level is Level.ERROR] == []


@pytest.mark.parametrize("slug", SLUGS)
def test_shipped_rule_passes_its_cases(slug: str) -> None:
    assert [r for r in _report(slug).results if r.problems] == []


def test_the_two_rules_route_all_twelve_malicious_cases() -> None:
    malicious = {e.case for slug in FOUND_BY for e in _expectations(slug) if e.malicious}
    routed = {r.case for slug in FOUND_BY for r in _report(slug).results if r.outcome == "routed"}

    assert len(malicious) == 12
    assert routed == malicious


def test_the_two_rules_route_no_benign_event() -> None:
    benign = {
        (slug, event)
        for slug in FOUND_BY
        for e in _expectations(slug)
        if not e.malicious
        for event in e.events
    }
    routed = {
        (slug, event)
        for slug in FOUND_BY
        for r in _report(slug).results
        if "routed" in r.outcome
        for event in r.events
    }

    assert len(benign) > 10
    assert routed & benign == set()


@pytest.mark.parametrize(("feed", "benign"), [("as-sent", 8), ("with-process-facts", 6)])
def test_published_query_finds_six_of_twelve_and_lets_benign_events_through(
    feed: str, benign: int
) -> None:
    matched = _expectations(SLUGS[1], feed=feed)
    routed = {r.events for r in _report(SLUGS[1]).results if r.feed == feed}

    assert len({e.case for e in matched if e.malicious}) == 6
    assert sum(len(e.events) for e in matched if not e.malicious) == benign
    assert routed == {e.events for e in matched}


def test_page_on_the_published_query_states_the_numbers_of_its_cases() -> None:
    page = " ".join((QUERIES / SLUGS[1] / "WHY.md").read_text(encoding="utf-8").split())

    assert re.findall(r"(\d+) of the (\d+) attacks are found, and (\d+) everyday", page) == [
        ("6", "12", "8")
    ]
    assert re.findall(r"each event, (\d+) of (\d+), and (\d+) everyday", page) == [("6", "12", "6")]
    assert re.findall(r"on (\d+) events, (\d+) attacks among them", page) == [("51", "12")]
    assert _report(SLUGS[0]).events == 51


@pytest.mark.parametrize("slug", SLUGS)
def test_every_expected_event_has_a_fingerprint(slug: str) -> None:
    expected = expected_fingerprints(_rule(slug), QUERIES / slug)

    assert [prints for prints, _, _ in expected if not re.fullmatch("[0-9a-f]{32}", prints)] == []
    assert len(expected) == sum(
        len(e.events) for e in read_cases(QUERIES / slug).feeds[0].expectations
    )


def test_sample_inventory_has_a_source_for_each_file_named_like_its_table() -> None:
    assert set(sample_sources(QUERIES / "_inventory")) <= {table.name for table in TABLES}


def test_no_sample_inventory_has_no_sources() -> None:
    assert sample_sources(None) == {}


@cache
def _rule(slug: str) -> Rule:
    (rule,) = load_rules(QUERIES / slug, tables=TABLES).rules
    return rule


@cache
def _report(slug: str) -> CaseReport:
    return run_rule_cases(_rule(slug), QUERIES / slug)


def _expectations(slug: str, *, feed: str | None = None) -> list[Expectation]:
    feeds = read_cases(QUERIES / slug).feeds
    return [e for f in feeds if feed in (None, f.name) for e in f.expectations]
