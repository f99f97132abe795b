"""`orchestrator lsp`: the language server that editors start."""

from __future__ import annotations

import ipaddress

import click


class _Loopback(click.ParamType[tuple[str, int]]):
    """`HOST:PORT` of this machine."""

    name = "HOST:PORT"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Return host and port, or fail with what is wrong."""
        host, _, port = value.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            self.fail(f"{value!r} is no HOST:PORT, such as 127.0.0.1:2087.", param, ctx)
        if not _is_loopback(host):
            self.fail(
                f"{host!r} is not this machine's loopback address. The server reads files for "
                "whoever connects, so it listens on 127.0.0.1, ::1 or localhost only.",
                param,
                ctx,
            )
        return host, int(port)


@click.command()
@click.option(
    "--tcp",
    "address",
    type=_Loopback(),
    help="Serve one client on this loopback address, not on standard input and output.",
)
@click.option("--stdio", is_flag=True, help="The default, which some editors ask for by name.")
def lsp(*, address: tuple[str, int] | None, stdio: bool) -> None:
    """Serve CQL to an editor: diagnostics, completion, hover, formatting, quick fixes.

    It speaks the Language Server Protocol on standard input and output; the editor starts it, and
    docs/editors.md shows how for VS Code, Neovim, Helix, Emacs and Zed. The checks are those of
    `orchestrator lint`. It needs the extra `lsp`: pip install 'orchestrator[lsp]'.
    """
    if stdio and address is not None:
        raise click.UsageError("--stdio and --tcp exclude each other.")
    try:
        from orchestrator.lsp.server import serve_stdio, serve_tcp
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        raise click.UsageError(
            "The language server needs pygls: pip install 'orchestrator[lsp]'"
        ) from exc
    if address is None:
        serve_stdio()
    else:
        serve_tcp(*address)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
