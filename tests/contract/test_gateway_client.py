"""Hosts, lookup files and saved queries of a tenant: our client against the gateway face."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from orchestrator.client.auth import ClientCredentials
from orchestrator.client.falcon import Falcon
from orchestrator.client.types import SavedQuery
from orchestrator.clock import FrozenClock
from orchestrator.errors import NotFound, RequestRejected
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import FalconClient, SandboxSettings
from orchestrator.sandbox.state import Sandbox
from orchestrator.secret import SecretText

HOSTS = [
    {
        "device_id": f"id-{number:02}",
        "hostname": f"web-{number:02}",
        "platform_name": "Linux" if number % 2 else "Windows",
        "local_ip": f"10.0.0.{number}",
        "tags": ["prod"],
        "first_seen": "2026-01-01T00:00:00Z",
    }
    for number in range(12)
]


@pytest.fixture
async def stage() -> AsyncIterator[tuple[Falcon, Sandbox]]:
    settings = SandboxSettings(
        falcon_clients=(FalconClient(client_id="id", client_secret="secret"),)
    )
    clock = FrozenClock(datetime(2026, 3, 10, tzinfo=UTC))
    app = create_app(settings, clock=clock)
    credentials = ClientCredentials(client_id="id", client_secret=SecretText("secret"))
    sandbox: Sandbox = app.state.sandbox
    sandbox.hosts = {str(host["device_id"]): host for host in HOSTS}
    async with Falcon("http://x", credentials=credentials, clock=clock, asgi_app=app) as falcon:
        yield falcon, sandbox
    sandbox.close()


async def test_hosts_are_read_page_by_page(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, sandbox = stage

    ids = await falcon.hosts().ids(filter_text="platform_name:'linux'", page_size=4)
    hosts = [host async for host in falcon.hosts().find(page_size=5)]

    assert ids == ("id-01", "id-03", "id-05", "id-07", "id-09", "id-11")
    assert [host.name for host in hosts] == [host["hostname"] for host in HOSTS]
    assert (hosts[3].id, hosts[3].platform, hosts[3].local_ip) == ("id-03", "Linux", "10.0.0.3")
    assert (hosts[3].tags, hosts[3].last_seen) == (("prod",), "")
    assert hosts[3].raw == HOSTS[3]
    assert sandbox.scrolls == {}


async def test_unknown_ids_are_left_out(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, _ = stage

    found = await falcon.hosts().details(["id-01", "gone"])

    assert [host.id for host in found] == ["id-01"]
    assert await falcon.hosts().details([]) == ()


async def test_filter_that_is_wrong_is_refused(stage: tuple[Falcon, Sandbox]) -> None:
    with pytest.raises(RequestRejected, match="a field and a colon is expected"):
        await stage[0].hosts().ids(filter_text="hostname")


async def test_file_is_uploaded_once_and_replaced(stage: tuple[Falcon, Sandbox]) -> None:
    files = stage[0].files("falcon")

    assert await files.upload("a.csv", b"k,v\n1,2\n") is True
    assert await files.upload("a.csv", b"k,v\n1,2\n") is False
    assert await files.upload("a.csv", b"k,v\n1,3\n") is True

    assert await files.list() == ("a.csv",)
    assert await files.download("a.csv") == b"k,v\n1,3\n"
    await files.delete("a.csv")
    assert await files.list() == ()
    with pytest.raises(NotFound):
        await files.download("a.csv")


async def test_saved_query_of_any_text_comes_back(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, sandbox = stage
    queries = falcon.saved_queries("falcon")
    text = "a = \"x: 'y'\"\n| b = /\\d+ #/ // 100 % \u2028 {z}"

    first = await queries.create(SavedQuery(name="odd: name", query=text))
    second = await queries.update(SavedQuery(id=first, name="odd: name", query="*"))

    assert first != second
    assert await queries.ids() == (second,)
    assert sandbox.saved_queries(sandbox.domain("falcon")) == {"odd: name": "*"}
    assert "queryString: '*'" in await queries.template(second)
    with pytest.raises(NotFound):
        await queries.template(first)
    await queries.delete(second)
    assert await queries.ids() == ()


async def test_saved_query_keeps_its_text(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, sandbox = stage
    text = "a = \"x: 'y'\"\n| b = /\\d+ #/ // 100 % \u2028 {z}"

    await falcon.saved_queries("falcon").create(SavedQuery(name="odd: name", query=text))

    assert sandbox.saved_queries(sandbox.domain("falcon")) == {"odd: name": text}


async def test_more_files_than_a_page_are_listed(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, sandbox = stage
    names = [f"{number:03}.csv" for number in range(120)]
    for name in names:
        sandbox.put_file(sandbox.domain("falcon"), name, b"k\n1\n", by="test")

    assert await falcon.files("falcon").list() == tuple(names)
