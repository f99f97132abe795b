"""`orchestrator sandbox`: a local LogScale in a terminal of its own."""

from __future__ import annotations

from dataclasses import replace
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
    "--ingest-token",
    "ingest_tokens",
    multiple=True,
    metavar="REPOSITORY=TEXT",
    help="Ingest token of a repository, for clients that take a UUID alone; by default the API"
    " token, -ingest- and the repository. May be given several times.",
)
@click.option(
    "--lookup",
    "lookups",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Lookup file to hold in every repository; may be given several times.",
)
@click.option(
    "--marketplace",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of package zips that clients may install by name.",
)
@click.option(
    "--tls-cert",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Speak HTTPS with this certificate, a PEM file, for clients that know nothing else.",
)
@click.option(
    "--tls-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The certificate's key, a PEM file; without it, the certificate's own holds the key.",
)
@click.option(
    "--triggers/--no-triggers",
    default=True,
    show_default=True,
    help="Run alerts, scheduled searches and correlation rules.",
)
@click.option(
    "--allow-outbound",
    is_flag=True,
    help="Let their actions send to other machines; without it, to loopback alone.",
)
@click.option(
    "--pace",
    type=click.Choice(["fast", "recorded"]),
    default="fast",
    show_default=True,
    help="How long clients are asked to wait between polls; recorded is LogScale's own, and a"
    " first poll then finds the job unfinished.",
)
@click.option(
    "--dialect",
    type=click.Choice(["new", "2020"]),
    default="new",
    show_default=True,
    help="What poll answers hold; 2020 is the members that were recorded, and no more.",
)
@click.option(
    "--server-version",
    metavar="VERSION",
    help="Play an older server, such as 1.180.0, whose GraphQL lacks what came later.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="PATTERN=KIND[,NAME=VALUE]…",
    help="What requests meet, such as 'POST */queryjobs=unavailable,count=2' or"
    " 'GET */queryjobs/*=slow,probability=0.1'; may be given several times.",
)
def sandbox(
    *,
    host: str,
    port: int,
    data_dir: Path | None,
    token: str,
    repositories: tuple[str, ...],
    ingest_tokens: tuple[str, ...],
    lookups: tuple[Path, ...],
    marketplace: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    triggers: bool,
    allow_outbound: bool,
    pace: str,
    dialect: str,
    server_version: str | None,
    faults: tuple[str, ...],
) -> None:
    """Serve a local LogScale: query jobs, ingest, GraphQL assets, lookup files, alerts that fire.

    The page at / shows what is there and searches it; it asks for the token.

    Queries run through the same engine as the rules' cases. It is for trying things out on one
    machine and listens on loopback; it is not LogScale and holds what fits into memory. What its
    alerts did is at /_sandbox/invocations, and their mail at /_sandbox/mail.

    Try it: curl -s http://127.0.0.1:8080/api/v1/status
    """
    from orchestrator.sandbox.faults.kinds import faults_from_texts
    from orchestrator.sandbox.graphql.schema import load_schema
    from orchestrator.sandbox.server import serve
    from orchestrator.sandbox.settings import VERSION, recorded_pace, sandbox_settings
    from orchestrator.sandbox.tls import tls_files

    try:
        plan = faults_from_texts(faults)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--fault") from exc
    try:
        load_schema(server_version or VERSION)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--server-version") from exc
    try:
        tls = tls_files(tls_cert, tls_key)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--tls-cert") from exc
    url = f"{'http' if tls is None else 'https'}://{host}:{port}"
    named = dict(pair.partition("=")[::2] for pair in ingest_tokens)
    try:
        settings = sandbox_settings(
            token=token, repositories=repositories, data_dir=data_dir, ingest_tokens=named
        )
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--ingest-token") from exc
    settings = replace(
        settings,
        marketplace=marketplace,
        run_triggers=triggers,
        allow_outbound=allow_outbound,
        faults=plan,
        version=server_version or VERSION,
        recorded_metadata_only=dialect == "2020",
        public_url=url,
    )
    if pace == "recorded":
        settings = recorded_pace(settings)
    click.echo(f"sandbox on {url}/, token {token}; stop with Ctrl-C", err=True)
    run_async(serve(settings, host=host, port=port, lookups=lookups, tls=tls))
