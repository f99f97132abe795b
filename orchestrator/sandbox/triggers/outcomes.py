"""What a search brought, noted in the trigger's state and in what is to be sent.

Everything here happens between two awaits, so that a state never shows half an outcome.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta

from orchestrator.sandbox.search.run import Answer
from orchestrator.sandbox.storage.events import TIMESTAMP
from orchestrator.sandbox.storage.states import RunState
from orchestrator.sandbox.triggers.arrivals import Arrivals
from orchestrator.sandbox.triggers.book import Book, Pending
from orchestrator.sandbox.triggers.detections import facts_of
from orchestrator.sandbox.triggers.evaluate import Fired, Host, fired_events, fired_rows
from orchestrator.sandbox.triggers.kinds import (
    AggregateAlert,
    CorrelationRule,
    FilterAlert,
    LegacyAlert,
    ScheduledSearch,
    Trigger,
)
from orchestrator.sandbox.triggers.planner import Window, next_slot
from orchestrator.sandbox.triggers.templates import Firing
from orchestrator.units import format_duration, format_instant, from_epoch_ms

RETRY_MS = 60_000
"""How long an alert whose search failed waits for its next try."""
_WARNED_RETRY_MS = 10_000
_MS = timedelta(milliseconds=1)


class Outcomes:
    """Turns results into states and firings."""

    def __init__(self, host: Host, book: Book, arrivals: Arrivals) -> None:
        self._host, self._book, self._arrivals = host, book, arrivals

    def failed(self, trigger: Trigger, state: RunState, window: Window, problem: str) -> None:
        """Note that the window could not be searched, and when it is tried again."""
        now_ms = self._host.now_ms()
        match trigger:
            case CorrelationRule():
                state.done_ms = window.planned_ms
                self._executed(trigger, state, window, rows=0, warnings=(), problem=problem)
            case ScheduledSearch():
                # The slot stays due, within the backfill limit, from the next slot on.
                state.fail(problem, now_ms=now_ms)
                state.retry_ms = next_slot(trigger, now_ms)
            case _:
                state.fail(problem, now_ms=now_ms)
                state.retry_ms = now_ms + RETRY_MS

    def settle(
        self,
        trigger: Trigger,
        state: RunState,
        window: Window,
        answer: Answer | None,
        cursors: dict[str, int],
    ) -> bool:
        """Note what a search found, all of it before the next await; True if the window is done."""
        now_ms = self._host.now_ms()
        warnings = list(answer.warnings) if answer is not None else []
        state.warnings, state.last_poll_ms = warnings, now_ms
        if isinstance(trigger, ScheduledSearch) and warnings:
            patient_ms = window.planned_ms + trigger.max_wait_ms
            if now_ms < patient_ms:
                state.retry_ms = min(now_ms + _WARNED_RETRY_MS, patient_ms)
                return False
        state.done_ms, state.retry_ms = window.planned_ms, 0
        for name in state.cursors.keys() & cursors.keys():
            # A repository may have been made anew meanwhile.
            state.cursors[name] = min(cursors[name], self._arrivals.total(name))
        state.last_executed_ms = window.end_ms
        rows = answer.rows if answer is not None else ()
        match trigger:
            case FilterAlert():
                self._fire_events(trigger, state, rows[::-1], answer)
            case AggregateAlert() | LegacyAlert():
                # LogScale sends no incomplete result unless it is told to.
                is_immediate = isinstance(trigger, AggregateAlert) and trigger.is_immediate
                may_fire = is_immediate or not warnings
                fired = fired_rows(trigger, state, rows, now_ms=now_ms) if may_fire else None
                if fired is not None:
                    self._fire(trigger, window, fired, answer)
                    state.last_triggered_ms = now_ms
            case ScheduledSearch():
                if (rows or trigger.on_empty) and not warnings:
                    self._fire(trigger, window, Fired(rows=rows), answer)
                    state.last_triggered_ms = window.end_ms
            case CorrelationRule():
                self._executed(trigger, state, window, rows=len(rows), warnings=warnings)
                if rows:
                    self._fire(trigger, window, Fired(rows=rows), answer)
                    state.last_triggered_ms = window.end_ms
        return True

    # --- what comes out -------------------------------------------------------------------------

    def _fire_events(
        self,
        alert: FilterAlert,
        state: RunState,
        rows: Sequence[Mapping[str, str]],
        answer: Answer | None,
    ) -> None:
        now_ms = self._host.now_ms()
        fired, too_many = fired_events(alert, state, rows, now_ms=now_ms)
        for one in fired:
            at_ms = int(one.rows[0].get(TIMESTAMP) or now_ms)
            event = Window(start_ms=at_ms, end_ms=at_ms + 1, by_ingest=False, planned_ms=now_ms)
            self._fire(alert, event, one, answer)
        if fired:
            state.last_triggered_ms = now_ms
        if too_many:
            state.warnings.append(f"{too_many} events fired nothing: too many in one minute")

    def _fire(self, trigger: Trigger, window: Window, fired: Fired, answer: Answer | None) -> None:
        start, end = _relative(trigger)
        # What a rule does with what it found is its outcome, in the place of actions.
        action_ids, facts = trigger.action_ids, {}
        if isinstance(trigger, CorrelationRule):
            record = self._host.correlation_rules.get(trigger.id, {})
            action_ids, facts = (trigger.outcome,), facts_of(trigger, record)
        firing = Firing(
            id=secrets.token_hex(16),
            trigger_id=trigger.id,
            trigger_key=trigger.key,
            name=trigger.name,
            description=trigger.description,
            domain=trigger.domain,
            query=trigger.query,
            type=_type_of(trigger),
            at_ms=self._host.now_ms(),
            start_ms=window.start_ms,
            end_ms=window.end_ms,
            time_start=start,
            time_end=end,
            rows=[dict(row) for row in fired.rows],
            fields=list(answer.field_order) if answer is not None else [],
            warnings=list(answer.warnings) if answer is not None else [],
            throttle_keys=list(fired.throttle_keys),
            facts=facts,
        )
        self._book.firings[firing.id] = firing
        for action_id in action_ids:
            self._book.pending.append(
                Pending(id=secrets.token_hex(16), firing_id=firing.id, action_id=action_id)
            )

    def _executed(
        self,
        rule: CorrelationRule,
        state: RunState,
        window: Window,
        *,
        rows: int,
        warnings: Sequence[str],
        problem: str = "",
    ) -> None:
        """Record a correlation rule's run."""
        now = format_instant(from_epoch_ms(self._host.now_ms()))
        state.execution = {
            "status_display": "failed" if problem else "succeeded",
            "errors": [problem] if problem else [],
            "warnings": list(warnings),
            "result_metadata": {
                "execution_start": now,
                "execution_finish": now,
                "execution_duration": 0,
                "result_count": rows,
                "search_window_end": format_instant(from_epoch_ms(window.end_ms)),
                "use_ingest_time": rule.by_ingest,
            },
        }
        state.last_executed_ms = window.end_ms


def _type_of(trigger: Trigger) -> str:
    match trigger:
        case ScheduledSearch():
            return "scheduled-search"
        case CorrelationRule():
            return "correlation-rule"
        case _:
            return "alert"


def _relative(trigger: Trigger) -> tuple[str, str]:
    """Return the window's bounds as they are set, such as `1h` and `now`."""
    match trigger:
        case ScheduledSearch():
            start_ms, end_ms = trigger.interval_ms + trigger.offset_ms, trigger.offset_ms
        case AggregateAlert() | LegacyAlert():
            start_ms, end_ms = trigger.interval_ms, 0
        case _:
            return "now", "now"
    return format_duration(start_ms * _MS), format_duration(end_ms * _MS) if end_ms else "now"
