"""Each operation of the client, each fault, at each of the operation's requests.

One law per fault says what must come out, from whether the request may be sent twice. Afterwards
no search is left on the server and no asset is there twice.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from orchestrator.client.falcon import Falcon
from orchestrator.client.gateway.envelope import ask
from orchestrator.client.gateway.hec import ConnectionIngest
from orchestrator.client.http.auth import ClientCredentials
from orchestrator.client.http.session import json_request
from orchestrator.client.http.transport import HttpTransport, OpenResponse, Request, Response
from orchestrator.client.logscale import LogScale
from orchestrator.client.search.paging import ExportForm
from orchestrator.client.types import (
    AggregateAlert,
    Asset,
    CorrelationRule,
    EmailContent,
    FilterAlert,
    LegacyAlert,
    Retention,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
    ViewConnection,
    WebhookContent,
)
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    AnswerCutOff,
    ClientError,
    ConnectionFailed,
    Forbidden,
    GraphqlError,
    NotTheApi,
    QueryIncomplete,
    QueryJobExpired,
    RateLimited,
    ServerFailed,
    Unauthorized,
)
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.faults.kinds import FOREVER, Fault, FaultKind
from orchestrator.sandbox.receivers.loopback import serve_on_loopback
from orchestrator.sandbox.search.run import Search, check
from orchestrator.sandbox.settings import FalconClient, SandboxSettings, TokenRole
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.events import Snapshot
from orchestrator.secret import SecretText
from tests import package_files

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
TOKEN = "matrix-token"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
CUSTOMER = "0123456789abcdef0123456789abcdef"
TEMPLATE_ID = f"{1:032x}"
HOST = "http://sandbox"
PACKAGE = package_files.package()
PACKAGE_ID = f"{package_files.NAME}@1.2.0"
SHELF = TemporaryDirectory()
Path(SHELF.name, "package.zip").write_bytes(PACKAGE)
SETTINGS = SandboxSettings(
    marketplace=Path(SHELF.name),
    tokens={TOKEN: TokenRole(name="admin")},
    falcon_clients=(FalconClient(client_id="id", client_secret="secret-of-id"),),
)
CREDENTIALS = ClientCredentials(client_id="id", client_secret=SecretText("secret-of-id"))
TLS = ssl.create_default_context()
RESETS = (FaultKind.RESET, FaultKind.RESET_AFTER)
JOB_LIFE = timedelta(seconds=91)

ASSETS: tuple[Asset, ...] = (
    SavedQuery(name="made", query="a=b"),
    ScheduledSearch(
        name="made",
        query="count()",
        enabled=True,
        schedule="*/5 * * * *",
        search_interval=HOUR,
        timestamp_type=TimestampType.EVENT,
        actions=("hook",),
    ),
    AggregateAlert(
        name="made",
        query="count()",
        enabled=True,
        search_interval=HOUR,
        throttle=HOUR,
        actions=("hook",),
    ),
    FilterAlert(name="made", query="a=b", enabled=True, throttle=HOUR, actions=("hook",)),
    LegacyAlert(
        name="made", query="a=b", enabled=True, window=HOUR, throttle=HOUR, actions=("hook",)
    ),
)
RULE = CorrelationRule(
    name="made", query="count()", enabled=True, severity=50, schedule=HOUR, lookback=HOUR
)


@dataclass(slots=True, kw_only=True)
class Stage:
    """A sandbox, the two clients of it, and what was sent."""

    sandbox: Sandbox
    scale: LogScale
    falcon: Falcon
    clock: FrozenClock
    carrier: Callable[[], Noting]
    """Makes one more transport to the same sandbox."""
    sent: list[Request] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    """What an operation's preparation made."""

    def asset_names(self) -> list[str]:
        domain = self.sandbox.domain("falcon")
        assets = [
            f"{kind}:{record['name']}"
            for kind, of in domain.assets.items()
            for record in of.values()
        ]
        return assets + [f"rule:{r['name']}" for r in self.sandbox.correlation_rules.values()]


class Noting:
    """A transport that keeps what it was given."""

    def __init__(self, inner: HttpTransport, sent: list[Request]) -> None:
        self._inner, self._sent = inner, sent

    async def send(self, request: Request) -> Response:
        self._sent.append(request)
        return await self._inner.send(request)

    def open(self, request: Request) -> AbstractAsyncContextManager[OpenResponse]:
        self._sent.append(request)
        return self._inner.open(request)

    async def close(self) -> None:
        await self._inner.close()


