"""Whatever bytes a server answers with, the client's decoders raise nothing but its own errors.

Anything else that comes out would be a traceback for whoever runs a command, and for the service a
fault of this program rather than of the server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.client.falcon import Falcon
from orchestrator.client.http.auth import ClientCredentials
from orchestrator.client.http.transport import OpenResponse, Request, Response
from orchestrator.client.logscale import LogScale
from orchestrator.client.types import (
    Action,
    AggregateAlert,
    CorrelationRule,
    FilterAlert,
    SavedQuery,
    ScheduledSearch,
)
from orchestrator.clock import FrozenClock
from orchestrator.errors import ClientError, ConnectionFailed
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
SPAN: dict[str, Any] = {"start": NOW - timedelta(hours=1), "end": NOW}
CUSTOMER = "0123456789abcdef0123456789abcdef"
ACTION = Action(id="a", name="a", kind="WebhookAction")


class Stuck:
    """A transport that gives one answer to all that is asked."""

    def __init__(self, answer: Response) -> None:
        self._answer, self._left = answer, 40

    async def send(self, request: Request) -> Response:
        del request
        self._left -= 1
        if not self._left:
            # One row a page, and a million said to be there: that is asked on, as it should be.
            raise ConnectionFailed("the server is gone", sent=False)
        return self._answer

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[OpenResponse]:
        del request

        async def chunks() -> AsyncIterator[bytes]:
            yield self._answer.body

        answer = self._answer
        yield OpenResponse(status=answer.status, headers=answer.headers, chunks=chunks())

    async def close(self) -> None:
        return


Do = Callable[[LogScale], Awaitable[object]]


async def streamed(scale: LogScale) -> object:
    return [row async for row in scale.stream("r", "*", **SPAN)]


async def walked(scale: LogScale) -> object:
    events = scale.events("r", "*", deadline=timedelta(seconds=5), **SPAN)
    return [row async for row in events]


LOGSCALE: dict[str, Do] = {
    "status": lambda s: s.status(),
    "version": lambda s: s.version(),
    "health": lambda s: s.health(),
    "facts": lambda s: s.facts(),
    "own-document": lambda s: s.graphql().run("{ a }"),
    "clocks": lambda s: s.clocks(),
    "search": lambda s: s.search("r", "*", deadline=timedelta(seconds=5), **SPAN),
    "walk": walked,
    "stream": streamed,
    "ingest": lambda s: s.ingest().raw("a=b"),
    "into-a-view": lambda s: s.ingest().structured([], repository="r"),
    "views": lambda s: s.views().list(),
    "view": lambda s: s.views().get("r"),
    "viewer": lambda s: s.views().viewer(),
    "shape": lambda s: s.views().shape("a=b", view="r"),
    "ingest-tokens": lambda s: s.ingest_tokens("r").list(),
    "validate": lambda s: s.views().validate("a=b"),
    "files": lambda s: s.files("r").list(),
    "file-page": lambda s: s.files("r").page("a.csv"),
    "download": lambda s: s.files("r").download("a.csv"),
    "upload": lambda s: s.files("r").upload("a.csv", b"a\n"),
    "delete-file": lambda s: s.files("r").delete("a.csv"),
    "actions": lambda s: s.actions("r").list(),
    "saved-queries": lambda s: s.assets("r").list(SavedQuery),
    "scheduled-searches": lambda s: s.assets("r").list(ScheduledSearch),
    "aggregate-alerts": lambda s: s.assets("r").list(AggregateAlert),
    "filter-alerts": lambda s: s.assets("r").list(FilterAlert),
    "template": lambda s: s.actions("r").to_template(ACTION),
}
FALCON: dict[str, Callable[[Falcon], Awaitable[object]]] = {
    "token": lambda f: f.check(),
    "rules": lambda f: f.assets(CUSTOMER).list(CorrelationRule),
    "host-ids": lambda f: f.hosts().ids(),
    "hosts": lambda f: f.hosts().details(["a"]),
    "files": lambda f: f.files().list(),
    "queries": lambda f: f.saved_queries().template("id"),
    "connections": lambda f: f.connections().list(),
    "connectors": lambda f: f.connections().connectors(),
    "connection-key": lambda f: f.connections().key("id"),
    "query": lambda f: f.saved_queries().get("id"),
}

# Names that the decoders look for, so that chance gets past the first of them.
NAMES = st.sampled_from(
    [
        *("data", "errors", "message", "path", "state", "resources", "meta", "pagination", "total"),
        *("id", "name", "done", "cancelled", "events", "metaData", "pollAfter", "workDone"),
        *("totalWork", "eventCount", "isAggregate", "queryStart", "queryEnd", "extraData"),
        *("hasMoreEvents", "warnings", "warning", "fieldOrder", "status", "version", "code"),
        *("access_token", "expires_in", "searchDomain", "searchDomains", "files", "nameAndPath"),
        *("offset", "search", "operation", "schedule", "definition", "lookback", "filter"),
        *("scheduledSearches", "searchIntervalSeconds", "@id", "@timestamp", "__typename"),
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 0, 1, 2**53, 10**18, 10**40])
    | st.floats(allow_nan=True)
    | st.text(max_size=8)
    | st.sampled_from(["@every 9999999999999h", "99999999999999h", "now", "1.2.3", "OK", "2020"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=12,
)
# The shapes that answers have, so that most of a decoder is reached.
POLLS = st.fixed_dictionaries(
    {
        "id": st.text(max_size=4),
        "done": st.just(True),
        "cancelled": st.booleans(),
        "events": st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=3) | VALUES,
        "metaData": st.fixed_dictionaries(
            {
                "eventCount": st.integers(),
                "isAggregate": st.booleans(),
                "queryStart": st.integers(),
                "queryEnd": st.integers(),
                "workDone": st.integers(),
                "totalWork": st.integers(),
            },
            optional={"pollAfter": LEAVES, "extraData": VALUES, "warnings": VALUES},
        ),
    }
)
TOKENS = st.fixed_dictionaries({"access_token": st.text(max_size=4), "expires_in": st.integers()})
DOCUMENTS = st.one_of(
    VALUES,
    POLLS,
    TOKENS,
    VALUES.map(lambda value: {"data": value}),
    VALUES.map(lambda value: {"data": {"searchDomain": value}}),
    VALUES.map(lambda value: {"errors": [{"message": "x", "path": value, "state": value}]}),
    VALUES.map(lambda value: {"resources": [value]}),
)
JSON = DOCUMENTS.map(lambda value: json.dumps(value).encode())
BODIES = st.one_of(
    JSON,
    JSON.flatmap(lambda body: st.integers(0, len(body)).map(lambda end: body[:end])),
    JSON.map(lambda body: body.decode().encode("utf-16")),
    st.binary(max_size=64),
    st.sampled_from([b"9" * 5_000, b'{"expires_in":' + b"9" * 400 + b"}", b"<html>x</html>"]),
)
KINDS = st.sampled_from(
    [
        *["application/json"] * 6,
        "application/x-ndjson",
        "application/problem+json; charset=utf-8",
        "text/html",
        "text/plain",
        "text/csv",
        "",
        "; ;",
    ]
) | st.text(max_size=12)
STATUSES = st.sampled_from([*[200] * 6, 201, 204, 301, 400, 401, 403, 404, 407, 429, 500, 503])
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "date", "location", "x-ratelimit-retryafter", "x-cs-region"]),
    st.text(max_size=30)
    | st.sampled_from(["9" * 5_000, "Fri, 31 Dec 9999 23:59:59 -2359", "http://[", "-1", "٣"])
    | st.integers().map(str),
    max_size=2,
)


@st.composite
def answers(draw: st.DrawFn) -> Response:
    kind = draw(KINDS)
    headers = {**draw(HEADERS), **({"content-type": kind} if kind else {})}
    return Response(
        status=draw(STATUSES | st.integers(100, 599)), headers=headers, body=draw(BODIES)
    )


async def only_our_errors(asked: Awaitable[object]) -> None:
    (raised,) = await asyncio.gather(asked, return_exceptions=True)
    if isinstance(raised, BaseException):
        assert isinstance(raised, ClientError), repr(raised)
        # The sentence is made when it is shown, and must be makeable.
        assert str(raised).isprintable()


@pytest.mark.parametrize("name", LOGSCALE)
@settings(max_examples=40)
@given(answer=answers())
def test_logscale_client_raises_only_its_own_errors(name: str, answer: Response) -> None:
    async def run() -> None:
        scale = LogScale(
            "https://h", token=SecretText("t"), clock=FrozenClock(NOW), transport=Stuck(answer)
        )
        await only_our_errors(LOGSCALE[name](scale))

    asyncio.run(run())


@pytest.mark.parametrize("name", FALCON)
@settings(max_examples=40)
@given(answer=answers())
def test_falcon_client_raises_only_its_own_errors(name: str, answer: Response) -> None:
    class Gateway(Stuck):
        async def send(self, request: Request) -> Response:
            if request.path == "oauth2/token" and name != "token":
                body = b'{"access_token":"t","expires_in":1799}'
                kind = {"content-type": "application/json"}
                return Response(status=201, headers=kind, body=body)
            return await super().send(request)

    async def run() -> None:
        credentials = ClientCredentials(client_id="id", client_secret=SecretText("s"))
        falcon = Falcon(
            "https://h", credentials=credentials, clock=FrozenClock(NOW), transport=Gateway(answer)
        )
        await only_our_errors(FALCON[name](falcon))

    asyncio.run(run())
