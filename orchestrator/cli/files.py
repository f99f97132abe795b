"""Query files as commands find, read and rewrite them: line breaks kept, never half written."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click

from orchestrator.cli.output import plain
from orchestrator.rules.check import Tree, find_tree

STDIN = Path("-")
DEFAULT_RULES = Path("queries")


def tree_at(path: Path) -> Tree:
    """Return the rules and queries that a command's argument stands for, at least one.

    Raises:
        click.UsageError: There is none, or the path cannot be read.
    """
    shown = plain(str(path))
    if not path.exists():
        raise click.UsageError(f"{shown} cannot be read: there is no such file or folder.")
    try:
        tree = find_tree(path)
    except OSError as exc:
        raise click.UsageError(f"{shown} cannot be read: {plain(str(exc))}") from exc
    if not tree.rule_folders and not tree.bare_files:
        raise click.UsageError(f"There is no rule and no .cql file below {shown}.")
    return tree


def read_text(path: Path) -> str:
    """Return the text of a file, or of standard input for `-`, with its own line breaks.

    Raises:
        OSError: It cannot be read.
        UnicodeDecodeError: It is not UTF-8.
    """
    if path == STDIN:
        return sys.stdin.buffer.read().decode("utf-8")
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def replace_text(path: Path, text: str) -> None:
    """Put `text` in the place of a file's own, whole or not at all; its mode stays.

    A link stays a link: what it leads to is replaced.

    Raises:
        OSError: The folder or the disk refuses; the file is as it was.
    """
    target = path.resolve()
    mode = target.stat().st_mode
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(mode & 0o7777)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
