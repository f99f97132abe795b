"""HTTP/1.1 and HTTP/2 under the same client, beside each other.

Run `python -m benchmarks.http2` after `pip install h2 hypercorn`, which nothing else here needs, so
`make bench` leaves it out; `openssl` makes the certificate. docs/adr/0007 rests on it.

The sandbox is served over TLS by one server that speaks both, and the client's connections are
exchanged: one for each exchange as they are, or one shared by all of them. Seven questions: what a
query job costs the client; how long polls take when one process keeps many jobs, near and far; how
long a cold client takes to start; what held polls wait for where a server limits streams; what a
quick request waits for beside them; what a lost connection takes with it; and what happens where a
server ends a connection after so many requests. A proxy in a process of its own makes the way long
and breaks connections. The protocols take turns, and each figure is the median of the runs. Prints
one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import os
import platform
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, cast
from unittest import mock

import httpcore
import hypercorn.asyncio
import requests

from benchmarks.bench_sandbox import (
    DEADLINE,
    POLL_AFTER_MS,
    POLLS,
    REPOSITORY,
    SMALL_QUERY,
    TOKEN,
    Served,
    percentile,
)
from benchmarks.stored_events import START_MS
from orchestrator.client.http import carrier
from orchestrator.client.http.connections import Answer, Body, Connections
from orchestrator.client.http.limits import Gate, Lane
from orchestrator.client.http.network import AsyncioNetwork
from orchestrator.client.http.transport import HttpTransport, Request, Response
from orchestrator.client.logscale import LogScale
from orchestrator.clock import SystemClock
from orchestrator.errors import ClientError
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.faults.kinds import Fault, FaultKind
from orchestrator.sandbox.server import LOOPBACK
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.secret import SecretText
from orchestrator.units import from_epoch_ms

FROM, UNTIL = from_epoch_ms(START_MS), from_epoch_ms(START_MS + 10_000)
STREAMS = 100
"""Streams at once of one connection: the server's limit, and the most that the library opens."""
HELD_S = 2.0
"""How long a loaded server keeps a poll waiting."""
ENDLESS = 10**9
AT_ONCE = 50
"""Jobs at once where there are neither one nor many."""
_IDLE_LIFE_S = 5.0

App = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How the sandbox is served."""

    alpn: tuple[str, ...]
    slow_polls: int = 0
    """The first so many polls of all say `done: false`."""
    held_s: float = 0.0
    """How long each poll is kept waiting."""
    most_requests: int = ENDLESS
    """Requests after which a connection is ended."""


def run_server(port: int, folder: Path, serving: Serving) -> None:
    """Serve a sandbox over TLS until SIGTERM."""
    slow = [Fault(kind=FaultKind.SLOW, count=serving.slow_polls)] if serving.slow_polls else []
    settings = SandboxSettings(
        tokens={TOKEN: TokenRole(name="bench")},
        repositories=(REPOSITORY,),
        poll_after_running_ms=POLL_AFTER_MS if slow else 20,
        faults={"GET */queryjobs/*": slow},
    )
    config = hypercorn.Config()
    config.bind = [f"{LOOPBACK}:{port}"]
    config.certfile, config.keyfile = str(folder / "cert.pem"), str(folder / "key.pem")
    config.alpn_protocols = list(serving.alpn)
    config.h2_max_concurrent_streams = STREAMS
    config.keep_alive_max_requests = serving.most_requests
    config.keep_alive_timeout, config.graceful_timeout = 75, 0.1
    config.backlog, config.loglevel = 2048, "CRITICAL"
    # It tells of each connection that a client closed.
    logging.disable()
    app = holding(create_app(settings, clock=SystemClock()), serving.held_s)
    # It has ASGI types of its own.
    asyncio.run(hypercorn.asyncio.serve(cast("Any", app), config))


def holding(app: App, seconds: float) -> App:
    """Return the app with polls that are kept waiting."""

    async def held(
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        if seconds and scope.get("method") == "GET" and "/queryjobs/" in scope["path"]:
            await asyncio.sleep(seconds)
        await app(scope, receive, send)

    return held


class Way(asyncio.Protocol):
    """One direction of a connection through the proxy: what comes in goes out later.

    A proxy accepts at once, so the round trip of TCP's own handshake is added to the first bytes.
    """

    def __init__(self, proxy: Proxy, *, delay_s: float, first_s: float) -> None:
        self._proxy, self._delay_s, self._first_s = proxy, delay_s, first_s
        self._last = 0.0
        self._waiting: list[bytes] = []
        self.other: Way | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what came before the connection was there; join a new one with the server."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        for data in self._waiting:
            transport.write(data)
        if self.other is None:
            self._proxy.accepted(self)

    def data_received(self, data: bytes) -> None:
        """Pass it on when its time has come."""
        self._proxy.used = self
        self._later(lambda other: other.deliver(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other side after what is still on its way."""
        self._proxy.ways.discard(self)
        self._later(Way.close)

    def deliver(self, data: bytes) -> None:
        """Send on, as soon as there is a connection."""
        if self.transport is None:
            self._waiting.append(data)
        elif not self.transport.is_closing():
            self.transport.write(data)

    def close(self) -> None:
        """End the connection, once all is sent."""
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        """Break both sides' connections, without an end of either."""
        for way in (self, self.other):
            if way is not None and way.transport is not None:
                own = way.transport.get_extra_info("socket")
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                way.transport.abort()

    def _later(self, act: Callable[[Way], object]) -> None:
        other, loop = self.other, asyncio.get_running_loop()
        if other is None:
            return
        due = loop.time() + self._delay_s + self._first_s
        self._first_s = 0.0
        # Strictly later than what went before, or the order of equals is open.
        self._last = max(due, self._last + 1e-6)
        loop.call_at(self._last, act, other)


class Proxy:
    """Sends on what it gets, later, and resets connections: one by SIGUSR1, all by SIGUSR2."""

    def __init__(self, port: int, target: int, rtt_s: float) -> None:
        self._port, self._target, self._rtt_s = port, target, rtt_s
        self._tasks: set[asyncio.Task[object]] = set()
        self.ways: set[Way] = set()
        self.used: Way | None = None
        """Where something arrived last."""

    def accepted(self, near: Way) -> None:
        """Join a new connection with one to the server."""
        far = Way(self, delay_s=self._rtt_s / 2, first_s=0.0)
        near.other, far.other = far, near
        self.ways.add(near)
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.create_connection(lambda: far, LOOPBACK, self._target))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def serve(self) -> None:
        """Serve until the process is ended."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._reset_used)
        loop.add_signal_handler(signal.SIGUSR2, self._reset_all)
        server = await loop.create_server(
            lambda: Way(self, delay_s=self._rtt_s / 2, first_s=self._rtt_s),
            LOOPBACK,
            self._port,
            backlog=2048,
        )
        await server.serve_forever()

    def _reset_used(self) -> None:
        if self.used is not None:
            self.used.reset()

    def _reset_all(self) -> None:
        for way in list(self.ways):
            way.reset()


def run_proxy(port: int, target: int, rtt_s: float) -> None:
    """Serve a proxy until SIGTERM."""
    asyncio.run(Proxy(port, target, rtt_s).serve())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A server, and the proxy on the way to it."""

    url: str
    tls: ssl.SSLContext
    server: Served
    proxy: int
    """Its process; the server's own if there is none."""


