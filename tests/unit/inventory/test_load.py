from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.inventory import TABLES, SourceSettings, load_inventory
from orchestrator.model.inventory import SourceState
from tests.unit.inventory.making import FILES, NOW, at, make_subject, sample_inventory

HEADER = "# as_of: 2026-03-10T12:00:00Z\nhost,account\n"


def settings(tmp_path: Path, text: str) -> dict[str, SourceSettings]:
    path = tmp_path / "runners.csv"
    path.write_text(text)
    return {"runner": SourceSettings(path=path, max_age=timedelta(hours=12))}


def test_sample_inventory_loads_every_table_without_a_problem() -> None:
    inventory = sample_inventory()

    assert inventory.problems == ()
    assert set(FILES) == {table.name for table in TABLES}
    assert {inventory.status(table).state for table in FILES} == {SourceState.FRESH}


def test_load_inventory_without_a_source_is_missing() -> None:
    inventory = load_inventory({}, now=NOW)

    assert inventory.status("runner").state is SourceState.MISSING
    assert inventory.status("runner").detail == "no source is configured for runner"


def test_load_inventory_bad_file_is_missing_with_the_reason(tmp_path: Path) -> None:
    inventory = load_inventory(settings(tmp_path, HEADER + "h1,u\nh2,\n"), now=NOW)

    status = inventory.status("runner")
    assert status.state is SourceState.MISSING
    assert status.detail.endswith(
        "runners.csv:4: account is empty. Fill it in: an empty cell would match everything."
    )
    assert len(inventory.problems) == 1


def test_load_inventory_bad_file_leaves_the_others(tmp_path: Path) -> None:
    sources = settings(tmp_path, HEADER + "h1,u\n")
    sources["host"] = SourceSettings(path=tmp_path / "absent.csv")

    inventory = load_inventory(sources, now=NOW)

    assert inventory.status("runner").state is SourceState.FRESH
    assert inventory.status("host").state is SourceState.MISSING


def test_load_inventory_unknown_table_is_a_problem(tmp_path: Path) -> None:
    inventory = load_inventory({"runners": SourceSettings(path=tmp_path)}, now=NOW)

    assert [problem.message for problem in inventory.problems] == ["there is no table 'runners'"]


def test_load_inventory_no_rows_is_empty(tmp_path: Path) -> None:
    inventory = load_inventory(settings(tmp_path, HEADER), now=NOW)

    assert inventory.status("runner").state is SourceState.EMPTY


@pytest.mark.parametrize(
    ("now", "state"),
    [
        ("23:59", SourceState.FRESH),
        ("12:00", SourceState.FRESH),
        ("11:57", SourceState.FRESH),
    ],
)
def test_status_within_its_age_is_fresh(tmp_path: Path, now: str, state: SourceState) -> None:
    inventory = load_inventory(settings(tmp_path, HEADER + "h1,u\n"), now=at(now))

    assert inventory.status("runner").state is state


def test_as_of_later_the_same_facts_become_stale(tmp_path: Path) -> None:
    inventory = load_inventory(settings(tmp_path, HEADER + "h1,u\n"), now=NOW)

    later = inventory.as_of(at("12:00") + timedelta(hours=12, seconds=1))

    assert inventory.status("runner").state is SourceState.FRESH
    assert later.status("runner").state is SourceState.STALE
    assert later.status("runner").detail.endswith("; older than 12h")
    assert not later.match("runner", make_subject(host="h1", user="u")).holds


def test_load_inventory_refused_reading_keeps_the_previous_facts(tmp_path: Path) -> None:
    first = load_inventory(settings(tmp_path, HEADER + "h1,u\n"), now=NOW)

    second = load_inventory(settings(tmp_path, HEADER + "h1,\n"), now=NOW, previous=first)

    assert second.match("runner", make_subject(host="h1", user="u")).holds
    assert second.status("runner").state is SourceState.FRESH
    assert "the newest reading was refused" in second.status("runner").detail
    assert len(second.problems) == 1


def test_load_inventory_refused_readings_do_not_stop_the_ageing(tmp_path: Path) -> None:
    first = load_inventory(settings(tmp_path, HEADER + "h1,u\n"), now=NOW)

    later = at("12:00") + timedelta(hours=13)
    second = load_inventory(settings(tmp_path, HEADER + "h1,\n"), now=later, previous=first)

    assert second.status("runner").state is SourceState.STALE


def test_load_inventory_most_facts_gone_at_once_is_not_believed(tmp_path: Path) -> None:
    rows = "".join(f"h{number},u\n" for number in range(10))
    first = load_inventory(settings(tmp_path, HEADER + rows), now=NOW)

    second = load_inventory(settings(tmp_path, HEADER + rows[:20]), now=NOW, previous=first)

    assert [problem.message for problem in second.problems] == ["4 facts, down from 10"]
    assert second.match("runner", make_subject(host="h9", user="u")).holds


def test_load_inventory_half_of_the_facts_gone_is_believed(tmp_path: Path) -> None:
    rows = "".join(f"h{number},u\n" for number in range(10))
    first = load_inventory(settings(tmp_path, HEADER + rows), now=NOW)

    second = load_inventory(settings(tmp_path, HEADER + rows[:25]), now=NOW, previous=first)

    assert second.problems == ()
    assert not second.match("runner", make_subject(host="h9", user="u")).known
