"""Multipart forms, as bytes: the same content is the same request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from orchestrator.client.http.transport import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a form; with a file name it is a file."""

    name: str
    content: bytes = field(repr=False)
    filename: str | None = None
    kind: str = ""
    """Media type; empty for plain fields."""


def multipart(method: str, path: str, *parts: Part, idempotent: bool = True) -> Request:
    """Return a request whose body is the form of `parts`.

    By default it may be sent twice: replacing a file by the same content does no harm.
    """
    # Derived from the content, so that the same upload is the same bytes.
    digest = hashlib.sha256(b"\0".join(part.content for part in parts)).hexdigest()
    boundary = f"part-{digest[:24]}"
    body = bytearray()
    for part in parts:
        body += f"--{boundary}\r\n{_disposition(part)}\r\n".encode()
        if part.kind:
            body += f"Content-Type: {part.kind}\r\n".encode()
        body += b"\r\n" + part.content + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return Request(
        method=method,
        path=path,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        content=bytes(body),
        idempotent=idempotent,
    )


def _disposition(part: Part) -> str:
    text = f'Content-Disposition: form-data; name="{_quoted(part.name)}"'
    return text if part.filename is None else f'{text}; filename="{_quoted(part.filename)}"'


def _quoted(text: str) -> str:
    # A line end would start a header of its own.
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
