"""What a scan does for a query, as data: which fields it reads, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.cql.nodes import Query, Step
from orchestrator.engine.scan.merge import mergeable
from orchestrator.engine.scan.plan import ScanPlan, Tap


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What the scan keeps for one pipeline."""

    pipeline: str
    """`main query`, or the text that the subquery begins with."""
    fields: tuple[str, ...] | None
    """Fields read; None: whole events."""
    texts: tuple[tuple[str, ...], ...]
    """A line must hold one text of each group to be parsed."""
    filters: tuple[str, ...]
    """Steps applied while reading, as written."""
    groups: bool
    """Events are grouped while reading, and only the groups are kept."""
    window: str
    """`search`: the search's own window bounds it; `own`: the subquery's does, later."""


def explain(plan: ScanPlan, query: Query, *, use_ingest_time: bool = False) -> list[Explained]:
    """Return one entry for each pipeline that reads events, the main query first."""
    groups = mergeable(query, plan, use_ingest_time=use_ingest_time) is not None
    return [
        _explained(tap, query, is_main=number == 0, groups=groups)
        for number, tap in enumerate(plan.taps)
    ]


def _explained(tap: Tap, query: Query, *, is_main: bool, groups: bool) -> Explained:
    return Explained(
        pipeline="main query" if is_main else f"subquery {{{_shown(tap.pipeline.steps, query)}}}",
        fields=tap.fields,
        texts=tuple(tuple(sorted(texts)) for texts in tap.need),
        filters=tuple(_text_of(step, query) for step in tap.filters),
        groups=groups,
        window="own" if tap.has_own_window else "search",
    )


def _shown(steps: Sequence[Step], query: Query, *, limit: int = 60) -> str:
    text = _text_of(steps[0], query) if steps else ""
    return text if len(text) <= limit else f"{text[:limit]}…"


def _text_of(step: Step, query: Query) -> str:
    return " ".join(query.text[step.span.start : step.span.end].split())
