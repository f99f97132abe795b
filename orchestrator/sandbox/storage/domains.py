"""Repositories and views with what hangs on them: events, assets, lookup files.

A repository stores events, a view joins filtered repositories and stores none; both are search
domains and share one name space. Assets are kept as the JSON objects they were created from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from orchestrator.ids import derive
from orchestrator.sandbox.storage.events import EventLog
from orchestrator.sandbox.storage.states import RunState

Record = dict[str, Any]
"""An asset as JSON: its input's fields, and `id`, `createdAt`, `modifiedAt` in epoch ms.

One that a package brought has `package`, the package's name, and `packagedAt`: when, in epoch ms.
"""


def display_name(record: Record) -> str:
    """Return the name by which others refer to an asset: a package's has the package before it."""
    name = str(record["name"])
    return f"{record['package']}:{name}" if record.get("package") else name


class AssetKind(StrEnum):
    """The kinds of asset, by their list's name in GraphQL."""

    SAVED_QUERY = "savedQueries"
    SCHEDULED_SEARCH = "scheduledSearches"
    FILTER_ALERT = "filterAlerts"
    AGGREGATE_ALERT = "aggregateAlerts"
    LEGACY_ALERT = "alerts"
    ACTION = "actions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One repository behind a view, and the CQL filter on it."""

    repository: str
    filter: str
    language: str = "legacy"
    """The version of the query language that the filter is in; kept, and read as any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A lookup file; times in epoch ms."""

    name: str
    content: bytes = field(repr=False)
    content_hash: str
    """SHA-256 of the content, in hex."""
    created_ms: int
    modified_ms: int
    modified_by: str
    created_by: str = ""
    """Empty where that was not noted."""
    labels: tuple[str, ...] = ()
    package: str = ""
    """Name of the package that brought it."""
    packaged_ms: int = 0
    """When it did."""

    @property
    def path(self) -> str:
        """Return the name by which queries refer to it: a package's has the package before it."""
        return f"{self.package}/{self.name}" if self.package else self.name

    def in_place_of(self, old: StoredFile) -> StoredFile:
        """Return the old file with this one's content."""
        return replace(
            old,
            content=self.content,
            content_hash=self.content_hash,
            # Two changes within one millisecond must not look like one.
            modified_ms=max(self.modified_ms, old.modified_ms + 1),
            modified_by=self.modified_by,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPackage:
    """A package that is installed, with the archive that it came from; times in epoch ms."""

    name: str
    """`scope/name`."""
    version: str
    content: bytes = field(repr=False)
    content_hash: str
    """SHA-256 of the content, in hex."""
    source: str
    """`HumioHub` or `ZipFile`."""
    installed_ms: int
    installed_by: str
    updated_ms: int
    updated_by: str

    @property
    def id(self) -> str:
        """Return the package with its version, `scope/name@1.2.3`."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSettings:
    """What is set on a repository or view; kept and shown, and nothing is ever deleted for it."""

    automatic_search: bool = True
    is_starred: bool = False
    retention_days: float | None = None
    """None is without limit, as in the two below."""
    retention_ingest_gb: float | None = None
    retention_storage_gb: float | None = None
    default_query: str | None = None
    """Id of the saved query that a search begins with."""


@dataclass(slots=True, kw_only=True)
class Domain:
    """A repository or, with connections, a view."""

    name: str
    description: str = ""
    connections: tuple[Connection, ...] | None = None
    """None for a repository."""
    log: EventLog = field(default_factory=EventLog, repr=False)
    assets: dict[AssetKind, dict[str, Record]] = field(
        default_factory=lambda: {kind: {} for kind in AssetKind}, repr=False
    )
    files: dict[str, StoredFile] = field(default_factory=dict, repr=False)
    """By path."""
    packages: dict[str, StoredPackage] = field(default_factory=dict, repr=False)
    """By name, without the version."""
    parsers: dict[str, Record] = field(default_factory=dict, repr=False)
    """By id: the repository's own parsers."""
    dashboards: dict[str, Record] = field(default_factory=dict, repr=False)
    """By id: those that no package brought."""
    settings: DomainSettings = DomainSettings()
    runs: dict[str, RunState] = field(default_factory=dict, repr=False)
    """By id: how far each trigger is; empty where triggers do not run."""
    own_id: str = ""
    """The id, of one whose name is not the first that it had; empty for that of the name."""

    @property
    def id(self) -> str:
        """Return an opaque id, which depends on the first name alone."""
        return self.own_id or derive("domain", self.name)[:24]

    @property
    def is_view(self) -> bool:
        """Return whether events come from elsewhere."""
        return self.connections is not None

    def behind(self) -> tuple[str, ...]:
        """Return the names of the repositories of a view, each once, in order."""
        return tuple(dict.fromkeys(c.repository for c in self.connections or ()))

    def prefix(self) -> str:
        """Return the filter that a view puts in front of each query, empty for none."""
        if not self.connections:
            return ""
        filters = [_prefix_part(c, alone=len(self.connections) == 1) for c in self.connections]
        return " or ".join(filters) if any(c.filter.strip("* ") for c in self.connections) else ""

    def to_json(self) -> Record:
        """Return all but the events as JSON; contents are named by their hash, as `blob`."""
        files = [
            {
                "name": file.name,
                "blob": file.content_hash,
                "created_ms": file.created_ms,
                "modified_ms": file.modified_ms,
                "modified_by": file.modified_by,
                "created_by": file.created_by,
                "labels": list(file.labels),
                "package": file.package,
                "packaged_ms": file.packaged_ms,
            }
            for file in self.files.values()
        ]
        packages = [
            {
                "name": package.name,
                "version": package.version,
                "blob": package.content_hash,
                "source": package.source,
                "installed_ms": package.installed_ms,
                "installed_by": package.installed_by,
                "updated_ms": package.updated_ms,
                "updated_by": package.updated_by,
            }
            for package in self.packages.values()
        ]
        connections = None if self.connections is None else [asdict(c) for c in self.connections]
        return {
            "name": self.name,
            "description": self.description,
            "connections": connections,
            "assets": {kind.value: list(found.values()) for kind, found in self.assets.items()},
            "files": files,
            "packages": packages,
            "parsers": list(self.parsers.values()),
            "dashboards": list(self.dashboards.values()),
            "settings": asdict(self.settings),
            "own_id": self.own_id,
        }


def domain_from_json(raw: Record, blobs: dict[str, bytes]) -> Domain:
    """Return the domain that `Domain.to_json` described; `blobs` holds the contents by hash."""
    connections = raw["connections"]
    domain = Domain(
        name=raw["name"],
        description=raw["description"],
        connections=None
        if connections is None
        else tuple(Connection(**connection) for connection in connections),
    )
    for kind in AssetKind:
        domain.assets[kind] = {record["id"]: record for record in raw["assets"].get(kind, [])}
    # Older data directories have none of these.
    domain.parsers = {record["id"]: record for record in raw.get("parsers", [])}
    domain.dashboards = {record["id"]: record for record in raw.get("dashboards", [])}
    domain.settings = DomainSettings(**raw.get("settings", {}))
    domain.own_id = raw.get("own_id", "")
    for entry in raw["files"]:
        file = StoredFile(
            name=entry["name"],
            content=blobs[entry["blob"]],
            content_hash=entry["blob"],
            created_ms=entry["created_ms"],
            modified_ms=entry["modified_ms"],
            modified_by=entry["modified_by"],
            created_by=entry.get("created_by", ""),
            labels=tuple(entry["labels"]),
            package=entry.get("package", ""),
            packaged_ms=entry.get("packaged_ms", 0),
        )
        domain.files[file.path] = file
    for entry in raw.get("packages", []):
        facts = {name: value for name, value in entry.items() if name != "blob"}
        domain.packages[entry["name"]] = StoredPackage(
            **facts, content=blobs[entry["blob"]], content_hash=entry["blob"]
        )
    return domain


def _prefix_part(connection: Connection, *, alone: bool) -> str:
    text = connection.filter.strip() or "*"
    return text if alone else f'(#repo="{connection.repository}" ({text}))'
