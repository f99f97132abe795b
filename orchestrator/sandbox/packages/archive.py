"""A package's archive: a zip, opened without trust in the names and sizes that it tells.

A folder around everything, as hosts of source code put one, is taken off.
"""

from __future__ import annotations

import io
import zipfile
import zlib

MANIFEST = "manifest.yaml"
MAX_FILES = 2_000
MAX_BYTES = 100_000_000
"""Of all files together, unpacked."""
_ENCRYPTED = 0x1


class ArchiveRefused(ValueError):
    """The bytes are no archive of a package; the text says why."""


def read_archive(content: bytes) -> dict[str, bytes]:
    """Return the files by their path below the manifest's folder, sorted by path.

    What is hidden, or lies beside the manifest's folder, is left out.

    Raises:
        ArchiveRefused: No zip, one that is broken, encrypted or too large, or no manifest in it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _below_manifest(_unpacked(archive))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError) as exc:
        raise ArchiveRefused(f"not a readable zip: {exc}") from exc


def _unpacked(archive: zipfile.ZipFile) -> dict[str, bytes]:
    entries = [info for info in archive.infolist() if not info.is_dir()]
    if len(entries) > MAX_FILES:
        raise ArchiveRefused(f"{len(entries)} files, more than {MAX_FILES}")
    found: dict[str, bytes] = {}
    left = MAX_BYTES
    for info in entries:
        if info.flag_bits & _ENCRYPTED:
            raise ArchiveRefused(f"{info.filename} is encrypted")
        with archive.open(info) as file:
            # What the zip says of the size may be a lie.
            content = file.read(left + 1)
        left -= len(content)
        if left < 0:
            raise ArchiveRefused(f"more than {MAX_BYTES} bytes unpacked")
        found[info.filename] = content
    return found


def _below_manifest(files: dict[str, bytes]) -> dict[str, bytes]:
    places = [path.removesuffix(MANIFEST) for path in files if _is_manifest(path)]
    if not places:
        raise ArchiveRefused(f"no {MANIFEST} in it")
    folder = min(places, key=len)
    below = {path.removeprefix(folder): path for path in files if path.startswith(folder)}
    return {path: files[whole] for path, whole in sorted(below.items()) if not _is_hidden(path)}


def _is_manifest(path: str) -> bool:
    return path == MANIFEST or (path.count("/") == 1 and path.endswith(f"/{MANIFEST}"))


def _is_hidden(path: str) -> bool:
    return any(part.startswith((".", "_")) for part in path.split("/"))
