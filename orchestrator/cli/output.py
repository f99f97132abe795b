"""What every command prints with: tables for people, JSON for programs.

Results go to standard output, talk to standard error. Colours appear only on a terminal and never
with `NO_COLOR`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import click

from orchestrator.terminal import console, plain, table

F = TypeVar("F", bound=Callable[..., Any])


class OutputFormat(StrEnum):
    """How a listing is printed."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


def format_option(command: F) -> F:
    """Add `--format table|json|ndjson` to a listing."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice([choice.value for choice in OutputFormat]),
        default=OutputFormat.TABLE.value,
        show_default=True,
        help="table for people, json or ndjson for programs.",
    )(command)


__all__ = ["OutputFormat", "console", "emit", "format_option", "is_coloured", "plain", "table"]


def is_coloured() -> bool:
    """Say whether standard output is a terminal that takes colours, and none forbids them."""
    return sys.stdout.isatty() and console().color_system is not None


def emit(
    rows: Sequence[Mapping[str, object]],
    *,
    columns: Mapping[str, str],
    output_format: str,
    empty: str,
) -> None:
    """Print a listing.

    Args:
        rows: JSON-ready objects; JSON prints them whole, a table only `columns`.
        columns: Key to heading, in order.
        output_format: A value of `OutputFormat`.
        empty: What a person reads when there are no rows.
    """
    if output_format == OutputFormat.JSON:
        click.echo(json.dumps(list(rows), ensure_ascii=False, indent=2))
    elif output_format == OutputFormat.NDJSON:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    elif not rows:
        click.echo(empty, err=True)
    else:
        console().print(table(rows, columns=columns))
