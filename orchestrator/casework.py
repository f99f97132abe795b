"""Judging a rule's own cases: build and triage as in production, under a sample inventory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from orchestrator.ids import RunId
from orchestrator.inventory.load import load_inventory
from orchestrator.inventory.lookup import Inventory
from orchestrator.inventory.sources.base import SourceSettings
from orchestrator.model.finding import FindingState
from orchestrator.model.rule import Rule
from orchestrator.model.run import Run, RunState
from orchestrator.model.window import Window
from orchestrator.rules.cases import (
    CaseReport,
    Judgement,
    Row,
    attributed_rows,
    read_cases,
    run_cases,
)
from orchestrator.triage.build import build_findings
from orchestrator.triage.stages import triage
from orchestrator.units import from_epoch_ms

SAMPLE_MAX_AGE = timedelta(days=2)
"""Samples carry their own `as_of`; a day of cases must find them fresh."""


def run_rule_cases(rule: Rule, folder: Path) -> CaseReport:
    """Run the rule's cases with the inventory that they name.

    Raises:
        RuleError: The cases cannot be read.
        CqlError: The engine cannot run the query.
    """
    case_file = read_cases(folder)
    window = Window(from_epoch_ms(case_file.start_ms), from_epoch_ms(case_file.end_ms))
    inventory = load_inventory(sample_sources(case_file.inventory), now=window.end)

    def judge(rule: Rule, rows: Sequence[Row]) -> list[Judgement]:
        return [_judge(rule, row, window=window, inventory=inventory) for row in rows]

    return run_cases(rule, folder, judge=judge)


def sample_sources(folder: Path | None) -> dict[str, SourceSettings]:
    """Return a source for each file of a sample inventory; a file is named like its table."""
    if folder is None:
        return {}
    return {
        path.stem: SourceSettings(path=path, max_age=SAMPLE_MAX_AGE)
        for path in sorted(folder.glob("*.csv"))
    }


def _judge(rule: Rule, row: Row, *, window: Window, inventory: Inventory) -> Judgement:
    run = _run(rule, window)
    (judged,) = triage(
        build_findings(rule, [row], run=run),
        rule=rule,
        facts=inventory,
        previous={},
        now=window.end,
        run=run,
    )
    suppressed = judged.finding.state is FindingState.SUPPRESSED
    return Judgement(suppressed_by=judged.finding.suppressed_by if suppressed else "")


def _run(rule: Rule, window: Window) -> Run:
    return Run(
        id=RunId("case"),
        rule_id=rule.id,
        rule_version=rule.version,
        window=window,
        state=RunState.RUNNING,
        attempt=1,
        epoch=1,
        owner="cases",
        lease_until=window.end,
    )


def expected_fingerprints(rule: Rule, folder: Path) -> list[tuple[str, str, str]]:
    """Return fingerprint, case and expected suppression for each event of the rule's first feed.

    Raises:
        RuleError: The cases cannot be read.
        CqlError: The engine cannot run the query.
    """
    case_file = read_cases(folder)
    window = Window(from_epoch_ms(case_file.start_ms), from_epoch_ms(case_file.end_ms))
    by_event = {
        event: build_findings(rule, [row], run=_run(rule, window))[0].fingerprint
        for events, row in attributed_rows(rule, case_file)
        for event in events
    }
    return [
        (by_event.get(event, f"no row for event {event}"), expected.case, expected.suppressed_by)
        for expected in case_file.feeds[0].expectations
        for event in expected.events
    ]