class Socket:
    """A real socket that serves one sandbox after the other: it takes longer to open than they."""

    url: str
    app: Any

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@asynccontextmanager
async def socket_for(fault: FaultKind) -> AsyncIterator[Socket | None]:
    """Yield a socket for the faults that break connections, and for the others none."""
    if fault not in RESETS:
        yield None
        return
    socket = Socket()
    async with serve_on_loopback(socket) as socket.url:
        yield socket


@asynccontextmanager
async def staged(socket: Socket | None = None) -> AsyncIterator[Stage]:
    """Yield a fresh sandbox and its clients."""
    clock = FrozenClock(NOW)
    app = create_app(SETTINGS, clock=clock)
    sent: list[Request] = []
    async with AsyncExitStack() as stack:
        stack.callback(app.state.sandbox.close)
        url = HOST
        if socket is not None:
            url, socket.app = socket.url, app

        def transport() -> Noting:
            inner = HttpTransport(url, asgi_app=app if socket is None else None, tls=TLS)
            return Noting(inner, sent)

        scale = LogScale(url, token=SecretText(TOKEN), clock=clock, transport=transport())
        falcon = Falcon(url, credentials=CREDENTIALS, clock=clock, transport=transport())
        await stack.enter_async_context(scale)
        await stack.enter_async_context(falcon)
        yield Stage(
            sandbox=app.state.sandbox,
            scale=scale,
            falcon=falcon,
            clock=clock,
            carrier=transport,
            sent=sent,
        )


