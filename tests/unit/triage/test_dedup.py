from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.ids import Fingerprint, RunId, derive_finding_id
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.rule import Schedule, Severity
from orchestrator.triage.dedup import Change, Judged, deduplicate
from tests.unit.triage.making import at, make_context, make_finding, make_rule, make_run

OPEN, SUPPRESSED, CLOSED = FindingState.OPEN, FindingState.SUPPRESSED, FindingState.CLOSED
RUN = make_run()


def judge(new: Finding, old: Finding | None, *, lookback: timedelta = timedelta(0)) -> Judged:
    rule = make_rule(schedule=Schedule(every=timedelta(minutes=5), lookback=lookback))
    previous = {} if old is None else {old.fingerprint: old}
    (judged,) = deduplicate([new], previous=previous, context=make_context(rule, run=RUN))
    return judged


def again(
    old: Finding,
    after: timedelta = timedelta(minutes=10),
    changes: Mapping[str, object] | None = None,
    /,
    **more: object,
) -> Finding:
    """Return a new occurrence, of another run, `after` the last of `old`."""
    fresh = make_finding(first=old.last_seen + after, run=RUN)
    return replace(fresh, **{**(changes or {}), **more})  # type: ignore[arg-type]  # fields are checked at run time


@pytest.mark.parametrize(
    ("state", "change"), [(OPEN, Change.OPENED), (SUPPRESSED, Change.SUPPRESSED)]
)
def test_deduplicate_never_seen_before_is_the_first_word(
    state: FindingState, change: Change
) -> None:
    new = make_finding(state=state)

    assert judge(new, None) == Judged(finding=new, change=change)


def test_deduplicate_seen_again_is_counted_and_nobody_is_told() -> None:
    old = make_finding(first=at("12:00"), last=at("12:05"), count=3, revision=2)

    judged = judge(again(old, event_count=4), old)

    assert judged.change is Change.UNCHANGED
    found = judged.finding
    assert (found.id, found.generation, found.revision) == (old.id, 1, 2)
    assert (found.event_count, found.first_seen, found.last_seen) == (7, at("12:00"), at("12:15"))
    assert found.run_id == RUN.id
    assert found.decisions[-1].verdict is Verdict.DEDUPLICATED
    assert found.decisions[-1].reason == "seen again, nothing new to tell"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"severity": Severity.HIGH}, "severity rose from medium to high"),
        ({"score": 50}, "score rose from 40 to 50"),
    ],
)
def test_deduplicate_worse_than_before_is_told(changes: dict[str, object], reason: str) -> None:
    old = make_finding(revision=2)

    judged = judge(again(old, timedelta(minutes=10), changes), old)

    assert (judged.change, judged.finding.revision) == (Change.UPDATED, 3)
    assert judged.finding.decisions[-1].reason == reason


@pytest.mark.parametrize("changes", [{"score": 49}, {"score": 0}, {"severity": Severity.LOW}])
def test_deduplicate_not_worse_is_not_told_and_keeps_the_worst(changes: dict[str, object]) -> None:
    old = make_finding(score=40)

    judged = judge(again(old, timedelta(minutes=10), changes), old)

    assert (judged.change, judged.finding.revision) == (Change.UNCHANGED, 1)
    assert judged.finding.severity is Severity.MEDIUM
    assert judged.finding.score == max(40, judged.finding.score)


@pytest.mark.parametrize(
    ("silence", "change"),
    [
        (timedelta(hours=6), Change.UNCHANGED),
        (timedelta(hours=6, seconds=1), Change.UPDATED),
        (timedelta(hours=24), Change.UPDATED),
        (timedelta(hours=24, seconds=1), Change.OPENED),
        (timedelta(hours=-3), Change.UNCHANGED),
    ],
)
def test_deduplicate_silence_decides_whether_it_is_told_again(
    silence: timedelta, change: Change
) -> None:
    old = make_finding()

    assert judge(again(old, silence), old).change is change


def test_deduplicate_after_reopen_after_is_a_new_generation() -> None:
    old = make_finding(generation=3, revision=5, count=9)

    judged = judge(again(old, timedelta(hours=25)), old)

    found = judged.finding
    assert found.id == derive_finding_id(old.fingerprint, generation=4)
    assert (found.generation, found.revision, found.event_count) == (4, 1, 1)
    assert found.decisions[-1].verdict is Verdict.REOPENED


