"""What would change, before anything does: the same plan is shown and applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from orchestrator.client.types import Asset
from orchestrator.deploy.desired import desired_asset, digest, files_of, rule_of
from orchestrator.deploy.diff import diff_lines, differs
from orchestrator.deploy.ports import AssetApi, FileApi
from orchestrator.errors import NotFound
from orchestrator.model.rule import Rule, RuleStatus


class ChangeKind(StrEnum):
    """What happens to one asset or file."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    NONE = "none"
    FOREIGN = "foreign"
    """An asset of that name is not ours: it is left alone, and the rule is not deployed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One asset or lookup file, and what happens to it."""

    kind: ChangeKind
    rule: str
    what: str
    """Kind of asset and its name, for people."""
    before: Asset | None = None
    after: Asset | None = None
    content: bytes | None = None
    """A lookup file's new content."""
    file: str = ""
    lines: tuple[str, ...] = ()
    """The diff."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every change, lookup files before the assets that read them."""

    changes: tuple[Change, ...]

    @property
    def pending(self) -> tuple[Change, ...]:
        """Return what would be written."""
        quiet = (ChangeKind.NONE, ChangeKind.FOREIGN)
        return tuple(change for change in self.changes if change.kind not in quiet)

    @property
    def refused(self) -> tuple[Change, ...]:
        """Return what stays undone because somebody else's asset has the name."""
        return tuple(c for c in self.changes if c.kind is ChangeKind.FOREIGN)


async def make_plan(
    rules: Sequence[Rule],
    assets: AssetApi,
    files: FileApi | None,
    *,
    lookups: Mapping[str, Mapping[str, bytes]],
    on_ngsiem: bool = False,
) -> Plan:
    """Compare what the rules want with what is there.

    Args:
        rules: Valid rules; drafts are passed over, deprecated ones are removed.
        assets: Where assets are listed.
        files: Where lookup files are; None where the far side has none.
        lookups: Rule slug to the content of its lookup files by name.
        on_ngsiem: Whether the far side is Falcon NG-SIEM: rules become correlation rules there.

    Raises:
        ClientError: The far side cannot be read.
    """
    changes: list[Change] = []
    listed: dict[type[Asset], tuple[Asset, ...]] = {}
    for rule in rules:
        wanted = desired_asset(rule, on_ngsiem=on_ngsiem)
        if wanted is None or rule.status is RuleStatus.DRAFT:
            continue
        kind = type(wanted)
        if kind not in listed:
            listed[kind] = await assets.list(kind)
        ours = _ours(rule, wanted, listed[kind])
        mine = dict(lookups.get(rule.slug, {})) if files is not None else {}
        untouched = rule.status is RuleStatus.DEPRECATED or _is_taken(rule, wanted, listed[kind])
        if files is not None and not untouched:
            for name, content in list(mine.items()):
                change = await _file_change(rule, name, content, files, ours=ours)
                changes.append(change)
                if change.kind is ChangeKind.FOREIGN:
                    # Not stored by us, so not vouched for.
                    del mine[name]
        vouched = desired_asset(rule, lookups=mine, on_ngsiem=on_ngsiem) or wanted
        changes.append(_asset_change(rule, vouched, listed[kind], ours=ours))
    return Plan(changes=tuple(changes))


def _ours(rule: Rule, wanted: Asset, listed: Sequence[Asset]) -> Asset | None:
    marked = [asset for asset in listed if rule_of(asset) == rule.id]
    # A copy made by hand carries the marker too: the one with the rule's name is the original.
    return next((a for a in marked if a.name == wanted.name), next(iter(marked), None))


def _is_taken(rule: Rule, wanted: Asset, listed: Sequence[Asset]) -> bool:
    same_name = next((asset for asset in listed if asset.name == wanted.name), None)
    return same_name is not None and rule_of(same_name) != rule.id


def _asset_change(
    rule: Rule, wanted: Asset, listed: Sequence[Asset], *, ours: Asset | None
) -> Change:
    what = f"{_KIND_NAMES.get(type(wanted).__name__, type(wanted).__name__)} {wanted.name!r}"
    same_name = next((asset for asset in listed if asset.name == wanted.name), None)
    if rule.status is RuleStatus.DEPRECATED:
        if ours is None:
            return Change(kind=ChangeKind.NONE, rule=rule.slug, what=what)
        return Change(
            kind=ChangeKind.DELETE,
            rule=rule.slug,
            what=what,
            before=ours,
            lines=diff_lines(ours, None),
        )
    if _is_taken(rule, wanted, listed):
        return Change(kind=ChangeKind.FOREIGN, rule=rule.slug, what=what, before=same_name)
    if ours is None:
        return Change(
            kind=ChangeKind.CREATE,
            rule=rule.slug,
            what=what,
            after=wanted,
            lines=diff_lines(None, wanted),
        )
    after = replace(wanted, id=ours.id)
    kind = ChangeKind.UPDATE if differs(ours, after) else ChangeKind.NONE
    return Change(
        kind=kind,
        rule=rule.slug,
        what=what,
        before=ours,
        after=after,
        lines=diff_lines(ours, after) if kind is ChangeKind.UPDATE else (),
    )


async def _file_change(
    rule: Rule, name: str, content: bytes, files: FileApi, *, ours: Asset | None
) -> Change:
    try:
        before: bytes | None = await files.download(name)
    except NotFound:
        before = None
    what = f"lookup file {name!r}"
    if before == content:
        return Change(kind=ChangeKind.NONE, rule=rule.slug, what=what, file=name)
    vouched = files_of(ours).get(name) if ours is not None else None
    if before is not None and digest(before) != vouched:
        return Change(kind=ChangeKind.FOREIGN, rule=rule.slug, what=what, file=name)
    kind = ChangeKind.CREATE if before is None else ChangeKind.UPDATE
    old = "" if before is None else f" (was {len(before)})"
    return Change(
        kind=kind,
        rule=rule.slug,
        what=what,
        file=name,
        content=content,
        lines=(f"  {len(content)} bytes{old}",),
    )


_KIND_NAMES = {
    "SavedQuery": "saved search",
    "ScheduledSearch": "scheduled search",
    "AggregateAlert": "aggregate alert",
    "FilterAlert": "filter alert",
    "CorrelationRule": "correlation rule",
}
