"""What would change, before anything does: the same plan is shown and applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.client.types import (
    AggregateAlert,
    Asset,
    CorrelationRule,
    FilterAlert,
    SavedQuery,
    ScheduledSearch,
)
from orchestrator.deploy.desired import (
    desired_asset,
    digest,
    files_of,
    rule_of,
    taken_over,
    untold_actions,
)
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
    UNTOLD = "untold"
    """The file names an action that the correlation rule cannot carry out: nothing is deployed."""


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
    """The diff; of an untold one, why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every change, lookup files before the assets that read them."""

    changes: tuple[Change, ...]
    orphans: tuple[str, ...] = ()
    """Assets marked as ours whose rule is not among these: named, never touched."""

    @property
    def pending(self) -> tuple[Change, ...]:
        """Return what would be written."""
        quiet = (ChangeKind.NONE, *_REFUSED)
        return tuple(change for change in self.changes if change.kind not in quiet)

    @property
    def refused(self) -> tuple[Change, ...]:
        """Return what stays undone: the name is taken, or an action has no way to anybody."""
        return tuple(change for change in self.changes if change.kind in _REFUSED)


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
    listed: dict[type[Asset], tuple[Asset, ...]] = {}
    for kind in _NGSIEM_KINDS if on_ngsiem else _LOGSCALE_KINDS:
        listed[kind] = await assets.list(kind)
    changes: list[Change] = []
    for rule in rules:
        wanted = None
        if rule.status is not RuleStatus.DRAFT:
            wanted = desired_asset(rule, on_ngsiem=on_ngsiem)
        if wanted is not None and type(wanted) not in listed:
            # A correlation rule on LogScale: it has no place there.
            wanted = None
        if wanted is not None:
            changes += await _wanted_changes(
                rule,
                wanted,
                listed.get(type(wanted), ()),
                files=files,
                lookups=lookups.get(rule.slug, {}),
                on_ngsiem=on_ngsiem,
            )
        changes += [_deletion(rule, asset) for asset in _left_behind(rule, wanted, listed)]
    known = {str(rule.id) for rule in rules}
    marked = ((asset, rule_of(asset)) for found in listed.values() for asset in found)
    orphans = tuple(_named(asset) for asset, owner in marked if owner and owner not in known)
    return Plan(changes=tuple(changes), orphans=orphans)


async def _wanted_changes(
    rule: Rule,
    wanted: Asset,
    listed: Sequence[Asset],
    *,
    files: FileApi | None,
    lookups: Mapping[str, bytes],
    on_ngsiem: bool,
) -> list[Change]:
    """Return what happens to the rule's lookup files, then to its asset."""
    changes: list[Change] = []
    ours = _ours(rule, wanted, listed)
    mine = dict(lookups) if files is not None else {}
    untouched = rule.status is RuleStatus.DEPRECATED or _is_taken(rule, wanted, listed)
    if files is not None and not untouched:
        for name, content in lookups.items():
            change = await _file_change(rule, name, content, files, ours=ours)
            changes.append(change)
            if change.kind is ChangeKind.FOREIGN:
                # Not stored by us, so not vouched for.
                del mine[name]
    vouched = desired_asset(rule, lookups=mine, on_ngsiem=on_ngsiem) or wanted
    return [*changes, _asset_change(rule, vouched, listed, ours=ours)]


def _left_behind(
    rule: Rule, wanted: Asset | None, listed: Mapping[type[Asset], Sequence[Asset]]
) -> list[Asset]:
    """Return our assets of the rule that are not of the kind it wants any more."""
    return [
        asset
        for kind, found in listed.items()
        if wanted is None or kind is not type(wanted)
        for asset in found
        if rule_of(asset) == rule.id
    ]


def _deletion(rule: Rule, asset: Asset) -> Change:
    return Change(
        kind=ChangeKind.DELETE,
        rule=rule.slug,
        what=_named(asset),
        before=asset,
        lines=diff_lines(asset, None),
    )


def _named(asset: Asset) -> str:
    return f"{_KIND_NAMES.get(type(asset).__name__, type(asset).__name__)} {asset.name!r}"


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
    what = _named(wanted)
    same_name = next((asset for asset in listed if asset.name == wanted.name), None)
    if rule.status is RuleStatus.DEPRECATED:
        if ours is None:
            return Change(kind=ChangeKind.NONE, rule=rule.slug, what=what)
        return _deletion(rule, ours)
    if _is_taken(rule, wanted, listed):
        return Change(kind=ChangeKind.FOREIGN, rule=rule.slug, what=what, before=same_name)
    if ours is None:
        untold = untold_actions(wanted, ours=None)
        if untold:
            return _untold(rule, what, untold)
        return Change(
            kind=ChangeKind.CREATE,
            rule=rule.slug,
            what=what,
            after=wanted,
            lines=diff_lines(None, wanted),
        )
    after = taken_over(wanted, ours)
    untold = untold_actions(after, ours=ours)
    if untold:
        return _untold(rule, what, untold)
    kind = ChangeKind.UPDATE if differs(ours, after) else ChangeKind.NONE
    return Change(
        kind=kind,
        rule=rule.slug,
        what=what,
        before=ours,
        after=after,
        lines=diff_lines(ours, after) if kind is ChangeKind.UPDATE else (),
    )


def _untold(rule: Rule, what: str, untold: Sequence[str]) -> Change:
    reason = f"no notification of it: {', '.join(untold)}; make one in NG-SIEM, or take it off"
    return Change(kind=ChangeKind.UNTOLD, rule=rule.slug, what=what, lines=(reason,))


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


_REFUSED = (ChangeKind.FOREIGN, ChangeKind.UNTOLD)
_LOGSCALE_KINDS: tuple[type[Asset], ...] = (
    SavedQuery,
    ScheduledSearch,
    AggregateAlert,
    FilterAlert,
)
_NGSIEM_KINDS: tuple[type[Asset], ...] = (CorrelationRule,)
_KIND_NAMES = {
    "SavedQuery": "saved search",
    "ScheduledSearch": "scheduled search",
    "AggregateAlert": "aggregate alert",
    "FilterAlert": "filter alert",
    "CorrelationRule": "correlation rule",
}
