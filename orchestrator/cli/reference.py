"""The generated pages: `python -m orchestrator.cli.reference [--check]`, in the project's folder.

One more page is one more row in `PAGES`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from orchestrator.cli.main import cli
from orchestrator.cql.catalogue.page import functions_page
from orchestrator.cql.lint.page import checks_page
from orchestrator.engine.support import support
from orchestrator.rules.codes import all_codes

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


def checks() -> str:
    """Return the page of all that lint can say."""
    return checks_page(all_codes())


def functions_of_cql() -> str:
    """Return the page of all functions, with what the local engine makes of each."""
    return functions_page(
        support={
            found.name: "runs." if found.supported else f"refused: {found.why}."
            for found in support()
        }
    )


PAGES: dict[Path, Callable[[], str]] = {
    Path("docs/cli.md"): reference,
    Path("docs/checks.md"): checks,
    Path("docs/functions.md"): functions_of_cql,
}
"""Each generated page and what makes it."""


def main() -> None:
    """Write every page, or with `--check` name those that are out of date."""
    stale = False
    for path, make in PAGES.items():
        text = make()
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale = True
            click.echo(f"{path} is out of date: run make docs-write", err=True)
    sys.exit(stale)


if __name__ == "__main__":
    main()
