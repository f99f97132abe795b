"""A package into a search domain, and out of it again: whole, or not at all.

An asset that was changed after its package brought it is in conflict with an update, which has to
say whose it shall be. Of a library nothing is installed: its assets are templates.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.assets import records
from orchestrator.sandbox.assets.checks import check_asset
from orchestrator.sandbox.assets.parsers import check_parser
from orchestrator.sandbox.packages.content import (
    DATA,
    KINDS,
    PARSERS,
    Package,
    PackageUnreadable,
    Template,
    read_package,
)
from orchestrator.sandbox.packages.manifest import LIBRARY, version_numbers
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import (
    AssetKind,
    Domain,
    Record,
    StoredFile,
    StoredPackage,
)

FROM_MARKETPLACE, FROM_ZIP = "HumioHub", "ZipFile"
ENTITIES: Mapping[str, str] = {
    "actions": "Action",
    "queries": "SavedQuery",
    "alerts": "Alert",
    "filter-alerts": "FilterAlert",
    "aggregate-alerts": "AggregateAlert",
    "scheduled-searches": "ScheduledSearch",
    PARSERS: "Parser",
    DATA: "File",
}
"""By folder: the name of its kind where an update names a conflict."""
_FROM_INPUT: Mapping[AssetKind, Callable[[records.Input, Domain], Record]] = {
    AssetKind.ACTION: records.action_of_template,
    AssetKind.SAVED_QUERY: records.saved_query,
    AssetKind.LEGACY_ALERT: records.legacy_alert,
    AssetKind.FILTER_ALERT: records.filter_alert,
    AssetKind.SCHEDULED_SEARCH: records.older_scheduled_search,
}

_IN_YAML = {"actions": "actionNameReferences"}
"""Members of an input that a package's files name otherwise."""


