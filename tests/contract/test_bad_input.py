"""Whatever answers in the place of the API, or refuses to: each has its own error that helps.

Every case is a real exchange on a loopback socket, asked through each way that the client has of
reading an answer. Checked are the class, which is what a program reacts to, the sentence, which
says what, where and what to do, and that no secret and no byte of a page is in it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.checkup import LookState, look_at_repository
from orchestrator.client.falcon import Falcon
from orchestrator.client.http.auth import ClientCredentials
from orchestrator.client.http.retry import NO_RETRIES
from orchestrator.client.logscale import LogScale
from orchestrator.client.types import ViewConnection
from orchestrator.clock import SystemClock
from orchestrator.config import RepoSettings
from orchestrator.errors import (
    AddressInvalid,
    AnswerCutOff,
    ClientError,
    ClockSkewed,
    ConnectionFailed,
    Forbidden,
    NameNotResolved,
    NotARepository,
    NotFound,
    NotTheApi,
    OrchestratorError,
    ProxyRefused,
    RateLimited,
    ServerFailed,
    TlsFailed,
    TokenInvalid,
    Unauthorized,
    UnexpectedResponse,
    UnknownRepository,
)
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.faults.kinds import FOREVER, Fault, FaultKind
from orchestrator.sandbox.receivers.loopback import serve_on_loopback
from orchestrator.sandbox.settings import Right, SandboxSettings, TokenRole, sandbox_settings
from orchestrator.secret import SecretText
from tests.contract.sockets import (
    LOOPBACK,
    Certificates,
    Talk,
    http,
    listening,
    make_certificates,
    saying,
)

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TOKEN, CLIENT_SECRET = "canary-token-4711", "canary-secret-4711"
MARK = "page-content-4711"
"""Stands in every page; no error may quote it."""

Ask = Callable[[str], Awaitable[object]]


@asynccontextmanager
async def scale_at(url: str, token: str = TOKEN) -> AsyncIterator[LogScale]:
    async with LogScale(
        url, token=SecretText(token), clock=SystemClock(), retry=NO_RETRIES
    ) as scale:
        yield scale


async def ask_status(url: str) -> object:
    async with scale_at(url) as scale:
        return await scale.status()


async def ask_search(url: str) -> object:
    async with scale_at(url) as scale:
        return await scale.search("r", "count()", start=NOW - HOUR, end=NOW, deadline=MINUTE)


async def ask_graphql(url: str) -> object:
    async with scale_at(url) as scale:
        return await scale.views().list()


async def ask_file(url: str) -> object:
    async with scale_at(url) as scale:
        return await scale.files("r").download("a.csv")


async def ask_stream(url: str) -> object:
    async with scale_at(url) as scale:
        return [row async for row in scale.stream("r", "*", start=NOW - HOUR, end=NOW)]


async def ask_ingest(url: str) -> object:
    async with scale_at(url) as scale:
        await scale.ingest().raw("a=b")
    return None


async def ask_falcon(url: str) -> object:
    credentials = ClientCredentials(client_id="id", client_secret=SecretText(CLIENT_SECRET))
    async with Falcon(url, credentials=credentials, clock=SystemClock(), retry=NO_RETRIES) as it:
        return await it.check()


ASKS: Mapping[str, Ask] = {
    "status": ask_status,
    "search": ask_search,
    "graphql": ask_graphql,
    "file": ask_file,
    "stream": ask_stream,
    "ingest": ask_ingest,
    "falcon": ask_falcon,
}
ALL = tuple(ASKS)
READING_JSON = ("status", "search", "graphql", "ingest", "falcon")


async def refusal(asking: Awaitable[object]) -> OrchestratorError:
    """Return what is raised, checked for what must stand in no error."""
    with pytest.raises(OrchestratorError) as caught:
        await asking
    told = str(caught.value)
    for secret in (TOKEN, CLIENT_SECRET, MARK):
        assert secret not in told
    assert told == " ".join(told.split())
    return caught.value


# What is answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server says whatever it is asked, and what is made of it."""

    status: int = 200
    kind: str = "application/json"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    error: type[ClientError]
    words: tuple[str, ...]
    asks: tuple[str, ...] = ALL

    @property
    def wire(self) -> bytes:
        kind = {"Content-Type": self.kind} if self.kind else {}
        return http(self.status, self.body, {**kind, **self.headers})


