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

from orchestrator.client.graphql.asset_kinds import KINDS, kind_of
from orchestrator.client.graphql.documents import load_document, operation_names
from orchestrator.client.graphql.versions import (
    ACTION_LABELS,
    ALERT_LABELS,
    FILE_LABELS,
    MODIFIED_INFO,
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
    UploadFileContent,
    WebhookContent,
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
    ("version", "held"),
    [(OLD, {}), (MIDDLE, {}), (NEW, {"description": "d", "labels": ("l",)})],
    ids=["old", "middle", "new"],
)
async def test_saved_query_keeps_what_its_server_can_hold(
    version: str, held: dict[str, Any]
) -> None:
    async with server(version) as (scale, _, _app):
        assets = scale.assets("falcon")
        shown: dict[str, Any] = {
            "start": "7d",
            "end": "1h",
            "is_live": True,
            "widget_type": "table-view",
            "options": {"columns": ["a"]},
        }

        made = await assets.create(SavedQuery(name="q", query="a=b", **held, **shown))
        bare = SavedQuery(id=made.id, name="q", query="a=c", **held)
        changed = await assets.update(bare, expected=made)
        moved = await assets.update(replace(changed, start="1d", is_live=False), expected=changed)

    assert made == SavedQuery(id=made.id, name="q", query="a=b", **held)
    assert {name: getattr(made, name) for name in shown} == shown
    assert changed == replace(made, query="a=c")
    assert {name: getattr(changed, name) for name in shown} == shown
    assert (moved.start, moved.end, moved.is_live) == ("1d", "1h", False)
    assert moved.options == {"columns": ["a"]}


@pytest.mark.parametrize("version", [OLD, MIDDLE])
@pytest.mark.parametrize("held", [{"description": "d"}, {"labels": ("l",)}], ids=str)
async def test_saved_query_that_its_server_cannot_hold_is_refused(
    version: str, held: dict[str, Any]
) -> None:
    async with server(version) as (scale, _, app):
        assets = scale.assets("falcon")
        with pytest.raises(RequestRejected, match=r"q: servers before 1\.204 take no labels"):
            await assets.create(SavedQuery(name="q", query="a=b", **held))
        made = await assets.create(SavedQuery(name="q", query="a=b"))
        with pytest.raises(RequestRejected, match=r"before 1\.204 take no labels"):
            await assets.update(replace(made, **held), expected=made)
        # A description that is there can be read and stays, though it cannot be written.
        (record,) = app.state.sandbox.domains["falcon"].assets["savedQueries"].values()
        record["description"] = "there"
        (told,) = await assets.list(SavedQuery)
        changed = await assets.update(replace(told, query="a=c"), expected=told)

    assert (changed.query, changed.description) == ("a=c", "there")


@pytest.mark.parametrize("version", [OLD, MIDDLE])
async def test_empty_result_fires_nothing_on_servers_that_cannot(version: str) -> None:
    async with server(version) as (scale, wire, _app):
        assets = scale.assets("falcon")
        with pytest.raises(RequestRejected, match=r"s: servers before 1\.204 fire no scheduled"):
            await assets.create(replace(SEARCH, trigger_on_empty=True))
        made = await assets.create(SEARCH)
        with pytest.raises(RequestRejected, match="on an empty result"):
            await assets.update(replace(made, trigger_on_empty=True), expected=made)

    writes = [body["operationName"] for body in wire.sent if "Scheduled" in body["operationName"]]
    assert [name.removesuffix("V1").removesuffix("V2") for name in writes] == [
        "CreateScheduledSearch",
        "ListScheduledSearches",
    ]


@pytest.mark.parametrize("version", [OLD, MIDDLE, NEW])
async def test_maximum_wait_does_not_go_with_event_time(version: str) -> None:
    async with server(version) as (scale, _, _app):
        with pytest.raises(RequestRejected, match="by event time has no maximum wait"):
            await scale.assets("falcon").create(replace(SEARCH, max_wait=MINUTE))


