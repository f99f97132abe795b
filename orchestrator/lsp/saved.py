"""Saved queries as files: `$name()` is `name.cql`, or the rule folder `name`, in the workspace.

Folders are read anew each time, since files come and go while an editor is open; how much is read
is bounded, because a workspace may be somebody's home folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.rules.load import QUERY_FILE

MAX_FOLDERS = 5_000
"""Most folders that are looked into."""
MAX_BYTES = 1_000_000
"""A larger file is no query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedText:
    """A saved query: its name, its file and its text."""

    name: str
    path: Path
    text: str


def saved_queries(roots: Sequence[Path]) -> dict[str, Path]:
    """Return the files of saved queries below `roots` by name; the first of a name counts."""
    found: dict[str, Path] = {}
    for path in _query_files(roots):
        found.setdefault(path.parent.name if path.name == QUERY_FILE else path.stem, path)
    return found


def find_saved(
    name: str, *, roots: Sequence[Path], unsaved: Mapping[Path, str]
) -> SavedText | None:
    """Return the saved query of this name; None if no readable file is it.

    Args:
        name: As written behind the `$`.
        roots: Folders to look into.
        unsaved: What open editors hold, in place of what is on disk.
    """
    path = saved_queries(roots).get(name)
    if path is None:
        return None
    text = unsaved.get(path)
    if text is None:
        try:
            if path.stat().st_size > MAX_BYTES:
                return None
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
    return SavedText(name=name, path=path, text=text)


def _query_files(roots: Sequence[Path]) -> Iterator[Path]:
    left = MAX_FOLDERS
    for root in roots:
        for folder, inner, names in os.walk(root):
            # Hidden folders hold other tools' things; in order, so that the answer is always one.
            inner[:] = sorted(
                name for name in inner if name[0] not in "._" and name != "node_modules"
            )
            yield from (Path(folder, name) for name in sorted(names) if name.endswith(".cql"))
            left -= 1
            if left <= 0:
                return
