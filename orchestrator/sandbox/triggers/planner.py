"""Which windows of a trigger are due at an instant, and when to look again. Pure.

A window is half-open. What is answered is in the trigger's state; the planner never returns it
again and leaves out nothing after it, within the limits of each kind:

* a scheduled search by event time runs its newest due slot, late or not, and before it at most
  `backfillLimit` older ones; by ingest time one run reaches back over all slots that were missed;
* an aggregate alert looks at a window that ends now; one that fell behind steps forward by whole
  windows, from at most 24 hours back;
* a legacy alert looks at such a window too, and never at one that is past;
* a correlation rule runs its newest due slot alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.cron import fires_after
from orchestrator.sandbox.search.timespans import zone_of
from orchestrator.sandbox.storage.states import RunState
from orchestrator.sandbox.triggers.kinds import (
    MAX_BACKFILL_RUNS,
    AggregateAlert,
    CorrelationRule,
    FilterAlert,
    LegacyAlert,
    LiveAlert,
    ScheduledSearch,
    Trigger,
)
from orchestrator.units import from_epoch_ms, to_epoch_ms

CATCH_UP_MS = 86_400_000
"""How far back alerts go when they fell behind."""
PACE_MS = 5_000
"""Least time between two looks of an alert with a window at events that keep arriving."""
COMPLETE_WAIT_MS = 1_200_000
"""How long an aggregate alert in CompleteMode waits for a complete result: twenty minutes."""
_MINUTE_MS = 60_000
# Looked at one after the other, so that a month without a run costs no month of cron arithmetic.
_BACK_MS = (3_600_000, 86_400_000, 40 * 86_400_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one run searches, `[start_ms, end_ms)`."""

    start_ms: int
    end_ms: int
    by_ingest: bool
    planned_ms: int
    """Everything up to here is answered once the run is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What the planner is told about the instant."""

    now_ms: int
    ingesting_ms: int | None = None
    """Arrival of the oldest events that are not readable yet."""
    newest_ms: int = 0
    """Arrival of the newest events."""
    has_new: bool = False
    """Whether events arrived that the trigger did not look at."""

    def settles_at(self, until_ms: int, *, patience_ms: int) -> int:
        """Return when events that arrived before `until_ms` are readable, or are waited for no
        more; now, if they are.
        """
        if self.ingesting_ms is None or self.ingesting_ms >= until_ms:
            return self.now_ms
        return max(self.now_ms, until_ms + patience_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is due now, oldest first, and when something may be due next; 0 for no known time."""

    windows: tuple[Window, ...] = ()
    next_ms: int = 0


def plan(trigger: Trigger, state: RunState, moment: Moment) -> Plan:
    """Return what is due of an active trigger.

    Raises:
        ValueError: Its schedule cannot be read or never comes.
    """
    if moment.now_ms < state.retry_ms:
        return Plan(next_ms=state.retry_ms)
    match trigger:
        case ScheduledSearch():
            return _scheduled(trigger, state, moment)
        case FilterAlert():
            now_ms = moment.now_ms
            # Its events are taken by order of arrival; the bounds of the window play no part.
            window = Window(start_ms=0, end_ms=now_ms, by_ingest=True, planned_ms=now_ms)
            return Plan(windows=(window,) if moment.has_new else ())
        case AggregateAlert() | LegacyAlert():
            return _live(trigger, state, moment)
        case CorrelationRule():
            return _correlation(trigger, state, moment)


# --- scheduled searches -------------------------------------------------------------------------


def _scheduled(search: ScheduledSearch, state: RunState, moment: Moment) -> Plan:
    slots = _due_slots(search, state.done_ms, moment.now_ms)
    next_ms = next_slot(search, moment.now_ms)
    if not slots:
        return Plan(next_ms=next_ms)
    if not search.by_ingest:
        windows = [_event_window(search, slot) for slot in slots]
        return Plan(windows=tuple(windows), next_ms=next_ms)
    newest = slots[-1]
    ready_ms = moment.settles_at(newest, patience_ms=search.max_wait_ms)
    if ready_ms > moment.now_ms:
        return Plan(next_ms=min(ready_ms, next_ms))
    window = Window(
        start_ms=next_slot(search, state.done_ms) - search.interval_ms,
        end_ms=newest,
        by_ingest=True,
        planned_ms=newest,
    )
    return Plan(windows=(window,), next_ms=next_ms)


def next_slot(search: ScheduledSearch, after_ms: int) -> int:
    """Return the first planned instant after `after_ms`.

    Raises:
        ValueError: The schedule cannot be read or never comes.
    """
    shift = _shift(search)
    return to_epoch_ms(next(fires_after(search.schedule, _shifted(after_ms, shift))) - shift)


def _event_window(search: ScheduledSearch, slot_ms: int) -> Window:
    end_ms = slot_ms - search.offset_ms
    return Window(
        start_ms=end_ms - search.interval_ms, end_ms=end_ms, by_ingest=False, planned_ms=slot_ms
    )


def _due_slots(search: ScheduledSearch, done_ms: int, now_ms: int) -> list[int]:
    """Return the newest slots in (done, now], rising: one, and as many as may be backfilled."""
    # One that was stored before there was a limit is held to it.
    wanted = 1 + (0 if search.by_ingest else min(search.backfill_runs, MAX_BACKFILL_RUNS))
    found: deque[int] = deque(maxlen=wanted)
    for back_ms in (*_BACK_MS, max(0, now_ms - done_ms)):
        start_ms = max(done_ms, now_ms - back_ms)
        found.clear()
        found.extend(_fires(search, start_ms, now_ms))
        if len(found) == wanted or start_ms == done_ms:
            break
    return list(found)


def _fires(search: ScheduledSearch, after_ms: int, until_ms: int) -> list[int]:
    """Return the fires in (after, until], rising."""
    found = []
    shift = _shift(search)
    for fire in fires_after(search.schedule, _shifted(after_ms, shift)):
        fire_ms = to_epoch_ms(fire - shift)
        if fire_ms > until_ms:
            break
        found.append(fire_ms)
    return found


def _shift(search: ScheduledSearch) -> timedelta:
    """Return the zone's distance from UTC: zones of scheduled searches know no summer time."""
    return zone_of(search.zone).utcoffset(None) or timedelta(0)


def _shifted(at_ms: int, shift: timedelta) -> datetime:
    return from_epoch_ms(at_ms) + shift


# --- alerts and rules ---------------------------------------------------------------------------


def _live(alert: LiveAlert, state: RunState, moment: Moment) -> Plan:
    now_ms = moment.now_ms
    if now_ms < state.throttled_ms:
        return Plan(next_ms=state.throttled_ms)
    minute_ms = (state.done_ms // _MINUTE_MS + 1) * _MINUTE_MS
    is_back = state.done_ms < state.throttled_ms <= now_ms
    if not (is_back or now_ms >= minute_ms or moment.has_new):
        return Plan(next_ms=minute_ms)
    paced_ms = min(minute_ms, state.last_poll_ms + PACE_MS)
    if not is_back and now_ms < paced_ms:
        return Plan(next_ms=paced_ms)
    if moment.newest_ms >= now_ms:
        # More may arrive within this millisecond, and windows do not overlap.
        return Plan(next_ms=now_ms + 1)
    end_ms, by_ingest = now_ms, False
    if isinstance(alert, AggregateAlert):
        end_ms, by_ingest = _next_end(alert, state, now_ms), alert.by_ingest
        patience_ms = 0 if alert.is_immediate else COMPLETE_WAIT_MS
        ready_ms = moment.settles_at(end_ms, patience_ms=patience_ms) if by_ingest else now_ms
        if ready_ms > now_ms:
            return Plan(next_ms=ready_ms)
    window = Window(
        start_ms=end_ms - alert.interval_ms,
        end_ms=end_ms,
        by_ingest=by_ingest,
        planned_ms=end_ms,
    )
    return Plan(windows=(window,), next_ms=(now_ms // _MINUTE_MS + 1) * _MINUTE_MS)


def _next_end(alert: AggregateAlert, state: RunState, now_ms: int) -> int:
    """Return where the alert's next window ends: now, or a window's length after the last one."""
    # After a silence the next window begins where the length of one ends with the silence.
    resumed_ms = state.throttled_ms - alert.interval_ms if state.throttled_ms else 0
    base_ms = max(state.done_ms, resumed_ms, now_ms - CATCH_UP_MS)
    return min(base_ms + alert.interval_ms, now_ms)


def _correlation(rule: CorrelationRule, state: RunState, moment: Moment) -> Plan:
    past = (moment.now_ms - rule.base_ms) // rule.every_ms
    next_ms = rule.base_ms + max(0, past + 1) * rule.every_ms
    if rule.stop_ms and next_ms > rule.stop_ms:
        next_ms = 0
    slot_ms = rule.base_ms + past * rule.every_ms
    is_over = bool(rule.stop_ms) and slot_ms > rule.stop_ms
    if past < 0 or slot_ms <= state.done_ms or is_over:
        return Plan(next_ms=next_ms)
    window = Window(
        start_ms=slot_ms - rule.lookback_ms,
        end_ms=slot_ms,
        by_ingest=rule.by_ingest,
        planned_ms=slot_ms,
    )
    return Plan(windows=(window,), next_ms=next_ms)
