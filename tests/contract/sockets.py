"""Servers that are not what a client takes them for, on loopback sockets; and certificates."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

LOOPBACK = "127.0.0.1"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(talk: Talk, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Accept connections, have `talk` answer each and close it; yield the port."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
            await writer.drain()
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(served, LOOPBACK, 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """Return one request, head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (
            int(line.partition(b":")[2])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ),
        0,
    )
    return head + await reader.readexactly(length)


def saying(answer: bytes) -> Talk:
    """Return what reads a request and sends these bytes, whatever they are."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(answer)

    return talk


def http(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """Return an HTTP answer, whole as HTTP sees it."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Server certificates by what is wrong with them, and who vouches for them."""

    folder: Path

    def server(self, name: str) -> ssl.SSLContext:
        """Return the server's side: `good`, `expired`, `other-name` or `self-signed`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def trust(self) -> ssl.SSLContext:
        """Return a client's side that trusts the authority behind all but the self-signed one."""
        return ssl.create_default_context(cafile=str(self.folder / "authority.pem"))


def make_certificates(folder: Path) -> Certificates:
    """Make an authority and certificates for loopback; without openssl the test is skipped."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificates, is not installed")
    _self_signed(folder, "authority", subject="/CN=test authority")
    _self_signed(folder, "self-signed", subject="/CN=localhost")
    for name, host, days in (
        ("good", f"IP:{LOOPBACK}", 30),
        ("expired", f"IP:{LOOPBACK}", -1),
        ("other-name", "DNS:elsewhere.example.com", 30),
    ):
        _signed(folder, name, host=host, days=days)
    return Certificates(folder=folder)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _self_signed(folder: Path, name: str, *, subject: str) -> None:
    files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
    _openssl(folder, "req", "-x509", *_NEW_KEY, *files, "-days", "30", "-subj", subject)


def _signed(folder: Path, name: str, *, host: str, days: int) -> None:
    files = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
    alternative = f"subjectAltName={host}"
    _openssl(folder, "req", *_NEW_KEY, *files, "-subj", "/CN=server", "-addext", alternative)
    _openssl(
        folder,
        "x509",
        "-req",
        *("-in", f"{name}.csr", "-out", f"{name}.pem", "-days", str(days)),
        *("-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial"),
        *("-copy_extensions", "copy"),
    )


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
