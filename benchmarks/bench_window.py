"""What one window costs as the haystack grows: the whole run beside the engine alone.

The same rule and window over ever more stored events. The window's own events stay the same in
number, so the cost of a run must stay nearly flat; `growth` is the last cost over the first, while
the events grow tenfold. The floor is the engine over the window's events alone, without HTTP,
store or triage. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.app import known_tables, open_app
from orchestrator.clock import FrozenClock
from orchestrator.demo.background import background_events
from orchestrator.demo.day import host_tables, send_events
from orchestrator.demo.stage import REPO, open_stage
from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, run_query
from orchestrator.engine.sources.lookups import Lookup
from orchestrator.model.rule import Rule
from orchestrator.rules.load import load_rules
from orchestrator.schedule.outcomes import Committed
from orchestrator.units import to_epoch_ms

START = datetime(2026, 3, 10, tzinfo=UTC)
RULES = Path("queries")
WINDOW = timedelta(minutes=15)
RUNS = 8
PER_WINDOW = 1_000
BATCH = 5_000


async def whole_run_ms(rule: Rule, stored_windows: int, folder: Path) -> float:
    """Return the median milliseconds of one due window among `stored_windows` of events."""
    clock = FrozenClock(START)
    length = WINDOW * stored_windows
    rules = load_rules(RULES, tables=known_tables())
    async with (
        open_stage(folder, rules=RULES, now=START) as stage,
        open_app(stage.config, repo=REPO, rules=rules, clock=clock) as app,
    ):
        for name, content in host_tables(RULES).items():
            await stage.client.files(REPO).upload(name, content)
        count = PER_WINDOW * stored_windows
        rows = list(background_events(count, start=START, length=length, seed=stored_windows))
        for n in range(0, count, BATCH):
            await send_events(stage.client, rows[n : n + BATCH])
        first = START + length - WINDOW * (RUNS + 1)
        await app.store.start_watermark(rule.id, first)
        costs = []
        for n in range(1, RUNS + 1):
            clock.move_to(first + WINDOW * n + rule.schedule.delay)
            began = time.perf_counter()
            outcomes = await app.run_due([rule])
            costs.append((time.perf_counter() - began) * 1000)
            kinds = [type(outcome) for _, _, outcome in outcomes]
            assert kinds == [Committed], kinds
    return statistics.median(costs[1:])


def engine_ms(rule: Rule) -> float:
    """Return the median milliseconds of the query over one window's events alone."""
    events = Events.from_rows(list(background_events(PER_WINDOW, start=START, length=WINDOW)))
    lookup = Lookup.from_csv(RULES / rule.slug / "lookups" / "aid_master_main.csv")
    context = Context(
        start_ms=to_epoch_ms(START),
        end_ms=to_epoch_ms(START + WINDOW),
        now_ms=to_epoch_ms(START + WINDOW),
        lookups={"aid_master_main.csv": lookup},
    )
    costs = []
    for _ in range(RUNS):
        began = time.perf_counter()
        run_query(rule.query, events, context=context)
        costs.append((time.perf_counter() - began) * 1000)
    return statistics.median(costs[1:])


def main() -> None:
    """Measure and print."""
    rules = load_rules(RULES, tables=known_tables()).rules
    rule = next(rule for rule in rules if rule.slug == "t1528_token_access")
    sizes = (20, 60, 200)
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            f"{PER_WINDOW * size} events stored": round(
                asyncio.run(whole_run_ms(rule, size, Path(folder) / str(size))), 1
            )
            for size in sizes
        }
    costs = list(runs.values())
    print(
        json.dumps(
            {
                "what": "one window of t1528_token_access, 1,000 events in it, ms",
                "whole_run": runs,
                "growth": round(costs[-1] / costs[0], 2),
                "events_grew": sizes[-1] / sizes[0],
                "engine_alone": round(engine_ms(rule), 1),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
