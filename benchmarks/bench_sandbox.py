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
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Self

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
POLL_AFTER_MS = 2_800
"""What a real server asks for while a job runs."""
POLLS = 5
ROUNDS = 5
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
    """Return the CPU milliseconds of this process per job."""
    began = time.process_time()
    run(count)
    return (time.process_time() - began) * 1000 / count


def job_costs(url: str, count: int) -> dict[str, object]:
    """Return the cost of a job in both clients: the median of rounds that take turns."""
    runs: dict[str, Callable[[int], object]] = {
        "ours": lambda n: asyncio.run(our_jobs(url, n)),
        "humiolib": lambda n: humiolib_jobs(url, n),
    }
    requests_of = {}
    for name, run in runs.items():
        # Warms up, and shows that both ask the same.
        with Wire() as wire:
            run(count // ROUNDS)
        sent = Counter(line.partition(b" ")[0].decode() for _, line in wire.sent)
        requests_of[name] = {method: sent[method] / (count // ROUNDS) for method in sorted(sent)}
    costs: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            costs[name].append(cpu_ms(run, count // ROUNDS))
    ours, theirs = statistics.median(costs["ours"]), statistics.median(costs["humiolib"])
    return {
        "jobs": count,
        "requests_per_job": requests_of,
        "ours_ms": round(ours, 2),
        "humiolib_ms": round(theirs, 2),
        "ratio": round(ours / theirs, 2),
    }


class Wire:
    """Notes what this process writes to its sockets: the moment and the request line."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, bytes]] = []

    def __enter__(self) -> Self:
        noted = self.sent
        self._ways = {name: getattr(socket.socket, name) for name in ("send", "sendall")}

        def tapped(name: str) -> Callable[..., object]:
            way = self._ways[name]

            def write(own: socket.socket, data: bytes, *flags: int) -> object:
                line, _, rest = bytes(data[:200]).partition(b"\r\n")
                if rest and line.endswith(b"HTTP/1.1"):
                    noted.append((time.perf_counter(), line))
                return way(own, data, *flags)

            return write

        for name in self._ways:
            setattr(socket.socket, name, tapped(name))
        return self

    def __exit__(self, *_: object) -> None:
        for name, way in self._ways.items():
            setattr(socket.socket, name, way)


class Watched(HttpTransport):
    """Notes when each job was answered: its next poll is due then, or `pollAfter` later."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.answered: defaultdict[str, list[float]] = defaultdict(list)

    async def send(self, request: Request) -> Response:
        """Send, and note it."""
        answer = await super().send(request)
        if request.method != "DELETE":
            name = json.loads(answer.body)["id"] if request.method == "POST" else request.path
            self.answered[name.rpartition("/")[2]].append(time.perf_counter())
        return answer


def poll_times(wire: Wire, watched: Watched) -> tuple[list[float], list[float]]:
    """Return by poll how much later than due it went out, and how long it took, milliseconds."""
    late, took = [], []
    polls = defaultdict(list)
    for at, line in wire.sent:
        method, path, _ = line.decode().split(" ")
        if method == "GET":
            polls[path.rpartition("/")[2]].append(at)
    for job, sent in polls.items():
        submitted, *answered = watched.answered[job]
        due = [submitted, *(at + POLL_AFTER_MS / 1000 for at in answered)]
        late += [(at - when) * 1000 for at, when in zip(sent, due, strict=False)]
        took += [(at - when) * 1000 for at, when in zip(answered, sent, strict=True)]
    return late, took


async def many_jobs(url: str, count: int) -> dict[str, object]:
    """Keep `count` jobs at once, each polled about `POLLS` times; return what was noted."""
    start, end = from_epoch_ms(START_MS), from_epoch_ms(START_MS + 10_000)
    began = time.perf_counter()
    with Wire() as wire:
        watched = Watched(url)
        async with LogScale(
            url, token=SecretText(TOKEN), transport=watched, clock=SystemClock()
        ) as scale:
            await asyncio.gather(
                *(
                    scale.search(REPOSITORY, SMALL_QUERY, start=start, end=end, deadline=DEADLINE)
                    for _ in range(count)
                )
            )
    seconds = time.perf_counter() - began
    late, took = poll_times(wire, watched)
    return {
        "jobs": count,
        "poll_after_ms": POLL_AFTER_MS,
        "polls": len(late),
        "seconds": round(seconds, 2),
        "poll_late_p50_ms": percentile(late, 50),
        "poll_late_p99_ms": percentile(late, 99),
        "poll_took_p50_ms": percentile(took, 50),
        "poll_took_p99_ms": percentile(took, 99),
    }


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
        costs = job_costs(url, sizes.jobs)
    alone = engine_ms(events, sizes.runs)
    with server(slow_polls=sizes.concurrent * (POLLS - 1)) as url:
        many = asyncio.run(many_jobs(url, sizes.concurrent))
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
                "client_job_cpu": costs,
                "many_jobs": many,
                "python": platform.python_version(),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
