"""`orchestrator plan` and `orchestrator deploy`: what would change, and changing it."""

from __future__ import annotations

import json
import sys

import click

from orchestrator.cli.loading import fail_if_left_out, load_rules_or_report
from orchestrator.cli.output import console, plain
from orchestrator.cli.session import config_of, run_async
from orchestrator.clock import SystemClock
from orchestrator.config import Config, RepoKind
from orchestrator.deploy.apply import Applied, apply_plan
from orchestrator.deploy.lookups import rule_lookups
from orchestrator.deploy.plan import Change, ChangeKind, Plan, make_plan
from orchestrator.model.rule import DeployKind, Rule
from orchestrator.remote import assets_of, connect
from orchestrator.rules.ruleset import RuleSet

_repo = click.option("--repo", required=True, help="Repository, as named under [repos.…].")
_COLOURS = {
    ChangeKind.CREATE: "green",
    ChangeKind.UPDATE: "yellow",
    ChangeKind.DELETE: "red",
    ChangeKind.FOREIGN: "red",
    ChangeKind.UNTOLD: "red",
    ChangeKind.NONE: "dim",
}


@click.command()
@_repo
@click.option("--json", "as_json", is_flag=True, help="The plan as one object, for programs.")
@click.pass_context
def plan(ctx: click.Context, repo: str, as_json: bool) -> None:
    """Show what deploy would change, as a diff; nothing is written.

    Exit code 1: something would change, an asset of the same name is not ours, or an action has
    no notification on NG-SIEM; 4: a rule was left out.
    """
    config = config_of(ctx)
    rules = load_rules_or_report(config)
    made = run_async(_plan(config, repo, rules))
    if as_json:
        click.echo(json.dumps(_as_object(made), ensure_ascii=False, indent=2))
    else:
        _show(made)
    if made.pending or made.refused:
        sys.exit(1)
    fail_if_left_out(rules)


@click.command()
@_repo
@click.option("--yes", is_flag=True, help="Apply without asking.")
@click.pass_context
def deploy(ctx: click.Context, repo: str, yes: bool) -> None:
    """Create or update the rules' assets: saved searches, scheduled searches, alerts, lookups.

    The plan is shown first. Only assets that carry our label and marker are touched; a second run
    changes nothing. Exit code 1: not applied, an asset of the same name is not ours, or an action
    has no notification on NG-SIEM; 4: a rule was left out.
    """
    config = config_of(ctx)
    rules = load_rules_or_report(config)
    made = run_async(_plan(config, repo, rules))
    _show(made)
    if made.pending:
        if not yes and not click.confirm("Apply this plan?", default=False, err=True):
            click.echo("Nothing was changed.", err=True)
            sys.exit(1)
        click.echo(str(run_async(_apply(config, repo, made))), err=True)
    if made.refused:
        sys.exit(1)
    fail_if_left_out(rules)


async def _plan(config: Config, repo: str, rules: RuleSet) -> Plan:
    settings = config.repo(repo)
    on_ngsiem = settings.kind is RepoKind.NGSIEM
    chosen = [rule for rule in rules.rules if on_ngsiem or not _only_on_ngsiem(rule)]
    for rule in rules.rules:
        if rule not in chosen:
            click.echo(f"{rule.slug}: correlation rules live on NG-SIEM only; left out", err=True)
    async with connect(settings, name=repo, clock=SystemClock()) as remote:
        assets, files = assets_of(remote, settings)
        lookups = rule_lookups(chosen, config.rules.path)
        return await make_plan(chosen, assets, files, lookups=lookups, on_ngsiem=on_ngsiem)


def _only_on_ngsiem(rule: Rule) -> bool:
    return rule.deploy.kind is DeployKind.CORRELATION_RULE


async def _apply(config: Config, repo: str, made: Plan) -> Applied:
    settings = config.repo(repo)
    async with connect(settings, name=repo, clock=SystemClock()) as remote:
        return await apply_plan(made, *assets_of(remote, settings))


def _show(made: Plan) -> None:
    out = console()
    for change in made.changes:
        out.print(f"{change.kind.value:<8}", style=_COLOURS[change.kind], end="", markup=False)
        out.print(f"{plain(change.what)}  ({change.rule})", markup=False)
        for line in _lines(change):
            out.print(f"    {plain(line)}", markup=False, style=_style(line))
    for name in made.orphans:
        click.echo(
            f"orphan  {plain(name)}: ours, and no rule here claims it; delete it there", err=True
        )
    pending, refused = len(made.pending), len(made.refused)
    click.echo(f"{pending} to change, {refused} refused", err=True)


def _as_object(made: Plan) -> dict[str, object]:
    return {
        "changes": [
            {
                "kind": change.kind.value,
                "rule": change.rule,
                "what": change.what,
                "diff": list(change.lines),
            }
            for change in made.changes
        ],
        "orphans": list(made.orphans),
        "pending": len(made.pending),
        "refused": len(made.refused),
    }


def _lines(change: Change) -> tuple[str, ...]:
    if change.kind is ChangeKind.FOREIGN:
        return ("exists and is not ours: rename it, or ours; nothing is touched",)
    return change.lines


def _style(line: str) -> str:
    mark = line.strip()[:1]
    return {"+": "green", "-": "red"}.get(mark, "none")
