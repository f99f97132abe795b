"""The lookup files that rules bring along in their `lookups` folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.errors import RuleFileError
from orchestrator.model.rule import Rule

LOOKUP_FOLDER = "lookups"


def rule_lookups(rules: Sequence[Rule], root: Path) -> dict[str, dict[str, bytes]]:
    """Return each rule's lookup files by name.

    Raises:
        RuleFileError: A named file is missing or leads out of the folder, or two rules bring one
            name with two contents.
    """
    found: dict[str, dict[str, bytes]] = {}
    owners: dict[str, tuple[str, bytes]] = {}
    for rule in rules:
        for name in rule.deploy.lookup_files:
            folder = root / rule.slug / LOOKUP_FOLDER
            path = folder / name
            if path.resolve().parent != folder.resolve():
                raise RuleFileError(
                    "the lookup file leads out of the rule's lookups folder", path=path
                )
            try:
                content = path.read_bytes()
            except OSError as exc:
                raise RuleFileError(
                    "the lookup file is missing",
                    path=path,
                    advice="Add it, or take its name out of deploy.lookup_files",
                ) from exc
            other, same = owners.setdefault(name, (rule.slug, content))
            if same != content:
                # One name is one file on the far side: each would undo the other, run after run.
                raise RuleFileError(
                    f"{other} brings a lookup file of this name with another content",
                    path=path,
                    advice="Rename one of them, in its query too",
                )
            found.setdefault(rule.slug, {})[name] = content
    return found
