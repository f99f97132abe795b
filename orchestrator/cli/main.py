"""The root command: global options, lazy loading of command modules, errors to exit codes.

A command module is imported only when its command is named, so that `--help` stays fast. One more
command is one more row in `COMMANDS`.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

import orchestrator
from orchestrator.errors import OrchestratorError

# Command -> (module, attribute, one line of help), in the order a newcomer meets them.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("demo", "demo", "The whole path of a finding on sample telemetry, in a minute."),
    "lint": ("lint", "lint", "Check rules and .cql files, offline."),
    "fmt": ("fmt", "fmt", "Lay queries out, one step a line."),
    "test": ("rules", "test", "Run the rules' own cases, offline."),
    "query": ("query", "query", "Run CQL over event files, offline."),
    "plan": ("deploy", "plan", "Show what deploy would change, as a diff."),
    "deploy": ("deploy", "deploy", "Create or update the rules' assets in a repository."),
    "run": ("run", "run", "Run the windows that are due, once, and deliver."),
    "serve": ("run", "serve", "Run and deliver on schedule until stopped."),
    "findings": ("findings", "findings", "List, show and explain findings."),
    "runs": ("runs", "runs", "List runs: which windows were searched."),
    "outbox": ("outbox", "outbox", "List messages and put dead ones back."),
    "inventory": ("inventory", "inventory", "Ask who a host was at a time."),
    "doctor": ("doctor", "doctor", "Check settings, rules, store, repositories and receivers."),
    "lsp": ("lsp", "lsp", "Serve CQL to an editor, over the Language Server Protocol."),
    "sandbox": ("sandbox", "sandbox", "Serve a local LogScale for trying things out."),
}


class LazyGroup(click.Group):
    """Finds commands in `COMMANDS` and imports their module on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return command names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None for an unknown name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        loaded = importlib.import_module(f"orchestrator.cli.{module}")
        command: click.Command = getattr(loaded, attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, row[2]) for name, row in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command, naming the nearest one where there is none."""
        import difflib

        name = args[0] if args else ""
        if name and name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(orchestrator.__version__, prog_name="orchestrator")
@click.option(
    "--config",
    "-c",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings file.  [default: orchestrator.toml where it exists]",
)
@click.pass_context
def cli(ctx: click.Context, config_path: Path | None) -> None:
    r"""Detection rules as files for CrowdStrike LogScale and Falcon NG-SIEM.

    Lint and test rules on a laptop, deploy them with a plan, run them without losing a window,
    judge each finding against who that host was at that moment, and tell on-call.

    \b
    First steps:
      orchestrator demo                     see the whole path, no account needed
      orchestrator lint && orchestrator test
      orchestrator plan --repo falcon       needs orchestrator.toml, see config.example.toml

    \b
    Exit codes: 0 done, 1 the answer is no (lint errors, failing cases, changes pending),
    2 usage, 3 settings, 4 rule files, 5 CQL, 6 LogScale or Falcon, 7 state database,
    8 destination, 9 inventory, 10 deploy.
    """
    ctx.obj = config_path


def main() -> None:
    """Run the command line and turn errors into one sentence with its code, and an exit code."""
    try:
        cli()
    except OrchestratorError as exc:
        from orchestrator.terminal import plain

        # A server's words may be in it; a list of settings has a line for each.
        told = "\n".join(plain(line) for line in str(exc).split("\n"))
        click.echo(f"error[{exc.code}]: {told}", err=True)
        sys.exit(exc.exit_code)
    except BrokenPipeError:
        # The reader (head, less) went away: nothing more to say.
        sys.stderr.close()
        sys.exit(0)
