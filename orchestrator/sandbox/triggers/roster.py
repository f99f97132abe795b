"""Which triggers there are and which of them run, read anew whenever an asset changes.

A trigger begins when it is enabled: what arrived or fell due before is not its business. It goes on
where it was when it is edited, and when the sandbox is started again.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.sandbox.storage.domains import AssetKind, Domain, Record
from orchestrator.sandbox.storage.states import RunState
from orchestrator.sandbox.triggers.arrivals import Arrivals
from orchestrator.sandbox.triggers.book import Book
from orchestrator.sandbox.triggers.evaluate import Host
from orchestrator.sandbox.triggers.kinds import (
    TRIGGER_KINDS,
    FilterAlert,
    LiveAlert,
    Trigger,
    rule_key,
    rule_of,
    trigger_of,
)
from orchestrator.sandbox.triggers.planner import CATCH_UP_MS
from orchestrator.units import parse_instant, to_epoch_ms


class Roster:
    """The triggers that run.

    Attributes:
        running: By key.
    """

    def __init__(self, host: Host, book: Book, arrivals: Arrivals, *, everything: str) -> None:
        """Begin empty; `everything` names the domain that correlation rules search."""
        self.running: dict[str, Trigger] = {}
        self._host, self._book, self._arrivals = host, book, arrivals
        self._everything = everything

    def read(self) -> None:
        """Take the assets as they are now; states of what is gone go with it."""
        seen: set[str] = set()
        self.running = {}
        for domain in self._host.domains.values():
            domain.runs = {}
            for kind in TRIGGER_KINDS:
                for record in domain.assets[kind].values():
                    seen.add(self._take(kind, record, domain))
        for rule in self._host.correlation_rules.values():
            seen.add(self._take_rule(rule))
        for key in self._book.states.keys() - seen:
            del self._book.states[key]
        self.trim()

    def repositories(self, trigger: Trigger) -> Sequence[str]:
        """Return the repositories whose events the trigger sees."""
        domain = self._host.domains.get(trigger.domain)
        if domain is None:
            return [name for name, found in self._host.domains.items() if not found.is_view]
        return self._host.repositories(domain)

    def _take(self, kind: AssetKind, record: Record, domain: Domain) -> str:
        actions = domain.assets[AssetKind.ACTION]
        used = [actions[i] for i in record["actionIds"] if i in actions]
        has_email = any(action["typename"] == "EmailAction" for action in used)
        trigger = trigger_of(kind, record, domain=domain.name, has_email=has_email)
        state = self._state(trigger.key, trigger.query)
        domain.runs[trigger.id] = state
        # Without an action LogScale runs no trigger at all.
        runs = bool(record["enabled"] and used)
        self._switch(trigger, state, runs=runs, since_ms=record["modifiedAt"])
        return trigger.key

    def _take_rule(self, record: Record) -> str:
        key = rule_key(record["rule_id"])
        is_new = key not in self._book.states
        state = self._state(key, str(record["search"]["filter"]))
        try:
            rule = rule_of(record, domain=self._everything)
        except ValueError as exc:
            state.is_active = False
            state.execution = {"status_display": "failed", "errors": [str(exc)]}
            return key
        since_ms = to_epoch_ms(parse_instant(str(record["last_updated_on"])))
        if is_new:
            # Only a rule that runs on its creation is due in that very instant.
            since_ms = min(since_ms, rule.base_ms - 1)
        self._switch(rule, state, runs=record["status"] == "active", since_ms=since_ms)
        return key

    def _state(self, key: str, query: str) -> RunState:
        state = self._book.states.setdefault(key, RunState())
        if state.query != query:
            # The error was about another query.
            state.clear()
            state.query = query
        return state

    def _switch(self, trigger: Trigger, state: RunState, *, runs: bool, since_ms: int) -> None:
        if not runs:
            state.is_active, state.cursors, state.next_ms = False, {}, 0
            return
        if not state.is_active:
            state.is_active, state.retry_ms = True, 0
            state.done_ms = max(state.done_ms, since_ms)
        self.running[trigger.key] = trigger
        if isinstance(trigger, FilterAlert | LiveAlert):
            state.cursors = {
                name: min(state.cursors.get(name, total), total)
                for name in self.repositories(trigger)
                for total in (self._arrivals.total(name),)
            }

    def trim(self) -> None:
        """Hold the events that a filter alert has not seen; all others search what is stored."""
        first: dict[str, int] = {}
        for trigger in self.running.values():
            if isinstance(trigger, FilterAlert):
                for name, cursor in self._book.states[trigger.key].cursors.items():
                    first[name] = min(first.get(name, cursor), cursor)
        self._arrivals.await_from(first)
        if not self._host.settings.trust_ingest_timestamp:
            # One that cannot run must not hold events for ever.
            self._arrivals.expire(self._host.now_ms() - CATCH_UP_MS)
