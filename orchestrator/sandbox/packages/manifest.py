"""What a package says of itself, in the form v2.0.0 of its manifest.

Source: packages in public repositories, such as CrowdStrike/logscale-community-content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.sandbox.assets.yaml_forms import (
    Members,
    mapping_of,
    mappings_of,
    optional_text_of,
    text_of,
)

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*\Z", re.ASCII)
VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?(?:[-+][\w.+-]+)?\Z", re.ASCII)
APPLICATION, LIBRARY = "application", "library"
Author = Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A package's manifest."""

    name: str
    """`scope/name`."""
    version: str
    type: str
    """`application`: its assets are installed. `library`: they are templates alone."""
    description: str | None
    min_server: str
    """The first server that can run it."""
    license_url: str
    icon_url: str | None
    author: Author
    contributors: Sequence[Author]

    @property
    def id(self) -> str:
        """Return the package with its version, `scope/name@1.2.3`."""
        return f"{self.name}@{self.version}"


def manifest_of(raw: Members) -> Manifest:
    """Return the manifest.

    Raises:
        KeyError: A member is missing.
        ValueError: A member is wrong.
        TypeError: A member is of another type.
    """
    name, version, kind = text_of(raw, "name"), text_of(raw, "version"), text_of(raw, "type")
    if not NAME.match(name):
        raise ValueError(f"name {name!r} is not scope/name")
    if kind not in {APPLICATION, LIBRARY}:
        raise ValueError(f"type {kind!r} is neither {APPLICATION} nor {LIBRARY}")
    min_server = text_of(raw, "minHumioVersion")
    for member, text in (("version", version), ("minHumioVersion", min_server)):
        version_numbers(text, member=member)
    if not mapping_of(raw, "author"):
        raise KeyError("author")
    return Manifest(
        name=name,
        version=version,
        type=kind,
        description=optional_text_of(raw, "description"),
        min_server=min_server,
        license_url=text_of(raw, "licenseUrl"),
        icon_url=optional_text_of(raw, "logoUrl"),
        author=_author(mapping_of(raw, "author")),
        contributors=[_author(entry) for entry in mappings_of(raw, "contributors")],
    )


def version_numbers(text: str, *, member: str = "version") -> tuple[int, int, int]:
    """Return the three numbers of a version, for comparison.

    Raises:
        ValueError: The text is not one.
    """
    match = VERSION.match(text)
    if match is None:
        raise ValueError(f"{member} {text!r} is not a version such as 1.2.3")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def _author(raw: Members) -> Author:
    return {"name": text_of(raw, "name"), "email": optional_text_of(raw, "email")}
