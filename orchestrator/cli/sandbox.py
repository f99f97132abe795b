"""`orchestrator sandbox`: a local LogScale in a terminal of its own."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.session import run_async


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep everything in this directory; without it, in memory only.",
)
@click.option("--token", default="sandbox-token", show_default=True, help="API token it accepts.")
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    default=("falcon",),
    show_default=True,
    help="Repository to create; may be given several times.",
)
@click.option(
    "--lookup",
    "lookups",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Lookup file to hold in every repository; may be given several times.",
)
def sandbox(
    *,
    host: str,
    port: int,
    data_dir: Path | None,
    token: str,
    repositories: tuple[str, ...],
    lookups: tuple[Path, ...],
) -> None:
    """Serve a local LogScale: a page, query jobs, ingest, GraphQL assets, lookup files.

    The page at / shows what is there and searches it; it asks for the token.

    Queries run through the same engine as the rules' cases. It is for trying things out on one
    machine and listens on loopback; it is not LogScale and holds what fits into memory.

    Try it: curl -s http://127.0.0.1:8080/api/v1/status
    """
    from orchestrator.sandbox.server import serve
    from orchestrator.sandbox.settings import sandbox_settings

    settings = sandbox_settings(token=token, repositories=repositories, data_dir=data_dir)
    click.echo(f"sandbox on http://{host}:{port}/, token {token}; stop with Ctrl-C", err=True)
    run_async(serve(settings, host=host, port=port, lookups=lookups))