PAGE = f"<!doctype html><html><title>Sign in</title>{MARK}</html>".encode()
HTML = "text/html; charset=utf-8"
POLL = b'{"done":true,"cancelled":false,"events":[{"a":"b"}],"metaData":{"eventCount":1}}'
IS_PAGE = ("a web page came back", "Check the url")
LOGIN = f"https://id.example.com/sso/login?state={MARK}"

ANSWERS: Mapping[str, Answer] = {
    "login-page": Answer(kind=HTML, body=PAGE, error=NotTheApi, words=IS_PAGE),
    "login-page-as-json": Answer(
        body=PAGE, error=NotTheApi, words=IS_PAGE, asks=("status", "search", "graphql", "falcon")
    ),
    "login-page-as-text": Answer(
        kind="text/plain", body=b"\n <HTML>" + PAGE, error=NotTheApi, words=IS_PAGE, asks=("file",)
    ),
    "page-401": Answer(status=401, kind=HTML, body=PAGE, error=NotTheApi, words=IS_PAGE),
    "page-403": Answer(status=403, kind=HTML, body=PAGE, error=NotTheApi, words=IS_PAGE),
    "page-404": Answer(status=404, kind=HTML, body=PAGE, error=NotTheApi, words=IS_PAGE),
    "plain-http-to-tls-port": Answer(
        status=400, kind=HTML, body=PAGE, error=NotTheApi, words=(*IS_PAGE, "HTTP 400", "https://")
    ),
    "proxy-502": Answer(
        status=502,
        kind=HTML,
        body=PAGE,
        error=ServerFailed,
        words=("HTTP 502 with a web page, as a proxy sends it", "Try again later"),
    ),
    "proxy-429": Answer(status=429, kind=HTML, body=PAGE, error=RateLimited, words=("HTTP 429",)),
    "proxy-407": Answer(
        status=407, kind=HTML, body=PAGE, error=ProxyRefused, words=("HTTP 407", "HTTPS_PROXY")
    ),
    "redirect-to-login": Answer(
        status=302,
        kind="",
        headers={"Location": LOGIN},
        error=NotTheApi,
        words=("a redirect to id.example.com/sso/login came back, as to a login", "Check the url"),
    ),
    "redirect-within": Answer(
        status=303,
        kind=HTML,
        headers={"Location": "/login"},
        error=NotTheApi,
        words=("a redirect to /login came back", "Check the url"),
    ),
    "redirect-with-a-page": Answer(
        status=302,
        kind=HTML,
        body=PAGE,
        headers={"Location": LOGIN},
        error=NotTheApi,
        words=("a redirect to id.example.com/sso/login came back",),
    ),
    "redirect-nowhere": Answer(
        status=301, kind="", error=NotTheApi, words=("a redirect came back", "HTTP 301")
    ),
    "redirect-that-is-no-url": Answer(
        status=302,
        kind="",
        headers={"Location": "http://[broken"},
        error=NotTheApi,
        words=("a redirect came back",),
    ),
    "no-api-at-this-path": Answer(
        status=404,
        kind="text/plain",
        body=b"404 page not found",
        error=NotTheApi,
        words=("no LogScale or Falcon API at this address", "404 page not found", "Check the url"),
        asks=("status", "graphql", "falcon"),
    ),
    "cut-json": Answer(
        body=b'{"id":"24-',
        error=AnswerCutOff,
        words=("ends in the middle", "10 bytes", "Try again"),
        asks=READING_JSON,
    ),
    "cut-behind-a-bracket": Answer(
        body=b'{"a":{"b":1}',
        error=AnswerCutOff,
        words=("ends in the middle",),
        asks=READING_JSON,
    ),
    "cut-stream": Answer(
        kind="application/x-ndjson",
        body=b'{"a":"1"}\n{"a":"2"',
        error=AnswerCutOff,
        words=("stream line 2 ends in the middle", "Try again"),
        asks=("stream",),
    ),
    "empty": Answer(error=AnswerCutOff, words=("is empty", "Try again"), asks=READING_JSON),
    "blank": Answer(body=b" \n", error=AnswerCutOff, words=("is empty",), asks=READING_JSON),
    "cut-gzip": Answer(
        body=gzip.compress(json.dumps({"a": list(range(999))}).encode())[:-400],
        headers={"Content-Encoding": "gzip"},
        error=AnswerCutOff,
        words=("compressed answer ends in the middle", "Try again"),
        asks=(*READING_JSON, "file"),
    ),
    "cut-gzip-stream": Answer(
        kind="application/x-ndjson",
        body=gzip.compress(b'{"a":"1"}\n' * 999)[:-9],
        headers={"Content-Encoding": "gzip"},
        error=AnswerCutOff,
        words=("compressed answer ends in the middle", "Try again"),
        asks=("stream",),
    ),
    "no-gzip-though-it-says-so": Answer(
        body=b"{}",
        headers={"Content-Encoding": "gzip"},
        error=UnexpectedResponse,
        words=("compression is broken",),
    ),
    "not-json": Answer(
        body=b"OK", error=UnexpectedResponse, words=("is not JSON",), asks=READING_JSON
    ),
    "broken-inside": Answer(
        body=b'{"a" 1}',
        error=UnexpectedResponse,
        words=("is not JSON, at character 6 of 7",),
        asks=READING_JSON,
    ),
    "latin-1": Answer(
        body='{"id":"é"}'.encode("latin-1"),
        error=UnexpectedResponse,
        words=("not JSON in UTF-8, at byte 8",),
        asks=READING_JSON,
    ),
    "too-deep": Answer(
        body=b"[" * 100_000,
        error=UnexpectedResponse,
        words=("JSON beyond measure", "Check the url"),
        asks=READING_JSON,
    ),
    "another-type": Answer(
        kind="application/octet-stream",
        body=b"{}",
        error=NotTheApi,
        words=("is application/octet-stream", "Check the url"),
        asks=(*READING_JSON, "stream"),
    ),
    "no-type": Answer(
        kind="",
        body=b"{}",
        error=NotTheApi,
        words=("is of no named type",),
        asks=(*READING_JSON, "stream"),
    ),
    "another-shape": Answer(
        body=b'["a"]',
        error=UnexpectedResponse,
        words=("should be an object, is list", "Check the url"),
        asks=READING_JSON,
    ),
    "another-object": Answer(
        body=b'{"hello":"world"}',
        error=UnexpectedResponse,
        words=("should be", "is nothing"),
        asks=("status", "search", "graphql", "falcon"),
    ),
    "rows-of-another-shape": Answer(
        kind="application/x-ndjson",
        body=b"[1]\n",
        error=UnexpectedResponse,
        words=("stream line 1 is not an object",),
        asks=("stream",),
    ),
    "token-echoed": Answer(
        status=401,
        kind="text/plain",
        body=f"{TOKEN} is no token".encode(),
        error=Unauthorized,
        words=("*** is no token", "expired or been revoked"),
        asks=tuple(name for name in ALL if name != "falcon"),
    ),
    "secret-echoed": Answer(
        status=403,
        body=json.dumps({"errors": [{"message": f"no client has {CLIENT_SECRET}"}]}).encode(),
        error=Forbidden,
        words=("no client has ***", "Check client_id and client_secret", "cloud"),
        asks=("falcon",),
    ),
}


