"""The triggers at work: told of every event and asset change, run by hand or by a driver.

`run_due` does everything that is due at the clock's instant and returns; tests call it. `serve` is
the driver of a running server: it sleeps until an event arrives, an asset changes, or something
falls due by the clock. Searching and sending are two loops, so that a far side that hangs holds up
no alert.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta

import polars as pl

from orchestrator.route.sinks.http import HttpSeam
from orchestrator.sandbox.search.run import Answer
from orchestrator.sandbox.storage.domains import Domain, Record
from orchestrator.sandbox.storage.journal import Journal
from orchestrator.sandbox.storage.states import RunState
from orchestrator.sandbox.triggers.arrivals import Arrivals
from orchestrator.sandbox.triggers.book import Book
from orchestrator.sandbox.triggers.delivery import Delivery, Outcome
from orchestrator.sandbox.triggers.evaluate import (
    Host,
    SearchFailed,
    everything,
    search_arrived,
    search_window,
)
from orchestrator.sandbox.triggers.kinds import (
    CorrelationRule,
    FilterAlert,
    Trigger,
)
from orchestrator.sandbox.triggers.outcomes import RETRY_MS, Outcomes
from orchestrator.sandbox.triggers.planner import Moment, Window, plan
from orchestrator.sandbox.triggers.roster import Roster
from orchestrator.sandbox.triggers.sending import Sending
from orchestrator.sandbox.triggers.templates import Firing

SEND_DEADLINE = timedelta(seconds=10)
# A clock that is set, and a machine that slept, are noticed within a minute.
_LONGEST_SLEEP_S, _SHORTEST_SLEEP_S, _PROBLEM_SLEEP_S = 60.0, 0.05, 10.0


class Triggers:
    """A sandbox's triggers; inert unless the settings let them run.

    Attributes:
        book: What was done and is to be done.
        delivery: The ways out.
        problem: What last stopped a round of the driver, such as a full disk.
    """

    def __init__(self, host: Host, journal: Journal | None, *, everything: str) -> None:
        """Read back what the journal holds; `everything` names what correlation rules search."""
        self._host, self._is_on = host, host.settings.run_triggers
        self._arrivals = Arrivals()
        self.problem = ""
        self.book = Book(journal)
        if self._is_on:
            self.book.load()
        self._roster = Roster(host, self.book, self._arrivals, everything=everything)
        self.delivery = Delivery(
            host,
            self.book,
            HttpSeam(deadline=SEND_DEADLINE),
            allow_outbound=host.settings.allow_outbound,
        )
        self._sending = Sending(host, self.book, self.delivery)
        self._outcomes = Outcomes(host, self.book, self._arrivals)
        self._searching = asyncio.Lock()
        self._to_search, self._to_send = asyncio.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ingesting: dict[int, int] = {}
        self._newest_ms = 0
        self._stamping = threading.Lock()
        # Before the events are read back: what no alert has seen is held while they are.
        cursors = [s.cursors for s in self.book.states.values() if s.is_active]
        names = {name for each in cursors for name in each}
        self._arrivals.await_from(
            {name: min(each[name] for each in cursors if name in each) for name in names}
        )

    # --- what the sandbox tells -----------------------------------------------------------------

    @contextmanager
    def ingesting(self) -> Iterator[int]:
        """Yield the time of arrival of a batch, and remember that it is not readable until the end.

        A window that ends after this instant waits for it. In the thread that stores the batch.
        """
        thread = threading.get_ident()
        # Before the clock is read: no instant between the two may look settled.
        self._ingesting[thread] = 0
        try:
            now_ms = self._host.now_ms()
            self._ingesting[thread] = now_ms
            with self._stamping:
                self._newest_ms = max(self._newest_ms, now_ms)
            yield now_ms
        finally:
            del self._ingesting[thread]
            self.wake()

    def arrived(self, repository: str, frame: pl.DataFrame) -> None:
        """Take a stored batch, in the order in which batches are stored; from any thread."""
        if self._is_on:
            self._arrivals.append(repository, frame)

    def forget(self, repository: str) -> None:
        """Forget the events of a repository that was deleted."""
        self._arrivals.forget(repository)
        for state in self.book.states.values():
            state.cursors.pop(repository, None)

    def sync(self) -> None:
        """Take the assets as they are now.

        Raises:
            StoreFull: The disk is full; they are taken all the same.
        """
        if not self._is_on:
            return
        self._roster.read()
        for key in self._roster.running:
            self._plan(key)
        self.book.save()
        self.wake()

    def clear_error(self, state: RunState | None) -> None:
        """Forget a trigger's error and try again at once."""
        if state is not None:
            state.clear()

    def execution(self, key: str) -> RunState | None:
        """Return the state of a correlation rule that the triggers know."""
        return self.book.states.get(key)

    def summary(self) -> dict[str, object]:
        """Return how many run, what is still to be sent, and what stopped the driver, if it did."""
        pending, running = len(self.book.pending), len(self._roster.running)
        return {"running": running, "pending": pending, "problem": self.problem}

    def wake(self) -> None:
        """Let the driver look at what is due; from any thread."""
        loop = self._loop
        if loop is not None:
            # The loop may end while a thread is still storing.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._to_search.set)

    # --- by hand and by the driver --------------------------------------------------------------

    async def run_due(self) -> None:
        """Search and send everything that is due now.

        Raises:
            StoreFull: The disk is full; nothing is sent that it does not hold.
        """
        await self.search_due()
        await self.send_due()

    async def search_due(self) -> None:
        """Run every search that is due now, and put what fires among what is to be sent."""
        async with self._searching:
            if not self._is_on:
                return
            ran = await asyncio.gather(*(self._catch_up(key) for key in list(self._roster.running)))
            if any(ran):
                self._roster.trim()
                self.book.save()
                self._to_send.set()

    async def send_due(self) -> None:
        """Carry out every action that is due now."""
        if self._is_on:
            await self._sending.send_due()

    async def try_out(self, action: Record, firing: Firing) -> Outcome:
        """Carry out an action as it is given, once, whether triggers run or not.

        Raises:
            StoreFull: It was carried out, and the disk is too full to say so.
        """
        return await self._sending.try_out(action, firing)

    def next_due_ms(self) -> int:
        """Return when the next search is due by the clock, 0 for none."""
        known = (self.book.states[key].next_ms for key in self._roster.running)
        return min((ms for ms in known if ms), default=0)

    async def serve(self) -> None:
        """Run the triggers until cancelled. It keeps the machine's time, whatever the clock says:
        under a frozen clock call `run_due`.
        """
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._drive(self._to_search, self.search_due, self.next_due_ms))
                group.create_task(self._drive(self._to_send, self.send_due, self._sending.next_ms))
        finally:
            self._loop = None

    async def _drive(
        self, wake: asyncio.Event, step: Callable[[], Awaitable[None]], due_ms: Callable[[], int]
    ) -> None:
        while True:
            wake.clear()
            pause_s = _LONGEST_SLEEP_S
            try:
                await step()
                if at_ms := due_ms():
                    pause_s = min(pause_s, (at_ms - self._host.now_ms()) / 1000)
            except Exception as exc:  # noqa: BLE001 -- the driver outlives whatever a step meets
                self.problem = f"{type(exc).__name__}: {exc}"
                pause_s = _PROBLEM_SLEEP_S
            with suppress(TimeoutError):
                async with asyncio.timeout(max(pause_s, _SHORTEST_SLEEP_S)):
                    await wake.wait()

    # --- one trigger ----------------------------------------------------------------------------

    async def _catch_up(self, key: str) -> bool:
        """Run all windows of a trigger that are due, oldest first; return whether any was."""
        ran = False
        try:
            while windows := self._plan(key):
                trigger, ran = self._roster.running[key], True
                for window in windows:
                    if not await self._run(trigger, window):
                        break
        except Exception as exc:  # noqa: BLE001 -- one trigger's fault ends no other's run
            state, now_ms = self.book.states[key], self._host.now_ms()
            state.fail(f"the run failed: {type(exc).__name__}: {exc}", now_ms=now_ms)
            state.retry_ms = now_ms + RETRY_MS
        return ran

    def _plan(self, key: str) -> Sequence[Window]:
        """Return what is due of a trigger, and note when it is due next."""
        trigger, state = self._roster.running.get(key), self.book.states.get(key)
        if trigger is None or state is None:
            return ()
        moment = Moment(
            now_ms=self._host.now_ms(),
            ingesting_ms=min(list(self._ingesting.values()), default=None),
            newest_ms=self._newest_ms,
            has_new=any(self._arrivals.total(n) > seen for n, seen in state.cursors.items()),
        )
        try:
            found = plan(trigger, state, moment)
        except ValueError as exc:
            if state.error != str(exc):
                state.fail(str(exc), now_ms=moment.now_ms)
            return ()
        state.next_ms = found.next_ms
        return found.windows

    async def _run(self, trigger: Trigger, window: Window) -> bool:
        """Search one window and note its outcome; False where the rest must wait."""
        state = self.book.states[trigger.key]
        cursors = {name: self._arrivals.total(name) for name in state.cursors}
        try:
            answer = await self._search(trigger, state, window, cursors)
        except SearchFailed as exc:
            if self._is_current(trigger):
                self._outcomes.failed(trigger, state, window, str(exc))
            return isinstance(trigger, CorrelationRule)
        if not self._is_current(trigger):
            # Edited, switched off or deleted meanwhile: it is planned again as what it is now.
            return False
        return self._outcomes.settle(trigger, state, window, answer, cursors)

    async def _search(
        self, trigger: Trigger, state: RunState, window: Window, cursors: dict[str, int]
    ) -> Answer | None:
        domain = self._domain(trigger)
        if not isinstance(trigger, FilterAlert):
            return await search_window(self._host, trigger, window, domain)
        frames: list[pl.DataFrame] = []
        for name, seen in state.cursors.items():
            cursors[name], new = self._arrivals.after(name, seen)
            frames += new
        return await search_arrived(self._host, trigger, domain, frames) if frames else None

    def _domain(self, trigger: Trigger) -> Domain:
        if isinstance(trigger, CorrelationRule):
            return everything(self._host, trigger.domain)
        return self._host.domains[trigger.domain]

    def _is_current(self, trigger: Trigger) -> bool:
        return self._roster.running.get(trigger.key) == trigger
