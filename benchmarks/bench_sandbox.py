"""The sandbox and our client over a real socket, the server in a process of its own.

Run `python -m benchmarks.bench_sandbox`. Four questions: how fast events go in; what a search over
all of them costs beside the engine alone on the same frame; what a complete query job costs the
client beside humiolib; and how late polls are when one process keeps many jobs at once. Prints one
JSON object; sizes are options.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import platform
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import polars as pl
import requests
from humiolib.HumioClient import HumioClient

from benchmarks.stored_events import QUERY, START_MS, frame
from orchestrator.client.logscale import LogScale
from orchestrator.client.transport import HttpTransport, Request, Response
from orchestrator.client.wire import WireStructuredBatch
from orchestrator.clock import SystemClock
from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, run_query
from orchestrator.sandbox.faults import Fault, FaultKind
from orchestrator.sandbox.server import LOOPBACK, serve
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.secret import SecretText
from orchestrator.units import from_epoch_ms

TOKEN = "bench-token"
REPOSITORY = "falcon"
SMALL_QUERY = "#event_simpleName=FileOpenInfo | groupBy(ComputerName)"
POLL_AFTER_MS = 500
POLLS = 5
_PATIENCE_S = 300
DEADLINE = timedelta(minutes=5)


def run_server(port: int, polls: int) -> None:
    """Serve a sandbox until SIGTERM; the first `polls` polls of all say `done: false`."""
    slow = {"GET */queryjobs/*": [Fault(kind=FaultKind.SLOW, count=polls)]} if polls else {}
    settings = SandboxSettings(
        tokens={TOKEN: TokenRole(name="bench")},
        repositories=(REPOSITORY,),
        poll_after_running_ms=POLL_AFTER_MS if polls else 20,
        faults=slow,
    )
    asyncio.run(serve(settings, port=port))


@contextmanager
def server(*, slow_polls: int = 0) -> Iterator[str]:
    """Start a server process and yield its address."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=run_server, args=(port, slow_polls))
    process.start()
    url = f"http://{LOOPBACK}:{port}"
    try:
        while not answers(url):
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.join()


def answers(url: str) -> bool:
    """Return whether the server is up."""
    try:
        return requests.get(f"{url}/api/v1/status", timeout=5).ok
    except requests.ConnectionError:
        return False


def client(url: str) -> LogScale:
    """Return our client for the server at `url`."""
    return LogScale(url, token=SecretText(TOKEN), clock=SystemClock())


def send_share(url: str, share: pl.DataFrame, batch: int, start: object, done: object) -> None:
    """Send a share of the events; for a process of its own."""
    batches = list(batches_of(share, batch))

    async def send() -> None:
        async with client(url) as scale:
            ingest = scale.ingest()
            for events in batches:
                await ingest.structured([events], repository=REPOSITORY)

    start.wait()  # type: ignore[attr-defined]  # a Barrier of multiprocessing
    asyncio.run(send())
    done.wait()  # type: ignore[attr-defined]  # as above


def batches_of(events: pl.DataFrame, size: int) -> Iterator[WireStructuredBatch]:
    """Yield the events as the wire takes them."""
    names = [name for name in events.columns if not name.startswith("@")]
    for n in range(0, events.height, size):
        part = events.slice(n, size)
        times = part.get_column("@timestamp").to_list()
        rows = part.select(names).to_dicts()
        yield WireStructuredBatch(
            tags={},
            events=[
                {
                    "timestamp": int(at),
                    "attributes": {k: v for k, v in row.items() if v is not None},
                }
                for at, row in zip(times, rows, strict=True)
            ],
        )


