"""`orchestrator findings`: what was found, what was hidden, and why."""

from __future__ import annotations

import json
import sys

import click

from orchestrator.cli.output import console, emit, format_option, plain, table
from orchestrator.cli.session import config_of, run_async, store_of
from orchestrator.model.decision import Decision
from orchestrator.model.finding import Finding, FindingState
from orchestrator.units import format_instant

_COLUMNS = {
    "id": "ID",
    "state": "STATE",
    "severity": "SEVERITY",
    "score": "SCORE",
    "count": "COUNT",
    "last_seen": "LAST SEEN",
    "title": "TITLE",
    "suppressed_by": "SUPPRESSED BY",
}


@click.group()
def findings() -> None:
    """List, show and explain findings; suppressed ones are kept and listed like any other."""


@findings.command("list")
@click.option("--state", type=click.Choice([s.value for s in FindingState]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@format_option
@click.pass_context
def list_findings(ctx: click.Context, state: str | None, limit: int, output_format: str) -> None:
    """List findings, last seen first."""
    wanted = FindingState(state) if state else None

    async def read() -> list[Finding]:
        async with store_of(config_of(ctx)) as store:
            return await store.findings(state=wanted, limit=limit)

    rows = [summary_of(finding) for finding in run_async(read())]
    emit(rows, columns=_COLUMNS, output_format=output_format, empty="No findings yet.")


@findings.command("show")
@click.argument("finding_id")
@click.option("--json", "as_json", is_flag=True, help="The whole finding, for programs.")
@click.pass_context
def show_finding(ctx: click.Context, finding_id: str, as_json: bool) -> None:
    """Show one finding with all its fields. An id may be cut to its first characters."""
    finding = _one(ctx, finding_id)
    if as_json:
        click.echo(json.dumps(document_of(finding), ensure_ascii=False, indent=2))
        return
    facts = {"field": "FIELD", "value": "VALUE"}
    out = console()
    out.print(table([summary_of(finding)], columns=_COLUMNS))
    out.print()
    rows = [{"field": name, "value": value} for name, value in finding.fields.items()]
    out.print(table(rows, columns=facts))


@findings.command("explain")
@click.argument("finding_id")
@click.pass_context
def explain_finding(ctx: click.Context, finding_id: str) -> None:
    """Tell the story of one finding: each stage's verdict, its reason and its evidence."""
    finding = _one(ctx, finding_id)
    click.echo(f"{plain(finding.title)}  [{finding.state.value}]  {finding.id}")
    click.echo(
        f"rule {finding.rule_slug} version {finding.rule_version}, run {finding.run_id}, "
        f"{finding.event_count} events from {format_instant(finding.first_seen)} "
        f"to {format_instant(finding.last_seen)}"
    )
    for part in finding.score_parts:
        click.echo(f"  score {part.points:+4d}  {plain(part.source)}: {plain(part.reason)}")
    click.echo(f"  score {finding.score:4d}  in all")
    for decision in finding.decisions:
        click.echo(_decision_line(decision))
        for name, value in decision.evidence:
            click.echo(f"      {plain(name)}: {plain(value)}")


def summary_of(finding: Finding) -> dict[str, object]:
    """Return the columns of a listing, JSON-ready."""
    return {
        "id": finding.id[:12],
        "rule": finding.rule_slug,
        "state": finding.state.value,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "score": finding.score,
        "count": finding.event_count,
        "first_seen": format_instant(finding.first_seen),
        "last_seen": format_instant(finding.last_seen),
        "title": finding.title,
        "suppressed_by": finding.suppressed_by,
    }


def document_of(finding: Finding) -> dict[str, object]:
    """Return the whole finding, JSON-ready."""
    return summary_of(finding) | {
        "id": finding.id,
        "fingerprint": finding.fingerprint,
        "generation": finding.generation,
        "revision": finding.revision,
        "rule_version": finding.rule_version,
        "run": finding.run_id,
        "fields": dict(finding.fields),
        "score_parts": [
            {"source": p.source, "points": p.points, "reason": p.reason}
            for p in finding.score_parts
        ],
        "decisions": [
            {
                "at": format_instant(d.at),
                "stage": d.stage,
                "verdict": d.verdict.value,
                "subject": d.subject,
                "reason": d.reason,
                "evidence": dict(d.evidence),
            }
            for d in finding.decisions
        ],
    }


def _decision_line(decision: Decision) -> str:
    subject = f" {plain(decision.subject)}" if decision.subject else ""
    return f"  {decision.stage:<10} {decision.verdict.value}{subject}: {plain(decision.reason)}"


def _one(ctx: click.Context, finding_id: str) -> Finding:
    async def read() -> Finding | None:
        async with store_of(config_of(ctx)) as store:
            return await store.finding(finding_id)

    finding = run_async(read())
    if finding is None:
        click.echo(f"error: no finding, or more than one, starts with {finding_id!r}", err=True)
        sys.exit(1)
    return finding