class PackageRefused(Exception):
    """Nothing was installed; every reason is there."""

    def __init__(
        self, *, parse_errors: Sequence[str] = (), installation_errors: Sequence[str] = ()
    ) -> None:
        self.parse_errors = tuple(parse_errors)
        self.installation_errors = tuple(installation_errors)
        super().__init__("; ".join([*parse_errors, *installation_errors]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a package is to be installed."""

    by: str
    """Who installs it."""
    source: str = FROM_ZIP
    overwrite: bool = False
    """Whether it may be there already, in any version."""
    ownership: str = "User"
    """Who its triggers run as: `User` or `Organization`."""
    resolutions: Mapping[tuple[str, str], bool] | None = None
    """By kind and name: whether an asset in conflict becomes the package's, or stays as it is. None
    makes each the package's.
    """


def install(sandbox: Sandbox, domain: Domain, content: bytes, wish: Wish) -> StoredPackage:
    """Put a package into a search domain, in place of the version that is there.

    Raises:
        PackageRefused: Nothing was changed.
    """
    plan = _planned(sandbox, domain, content, wish)
    _take_over(domain, plan.domain)
    domain.packages[plan.stored.name] = plan.stored
    sandbox.save()
    return plan.stored


def check(sandbox: Sandbox, domain: Domain, content: bytes, *, by: str) -> None:
    """Let a package pass that could be installed, in place of a version that is there.

    Raises:
        PackageRefused: It could not.
    """
    _planned(sandbox, domain, content, Wish(by=by, overwrite=True))


def uninstall(sandbox: Sandbox, domain: Domain, name: str) -> None:
    """Take a package out of a search domain, with the assets that it brought.

    Raises:
        KeyError: It is not installed.
    """
    del domain.packages[name]
    _take_over(domain, _without(domain, name))
    sandbox.save()


def _take_over(domain: Domain, after: Domain) -> None:
    domain.assets, domain.parsers, domain.files = after.assets, after.parsers, after.files


def _without(domain: Domain, package: str) -> Domain:
    """Return the domain as it is without what the package brought; nothing in it is shared."""
    return replace(
        domain,
        assets={kind: _others(shelf, package) for kind, shelf in domain.assets.items()},
        parsers=_others(domain.parsers, package),
        files={path: file for path, file in domain.files.items() if file.package != package},
    )


def _others(shelf: Mapping[str, Record], package: str) -> dict[str, Record]:
    """Return the records that the package did not bring."""
    return {key: record for key, record in shelf.items() if record.get("package") != package}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What an installation will do."""

    stored: StoredPackage
    domain: Domain
    """As it is going to be."""


def _planned(sandbox: Sandbox, domain: Domain, content: bytes, wish: Wish) -> _Plan:
    try:
        package = read_package(content)
    except PackageUnreadable as exc:
        raise PackageRefused(parse_errors=exc.problems) from exc
    stored = _stored(package, content, domain, wish, sandbox.now_ms())
    maker = _Maker(domain, package, stored, wish)
    problems = [*_misfits(package, domain, sandbox.settings.version, wish), *maker.make()]
    if problems:
        raise PackageRefused(installation_errors=problems)
    is_library = package.manifest.type == LIBRARY
    return _Plan(
        stored=stored, domain=_without(domain, stored.name) if is_library else maker.domain
    )


def _stored(
    package: Package, content: bytes, domain: Domain, wish: Wish, now_ms: int
) -> StoredPackage:
    old = domain.packages.get(package.manifest.name)
    new = StoredPackage(
        name=package.manifest.name,
        version=package.manifest.version,
        content=content,
        content_hash=hashlib.sha256(content).hexdigest(),
        source=wish.source,
        installed_ms=now_ms,
        installed_by=wish.by,
        updated_ms=now_ms,
        updated_by=wish.by,
    )
    if old is None:
        return new
    return replace(new, installed_ms=old.installed_ms, installed_by=old.installed_by)


def _misfits(package: Package, domain: Domain, server: str, wish: Wish) -> list[str]:
    manifest, found = package.manifest, []
    there = domain.packages.get(manifest.name)
    if there is not None and not wish.overwrite:
        found.append(f"{there.id} is installed already, and may not be overwritten")
    if version_numbers(manifest.min_server) > version_numbers(server):
        found.append(f"{manifest.id} needs LogScale {manifest.min_server}, this is {server}")
    if domain.is_view and package.templates[PARSERS]:
        found.append(f"{manifest.id} has parsers, and {domain.name} is a view, which has none")
    return found


class _Maker:
    """Makes what a package's templates stand for.

    Attributes:
        domain: The search domain with all of it in place.
    """

    def __init__(self, before: Domain, package: Package, stored: StoredPackage, wish: Wish) -> None:
        self._before, self._package, self._stored, self._wish = before, package, stored, wish
        self.domain = _without(before, stored.name)
        self._problems: list[str] = []

    def make(self) -> list[str]:
        """Fill the domain, and return why some of it could not be made."""
        for folder, kind in KINDS.items():
            for template in self._package.templates[folder]:
                self._add(template, self.domain.assets[kind], partial(self._asset, folder, kind))
        for template in self._package.templates[PARSERS]:
            self._add(template, self.domain.parsers, self._parser)
        for name, content in self._package.files.items():
            file = self._file(name, content)
            self.domain.files[file.path] = file
        return self._problems

    def _add(
        self, template: Template, shelf: dict[str, Record], make: Callable[[Template], Record]
    ) -> None:
        try:
            record = make(template)
        except InputRefused as exc:
            reasons = ((_IN_YAML.get(name, name), why) for name, why in exc.state.items())
            self._problems += [f"{template.path}: {name}: {why}" for name, why in reasons]
        else:
            shelf[record["id"]] = record

    def _asset(self, folder: str, kind: AssetKind, template: Template) -> Record:
        given = dict(template.given)
        if "actions" in given:
            given["actions"] = [self._action(name) for name in given["actions"]]
            given["queryOwnershipType"] = self._wish.ownership
        made = _FROM_INPUT[kind](given, self.domain)
        record = self._framed(folder, made, self._before.assets[kind])
        check_asset(kind, record, self.domain)
        return record

    def _action(self, name: str) -> str:
        """Return the name by which an action is referred to: the package's own go first."""
        own = {template.name for template in self._package.templates["actions"]}
        return f"{self._stored.name}:{name}" if name in own else name

    def _parser(self, template: Template) -> Record:
        record = self._framed(PARSERS, dict(template.given), self._before.parsers)
        check_parser(record)
        return record

    def _framed(self, folder: str, made: Record, shelf: Mapping[str, Record]) -> Record:
        """Return the record with what every stored one has, or the one that stays in its place."""
        stored = self._stored
        frame = {
            "id": secrets.token_hex(16),
            "createdAt": stored.updated_ms,
            "modifiedAt": stored.updated_ms,
            "by": self._wish.by,
            "package": stored.name,
            "packagedAt": stored.updated_ms,
        }
        of_package = (old for old in shelf.values() if old.get("package") == stored.name)
        old = next((old for old in of_package if old["name"] == made["name"]), None)
        if old is None:
            return made | frame
        is_changed = old["modifiedAt"] != old["packagedAt"]
        if is_changed and not self._is_theirs(folder, made["name"]):
            return old
        return made | frame | {"id": old["id"], "createdAt": old["createdAt"]}

    def _file(self, name: str, content: bytes) -> StoredFile:
        stored = self._stored
        new = StoredFile(
            name=name,
            content=content,
            content_hash=hashlib.sha256(content).hexdigest(),
            created_ms=stored.updated_ms,
            modified_ms=stored.updated_ms,
            modified_by=self._wish.by,
            package=stored.name,
            packaged_ms=stored.updated_ms,
        )
        old = self._before.files.get(new.path)
        if old is None:
            return new
        is_changed = old.modified_ms != old.packaged_ms
        if is_changed and not self._is_theirs(DATA, name):
            return old
        return replace(new, created_ms=old.created_ms, labels=old.labels)

    def _is_theirs(self, folder: str, name: str) -> bool:
        """Return whether a changed asset becomes the package's; unsaid, that is a problem."""
        if self._wish.resolutions is None:
            return True
        kind = ENTITIES[folder]
        if (kind, name) not in self._wish.resolutions:
            self._problems.append(
                f"{kind} '{name}' was changed here: say in conflictResolutions whose it shall be"
            )
        return self._wish.resolutions.get((kind, name), True)
