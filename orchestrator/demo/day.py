"""A simulated day, step by step: what `orchestrator demo` does and prints.

The order is the path of a finding. The clock of the service is simulated and moves in quarters of
an hour; everything else, HTTP included, is what runs in production.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.app import App, known_tables, open_app
from orchestrator.casework import run_rule_cases
from orchestrator.client.logscale import LogScale
from orchestrator.client.wire import WireStructuredBatch, WireStructuredEvent
from orchestrator.clock import FrozenClock
from orchestrator.demo.background import background_events
from orchestrator.demo.expectations import Verdict, verdicts
from orchestrator.demo.show import Show
from orchestrator.demo.stage import REPO, SLACK_CHANNEL, Stage, open_stage
from orchestrator.deploy.apply import apply_plan
from orchestrator.deploy.lookups import rule_lookups
from orchestrator.deploy.plan import Plan, make_plan
from orchestrator.engine.events import event_from_json
from orchestrator.errors import RuleFileError
from orchestrator.model.finding import FindingState
from orchestrator.model.run import RunState
from orchestrator.rules.cases import CaseReport, read_cases
from orchestrator.rules.load import load_rules
from orchestrator.rules.ruleset import RuleSet

DAY_START = datetime(2026, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(minutes=15)
_BATCH = 5_000
_INGEST_LAG_MS = 4_000
"""How long after it happened a sample event is stored."""


async def run_demo(*, rules: Path, out: Path, background: int) -> bool:
    """Run the day and print it; return whether every expectation of the cases held."""
    show = Show()
    show.title("orchestrator: one day of T1528, steal application access token")
    loaded, reports = _prove_offline(rules, show)
    clock = FrozenClock(DAY_START)
    async with (
        open_stage(out, rules=rules, now=DAY_START) as stage,
        open_app(stage.config, repo=REPO, rules=loaded, clock=clock) as app,
    ):
        await _ingest(stage.client, rules, background, show)
        deployed = await _deploy(stage.client, loaded, rules, show)
        await _run_day(app, clock, show)
        return await _report(app, stage, rules, [*reports], deployed, show)


def _prove_offline(rules: Path, show: Show) -> tuple[RuleSet, list[CaseReport]]:
    show.step("1", "Lint and test the rules on this machine")
    loaded = load_rules(rules, tables=known_tables())
    for problem in loaded.problems:
        show.line(f"{problem.path}:{problem.line}: {problem.message}")
    reports = [run_rule_cases(rule, rules / rule.slug) for rule in loaded.rules]
    for rule, report in zip(loaded.rules, reports, strict=True):
        state = "ok" if report.passed else "FAILED"
        show.line(
            f"{rule.slug:<28} {len(report.results)} cases over {report.events} events  {state}"
        )
    return loaded, reports


async def _ingest(client: LogScale, rules: Path, background: int, show: Show) -> None:
    show.step("2", "Ingest a day of telemetry into the sandbox")
    samples = sample_events(rules)
    await send_events(client, samples)
    for name, content in host_tables(rules).items():
        await client.files(REPO).upload(name, content)
    with show.progress("background events", background) as advance:
        batch: list[Mapping[str, str]] = []
        for event in background_events(background, start=DAY_START):
            batch.append(event)
            if len(batch) == _BATCH:
                await send_events(client, batch)
                advance(len(batch))
                batch = []
        if batch:
            await send_events(client, batch)
            advance(len(batch))
    show.line(f"{background} everyday events, and {len(samples)} of the rules' samples among them")


def sample_events(rules: Path) -> list[dict[str, str]]:
    """Return the rules' sample events by number, each once, flat, as stored a little later."""
    paths = sorted(
        {
            feed.path.resolve()
            for folder in sorted(rules.iterdir())
            if (folder / "cases.yaml").exists()
            for feed in read_cases(folder).feeds[:1]
        }
    )
    found: dict[str, dict[str, str]] = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            event = event_from_json(line)
            if isinstance(event, str):
                raise RuleFileError(event, path=path)
            event["@ingesttimestamp"] = str(int(event["@timestamp"]) + _INGEST_LAG_MS)
            found.setdefault(event["@id"], event)
    return list(found.values())


def host_tables(rules: Path) -> dict[str, bytes]:
    """Return the lookup files of the rules' samples, which NG-SIEM would keep by itself."""
    return {path.name: path.read_bytes() for path in sorted(rules.glob("*/lookups/*.csv"))}


