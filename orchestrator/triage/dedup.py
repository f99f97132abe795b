"""The same thing again: onto the finding that is open already, or a new life of it.

One fingerprint has one newest generation. Seen again within the rule's `reopen_after` it is counted
there; after that it is a new generation. A receiver hears again, by a raised revision, only if it
matters: it got worse, it was suppressed and no longer is, or it came back after a silence. A
finding once open stays open when a later occurrence is excused: the earlier one was not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from orchestrator.ids import Fingerprint, derive_finding_id
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.finding import Finding, FindingState
from orchestrator.model.rule import Rule
from orchestrator.triage.context import TriageContext
from orchestrator.units import format_duration, format_instant

STAGE = "deduplicate"
SCORE_STEP = 10
"""A score that rose by less tells nobody anything new."""
SHORTEST_SILENCE = timedelta(hours=1)
"""Shorter pauses are the same occurrence; otherwise a quarter of the rule's `reopen_after`."""


class Change(StrEnum):
    """What a run did to a finding, for those who decide whom to tell."""

    OPENED = "opened"
    """The first word on it."""
    UPDATED = "updated"
    """Known, and worth telling again."""
    UNCHANGED = "unchanged"
    """Counted; nobody is told."""
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A finding's whole new state, and what changed."""

    finding: Finding
    change: Change


def deduplicate(
    findings: Sequence[Finding],
    *,
    previous: Mapping[Fingerprint, Finding],
    context: TriageContext,
) -> list[Judged]:
    """Return one judged finding a fingerprint, in order of first appearance.

    Args:
        findings: Judged rows of one run; several may share a fingerprint.
        previous: The newest generation of each fingerprint that was ever stored.
        context: The run, its rule and its time.
    """
    folded: dict[Fingerprint, Finding] = {}
    for finding in findings:
        earlier = folded.get(finding.fingerprint)
        folded[finding.fingerprint] = _fold(earlier, finding) if earlier else finding
    return [
        _judge(finding, previous.get(fingerprint), context)
        for fingerprint, finding in folded.items()
    ]


def _fold(left: Finding, right: Finding) -> Finding:
    """Join two rows of one run: the open one, then the higher score, speaks for both."""
    main = min(left, right, key=lambda item: (item.state is not FindingState.OPEN, -item.score))
    return replace(
        main,
        severity=max(left.severity, right.severity, key=lambda severity: severity.rank)
        if left.state == right.state
        else main.severity,
        event_count=left.event_count + right.event_count,
        first_seen=min(left.first_seen, right.first_seen),
        last_seen=max(left.last_seen, right.last_seen),
    )


def _judge(new: Finding, old: Finding | None, context: TriageContext) -> Judged:
    if old is None:
        return Judged(finding=new, change=_first_change(new))
    silence = new.first_seen - old.last_seen
    if old.state is FindingState.CLOSED or silence > context.rule.finding.reopen_after:
        return _reopen(new, old, context)
    return _merge(new, old, silence, context)


def _first_change(finding: Finding) -> Change:
    return Change.OPENED if finding.state is FindingState.OPEN else Change.SUPPRESSED


def _reopen(new: Finding, old: Finding, context: TriageContext) -> Judged:
    generation = old.generation + 1
    finding = replace(
        new,
        id=derive_finding_id(new.fingerprint, generation=generation),
        generation=generation,
        decisions=(
            *new.decisions,
            _decision(
                Verdict.REOPENED,
                f"generation {generation}: last seen {format_instant(old.last_seen)}, over "
                f"{format_duration(context.rule.finding.reopen_after)} ago or closed since",
                old,
                context,
            ),
        ),
    )
    return Judged(finding=finding, change=_first_change(finding))


def _merge(new: Finding, old: Finding, silence: timedelta, context: TriageContext) -> Judged:
    change, reason = _what_changed(new, old, silence, context.rule)
    # An excused occurrence must not overwrite what an open finding shows and why it was opened.
    main = old if old.state is FindingState.OPEN and new.state is FindingState.SUPPRESSED else new
    # Nor may a weaker one make it look harmless: what was worst stays, within this life.
    worst = old if old.state == main.state and old.score > main.score else main
    severity = max(
        (item.severity for item in (old, main) if item.state == main.state),
        key=lambda item: item.rank,
    )
    decision = _decision(Verdict.DEDUPLICATED, reason, old, context)
    is_told = change in (Change.OPENED, Change.UPDATED)
    finding = replace(
        main,
        id=old.id,
        generation=old.generation,
        revision=old.revision + 1 if is_told else old.revision,
        rule_version=new.rule_version,
        run_id=new.run_id,
        severity=severity,
        score=worst.score,
        score_parts=worst.score_parts,
        event_count=_count(new, old, context),
        first_seen=min(old.first_seen, new.first_seen),
        last_seen=max(old.last_seen, new.last_seen),
        decisions=(*_kept(main, old, is_told=is_told), decision),
    )
    return Judged(finding=finding, change=change)


def _what_changed(new: Finding, old: Finding, silence: timedelta, rule: Rule) -> tuple[Change, str]:
    is_open = new.state is FindingState.OPEN
    was_open = old.state is FindingState.OPEN
    if not is_open and not was_open:
        return Change.SUPPRESSED, "seen again, and suppressed again"
    if not is_open:
        return (
            Change.UNCHANGED,
            f"seen again; {new.suppressed_by} excuses this occurrence, not the earlier ones",
        )
    if not was_open:
        return (
            Change.OPENED,
            f"it was suppressed by {old.suppressed_by} before; this occurrence is not",
        )
    if new.severity.rank > old.severity.rank:
        return Change.UPDATED, f"severity rose from {old.severity} to {new.severity}"
    if new.score >= old.score + SCORE_STEP:
        return Change.UPDATED, f"score rose from {old.score} to {new.score}"
    if silence > quiet_time(rule):
        return Change.UPDATED, f"seen again after {format_duration(_minutes(silence))} of silence"
    return Change.UNCHANGED, "seen again, nothing new to tell"


def quiet_time(rule: Rule) -> timedelta:
    """Return the silence after which a return is worth telling."""
    return max(SHORTEST_SILENCE, rule.finding.reopen_after / 4)


def _minutes(duration: timedelta) -> timedelta:
    return timedelta(minutes=duration // timedelta(minutes=1))


def _count(new: Finding, old: Finding, context: TriageContext) -> int:
    """Return the events seen so far.

    Windows of a rule that looks back overlap, and a window run twice is the same window: their
    events are counted already, so the larger count is kept, a lower bound.
    """
    is_same_run = new.run_id == old.run_id
    overlaps = bool(context.rule.schedule.lookback) and new.first_seen <= old.last_seen
    if is_same_run or overlaps:
        return max(old.event_count, new.event_count)
    return old.event_count + new.event_count


def _kept(main: Finding, old: Finding, *, is_told: bool) -> tuple[Decision, ...]:
    """Return the decisions that stand: the newest judgement, and who was told if nobody is now.

    What earlier merges said is left out, so that a finding seen a thousand times stays small.
    """
    told = () if is_told or main is old else old.decisions
    return (
        *(d for d in main.decisions if d.verdict is not Verdict.DEDUPLICATED),
        *(d for d in told if d.verdict in (Verdict.ROUTED, Verdict.HELD)),
    )


def _decision(verdict: Verdict, reason: str, old: Finding, context: TriageContext) -> Decision:
    return Decision(
        stage=STAGE,
        verdict=verdict,
        reason=reason,
        evidence=(("finding", old.id), ("generation", str(old.generation))),
        at=context.now,
    )