@pytest.mark.parametrize("version", VERSIONS)
async def test_labels_of_an_action_need_a_server_that_has_them(version: str) -> None:
    content = UploadFileContent(file_name="found.csv")
    async with server(version) as (scale, _, _app):
        actions = scale.actions("falcon")
        if parse_version(version) < ACTION_LABELS:
            with pytest.raises(RequestRejected, match=r"before 1\.204 have no labels on actions"):
                await actions.create("file", content, labels=["l"])
            made = await actions.create("file", content)
            with pytest.raises(RequestRejected, match=r"action file: servers before 1\.204"):
                await actions.update(made, content, labels=["l"])
            kept: tuple[str, ...] = ()
        else:
            made, kept = await actions.create("file", content, labels=["l"]), ("l",)
        await actions.update(made, UploadFileContent(file_name="other.csv"))
        (listed, _hook) = await actions.list()

    assert made.labels == listed.labels == kept
    assert listed.content == UploadFileContent(file_name="other.csv")
    assert (listed.modified_at is None) is (parse_version(version) < ACTION_LABELS)


@pytest.mark.parametrize("version", VERSIONS)
async def test_action_is_made_from_yaml_and_written_as_yaml(version: str) -> None:
    text = "name: file\ntype: upload-file\nfileName: found.csv\n"
    async with server(version) as (scale, _, _app):
        actions = scale.actions("falcon")
        if parse_version(version) < ACTION_LABELS:
            with pytest.raises(RequestRejected, match="takes no action's name from a template"):
                await actions.create_from_template(text)
        made = await actions.create_from_template(text, name="mine")
        written = await actions.to_template(made)
        again = await actions.create_from_template(written.reveal(), name="again")

    assert (made.name, made.content) == ("mine", UploadFileContent(file_name="found.csv"))
    assert (again.name, again.content) == ("again", made.content)
    assert "found.csv" not in repr(written)


@pytest.mark.parametrize("version", VERSIONS)
async def test_change_that_was_undone_is_told_by_its_time(version: str) -> None:
    """A server before 1.174 does not say when an alert was changed."""
    async with server(version) as (scale, _, _app):
        assets = scale.assets("falcon")
        made = await assets.create(FilterAlert(name="f", query="a=b", enabled=True))
        await assets.disable(made)
        await assets.enable(made)
        (there,) = await assets.list(FilterAlert)
        wanted = replace(made, query="a=c")
        if parse_version(version) < MODIFIED_INFO:
            assert (await assets.update(wanted, expected=made)).query == "a=c"
        else:
            with pytest.raises(RequestRejected, match="changed since it was read"):
                await assets.update(wanted, expected=made)
            assert (await assets.update(wanted, expected=there)).query == "a=c"

    assert there == made


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
    if number < ACTION_LABELS:
        newer |= {"ListActions", "CreateActionFromTemplate"}

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
        kind.export_operation,
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
        ("{ searchDomain(name: %) { filterAlerts { modifiedInfo { modifiedAt } } } }", "1.174"),
        ("{ searchDomain(name: %) { aggregateAlerts { modifiedInfo { modifiedAt } } } }", "1.174"),
        (
            "{ searchDomain(name: %) { scheduledSearches { modifiedInfo { modifiedAt } } } }",
            "1.174",
        ),
        ("{ searchDomain(name: %) { savedQueries { yamlTemplate } } }", "1.180"),
        ("{ searchDomain(name: %) { savedQueries { templateYaml } } }", ""),
        ("{ searchDomain(name: %) { savedQueries { modifiedInfo { timestamp } } } }", "1.204"),
        ("{ searchDomain(name: %) { actions { modifiedInfo { timestamp } } } }", "1.204"),
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
        for version in ("1.173.9", "1.174.0", "1.179.9", "1.180.0", "1.203.9", "1.204.0")
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
