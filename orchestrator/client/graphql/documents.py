"""The GraphQL documents, packaged as one file per operation.

An operation file may use fragments (`...ScheduledSearchFields`); each lives in a file of its own
name and is added here. Documents are read on first use.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_SPREAD = re.compile(r"\.\.\.\s*([A-Z]\w*)")
# Texts and comments first, so that nothing in them counts; variables and directives by their sign.
_LEXEME = re.compile(r'"""(?:\\"""|.)*?"""|"(?:\\.|[^"\\\n])*"|#[^\n\r]*|[{}]|[$@]?\w+', re.DOTALL)
_PACKAGE = "orchestrator.client.graphql"


@cache
def load_document(operation: str) -> str:
    """Return the document of `operation` with the fragments it uses.

    Raises:
        FileNotFoundError: There is no such operation.
    """
    text = _read("operations", operation)
    wanted = list(dict.fromkeys(_SPREAD.findall(text)))
    for name in wanted:
        fragment = _read("fragments", name)
        text += "\n" + fragment
        wanted.extend(inner for inner in _SPREAD.findall(fragment) if inner not in wanted)
    return text


def holds_mutation(document: str) -> bool:
    """Return whether one of a document's operations is a mutation."""
    depth = 0
    for lexeme in _LEXEME.findall(document):
        if lexeme == "mutation" and depth == 0:
            return True
        depth += (lexeme == "{") - (lexeme == "}")
    return False


def operation_names() -> tuple[str, ...]:
    """Return the names of all packaged operations, sorted."""
    folder = files(_PACKAGE) / "operations"
    suffix = ".graphql"
    found = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(suffix) for name in found if name.endswith(suffix)))


def _read(folder: str, name: str) -> str:
    return (files(_PACKAGE) / folder / f"{name}.graphql").read_text(encoding="utf-8")
