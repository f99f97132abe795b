"""docs/cli.md from the commands' help: `python -m orchestrator.cli.reference [--check] PATH`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from orchestrator.cli.main import cli

_HEAD = """\
# Command line

Made from the commands' own help by `make docs-write`; `make check` fails if it is out of date.
"""
_WIDTH = 100


def reference() -> str:
    """Return the page: every command with its whole help, in the order of the root command."""
    return "\n".join([_HEAD, *_pages(cli, "orchestrator", None)])


def _pages(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        help_option_names=["-h", "--help"],
    )
    with context:
        yield f"## {context.command_path}\n\n```\n{command.get_help(context).rstrip()}\n```\n"
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                found = command.get_command(context, inner)
                if found is not None:
                    yield from _pages(found, inner, context)


def main() -> None:
    """Write the page to the path given, or compare it with `--check`."""
    check = "--check" in sys.argv[1:]
    (path,) = [Path(argument) for argument in sys.argv[1:] if argument != "--check"]
    text = reference()
    if not check:
        path.write_text(text, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != text:
        click.echo(f"{path} is out of date: run make docs-write", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
