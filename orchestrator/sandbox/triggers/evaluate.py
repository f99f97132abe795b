"""One window of one trigger: search it, and decide what of the result fires.

A filter alert searches the events that it has not seen and no others, so that its cost is that of
what arrives, not of what is stored. Everything else searches its window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from orchestrator.clock import Clock
from orchestrator.engine.sources.lookups import Lookup
from orchestrator.errors import CqlError
from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.search.query_jobs import QueryJobs
from orchestrator.sandbox.search.run import Answer, Search, check, refuse_unsupported
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.sandbox.storage.domains import AssetKind, Connection, Domain, Record, StoredFile
from orchestrator.sandbox.storage.events import EventLog, Snapshot
from orchestrator.sandbox.storage.states import RunState
from orchestrator.sandbox.triggers.detections import REPOSITORY
from orchestrator.sandbox.triggers.kinds import (
    FilterAlert,
    LiveAlert,
    Throttle,
    Trigger,
)
from orchestrator.sandbox.triggers.planner import CATCH_UP_MS, Window

FIRINGS_A_MINUTE = 100
FIRINGS_A_MINUTE_BY_EMAIL = 15
"""What a filter alert may fire in a minute, and less where it sends mail."""
KEPT_THROTTLE_VALUES = 100
"""Values of a throttle field that are remembered; beyond them the oldest may fire again."""
_MINUTE_MS = 60_000


class Host(Protocol):
    """What the triggers need of the sandbox."""

    settings: SandboxSettings
    clock: Clock
    domains: dict[str, Domain]
    tokens: dict[str, TokenRole]
    jobs: QueryJobs
    correlation_rules: dict[str, Record]
    content: dict[str, dict[str, Record]]

    def now_ms(self) -> int:
        """Return the wall time in epoch ms."""
        ...

    def domain(self, name: str) -> Domain:
        """Return the repository or view of this name."""
        ...

    def holders(self, domain: Domain) -> list[Domain]:
        """Return the domains whose files and saved queries a search in `domain` sees."""
        ...

    def repositories(self, domain: Domain) -> list[str]:
        """Return the names of the repositories that a search in `domain` reads."""
        ...

    def snapshots(self, domain: Domain) -> Sequence[Snapshot]:
        """Return the events that a search in `domain` may see."""
        ...

    def lookups(self, domain: Domain) -> dict[str, Lookup]:
        """Return the domain's lookup files by name."""
        ...

    def saved_queries(self, domain: Domain) -> dict[str, str]:
        """Return the texts of the domain's saved queries by name."""
        ...

    async def ingest(self, repository: str, events: pl.DataFrame) -> int:
        """Store events."""
        ...

    def save(self) -> None:
        """Write everything but events down."""
        ...

    def put_file(self, domain: Domain, name: str, content: bytes, *, by: str) -> StoredFile:
        """Store a lookup file."""
        ...