@pytest.mark.parametrize(
    ("name", "ask"), [(name, ask) for name, answer in ANSWERS.items() for ask in answer.asks]
)
async def test_answer_of_something_else_has_its_own_error(name: str, ask: str) -> None:
    answer = ANSWERS[name]
    async with listening(saying(answer.wire)) as port:
        error = await refusal(ASKS[ask](f"http://{LOOPBACK}:{port}"))

    assert type(error) is answer.error
    for words in answer.words:
        assert words in str(error)


async def test_server_that_has_moved_is_named_with_its_new_address() -> None:
    headers = {"Location": "https://logscale.example.com/prefix/api/v1/status"}
    async with listening(saying(http(308, headers=headers))) as port:
        error = await refusal(ask_status(f"http://{LOOPBACK}:{port}"))

    assert isinstance(error, NotTheApi)
    assert "moved to https://logscale.example.com/prefix (HTTP 308)" in str(error)
    assert "Write https://logscale.example.com/prefix as the url" in str(error)


# What does not answer


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a little and close without a word."""
    del writer
    await reader.read(16)


async def banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak first, and something else than HTTP."""
    del reader
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")


async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer whatever comes first as an HTTP server does that cannot read it."""
    await reader.read(16)
    writer.write(http(400, b"Bad Request"))


TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A way to a server that leads nowhere, and what is made of it."""

    url: str
    """`{port}` is that of what listens."""
    talk: Talk = silent
    certificate: str = ""
    error: type[ClientError]
    words: tuple[str, ...]