Work = Callable[[Stage], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that the client can do."""

    run: Work
    prepare: Work | None = None
    """Made before, without faults; the version and the token are known then too."""
    renews: bool = False
    """Whether a refused token is fetched anew."""


def search(stage: Stage) -> Awaitable[Any]:
    return stage.scale.search("falcon", "count()", start=NOW - HOUR, end=NOW, deadline=MINUTE)


def gateway_search(stage: Stage) -> Awaitable[Any]:
    return stage.falcon.search("search-all", "count()", start=NOW - HOUR, end=NOW, deadline=MINUTE)


def around(stage: Stage) -> Awaitable[Any]:
    event = {"@id": "x_0_0_1", "@timestamp": str(int(NOW.timestamp() * 1000))}
    return stage.scale.around("falcon", event, deadline=MINUTE)


async def events(stage: Stage) -> None:
    span: dict[str, Any] = {"start": NOW - HOUR, "end": NOW}
    async for _ in stage.scale.events("falcon", "a=b", deadline=MINUTE, **span):
        pass


async def export(stage: Stage) -> None:
    span: dict[str, Any] = {"start": NOW - HOUR, "end": NOW, "deadline": MINUTE}
    async with stage.scale.export("falcon", "a=b", form=ExportForm.JSON, **span) as export:
        async for _ in export.chunks:
            pass


async def stream(stage: Stage) -> None:
    async for _ in stage.scale.stream("falcon", "a=b", start=NOW - HOUR, end=NOW):
        pass


def structured(stage: Stage) -> Awaitable[Any]:
    batch: Any = [{"tags": {}, "events": [{"timestamp": 1, "attributes": {"a": "b"}}]}]
    return stage.scale.ingest().structured(batch, repository="falcon")


def unstructured(stage: Stage) -> Awaitable[Any]:
    return stage.scale.ingest().unstructured([{"messages": ["a=b"]}], repository="falcon")


def hec(stage: Stage) -> Awaitable[Any]:
    return stage.scale.ingest().hec([{"event": {"a": "b"}, "index": "falcon"}])


async def make_hook(stage: Stage) -> None:
    address = SecretText("https://hooks.example.com/x")
    content = WebhookContent(url=address, body_template="{events}")
    stage.kept["hook"] = await stage.scale.actions("falcon").create("hook", content)


async def know_views(stage: Stage) -> None:
    stage.kept["views"] = await stage.scale.views().list()


def make_view(stage: Stage) -> Awaitable[Any]:
    return stage.scale.views().create_view("new", [ViewConnection(repository="falcon")])


async def know_view(stage: Stage) -> None:
    await make_view(stage)
    stage.kept["view"] = next(v for v in await stage.scale.views().list() if v.name == "new")


def update_view(stage: Stage) -> Awaitable[Any]:
    wanted = [ViewConnection(repository="falcon", filter="a=b")]
    return stage.scale.views().update_view(stage.kept["view"], wanted)


def make_view_token(stage: Stage) -> Awaitable[Any]:
    return stage.scale.tokens().create_for_views("ci", stage.kept["views"], {"ReadAccess"})


async def make_token(stage: Stage) -> None:
    stage.kept["token"] = (await stage.scale.tokens().create_personal()).token


async def make_ingest_token(stage: Stage) -> None:
    stage.kept["sender"] = await stage.scale.ingest_tokens("falcon").create("sender", parser="json")


async def kill_one(stage: Stage) -> None:
    query = Search(checked=check("count()"), start_ms=0, end_ms=1, now_ms=1)
    jobs = stage.sandbox.jobs
    job = jobs.start("falcon", query, lambda: [Snapshot(())], is_live=True, owner="admin")
    try:
        await stage.scale.running().kill("falcon", "count")
    finally:
        jobs.forget(job)


def update_hook(stage: Stage) -> Awaitable[Any]:
    content = WebhookContent(url=SecretText("https://hooks.example.com/y"), body_template="{url}")
    return stage.scale.actions("falcon").update(stage.kept["hook"], content)


def create(asset: Asset) -> Operation:
    def run(stage: Stage) -> Awaitable[Any]:
        return stage.scale.assets("falcon").create(asset)

    return Operation(run=run, prepare=make_hook)


def made(asset: Asset) -> Work:
    async def prepare(stage: Stage) -> None:
        await make_hook(stage)
        stage.kept["asset"] = await stage.scale.assets("falcon").create(asset)

    return prepare


def update(asset: Asset) -> Operation:
    def run(stage: Stage) -> Awaitable[Any]:
        wanted = replace(asset, description="changed")
        return stage.scale.assets("falcon").update(wanted, expected=stage.kept["asset"])

    return Operation(run=run, prepare=made(asset))


def delete(asset: Asset) -> Operation:
    def run(stage: Stage) -> Awaitable[Any]:
        return stage.scale.assets("falcon").delete(stage.kept["asset"])

    return Operation(run=run, prepare=made(asset))


def switch(asset: Asset) -> Operation:
    def run(stage: Stage) -> Awaitable[Any]:
        return stage.scale.assets("falcon").disable(stage.kept["asset"])

    return Operation(run=run, prepare=made(asset))


def add_label(asset: Asset) -> Operation:
    def run(stage: Stage) -> Awaitable[Any]:
        return stage.scale.assets("falcon").add_label(stage.kept["asset"], "mine")

    return Operation(run=run, prepare=made(asset))


def remove_label(asset: Asset) -> Operation:
    def run(stage: Stage) -> Awaitable[Any]:
        return stage.scale.assets("falcon").remove_label(stage.kept["asset"], "mine")

    return Operation(run=run, prepare=made(asset))


def clear_error(asset: Asset) -> Operation:
    def run(stage: Stage) -> Awaitable[Any]:
        return stage.scale.assets("falcon").clear_error(stage.kept["asset"])

    return Operation(run=run, prepare=made(asset))


def template(asset: Asset) -> Operation:
    def run(stage: Stage) -> Awaitable[Any]:
        return stage.scale.assets("falcon").to_template(stage.kept["asset"])

    return Operation(run=run, prepare=made(asset))


def list_all(asset: Asset) -> Operation:
    def run(stage: Stage) -> Awaitable[Any]:
        return stage.scale.assets("falcon").list(type(asset))

    return Operation(run=run, prepare=made(asset))


async def make_rule(stage: Stage) -> None:
    stage.kept["rule"] = await stage.falcon.assets(CUSTOMER).create(RULE)


async def make_versions(stage: Stage) -> None:
    await make_rule(stage)
    rules = stage.falcon.assets(CUSTOMER)
    await rules.update(replace(RULE, severity=70), expected=stage.kept["rule"])
    rule_id = stage.kept["rule"].id
    (_, stage.kept["older"]) = await stage.falcon.rule_versions().list(rule_id)


async def find_hosts(stage: Stage) -> None:
    async for _ in stage.falcon.hosts().find(page_size=2):
        pass


async def make_file(stage: Stage) -> None:
    await stage.scale.files("falcon").upload("a.csv", b"k,v\n1,2\n")


def make_package(stage: Stage) -> Awaitable[Any]:
    return stage.scale.packages("falcon").install(PACKAGE)


async def read_rows(stage: Stage) -> None:
    async for _ in stage.scale.files("falcon").rows("a.csv"):
        pass


async def know_rows(stage: Stage) -> None:
    await make_file(stage)
    stage.kept["rows"] = await stage.scale.files("falcon").page("a.csv")


def replace_rows(stage: Stage) -> Awaitable[Any]:
    files = stage.scale.files("falcon")
    return files.replace_rows("a.csv", stage.kept["rows"], [["3", "4"]])


async def make_gateway_file(stage: Stage) -> None:
    await stage.falcon.files().upload("g.csv", b"k,v\n1,2\n")


async def make_gateway_query(stage: Stage) -> None:
    made = SavedQuery(name="made", query="a=b")
    stage.kept["query"] = await stage.falcon.saved_queries().create(made)


def update_gateway_query(stage: Stage) -> Awaitable[Any]:
    known = SavedQuery(id=stage.kept["query"], name="made", query="a=b")
    return stage.falcon.saved_queries().update(replace(known, query="a=c"), expected=known)


async def make_connection(stage: Stage) -> None:
    made = {"connector_id": "sandbox-hec", "name": "made"}
    request = json_request("POST", "ngsiem/entities/connections/v1", made)
    page = await ask(stage.falcon._session, request)
    stage.kept["connection"] = page.objects[0].text("id")
    stage.kept["key"] = await stage.falcon.connections().key(stage.kept["connection"])


async def send_to_connection(stage: Stage) -> None:
    carrier = stage.carrier()
    async with ConnectionIngest(stage.kept["key"], clock=stage.clock, transport=carrier) as ingest:
        await ingest.events([{"event": {"a": "b"}}])


async def know_hosts(stage: Stage) -> None:
    await stage.falcon.check()
    stage.sandbox.hosts = {name: {"device_id": name, "hostname": name} for name in "abc"}


async def fetch_token(stage: Stage) -> None:
    await stage.falcon.check()


OPERATIONS: Mapping[str, Operation] = {
    "status": Operation(run=lambda s: s.scale.status()),
    "health": Operation(run=lambda s: s.scale.health()),
    "server facts": Operation(run=lambda s: s.scale.facts()),
    "feature": Operation(run=lambda s: s.scale.has_feature("FlightControl")),
    "search": Operation(run=search),
    "around": Operation(run=around),
    "events": Operation(run=events),
    "export": Operation(run=export),
    "stream": Operation(run=stream),
    "ingest structured": Operation(run=structured),
    "ingest unstructured": Operation(run=unstructured),
    "ingest hec": Operation(run=hec),
    "ingest hec raw": Operation(run=lambda s: s.scale.ingest().hec_raw(["a=b"])),
    "ingest json": Operation(run=lambda s: s.scale.ingest().json([{"a": "b"}])),
    "ingest raw": Operation(run=lambda s: s.scale.ingest().raw("a=b")),
    **{f"create {type(asset).__name__}": create(asset) for asset in ASSETS},
    **{f"update {type(asset).__name__}": update(asset) for asset in ASSETS},
    **{f"delete {type(asset).__name__}": delete(asset) for asset in ASSETS},
    **{f"list {type(asset).__name__}": list_all(asset) for asset in ASSETS},
    **{f"export {type(asset).__name__}": template(asset) for asset in ASSETS},
    **{f"switch {type(asset).__name__}": switch(asset) for asset in ASSETS[1:]},
    **{f"label {type(asset).__name__}": add_label(asset) for asset in ASSETS[1:]},
    **{f"unlabel {type(asset).__name__}": remove_label(asset) for asset in ASSETS[1:]},
    **{f"clear {type(asset).__name__}": clear_error(asset) for asset in ASSETS[1:]},
    "read template": Operation(
        run=lambda s: s.scale.assets("falcon").from_template(
            FilterAlert, "name: a\nqueryString: a=b"
        )
    ),
    "create from template": Operation(
        run=lambda s: s.scale.assets("falcon").create_from_template("name: a\nqueryString: a=b")
    ),
    "list views": Operation(run=lambda s: s.scale.views().list()),
    "create repository": Operation(run=lambda s: s.scale.views().create_repository("new")),
    "read view": Operation(run=lambda s: s.scale.views().get("falcon")),
    "set retention": Operation(
        run=lambda s: s.scale.views().set_retention("falcon", Retention(max_age=HOUR))
    ),
    "describe": Operation(run=lambda s: s.scale.views().describe("falcon", "events")),
    "automatic search": Operation(
        run=lambda s: s.scale.views().set_automatic_search("falcon", is_on=False)
    ),
    "create view": Operation(run=make_view),
    "update view": Operation(run=update_view, prepare=know_view),
    "delete repository": Operation(
        run=lambda s: s.scale.views().delete("new", reason="over"),
        prepare=lambda s: s.scale.views().create_repository("new"),
    ),
    "read viewer": Operation(run=lambda s: s.scale.views().viewer()),
    "own document": Operation(run=lambda s: s.scale.graphql().run("{ meta { version } }")),
    "validate": Operation(run=lambda s: s.scale.views().validate("a=b")),
    "analyze": Operation(run=lambda s: s.scale.views().analyze("a=b", view="falcon")),
    "shape": Operation(run=lambda s: s.scale.views().shape("a=b", view="falcon")),
    "list tokens": Operation(run=lambda s: s.scale.tokens().list()),
    "create token": Operation(run=lambda s: s.scale.tokens().create_personal()),
    "create view token": Operation(run=make_view_token, prepare=know_views),
    "create organization token": Operation(
        run=lambda s: s.scale.tokens().create_for_organization("org", {"ManageUsers"})
    ),
    "create system token": Operation(
        run=lambda s: s.scale.tokens().create_for_system("root", {"ManageCluster"})
    ),
    "rotate token": Operation(
        run=lambda s: s.scale.tokens().rotate(s.kept["token"]), prepare=make_token
    ),
    "delete token": Operation(
        run=lambda s: s.scale.tokens().delete(s.kept["token"]), prepare=make_token
    ),
    "list ingest tokens": Operation(
        run=lambda s: s.scale.ingest_tokens("falcon").list(), prepare=make_ingest_token
    ),
    "create ingest token": Operation(run=make_ingest_token),
    "assign parser": Operation(
        run=lambda s: s.scale.ingest_tokens("falcon").assign_parser(s.kept["sender"], "kv"),
        prepare=make_ingest_token,
    ),
    "unassign parser": Operation(
        run=lambda s: s.scale.ingest_tokens("falcon").assign_parser(s.kept["sender"], ""),
        prepare=make_ingest_token,
    ),
    "delete ingest token": Operation(
        run=lambda s: s.scale.ingest_tokens("falcon").delete(s.kept["sender"]),
        prepare=make_ingest_token,
    ),
    "running queries": Operation(run=lambda s: s.scale.running().list()),
    "kill query": Operation(run=kill_one),
    "quota usage": Operation(run=lambda s: s.scale.running().usage("admin")),
    "exceeded quotas": Operation(run=lambda s: s.scale.running().exceeded("admin")),
    "list actions": Operation(run=lambda s: s.scale.actions("falcon").list(), prepare=make_hook),
    "create webhook": Operation(run=make_hook),
    "create email": Operation(
        run=lambda s: s.scale.actions("falcon").create(
            "mail", EmailContent(recipients=["a@example.com"])
        )
    ),
    "update action": Operation(run=update_hook, prepare=make_hook),
    "test action": Operation(
        run=lambda s: s.scale.actions("falcon").test(
            "mail", EmailContent(recipients=["a@example.com"]), trigger="t", events=[{"a": "b"}]
        )
    ),
    "export action": Operation(
        run=lambda s: s.scale.actions("falcon").to_template(s.kept["hook"]), prepare=make_hook
    ),
    "create action from template": Operation(
        run=lambda s: s.scale.actions("falcon").create_from_template(
            "name: a\ntype: upload-file\nfileName: a.csv"
        )
    ),
    "delete action": Operation(
        run=lambda s: s.scale.actions("falcon").delete(s.kept["hook"]), prepare=make_hook
    ),
    "upload file": Operation(run=make_file),
    "download file": Operation(
        run=lambda s: s.scale.files("falcon").download("a.csv"),
        prepare=make_file,
    ),
    "list files": Operation(run=lambda s: s.scale.files("falcon").list(), prepare=make_file),
    "list labelled files": Operation(
        run=lambda s: s.scale.files("falcon").list(with_labels=True), prepare=make_file
    ),
    "create file": Operation(run=lambda s: s.scale.files("falcon").create("new.csv")),
    "file rows": Operation(run=read_rows, prepare=make_file),
    "replace file rows": Operation(run=replace_rows, prepare=know_rows),
    "delete file": Operation(
        run=lambda s: s.scale.files("falcon").delete("a.csv"), prepare=make_file
    ),
    "list packages": Operation(
        run=lambda s: s.scale.packages("falcon").list(), prepare=make_package
    ),
    "check package": Operation(run=lambda s: s.scale.packages("falcon").check(PACKAGE)),
    "install package": Operation(run=make_package),
    "replace package": Operation(
        run=lambda s: s.scale.packages("falcon").install(PACKAGE, overwrite=True),
        prepare=make_package,
    ),
    "create from marketplace": Operation(
        run=lambda s: s.scale.packages("falcon").install_from_marketplace(PACKAGE_ID)
    ),
    "update from marketplace": Operation(
        run=lambda s: s.scale.packages("falcon").update_from_marketplace(PACKAGE_ID),
        prepare=make_package,
    ),
    "delete package": Operation(
        run=lambda s: s.scale.packages("falcon").uninstall(package_files.NAME),
        prepare=make_package,
    ),
    "gateway search": Operation(run=gateway_search, prepare=fetch_token, renews=True),
    "list rules": Operation(
        run=lambda s: s.falcon.assets(CUSTOMER).list(CorrelationRule),
        prepare=make_rule,
        renews=True,
    ),
    "create rule": Operation(run=make_rule, prepare=fetch_token, renews=True),
    "update rule": Operation(
        run=lambda s: s.falcon.assets(CUSTOMER).update(
            replace(RULE, severity=70), expected=s.kept["rule"]
        ),
        prepare=make_rule,
        renews=True,
    ),
    "read rule": Operation(
        run=lambda s: s.falcon.assets(CUSTOMER).get(s.kept["rule"].id),
        prepare=make_rule,
        renews=True,
    ),
    "switch rule": Operation(
        run=lambda s: s.falcon.assets(CUSTOMER).disable(s.kept["rule"]),
        prepare=make_rule,
        renews=True,
    ),
    "find rules": Operation(
        run=lambda s: s.falcon.assets(CUSTOMER).find(text="made"), prepare=make_rule, renews=True
    ),
    "list rule ids": Operation(
        run=lambda s: s.falcon.assets(CUSTOMER).ids(), prepare=make_rule, renews=True
    ),
    "read latest version": Operation(
        run=lambda s: s.falcon.rule_versions().latest([s.kept["rule"].id]),
        prepare=make_rule,
        renews=True,
    ),
    "list versions": Operation(
        run=lambda s: s.falcon.rule_versions().list(s.kept["rule"].id),
        prepare=make_rule,
        renews=True,
    ),
    "publish version": Operation(
        run=lambda s: s.falcon.rule_versions().publish(s.kept["older"].id),
        prepare=make_versions,
        renews=True,
    ),
    "delete version": Operation(
        run=lambda s: s.falcon.rule_versions().delete([s.kept["older"].id]),
        prepare=make_versions,
        renews=True,
    ),
    "export versions": Operation(
        run=lambda s: s.falcon.rule_versions().export(filter_text=""),
        prepare=make_rule,
        renews=True,
    ),
    "import version": Operation(
        run=lambda s: s.falcon.rule_versions().load(s.kept["older"].rule.raw),
        prepare=make_versions,
        renews=True,
    ),
    "list rule templates": Operation(
        run=lambda s: s.falcon.rule_templates(CUSTOMER).find(), prepare=fetch_token, renews=True
    ),
    "read rule template": Operation(
        run=lambda s: s.falcon.rule_templates(CUSTOMER).get(TEMPLATE_ID),
        prepare=fetch_token,
        renews=True,
    ),
    "create rule from template": Operation(
        run=lambda s: s.falcon.rule_templates(CUSTOMER).create_rule(
            replace(RULE, template_id=TEMPLATE_ID)
        ),
        prepare=fetch_token,
        renews=True,
    ),
    "count versions": Operation(
        run=lambda s: s.falcon.rule_versions().counts("severity"), prepare=make_rule, renews=True
    ),
    "list connections": Operation(
        run=lambda s: s.falcon.connections().list(), prepare=make_connection, renews=True
    ),
    "list connectors": Operation(
        run=lambda s: s.falcon.connections().connectors(), prepare=fetch_token, renews=True
    ),
    "read connection": Operation(
        run=lambda s: s.falcon.connections().get(s.kept["connection"]),
        prepare=make_connection,
        renews=True,
    ),
    "read connection key": Operation(
        run=lambda s: s.falcon.connections().key(s.kept["connection"]),
        prepare=make_connection,
        renews=True,
    ),
    "send to connection": Operation(run=send_to_connection, prepare=make_connection),
    "find hosts": Operation(run=find_hosts, prepare=know_hosts, renews=True),
    "list hosts": Operation(
        run=lambda s: s.falcon.hosts().ids(page_size=3), prepare=know_hosts, renews=True
    ),
    "read hosts": Operation(
        run=lambda s: s.falcon.hosts().details(["a", "b"]), prepare=know_hosts, renews=True
    ),
    "fetch token": Operation(run=lambda s: s.falcon.region()),
    "list gateway files": Operation(
        run=lambda s: s.falcon.files().list(), prepare=make_gateway_file, renews=True
    ),
    "list gateway queries": Operation(
        run=lambda s: s.falcon.saved_queries().ids(), prepare=make_gateway_query, renews=True
    ),
    "upload gateway file": Operation(run=make_gateway_file, prepare=fetch_token, renews=True),
    "download gateway file": Operation(
        run=lambda s: s.falcon.files().download("g.csv"), prepare=make_gateway_file, renews=True
    ),
    "append rows": Operation(
        run=lambda s: s.falcon.files().append_rows("g.csv", b"k,v\n3,4\n"),
        prepare=make_gateway_file,
        renews=True,
    ),
    "update rows": Operation(
        run=lambda s: s.falcon.files().update_rows("g.csv", b"k,v\n1,4\n", key_columns=["k"]),
        prepare=make_gateway_file,
        renews=True,
    ),
    "delete gateway file": Operation(
        run=lambda s: s.falcon.files().delete("g.csv"), prepare=make_gateway_file, renews=True
    ),
    "create gateway query": Operation(run=make_gateway_query, prepare=fetch_token, renews=True),
    "read gateway query": Operation(
        run=lambda s: s.falcon.saved_queries().template(s.kept["query"]),
        prepare=make_gateway_query,
        renews=True,
    ),
    "read gateway query whole": Operation(
        run=lambda s: s.falcon.saved_queries().get(s.kept["query"]),
        prepare=make_gateway_query,
        renews=True,
    ),
    "update gateway query": Operation(
        run=update_gateway_query, prepare=make_gateway_query, renews=True
    ),
    "delete gateway query": Operation(
        run=lambda s: s.falcon.saved_queries().delete(s.kept["query"]),
        prepare=make_gateway_query,
        renews=True,
    ),
    "delete rule": Operation(
        run=lambda s: s.falcon.assets(CUSTOMER).delete(s.kept["rule"]),
        prepare=make_rule,
        renews=True,
    ),
}

Outcome = type[ClientError] | None
# Fault -> what comes out if it strikes once: of a request that may be sent twice, and of another.
ONCE: Mapping[FaultKind, tuple[Outcome, Outcome]] = {
    FaultKind.RATE_LIMITED: (None, None),
    FaultKind.UNAVAILABLE: (None, None),
    FaultKind.SERVER_ERROR: (None, ServerFailed),
    FaultKind.EXPIRED_TOKEN: (Unauthorized, Unauthorized),
    FaultKind.FORBIDDEN: (Forbidden, Forbidden),
    FaultKind.HTML: (NotTheApi, NotTheApi),
    FaultKind.BROKEN_JSON: (AnswerCutOff, AnswerCutOff),
    FaultKind.RESET: (None, ConnectionFailed),
    FaultKind.RESET_AFTER: (None, ConnectionFailed),
}
# Fault -> what comes out if it never ends.
FOR_EVER: Mapping[FaultKind, type[ClientError]] = {
    FaultKind.RATE_LIMITED: RateLimited,
    FaultKind.UNAVAILABLE: ServerFailed,
    FaultKind.SERVER_ERROR: ServerFailed,
    FaultKind.EXPIRED_TOKEN: Unauthorized,
    FaultKind.FORBIDDEN: Forbidden,
    FaultKind.HTML: NotTheApi,
    FaultKind.BROKEN_JSON: AnswerCutOff,
    FaultKind.RESET: ConnectionFailed,
    FaultKind.RESET_AFTER: ConnectionFailed,
}


async def outcome_of(work: Awaitable[Any]) -> Outcome:
    result: object
    (result,) = await asyncio.gather(work, return_exceptions=True)
    if not isinstance(result, BaseException):
        return None
    assert isinstance(result, ClientError), repr(result)
    assert TOKEN not in str(result)
    assert "secret-of-id" not in str(result)
    return type(result)


async def outcome_under(fault: Fault, operation: Operation, stage: Stage) -> Outcome:
    """Return what comes out of the operation while the fault strikes."""
    if operation.prepare is not None:
        await operation.prepare(stage)
    stage.sandbox.faults.set("*", [fault])
    outcome = await outcome_of(operation.run(stage))
    stage.sandbox.faults.clear()
    return outcome


async def requests_of(operation: Operation) -> list[Request]:
    """Return what the operation sends when nothing goes wrong."""
    async with staged() as stage:
        if operation.prepare is not None:
            await operation.prepare(stage)
        before = len(stage.sent)
        await operation.run(stage)
        return stage.sent[before:]


def is_cleaning(request: Request) -> bool:
    """Say whether it deletes a job, which is tried more than once and never fails a search."""
    return request.method == "DELETE" and "/queryjobs/" in request.path


def is_raw(request: Request) -> bool:
    """Say whether its answer is bytes or text, so that broken JSON is as good as any."""
    is_gateway_download = request.method == "GET" and "entities/lookupfiles/" in request.path
    return "/files" in request.path or is_gateway_download or is_export(request)


def is_export(request: Request) -> bool:
    """Say whether it asks for a job's rows as a file."""
    return any(name == "mimeType" for name, _ in request.query)


def expected_once(fault: FaultKind, request: Request, operation: Operation) -> Outcome:
    if is_cleaning(request):
        return None
    if fault is FaultKind.EXPIRED_TOKEN and operation.renews:
        return None
    if fault is FaultKind.BROKEN_JSON and is_raw(request):
        return None
    if fault in RESETS and (request.path.endswith("/query") or is_export(request)):
        # A stream whose head was there is not begun again: its rows would come twice.
        return ConnectionFailed
    may_repeat, may_not = ONCE[fault]
    return may_repeat if request.idempotent else may_not


def expected_for_ever(fault: FaultKind, request: Request) -> Outcome:
    if is_cleaning(request):
        return None
    if fault is FaultKind.BROKEN_JSON and is_raw(request):
        return None
    return FOR_EVER[fault]


@pytest.mark.parametrize("fault", list(ONCE), ids=lambda kind: kind.value)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_fault_has_its_named_outcome(name: str, fault: FaultKind) -> None:
    operation = OPERATIONS[name]
    async with socket_for(fault) as socket:
        for place, request in enumerate(await requests_of(operation)):
            once = expected_once(fault, request, operation)
            for count, expected in ((1, once), (FOREVER, expected_for_ever(fault, request))):
                where = f"{request.method} {request.path}, request {place}, {count} times"
                async with staged(socket) as stage:
                    strike = Fault(kind=fault, skip=place, count=count)

                    outcome = await outcome_under(strike, operation, stage)

                    assert outcome is expected, where
                    names = stage.asset_names()
                    assert len(names) == len(set(names)), where
                    # A job whose id was lost on the way, or whose deletion was refused, expires; no
                    # other is left.
                    refused = is_cleaning(request) and ONCE[fault][0] is not None
                    if refused or fault is FaultKind.RESET_AFTER or count == FOREVER:
                        stage.clock.advance(JOB_LIFE)
                    assert stage.sandbox.jobs.ids() == [], where


@pytest.mark.parametrize(
    ("fault", "count", "outcome"),
    [
        (FaultKind.LOST, 1, None),
        (FaultKind.LOST, FOREVER, QueryJobExpired),
        (FaultKind.SLOW, 2, None),
        (FaultKind.SLOW, FOREVER, QueryIncomplete),
        (FaultKind.CANCELLED, 1, QueryIncomplete),
    ],
    ids=lambda value: getattr(value, "value", str(value)),
)
@pytest.mark.parametrize("name", ["search", "around", "events", "export", "gateway search"])
async def test_fault_of_a_job_has_its_named_outcome(
    name: str, fault: FaultKind, count: int, outcome: Outcome
) -> None:
    async with staged() as stage:
        stage.sandbox.faults.set("GET */queryjobs/*", [Fault(kind=fault, count=count)])

        assert await outcome_of(OPERATIONS[name].run(stage)) is outcome

        stage.clock.advance(JOB_LIFE if fault is FaultKind.LOST else timedelta(0))
        assert stage.sandbox.jobs.ids() == []


@pytest.mark.parametrize("fault", [FaultKind.WARNINGS, FaultKind.PARTIAL])
async def test_result_that_is_not_whole_says_so(fault: FaultKind) -> None:
    async with staged() as stage:
        stage.sandbox.faults.set("GET */queryjobs/*", [Fault(kind=fault, count=FOREVER)])

        result = await search(stage)

        assert result.completeness.reasons != ()
        assert stage.sandbox.jobs.ids() == []


GRAPHQL = [
    name
    for name, operation in OPERATIONS.items()
    if name.split()[0] in ("list", "create", "delete")
    and "file" not in name
    and not operation.renews
]


@pytest.mark.parametrize("name", GRAPHQL)
async def test_error_inside_a_good_answer_is_an_error(name: str) -> None:
    operation = OPERATIONS[name]
    async with staged() as stage:
        if operation.prepare is not None:
            await operation.prepare(stage)
        fault = Fault(kind=FaultKind.GRAPHQL_ERROR, count=FOREVER, message="the name is taken")
        stage.sandbox.faults.set("POST /graphql", [fault])

        with pytest.raises(GraphqlError, match="the name is taken"):
            await operation.run(stage)
