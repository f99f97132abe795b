"""A far side in memory, and rules to deploy to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from orchestrator.client.types import Asset, LookupFile
from orchestrator.errors import NotFound, RequestRejected
from orchestrator.ids import RuleId
from orchestrator.model.rule import (
    Attack,
    Confidence,
    DeployKind,
    DeploySpec,
    FindingSpec,
    Rule,
    RuleStatus,
    Schedule,
    Severity,
    TriageSpec,
)

A = TypeVar("A", bound=Asset)
RULE_ID = RuleId("11111111-1111-4111-8111-111111111111")


class MemoryAssets:
    """Assets of one repository: refuses a taken name and an update of what has changed."""

    def __init__(self, *assets: Asset) -> None:
        self.kept: dict[str, Asset] = {a.id: a for a in assets}
        self.calls: list[str] = []

    async def list(self, kind: type[A]) -> tuple[A, ...]:
        """Return the assets of a kind by name."""
        found = [asset for asset in self.kept.values() if isinstance(asset, kind)]
        return tuple(sorted(found, key=lambda asset: asset.name))

    async def create(self, asset: A) -> A:
        """Keep the asset under a new id."""
        self.calls.append(f"create {asset.name}")
        kin = [other for other in self.kept.values() if type(other) is type(asset)]
        if any(other.name == asset.name for other in kin):
            raise RequestRejected(f"{asset.name} is taken")
        made = replace(asset, id=f"id-{len(self.kept) + 1}")
        self.kept[made.id] = made
        return made

    async def update(self, asset: A, *, expected: A) -> A:
        """Replace the expected asset."""
        self.calls.append(f"update {asset.name}")
        if self.kept.get(expected.id) != expected:
            raise RequestRejected(f"{expected.name} changed since it was read")
        self.kept[expected.id] = replace(asset, id=expected.id)
        return asset

    async def delete(self, asset: A) -> None:
        """Forget the asset."""
        self.calls.append(f"delete {asset.name}")
        del self.kept[asset.id]


class MemoryFiles:
    """Lookup files of one repository."""

    def __init__(self, **files: bytes) -> None:
        self.kept: dict[str, bytes] = files
        self.uploads: list[str] = []

    async def list(self) -> tuple[LookupFile, ...]:
        """Return the files by name."""
        return tuple(LookupFile(name=name) for name in sorted(self.kept))

    async def upload(self, name: str, content: bytes) -> bool:
        """Keep a file's content."""
        self.uploads.append(name)
        changed = self.kept.get(name) != content
        self.kept[name] = content
        return changed

    async def download(self, name: str) -> bytes:
        """Return a file's content."""
        if name not in self.kept:
            raise NotFound(f"no file {name}")
        return self.kept[name]


def make_rule(
    *,
    number: int = 1,
    kind: DeployKind = DeployKind.SCHEDULED_SEARCH,
    name: str = "Sample",
    query: str = "a=1\n| count()",
    status: RuleStatus = RuleStatus.STABLE,
    schedule: Schedule | None = None,
    lookup_files: tuple[str, ...] = (),
    actions: tuple[str, ...] = ("b", "a"),
) -> Rule:
    """Return a valid rule; `number` tells its id and folder apart."""
    return Rule(
        id=RuleId(RULE_ID.replace("1", str(number))),
        slug=f"rule{number}",
        name=name,
        description="What it finds.",
        severity=Severity.HIGH,
        confidence=Confidence.LOW,
        status=status,
        attack=(Attack(tactic="credential-access", technique="T1528"),),
        owner="team@example.com",
        data=("ProcessRollup2",),
        schedule=schedule or Schedule(every=timedelta(minutes=15)),
        finding=FindingSpec(key=("host",), title="seen"),
        triage=TriageSpec(),
        deploy=DeploySpec(kind=kind, labels=("t1528",), actions=actions, lookup_files=lookup_files),
        query=query,
        runbook=(),
        version="0" * 12,
    )
