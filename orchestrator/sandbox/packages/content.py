"""What is in a package: a manifest, templates by folder, lookup files.

    manifest.yaml                      dashboards/*.yaml       kept as templates
    README.md                          view-interactions/*     the same
    queries/*.yaml                     parsers/*.yaml
    alerts/*.yaml                      data/*.csv, data/*.json
    filter-alerts/*.yaml               actions/*.yaml
    scheduled-searches/*.yaml          aggregate-alerts/*      no form of them is published

Anything else is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, TypeVar

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.assets.parsers import parser_of_yaml
from orchestrator.sandbox.assets.yaml_forms import Members, input_of, read_form, text_of
from orchestrator.sandbox.packages.archive import MANIFEST, ArchiveRefused, read_archive
from orchestrator.sandbox.packages.manifest import Manifest, manifest_of
from orchestrator.sandbox.storage.domains import AssetKind

README = "README.md"
PARSERS, DATA = "parsers", "data"
KINDS: Mapping[str, AssetKind] = {
    # Before the triggers, which name them.
    "actions": AssetKind.ACTION,
    "queries": AssetKind.SAVED_QUERY,
    "alerts": AssetKind.LEGACY_ALERT,
    "filter-alerts": AssetKind.FILTER_ALERT,
    "aggregate-alerts": AssetKind.AGGREGATE_ALERT,
    "scheduled-searches": AssetKind.SCHEDULED_SEARCH,
}
"""By folder: the kinds of asset that the sandbox has itself."""
_KEPT = ("dashboards", "view-interactions")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One asset of a package."""

    path: str
    """Of its file."""
    name: str
    text: str = field(repr=False)
    """The file's YAML."""
    given: Mapping[str, Any] = field(repr=False)
    """What it says: of an asset a create's input, of a parser its record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A whole package."""

    manifest: Manifest
    readme: str | None
    templates: Mapping[str, tuple[Template, ...]]
    """By folder, every folder there."""
    files: Mapping[str, bytes]
    """Lookup files by name."""


class PackageUnreadable(Exception):
    """Not a package; `problems` names each file's."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@lru_cache(maxsize=32)
def read_package(content: bytes) -> Package:
    """Return the package in an archive.

    Raises:
        PackageUnreadable: It is none.
    """
    try:
        files = read_archive(content)
    except ArchiveRefused as exc:
        raise PackageUnreadable(str(exc)) from exc
    problems: list[str] = []
    manifest = _read(MANIFEST, files[MANIFEST], partial(read_form, read=manifest_of), problems)
    readers: dict[str, Callable[[str], Any]] = {
        **{folder: partial(input_of, kind) for folder, kind in KINDS.items()},
        PARSERS: parser_of_yaml,
        **dict.fromkeys(_KEPT, partial(read_form, read=_named)),
    }
    templates = {
        folder: tuple(_templates(folder, files, reader, problems))
        for folder, reader in readers.items()
    }
    if manifest is None or problems:
        raise PackageUnreadable(*problems)
    return Package(
        manifest=manifest,
        readme=files[README].decode("utf-8", "replace") if README in files else None,
        templates=templates,
        files={
            path.removeprefix(f"{DATA}/"): held
            for path, held in files.items()
            if path.startswith(f"{DATA}/") and path.endswith((".csv", ".json"))
        },
    )


def _templates(
    folder: str, files: Mapping[str, bytes], reader: Callable[[str], Any], problems: list[str]
) -> Iterator[Template]:
    seen: dict[str, str] = {}
    for path, content in files.items():
        if not path.startswith(f"{folder}/") or not path.endswith((".yaml", ".yml")):
            continue
        given = _read(path, content, reader, problems)
        if given is None:
            continue
        name = given["name"]
        if name in seen and folder not in _KEPT:
            problems.append(f"{path}: the name '{name}' is that of {seen[name]} too")
        seen[name] = path
        text = content.decode("utf-8-sig")
        yield Template(path=path, name=name, text=text, given=given)


def _read(path: str, content: bytes, reader: Callable[[str], T], problems: list[str]) -> T | None:
    """Return what `reader` makes of a file; None, and a problem more, where it refuses."""
    try:
        return reader(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        problems.append(f"{path}: not UTF-8")
    except InputRefused as exc:
        problems.extend(f"{path}: {reason}" for reason in exc.state.values())
    return None


def _named(raw: Members) -> Mapping[str, str]:
    """Return the name of an asset that is kept as text alone."""
    inner = raw.get("interaction")
    return {"name": text_of(inner if isinstance(inner, dict) else raw, "name")}