@contextmanager
def reached(folder: Path, serving: Serving, *, rtt_ms: int | None = None) -> Iterator[Reached]:
    """Start a server process, and a proxy's if the way has a length."""
    context = multiprocessing.get_context("spawn")
    port, proxy_port = free_port(), 0
    server = context.Process(target=run_server, args=(port, folder, serving))
    processes = [server]
    try:
        start(server, port, folder)
        if rtt_ms is not None:
            proxy_port = free_port()
            way = (proxy_port, port, rtt_ms / 1000)
            processes.append(context.Process(target=run_proxy, args=way))
            start(processes[-1], proxy_port, folder)
        url = f"https://{LOOPBACK}:{proxy_port or port}"
        yield Reached(
            url=url,
            tls=ssl.create_default_context(cafile=folder / "cert.pem"),
            server=Served(url, server.pid or 0),
            proxy=processes[-1].pid or 0,
        )
    finally:
        for process in processes:
            process.terminate()
            process.join()


def start(process: SpawnProcess, port: int, folder: Path) -> None:
    """Start a process and wait until the sandbox answers at its port."""
    process.start()
    while not answers(f"https://{LOOPBACK}:{port}", folder):
        time.sleep(0.05)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        return int(free.getsockname()[1])


def answers(url: str, folder: Path) -> bool:
    """Return whether the server is up."""
    try:
        return requests.get(f"{url}/api/v1/status", timeout=5, verify=str(folder / "cert.pem")).ok
    except requests.ConnectionError:
        return False


def make_certificate(folder: Path) -> None:
    """Write a certificate for the loopback address, and its key."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=bench"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", f"subjectAltName=IP:{LOOPBACK}"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )


class Counted(AsyncioNetwork):
    """Counts the connections that were made."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(tls)
        self.made = 0

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        """Return a connection."""
        stream = await super().connect_tcp(*args, **options)
        self.made += 1
        return stream


class Apart(Connections):
    """The client's own connections, each lent to one exchange at a time."""

    def __init__(self, *, scheme: bytes, host: bytes, port: int, tls: ssl.SSLContext) -> None:
        super().__init__(scheme=scheme, host=host, port=port, tls=tls)
        self._network = self.network = Counted(tls)


class Shared(Apart):
    """HTTP/2: one connection for all exchanges, and another one when it cannot be used any more."""

    streams = ENDLESS
    """Exchanges that one connection is given at once; more of them wait in the library."""

    def __init__(self, *, scheme: bytes, host: bytes, port: int, tls: ssl.SSLContext) -> None:
        super().__init__(scheme=scheme, host=host, port=port, tls=tls)
        tls.set_alpn_protocols(["h2", "http/1.1"])
        self._running: dict[httpcore.AsyncHTTPConnection, int] = {}

    async def exchange(
        self,
        method: str,
        target: bytes,
        *,
        headers: Sequence[tuple[bytes, bytes]],
        content: bytes | AsyncIterable[bytes],
        timeouts: Mapping[str, float | None],
    ) -> Answer:
        """Send a request as a stream; one that the server never saw goes to a new connection."""
        origin = self._origin
        request = httpcore.Request(
            method,
            httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target),
            headers=headers,
            content=content,
            extensions={"timeout": timeouts},
        )
        while True:
            connection = await self._chosen()
            self._running[connection] += 1

            async def give_back(used: httpcore.AsyncHTTPConnection = connection) -> None:
                self._running[used] -= 1

            try:
                response = await connection.handle_async_request(request)
            except httpcore.ConnectionNotAvailable:
                await give_back()
                continue
            except BaseException:
                await give_back()
                raise
            assert response.extensions["http_version"] == b"HTTP/2"
            return Answer(
                status=response.status,
                headers=response.headers,
                body=Body(response, give_back),
            )

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in list(self._running):
            await connection.aclose()

    async def _chosen(self) -> httpcore.AsyncHTTPConnection:
        for connection, running in list(self._running.items()):
            if not connection.is_available() or connection.has_expired():
                if not running:
                    del self._running[connection]
                    await connection.aclose()
            elif running < self.streams:
                return connection
        connection = httpcore.AsyncHTTPConnection(
            self._origin,
            ssl_context=self._tls,
            keepalive_expiry=_IDLE_LIFE_S,
            http2=True,
            retries=1,
            network_backend=self._network,
        )
        self._running[connection] = 0
        return connection


