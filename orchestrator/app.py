"""Wiring: the only place that picks concrete classes, opens them in order and closes them.

`open_app` gives a command or the service everything it works with. `App.tick` is one round:
windows first, then deliveries. `serve` repeats it on APScheduler's tick until it is told to stop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from orchestrator import killpoints
from orchestrator.client.types import QueryResult
from orchestrator.clock import Clock, SystemClock
from orchestrator.config import Config, RepoSettings
from orchestrator.errors import ClientError, ClockSkewed, ClockWrong, ConfigError, StoreError
from orchestrator.inventory.load import load_inventory
from orchestrator.inventory.lookup import Inventory
from orchestrator.inventory.sources.base import SourceSettings
from orchestrator.inventory.tables import TABLES
from orchestrator.model.inventory import FactMatch, FactTable, Subject
from orchestrator.model.rule import Rule, RuleStatus, TimestampField
from orchestrator.model.window import Window
from orchestrator.pipeline import Pipeline
from orchestrator.remote import Remote, connect
from orchestrator.route.deliver import Deliverer, DeliveryReport
from orchestrator.route.links import LinkSettings
from orchestrator.route.sinks import build_sinks
from orchestrator.route.tree import Route, RouteTree
from orchestrator.rules.ruleset import RuleSet
from orchestrator.schedule.planner import plan, require_plausible, rules_ahead
from orchestrator.schedule.runner import Runner, RunOutcome
from orchestrator.schedule.windows import first_watermark
from orchestrator.store import Store, open_store

logger = logging.getLogger(__name__)

_CLOCKS_EVERY_S = 3_600.0
RUN_STATUSES = (RuleStatus.SHADOW, RuleStatus.STABLE)
"""Rules that the service runs; drafts and deprecated ones it does not."""


class LiveInventory:
    """The inventory as its files stand: read again when one of them changed.

    A finding is judged by the reading that was current when its window was judged: `match` is
    asked between two `refresh` calls only.
    """

    def __init__(self, sources: Mapping[str, SourceSettings], *, clock: Clock) -> None:
        self._sources, self._clock = dict(sources), clock
        self._seen: tuple[tuple[str, int, int], ...] | None = None
        self.current = load_inventory({}, now=clock.now())

    def refresh(self) -> Inventory:
        """Read the files if any changed, and move freshness to now; no file, no exception."""
        seen = tuple(_stamp(name, source) for name, source in sorted(self._sources.items()))
        if seen != self._seen:
            self.current = load_inventory(
                self._sources, now=self._clock.now(), previous=self.current
            )
            self._seen = seen
            for problem in self.current.problems:
                logger.warning("inventory-refused", extra={"problem": str(problem)})
        self.current = self.current.as_of(self._clock.now())
        return self.current

    def table(self, name: str) -> FactTable | None:
        """Return the definition of a fact table."""
        return self.current.table(name)

    def match(self, table: str, subject: Subject) -> FactMatch:
        """Return what the current reading says of `subject`."""
        return self.current.match(table, subject)


def _stamp(name: str, source: SourceSettings) -> tuple[str, int, int]:
    try:
        status = source.path.stat()
    except OSError:
        return name, 0, 0
    return name, status.st_mtime_ns, status.st_size


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoSearcher:
    """Searches one repository for a rule's window."""

    client: Remote
    repository: str
    deadline: timedelta

    async def search(self, rule: Rule, window: Window) -> QueryResult:
        """Run the rule's query over the window and its lookback.

        Raises:
            ClientError: The search did not end; completeness is in the result.
        """
        span = window.widened(rule.schedule.lookback)
        return await self.client.search(
            self.repository,
            rule.query,
            start=span.start,
            end=span.end,
            use_ingest_time=rule.schedule.timestamp is TimestampField.INGEST,
            deadline=self.deadline,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TickReport:
    """What one round did."""

    outcomes: tuple[tuple[Rule, Window, RunOutcome], ...]
    deliveries: DeliveryReport


@dataclass(kw_only=True)
class App:
    """Everything opened, ready to work; closed by `open_app`."""

    config: Config
    clock: Clock
    store: Store
    client: Remote
    rules: RuleSet
    inventory: LiveInventory
    pipeline: Pipeline
    runner: Runner
    deliverer: Deliverer
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _clocks_due_s: float = 0.0
    """Monotonic; when the server's clock is compared with ours again."""

    async def tick(self, rules: Sequence[Rule] | None = None) -> TickReport:
        """Run every window that is due, oldest first under the budget, then deliver what is due.

        Args:
            rules: Only these; None takes every rule that the service runs.
        """
        outcomes = await self.run_due(rules)
        return TickReport(outcomes=outcomes, deliveries=await self.deliverer.deliver_due())

    async def run_due(
        self, rules: Sequence[Rule] | None = None
    ) -> tuple[tuple[Rule, Window, RunOutcome], ...]:
        """Run the due windows; windows of one rule in order, rules side by side.

        Raises:
            ClockWrong: The clock cannot be right; nothing was begun.
        """
        chosen = self.runnable() if rules is None else list(rules)
        self.inventory.refresh()
        stored = {rule.id: await self.store.watermark(rule.id) for rule in chosen}
        require_plausible(self.clock.now(), [at for at in stored.values() if at is not None])
        watermarks = {rule.id: stored[rule.id] or await self._begin(rule) for rule in chosen}
        for rule in rules_ahead(chosen, watermarks, now=self.clock.now()):
            # The clock stepped back: its windows wait until the time is past the watermark again.
            logger.warning("rule-ahead-of-clock", extra={"rule": rule.slug})
        due = plan(
            chosen,
            watermarks,
            now=self.clock.now(),
            budget=self.config.schedule.windows_per_tick,
        )
        if due:
            await self._compare_clocks()
        by_rule: dict[str, list[tuple[Rule, Window]]] = {}
        for rule, window in due:
            by_rule.setdefault(rule.id, []).append((rule, window))
        gate = asyncio.Semaphore(self.config.schedule.concurrency)
        results = await asyncio.gather(
            *(self._run_in_order(pairs, gate) for pairs in by_rule.values())
        )
        return tuple(outcome for group in results for outcome in group)

    def runnable(self) -> list[Rule]:
        """Return the rules that the service runs, drafts and deprecated ones left out."""
        return [rule for rule in self.rules.rules if rule.status in RUN_STATUSES]

    async def _run_in_order(
        self, pairs: Sequence[tuple[Rule, Window]], gate: asyncio.Semaphore
    ) -> list[tuple[Rule, Window, RunOutcome]]:
        done: list[tuple[Rule, Window, RunOutcome]] = []
        for rule, window in pairs:
            if self.stopping.is_set():
                break
            async with gate:
                outcome = await self.pipeline.run_window(self.runner, rule, window)
            done.append((rule, window, outcome))
            if not outcome.moves_on:
                # A later window before this one would leave a hole behind the watermark.
                break
        return done

    async def _begin(self, rule: Rule) -> datetime:
        start = first_watermark(rule.schedule, self.clock.now())
        await self.store.start_watermark(rule.id, start)
        return start

    async def _compare_clocks(self) -> None:
        """Warn where the server's clock differs from ours; looked at once an hour."""
        now_s = self.clock.monotonic()
        if now_s < self._clocks_due_s:
            return
        self._clocks_due_s = now_s + _CLOCKS_EVERY_S
        try:
            reading = await self.client.clocks()
            if reading is not None:
                reading.check()
        except ClockSkewed as exc:
            logger.warning("clock-skewed", extra={"reason": str(exc)})
        except ClientError:
            # A server that is away is told of by the windows that need it.
            return


@asynccontextmanager
async def open_app(
    config: Config,
    *,
    repo: str,
    rules: RuleSet,
    clock: Clock,
    wire_clock: Clock | None = None,
    stopping: asyncio.Event | None = None,
) -> AsyncIterator[App]:
    """Open store, client, inventory and sinks, in that order; close them in reverse.

    Args:
        config: Settings, valid.
        repo: Name of the repository to search.
        rules: What to run.
        clock: What the service takes for now; a simulation passes its own.
        wire_clock: Times pauses and deadlines of requests; the machine's unless given.
        stopping: Set by whoever wants it to stop; its own unless given.

    Raises:
        ConfigError: The repository or a receiver is unknown or set wrongly.
        StoreError: The database is held by another process, or cannot be used.
    """
    settings = config.repo(repo)
    async with AsyncExitStack() as stack:
        sinks = build_sinks(config.receivers)
        for sink in sinks.values():
            stack.push_async_callback(sink.close)
        store = await stack.enter_async_context(open_store(config.store.url, clock=clock))
        client = connect(settings, name=repo, clock=wire_clock or SystemClock())
        stack.push_async_callback(client.close)
        inventory = LiveInventory(inventory_sources(config), clock=clock)
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        pipeline = Pipeline(
            store=store,
            facts=inventory,
            routes=route_tree(config),
            links=link_settings(config, settings),
            clock=clock,
        )
        runner = Runner(
            store=store,
            searcher=RepoSearcher(
                client=client,
                repository=settings.repository,
                deadline=settings.query_deadline,
            ),
            clock=clock,
            owner=owner,
            lease=config.schedule.lease,
            max_attempts=config.schedule.max_attempts,
            report_gap=pipeline.report_gap,
        )
        deliverer = Deliverer(store=store, sinks=sinks, clock=clock, owner=owner)
        yield App(
            config=config,
            clock=clock,
            store=store,
            client=client,
            rules=rules,
            inventory=inventory,
            pipeline=pipeline,
            runner=runner,
            deliverer=deliverer,
            stopping=stopping or asyncio.Event(),
        )


def inventory_sources(config: Config) -> dict[str, SourceSettings]:
    """Return each fact table's file and the age at which it stops excusing anything."""
    return {
        name: SourceSettings(path=table.path, max_age=table.max_age or config.inventory.max_age)
        for name, table in config.inventory.tables.items()
    }


def route_tree(config: Config) -> RouteTree:
    """Return who is told what.

    Raises:
        ConfigError: A route names a receiver that is not configured, or its condition is not CQL.
    """
    known = set(config.receivers)
    for key, names in (
        ("route.default", config.route.default),
        *((f"route.routes.{route.name}", route.receivers) for route in config.route.routes),
    ):
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"there is no receiver {name!r}",
                    key=key,
                    advice=f"Known: {', '.join(sorted(known)) or 'none'}",
                )
    return RouteTree(
        routes=tuple(
            Route(name=route.name, when=route.when, receivers=tuple(route.receivers))
            for route in config.route.routes
        ),
        default=tuple(config.route.default),
    )


