"""A marketplace of packages: the zips in a folder, read anew whenever it is asked.

The vendor's is not reached from here. What is no package in the folder is none of the marketplace.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from orchestrator.sandbox.packages.content import Package, PackageUnreadable, read_package
from orchestrator.sandbox.packages.manifest import Manifest, version_numbers


def packaged(folder: Path | None, package_id: str) -> bytes | None:
    """Return the archive of a package by id, `scope/name@1.2.3`; None where there is none."""
    return next(
        (content for package, content in _shelf(folder) if package.manifest.id == package_id), None
    )


def versions(folder: Path | None, name: str) -> list[Manifest]:
    """Return what there is of a package, `scope/name`, the newest first."""
    found = [package.manifest for package, _ in _shelf(folder) if package.manifest.name == name]
    return sorted(found, key=lambda manifest: version_numbers(manifest.version), reverse=True)


def _shelf(folder: Path | None) -> Iterator[tuple[Package, bytes]]:
    for path in sorted(folder.glob("*.zip")) if folder is not None else ():
        content = path.read_bytes()
        try:
            yield read_package(content), content
        except PackageUnreadable:
            continue
