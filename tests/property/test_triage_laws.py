"""Laws of triage: counts add up, revisions move by one, no stage loses a finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ids import Fingerprint, RunId
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.rule import Confidence, Severity
from orchestrator.triage.build import fill_title
from orchestrator.triage.dedup import Change, deduplicate
from orchestrator.triage.score import MOST, score
from tests.unit.triage.making import at, make_context, make_finding, make_row, make_rule

TOLD = (Change.OPENED, Change.UPDATED)


@st.composite
def occurrence(draw: st.DrawFn) -> Finding:
    first = at("12:00") + timedelta(minutes=draw(st.integers(-3_000, 3_000)))
    return replace(
        make_finding(
            state=draw(st.sampled_from([FindingState.OPEN, FindingState.SUPPRESSED])),
            severity=draw(st.sampled_from(Severity)),
            confidence=draw(st.sampled_from(Confidence)),
            score=draw(st.integers(0, 100)),
            count=draw(st.integers(1, 9)),
            first=first,
            last=first + timedelta(minutes=draw(st.integers(0, 60))),
        ),
        fingerprint=Fingerprint(draw(st.sampled_from("abc")) * 32),
    )


@given(st.lists(occurrence(), max_size=12))
def test_deduplicate_of_one_run_counts_every_row_once(rows: list[Finding]) -> None:
    judged = deduplicate(rows, previous={}, context=make_context())

    assert sum(item.finding.event_count for item in judged) == sum(r.event_count for r in rows)
    assert [item.finding.fingerprint for item in judged] == list(
        dict.fromkeys(row.fingerprint for row in rows)
    )
    for item in judged:
        states = {r.state for r in rows if r.fingerprint == item.finding.fingerprint}
        assert (FindingState.OPEN in states) is (item.finding.state is FindingState.OPEN)


@given(st.lists(st.lists(occurrence(), max_size=4), max_size=6))
def test_deduplicate_over_runs_moves_revisions_by_one_and_only_when_told(
    runs: list[list[Finding]],
) -> None:
    stored: dict[Fingerprint, Finding] = {}
    for number, rows in enumerate(runs):
        fresh = [replace(row, run_id=RunId(str(number))) for row in rows]
        for item in deduplicate(fresh, previous=stored, context=make_context()):
            new, old = item.finding, stored.get(item.finding.fingerprint)
            if old is None or new.generation != old.generation:
                assert new.revision == 1
                assert new.generation == (1 if old is None else old.generation + 1)
                assert item.change in (Change.OPENED, Change.SUPPRESSED)
            else:
                assert new.id == old.id
                assert new.revision == old.revision + (item.change in TOLD)
                assert new.last_seen >= old.last_seen
                assert not (old.state is FindingState.OPEN and new.state is not old.state)
            assert (new.suppressed_by == "") is (new.state is FindingState.OPEN)
            stored[new.fingerprint] = new


@given(occurrence(), st.dictionaries(st.sampled_from(["evidence", "suspicionScore"]), st.text()))
def test_score_parts_sum_to_a_score_in_range(finding: Finding, fields: dict[str, str]) -> None:
    judged = score(
        replace(finding, fields=make_row(fields)), make_context(make_rule(enrich=("host",)))
    )

    assert 0 <= judged.score <= MOST
    assert sum(part.points for part in judged.score_parts) == judged.score


@given(st.text(max_size=40), st.dictionaries(st.text(max_size=4), st.text(max_size=40)))
def test_fill_title_never_raises_and_is_one_line(template: str, row: dict[str, str]) -> None:
    title = fill_title(template.replace("\n", ""), row)

    assert "\n" not in title