LINES: Mapping[str, Line] = {
    "name-not-known": Line(
        url="http://logscale.invalid",
        error=NameNotResolved,
        words=("the name logscale.invalid is not known", "typing error"),
    ),
    "nothing-listens": Line(
        url="http://127.0.0.1:1",
        error=ConnectionFailed,
        words=("127.0.0.1 refused the connection: nothing listens", "Check that the server runs"),
    ),
    "nothing-listens-on-any-address": Line(
        url="http://localhost:1",
        error=ConnectionFailed,
        words=("localhost refused the connection: nothing listens",),
    ),
    "closes-at-once": Line(
        url="http://127.0.0.1:{port}",
        error=ConnectionFailed,
        words=("the server closed the connection", "Check that the server runs"),
    ),
    "not-http": Line(
        url="http://127.0.0.1:{port}",
        talk=banner,
        error=NotTheApi,
        words=("does not speak HTTP on this port", "Check the port"),
    ),
    "http-to-a-tls-port": Line(
        url="http://127.0.0.1:{port}",
        talk=saying(TLS_ALERT),
        error=NotTheApi,
        words=("does not speak HTTP on this port", "if it speaks TLS, write https://"),
    ),
    "http-to-a-real-tls-port": Line(
        url="http://127.0.0.1:{port}",
        talk=saying(http(200)),
        certificate="good",
        error=ConnectionFailed,
        words=("the server closed the connection", "https://"),
    ),
    "tls-to-an-http-port": Line(
        url="https://127.0.0.1:{port}",
        talk=refusing,
        error=TlsFailed,
        words=("does not speak TLS on this port", "write http://"),
    ),
    "tls-to-a-port-that-closes": Line(
        url="https://127.0.0.1:{port}",
        error=ConnectionFailed,
        words=("127.0.0.1", "http://"),
    ),
    "tls-to-a-port-of-another-kind": Line(
        url="https://127.0.0.1:{port}",
        talk=banner,
        error=TlsFailed,
        words=("does not speak TLS on this port", "write http://"),
    ),
    "self-signed": Line(
        url="https://127.0.0.1:{port}",
        certificate="self-signed",
        error=TlsFailed,
        words=("the certificate of 127.0.0.1 is not trusted: self-signed", "SSL_CERT_FILE"),
    ),
    "expired": Line(
        url="https://127.0.0.1:{port}",
        certificate="expired",
        error=TlsFailed,
        words=("certificate has expired", "Renew the certificate", "clock"),
    ),
    "another-name": Line(
        url="https://127.0.0.1:{port}",
        certificate="other-name",
        error=TlsFailed,
        words=("not valid for '127.0.0.1'", "Write the name that the certificate is made out to"),
    ),
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("name", LINES)
async def test_way_that_leads_nowhere_has_its_own_error(
    name: str, certificates: Certificates
) -> None:
    """Faults B1, B2 and B7."""
    line = LINES[name]
    server = certificates.server(line.certificate) if line.certificate else None
    async with (
        listening(line.talk, tls=server) as port,
        LogScale(
            line.url.format(port=port),
            token=SecretText(TOKEN),
            clock=SystemClock(),
            tls=certificates.trust(),
            retry=NO_RETRIES,
        ) as scale,
    ):
        error = await refusal(scale.status())

    assert type(error) is line.error
    for words in (f"GET {line.url.format(port=port)}/api/v1/status", *line.words):
        assert words in str(error)


async def test_authority_that_nobody_knows_is_told_with_where_to_put_it(
    certificates: Certificates,
) -> None:
    async with listening(silent, tls=certificates.server("good")) as port:
        error = await refusal(ask_status(f"https://{LOOPBACK}:{port}"))

    assert isinstance(error, TlsFailed)
    assert "unable to get local issuer certificate" in str(error)
    assert "add its authority to the system's" in str(error)


async def test_authority_in_a_file_is_believed(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the error advises helps."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.folder / "authority.pem"))
    answer = http(200, b'{"status":"OK","version":"1.2"}', {"Content-Type": "application/json"})
    async with listening(saying(answer), tls=certificates.server("good")) as port:
        assert await ask_status(f"https://{LOOPBACK}:{port}") is not None


async def test_good_certificate_is_taken(certificates: Certificates) -> None:
    answer = http(200, b'{"status":"OK","version":"1.2"}', {"Content-Type": "application/json"})
    async with (
        listening(saying(answer), tls=certificates.server("good")) as port,
        LogScale(
            f"https://{LOOPBACK}:{port}",
            token=SecretText(TOKEN),
            clock=SystemClock(),
            tls=certificates.trust(),
        ) as scale,
    ):
        assert (await scale.status()).version == "1.2"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (None, ConnectionFailed, "by way of the proxy 127.0.0.1:"),
        (http(407), ProxyRefused, "wants a login before it connects"),
        (http(403), ProxyRefused, "refused to connect to logscale.invalid"),
    ],
    ids=["down", "wants-a-login", "forbids"],
)
async def test_proxy_that_lets_nothing_through_is_named(
    answer: bytes | None, error: type[ClientError], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault B8. The proxy's own password is in its address and must stay there."""
    async with listening(saying(answer or b"")) as port:
        proxy = port if answer else 1
        monkeypatch.setenv("https_proxy", f"http://user:{CLIENT_SECRET}@127.0.0.1:{proxy}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with LogScale(
            "https://logscale.invalid",
            token=SecretText(TOKEN),
            clock=SystemClock(),
            trust_env=True,
            retry=NO_RETRIES,
        ) as scale:
            found = await refusal(scale.status())

    assert type(found) is error
    assert words in str(found)
    assert f"127.0.0.1:{proxy}" in str(found)


# Addresses and tokens, before anything is sent


ADDRESSES = [
    ("", "the address is empty"),
    ("logscale.example.com", "no scheme. Begin it with https://: https://logscale.example.com"),
    ("logscale.example.com:8080", "the address has no scheme"),
    ("me:canary-secret-4711@h.example.com", "no scheme. Begin it with https://"),
    ("ftp://h.example.com", "the address begins with ftp://. Begin it with https://"),
    ("https://", "the address names no server"),
    ("https://h.example.com:port", "the address is not a URL"),
    ("https://h.example.com:99999", "the address is not a URL"),
    ("https://[::1", "the address is not a URL"),
    (" https://h.example.com", "the address holds blanks or quotes"),
    ("https://h.example.com\n", "the address holds blanks or quotes"),
    ('"https://h.example.com"', "the address holds blanks or quotes"),
    ("https://me:canary-secret-4711@h.example.com", "holds a name or a password"),
    ("https://h.example.com/r/search?query=x", "Write the server's own: https://h.example.com"),
    ("https://h.example.com/#/repos", "Write the server's own: https://h.example.com"),
    ("https://h.example.com/graphql", "ends in /graphql, which the client adds itself"),
    ("https://h.example.com/logs/api/v1/", "Write https://h.example.com/logs"),
    ("https://h.example.com/api", "Write https://h.example.com"),
    ("https://h.example.com/api/v1/status", "ends in /api/v1/status"),
    ("https://falcon.eu-1.crowdstrike.com", "is Falcon's, where LogScale's own API is not"),
    ("https://api.crowdstrike.com", 'in settings kind = "ngsiem"'),
]


@pytest.mark.parametrize(("address", "words"), ADDRESSES)
async def test_address_that_cannot_be_logscales_is_told_before_anything_is_sent(
    address: str, words: str
) -> None:
    error = await refusal(ask_status(address))

    assert type(error) is AddressInvalid
    assert words in str(error)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (
            "https://falcon.crowdstrike.com",
            "the console for people, not the API. Write https://api",
        ),
        ("https://falcon.us-2.crowdstrike.com/login", "Write https://api.us-2.crowdstrike.com"),
        ("https://falcon.laggar.gcw.crowdstrike.com", "https://api.laggar.gcw.crowdstrike.com"),
        ("https://api.crowdstrike.com/humio/api/v1", "Write https://api.crowdstrike.com"),
        ("https://api.crowdstrike.com/oauth2/token", "ends in /oauth2/token"),
        ("api.crowdstrike.com", "Begin it with https://: https://api.crowdstrike.com"),
    ],
)
async def test_address_that_cannot_be_falcons_is_told_before_anything_is_sent(
    address: str, words: str
) -> None:
    error = await refusal(ask_falcon(address))

    assert type(error) is AddressInvalid
    assert words in str(error)


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        (f"{TOKEN}\n", "the token holds a blank or a line break"),
        (f" {TOKEN}", "the token holds a blank or a line break"),
        ("canary-token\r\n-4711", "the token holds a blank or a line break"),
        (f'"{TOKEN}"', "the token is in quotes"),
        (f"\u201c{TOKEN}\u201d", "the token is in quotes"),
        (f"Bearer {TOKEN}", "the token begins with the word Bearer"),
        ("canary\u2013token-4711", "a character that is not ASCII, such as a typographic dash"),
    ],
)
async def test_token_pasted_with_more_than_itself_is_told_before_anything_is_sent(
    pasted: str, words: str
) -> None:
    with pytest.raises(TokenInvalid) as caught:
        async with scale_at("http://127.0.0.1:1", pasted):
            pass

    assert words in str(caught.value)
    assert "Give the token alone" in str(caught.value)
    assert "4711" not in str(caught.value)


