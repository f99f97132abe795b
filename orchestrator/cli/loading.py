"""Loading rules for a command: problems are shown, good rules go on."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from orchestrator.app import known_tables
from orchestrator.cli.output import plain
from orchestrator.config import Config
from orchestrator.cql.diagnostics import Level
from orchestrator.errors import RuleError
from orchestrator.rules.load import load_rules
from orchestrator.rules.ruleset import RuleSet


def load(root: Path) -> RuleSet:
    """Return the rules below `root` with every problem of every file."""
    return load_rules(root, tables=known_tables())


def load_rules_or_report(config: Config) -> RuleSet:
    """Return the rules, naming on standard error each one that is left out."""
    loaded = load(config.rules.path)
    for problem in loaded.problems:
        if problem.level is Level.ERROR:
            place = f"{problem.path}:{problem.line}:{problem.column}"
            click.echo(f"{place}: {plain(problem.message)} (rule left out)", err=True)
    return loaded


def fail_if_left_out(loaded: RuleSet) -> None:
    """End the command with the rule branch's exit code if a rule was left out."""
    if not loaded.ok:
        sys.exit(RuleError.exit_code)
