"""The sandbox itself: its domains, tokens, jobs and faults, for routes and for in-process use.

What must survive goes through the journal before it counts: an ingest returns after the disk has
the events, an asset change after the assets file is replaced. Without a data directory nothing is
kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import string
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import cast

import polars as pl

from orchestrator.clock import Clock
from orchestrator.engine.sources.lookups import Lookup
from orchestrator.errors import CqlError
from orchestrator.ids import derive
from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.faults.kinds import FaultPlan
from orchestrator.sandbox.ingest.refusals import BodyRefused
from orchestrator.sandbox.search.live_stream import LiveTail
from orchestrator.sandbox.search.query_jobs import QueryJobs
from orchestrator.sandbox.settings import Right, SandboxSettings, TokenRole
from orchestrator.sandbox.storage.directory import Directory
from orchestrator.sandbox.storage.domains import (
    AssetKind,
    Domain,
    Record,
    StoredFile,
    display_name,
    domain_from_json,
)
from orchestrator.sandbox.storage.events import (
    INGEST_TIMESTAMP,
    NANOS,
    TIMESTAMP,
    EventLog,
    Snapshot,
)
from orchestrator.sandbox.storage.journal import Journal
from orchestrator.sandbox.triggers.runner import Triggers
from orchestrator.units import to_epoch_ms

_ID_CHARS = string.ascii_letters + string.digits
ALL_EVENTS = "search-all"
"""A name that always searches every repository, as on NG-SIEM."""
SHARED = "/shared"
"""Where queries find the lookup files that are everybody's, as a folder."""
_TENANT_VIEWS = frozenset(
    {ALL_EVENTS, "investigate_view", "third-party", "falcon_for_it_view", "forensics_view"}
)
"""NG-SIEM's names of views; here each of them is over everything, and one of the domains once
something is put into it.
"""
PERSONAL = "sandbox"
"""Another name of the caller's own repository, whose stored name is longer; here all share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scroll:
    """The rest of a listing of hosts: ids in order, how many there were, when it expires."""

    ids: tuple[str, ...]
    total: int
    expires: float


class Sandbox:
    """Everything a sandbox knows. Call `close` when done, where it has a data directory."""

    def __init__(self, settings: SandboxSettings, *, clock: Clock) -> None:
        """Open, and read back what the data directory holds.

        Raises:
            StoreBusy: Another process holds the data directory.
        """
        self.settings, self.clock = settings, clock
        self._started = clock.monotonic()
        self.tokens: dict[str, TokenRole] = dict(settings.tokens)
        self.domains: dict[str, Domain] = {}
        self.shared = Domain(name=SHARED)
        """Holds the lookup files that every search may name, and nothing else."""
        self.faults = FaultPlan(settings.faults)
        self.jobs = QueryJobs(settings, clock=clock)
        self.correlation_rules: dict[str, Record] = {}
        """By stable rule id, as published; the Falcon face's."""
        self.rule_versions: dict[str, Record] = {}
        """By version id: what the correlation rules are and were."""
        self.hosts: dict[str, Record] = {}
        """By device id; the Falcon face's."""
        self.content: dict[str, dict[str, Record]] = {}
        """By kind and id: what the Falcon face alone keeps, such as dashboards and parsers."""
        self.exports: dict[str, list[Record]] = {}
        """By id: rule versions that were exported, until the sandbox ends."""
        self.scrolls: dict[str, Scroll] = {}
        """By offset: listings of hosts that a client has not read to their end."""
        self.tails: set[LiveTail] = set()
        """The live streams that somebody reads."""
        self.directory = Directory()
        self._unused_views: dict[str, Domain] = {}
        self._expiries: dict[str, float] = {}
        self._lookups: dict[str, Lookup] = {}
        self._append_lock = threading.Lock()
        self._journal = Journal(settings.data_dir) if settings.data_dir is not None else None
        self.triggers = Triggers(self, self._journal, everything=ALL_EVENTS)
        self._load()
        for name in settings.repositories:
            self.domains.setdefault(name, Domain(name=name))
        self.triggers.sync()

    def close(self) -> None:
        """Stop the jobs and streams and let go of the data directory."""
        self.end_streams()
        self.jobs.close()
        if self._journal is not None:
            self._journal.close()

    def end_streams(self) -> None:
        """End every live stream; its reader sees the end."""
        for tail in list(self.tails):
            tail.end()

    def repositories(self, domain: Domain) -> list[str]:
        """Return the names of the repositories that a search in `domain` reads."""
        if not domain.is_view:
            return [domain.name]
        if _is_over_everything(domain):
            return [d.name for d in self.domains.values() if not d.is_view]
        return [name for name in domain.behind() if name in self.domains]

    def logs(self, domain: Domain) -> list[EventLog]:
        """Return the logs of the repositories that a search in `domain` reads."""
        return [self.domains[name].log for name in self.repositories(domain)]

    def uptime(self) -> timedelta:
        """Return how long the sandbox has been open."""
        return timedelta(seconds=self.clock.monotonic() - self._started)

    def now_ms(self) -> int:
        """Return the sandbox's wall time in epoch ms."""
        return to_epoch_ms(self.clock.now())

    def issue_token(self, text: str, role: TokenRole, *, life: timedelta) -> None:
        """Accept a token for as long as `life`, by the sandbox's clock."""
        self.tokens[text] = role
        self._expiries[text] = self.clock.monotonic() + life.total_seconds()

    def expire_tokens(self) -> None:
        """Forget the issued tokens whose life is over."""
        now = self.clock.monotonic()
        for text in [text for text, end in self._expiries.items() if end <= now]:
            del self._expiries[text]
            self.tokens.pop(text, None)

    def domain(self, name: str) -> Domain:
        """Return the repository or view of this name.

        Raises:
            Refusal: 404, there is none.
        """
        if name in self.domains:
            return self.domains[name]
        if name in _TENANT_VIEWS:
            return self._unused_views.setdefault(name, Domain(name=name, connections=()))
        if name == PERSONAL:
            return self._personal()
        raise Refusal(404, f"The repository or view '{name}' does not exist")

    def _personal(self) -> Domain:
        """Return the personal repository, made at its first use."""
        name = f"{PERSONAL}_{derive('personal', PERSONAL)[:24]}"
        if name not in self.domains:
            self.domains[name] = Domain(name=name)
            self.save()
        return self.domains[name]

    def snapshots(self, domain: Domain) -> Sequence[Snapshot]:
        """Return the events that a search in `domain` may see; at least one snapshot."""
        return [log.snapshot() for log in self.logs(domain)] or [Snapshot(())]

    def files(self, domain: Domain) -> dict[str, StoredFile]:
        """Return the lookup files that a search in `domain` may name, by path."""
        shared = {f"{SHARED}/{path}": file for path, file in self.shared.files.items()}
        for holder in self.holders(domain):
            shared |= holder.files
        return shared

    def holders(self, domain: Domain) -> list[Domain]:
        """Return the domains whose files and saved queries a search in `domain` sees.

        Of two that hold one name the later counts; the last are the oldest, and `domain` itself.
        """
        if not _is_over_everything(domain):
            return [domain]
        others = [other for other in self.domains.values() if other is not domain]
        return [*reversed(others), domain]

    def lookups(self, domain: Domain) -> dict[str, Lookup]:
        """Return the files that a search in `domain` may name, parsed once per content, by path."""
        found = {}
        for path, file in self.files(domain).items():
            is_json = file.name.lower().endswith(".json")
            # One content may be both: `[]` names a column as CSV and is no table as JSON.
            key = f"{is_json}:{file.content_hash}"
            if key not in self._lookups:
                parse = Lookup.from_json if is_json else Lookup.from_csv
                try:
                    self._lookups[key] = parse(file.content)
                except CqlError:
                    # An empty or odd file is no table; only a query that names it must fail.
                    continue
            found[path] = self._lookups[key]
        return found

    def saved_queries(self, domain: Domain) -> dict[str, str]:
        """Return the saved queries that a search in `domain` may call, by name, as texts."""
        return {
            display_name(record): str(record["queryString"])
            for holder in self.holders(domain)
            for record in holder.assets[AssetKind.SAVED_QUERY].values()
        }

    async def ingest(self, repository: str, events: pl.DataFrame) -> int:
        """Store events and return how many.

        Each gets `@id`, `@ingesttimestamp` and `#repo`, and `@timestamp.nanos` where it has none.

        Args:
            repository: Its name; not a view's.
            events: Columns of strings, `@timestamp` in whole ms among them; null is absent.

        Raises:
            BodyRefused: An explicit `@ingesttimestamp` is not a whole number.
            Refusal: 404, no such repository, or it is a view.
            StoreFull: The disk is full; nothing was stored.
        """
        domain = self.domain(repository)
        if domain.is_view:
            raise Refusal(404, f"'{repository}' is a view; events go into a repository")
        if events.height:
            await asyncio.to_thread(self._store, domain, events)
        return events.height

    def _store(self, domain: Domain, events: pl.DataFrame) -> None:
        with self.triggers.ingesting() as now_ms:
            stamped = self._stamped(domain, events, now_ms)
            # File and memory keep one order, however many requests arrive at once.
            with self._append_lock:
                if self._journal is not None:
                    self._journal.append(domain.name, stamped)
                domain.log.append(stamped)
                self.triggers.arrived(domain.name, stamped)

    def _stamped(self, domain: Domain, events: pl.DataFrame, now_ms: int) -> pl.DataFrame:
        """Return the events with what the server adds.

        Raises:
            BodyRefused: A time is not a whole number of milliseconds.
        """
        ingested = pl.lit(str(now_ms))
        _check_times(events.get_column(TIMESTAMP))
        if self.settings.trust_ingest_timestamp and INGEST_TIMESTAMP in events.columns:
            sent = events.get_column(INGEST_TIMESTAMP)
            _check_times(sent.drop_nulls())
            ingested = pl.col(INGEST_TIMESTAMP).fill_null(ingested)
        # As it is in the common body, whose times are whole.
        below_ms = pl.lit("0")
        if NANOS in events.columns:
            below_ms = pl.col(NANOS).fill_null(below_ms)
        batch = "".join(secrets.choice(_ID_CHARS) for _ in range(24))
        place = pl.int_range(pl.len()).cast(pl.String)
        second = (pl.col(TIMESTAMP).cast(pl.Int64) // 1000).cast(pl.String)
        return events.with_columns(
            ingested.alias(INGEST_TIMESTAMP),
            below_ms.alias(NANOS),
            pl.concat_str(pl.lit(f"{batch}_0_"), place, pl.lit("_"), second).alias("@id"),
            pl.lit(domain.name).alias("#repo"),
        )

    def put_file(
        self,
        domain: Domain,
        name: str,
        content: bytes,
        *,
        by: str,
        labels: Sequence[str] | None = None,
    ) -> StoredFile:
        """Store a lookup file, in place of the one that has `name` as its path.

        Without `labels` it keeps those that it has.
        """
        old = domain.files.get(name)
        now_ms = self.now_ms()
        new = StoredFile(
            name=name,
            content=content,
            content_hash=hashlib.sha256(content).hexdigest(),
            created_ms=now_ms,
            modified_ms=now_ms,
            created_by=by,
            modified_by=by,
        )
        file = new if old is None else new.in_place_of(old)
        if labels is not None:
            file = replace(file, labels=tuple(labels))
        domain.files[file.path] = file
        self.save()
        return file

    def keep_rule(self, rule: Record) -> None:
        """Make this version what its correlation rule is."""
        self.rule_versions[rule["id"]] = rule
        self.correlation_rules[rule["rule_id"]] = rule
        self.save()

    def forget_rules(self, rule_ids: Sequence[str]) -> None:
        """Delete correlation rules with all their versions."""
        gone = set(rule_ids)
        for rule_id in gone:
            self.correlation_rules.pop(rule_id, None)
        self.rule_versions = {
            key: version
            for key, version in self.rule_versions.items()
            if version["rule_id"] not in gone
        }
        self.save()

    def keep_scroll(self, offset: str, *, ids: tuple[str, ...], total: int, expires: float) -> None:
        """Remember the rest of a listing until `expires`; those that have expired go."""
        now = self.clock.monotonic()
        self.scrolls = {key: kept for key, kept in self.scrolls.items() if kept.expires > now}
        self.scrolls[offset] = Scroll(ids=ids, total=total, expires=expires)

    def drop_domain(self, domain: Domain) -> None:
        """Delete a repository or view with all that hangs on it."""
        del self.domains[domain.name]
        self._withdraw(domain.name)
        if self._journal is not None:
            self._journal.forget(domain.name)
        self.triggers.forget(domain.name)
        self.save()

    def _withdraw(self, name: str) -> None:
        """Let no token reach a repository or view that is gone, nor another of its name later."""
        for text, role in list(self.tokens.items()):
            if role.repository is None or text in self.settings.tokens or not role.reaches(name):
                continue
            left = [other for other in (role.repository, *role.others) if other != name]
            if left:
                self.tokens[text] = replace(role, repository=left[0], others=tuple(left[1:]))
            else:
                del self.tokens[text]

    def save(self) -> None:
        """Write everything but events to the data directory, where there is one."""
        self._adopt_views()
        if self._journal is not None:
            self._save_assets(self._journal)
        self.triggers.sync()

    def _adopt_views(self) -> None:
        """Count the tenant's views that hold something by now among the domains."""
        for view in list(self._unused_views.values()):
            if view.files or view.packages:
                self.domains[view.name] = self._unused_views.pop(view.name)

    def _save_assets(self, journal: Journal) -> None:
        entries = []
        for domain in (self.shared, *self.domains.values()):
            for file in domain.files.values():
                journal.save_blob(file.content_hash, file.content)
            for package in domain.packages.values():
                journal.save_blob(package.content_hash, package.content)
            entries.append(domain.to_json())
        shared, *domains = entries
        made = {
            text: role
            for text, role in self.tokens.items()
            if text not in self.settings.tokens and text not in self._expiries
        }
        tokens = {
            text: {**asdict(role), "rights": sorted(role.rights)} for text, role in made.items()
        }
        journal.save_json(
            "assets.json",
            {
                "version": 1,
                "domains": domains,
                "shared": shared,
                "tokens": tokens,
                "directory": asdict(self.directory),
                "hosts": self.hosts,
                "content": self.content,
                "rule_versions": self.rule_versions,
                "rules": {key: rule["id"] for key, rule in self.correlation_rules.items()},
            },
        )

    def _load(self) -> None:
        if self._journal is None:
            return
        raw = cast(
            "Record", self._journal.load_json("assets.json") or {"domains": [], "tokens": {}}
        )
        for entry in raw["domains"]:
            self.domains[entry["name"]] = _domain_of(entry, self._journal)
        for text, role in raw["tokens"].items():
            self.tokens[text] = _role_from_json(role)
        # Older data directories have none of these.
        if shared := raw.get("shared"):
            self.shared = _domain_of(shared, self._journal)
        self.directory = Directory(**raw.get("directory", {"users": raw.get("users", {})}))
        self.hosts.update(raw.get("hosts", {}))
        self.content.update(raw.get("content", {}))
        self.rule_versions.update(raw.get("rule_versions", {}))
        for rule_id, version_id in raw.get("rules", {}).items():
            self.correlation_rules[rule_id] = self.rule_versions[version_id]
        for name in dict.fromkeys([*self.domains, *self.settings.repositories]):
            domain = self.domains.setdefault(name, Domain(name=name))
            for frame in self._journal.load(name):
                domain.log.append(frame)
                self.triggers.arrived(name, frame)


def _is_over_everything(domain: Domain) -> bool:
    return domain.is_view and domain.name in _TENANT_VIEWS and not domain.connections


def _domain_of(entry: Record, journal: Journal) -> Domain:
    stored = [*entry["files"], *entry.get("packages", [])]
    return domain_from_json(entry, {s["blob"]: journal.load_blob(s["blob"]) for s in stored})


def _check_times(given: pl.Series) -> None:
    wrong = given.filter(~given.str.contains(r"^-?[0-9]{1,18}$"))
    if wrong.len():
        raise BodyRefused(f"{given.name} {wrong[0]!r} is not epoch milliseconds")


def _role_from_json(raw: Mapping[str, object]) -> TokenRole:
    rights = cast("Sequence[str]", raw["rights"])
    return TokenRole(
        name=str(raw["name"]),
        rights=frozenset(Right(right) for right in rights),
        repository=cast("str | None", raw["repository"]),
        parser=cast("str | None", raw["parser"]),
        others=tuple(cast("Sequence[str]", raw.get("others", ()))),
        expires_ms=cast("int | None", raw.get("expires_ms")),
    )