def link_settings(config: Config, repo: RepoSettings) -> LinkSettings:
    """Return the bases of the links in messages; LogScale's is the repository's by default."""
    return LinkSettings(
        logscale_url=config.links.logscale_url or repo.url,
        repository=repo.repository,
        falcon_url=config.links.falcon_url,
    )


@contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """Yield an event that SIGTERM and SIGINT set; enter it before anything is opened.

    Only the main thread gets signals; elsewhere the event is its caller's to set.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        yield stopping
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def serve(app: App) -> None:
    """Tick until `app.stopping`; then finish what is in hand in `schedule.drain`, or release it.

    Nothing is claimed after that; a run that is cut off gives its window back at once, so that the
    next process need not wait for a lease to end.
    """
    wake = asyncio.Event()
    scheduler = AsyncIOScheduler(timezone=UTC)
    scheduler.add_job(
        wake.set,
        "interval",
        seconds=app.config.schedule.tick.total_seconds(),
        next_run_time=app.clock.now(),
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )
    scheduler.start()
    logger.info("service-started", extra={"rules": len(app.runnable())})
    tasks = {
        asyncio.create_task(_run_on_tick(app, wake), name="windows"),
        asyncio.create_task(app.deliverer.run(app.stopping), name="deliveries"),
    }
    try:
        stop = asyncio.create_task(app.stopping.wait())
        await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        app.stopping.set()
        wake.set()
        _, pending = await asyncio.wait(tasks, timeout=app.config.schedule.drain.total_seconds())
        for task in pending:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        scheduler.shutdown(wait=False)
    for result in results:
        if isinstance(result, Exception):
            raise result
    logger.info("service-stopped", extra={"cut_off": len(pending)})


async def _run_on_tick(app: App, wake: asyncio.Event) -> None:
    while not app.stopping.is_set():
        await wake.wait()
        wake.clear()
        try:
            outcomes = await app.run_due()
        except (StoreError, ClockWrong) as exc:
            # A full disk, a lost database, a clock not set yet: nothing was claimed, the next tick
            # looks again.
            logger.error("tick-failed", extra={"reason": str(exc)})  # noqa: TRY400 -- no trace
            continue
        for rule, window, outcome in outcomes:
            logger.info(
                "window-run",
                extra={
                    "rule": rule.slug,
                    "start": window.start.isoformat(),
                    "end": window.end.isoformat(),
                    "outcome": str(outcome),
                },
            )


def arm_killpoint(environ: Mapping[str, str] = os.environ) -> None:
    """Arm the kill point that `ORCHESTRATOR_KILL_AT` names; for crash tests only."""
    killpoints.arm(environ.get("ORCHESTRATOR_KILL_AT", ""))


def known_tables() -> tuple[FactTable, ...]:
    """Return the fact tables that rules may enrich with."""
    return TABLES
