"""Hosts, rules, lookup files and saved queries: our client against the gateway face."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.falcon import Falcon
from orchestrator.client.gateway.connections import DataConnection
from orchestrator.client.gateway.envelope import ask
from orchestrator.client.gateway.hec import ConnectionIngest
from orchestrator.client.http.auth import ClientCredentials
from orchestrator.client.http.session import json_request
from orchestrator.client.types import (
    AttackMapping,
    CorrelationRule,
    RuleNotification,
    RuleSuppression,
    SavedQuery,
)
from orchestrator.clock import FrozenClock
from orchestrator.errors import Forbidden, NotFound, RateLimited, RequestRejected
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import ALL_RIGHTS, FalconClient, Right, SandboxSettings
from orchestrator.sandbox.state import Sandbox
from orchestrator.secret import SecretText

HOUR = timedelta(hours=1)
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


@asynccontextmanager
async def opened(
    *, rights: frozenset[Right] = ALL_RIGHTS, per_minute: int = 6_000
) -> AsyncIterator[tuple[Falcon, Sandbox, FrozenClock]]:
    """Yield our client of a sandbox, the sandbox and the clock that both go by."""
    client = FalconClient(client_id="id", client_secret="secret", rights=rights)
    settings = SandboxSettings(falcon_clients=(client,), gateway_requests_per_minute=per_minute)
    clock = FrozenClock(datetime(2026, 3, 10, tzinfo=UTC))
    app = create_app(settings, clock=clock)
    credentials = ClientCredentials(client_id="id", client_secret=SecretText("secret"))
    sandbox: Sandbox = app.state.sandbox
    async with Falcon("http://x", credentials=credentials, clock=clock, asgi_app=app) as falcon:
        yield falcon, sandbox, clock
    sandbox.close()


@pytest.fixture
async def stage() -> AsyncIterator[tuple[Falcon, Sandbox]]:
    async with opened() as (falcon, sandbox, _):
        sandbox.hosts = {str(host["device_id"]): host for host in HOSTS}
        yield falcon, sandbox


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


async def test_more_hosts_than_numbered_pages_reach_are_read_whole(
    stage: tuple[Falcon, Sandbox],
) -> None:
    falcon, sandbox = stage
    wanted = [f"id-{number:05}" for number in range(12_000)]
    sandbox.hosts = {device_id: {"device_id": device_id} for device_id in wanted}

    found = [host.id async for host in falcon.hosts().find()]
    ids = await falcon.hosts().ids(page_size=10_000)
    details = await falcon.hosts().details(ids)

    assert found == wanted
    assert list(ids) == wanted
    assert [host.id for host in details] == wanted


async def test_host_that_comes_while_they_are_read_shifts_no_page(
    stage: tuple[Falcon, Sandbox],
) -> None:
    falcon, sandbox = stage
    found = []
    async for host in falcon.hosts().find(page_size=5):
        found.append(host.id)
        sandbox.hosts["id-00-a"] = {"device_id": "id-00-a"}

    assert found == [host["device_id"] for host in HOSTS]


async def test_unknown_ids_are_left_out(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, _ = stage

    found = await falcon.hosts().details(["id-01", "gone"])

    assert [host.id for host in found] == ["id-01"]
    assert await falcon.hosts().details([]) == ()


async def test_filter_that_is_wrong_is_refused(stage: tuple[Falcon, Sandbox]) -> None:
    with pytest.raises(RequestRejected, match="a field and a colon is expected"):
        await stage[0].hosts().ids(filter_text="hostname")


RULE = CorrelationRule(
    name="made", query="count()", enabled=True, severity=50, schedule=HOUR, lookback=HOUR
)


async def test_rule_through_its_whole_life(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, _ = stage
    rules, versions = falcon.assets("AB" * 16 + "-01"), falcon.rule_versions()

    made = await rules.create(RULE)
    changed = await rules.update(replace(made, severity=90), expected=made)
    with pytest.raises(RequestRejected, match="made changed since it was read"):
        await rules.update(replace(made, severity=70), expected=made)
    newest, oldest = await versions.list(made.id)
    await versions.publish(oldest.id)
    back = await rules.get(made.id)
    await versions.delete([newest.id])
    await rules.disable(back)
    off = await rules.get(made.id)
    await rules.delete(off)

    assert (changed.id, changed.severity) == (made.id, 90)
    assert [(v.number, v.state, v.rule.severity) for v in (newest, oldest)] == [
        (2, "published", 90),
        (1, "unpublished", 50),
    ]
    assert (back.severity, back.enabled, off.enabled) == (50, True, False)
    assert await rules.list(CorrelationRule) == ()
    assert await versions.list(made.id) == ()
    with pytest.raises(NotFound):
        await rules.get(made.id)


async def test_rule_is_made_of_each_template(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, _ = stage
    templates, rules = falcon.rule_templates("AB" * 16 + "-01"), falcon.assets("ab" * 16)

    found = await templates.find(filter_text="vendors:'Sandbox'", sort="name|desc")
    made = [await templates.create_rule(template.rule) for template in found]
    on = await templates.create_rule(replace(found[0].rule, name="mine", enabled=True))

    assert [template.id for template in found] == [f"{number:032x}" for number in (3, 2, 1)]
    assert await templates.ids() == tuple(template.id for template in reversed(found))
    assert await templates.get(found[0].id) == found[0]
    assert [replace(rule, id="") for rule in made] == [template.rule for template in found]
    assert (on.name, on.enabled, on.template_id) == ("mine", True, found[0].id)
    assert len(await rules.find()) == 4
    with pytest.raises(NotFound, match="template 'no' not found"):
        await templates.get("no")
    with pytest.raises(NotFound, match="template 'no' not found"):
        await templates.create_rule(replace(RULE, template_id="no"))


async def test_versions_are_counted_by_a_member(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, _ = stage
    rules, versions = falcon.assets("ab" * 16), falcon.rule_versions()
    for name, severity in (("a", 90), ("b", 50), ("c", 50)):
        await rules.create(replace(RULE, name=name, severity=severity))

    assert list((await versions.counts("severity")).items()) == [("50", 2), ("90", 1)]
    assert await versions.counts("severity", filter_text="name:!'b'", limit=1) == {"50": 1}
    with pytest.raises(RequestRejected, match="a field and a colon is expected"):
        await versions.counts("severity", filter_text="name")


async def test_rules_are_found_by_filter_text_and_sort(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, _ = stage
    rules, versions = falcon.assets("ab" * 16), falcon.rule_versions()
    first = await rules.create(replace(RULE, name="web", severity=70))
    second = await rules.create(replace(RULE, name="mail", enabled=False))
    third = await rules.update(replace(first, severity=90), expected=first)

    assert await rules.find(filter_text="status:'active'") == (third,)
    assert await rules.find(text="MAIL") == (second,)
    assert await rules.find(sort="created_on") == (third, second)
    assert [(await rules.get(i)).id for i in await rules.ids(text="web")] == [first.id]
    (newest,) = await versions.latest([first.id])
    assert (newest.number, newest.rule) == (2, third)
    with pytest.raises(RequestRejected, match="a field and a colon is expected"):
        await rules.ids(filter_text="status")


async def test_members_of_hosts_can_be_chosen(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, sandbox = stage
    more = {
        "os_version": "Ubuntu 24.04",
        "product_type_desc": "Server",
        "status": "contained",
        "last_login_user": "ann",
    }
    sandbox.hosts = {"a": {**HOSTS[0], "device_id": "a", **more}}

    (whole,) = [host async for host in falcon.hosts().find()]
    (part,) = [host async for host in falcon.hosts().find(fields=["status"])]

    assert (whole.os_version, whole.product_type) == ("Ubuntu 24.04", "Server")
    assert (whole.containment, whole.last_login_user) == ("contained", "ann")
    assert part.raw == {"device_id": "a", "status": "contained"}
    assert await falcon.hosts().ids(sort="hostname.desc") == ("a",)


async def test_rule_with_every_member_comes_back_and_changes_one_by_one(
    stage: tuple[Falcon, Sandbox],
) -> None:
    rules = stage[0].assets("ab" * 16)
    mail = RuleNotification(kind="email", recipients=("soc@mail.example",), severity="high")
    wanted = replace(
        RULE,
        outcome="case",
        trigger_mode="verbose",
        use_ingest_time=True,
        case_template_id="case-1",
        comment="first",
        mitre_attack=(AttackMapping(tactic_id="TA0006", technique_id="T1528"),),
        notifications=(mail,),
        guardrail_notifications=(RuleNotification(kind="slack", config_id="c-1"),),
        suppression=RuleSuppression(period=2 * HOUR, field="host"),
        start_on=datetime(2026, 3, 10, 1, tzinfo=UTC),
        stop_on=datetime(2026, 4, 10, tzinfo=UTC),
    )

    made = await rules.create(wanted)
    louder = await rules.update(replace(made, suppression=None, severity=90), expected=made)
    quiet = await rules.update(replace(louder, notifications=(), comment=""), expected=louder)
    same = await rules.update(quiet, expected=quiet)

    assert replace(made, id="") == wanted
    assert louder == replace(made, suppression=None, severity=90)
    assert quiet == replace(louder, notifications=(), comment="", actions=())
    assert [rule.state.version for rule in (made, quiet, same) if rule.state] == [1, 3, 3]


async def test_published_version_is_not_deleted(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, _ = stage
    made = await falcon.assets("ab" * 16).create(RULE)
    (version,) = await falcon.rule_versions().list(made.id)

    with pytest.raises(RequestRejected, match="is published"):
        await falcon.rule_versions().delete([version.id])


async def test_exported_rule_is_imported_as_another(stage: tuple[Falcon, Sandbox]) -> None:
    falcon, sandbox = stage
    rules, versions = falcon.assets("ab" * 16), falcon.rule_versions()
    made = await rules.create(RULE)

    (export,) = await versions.export(filter_text="name:'ma*'")
    (exported,) = sandbox.exports[export.id]
    await rules.delete(made)
    (loaded,) = await versions.load(exported)

    assert export.href.endswith(export.id)
    assert loaded.rule.id != made.id
    assert replace(loaded.rule, id="") == RULE
    assert await rules.list(CorrelationRule) == (loaded.rule,)


async def test_more_rules_than_a_page_are_listed(stage: tuple[Falcon, Sandbox]) -> None:
    rules = stage[0].assets("ab" * 16)
    names = [f"rule {number:03}" for number in range(205)]
    for name in names:
        await rules.create(replace(RULE, name=name))

    assert [rule.name for rule in await rules.list(CorrelationRule)] == names


async def test_token_is_revoked_when_the_client_is_closed() -> None:
    async with opened() as (falcon, sandbox, _):
        assert await falcon.region() == "us-1"
        during = len(sandbox.tokens)
        await falcon.close()
        after = len(sandbox.tokens)

    assert (during, after) == (2, 1)


async def test_token_is_renewed_ahead_of_its_end_and_after_it() -> None:
    async with opened() as (falcon, sandbox, clock):
        tokens = []
        for minutes in (0, 27, 2, 31):
            clock.advance(timedelta(minutes=minutes))
            await falcon.hosts().ids()
            tokens.append(set(sandbox.tokens))

    assert tokens[0] == tokens[1]
    # The old one is still good, and is not used any more.
    assert len(tokens[2]) == len(tokens[1]) + 1
    assert tokens[3] & (tokens[2] - tokens[1]) == set()


async def test_right_that_is_missing_is_named_with_the_trace_id() -> None:
    async with opened(rights=frozenset({Right.READ})) as (falcon, _, _clock):
        assert await falcon.hosts().ids() == ()
        with pytest.raises(Forbidden) as caught:
            await falcon.assets("ab" * 16).create(RULE)

    assert caught.value.problem == "access denied, authorization failed"
    assert len(caught.value.request_id or "") == 32


async def test_limit_of_the_gateway_is_waited_for_or_told() -> None:
    async with opened(per_minute=2) as (falcon, _, clock):
        await falcon.hosts().ids()
        with pytest.raises(RateLimited) as caught:
            await falcon.hosts().ids()
        clock.advance(timedelta(seconds=51))
        before = clock.monotonic()
        await falcon.hosts().ids()

    # Five seconds of the minute went by in waiting for the quota to come back.
    assert caught.value.retry_after == timedelta(seconds=55)
    assert 4.0 <= clock.monotonic() - before < 5.0


async def test_error_carries_the_gateways_trace_id(stage: tuple[Falcon, Sandbox]) -> None:
    with pytest.raises(NotFound) as caught:
        await stage[0].assets("ab" * 16).get("no")

    assert caught.value.problem == "rule no not found"
    assert len(caught.value.request_id or "") == 32


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
    known = await queries.get(first)
    second = await queries.update(replace(known, query="*"), expected=known)

    assert first != second
    assert known == SavedQuery(id=first, name="odd: name", query=text)
    assert await queries.ids() == (second,)
    assert sandbox.saved_queries(sandbox.domain("falcon")) == {"odd: name": "*"}
    assert "queryString: '*'" in await queries.template(second)
    with pytest.raises(NotFound):
        await queries.template(first)
    with pytest.raises(NotFound):
        await queries.update(replace(known, query="x"), expected=known)
    await queries.delete(second)
    assert await queries.ids() == ()


async def test_saved_query_keeps_its_description_and_labels(stage: tuple[Falcon, Sandbox]) -> None:
    queries = stage[0].saved_queries("falcon")
    described = SavedQuery(name="a", query="*", description="why: it", labels=("x", "y"))

    first = await queries.get(await queries.create(described))
    second = await queries.get(await queries.update(replace(first, query="b"), expected=first))
    plain = replace(second, description="", labels=())
    third = await queries.get(await queries.update(plain, expected=second))

    assert replace(first, id="") == described
    assert replace(second, id="") == replace(described, query="b")
    assert replace(third, id="") == SavedQuery(name="a", query="b")


async def test_rows_are_added_and_replaced_by_key(stage: tuple[Falcon, Sandbox]) -> None:
    files = stage[0].files("falcon")
    await files.upload("a.csv", b"host,owner\nh0,red\n")

    await files.append_rows("a.csv", b"host,owner\nh1,blue\n")
    await files.update_rows(
        "a.csv", b"host,owner\nH1,white\nh2,black\n", key_columns=["host"], ignore_case=True
    )

    assert await files.download("a.csv") == b"host,owner\nh0,red\nH1,white\nh2,black\n"
    with pytest.raises(NotFound):
        await files.append_rows("no.csv", b"host,owner\nh1,blue\n")
    with pytest.raises(ValueError, match="at least one key column"):
        await files.update_rows("a.csv", b"host\nh1\n", key_columns=[])


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


async def test_connection_is_read_and_takes_events_with_its_key() -> None:
    clock = FrozenClock(datetime(2026, 3, 10, tzinfo=UTC))
    settings = SandboxSettings(
        falcon_clients=(FalconClient(client_id="id", client_secret="secret"),),
        public_url="http://ingest.example",
    )
    app = create_app(settings, clock=clock)
    credentials = ClientCredentials(client_id="id", client_secret=SecretText("secret"))
    async with Falcon("http://x", credentials=credentials, clock=clock, asgi_app=app) as falcon:
        made = {"connector_id": "sandbox-hec", "name": "mine", "parser": "kv"}
        request = json_request("POST", "ngsiem/entities/connections/v1", made)
        connection_id = (await ask(falcon._session, request)).objects[0].text("id")
        connections = falcon.connections()
        (connection,) = await connections.list(filter_text="name:'mine'")
        (connector,) = await connections.connectors()
        key = await connections.key(connection_id)
        async with ConnectionIngest(key, clock=clock, asgi_app=app) as ingest:
            taken = await ingest.events([{"event": "n=1"}, {"event": "n=2"}])
            taken += await ingest.lines(["n=3", "", "n=4"])
        result = await falcon.search(
            f"3pi_{connection_id[:16]}",
            "sum(n)",
            start=clock.now() - HOUR,
            end=clock.now() + HOUR,
            deadline=HOUR,
        )
        with pytest.raises(NotFound):
            await connections.get("no")
    app.state.sandbox.close()

    assert (taken, result.rows[0]["_sum"]) == (4, "10")
    assert connection == DataConnection(
        id=connection_id,
        name="mine",
        status="active",
        source="push",
        parser="kv",
        vendor="Generic",
        product="HEC / HTTP Event Connector",
        ingest_url="http://ingest.example/services/collector",
        last_ingested_at=None,
        volume_one_day="",
    )
    assert (connector.id, connector.parsers) == ("sandbox-hec", ("json", "kv"))
    assert key.ingest_url == connection.ingest_url
    assert key.secret.reveal() not in repr(key)