class SearchFailed(Exception):
    """The search cannot run; the text is what LogScale would call the trigger's last error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """Rows that go to the actions together, and what they silence."""

    rows: Sequence[Mapping[str, str]]
    throttle_keys: Sequence[str] = ()


async def search_window(host: Host, trigger: Trigger, window: Window, domain: Domain) -> Answer:
    """Return what the trigger's query finds in the window.

    Raises:
        SearchFailed: It cannot run.
    """
    return await _searched(host, trigger, window, domain, host.snapshots(domain))


async def search_arrived(
    host: Host, alert: FilterAlert, domain: Domain, frames: Sequence[pl.DataFrame]
) -> Answer:
    """Return which of these events, whole batches as they arrived, the alert finds; oldest first.

    Raises:
        SearchFailed: It cannot run.
    """
    log = EventLog()
    for frame in frames:
        log.append(frame)
    snapshot = log.snapshot()
    arrived = pl.concat([run.ingest_ms for run in snapshot.runs])
    first_ms, last_ms = int(arrived.min() or 0), int(arrived.max() or 0)  # type: ignore[arg-type]  # polars types a minimum as any value
    if not host.settings.trust_ingest_timestamp:
        first_ms = max(first_ms, host.now_ms() - CATCH_UP_MS)
    window = Window(start_ms=first_ms, end_ms=last_ms + 1, by_ingest=True, planned_ms=last_ms)
    return await _searched(host, alert, window, domain, (snapshot,))


async def _searched(
    host: Host, trigger: Trigger, window: Window, domain: Domain, snapshots: Sequence[Snapshot]
) -> Answer:
    try:
        checked = check(trigger.query)
        refuse_unsupported(checked)
        limit = None
        if not isinstance(trigger, FilterAlert):
            settings = host.settings
            limit = settings.aggregate_limit if checked.is_aggregate else settings.filter_limit
        search = Search(
            checked=checked,
            start_ms=window.start_ms,
            end_ms=window.end_ms,
            now_ms=host.now_ms(),
            use_ingest_time=window.by_ingest,
            saved=host.saved_queries(domain),
            lookups=host.lookups(domain),
            prefix=domain.prefix(),
            repository=domain.name,
            limit=limit,
        )
        return await host.jobs.finished(search, lambda: snapshots)
    except Refusal as exc:
        raise SearchFailed(exc.text.split("\n", 1)[0]) from exc
    except CqlError as exc:
        raise SearchFailed(str(exc)) from exc
    except Exception as exc:  # a fault of the engine ends this run, not the triggers
        raise SearchFailed(f"the search failed: {type(exc).__name__}: {exc}") from exc


def everything(host: Host, name: str) -> Domain:
    """Return the domain of correlation rules: all events but those that the rules left, with every
    repository's lookup files.
    """
    # A rule that finds what rules left would set itself off, each time more of it.
    names = [d.name for d in host.domains.values() if not d.is_view and d.name != REPOSITORY]
    connections = tuple(Connection(repository=repository, filter="") for repository in names)
    whole = Domain(name=name, connections=connections)
    for domain in host.holders(host.domain(name)):
        whole.files.update(domain.files)
        whole.assets[AssetKind.SAVED_QUERY].update(domain.assets[AssetKind.SAVED_QUERY])
    return whole


def fired_events(
    alert: FilterAlert, state: RunState, rows: Sequence[Mapping[str, str]], *, now_ms: int
) -> tuple[list[Fired], int]:
    """Return one firing for each event that is not throttled, and how many were too many.

    The state's throttles and count are moved on.
    """
    fired, too_many = [], 0
    limit = FIRINGS_A_MINUTE_BY_EMAIL if alert.has_email else FIRINGS_A_MINUTE
    for row in rows:
        if _is_silent(alert.throttle, state, row, now_ms):
            continue
        if now_ms - state.minute_ms >= _MINUTE_MS:
            state.minute_ms, state.minute_count = now_ms, 0
        if state.minute_count >= limit:
            too_many += 1
            continue
        state.minute_count += 1
        fired.append(
            Fired(rows=[row], throttle_keys=_silence(alert.throttle, state, [row], now_ms))
        )
    return fired, too_many


def fired_rows(
    alert: LiveAlert, state: RunState, rows: Sequence[Mapping[str, str]], *, now_ms: int
) -> Fired | None:
    """Return the rows that are not throttled, None if there are none; the throttles move on."""
    loud = [row for row in rows if not _is_silent(alert.throttle, state, row, now_ms)]
    if not loud:
        return None
    return Fired(rows=loud, throttle_keys=_silence(alert.throttle, state, loud, now_ms))


def lift_throttle(state: RunState, keys: Sequence[str]) -> None:
    """Undo a firing's silence: no action got through, so it does not count as one."""
    state.throttled_ms = 0
    for key in keys:
        state.throttled_values.pop(key, None)


def _is_silent(
    throttle: Throttle | None, state: RunState, row: Mapping[str, str], now_ms: int
) -> bool:
    if throttle is None:
        return False
    if not throttle.field:
        return now_ms < state.throttled_ms
    return now_ms < state.throttled_values.get(row.get(throttle.field, ""), 0)


def _silence(
    throttle: Throttle | None, state: RunState, rows: Sequence[Mapping[str, str]], now_ms: int
) -> list[str]:
    if throttle is None:
        return []
    until_ms = now_ms + throttle.length_ms
    if not throttle.field:
        state.throttled_ms = until_ms
        return []
    keys = list(dict.fromkeys(row.get(throttle.field, "") for row in rows))
    values = {k: ms for k, ms in state.throttled_values.items() if ms > now_ms and k not in keys}
    values |= dict.fromkeys(keys, until_ms)
    state.throttled_values = dict(list(values.items())[-KEPT_THROTTLE_VALUES:])
    return keys