def ingest_rate(url: str, events: pl.DataFrame, *, senders: int, batch: int) -> float:
    """Send all events from `senders` processes and return the rate, events per second."""
    context = multiprocessing.get_context("spawn")
    start, done = context.Barrier(senders + 1), context.Barrier(senders + 1)
    share = -(-events.height // senders)
    processes = [
        context.Process(
            target=send_share, args=(url, events.slice(n * share, share), batch, start, done)
        )
        for n in range(senders)
    ]
    for process in processes:
        process.start()
    start.wait(_PATIENCE_S)
    began = time.perf_counter()
    # A sender that died would never come to the barrier.
    done.wait(_PATIENCE_S)
    seconds = time.perf_counter() - began
    for process in processes:
        process.join()
    return events.height / seconds


async def search_ms(url: str, count: int, runs: int) -> tuple[float, int]:
    """Return the least milliseconds of the query as a whole job, and how many rows it gives."""
    start, end = from_epoch_ms(START_MS), from_epoch_ms(START_MS + count)
    async with client(url) as scale:
        costs, rows = [], 0
        for _ in range(runs + 1):
            began = time.perf_counter()
            found = await scale.search(REPOSITORY, QUERY, start=start, end=end, deadline=DEADLINE)
            costs.append((time.perf_counter() - began) * 1000)
            rows = len(found.rows)
    return min(costs[1:]), rows


def engine_ms(events: pl.DataFrame, runs: int) -> float:
    """Return the least milliseconds of the query on the frame itself."""
    end_ms = START_MS + events.height
    context = Context(start_ms=START_MS, end_ms=end_ms, now_ms=end_ms)
    held = Events.from_frame(events)
    costs = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        run_query(QUERY, held, context=context)
        costs.append((time.perf_counter() - began) * 1000)
    return min(costs[1:])


async def our_jobs(url: str, count: int) -> None:
    """Run query jobs one after the other, each to its deletion."""
    start, end = from_epoch_ms(START_MS), from_epoch_ms(START_MS + 10_000)
    async with client(url) as scale:
        for _ in range(count):
            await scale.search(REPOSITORY, SMALL_QUERY, start=start, end=end, deadline=DEADLINE)


def humiolib_jobs(url: str, count: int) -> None:
    """Do the same with humiolib, which does not delete a static job: its HTTP library does."""
    peer = HumioClient(repository=REPOSITORY, user_token=TOKEN, base_url=url)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    base = f"{url}/api/v1/repositories/{REPOSITORY}/queryjobs"
    for _ in range(count):
        job = peer.create_queryjob(
            SMALL_QUERY, start=START_MS, end=START_MS + 10_000, is_live=False
        )
        for _ in job.poll_until_done():
            pass
        requests.delete(f"{base}/{job.query_id}", headers=headers, timeout=30)


def cpu_ms(run: Callable[[int], object], count: int) -> float:
    """Return the CPU milliseconds of this process per job, after a tenth to warm up."""
    run(max(1, count // 10))
    began = time.process_time()
    run(count)
    return (time.process_time() - began) * 1000 / count


class TimedTransport(HttpTransport):
    """Notes when each poll is answered, and how long it took."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.took_ms: list[float] = []

    async def send(self, request: Request) -> Response:
        """Send, and note it."""
        began = time.perf_counter()
        answer = await super().send(request)
        if request.method == "GET":
            self.took_ms.append((time.perf_counter() - began) * 1000)
        return answer


class LateClock(SystemClock):
    """Notes how much longer than asked each pause was."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []

    async def sleep(self, duration: timedelta) -> None:
        """Wait, and note it."""
        began = time.perf_counter()
        await super().sleep(duration)
        self.late_ms.append((time.perf_counter() - began - duration.total_seconds()) * 1000)


async def many_jobs(url: str, count: int) -> tuple[LateClock, TimedTransport, float]:
    """Keep `count` jobs at once, each polled about `POLLS` times; return what was noted."""
    clock, transport = LateClock(), TimedTransport(url)
    start, end = from_epoch_ms(START_MS), from_epoch_ms(START_MS + 10_000)
    began = time.perf_counter()
    scale = LogScale(url, token=SecretText(TOKEN), transport=transport, clock=clock)
    async with scale:
        await asyncio.gather(
            *(
                scale.search(REPOSITORY, SMALL_QUERY, start=start, end=end, deadline=DEADLINE)
                for _ in range(count)
            )
        )
    return clock, transport, time.perf_counter() - began


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the percentile, to a tenth."""
    return round(statistics.quantiles(values, n=100)[percent - 1], 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--senders", type=int, default=2)
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--concurrent", type=int, default=500)
    sizes = parser.parse_args()
    events = frame(sizes.events)
    with server() as url:
        rate = ingest_rate(url, events, senders=sizes.senders, batch=sizes.batch)
        searched, rows = asyncio.run(search_ms(url, sizes.events, sizes.runs))
        ours = cpu_ms(lambda n: asyncio.run(our_jobs(url, n)), sizes.jobs)
        theirs = cpu_ms(lambda n: humiolib_jobs(url, n), sizes.jobs)
    alone = engine_ms(events, sizes.runs)
    with server(slow_polls=sizes.concurrent * (POLLS - 1)) as url:
        clock, transport, seconds = asyncio.run(many_jobs(url, sizes.concurrent))
    print(
        json.dumps(
            {
                "benchmark": "sandbox",
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "ingest": {
                    "events": sizes.events,
                    "senders": sizes.senders,
                    "batch_events": sizes.batch,
                    "events_per_s": round(rate),
                },
                "search": {
                    "rows": rows,
                    "job_ms": round(searched, 1),
                    "engine_alone_ms": round(alone, 1),
                    "ratio": round(searched / alone, 2),
                },
                "client_job_cpu": {
                    "ours_ms": round(ours, 2),
                    "humiolib_ms": round(theirs, 2),
                    "ratio": round(ours / theirs, 2),
                },
                "many_jobs": {
                    "jobs": sizes.concurrent,
                    "polls": len(transport.took_ms),
                    "seconds": round(seconds, 2),
                    "poll_late_p99_ms": percentile(clock.late_ms, 99),
                    "poll_took_p99_ms": percentile(transport.took_ms, 99),
                },
                "python": platform.python_version(),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
