"""`orchestrator run` and `orchestrator serve`: due windows once, or on schedule until stopped."""

from __future__ import annotations

import sys

import click

from orchestrator.app import App, TickReport, arm_killpoint, open_app, stop_on_signals
from orchestrator.app import serve as serve_app
from orchestrator.cli.loading import fail_if_left_out, load_rules_or_report
from orchestrator.cli.output import console, table
from orchestrator.cli.session import config_of, run_async
from orchestrator.clock import SystemClock
from orchestrator.errors import StoreError
from orchestrator.model.rule import Rule
from orchestrator.schedule.outcomes import Committed, StoreFailed
from orchestrator.units import format_instant

_COLUMNS = {"rule": "RULE", "start": "FROM", "end": "UNTIL", "outcome": "OUTCOME"}
_repo = click.option("--repo", required=True, help="Repository, as named under [repos.…].")


@click.command()
@click.argument("rules", nargs=-1)
@_repo
@click.pass_context
def run(ctx: click.Context, rules: tuple[str, ...], repo: str) -> None:
    """Run the windows that are due, once, and deliver what came of them.

    RULES are folder names; without any, every rule that is not a draft or deprecated runs. A rule
    that never ran begins with its newest due window.

    Exit code 1: a window stays due, or a message was given up; 4: a rule was left out; 7: the state
    database took no result.
    """
    config = config_of(ctx)
    loaded = load_rules_or_report(config)
    arm_killpoint()

    async def work() -> TickReport:
        async with open_app(config, repo=repo, rules=loaded, clock=SystemClock()) as app:
            return await app.tick(_chosen(app, rules))

    report = run_async(work())
    _show(report)
    if any(isinstance(outcome, StoreFailed) for _, _, outcome in report.outcomes):
        sys.exit(StoreError.exit_code)
    left = [o for _, _, o in report.outcomes if not isinstance(o, Committed)]
    if left or report.deliveries.dead:
        sys.exit(1)
    fail_if_left_out(loaded)


@click.command()
@_repo
@click.pass_context
def serve(ctx: click.Context, repo: str) -> None:
    """Run and deliver on schedule until stopped.

    SIGTERM or Ctrl-C stops it: nothing new is claimed, what is in hand is finished within
    `schedule.drain`, and the rest is given back, so that the next start goes on from there.
    """
    config = config_of(ctx)
    loaded = load_rules_or_report(config)
    arm_killpoint()

    async def work() -> None:
        with stop_on_signals() as stopping:
            async with open_app(
                config, repo=repo, rules=loaded, clock=SystemClock(), stopping=stopping
            ) as app:
                await serve_app(app)

    run_async(work())


def _chosen(app: App, names: tuple[str, ...]) -> list[Rule] | None:
    if not names:
        return None
    by_slug = {rule.slug: rule for rule in app.rules.rules}
    unknown = [name for name in names if name not in by_slug]
    if unknown:
        known = ", ".join(sorted(by_slug)) or "none"
        raise click.UsageError(f"There is no usable rule {unknown[0]!r}. Usable: {known}.")
    return [by_slug[name] for name in names]


def _show(report: TickReport) -> None:
    rows = [
        {
            "rule": rule.slug,
            "start": format_instant(window.start),
            "end": format_instant(window.end),
            "outcome": str(outcome),
        }
        for rule, window, outcome in report.outcomes
    ]
    if rows:
        console(stderr=True).print(table(rows, columns=_COLUMNS))
    else:
        click.echo("No window is due.", err=True)
    sent = report.deliveries
    click.echo(
        f"{len(rows)} windows, {sent.sent} messages sent, "
        f"{sent.retried + sent.held} to be tried again, {sent.dead} given up",
        err=True,
    )