class Widening(Shared):
    """HTTP/2 with another connection for each so many streams."""

    streams = STREAMS


KINDS: Mapping[str, type[Apart]] = {"http/1.1": Apart, "http/2": Shared, "http/2 wide": Widening}
BOTH = ("http/1.1", "http/2")
ALPN = {"http/1.1": ("http/1.1",)}
"""What a server offers; to HTTP/2 it offers both."""
ALPN_BOTH = ("h2", "http/1.1")


class Watched(HttpTransport):
    """Notes of each exchange when it was asked for, when it ended, and whether it failed."""

    def __init__(self, way: Reached, protocol: str, gate: Gate | None = None) -> None:
        def connections(**address: Any) -> Apart:
            self._own = KINDS[protocol](**address)
            return self._own

        with mock.patch.object(carrier, "Connections", connections):
            super().__init__(way.url, tls=way.tls, gate=gate)
        self.noted: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.failed: Counter[str] = Counter()
        self.running: Counter[str] = Counter()

    @property
    def connections(self) -> int:
        """Return how many were made."""
        return self._own.network.made

    def took_ms(self, method: str) -> list[float]:
        """Return the length of each exchange that was answered."""
        return [(ended - began) * 1000 for began, ended in self.noted[method]]

    async def send(self, request: Request) -> Response:
        """Send, and note it."""
        name = request.method if "queryjobs" in request.path else "other"
        began = time.perf_counter()
        self.running[name] += 1
        try:
            answer = await super().send(request)
        except ClientError as exc:
            self.failed[f"{name} {type(exc).__name__}"] += 1
            raise
        finally:
            self.running[name] -= 1
        self.noted[name].append((began, time.perf_counter()))
        return answer


Figures = dict[str, float]
Measure = Callable[[Reached, Watched, LogScale], Awaitable[Figures]]


def measured(way: Reached, protocol: str, measure: Measure, gate: Gate | None = None) -> Figures:
    """Measure with a cold client; return the figures, and what both sides' CPU did."""

    async def run() -> Figures:
        watched = Watched(way, protocol, gate)
        server_s, client_s, began = way.server.cpu_s(), time.process_time(), time.perf_counter()
        async with LogScale(
            way.url, token=SecretText(TOKEN), transport=watched, clock=SystemClock()
        ) as scale:
            figures = await measure(way, watched, scale)
        return {
            **figures,
            "connections": watched.connections,
            "exchanges_failed": sum(watched.failed.values()),
            "seconds": time.perf_counter() - began,
            "client_cpu_ms": (time.process_time() - client_s) * 1000,
            "server_cpu_ms": (way.server.cpu_s() - server_s) * 1000,
        }

    return asyncio.run(run())


async def run_jobs(scale: LogScale, count: int, at_once: int) -> Counter[str]:
    """Run query jobs, each to its deletion; return the errors of those that failed."""
    errors: Counter[str] = Counter()
    left = iter(range(count))

    async def worker() -> None:
        for _ in left:
            try:
                await scale.search(
                    REPOSITORY, SMALL_QUERY, start=FROM, end=UNTIL, deadline=DEADLINE
                )
            except ClientError as exc:
                errors[type(exc).__name__] += 1

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return errors


def a_number_of_jobs(count: int, at_once: int) -> Measure:
    """Return what runs so many jobs, and counts those that failed."""

    async def measure(_way: Reached, watched: Watched, scale: LogScale) -> Figures:
        errors = await run_jobs(scale, count, at_once)
        polls = watched.took_ms("GET")
        return {
            "jobs": count,
            "jobs_failed": errors.total(),
            "polls": len(polls),
            "poll_took_p50_ms": percentile(polls, 50),
            "poll_took_p99_ms": percentile(polls, 99),
        }

    return measure


