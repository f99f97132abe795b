"""Our client against servers of several ages: each is spoken to in the dialect that it knows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graphql import parse, validate

from orchestrator.client.graphql.action_kinds import WebhookContent
from orchestrator.client.graphql.asset_kinds import KINDS, kind_of
from orchestrator.client.graphql.documents import load_document, operation_names
from orchestrator.client.graphql.versions import (
    ALERT_LABELS,
    FILE_LABELS,
    SAVED_QUERY_TEMPLATES,
    parse_version,
)
from orchestrator.client.http.transport import HttpTransport, Request, Response
from orchestrator.client.logscale import LogScale
from orchestrator.client.types import (
    FilterAlert,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
)
from orchestrator.clock import FrozenClock
from orchestrator.errors import RequestRejected
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.graphql.schema import load_schema
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.secret import SecretText

OLD, MIDDLE, NEW = "1.150.0--build-7--sha-a", "1.190.2", "1.204.0"
VERSIONS = (OLD, MIDDLE, NEW, "2.0.0")
MINUTE = timedelta(minutes=1)
SEARCH = ScheduledSearch(
    name="s",
    description="d",
    query="count()",
    labels=("l",),
    enabled=True,
    schedule="5 * * * *",
    search_interval=60 * MINUTE,
    search_interval_offset=2 * MINUTE,
    backfill_limit_runs=3,
    timestamp_type=TimestampType.EVENT,
    actions=("hook",),
)
COMMON = {
    "viewName": "falcon",
    "name": "s",
    "description": "d",
    "queryString": "count()",
    "schedule": "5 * * * *",
    "timeZone": "UTC",
    "backfillLimit": 3,
    "enabled": True,
    "labels": ["l"],
    "queryOwnershipType": "Organization",
}
BY_INTERVAL = {
    "searchIntervalSeconds": 3600,
    "searchIntervalOffsetSeconds": 120,
    "queryTimestampType": "EventTimestamp",
    "actionIdsOrNames": ["hook"],
}


@dataclass(slots=True)
class Noting:
    """A transport that keeps the GraphQL operations it was given."""

    inner: HttpTransport
    sent: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, request: Request) -> Response:
        if request.path == "graphql":
            self.sent.append(json.loads(request.content))
        return await self.inner.send(request)

    def open(self, request: Request) -> Any:
        return self.inner.open(request)

    async def close(self) -> None:
        await self.inner.close()

    def input_of(self, operation: str) -> dict[str, Any]:
        (found,) = [
            body["variables"]["input"] for body in self.sent if body["operationName"] == operation
        ]
        return dict(found)


@asynccontextmanager
async def server(version: str) -> AsyncIterator[tuple[LogScale, Noting, Any]]:
    settings = SandboxSettings(tokens={"t": TokenRole(name="admin")}, version=version)
    app = create_app(settings, clock=FrozenClock(datetime(2026, 3, 10, tzinfo=UTC)))
    transport = Noting(HttpTransport("http://x", asgi_app=app))
    scale = LogScale(
        "http://x",
        token=SecretText("t"),
        clock=FrozenClock(datetime(2026, 3, 10, tzinfo=UTC)),
        transport=transport,
    )
    try:
        async with scale:
            content = WebhookContent(
                url=SecretText("https://x.example/h"), body_template="{events}"
            )
            await scale.actions("falcon").create("hook", content)
            yield scale, transport, app
    finally:
        app.state.sandbox.close()


async def ask(app: Any, text: str) -> Any:
    """Return what the server answers to a document that was not chosen by its version."""
    transport = HttpTransport("http://x", asgi_app=app)
    answer = await transport.send(
        Request(
            method="POST",
            path="graphql",
            content=json.dumps({"query": text}).encode(),
            headers={"Authorization": "Bearer t", "Content-Type": "application/json"},
        )
    )
    await transport.close()
    return json.loads(answer.body)


@pytest.mark.parametrize(
    ("version", "create", "update", "own", "own_update"),
    [
        (
            OLD,
            "CreateScheduledSearchV1",
            "UpdateScheduledSearchV1",
            {"queryStart": "3720s", "queryEnd": "120s"},
            {},
        ),
        (MIDDLE, "CreateScheduledSearchV2", "UpdateScheduledSearchV2", BY_INTERVAL, {}),
        (
            NEW,
            "CreateScheduledSearch",
            "UpdateScheduledSearch",
            {**BY_INTERVAL, "triggerOnEmptyResult": False},
            {"triggerOnEmptyResult": False},
        ),
    ],
    ids=["V1", "V2", "V3"],
)
async def test_scheduled_search_lives_its_life_in_each_dialect(
    version: str, create: str, update: str, own: dict[str, Any], own_update: dict[str, Any]
) -> None:
    async with server(version) as (scale, wire, app):
        assets = scale.assets("falcon")

        made = await assets.create(SEARCH)
        wanted = replace(made, description="changed", search_interval=30 * MINUTE)
        changed = await assets.update(wanted, expected=made)
        with pytest.raises(RequestRejected, match="changed since it was read"):
            await assets.update(made, expected=made)
        await assets.add_label(changed, "more")
        await assets.disable(changed)
        await assets.clear_error(changed)
        (listed,) = await assets.list(ScheduledSearch)
        (stored,) = app.state.sandbox.domains["falcon"].assets["scheduledSearches"].values()
        await assets.delete(listed)
        left = await assets.list(ScheduledSearch)

        (hook,) = await scale.actions("falcon").list()
        actions = {"actions": [hook.id]} if version == OLD else {}
        assert made == replace(SEARCH, id=made.id)
        assert changed == wanted
        assert listed == replace(wanted, enabled=False, labels=("l", "more"))
        assert (stored["searchIntervalSeconds"], stored["searchIntervalOffsetSeconds"]) == (
            1800,
            120,
        )
        assert left == ()
        assert wire.input_of(create) == {**COMMON, **own, **actions}
        updated = wire.input_of(update)
        assert updated["id"] == made.id
        assert own_update.items() <= updated.items()


async def test_ingest_time_is_not_for_the_oldest_servers() -> None:
    search = replace(
        SEARCH,
        timestamp_type=TimestampType.INGEST,
        search_interval_offset=None,
        backfill_limit_runs=None,
        max_wait=MINUTE,
    )
    async with server(OLD) as (scale, _, _app):
        with pytest.raises(RequestRejected, match=r"before 1\.180 have no scheduled searches by"):
            await scale.assets("falcon").create(search)
    async with server(MIDDLE) as (scale, _, _app):
        made = await scale.assets("falcon").create(search)

    assert made == replace(search, id=made.id)


@pytest.mark.parametrize(
    ("version", "kept"),
    [(OLD, {}), (MIDDLE, {}), (NEW, {"description": "d", "labels": ("l",)})],
    ids=["old", "middle", "new"],
)
async def test_saved_query_keeps_what_its_server_can_hold(
    version: str, kept: dict[str, Any]
) -> None:
    async with server(version) as (scale, _, _app):
        assets = scale.assets("falcon")
        query = SavedQuery(name="q", description="d", query="a=b", labels=("l",))

        made = await assets.create(query)
        changed = await assets.update(replace(made, query="a=c"), expected=made)

    assert made == SavedQuery(id=made.id, name="q", query="a=b", **kept)
    assert changed == replace(made, query="a=c")


async def test_saved_query_is_made_from_yaml_where_the_server_can() -> None:
    text = "name: q\nqueryString: a=b\n"
    async with server(MIDDLE) as (scale, wire, _app):
        with pytest.raises(RequestRejected, match="makes no saved query from a template"):
            await scale.assets("falcon").create_from_template(text)
        assert [body["operationName"] for body in wire.sent] == ["CreateWebhookAction"]
    async with server(NEW) as (scale, _, _app):
        assets = scale.assets("falcon")
        made = await assets.create_from_template(text)
        other = await assets.create_from_template(text, name="r")
        listed = await assets.list(SavedQuery)

    assert (made.name, made.query, other.name) == ("q", "a=b", "r")
    assert listed == (made, other)


@pytest.mark.parametrize("version", VERSIONS)
async def test_one_label_of_an_alert_needs_a_server_that_can(version: str) -> None:
    async with server(version) as (scale, _, _app):
        assets = scale.assets("falcon")
        made = await assets.create(FilterAlert(name="f", query="a=b", enabled=True))
        if parse_version(version) < ALERT_LABELS:
            with pytest.raises(RequestRejected, match="cannot change one label"):
                await assets.add_label(made, "l")
        else:
            await assets.add_label(made, "l")
        (listed,) = await assets.list(FilterAlert)

    assert listed.labels == (("l",) if parse_version(version) >= ALERT_LABELS else ())


@pytest.mark.parametrize("version", VERSIONS)
async def test_labels_of_a_file_need_a_server_that_has_them(version: str) -> None:
    async with server(version) as (scale, _, _app):
        files = scale.files("falcon")
        await files.create("plain.csv")
        if parse_version(version) < FILE_LABELS:
            for ask in (files.list(with_labels=True), files.create("l.csv", labels={"l"})):
                with pytest.raises(RequestRejected, match="no labels of lookup files"):
                    await ask
            (listed,) = await files.list()
        else:
            await files.create("labelled.csv", labels={"b", "a"})
            listed, _ = await files.list(with_labels=True)

    assert listed.labels == (("a", "b") if parse_version(version) >= FILE_LABELS else ())


@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_for_a_version_is_valid_there(version: str) -> None:
    number = parse_version(version)
    of_kinds = {name for kind in KINDS for name in operations(kind)}
    chosen = {
        name for kind in KINDS if kind is kind_of(kind.type, number) for name in operations(kind)
    }
    labels = {
        f"{verb}{kind.trigger}Label"
        for kind in KINDS
        if kind.trigger and number < kind.labels_since
        for verb in ("Add", "Remove")
    }

    newer = set() if number >= SAVED_QUERY_TEMPLATES else {"CreateSavedQueryFromTemplate"}
    newer |= set() if number >= FILE_LABELS else {"ListLabelledFiles", "CreateLabelledFile"}

    wrong = {
        name
        for name in {*operation_names()} - of_kinds - labels - newer | chosen
        if validate(load_schema(version), parse(load_document(name)))
    }

    assert wrong == set()


def operations(kind: Any) -> set[str]:
    of_all = {
        kind.list_operation,
        kind.create_operation,
        kind.update_operation,
        kind.delete_operation,
    }
    return of_all | ({kind.template_operation} if kind.template_operation else set())


@pytest.mark.parametrize(
    ("text", "since"),
    [
        (
            "mutation($i: CreateScheduledSearchV2!) { createScheduledSearchV2(input: $i) { id } }",
            "1.180",
        ),
        ("{ searchDomain(name: %) { scheduledSearches { queryTimestampType } } }", "1.180"),
        (
            "mutation($i: UpdateScheduledSearchV3!) { updateScheduledSearchV3(input: $i) { id } }",
            "1.204",
        ),
        ("{ searchDomain(name: %) { scheduledSearches { triggerOnEmptyResult } } }", "1.204"),
        ("{ searchDomain(name: %) { filterAlerts { createdInfo { timestamp } } } }", "1.204"),
        ("{ searchDomain(name: %) { savedQueries { labels } } }", "1.204"),
        ("{ searchDomain(name: %) { actions { labels } } }", "1.204"),
        ("{ searchDomain(name: %) { files { labels } } }", "1.204"),
        ("mutation { addFilterAlertLabel(input: {viewName: %, id: %, label: %}) }", "1.204"),
        ("mutation { newFile(fileName: %, name: %, labels: [%]) { limit } }", "1.204"),
        ("{ searchDomain(name: %) { scheduledSearches { labels } } }", ""),
        ("{ searchDomain(name: %) { alerts { labels } } }", ""),
    ],
)
def test_server_lacks_what_came_after_it(text: str, since: str) -> None:
    document = parse(text.replace("%", '"x"'))
    known = {
        version: validate(load_schema(version), document) == []
        for version in ("1.179.9", "1.180.0", "1.203.9", "1.204.0")
    }

    assert known == {
        version: parse_version(version) >= (parse_version(since) if since else (0, 0, 0))
        for version in known
    }


async def test_unknown_member_fails_the_whole_document_and_status_says_why() -> None:
    async with server(OLD) as (scale, _, app):
        answer = await ask(
            app,
            '{ meta { version } searchDomain(name: "falcon") {'
            " scheduledSearches { triggerOnEmptyResult } } }",
        )
        meta = await ask(app, "{ meta { version minimumNodeVersion } }")

        assert answer["data"] is None
        assert "Cannot query field 'triggerOnEmptyResult'" in answer["errors"][0]["message"]
        assert meta["data"] == {"meta": {"version": OLD, "minimumNodeVersion": OLD}}
        assert (await scale.status()).version == OLD
        assert await scale.version() == (1, 150, 0)


def test_version_that_is_none_opens_no_sandbox() -> None:
    settings = SandboxSettings(version="main-branch")

    with pytest.raises(ValueError, match="'main-branch' is not a version such as"):
        create_app(settings, clock=FrozenClock(datetime(2026, 3, 10, tzinfo=UTC)))
