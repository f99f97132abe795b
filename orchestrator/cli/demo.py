"""`orchestrator demo`: the whole path of a finding, in a minute."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from orchestrator.cli.session import run_async


@click.command()
@click.option(
    "--rules",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("queries"),
    show_default=True,
    help="Rule folders with their sample events.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/demo"),
    show_default=True,
    help="Where everything is stored; emptied first.",
)
@click.option(
    "--background",
    type=click.IntRange(0, 2_000_000),
    default=100_000,
    show_default=True,
    help="Everyday events to hide the attacks among.",
)
def demo(rules: Path, out: Path, background: int) -> None:
    """Run a simulated day: sandbox, telemetry, deploy, windows, triage, Slack and Jira.

    No account is needed and nothing is left running. Exit code 1: an expectation of the rules'
    cases did not hold.
    """
    from orchestrator.demo.day import run_demo

    if not run_async(run_demo(rules=rules, out=out, background=background)):
        sys.exit(1)