async def first_request(_way: Reached, _watched: Watched, scale: LogScale) -> Figures:
    """Ask once, from cold."""
    began = time.perf_counter()
    job = await scale.jobs().submit(REPOSITORY, body())
    took = time.perf_counter() - began
    await scale.jobs().delete(REPOSITORY, job)
    return {"first_answer_ms": took * 1000}


def body() -> Any:
    """Return what a small query job is asked."""
    return {"queryString": SMALL_QUERY, "start": START_MS, "end": START_MS + 10_000}


def started(count: int) -> Measure:
    """Return what starts so many jobs at once, from cold."""

    async def measure(_way: Reached, watched: Watched, scale: LogScale) -> Figures:
        began, began_cpu = time.perf_counter(), time.process_time()
        jobs = await asyncio.gather(
            *(scale.jobs().submit(REPOSITORY, body()) for _ in range(count))
        )
        ended, ended_cpu, made = time.perf_counter(), time.process_time(), watched.connections
        first = min(ended for _, ended in watched.noted["POST"])
        await asyncio.gather(*(scale.jobs().delete(REPOSITORY, job) for job in jobs))
        return {
            "jobs": count,
            "first_started_ms": (first - began) * 1000,
            "all_started_ms": (ended - began) * 1000,
            "start_cpu_ms": (ended_cpu - began_cpu) * 1000,
            "start_connections": made,
        }

    return measure


async def poll_all(scale: LogScale, jobs: Sequence[str]) -> Counter[str]:
    """Poll each job once, all at the same time; return the errors of those that failed for good."""
    polls = (scale.jobs().poll(REPOSITORY, job) for job in jobs)
    found = await asyncio.gather(*polls, return_exceptions=True)
    return Counter(type(each).__name__ for each in found if isinstance(each, ClientError))


async def beside_held(_way: Reached, watched: Watched, scale: LogScale) -> Figures:
    """Ask something quick again and again while polls are held."""
    jobs = [await scale.jobs().submit(REPOSITORY, body()) for _ in range(AT_ONCE)]
    held = asyncio.create_task(poll_all(scale, jobs))
    await asyncio.sleep(HELD_S / 10)
    while not held.done():
        await scale.status()
        await asyncio.sleep(0.02)
    took = watched.took_ms("other")
    return {
        "held_polls": AT_ONCE,
        "quick_requests": len(took),
        "quick_p50_ms": statistics.median(took),
        "quick_most_ms": max(took),
    }


def lost(number: signal.Signals, count: int) -> Measure:
    """Return what has the proxy reset connections while so many polls are under way."""

    async def measure(way: Reached, watched: Watched, scale: LogScale) -> Figures:
        jobs = [await scale.jobs().submit(REPOSITORY, body()) for _ in range(count)]
        polls = asyncio.create_task(poll_all(scale, jobs))
        await asyncio.sleep(HELD_S / 2)
        under_way = watched.running["GET"]
        os.kill(way.proxy, number)
        errors = await polls
        return {"jobs": count, "polls_under_way": under_way, "jobs_failed": errors.total()}

    return measure


def alternating(
    folder: Path,
    measure: Measure,
    *,
    runs: int,
    protocols: Sequence[str] = BOTH,
    rtt_ms: int | None = None,
    gate: Mapping[Lane, int] | None = None,
    **serving: Any,
) -> dict[str, object]:
    """Return the medians of runs in turn, each with a server of its own that was asked before."""
    found: dict[str, list[Figures]] = {protocol: [] for protocol in protocols}
    for n in range(runs):
        # Who comes first changes too.
        for protocol in protocols if n % 2 == 0 else tuple(reversed(protocols)):
            served = Serving(alpn=ALPN.get(protocol, ALPN_BOTH), **serving)
            with reached(folder, served, rtt_ms=rtt_ms) as way:
                figures = measured(way, protocol, measure, Gate(gate))
            found[protocol].append(figures)
    return {"runs": runs, **{protocol: medians(found[protocol]) for protocol in protocols}}


