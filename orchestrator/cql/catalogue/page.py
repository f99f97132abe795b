"""The catalogue as a page for people: Markdown, the same text for the same tables."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping

from orchestrator.cql.catalogue import functions
from orchestrator.cql.catalogue.model import (
    Function,
    FunctionKind,
    FunctionParameter,
    ParameterType,
)

_WIDTH = 100
_KINDS = {
    FunctionKind.FILTER: ("Filters", "Keep or drop each event; may be negated and joined."),
    FunctionKind.TRANSFORM: ("Transforms", "Add, change or take away fields of each event."),
    FunctionKind.AGGREGATE: (
        "Aggregates",
        "Turn many events into rows; only the fields they write exist behind them.",
    ),
    FunctionKind.SEQUENCE: (
        "Sequences",
        "Aggregates over rows that are in order: behind `sort()`, `head()` or another aggregate.",
    ),
    FunctionKind.SOURCE: ("Sources", "Produce events; stand first."),
    FunctionKind.JOIN: ("Joins and tables", "Read a second time, or set how the search runs."),
}
_INTRODUCTION = """\
Every function of LogScale that the checks know. In a signature the first argument may stand without
its name where the table says *unnamed*; brackets go around what may be left out. `{name}` under
*writes* is the value of that parameter. Each name leads to the vendor's page.
"""


def functions_page(*, support: Mapping[str, str] | None = None) -> str:
    """Return the page of all functions, by kind and name.

    Args:
        support: What to say of a function's support elsewhere, by canonical name, such as what
            the local engine makes of it. A function that is not in it gets no such line.
    """
    known = sorted(
        {function.name: function for function in functions().values()}.values(),
        key=lambda function: function.name.lower(),
    )
    parts = [f"# Functions\n\n{_INTRODUCTION}"]
    parts += [_index(known), _types()]
    for kind, (title, about) in _KINDS.items():
        parts.append(f"## {title}\n\n{_wrapped(about)}\n")
        parts += [_section(f, (support or {}).get(f.name)) for f in known if f.kind is kind]
    return "\n".join(parts)


def anchor(function: Function) -> str:
    """Return the fragment that a link to the function's section ends with."""
    return re.sub(r"[^a-z0-9-]", "", function.name.lower())


def _index(known: list[Function]) -> str:
    lines = []
    for kind, (title, _) in _KINDS.items():
        links = [f"[{f.name}](#{anchor(f)})" for f in known if f.kind is kind]
        lines.append(_wrapped(f"**{title}**: {', '.join(links)}"))
    return "\n\n".join(lines) + "\n"


def _types() -> str:
    """Return what the words under *takes* mean; a list takes an array, or one value."""
    plain = [kind for kind in ParameterType if not kind.is_list or kind is ParameterType.PAIR_LIST]
    lines = ["| takes | means |", "| --- | --- |"]
    lines += [f"| {kind.value.removesuffix('-list')} | {kind.about} |" for kind in plain]
    return "\n".join(
        [*lines, "| …-list | An array of them, or a single one without brackets. |", ""]
    )


def _section(function: Function, support: str | None) -> str:
    lines = [
        f"### {function.name}",
        "",
        "```",
        *_call(function),
        "```",
        "",
        _wrapped(function.about),
    ]
    lines += [""]
    if function.deprecated is not None:
        lines += [_wrapped(f"**Deprecated**: use {function.deprecated}."), ""]
    if function.since is not None:
        lines += [f"Since release {function.since}.", ""]
    if function.aliases:
        older = ", ".join(f"`{name}`" for name in function.aliases)
        lines += [f"Older name: {older}.", ""]
    if function.parameters:
        lines += [*_table(function), ""]
    if function.outputs:
        outputs = ", ".join(f"`{output}`" for output in function.outputs)
        lines += [_wrapped(f"Writes {outputs}."), ""]
    if support:
        lines += [_wrapped(f"Local engine: {support}"), ""]
    lines += [f"[{_short(function.page)}]({function.page})", ""]
    return "\n".join(lines)


def _call(function: Function) -> list[str]:
    """Return the signature, one line or, if that is too long, wrapped behind its parenthesis."""
    return textwrap.wrap(
        function.signature(),
        _WIDTH,
        subsequent_indent=" " * min(len(function.name) + 1, 24),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _table(function: Function) -> Iterator[str]:
    yield "| parameter | takes | default | about |"
    yield "| --- | --- | --- | --- |"
    for parameter in function.parameters:
        cells = (
            f"`{parameter.name}`",
            _takes(parameter),
            _default(parameter),
            " ".join(_notes(parameter)),
        )
        yield f"| {' | '.join(_cell(cell) for cell in cells)} |".replace("|  |", "| |")


def _takes(parameter: FunctionParameter) -> str:
    if parameter.allowed:
        return ", ".join(f"`{word}`" for word in parameter.allowed)
    return f"{parameter.type.value}{_range(parameter)}"


def _range(parameter: FunctionParameter) -> str:
    low, high = parameter.minimum, parameter.maximum
    if low is None and high is None:
        return ""
    if high is None:
        return f", at least {low:,}"
    return f", at most {high:,}" if low is None else f", {low:,} to {high:,}"


def _default(parameter: FunctionParameter) -> str:
    if parameter.required:
        return "required"
    default = parameter.default
    if default is None:
        return ""
    if default.startswith("("):
        return default[1:-1]
    if not default or default.isspace():
        default = '"' + default.replace("\n", "\\n") + '"'
    return f"`{default}`"


def _notes(parameter: FunctionParameter) -> Iterator[str]:
    if parameter.unnamed:
        yield "*unnamed*."
    if parameter.deprecated:
        yield "*deprecated*."
    if parameter.about:
        yield parameter.about
    if parameter.usual_maximum is not None:
        yield f"Up to {parameter.usual_maximum:,} unless the server is set otherwise."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _short(page: str) -> str:
    return page.removeprefix("https://")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
