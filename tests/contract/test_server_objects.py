"""Actions of every kind, switches, repositories and views: our client against the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.client.graphql.action_kinds import (
    CONTENTS,
    ActionContent,
    EmailContent,
    HumioRepoContent,
    OpsGenieContent,
    PagerDutyContent,
    SlackContent,
    SlackPostMessageContent,
    UploadFileContent,
    VictorOpsContent,
    WebhookContent,
)
from orchestrator.client.logscale import LogScale
from orchestrator.client.types import (
    AggregateAlert,
    Asset,
    FilterAlert,
    LegacyAlert,
    LookupFile,
    LookupRows,
    QueryShape,
    RepositoryFacts,
    Retention,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
    View,
    ViewConnection,
)
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    Forbidden,
    GraphqlError,
    NotFound,
    RequestRejected,
    UnknownRepository,
)
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.assets.yaml_forms import yaml_of
from orchestrator.sandbox.settings import Right, SandboxSettings, TokenRole
from orchestrator.sandbox.storage.states import RunState
from orchestrator.secret import SecretText

HOUR = timedelta(hours=1)
KEY = SecretText("a-secret-canary")
ADDRESS = SecretText("https://hooks.example.com/a-secret-canary")
TOKENS = {
    "admin-token": TokenRole(name="admin"),
    "reader-token": TokenRole(name="reader", rights=frozenset({Right.READ})),
}
EXAMPLES: tuple[ActionContent, ...] = (
    WebhookContent(url=ADDRESS, body_template="{events}", headers={"X-Key": KEY}),
    EmailContent(recipients=["a@example.com"], subject_template="{alert_name}", attach_csv=True),
    SlackContent(url=ADDRESS, fields={"Host": "{field:host}"}),
    SlackPostMessageContent(token=KEY, channels=["#soc"], fields={"Host": "{field:host}"}),
    PagerDutyContent(routing_key=KEY, severity="critical"),
    OpsGenieContent(key=KEY),
    VictorOpsContent(url=ADDRESS, message_type="CRITICAL"),
    HumioRepoContent(ingest_token=KEY),
    UploadFileContent(file_name="found.csv"),
)
SWITCHED: tuple[Asset, ...] = (
    ScheduledSearch(
        name="s",
        query="count()",
        enabled=True,
        schedule="*/5 * * * *",
        search_interval=HOUR,
        timestamp_type=TimestampType.EVENT,
        actions=("hook",),
    ),
    AggregateAlert(
        name="a",
        query="count()",
        enabled=True,
        search_interval=HOUR,
        throttle=HOUR,
        actions=("hook",),
    ),
    FilterAlert(name="f", query="a=b", enabled=True, throttle=HOUR, actions=("hook",)),
    LegacyAlert(
        name="l",
        query="a=b",
        enabled=True,
        window=HOUR,
        throttle=HOUR,
        throttle_field="a",
        actions=("hook",),
    ),
)


@pytest.fixture
async def app() -> AsyncIterator[Any]:
    clock = FrozenClock(datetime(2026, 3, 10, tzinfo=UTC))
    made = create_app(SandboxSettings(tokens=TOKENS), clock=clock)
    yield made
    made.state.sandbox.close()


def client_of(app: Any, token: str = "admin-token") -> LogScale:
    clock = app.state.sandbox.clock
    return LogScale("http://x", token=SecretText(token), clock=clock, asgi_app=app)


def test_every_kind_of_action_has_an_example() -> None:
    assert {type(content) for content in EXAMPLES} == set(CONTENTS)


@pytest.mark.parametrize("content", EXAMPLES, ids=lambda content: content.kind)
async def test_action_of_each_kind_is_made_and_deleted(app: Any, content: ActionContent) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")

        made = await actions.create("mine", content)

        assert (made.name, made.kind) == ("mine", content.kind)
        assert await actions.list() == (made,)
        assert KEY.reveal() not in repr(content)
        await actions.delete(made)
        assert await actions.list() == ()


@pytest.mark.parametrize("content", EXAMPLES, ids=lambda content: content.kind)
async def test_action_of_each_kind_is_replaced(app: Any, content: ActionContent) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        made = await actions.create("mine", content)
        domain = app.state.sandbox.domains["falcon"]
        (before,) = domain.assets["actions"].values()

        renamed = await actions.update(made, content, name="renamed")

        (after,) = domain.assets["actions"].values()
        assert renamed == replace(made, name="renamed")
        touched = {"name": "renamed", "modifiedAt": after["modifiedAt"]}
        assert after == {**before, **touched}
        other = EXAMPLES[0] if content.kind != "WebhookAction" else EXAMPLES[1]
        with pytest.raises(RequestRejected, match=f"is a {content.kind} and cannot become"):
            await actions.update(renamed, other)
        with pytest.raises(RequestRejected, match="changed since it was read"):
            await actions.update(made, content)
        await actions.delete(renamed)
        with pytest.raises(NotFound, match="renamed is gone from falcon"):
            await actions.update(renamed, content)


async def test_update_of_an_action_replaces_all_of_it(app: Any) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        first = WebhookContent(url=ADDRESS, body_template="{events}", headers={"X-Key": KEY})
        made = await actions.create("mine", first)

        second = WebhookContent(
            url=SecretText("https://b.example/c"), body_template="{url}", method="PUT"
        )
        same = await actions.update(made, second)

    (stored,) = app.state.sandbox.domains["falcon"].assets["actions"].values()
    assert same == made
    members = ("url", "bodyTemplate", "method", "headers")
    assert [stored[name] for name in members] == ["https://b.example/c", "{url}", "PUT", []]


@pytest.mark.parametrize("content", EXAMPLES, ids=lambda content: content.kind)
async def test_action_of_each_kind_is_tested(app: Any, content: ActionContent) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")

        tested = await actions.test("mine", content, trigger="t", events=[{"host": "a", "n": 1}])

        # Mails and files stay inside; nothing else is let out to other machines.
        stays = isinstance(content, EmailContent | UploadFileContent)
        assert tested.is_sent is stays
        assert tested.message != ""
        assert KEY.reveal() not in tested.message
        assert await actions.list() == ()
    (record,) = app.state.sandbox.triggers.book.invocations
    assert (record["trigger"], record["kind"], record["event_count"]) == ("t", content.kind, 1)


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_asset_is_switched_off_and_on(app: Any, asset: Asset) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        made = await assets.create(asset)

        await assets.disable(made)
        (off,) = await assets.list(type(asset))
        await assets.enable(off)
        (on,) = await assets.list(type(asset))

    assert getattr(off, "enabled", None) is False
    assert on == made


async def test_saved_query_has_no_switch(app: Any) -> None:
    async with client_of(app) as scale:
        assets = scale.assets("falcon")
        made = await assets.create(SavedQuery(name="q", query="*"))
        for touch in (assets.disable(made), assets.clear_error(made), assets.add_label(made, "x")):
            with pytest.raises(TypeError, match="SavedQuery cannot be switched, labelled"):
                await touch


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_asset_reads_back_as_it_was_written(app: Any, asset: Asset) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")

        made = await assets.create(asset)
        # What a server fills in is part of what it returned; all else is as it was given.
        told = {n: v for n, v in given(asset).items() if v is not None}
        first = {name: given(made)[name] for name in told}
        wanted = replace(made, description="of a colleague", labels=("x",))
        changed = await assets.update(wanted, expected=made)
        with pytest.raises(RequestRejected, match="changed since it was read"):
            await assets.update(made, expected=made)
        listed = await assets.list(type(asset))
        await assets.delete(changed)
        left = await assets.list(type(asset))

    assert first == told
    assert changed == wanted
    assert listed == (wanted,)
    assert left == ()


def given(asset: Asset) -> dict[str, object]:
    names = {field.name for field in fields(asset)} - {"id", "raw"}
    return {name: getattr(asset, name) for name in names}


READ_FROM_YAML: tuple[Asset, ...] = (
    ScheduledSearch(
        name="s",
        query="count()",
        labels=("l",),
        enabled=True,
        schedule="H 2 * * *",
        search_interval=HOUR,
        search_interval_offset=2 * HOUR,
        backfill_limit_runs=3,
        timestamp_type=TimestampType.EVENT,
        actions=("hook",),
    ),
    FilterAlert(name="f", query="a=b", enabled=False, actions=("hook",)),
    SWITCHED[3],
)


@pytest.mark.parametrize("asset", READ_FROM_YAML, ids=lambda asset: type(asset).__name__)
async def test_asset_is_made_anew_from_its_yaml(app: Any, asset: Asset) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        made = await assets.create(asset)
        domain = app.state.sandbox.domains["falcon"]
        kind = next(kind for kind, found in domain.assets.items() if made.id in found)
        text = yaml_of(kind, domain.assets[kind][made.id], domain)

        read = await assets.from_template(type(asset), text)
        await assets.delete(made)
        again = await assets.create(read)

    assert read == replace(made, id="")
    assert again == replace(made, id=again.id)


async def test_template_that_cannot_be_read_is_refused(app: Any) -> None:
    async with client_of(app) as scale:
        assets = scale.assets("falcon")
        with pytest.raises(GraphqlError, match="yamlTemplate: not a mapping"):
            await assets.from_template(LegacyAlert, "- a")
        with pytest.raises(GraphqlError, match="no action has the id or name 'gone'"):
            await assets.from_template(
                FilterAlert, "name: a\nqueryString: a=b\nactionNameReferences: [gone]"
            )
        with pytest.raises(TypeError, match="AggregateAlert is not read from a template"):
            await assets.from_template(AggregateAlert, "name: a")
        assert await assets.list(FilterAlert) == ()


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_labels_come_and_go_one_by_one(app: Any, asset: Asset) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        made = await assets.create(asset)

        seen = []
        for touch in (
            assets.add_label(made, "a"),
            assets.add_label(made, "b"),
            assets.add_label(made, "a"),
            assets.remove_label(made, "b"),
            assets.remove_label(made, "never there"),
        ):
            await touch
            (found,) = await assets.list(type(asset))
            seen.append(sorted(found.labels))

    assert seen == [["a"], ["a", "b"], ["a", "b"], ["a"], ["a"]]


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_last_error_is_cleared(app: Any, asset: Asset) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        made = await assets.create(asset)
        domain = app.state.sandbox.domains["falcon"]
        domain.runs[made.id] = RunState(error="no such file")

        (broken,) = await assets.list(type(asset))
        await assets.clear_error(made)
        (cleared,) = await assets.list(type(asset))

    assert (broken.raw["lastError"], cleared.raw["lastError"]) == ("no such file", None)


async def test_asset_without_an_id_is_not_touched(app: Any) -> None:
    async with client_of(app) as scale:
        with pytest.raises(ValueError, match="l has no id"):
            await scale.assets("falcon").clear_error(SWITCHED[-1])


BOTH = (
    ViewConnection(repository="falcon", filter="a=b"),
    ViewConnection(repository="raw", filter="*"),
)


async def test_views_through_their_whole_life(app: Any) -> None:
    async with client_of(app) as scale:
        views = scale.views()
        await views.create_repository("raw", description="for tests")
        await views.create_view("both", BOTH)
        listed = await views.list()
        await views.update_view(listed[0], [ViewConnection(repository="raw", filter="c=d")])
        changed = {view.name: view.connections for view in await views.list()}
        with pytest.raises(GraphqlError):
            await views.create_repository("raw")
        await views.delete("both", reason="test is over")
        await views.delete("raw", reason="test is over")
        left = [view.name for view in await views.list()]

    both, falcon, raw = listed
    assert both.connections == BOTH
    assert (both.is_repository, falcon.is_repository) == (False, True)
    assert raw == View(id=raw.id, name="raw", description="for tests", is_repository=True)
    assert changed["both"] == (ViewConnection(repository="raw", filter="c=d"),)
    assert left == ["falcon"]


async def test_view_keeps_each_connection_when_it_is_read_and_written(app: Any) -> None:
    two = (
        ViewConnection(repository="falcon", filter="a=b"),
        ViewConnection(repository="falcon", filter="c=d", language="xdr1"),
    )
    async with client_of(app) as scale:
        views = scale.views()
        await views.create_view("twice", two)
        before = next(view for view in await views.list() if view.name == "twice")
        more = ViewConnection(repository="falcon", filter="e=f")
        await views.update_view(before, [*before.connections, more])
        after = next(view for view in await views.list() if view.name == "twice")
        await scale.ingest().structured(
            [{"tags": {}, "events": [{"timestamp": 1, "attributes": {"a": "b", "c": "d"}}]}],
            repository="falcon",
        )
        start, end = datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC)
        found = await scale.search("twice", "*", start=start, end=end, deadline=HOUR)

    assert before.connections == two
    assert before.repositories == ("falcon",)
    assert after.connections == (*two, more)
    # An event that two connections let through is there once.
    assert [row["a"] for row in found.rows] == ["b"]


async def test_repository_is_set_up_and_read_back(app: Any) -> None:
    day = timedelta(days=1)
    async with client_of(app) as scale:
        views = scale.views()
        await views.create_repository("raw", max_age=36 * HOUR, max_storage_bytes=5 * 1024**3)
        made = await views.get("raw")
        await views.set_retention("raw", Retention(max_age=30.5 * day, ingest_gb=2.5))
        await views.describe("raw", "of the west")
        await views.set_automatic_search("raw", is_on=False)
        changed = await views.get("raw")
        await views.set_retention("raw", Retention())
        free = await views.get("raw")
        await scale.ingest().hec([{"event": "a=b", "index": "falcon"}])
        full = await views.get("falcon")
        with pytest.raises(GraphqlError, match="timeBasedRetention: must be positive"):
            await views.set_retention("raw", Retention(max_age=-day))
        with pytest.raises(UnknownRepository, match="no repository or view 'void'"):
            await views.get("void")

    assert made.retention == Retention(max_age=36 * HOUR, storage_gb=5)
    assert made.facts == RepositoryFacts(
        kind="DEFAULT",
        data="ANYDATA",
        compressed_bytes=0,
        uncompressed_bytes=0,
        latest_ingest_at=None,
    )
    assert changed == View(
        id=made.id,
        name="raw",
        description="of the west",
        is_repository=True,
        has_automatic_search=False,
        retention=Retention(max_age=30.5 * day, ingest_gb=2.5),
    )
    assert free.retention == Retention()
    assert full.facts is not None
    assert full.facts.latest_ingest_at == datetime(2026, 3, 10, tzinfo=UTC)
    assert full.facts.compressed_bytes > 0


async def test_view_that_somebody_else_changed_is_left_as_it_is(app: Any) -> None:
    async with client_of(app) as scale:
        views = scale.views()
        await views.create_view("both", [ViewConnection(repository="falcon")])
        mine = (await views.list())[0]
        theirs = (ViewConnection(repository="falcon", filter="a=b"),)
        await views.update_view(mine, theirs)

        with pytest.raises(RequestRejected, match="connections of both changed since it was read"):
            await views.update_view(mine, [ViewConnection(repository="falcon", filter="c=d")])

        left = (await views.list())[0]
        await views.delete("both", reason="over")
        with pytest.raises(NotFound, match="both is gone"):
            await views.update_view(left, theirs)

    assert left.connections == theirs


async def test_token_is_told_what_it_may_do(app: Any) -> None:
    async with client_of(app) as scale, client_of(app, "reader-token") as reader:
        viewer = await reader.views().viewer()
        allowed = await scale.views().allowed_actions("falcon")
        read_only = await reader.views().allowed_actions("falcon")
        with pytest.raises(Forbidden):
            await reader.views().create_repository("mine")
        packages = await reader.packages("falcon").list()

    assert (viewer.name, viewer.is_root) == ("reader", False)
    assert {"ReadEvents", "ChangeTriggers", "ChangeFiles"} <= allowed
    assert "ReadEvents" in read_only
    assert "ChangeTriggers" not in read_only
    assert packages == ()


async def test_query_is_validated_by_the_server(app: Any) -> None:
    async with client_of(app) as scale:
        assert await scale.views().validate("a=b | count()") == ()
        (problem, *_) = await scale.views().validate("x = | count(")

    assert problem.severity == "Error"
    assert problem.message != ""


@pytest.mark.parametrize(
    ("query", "alert_type", "codes"),
    [
        ("a=b", "FilterAlert", []),
        ("a=b | count()", "AggregateAlert", []),
        ("join({a=b}, field=x)", "LegacyAlert", []),
        ("x = | count(", "", None),
        ('$known() | match(file="known.csv", field=a)', "FilterAlert", []),
        (
            '$unknown() | match(file="unknown.csv", field=a)',
            "",
            ["unknown-saved-query", "unknown-file"],
        ),
        ('a=b | Format("%s", field=a) | sort(a)', "", ["function-rejected"]),
    ],
)
async def test_query_is_analyzed_by_the_server(
    app: Any, query: str, alert_type: str, codes: list[str] | None
) -> None:
    async with client_of(app) as scale:
        await scale.assets("falcon").create(SavedQuery(name="known", query="a=b"))
        await scale.files("falcon").upload("known.csv", b"a\n1\n")

        found = await scale.views().analyze(
            query, view="falcon", arguments={"x": "1"}, reject_functions=["format"]
        )

    assert found.alert_type == alert_type
    assert found.is_valid is bool(alert_type)
    assert found.is_valid is not any(problem.severity == "Error" for problem in found.problems)
    if codes is not None:
        assert [problem.code for problem in found.problems] == codes


@pytest.mark.parametrize(
    ("query", "shape"),
    [
        (
            "a=b | c=d",
            QueryShape(
                is_aggregate=False,
                is_single_phase=True,
                filter_part="a=b | c=d",
                suits_filter_alert=True,
            ),
        ),
        (
            "a=b | count()",
            QueryShape(
                is_aggregate=True,
                is_single_phase=True,
                filter_part="a=b",
                suits_filter_alert=False,
            ),
        ),
    ],
)
async def test_query_has_a_shape(app: Any, query: str, shape: QueryShape) -> None:
    async with client_of(app) as scale:
        assert await scale.views().shape(query, view="falcon") == shape


async def test_query_with_another_before_it_has_two_phases(app: Any) -> None:
    async with client_of(app) as scale:
        found = await scale.views().shape("join({a=b}, field=x)", view="falcon")
        with pytest.raises(GraphqlError):
            await scale.views().shape("x = | count(", view="falcon")

    assert (found.is_single_phase, found.suits_filter_alert) == (False, False)


async def test_query_is_analyzed_without_a_view(app: Any) -> None:
    async with client_of(app) as scale:
        found = await scale.views().analyze("$anywhere()")
        with pytest.raises(GraphqlError, match="Could not find a search domain"):
            await scale.views().analyze("a=b", view="nowhere")

    assert (found.is_valid, found.problems) == (True, ())


async def test_rows_of_a_lookup_file_are_read_and_written(app: Any) -> None:
    async with client_of(app) as scale:
        files = scale.files("falcon")
        empty = await files.create("hosts.csv")
        columns = ("host", "role")
        await files.replace_rows("hosts.csv", empty, ROWS, columns=columns)
        some = await files.page("hosts.csv", offset=1, limit=2)
        chosen = await files.page("hosts.csv", containing="web-4")
        await files.replace_rows("hosts.csv", some, [["db-1", "store"]])
        with pytest.raises(RequestRejected, match=r"hosts\.csv in falcon changed since it was"):
            await files.replace_rows("hosts.csv", some, [])
        end = await files.page("hosts.csv", offset=449)
        await files.replace_rows("hosts.csv", end, [["last", "a,b"]])
        read = [row async for row in files.rows("hosts.csv")]
        found = [row["host"] async for row in files.rows("hosts.csv", containing="web-44")]
        content = await files.download("hosts.csv")
        with pytest.raises(GraphqlError, match=r"'gone\.csv' does not exist"):
            await files.page("gone.csv")

    assert empty == LookupRows(columns=(), rows=(), offset=0, total=0)
    assert some == LookupRows(columns=columns, rows=ROWS[1:3], offset=1, total=450)
    assert (chosen.total, chosen.rows[0], chosen.containing) == (61, ("web-4", "ci"), "web-4")
    assert end == LookupRows(columns=columns, rows=(), offset=449, total=449)
    assert len(read) == 450
    assert [read[0], read[1], read[2], read[-1]] == [
        {"host": "web-0", "role": "ci"},
        {"host": "db-1", "role": "store"},
        {"host": "web-3", "role": "ci"},
        {"host": "last", "role": "a,b"},
    ]
    assert found == ["web-44", *(f"web-44{n}" for n in range(10))]
    assert content.startswith(b"host,role\nweb-0,ci\ndb-1,store\nweb-3,ci\n")


ROWS = tuple((f"web-{n}", "ci") for n in range(450))


async def test_lookup_file_says_who_made_it_and_how_large_it_is(app: Any) -> None:
    async with client_of(app) as scale:
        files = scale.files("falcon")
        await files.upload("a.csv", b"k,v\n1,2\n")
        (made,) = await files.list()
        app.state.sandbox.clock.advance(HOUR)
        changer = TokenRole(name="changer")
        app.state.sandbox.tokens["changer-token"] = changer
        async with client_of(app, "changer-token") as other:
            await other.files("falcon").upload("a.csv", b"k,v\n")
        (changed,) = await files.list()

    start = datetime(2026, 3, 10, tzinfo=UTC)
    assert made == LookupFile(
        name="a.csv",
        size_bytes=8,
        created_by="admin",
        created_at=start,
        modified_by="admin",
        modified_at=start,
    )
    assert changed == replace(made, size_bytes=4, modified_by="changer", modified_at=start + HOUR)