def medians(runs: Sequence[Figures]) -> Figures:
    """Return the median of each figure, and how far apart the runs' client CPU lay."""
    middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    cpu = sorted(run["client_cpu_ms"] for run in runs)
    every = {**middle, "client_cpu_least_ms": cpu[0], "client_cpu_most_ms": cpu[-1]}
    if jobs := every.get("jobs"):
        every["client_cpu_ms_per_job"] = middle["client_cpu_ms"] / jobs
        every["server_cpu_ms_per_job"] = middle["server_cpu_ms"] / jobs
    return {name: round(value, 2) for name, value in every.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--long-runs", type=int, default=3, help="of those that take 15 s each")
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--concurrent", type=int, default=500)
    parser.add_argument("--rtt-ms", type=int, nargs="*", default=[20, 80])
    parser.add_argument("--only", nargs="*", default=[], help="names of the parts to measure")
    sizes = parser.parse_args()
    runs, long_runs, many = sizes.runs, sizes.long_runs, sizes.concurrent
    slow = many * (POLLS - 1)
    wide = {Lane.CALL: 100}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_certificate(folder)
        # What is imported at first use is not measured.
        alternating(folder, first_request, runs=1)
        parts: dict[str, Callable[[], object]] = {
            "one_after_the_other": lambda: alternating(
                folder, a_number_of_jobs(sizes.jobs, 1), runs=runs
            ),
            "fifty_at_once": lambda: alternating(
                folder, a_number_of_jobs(sizes.jobs * 2, AT_ONCE), runs=runs
            ),
            "many_jobs": lambda: {
                f"rtt_{rtt or 0}_ms": alternating(
                    folder,
                    a_number_of_jobs(many, many),
                    runs=long_runs,
                    rtt_ms=rtt,
                    slow_polls=slow,
                )
                for rtt in (None, *sizes.rtt_ms)
            },
            "cold_first_request": lambda: {
                f"rtt_{rtt}_ms": alternating(folder, first_request, runs=runs, rtt_ms=rtt)
                for rtt in (0, *sizes.rtt_ms)
            },
            "cold_100_jobs": lambda: {
                f"rtt_{rtt}_ms": alternating(folder, started(100), runs=runs, rtt_ms=rtt)
                for rtt in (0, *sizes.rtt_ms)
            },
            "cold_100_jobs_100_places": lambda: {
                f"rtt_{rtt}_ms": alternating(folder, started(100), runs=runs, rtt_ms=rtt, gate=wide)
                for rtt in (0, *sizes.rtt_ms)
            },
            "held_polls": lambda: alternating(
                folder,
                a_number_of_jobs(many, many),
                runs=long_runs,
                protocols=tuple(KINDS),
                held_s=HELD_S,
            ),
            "beside_held_polls": lambda: alternating(
                folder, beside_held, runs=long_runs, held_s=HELD_S
            ),
            "lost_one_connection": lambda: alternating(
                folder, lost(signal.SIGUSR1, 90), runs=long_runs, rtt_ms=2, held_s=HELD_S
            ),
            "lost_all_connections": lambda: alternating(
                folder, lost(signal.SIGUSR2, 90), runs=long_runs, rtt_ms=2, held_s=HELD_S
            ),
            "ended_after_1000_requests": lambda: alternating(
                folder, a_number_of_jobs(1_000, AT_ONCE), runs=long_runs, most_requests=1_000
            ),
        }
        found = {
            name: part() for name, part in parts.items() if name in sizes.only or not sizes.only
        }
    print(
        json.dumps(
            {
                "benchmark": "http2",
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "poll_after_ms": POLL_AFTER_MS,
                "held_s": HELD_S,
                **found,
                "versions": {
                    name: version(name)
                    for name in ("httpx", "httpcore", "h11", "h2", "hpack", "hypercorn")
                },
                "openssl": ssl.OPENSSL_VERSION,
                "python": platform.python_version(),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