def test_client_secret_pasted_with_more_than_itself_is_told() -> None:
    with pytest.raises(TokenInvalid, match="the client secret is in quotes"):
        ClientCredentials(client_id="id", client_secret=SecretText("'x'"))


# A real server that says no


SETTINGS = SandboxSettings(
    tokens={
        TOKEN: TokenRole(name="admin"),
        "ingest-only": TokenRole(
            name="ingest", rights=frozenset({Right.INGEST}), repository="falcon"
        ),
        "reads-only": TokenRole(name="reader", rights=frozenset({Right.READ})),
    }
)


@asynccontextmanager
async def sandbox(
    token: str = TOKEN, *, faults: Mapping[str, FaultKind] | None = None
) -> AsyncIterator[LogScale]:
    app = create_app(SETTINGS, clock=SystemClock())
    async with serve_on_loopback(app) as url, scale_at(url) as admin:
        await admin.views().create_view("all", [ViewConnection(repository="falcon")])
        for pattern, kind in (faults or {}).items():
            app.state.sandbox.faults.set(pattern, [Fault(kind=kind, count=FOREVER)])
        async with scale_at(url, token) as scale:
            yield scale
    app.state.sandbox.close()


BATCH = [{"tags": {}, "events": [{"timestamp": 1, "attributes": {"a": "b"}}]}]
LINES_OF_TEXT = [{"messages": ["a=b"]}]
SPAN = {"start": NOW - HOUR, "end": NOW}


