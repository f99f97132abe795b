"""Folders to rules. It never stops at the first bad file: a bad rule is named and left out.

A rule folder holds rule.yaml, query.cql and runbook.md; cases.yaml and its events are read by
`cases`. Folders whose name begins with `_` or `.` are none. Links that lead out of the tree are
refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.cql.diagnostics import Level
from orchestrator.errors import RuleFileError
from orchestrator.model.inventory import FactTable
from orchestrator.model.rule import Rule
from orchestrator.rules.fileformat import read_rule
from orchestrator.rules.problems import Problem
from orchestrator.rules.reading import Problems, Section
from orchestrator.rules.ruleset import RuleSet
from orchestrator.rules.runbook import parse_runbook
from orchestrator.rules.validate import LOOKUP_FOLDER, check_rule, lookup_names
from orchestrator.rules.yaml import YamlProblem, parse_yaml

RULE_FILE, QUERY_FILE, RUNBOOK_FILE = "rule.yaml", "query.cql", "runbook.md"
_ON_DISK: Mapping[Path, str] = {}


def load_rules(
    root: Path, *, tables: Sequence[FactTable], unsaved: Mapping[Path, str] = _ON_DISK
) -> RuleSet:
    """Return the rules of every folder below `root`, by name, with all problems.

    Args:
        root: The folder of rule folders, or one rule folder.
        tables: Fact tables that rules may enrich with.
        unsaved: Texts that stand in for what the files of these paths hold on disk, such as an
            editor's; paths are spelled as `root` and the names below it are joined.

    Raises:
        RuleFileError: `root` is no folder.
    """
    if not root.is_dir():
        raise RuleFileError(
            "there is no such folder",
            path=root,
            advice="Set rules.path, or run from the project's folder",
        )
    folders = (
        [root]
        if is_rule_folder(root)
        else sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] not in "._")
    )
    return load_folders(folders, root, tables=tables, unsaved=unsaved)


def is_rule_folder(folder: Path) -> bool:
    """Say whether a folder holds a rule, or what is left of one."""
    return any((folder / name).exists() for name in (RULE_FILE, QUERY_FILE))


def load_folders(
    folders: Sequence[Path],
    root: Path,
    *,
    tables: Sequence[FactTable],
    unsaved: Mapping[Path, str] = _ON_DISK,
) -> RuleSet:
    """Return the rules of these folders, all below `root`, by name, with all problems.

    The arguments are those of `load_rules`.
    """
    rules: list[tuple[Rule, Path]] = []
    problems: list[Problem] = []
    for folder in folders:
        rule, found = _load(folder, root.resolve(), tables, unsaved)
        problems += found
        if rule is not None:
            rules.append((rule, folder))
    kept, doubled = _without_doubles(rules)
    return RuleSet(rules=tuple(kept), problems=tuple(sorted(problems + doubled, key=_by_place)))


def _load(
    folder: Path, root: Path, tables: Sequence[FactTable], unsaved: Mapping[Path, str]
) -> tuple[Rule | None, list[Problem]]:
    notes = Problems(folder / RULE_FILE)
    texts = {
        name: _read(folder / name, root, unsaved, notes.found)
        for name in (RULE_FILE, QUERY_FILE, RUNBOOK_FILE)
    }
    text = texts[RULE_FILE]
    if text is None:
        return None, notes.found
    try:
        document = parse_yaml(text)
    except YamlProblem as exc:
        notes.add(exc.place, "yaml", f"{exc.message}.")
        return None, notes.found
    rule = read_rule(
        Section(document, "", notes),
        slug=folder.name,
        query=texts[QUERY_FILE] or "",
        runbook=parse_runbook(texts[RUNBOOK_FILE] or ""),
        version="",
    )
    rule = replace(rule, version=_version(rule, folder, list(texts.values())))
    readable = not notes.found
    found = [*notes.found, *check_rule(rule, folder, document, tables=tables)]
    bad = any(problem.level is Level.ERROR for problem in found)
    return (rule if readable and not bad else None), found


def _version(rule: Rule, folder: Path, texts: Sequence[str | None]) -> str:
    """Return a hash of what changes what the rule finds or says; cases change neither."""
    digest = hashlib.sha256()
    files = [folder / LOOKUP_FOLDER / name for name in lookup_names(rule)]
    contents = [(text or "").encode() for text in texts]
    contents += [path.read_bytes() if path.is_file() else b"" for path in files]
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:12]


def _by_place(problem: Problem) -> tuple[str, int, int]:
    return str(problem.path), problem.line, problem.column


def _read(
    path: Path, root: Path, unsaved: Mapping[Path, str], problems: list[Problem]
) -> str | None:
    try:
        if not path.resolve().is_relative_to(root):
            message = "the file leads out of the rules' folder."
        elif path not in unsaved and not path.is_file():
            message = "the file is missing."
        else:
            text = unsaved[path] if path in unsaved else path.read_text(encoding="utf-8")
            if text.strip():
                return text
            message = "the file is empty."
    except (OSError, UnicodeDecodeError) as exc:
        message = f"the file cannot be read: {exc}."
    problems.append(
        Problem(path=path, line=1, column=1, level=Level.ERROR, code="rule-file", message=message)
    )
    return None


def _without_doubles(rules: list[tuple[Rule, Path]]) -> tuple[list[Rule], list[Problem]]:
    """Leave out every rule whose id or name another one claims too; all of them are named."""
    problems: list[Problem] = []
    doubled: set[str] = set()
    for field in ("id", "name"):
        seen: dict[str, list[tuple[Rule, Path]]] = {}
        for rule, folder in rules:
            seen.setdefault(getattr(rule, field), []).append((rule, folder))
        for value, claimed in seen.items():
            if len(claimed) < 2:
                continue
            where = ", ".join(str(folder) for _, folder in claimed)
            for rule, folder in claimed:
                doubled.add(rule.slug)
                problems.append(
                    Problem(
                        path=folder / RULE_FILE,
                        line=1,
                        column=1,
                        level=Level.ERROR,
                        code="duplicate-rule",
                        message=f"the {field} {value!r} is claimed more than once: {where}.",
                    )
                )
    return [rule for rule, _ in rules if rule.slug not in doubled], problems
