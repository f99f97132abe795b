"""Recording: what goes over a transport becomes a cassette, scrubbed of who and where.

Requests keep method, path, query and body, never their headers; answers keep their status, content
type and body. Then every secret that the caller names, host names, mail addresses and opaque ids
are replaced, each id by the same placeholder throughout, so that the exchanges still fit together.
A person reads the file before it is committed.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import yaml

from orchestrator.client.cassettes.replay import Cassette, Exchange
from orchestrator.client.http.transport import OpenResponse, Request, Response, Transport
from orchestrator.secret import SecretText

_KEPT_HEADERS = ("content-type", "retry-after")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
# Long runs that hold both letters and digits: ids of jobs, assets, organizations, events. Not the
# boundary of a form: it comes from the content alone.
_OPAQUE = re.compile(r"(?<!\w)(?<!part-)(?=\w*\d)(?=\w*[A-Za-z])[A-Za-z0-9_]{16,}(?![\w])")
# A token that an answer or an input holds, whatever it looks like: `token`, `rotateToken`, …
_TOKEN = re.compile(r'("\w*[tT]oken"\s*:\s*")(?:[^"\\]|\\.)+(?=")')
_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class RecordingTransport:
    """A transport that keeps every exchange of another one, whole answers only.

    Args:
        inner: Carries the requests; closed with this object.
    """

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.exchanges: list[Exchange] = []

    async def send(self, request: Request) -> Response:
        """Return the answer, and keep it."""
        response = await self._inner.send(request)
        self._keep(request, response)
        return response

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[OpenResponse]:
        """Yield the answer; what the reader has read of it is kept."""
        body = bytearray()
        async with self._inner.open(request) as response:

            async def chunks() -> AsyncIterator[bytes]:
                async for chunk in response.chunks:
                    body.extend(chunk)
                    yield chunk

            yield OpenResponse(status=response.status, headers=response.headers, chunks=chunks())
        whole = Response(status=response.status, headers=response.headers, body=bytes(body))
        self._keep(request, whole)

    async def close(self) -> None:
        """Close the transport inside."""
        await self._inner.close()

    def _keep(self, request: Request, response: Response) -> None:
        headers = {k: v for k, v in response.headers.items() if k in _KEPT_HEADERS}
        self.exchanges.append(
            Exchange(
                method=request.method,
                path=request.path,
                query=request.query,
                body=request.content.decode("utf-8", "replace"),
                response=Response(status=response.status, headers=headers, body=response.body),
            )
        )


class Scrubber:
    """Replaces what says who and where; the same text by the same placeholder.

    Args:
        base_url: Of the server; its host is replaced.
        secrets: Texts that must not be found in any cassette.
    """

    def __init__(self, *, base_url: str, secrets: Sequence[SecretText]) -> None:
        self._host = urlsplit(base_url).netloc
        self._secrets = secrets
        self._placeholders: dict[str, str] = {}

    def scrub(self, text: str) -> str:
        """Return `text` without anything that names a person, a server or a tenant."""
        for secret in self._secrets:
            text = text.replace(secret.reveal(), "***")
        if self._host:
            text = text.replace(self._host, "logscale.example")
        text = _TOKEN.sub(r"\1***", text)
        text = _MAIL.sub("user@example.com", text)
        text = _IPV4.sub("192.0.2.1", text)
        text = _UUID.sub(self._placeholder, text)
        return _OPAQUE.sub(self._placeholder, text)

    def exchange(self, exchange: Exchange) -> Exchange:
        """Return an exchange scrubbed whole."""
        answer = exchange.response
        return Exchange(
            method=exchange.method,
            path=self.scrub(exchange.path),
            query=tuple((name, self.scrub(value)) for name, value in exchange.query),
            body=self.scrub(exchange.body),
            response=Response(
                status=answer.status,
                headers=dict(answer.headers),
                body=self.scrub(answer.body.decode("utf-8", "replace")).encode(),
            ),
        )

    def _placeholder(self, match: re.Match[str]) -> str:
        found = match.group()
        if not _is_opaque(found):
            return found
        number = len(self._placeholders) + 1
        return self._placeholders.setdefault(found, f"ID{number:04}")


def _is_opaque(text: str) -> bool:
    """Say whether a run is an id rather than a name: names of the API are words in camel case."""
    digits = sum(char.isdigit() for char in text)
    return digits >= 3 or bool(_UUID.fullmatch(text))


def dump_cassette(cassette: Cassette) -> str:
    """Return the YAML text that `load_cassette` reads back."""
    exchanges = [_plain(exchange) for exchange in cassette.exchanges]
    content = {
        "origin": cassette.origin.value,
        "source": cassette.source,
        "exchanges": exchanges,
    }
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _plain(exchange: Exchange) -> dict[str, object]:
    request: dict[str, object] = {"method": exchange.method, "path": f"/{exchange.path}"}
    if exchange.query:
        request["query"] = dict(exchange.query)
    if exchange.body:
        request["body"] = exchange.body
    answer = exchange.response
    response: dict[str, object] = {"status": answer.status, "headers": dict(answer.headers)}
    if answer.body:
        response["body"] = answer.body.decode("utf-8", "replace")
    return {"request": request, "response": response}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that bodies can be read in review."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
