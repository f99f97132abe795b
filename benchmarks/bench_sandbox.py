"""The sandbox and our client over a real socket, the server in a process of its own.

Run `python -m benchmarks.bench_sandbox`. Five questions: how fast events go into memory and onto
disk; what a search over all of them costs beside the engine alone on the same frame, in turn; how
much memory that takes; what a complete query job costs the client beside humiolib; and how late
polls are when one process keeps many jobs at once. Prints one JSON object; sizes are options.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import socket
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import polars as pl
import requests
from humiolib.HumioClient import HumioClient

from benchmarks.stored_events import QUERY, START_MS, frame
from orchestrator.client.http.transport import HttpTransport, Request, Response
from orchestrator.client.ingest import BatchSize
from orchestrator.client.logscale import LogScale
from orchestrator.client.wire import WireStructuredBatch
from orchestrator.clock import SystemClock
from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, run_query
from orchestrator.sandbox.faults.kinds import Fault, FaultKind
from orchestrator.sandbox.server import LOOPBACK, serve
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.secret import SecretText
from orchestrator.units import from_epoch_ms

TOKEN = "bench-token"
REPOSITORY = "falcon"
_LARGE = 1024**3
"""More bytes than any batch has: it is measured by its events."""
SMALL_QUERY = "#event_simpleName=FileOpenInfo | groupBy(ComputerName)"
POLL_AFTER_MS = 2_800
"""What a real server asks for while a job runs."""
POLLS = 5
ROUNDS = 5
_PATIENCE_S = 300
DEADLINE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Served:
    """A server process and its address."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """Return the CPU seconds that it has used so far, all threads."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self, kind: str) -> int:
        """Return `VmRSS`, what it holds now, or `VmHWM`, the most so far."""
        lines = Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(kind))


def run_server(port: int, polls: int, data_dir: Path | None) -> None:
    """Serve a sandbox until SIGTERM; the first `polls` polls of all say `done: false`."""
    slow = {"GET */queryjobs/*": [Fault(kind=FaultKind.SLOW, count=polls)]} if polls else {}
    settings = SandboxSettings(
        tokens={TOKEN: TokenRole(name="bench")},
        repositories=(REPOSITORY,),
        data_dir=data_dir,
        poll_after_running_ms=POLL_AFTER_MS if polls else 20,
        faults=slow,
    )
    asyncio.run(serve(settings, port=port))


@contextmanager
def server(*, slow_polls: int = 0, data_dir: Path | None = None) -> Iterator[Served]:
    """Start a server process, in memory only unless it is given a directory."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=run_server, args=(port, slow_polls, data_dir))
    process.start()
    url = f"http://{LOOPBACK}:{port}"
    try:
        while not answers(url):
            time.sleep(0.05)
        yield Served(url, process.pid or 0)
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


def send_share(
    url: str, share: pl.DataFrame, batch: int, start: object, done: object, cpu_s: object
) -> None:
    """Send a share of the events and add what it took; for a process of its own."""
    batches = list(batches_of(share, batch))

    async def send() -> None:
        async with client(url) as scale:
            ingest = scale.ingest(batch=BatchSize(events=batch, size_bytes=_LARGE))
            for events in batches:
                await ingest.structured([events], repository=REPOSITORY)

    start.wait()  # type: ignore[attr-defined]  # a Barrier of multiprocessing
    began = time.process_time()
    asyncio.run(send())
    with cpu_s.get_lock():  # type: ignore[attr-defined]  # a Value of multiprocessing
        cpu_s.value += time.process_time() - began  # type: ignore[attr-defined]  # as above
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


def ingested(served: Served, events: pl.DataFrame, *, senders: int, batch: int) -> dict[str, float]:
    """Send all events from `senders` processes; return the rate and what each side's CPU did."""
    context = multiprocessing.get_context("spawn")
    start, done = context.Barrier(senders + 1), context.Barrier(senders + 1)
    clients_s = context.Value("d", 0.0)
    share = -(-events.height // senders)
    processes = [
        context.Process(
            target=send_share,
            args=(served.url, events.slice(n * share, share), batch, start, done, clients_s),
        )
        for n in range(senders)
    ]
    for process in processes:
        process.start()
    start.wait(_PATIENCE_S)
    began, began_cpu = time.perf_counter(), served.cpu_s()
    # A sender that died would never come to the barrier.
    done.wait(_PATIENCE_S)
    seconds, server_s = time.perf_counter() - began, served.cpu_s() - began_cpu
    for process in processes:
        process.join()
    thousands = events.height / 1000
    return {
        "events_per_s": round(events.height / seconds),
        "client_cpu_ms_per_1000": round(clients_s.value * 1000 / thousands, 2),
        "server_cpu_ms_per_1000": round(server_s * 1000 / thousands, 2),
    }


async def searched(url: str, events: pl.DataFrame, runs: int) -> dict[str, float]:
    """Run the query in turn as a whole job and on the frame itself; return what each took."""
    start, end = from_epoch_ms(START_MS), from_epoch_ms(START_MS + events.height)
    held, query_ms = Events.from_frame(events), START_MS + events.height
    context = Context(start_ms=START_MS, end_ms=query_ms, now_ms=query_ms)
    jobs, alone, rows = [], [], 0
    async with client(url) as scale:
        for _ in range(runs + 1):
            began = time.perf_counter()
            found = await scale.search(REPOSITORY, QUERY, start=start, end=end, deadline=DEADLINE)
            between = time.perf_counter()
            run_query(QUERY, held, context=context)
            jobs.append((between - began) * 1000)
            alone.append((time.perf_counter() - between) * 1000)
            rows = len(found.rows)
    # The first of each warms up.
    job_ms, alone_ms = min(jobs[1:]), min(alone[1:])
    return {
        "events": events.height,
        "rows": rows,
        "job_ms": round(job_ms, 1),
        "job_median_ms": round(statistics.median(jobs[1:]), 1),
        "first_job_ms": round(jobs[0], 1),
        "engine_alone_ms": round(alone_ms, 1),
        "engine_alone_median_ms": round(statistics.median(alone[1:]), 1),
        "ratio": round(job_ms / alone_ms, 2),
    }


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
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--concurrent", type=int, default=500)
    sizes = parser.parse_args()
    events = frame(sizes.events)
    with server() as served:
        ingest = ingested(served, events, senders=sizes.senders, batch=sizes.batch)
        stored_mb = served.memory_mb("VmRSS")
        search = asyncio.run(searched(served.url, events, sizes.runs))
        memory = {
            "stored_mb": stored_mb,
            "after_searches_mb": served.memory_mb("VmRSS"),
            "most_mb": served.memory_mb("VmHWM"),
        }
        costs = job_costs(served.url, sizes.jobs)
    tenth = events.head(sizes.events // 10)
    with tempfile.TemporaryDirectory() as folder, server(data_dir=Path(folder)) as served:
        durable = ingested(served, tenth, senders=sizes.senders, batch=sizes.batch)
        small = asyncio.run(searched(served.url, tenth, sizes.runs))
    with server(slow_polls=sizes.concurrent * (POLLS - 1)) as served:
        many = asyncio.run(many_jobs(served.url, sizes.concurrent))
    print(
        json.dumps(
            {
                "benchmark": "sandbox",
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "ingest": {
                    "events": sizes.events,
                    "senders": sizes.senders,
                    "batch_events": sizes.batch,
                    **ingest,
                },
                "ingest_on_disk": {"events": tenth.height, **durable},
                "search": search,
                "search_of_a_tenth": small,
                "memory": memory,
                "client_job_cpu": costs,
                "many_jobs": many,
                "python": platform.python_version(),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
