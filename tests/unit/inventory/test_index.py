from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.inventory.index import NEIGHBOURS, FactIndex, covers
from orchestrator.model.inventory import Fact
from tests.unit.inventory.making import NOON, at, make_fact, table_of

MANY = 100_000


def proposed(index: FactIndex, value: str, *, hour: str = "12:00") -> list[Fact]:
    return index.proposals([value], first=at(hour), last=at(hour))


def test_proposals_among_many_hosts_are_those_of_the_name() -> None:
    """Fault D15. What is proposed is what is compared: no scan, however many facts there are."""
    index = FactIndex(
        table_of("runner"),
        [make_fact("runner", id=str(n), host=f"h{n}.example", account="u") for n in range(MANY)],
    )

    assert [fact.id for fact in proposed(index, "H99999")] == ["99999"]
    assert proposed(index, "h100000") == []


def test_proposals_of_a_busy_runner_are_its_valid_jobs_and_their_neighbours() -> None:
    """Fault D15, of one host's jobs."""
    start = NOON - timedelta(minutes=MANY // 2)
    jobs = [
        make_fact(
            "pipeline",
            id=str(n),
            host="h1",
            account="u",
            program="/x",
            valid_from=start + timedelta(minutes=n),
            valid_until=start + timedelta(minutes=n + 1),
        )
        for n in range(MANY)
    ]
    index = FactIndex(table_of("pipeline"), jobs)

    found = proposed(index, "h1")

    assert [fact.id for fact in found if covers(fact, NOON, NOON)] == [str(MANY // 2)]
    assert len(found) <= 2 * NEIGHBOURS + 1


def test_proposals_long_fact_behind_many_short_ones_is_found() -> None:
    jobs = [
        make_fact(
            "runner",
            id=str(n),
            host="h1",
            account="u",
            valid_from=at("06:00") + timedelta(seconds=n),
            valid_until=at("06:00") + timedelta(seconds=n + 1),
        )
        for n in range(1_000)
    ]
    ever = make_fact("runner", id="ever", host="h1", account="u")
    index = FactIndex(table_of("runner"), [*jobs, ever])

    assert ever in proposed(index, "h1")


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("/usr/bin/git", "/usr/bin/git"),
        ("/opt/az/bin/python3*", "/opt/az/bin/python3.12"),
        ("\\Device\\*\\WindowsAzureGuestAgent.exe", "\\device\\x\\windowsazureguestagent.exe"),
        ("*\\git.exe", "C:\\Git\\git.exe"),
        ("*homebrew*", "/opt/homebrew/bin/gh"),
    ],
)
def test_proposals_patterns_are_found_by_any_end(pattern: str, value: str) -> None:
    fact = make_fact("native_tool", image=pattern)
    others = [make_fact("native_tool", id=str(n), image=f"/other/{n}/*/x{n}") for n in range(500)]
    index = FactIndex(table_of("native_tool"), [fact, *others])

    assert proposed(index, value) == [fact]


def test_proposals_of_alternatives_are_found_by_each() -> None:
    fact = make_fact("runner", host="h1\nh2", account="u")
    index = FactIndex(table_of("runner"), [fact])

    assert proposed(index, "h2") == proposed(index, "h1") == [fact]


@pytest.mark.parametrize("value", ["", "-", "localhost", "10.0.0.1"])
def test_proposals_without_a_name_are_none(value: str) -> None:
    index = FactIndex(table_of("runner"), [make_fact("runner", host="h1", account="u")])

    assert proposed(index, value) == []