def test_deduplicate_closed_finding_is_a_new_generation_at_once() -> None:
    old = make_finding(state=CLOSED)

    judged = judge(again(old), old)

    assert (judged.change, judged.finding.generation) == (Change.OPENED, 2)


def test_deduplicate_suppressed_and_no_longer_excused_is_opened() -> None:
    old = make_finding(state=SUPPRESSED, count=2)

    judged = judge(again(old), old)

    assert judged.change is Change.OPENED
    assert (judged.finding.state, judged.finding.revision) == (OPEN, 2)
    assert judged.finding.suppressed_by == ""
    assert judged.finding.event_count == 3
    assert judged.finding.decisions[-1].reason == (
        "it was suppressed by ci-runner before; this occurrence is not"
    )


def test_deduplicate_suppressed_again_stays_suppressed() -> None:
    old = make_finding(state=SUPPRESSED)

    judged = judge(again(old, state=SUPPRESSED, suppressed_by="other"), old)

    assert judged.change is Change.SUPPRESSED
    assert (judged.finding.revision, judged.finding.suppressed_by) == (1, "other")


def test_deduplicate_open_finding_is_not_closed_by_an_excused_occurrence() -> None:
    old = make_finding(fields={"image": "/usr/bin/tar"}, severity=Severity.MEDIUM)
    new = again(
        old, state=SUPPRESSED, suppressed_by="ci", severity=Severity.HIGH, score=90, fields={}
    )

    judged = judge(new, old)

    assert judged.change is Change.UNCHANGED
    assert (judged.finding.state, judged.finding.suppressed_by) == (OPEN, "")
    assert (judged.finding.fields, judged.finding.severity) == (old.fields, Severity.MEDIUM)
    assert judged.finding.event_count == 2


def test_deduplicate_same_window_twice_counts_once() -> None:
    old = make_finding(run=RUN, count=5)

    judged = judge(again(old, timedelta(0), event_count=5), old)

    assert judged.finding.event_count == 5


def test_deduplicate_overlapping_windows_keep_the_larger_count() -> None:
    old = make_finding(first=at("12:00"), last=at("12:10"), count=5)

    judged = judge(
        again(old, timedelta(minutes=-5), event_count=6), old, lookback=timedelta(hours=1)
    )

    assert judged.finding.event_count == 6


def test_deduplicate_unchanged_finding_still_says_who_was_told() -> None:
    routed = Decision(stage="route", verdict=Verdict.ROUTED, reason="by default", at=at("12:00"))
    old = replace(make_finding(), decisions=(routed,))

    unchanged = judge(again(old), old).finding
    updated = judge(again(old, score=99), old).finding

    assert [decision.verdict for decision in unchanged.decisions] == [
        Verdict.ROUTED,
        Verdict.DEDUPLICATED,
    ]
    assert [decision.verdict for decision in updated.decisions] == [Verdict.DEDUPLICATED]


def test_deduplicate_many_times_does_not_grow() -> None:
    finding = make_finding()
    for number in range(50):
        new = again(finding, run_id=RunId(f"run {number}"))
        finding = judge(new, finding).finding

    assert len(finding.decisions) == 1
    assert finding.event_count == 51


def test_deduplicate_rows_of_one_identity_become_one_finding() -> None:
    rows = [
        make_finding(state=SUPPRESSED, first=at("12:00"), score=90, severity=Severity.HIGH),
        make_finding(first=at("12:01"), score=40, count=2),
        make_finding(first=at("11:59"), score=45),
    ]

    (judged,) = deduplicate(rows, previous={}, context=make_context())

    found = judged.finding
    assert judged.change is Change.OPENED
    assert (found.state, found.revision, found.event_count) == (OPEN, 1, 4)
    assert (found.score, found.severity) == (45, Severity.MEDIUM)
    assert (found.first_seen, found.last_seen) == (at("11:59"), at("12:01"))


def test_deduplicate_different_identities_stay_in_order() -> None:
    other = replace(make_finding(), fingerprint=Fingerprint("e" * 32))

    judged = deduplicate([other, make_finding()], previous={}, context=make_context())

    assert [item.finding.fingerprint[0] for item in judged] == ["e", "f"]
