"""Text and tables for a terminal, or for the pipe behind it.

Text from telemetry passes through `plain`, so that no escape sequence, newline or bidirectional
control in a file name can redraw the reader's terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_COLUMNS = 240


def plain(text: str) -> str:
    """Return `text` on one line with every control and format character made visible."""
    return "".join(
        char if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} else _visible(char)
        for char in text
    )


def _visible(char: str) -> str:
    return "↵" if char == "\n" else f"\\u{ord(char):04x}"


def console(*, stderr: bool = False) -> Console:
    """Return a console that colours only a terminal, and does not fold lines for a pipe."""
    made = Console(stderr=stderr, highlight=False, soft_wrap=True)
    return (
        made
        if made.is_terminal
        else Console(stderr=stderr, highlight=False, soft_wrap=True, width=_PIPE_COLUMNS)
    )


def table(rows: Iterable[Mapping[str, object]], *, columns: Mapping[str, str]) -> Table:
    """Return a table whose cells are plain text, never markup."""
    made = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for heading in columns.values():
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*(Text(plain(_cell(row.get(key)))) for key in columns))
    return made


def _cell(value: object) -> str:
    return "" if value is None else str(value)