async def rows_of(scale: LogScale, repository: str) -> object:
    return [row async for row in scale.stream(repository, "*", start=NOW - HOUR, end=NOW)]


def search(scale: LogScale, repository: str) -> Awaitable[object]:
    return scale.search(repository, "count()", start=NOW - HOUR, end=NOW, deadline=MINUTE)


Do = Callable[[LogScale], Awaitable[object]]
NO_RIGHT = ("Grant the token's role the right", "An ingest token can send events and nothing else")
UNKNOWN = ("there is no repository or view 'void'", "Check the name", "without the right to see it")
REFUSALS: Mapping[str, tuple[str, Do, type[ClientError], tuple[str, ...]]] = {
    "search": (TOKEN, lambda s: search(s, "void"), UnknownRepository, UNKNOWN),
    "stream": (TOKEN, lambda s: rows_of(s, "void"), UnknownRepository, UNKNOWN),
    "ingest": (
        TOKEN,
        lambda s: s.ingest().structured(BATCH, repository="void"),  # type: ignore[arg-type]
        UnknownRepository,
        UNKNOWN,
    ),
    "list-files": (TOKEN, lambda s: s.files("void").list(), UnknownRepository, UNKNOWN),
    "list-actions": (TOKEN, lambda s: s.actions("void").list(), UnknownRepository, UNKNOWN),
    "rights": (TOKEN, lambda s: s.views().allowed_actions("void"), UnknownRepository, UNKNOWN),
    "file-of-no-repository": (
        TOKEN,
        lambda s: s.files("void").download("a.csv"),
        NotFound,
        ("'void' does not exist", "Check the name"),
    ),
    "file-that-is-not-there": (
        TOKEN,
        lambda s: s.files("falcon").download("a.csv"),
        NotFound,
        ("'a.csv' does not exist", "Check the name"),
    ),
    "structured-into-a-view": (
        TOKEN,
        lambda s: s.ingest().structured(BATCH, repository="all"),  # type: ignore[arg-type]
        NotARepository,
        ("all is a view over falcon, and stores nothing", "Send the events to a repository"),
    ),
    "text-into-a-view": (
        TOKEN,
        lambda s: s.ingest().unstructured(LINES_OF_TEXT, repository="all"),  # type: ignore[arg-type]
        NotARepository,
        ("all is a view over falcon", "Send the events to a repository"),
    ),
    "ingest-token-that-searches": (
        "ingest-only",
        lambda s: search(s, "falcon"),
        Forbidden,
        ("not authorized", *NO_RIGHT),
    ),
    "ingest-token-that-reads-assets": (
        "ingest-only",
        lambda s: s.views().list(),
        Forbidden,
        ("not authorized", *NO_RIGHT),
    ),
    "reading-token-that-sends": (
        "reads-only",
        lambda s: s.ingest().structured(BATCH, repository="falcon"),  # type: ignore[arg-type]
        Forbidden,
        ("not authorized", "Use an ingest token of this repository"),
    ),
    "secret-of-falcon-for-logscale": (
        CLIENT_SECRET,
        lambda s: search(s, "falcon"),
        Unauthorized,
        ("authentication is invalid", "The secret of a Falcon API client is not one"),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_refusal_says_whose_fault_it_is_and_what_to_do(name: str) -> None:
    token, do, error, told = REFUSALS[name]
    async with sandbox(token) as scale:
        found = await refusal(do(scale))

    assert type(found) is error
    for words in told:
        assert words in str(found)


async def test_token_of_logscale_is_no_secret_of_falcon() -> None:
    app = create_app(sandbox_settings(token=TOKEN), clock=SystemClock())
    async with serve_on_loopback(app) as url:
        error = await refusal(ask_falcon(url))
    app.state.sandbox.close()

    assert isinstance(error, Unauthorized | Forbidden)
    assert "Check client_id and client_secret" in str(error)


async def test_view_is_searched_like_a_repository() -> None:
    async with sandbox() as scale:
        result = await search(scale, "all")

    assert result.completeness.is_complete  # type: ignore[attr-defined]


FAULTS = {
    FaultKind.HTML: NotTheApi,
    FaultKind.LOGIN_REDIRECT: NotTheApi,
    FaultKind.PROXY_PAGE: ServerFailed,
    FaultKind.BROKEN_JSON: AnswerCutOff,
    FaultKind.CUT_GZIP: AnswerCutOff,
    FaultKind.EMPTY: AnswerCutOff,
    FaultKind.OTHER_SHAPE: UnexpectedResponse,
    FaultKind.WRONG_ENCODING: UnexpectedResponse,
    FaultKind.EXPIRED_TOKEN: Unauthorized,
    FaultKind.FORBIDDEN: Forbidden,
}


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("ask", ["status", "graphql", "search"])
async def test_sandbox_plays_what_a_bad_way_does(kind: FaultKind, ask: str) -> None:
    async with sandbox(faults={"*": kind}) as scale:
        error = await refusal(ASKS[ask](scale.base_url))

    assert type(error) is FAULTS[kind]


# Clocks


@pytest.mark.parametrize(
    ("kind", "minutes", "told"),
    [
        (FaultKind.CLOCK_BEHIND, 10, "clock is 10m ahead of the server's"),
        (FaultKind.CLOCK_AHEAD, -10, "clock is 10m behind the server's"),
    ],
)
async def test_clock_that_differs_is_told_with_direction_and_amount(
    kind: FaultKind, minutes: int, told: str
) -> None:
    """Fault A16."""
    async with sandbox(faults={"GET /api/v1/status": kind}) as scale:
        reading = await scale.clocks()
    assert reading is not None

    with pytest.raises(ClockSkewed, match=told) as caught:
        reading.check()

    assert abs(caught.value.ahead - timedelta(minutes=minutes)) < timedelta(seconds=5)
    assert "Set the clock by NTP" in str(caught.value)


async def test_clock_that_agrees_is_fine() -> None:
    async with sandbox() as scale:
        reading = await scale.clocks()

    assert reading is not None
    reading.check(tolerance=timedelta(seconds=2))


async def test_server_without_a_date_cannot_be_compared() -> None:
    async with listening(saying(http(200))) as port, scale_at(f"http://{LOOPBACK}:{port}") as scale:
        assert await scale.clocks() is None


# What doctor tells of a server


@pytest.mark.parametrize(
    ("version", "state", "detail"),
    [
        ("1.204.0--build-1", LookState.OK, "LogScale 1.204.0"),
        ("1.150.2--build-1", LookState.NOTE, "scheduled searches by ingest time need 1.180.0"),
        ("nightly", LookState.WRONG, "the server's version does not start with numbers"),
    ],
)
async def test_checkup_tells_what_a_strange_server_lacks(
    version: str, state: LookState, detail: str
) -> None:
    """One that tells no time and knows no GraphQL: each has a row, and none hides another."""
    body = json.dumps({"status": "WARN", "version": version}).encode()
    answer = http(200, body, {"Content-Type": "application/json"})
    async with listening(saying(answer)) as port:
        settings = RepoSettings(
            url=f"http://{LOOPBACK}:{port}", repository="r", token=SecretText(TOKEN)
        )
        looks = await look_at_repository(settings, name="x", clock=SystemClock())

    assert [(look.what, look.state) for look in looks] == [
        ("connection x", LookState.OK),
        ("clock x", LookState.NOTE),
        ("version x", state),
        ("repository x", LookState.WRONG),
    ]
    assert looks[0].detail.endswith("answers, state WARN")
    assert detail in looks[2].detail
    assert looks[3].code == "unexpected-response"


async def test_checkup_of_a_repository_without_a_token_names_the_setting() -> None:
    settings = RepoSettings(url="https://logscale.example.com", repository="r")

    (look,) = await look_at_repository(settings, name="x", clock=SystemClock())

    assert (look.what, look.code) == ("repository x", "config-error")
    assert "repos.x.token: a token is needed" in look.detail
