"""`orchestrator runs`: the auditor's question, "was this hour searched?"."""

from __future__ import annotations

import click

from orchestrator.cli.loading import load
from orchestrator.cli.output import emit, format_option
from orchestrator.cli.session import config_of, run_async, store_of
from orchestrator.model.run import Run
from orchestrator.units import format_instant

_COLUMNS = {
    "id": "ID",
    "rule": "RULE",
    "start": "FROM",
    "end": "UNTIL",
    "state": "STATE",
    "attempt": "TRY",
    "rows": "ROWS",
    "new": "NEW",
    "suppressed": "SUPPRESSED",
    "notified": "MESSAGES",
    "reason": "REASON",
}


@click.group()
def runs() -> None:
    """List runs: one rule over one window each, with its receipt."""


@runs.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@format_option
@click.pass_context
def list_runs(ctx: click.Context, limit: int, output_format: str) -> None:
    """List runs, latest window first."""
    config = config_of(ctx)

    async def read() -> list[Run]:
        async with store_of(config) as store:
            return await store.runs(limit=limit)

    names = {rule.id: rule.slug for rule in load(config.rules.path).rules}
    rows = [row_of(run, name=names.get(run.rule_id, run.rule_id)) for run in run_async(read())]
    emit(rows, columns=_COLUMNS, output_format=output_format, empty="No runs yet.")


def row_of(run: Run, *, name: str) -> dict[str, object]:
    """Return one run with its receipt, JSON-ready; counts are null while it has no receipt."""
    receipt = run.receipt
    return {
        "id": run.id[:12],
        "rule": name,
        "rule_id": run.rule_id,
        "version": run.rule_version,
        "start": format_instant(run.window.start),
        "end": format_instant(run.window.end),
        "state": run.state.value,
        "attempt": run.attempt,
        "reason": run.reason,
        "retry_at": format_instant(run.retry_at) if run.retry_at else None,
        "finished_at": format_instant(run.finished_at) if run.finished_at else None,
        "rows": receipt.search.rows if receipt else None,
        "new": receipt.findings_new if receipt else None,
        "seen_again": receipt.findings_seen_again if receipt else None,
        "suppressed": receipt.suppressed if receipt else None,
        "notified": receipt.notified if receipt else None,
        "notes": list(receipt.notes) if receipt else [],
        "job": receipt.search.job_id if receipt else None,
    }
