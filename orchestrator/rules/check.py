"""All that is wrong below a path: rule folders at any depth, and bare `.cql` files beside them.

Folders whose name begins with `_` or `.`, and links to folders, are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cql.diagnostics import Level
from orchestrator.cql.lint import QueryKind, Waiver, lint
from orchestrator.cql.span import LineIndex
from orchestrator.model.inventory import FactTable
from orchestrator.rules.fileformat import read_rule
from orchestrator.rules.load import QUERY_FILE, RULE_FILE, is_rule_folder, load_folders
from orchestrator.rules.problems import Problem
from orchestrator.rules.reading import Problems, Section
from orchestrator.rules.validate import KINDS, waivers_of
from orchestrator.rules.yaml import YamlProblem, parse_yaml

SUFFIX = ".cql"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryFile:
    """A file with a query, and how it is linted."""

    path: Path
    kind: QueryKind
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What there is to check below one path."""

    root: Path
    rule_folders: tuple[Path, ...]
    bare_files: tuple[Path, ...]

    def query_files(self, *, kind: QueryKind) -> Iterator[QueryFile]:
        """Yield every file with a query, by name; `kind` is that of the bare ones."""
        for folder in self.rule_folders:
            if (folder / QUERY_FILE).is_file():
                yield _query_of(folder)
        for path in self.bare_files:
            yield QueryFile(path=path, kind=kind)


def find_tree(path: Path) -> Tree:
    """Return the rules and queries below a folder, or the one that a file is or belongs to.

    Raises:
        OSError: A folder cannot be listed.
    """
    if not path.is_dir():
        is_part = path.name in (RULE_FILE, QUERY_FILE) and (path.parent / RULE_FILE).is_file()
        if is_part:
            return Tree(root=path.parent, rule_folders=(path.parent,), bare_files=())
        return Tree(root=path.parent, rule_folders=(), bare_files=(path,))
    rules: list[Path] = []
    bare: list[Path] = []
    pending = [path]
    while pending:
        folder = pending.pop()
        is_rule = is_rule_folder(folder)
        if is_rule:
            rules.append(folder)
        for entry in folder.iterdir():
            if entry.name[0] in "._":
                continue
            if entry.is_dir():
                pending += [] if entry.is_symlink() else [entry]
            elif entry.suffix == SUFFIX and not (is_rule and entry.name == QUERY_FILE):
                bare.append(entry)
    return Tree(root=path, rule_folders=tuple(sorted(rules)), bare_files=tuple(sorted(bare)))


def find_problems(
    tree: Tree, *, kind: QueryKind, tables: Sequence[FactTable]
) -> tuple[Problem, ...]:
    """Return every problem of every file, by path and place.

    Args:
        tree: What to check.
        kind: Where the bare queries will run; a rule says so itself.
        tables: Fact tables that rules may enrich with.
    """
    found = list(load_folders(tree.rule_folders, tree.root, tables=tables).problems)
    for path in tree.bare_files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            found.append(_unreadable(path, exc))
        else:
            found += query_problems(path, text, kind=kind)
    return tuple(sorted(found, key=lambda item: (str(item.path), item.line, item.column)))


def query_problems(path: Path, text: str, *, kind: QueryKind) -> list[Problem]:
    """Return what the linter says about a query that belongs to no rule."""
    index = LineIndex(text)
    found: list[Problem] = []
    for diagnostic in lint(text, kind=kind):
        at = index.position(diagnostic.span.start)
        found.append(
            Problem(
                path=path,
                line=at.line,
                column=at.column,
                level=diagnostic.level,
                code=diagnostic.code,
                message=diagnostic.message,
                help=diagnostic.help,
                text=text,
                diagnostic=diagnostic,
            )
        )
    return found


def _query_of(folder: Path) -> QueryFile:
    """Return a rule's query as far as its rule.yaml can be read."""
    path, rule_file = folder / QUERY_FILE, folder / RULE_FILE
    try:
        document = parse_yaml(rule_file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YamlProblem):
        return QueryFile(path=path, kind=QueryKind.SEARCH)
    section = Section(document, "", Problems(rule_file))
    rule = read_rule(section, slug=folder.name, query="", runbook=(), version="")
    return QueryFile(path=path, kind=KINDS[rule.deploy.kind], waivers=waivers_of(rule))


def _unreadable(path: Path, exc: Exception) -> Problem:
    return Problem(
        path=path,
        line=1,
        column=1,
        level=Level.ERROR,
        code="rule-file",
        message=f"the file cannot be read: {exc}.",
    )