async def send_events(client: LogScale, events: Sequence[Mapping[str, str]]) -> None:
    """Ingest flat events through the client; `#name` fields go as tags."""
    groups: dict[tuple[tuple[str, str], ...], list[WireStructuredEvent]] = {}
    for event in events:
        tags = tuple(sorted((k[1:], v) for k, v in event.items() if k.startswith("#")))
        sent: WireStructuredEvent = {
            "timestamp": int(event["@timestamp"]),
            "attributes": {
                k: v for k, v in event.items() if not k.startswith("#") and k not in _SENT_APART
            },
        }
        if "@rawstring" in event:
            sent["rawstring"] = event["@rawstring"]
        groups.setdefault(tags, []).append(sent)
    batches: list[WireStructuredBatch] = [
        {"tags": dict(tags), "events": members} for tags, members in groups.items()
    ]
    await client.ingest().structured(batches, repository=REPO)


_SENT_APART = ("@timestamp", "@rawstring", "@id")


async def _deploy(client: LogScale, loaded: RuleSet, rules: Path, show: Show) -> bool:
    show.step("3", "Deploy: plan, apply, and plan again")

    async def plan() -> Plan:
        return await make_plan(
            loaded.rules,
            client.assets(REPO),
            client.files(REPO),
            lookups=rule_lookups(loaded.rules, rules),
        )

    made = await plan()
    for change in made.changes:
        show.line(f"{change.kind.value:<7} {change.what}  ({change.rule})")
    await apply_plan(made, client.assets(REPO), client.files(REPO))
    again = await plan()
    show.line(f"second plan: {len(again.pending)} changes")
    return not again.pending and not again.refused


async def _run_day(app: App, clock: FrozenClock, show: Show) -> None:
    show.step("4", "Run the day: due windows, query jobs, triage, Slack and Jira")
    for rule in app.runnable():
        await app.store.start_watermark(rule.id, DAY_START)
    ticks = (DAY + timedelta(hours=1)) // TICK
    windows = sent = 0
    with show.progress("quarters of an hour", ticks) as advance:
        for n in range(1, ticks + 1):
            clock.move_to(DAY_START + n * TICK)
            report = await app.tick()
            windows += len(report.outcomes)
            sent += report.deliveries.sent
            advance(1)
    show.line(f"{windows} windows searched, {sent} messages delivered")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Books:
    """What the day left behind."""

    verdicts: Sequence[Verdict]
    gaps: int
    undelivered: int
    violations: Sequence[str]


async def _report(
    app: App, stage: Stage, rules: Path, reports: Sequence[CaseReport], deployed: bool, show: Show
) -> bool:
    findings = await app.store.findings(limit=10_000)
    runs = await app.store.runs(limit=10_000)
    entries = await app.store.entries(limit=10_000)
    show.step("5", "What on-call sees")
    show.messages(entries)
    issues = list(stage.jira.store)
    show.line(
        f"Slack has {len(stage.slack.parents())} threads in {SLACK_CHANNEL}, "
        f"Jira the issues {issues[0]} to {issues[-1]}; all texts are in messages.ndjson"
        if issues
        else "Slack and Jira have nothing"
    )
    show.step("6", "What was hidden, by which fact")
    show.suppressed([f for f in findings if f.state is FindingState.SUPPRESSED])
    show.step("7", "Receipts: every window of the day")
    show.receipts(runs, app.rules.rules)
    books = _Books(
        verdicts=verdicts(app.rules.rules, rules, findings),
        gaps=sum(run.state is not RunState.DONE for run in runs),
        undelivered=sum(entry.state.value != "sent" for entry in entries),
        violations=[*stage.slack.violations, *stage.jira.violations],
    )
    show.step("8", "Expectations")
    checks = {
        "the rules' own cases": all(report.passed for report in reports),
        "the second plan changes nothing": deployed,
        "every case has the outcome that its rule names": all(v.holds for v in books.verdicts),
        "every window of every rule was searched": books.gaps == 0,
        "every message was delivered": books.undelivered == 0,
        "Slack and Jira had nothing to object to": not books.violations,
        "no secret of the samples left the pipeline": not leaked(stage, entries_text(entries)),
    }
    for verdict in books.verdicts:
        if not verdict.holds:
            show.line(f"{verdict.rule} {verdict.case}: {verdict.problem}")
    for violation in books.violations:
        show.line(violation)
    for name, held in checks.items():
        show.check(name, held=held)
    show.step("9", "Where everything is")
    show.places(stage.folder, stage.config_path)
    return all(checks.values())


_CANARIES = ("AQAEALbTEXAMPLE", "abC8Q~EXAMPLE", "eyJhbGciOiJub25lIn0.eyJ")
"""Beginnings of the fake secrets in the samples' command lines."""


def leaked(stage: Stage, told: str) -> list[str]:
    """Return the secrets that stand in what was told or kept."""
    kept = (stage.folder / "messages.ndjson").read_text(encoding="utf-8")
    far = json.dumps([stage.slack.store, stage.jira.store], default=str)
    return [canary for canary in _CANARIES if canary in told + kept + far]


def entries_text(entries: Sequence[object]) -> str:
    """Return everything that the outbox holds, as text."""
    return "\n".join(map(str, entries))
