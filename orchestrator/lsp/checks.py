"""What is wrong with an open document: the checks of `orchestrator lint`, on the editor's text.

A query alone is checked as a search. In a rule folder the rule says what the query will be, and the
rule file and the query are checked together, since each names the other's fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.cql.diagnostics import Diagnostic
from orchestrator.cql.lint import QueryKind, lint
from orchestrator.cql.span import Span
from orchestrator.inventory.tables import TABLES
from orchestrator.rules.load import QUERY_FILE, RULE_FILE, load_rules
from orchestrator.rules.problems import Problem
from orchestrator.rules.yaml import YamlProblem, parse_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A file of a rule folder, its text as edited, and what is wrong with it."""

    path: Path
    text: str
    found: list[Diagnostic] = field(default_factory=list)


def rule_folder(path: Path, *, unsaved: Mapping[Path, str]) -> Path | None:
    """Return the rule folder that `path` is the rule file or the query of; None for other files."""
    rule = path.parent / RULE_FILE
    if path.name == RULE_FILE or (path.name == QUERY_FILE and (rule in unsaved or rule.is_file())):
        return path.parent
    return None


def check_query(text: str, *, path: Path | None, unsaved: Mapping[Path, str]) -> list[Diagnostic]:
    """Return what is wrong with a query, as its rule has it checked if it belongs to one.

    Args:
        text: The query.
        path: Its file; None if it has none yet.
        unsaved: What open editors hold, in place of what is on disk; holds `path` if it is a file.
    """
    folder = None if path is None else rule_folder(path, unsaved=unsaved)
    if folder is None:
        return lint(text, kind=QueryKind.SEARCH)
    _, query = check_rule_folder(folder, unsaved=unsaved)
    return query.found


def check_rule_folder(folder: Path, *, unsaved: Mapping[Path, str]) -> tuple[Checked, Checked]:
    """Return what is wrong with a rule's two files: the rule file and the query.

    Problems of its other files are told at the top of the rule file.
    """
    rule, query = (
        Checked(path=path, text=_text(path, unsaved))
        for path in (folder / RULE_FILE, folder / QUERY_FILE)
    )
    if folder.is_dir():
        for problem in load_rules(folder, tables=TABLES, unsaved=unsaved).problems:
            file = query if problem.path == query.path else rule
            file.found.append(problem.diagnostic or _diagnostic(problem, file))
    if not folder.is_dir() or not _is_readable(rule.text):
        # Then nobody has looked at the query.
        query.found.extend(lint(query.text, kind=QueryKind.SEARCH))
    return rule, query


def _diagnostic(problem: Problem, file: Checked) -> Diagnostic:
    elsewhere = "" if problem.path == file.path else f"{problem.path.name}: "
    return Diagnostic(
        code=problem.code,
        level=problem.level,
        message=f"{elsewhere}{problem.message}",
        span=Span(0, 0) if elsewhere else _span(problem, file.text),
        help=problem.help,
    )


def _span(problem: Problem, text: str) -> Span:
    """Return the piece from the problem's place to the end of its line, a comment left out."""
    lines = text.splitlines(keepends=True)
    start = sum(map(len, lines[: problem.line - 1])) + problem.column - 1
    start = min(start, len(text))
    rest = text[start:].splitlines()[:1]
    piece = rest[0].split(" #")[0].rstrip() if rest else ""
    return Span(start, start + len(piece))


def _is_readable(rule: str) -> bool:
    """Say whether the loader gets as far as the rule's query."""
    try:
        parse_yaml(rule)
    except YamlProblem:
        return False
    return bool(rule.strip())


def _text(path: Path, unsaved: Mapping[Path, str]) -> str:
    """Return a file as it is being edited, else as it is on disk; empty if it cannot be read."""
    if path in unsaved:
        return unsaved[path]
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
