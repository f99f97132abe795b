"""Days on which the world is at its worst: each test names the fault that it plays.

The faults are those of the project's catalogue of what can go wrong: A of LogScale's API, B of the
network, C of chat and tickets, D of the inventory, E of storage, F of the process, G of the clock,
K of scale. Those that have tests beside their code are named there.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from orchestrator.app import RepoSearcher, open_app
from orchestrator.client.http.retry import NO_RETRIES, RetryPolicy
from orchestrator.client.http.transport import HttpTransport, Request
from orchestrator.client.logscale import LogScale
from orchestrator.client.types import QueryResult
from orchestrator.clock import FrozenClock, SystemClock
from orchestrator.config import load_config
from orchestrator.errors import AnswerTooLarge, ClockWrong, NameNotResolved
from orchestrator.ids import RuleId
from orchestrator.model.rule import Rule, Schedule, TimestampField
from orchestrator.model.run import Receipt, Run, RunState, SearchStats
from orchestrator.model.window import Window
from orchestrator.rules.ruleset import RuleSet
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.schedule.outcomes import (
    Cause,
    Committed,
    Fenced,
    GaveUp,
    Released,
    StoreFailed,
)
from orchestrator.schedule.outcomes import RetryPolicy as WindowPolicy
from orchestrator.schedule.planner import EARLIEST, plan, require_plausible
from orchestrator.schedule.ports import Commit
from orchestrator.schedule.runner import Runner
from orchestrator.schedule.windows import due_windows
from orchestrator.secret import SecretText
from orchestrator.store import MemoryStore, Store, open_store
from orchestrator.store.database import SqlStore
from tests.contract.sockets import LOOPBACK, http, listening, request_of, saying
from tests.unit.schedule.making import FIRST, NOON, ScriptedSearcher, make_result, make_rule
from tests.unit.store.backends import KINDS, opened
from tests.unit.store.making import LEASE, make_entry, make_finding

MINUTE = timedelta(minutes=1)
TOKEN = "token-of-bad-days"
OK = http(200, b'{"status":"OK","version":"1.204.0"}', {"Content-Type": "application/json"})
NAME = "logscale.example.com"


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON + timedelta(minutes=10))


async def judged_as_nothing(run: Run, result: QueryResult, /) -> Commit:
    del run
    return Commit(receipt=Receipt(search=SearchStats(rows=len(result.rows))))


async def judged_as_one(run: Run, result: QueryResult, /) -> Commit:
    del result
    finding = make_finding(run.owner, run_id=run.id)
    return Commit(findings=[finding], entries=[make_entry(finding)])


# A, LogScale


async def test_result_at_its_limit_is_not_used_and_becomes_a_gap_that_says_why() -> None:
    """A10. A filter query holds its newest 200 events, so the 201st would be missing in silence."""
    app = create_app(SandboxSettings(tokens={TOKEN: TokenRole(name="admin")}), clock=SystemClock())
    clock = FrozenClock(NOON + timedelta(minutes=10))
    stored_at = int(NOON.timestamp() * 1000)
    events: Any = [
        {"timestamp": stored_at + n, "attributes": {"ComputerName": f"ci-{n}"}} for n in range(201)
    ]
    async with LogScale(
        "http://sandbox", token=SecretText(TOKEN), clock=SystemClock(), asgi_app=app
    ) as scale:
        await scale.ingest().structured([{"tags": {}, "events": events}], repository="falcon")
        store = MemoryStore(clock)
        runner = Runner(
            store=store,
            searcher=RepoSearcher(client=scale, repository="falcon", deadline=MINUTE),
            clock=clock,
            owner="a",
            lease=LEASE,
            policy=WindowPolicy(max_attempts=2),
        )
        schedule = Schedule(every=timedelta(minutes=5), timestamp=TimestampField.EVENT)
        rule = make_rule(query="ComputerName=*", schedule=schedule)
        first = await runner.run_window(rule, FIRST, process=judged_as_nothing)
        clock.advance(timedelta(hours=1))
        second = await runner.run_window(rule, FIRST, process=judged_as_nothing)
    app.state.sandbox.close()

    assert isinstance(first, Released)
    assert isinstance(second, GaveUp)
    for outcome in (first, second):
        assert "more events matched than the result holds; add tail()" in outcome.reason
    (run,) = await store.runs()
    assert run.state is RunState.GAP


# B, the network


Resolved = list[tuple[Any, ...]]


def resolver(monkeypatch: pytest.MonkeyPatch, *answers: Callable[[int], Resolved]) -> list[str]:
    """Have the name resolve to each answer in turn, the last one for ever; return who asked."""
    real, asked, left = socket.getaddrinfo, [], list(answers)

    def lookup(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name != NAME:
            return real(host, port, *arguments, **named)
        asked.append(name)
        return (left.pop(0) if len(left) > 1 else left[0])(int(port))

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


def unknown(port: int) -> Resolved:
    del port
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def at(*addresses: str) -> Callable[[int], Resolved]:
    def found(port: int) -> Resolved:
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in addresses
        ]

    return found


def scale_by_name(port: int, *, retry: RetryPolicy = NO_RETRIES) -> LogScale:
    return LogScale(
        f"http://{NAME}:{port}", token=SecretText(TOKEN), clock=FrozenClock(NOON), retry=retry
    )


async def test_dns_that_fails_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """B2. A failure is kept by nobody: the next attempt asks again."""
    asked = resolver(monkeypatch, unknown, unknown, at(LOOPBACK))
    async with listening(saying(OK)) as port, scale_by_name(port) as scale:
        with pytest.raises(NameNotResolved, match="DNS does not answer"):
            await scale.status()
        while len(asked) < 2:
            with pytest.raises(NameNotResolved):
                await scale.status()
        status = await scale.status()

    assert status.status == "OK"


async def test_dns_that_fails_once_is_not_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """B2. One call tries a few times by itself."""
    resolver(monkeypatch, unknown, at(LOOPBACK))
    async with listening(saying(OK)) as port, scale_by_name(port, retry=RetryPolicy()) as scale:
        assert (await scale.status()).status == "OK"


async def test_server_that_moved_to_another_address_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """B2. The old address refuses, the next look-up has the new one."""
    resolver(monkeypatch, at("127.0.0.2"), at("127.0.0.2"), at(LOOPBACK))
    async with listening(saying(OK)) as port, scale_by_name(port, retry=RetryPolicy()) as scale:
        assert (await scale.status()).status == "OK"


async def test_broken_ipv6_beside_good_ipv4_is_not_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """B11."""
    resolver(monkeypatch, at("::1", LOOPBACK))
    async with listening(saying(OK)) as port, scale_by_name(port) as scale:
        assert (await scale.status()).status == "OK"


# E, storage


async def test_database_that_is_moved_away_under_the_service_is_told(
    tmp_path: Path, clock: FrozenClock
) -> None:
    """E4. It is not made anew in silence: what is written there would look like all there is."""
    path = tmp_path / "state.db"
    searcher = ScriptedSearcher(lambda: path.rename(tmp_path / "moved.db"))
    async with open_store(path, clock=clock) as store:
        runner = Runner(store=store, searcher=searcher, clock=clock, owner="a", lease=LEASE)
        outcome = await runner.run_window(make_rule(), FIRST, process=judged_as_one)

    assert isinstance(outcome, StoreFailed)
    assert "state.db: the open database is gone" in outcome.reason
    assert not path.exists()


# F, the process


async def test_answer_without_an_end_is_left_at_the_limit() -> None:
    """F14. Memory is bounded by what one answer may hold, however much is sent."""
    sent = 0
    left = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        try:
            while sent < 100_000_000:
                writer.write(b"x" * 65_536)
                await writer.drain()
                sent += 65_536
        finally:
            left.set()

    limit = 1_000_000
    async with (
        listening(endless) as port,
        HttpTransport(f"http://{LOOPBACK}:{port}", max_body_bytes=limit) as transport,
    ):
        with pytest.raises(AnswerTooLarge, match="larger than 1000000 bytes"):
            await transport.send(Request(method="GET", path="x"))
        await asyncio.wait_for(left.wait(), timeout=20)

    assert sent < 100_000_000


async def test_window_whose_answer_is_too_large_every_time_becomes_a_gap(
    clock: FrozenClock,
) -> None:
    """F14. It neither fills the memory nor holds up the windows behind it for ever."""
    store = MemoryStore(clock)
    searcher = ScriptedSearcher(AnswerTooLarge("the answer is larger than 5 bytes"))
    runner = Runner(
        store=store,
        searcher=searcher,
        clock=clock,
        owner="a",
        lease=LEASE,
        policy=WindowPolicy(max_attempts=2),
    )

    first = await runner.run_window(make_rule(), FIRST, process=judged_as_one)
    clock.advance(timedelta(hours=1))
    second = await runner.run_window(make_rule(), FIRST, process=judged_as_one)

    assert isinstance(first, Released)
    assert first.cause is Cause.TOO_LARGE
    assert isinstance(second, GaveUp)
    assert await store.watermark(make_rule().id) == FIRST.end


async def test_process_that_stood_still_for_longer_than_its_lease_writes_nothing(
    clock: FrozenClock,
) -> None:
    """F16. No renewal got through, somebody else took over, and what was found here is dropped."""
    store = MemoryStore(clock)
    rule = make_rule()

    async def overtake() -> None:
        other = Runner(
            store=store,
            searcher=ScriptedSearcher(make_result()),
            clock=clock,
            owner="b",
            lease=LEASE,
        )
        taken = await other.run_window(rule, FIRST, process=judged_as_one)
        assert isinstance(taken, Committed)

    class Blocked:
        async def search(self, rule: Rule, window: Window) -> QueryResult:
            del rule, window
            clock.advance(2 * LEASE)
            await overtake()
            return make_result()

    runner = Runner(store=store, searcher=Blocked(), clock=clock, owner="a", lease=LEASE)
    outcome = await runner.run_window(rule, FIRST, process=judged_as_one)

    assert isinstance(outcome, Fenced)
    assert [finding.title for finding in await store.findings()] == ["token read on b"]
    assert [run.owner for run in await store.runs()] == ["b"]


# G, the clock


@pytest.mark.parametrize(
    ("now", "committed", "is_right"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), [], False),
        (datetime(2016, 6, 1, tzinfo=UTC), [], False),
        (EARLIEST, [], True),
        (NOON, [NOON + timedelta(minutes=59)], True),
        (NOON, [NOON + timedelta(minutes=61)], False),
        (NOON, [NOON - timedelta(days=400), NOON + timedelta(days=400)], False),
        (NOON, [NOON - timedelta(days=400)], True),
    ],
)
def test_clock_is_believed_only_where_it_can_be_right(
    now: datetime, committed: list[datetime], *, is_right: bool
) -> None:
    """G-7."""
    if is_right:
        require_plausible(now, committed)
        return
    with pytest.raises(ClockWrong, match="Set the clock"):
        require_plausible(now, committed)


# K, scale


def many_rules(count: int) -> list[Rule]:
    return [make_rule(number) for number in range(1, count + 1)]


def test_five_hundred_rules_due_at_once_are_started_in_shares() -> None:
    """K1. Each round takes its budget, a window of as many rules, and none is left out."""
    rules = many_rules(500)
    marks = {rule.id: FIRST.start for rule in rules}
    now = FIRST.end + timedelta(minutes=2)
    rounds = []
    while due := plan(rules, marks, now=now, budget=50):
        rounds.append([rule.id for rule, _ in due])
        marks |= {rule.id: window.end for rule, window in due}

    assert [len(set(ids)) for ids in rounds] == [50] * 10
    assert len({rule_id for ids in rounds for rule_id in ids}) == 500


@dataclass(slots=True)
class Crowd:
    """A searcher in which three wait for each other, and that counts how many are in it."""

    gate: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(3))
    now: int = 0
    most: int = 0
    asked: int = 0

    async def search(self, rule: Rule, window: Window) -> QueryResult:
        del rule, window
        self.now += 1
        self.asked += 1
        self.most = max(self.most, self.now)
        async with asyncio.timeout(20):
            await self.gate.wait()
        self.now -= 1
        return make_result()


async def test_many_rules_due_at_once_search_no_more_at_a_time_than_is_allowed(
    tmp_path: Path, clock: FrozenClock
) -> None:
    """K1."""
    path = tmp_path / "orchestrator.toml"
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    path.write_text(
        "[schedule]\nconcurrency = 3\nwindows_per_tick = 24\n"
        f'[repos.falcon]\nurl = "http://127.0.0.1:1"\nrepository = "falcon"\n'
        f'token = "file:{tmp_path}/token"\n'
        f'[receivers.console]\nkind = "file"\npath = "{tmp_path}/told"\n',
        encoding="utf-8",
    )
    rules = RuleSet(rules=tuple(many_rules(60)), problems=())
    crowd = Crowd()
    async with open_app(
        load_config(path), repo="falcon", rules=rules, clock=clock, wire_clock=clock
    ) as app:
        app.runner._searcher = crowd
        sizes = [len(await app.run_due()) for _ in range(4)]

    assert sizes == [24, 24, 12, 0]
    assert (crowd.asked, crowd.most) == (60, 3)


def test_backlog_of_a_hundred_days_is_worked_off_without_a_hole() -> None:
    """K2. 28,800 windows of five minutes; a round looks at no more of them than it takes."""
    schedule = Schedule(every=timedelta(minutes=5), delay=timedelta(0))
    now = NOON + timedelta(days=100)
    mark, seen = NOON, 0
    while windows := due_windows(schedule, watermark=mark, now=now, limit=50):
        assert len(windows) <= 50
        assert windows[0].start == mark
        assert all(one.end == next_one.start for one, next_one in pairwise(windows))
        seen += len(windows)
        mark = windows[-1].end

    assert (seen, mark) == (28_800, now)


@pytest.fixture(params=KINDS)
async def store(
    request: pytest.FixtureRequest, clock: FrozenClock, tmp_path: Path
) -> AsyncIterator[Store]:
    async with opened(request.param, clock=clock, folder=tmp_path) as opened_store:
        yield opened_store


async def test_window_with_thousands_of_findings_is_stored_whole(
    store: Store, clock: FrozenClock
) -> None:
    """K3. Statements are cut into batches, the transaction is one: all of it or nothing."""
    findings = [make_finding(f"host-{n}") for n in range(3_000)]

    async def process(run: Run, result: QueryResult, /) -> Commit:
        del result
        return Commit(
            findings=[replace(finding, run_id=run.id) for finding in findings],
            entries=[make_entry(finding) for finding in findings],
        )

    searcher = ScriptedSearcher(make_result())
    runner = Runner(store=store, searcher=searcher, clock=clock, owner="a", lease=LEASE)
    outcome = await runner.run_window(make_rule(), FIRST, process=process)

    assert isinstance(outcome, Committed)
    assert len(await store.findings(limit=10_000)) == 3_000
    assert len(await store.entries(limit=10_000)) == 3_000


async def test_claim_of_messages_reads_the_index_and_not_the_table(
    tmp_path: Path, clock: FrozenClock
) -> None:
    """K4. However many were sent before, a claim costs what it takes."""
    async with open_store(tmp_path / "state.db", clock=clock) as store:
        assert isinstance(store, SqlStore)
        assert store._writer is not None
        told: list[str] = []

        @sa.event.listens_for(store._writer._engine, "before_cursor_execute")
        def explain(conn: Any, cursor: Any, text: str, values: Any, *_: Any) -> None:
            del conn
            if "UPDATE outbox" in text:
                cursor.execute(f"EXPLAIN QUERY PLAN {text}", values)
                told.extend(str(row[3]) for row in cursor.fetchall())

        await store.claim_entries(owner="a", lease=LEASE, limit=10)

    assert [line for line in told if "outbox_due" in line] != []
    assert [line for line in told if line.startswith("SCAN") and "INDEX" not in line] == [
        "SCAN due"
    ]


async def test_ten_who_claim_at_once_get_each_thing_once(store: Store) -> None:
    """K5. Windows and messages alike."""
    rule = RuleId("5f0c0000-0000-4000-8000-000000000001")
    owners = [f"replica-{n}" for n in range(10)]
    claims = await asyncio.gather(
        *(store.claim(rule, FIRST, rule_version="v", owner=owner, lease=LEASE) for owner in owners)
    )
    (run,) = [claim for claim in claims if claim is not None]
    findings = [make_finding(f"host-{n}", run_id=run.id) for n in range(40)]
    await store.commit(
        run,
        findings=findings,
        entries=[make_entry(finding) for finding in findings],
        receipt=Receipt(search=SearchStats()),
    )

    taken = await asyncio.gather(
        *(store.claim_entries(owner=owner, lease=LEASE, limit=7) for owner in owners)
    )

    ids = [entry.id for entries in taken for entry in entries]
    assert len(ids) == len(set(ids)) == 40


@dataclass(slots=True)
class SlowStore:
    """A store whose every write takes as long as a disk that is worn out."""

    inner: MemoryStore
    clock: FrozenClock
    writes: int = field(default=0)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        async def slowly(*arguments: Any, **named: Any) -> Any:
            self.writes += 1
            await self.clock.sleep(timedelta(milliseconds=200))
            return await method(*arguments, **named)

        return slowly


async def test_slow_disk_costs_time_and_nothing_else(clock: FrozenClock) -> None:
    """K6."""
    inner = MemoryStore(clock)
    slow: Any = SlowStore(inner, clock)
    searcher = ScriptedSearcher(make_result())
    runner = Runner(store=slow, searcher=searcher, clock=clock, owner="a", lease=LEASE)
    rule, began = make_rule(), clock.now()
    windows = [
        Window(FIRST.start + n * timedelta(minutes=5), FIRST.end + n * timedelta(minutes=5))
        for n in range(20)
    ]

    outcomes = [await runner.run_window(rule, w, process=judged_as_one) for w in windows]

    assert all(isinstance(outcome, Committed) for outcome in outcomes)
    assert await inner.watermark(rule.id) == windows[-1].end
    assert clock.now() - began == slow.writes * timedelta(milliseconds=200)
    assert len(await inner.findings()) == 1


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def test_ten_days_of_running_leave_no_task_and_no_file_open(tmp_path: Path) -> None:
    """K7. What grows is what is stored, one run a window."""
    clock = FrozenClock(NOON)
    rule = make_rule(schedule=Schedule(every=timedelta(hours=1), delay=timedelta(0)))
    begin = NOON - timedelta(hours=1)
    async with open_store(tmp_path / "state.db", clock=clock) as store:
        await store.start_watermark(rule.id, begin)
        runner = Runner(
            store=store,
            searcher=ScriptedSearcher(make_result()),
            clock=clock,
            owner="a",
            lease=LEASE,
        )
        seen = []
        for day in range(10):
            for _ in range(24):
                marks = {rule.id: await store.watermark(rule.id) or begin}
                for due, window in plan([rule], marks, now=clock.now(), budget=10):
                    await runner.run_window(due, window, process=judged_as_nothing)
                clock.advance(timedelta(hours=1))
            if day in (0, 9):
                seen.append((len(asyncio.all_tasks()), open_files()))
        runs = await store.runs(limit=1_000)

    assert len(runs) == 240
    assert {run.state for run in runs} == {RunState.DONE}
    assert seen[0] == seen[1]
