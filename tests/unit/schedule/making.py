"""A rule, results and a scripted searcher for schedule tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.client.types import Completeness, JobStats, QueryResult
from orchestrator.ids import RuleId
from orchestrator.model.rule import (
    Confidence,
    DeploySpec,
    FindingSpec,
    Rule,
    RuleStatus,
    Schedule,
    Severity,
    TriageSpec,
)
from orchestrator.model.window import Window

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
FIRST = Window(NOON, NOON + timedelta(minutes=5))


def make_rule(number: int = 1, **changes: Any) -> Rule:
    rule = Rule(
        id=RuleId(f"5f0c0000-0000-4000-8000-{number:012}"),
        slug=f"rule_{number}",
        name=f"Rule {number}",
        description="",
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        status=RuleStatus.STABLE,
        attack=(),
        owner="detection@example.com",
        data=(),
        schedule=Schedule(every=timedelta(minutes=5), delay=timedelta(minutes=2)),
        finding=FindingSpec(key=("ComputerName",), title="{ComputerName}"),
        triage=TriageSpec(),
        deploy=DeploySpec(),
        query="groupBy(ComputerName)",
        runbook=(),
        version="abc123abc123",
    )
    return replace(rule, **changes)


def make_result(*missing: str) -> QueryResult:
    """Return a result with one row; `missing` are the reasons why it is incomplete."""
    return QueryResult(
        rows=({"ComputerName": "ci-1"},),
        fields=("ComputerName",),
        is_aggregate=True,
        completeness=Completeness(reasons=missing),
        warnings=(),
        stats=JobStats(job_id="P1-a"),
    )


class ScriptedSearcher:
    """Answers with its script, in order; the last answer again and again."""

    def __init__(self, *script: QueryResult | Exception | Callable[[], object]) -> None:
        self.script = list(script)
        self.asked: list[Window] = []

    async def search(self, rule: Rule, window: Window) -> QueryResult:
        self.asked.append(window)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, QueryResult):
            return step
        step()
        return make_result()
