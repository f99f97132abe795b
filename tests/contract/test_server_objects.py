"""Actions of every kind, switches, repositories and views: our client against the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.client.graphql.action_kinds import ACTION_KINDS
from orchestrator.client.logscale import LogScale
from orchestrator.client.types import (
    ActionContent,
    AggregateAlert,
    Asset,
    EmailContent,
    FilterAlert,
    HumioRepoContent,
    LegacyAlert,
    OpsGenieContent,
    PagerDutyContent,
    QueryOwner,
    QueryOwnership,
    SavedQuery,
    ScheduledSearch,
    SlackContent,
    SlackPostMessageContent,
    TimestampType,
    Trigger,
    TriggerHealth,
    UploadFileContent,
    VictorOpsContent,
    View,
    WebhookContent,
)
from orchestrator.clock import FrozenClock
from orchestrator.errors import Forbidden, GraphqlError, NotFound, RequestRejected
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import Right, SandboxSettings, TokenRole
from orchestrator.sandbox.storage.states import RunState
from orchestrator.secret import SecretText

HOUR, MS = timedelta(hours=1), timedelta(milliseconds=1)
MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
KEY = SecretText("a-secret-canary")
ADDRESS = SecretText("https://hooks.example.com/a-secret-canary")
TOKENS = {
    "admin-token": TokenRole(name="admin"),
    "deputy-token": TokenRole(name="deputy"),
    "reader-token": TokenRole(name="reader", rights=frozenset({Right.READ})),
}
EXAMPLES: tuple[ActionContent, ...] = (
    WebhookContent(
        url=ADDRESS,
        body_template="{events}",
        headers={"X-Key": KEY},
        ignore_tls=True,
        use_proxy=True,
    ),
    EmailContent(
        recipients=("a@example.com",),
        subject_template="{alert_name}",
        attach_csv=True,
        use_proxy=True,
    ),
    SlackContent(url=ADDRESS, fields={"Host": "{field:host}"}, use_proxy=True),
    SlackPostMessageContent(
        token=KEY, channels=("#soc",), fields={"Host": "{field:host}"}, use_proxy=True
    ),
    PagerDutyContent(routing_key=KEY, severity="critical", use_proxy=True),
    OpsGenieContent(key=KEY, api_url="https://api.eu.opsgenie.com", use_proxy=True),
    VictorOpsContent(url=ADDRESS, message_type="CRITICAL", use_proxy=True),
    HumioRepoContent(ingest_token=KEY),
    UploadFileContent(file_name="found.csv"),
)
SWITCHED: tuple[Trigger, ...] = (
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
    assert {type(content) for content in EXAMPLES} == {kind.type for kind in ACTION_KINDS}


@pytest.mark.parametrize("content", EXAMPLES, ids=lambda content: content.kind)
async def test_action_of_each_kind_is_made_and_deleted(app: Any, content: ActionContent) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")

        made = await actions.create("mine", content)

        assert (made.name, made.kind) == ("mine", content.kind)
        assert made.content == content
        assert await actions.list() == (made,)
        assert KEY.reveal() not in repr(made)
        await actions.delete(made)
        assert await actions.list() == ()


@pytest.mark.parametrize("content", EXAMPLES, ids=lambda content: content.kind)
async def test_action_of_each_kind_is_replaced(app: Any, content: ActionContent) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        made = await actions.create("mine", content, labels=["l"])
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
    assert same == replace(made, content=second)
    members = ("url", "bodyTemplate", "method", "headers")
    assert [stored[name] for name in members] == ["https://b.example/c", "{url}", "PUT", []]


async def test_update_of_one_member_keeps_the_others(app: Any) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        await actions.create("mine", EXAMPLES[0], labels=["l"])
        (found,) = await actions.list()
        assert isinstance(found.content, WebhookContent)

        moved = replace(found.content, url=SecretText("https://b.example/c"))
        await actions.update(found, moved)
        (after,) = await actions.list()

    assert after == replace(found, content=moved)
    assert (moved.use_proxy, moved.ignore_tls, after.labels) == (True, True, ("l",))


async def test_update_of_labels_alone_keeps_the_content(app: Any) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        made = await actions.create("mine", EXAMPLES[0], labels=["l"])

        await actions.update(made, EXAMPLES[0], labels=["m", "n"])
        (after,) = await actions.list()
        await actions.update(after, EXAMPLES[0], labels=[])
        (bare,) = await actions.list()

    assert after == replace(made, labels=("m", "n"))
    assert bare == replace(made, labels=())


@pytest.mark.parametrize(
    "theirs",
    [
        {"url": "https://elsewhere.example/y"},
        {"useProxy": False},
        {"ignoreSSL": False},
        {"bodyTemplate": "{url}"},
        {"headers": []},
        {"labels": []},
    ],
    ids=lambda theirs: next(iter(theirs)),
)
async def test_update_of_an_action_that_a_colleague_changed_is_refused(
    app: Any, theirs: dict[str, Any]
) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        made = await actions.create("mine", EXAMPLES[0], labels=["l"])
        (stored,) = app.state.sandbox.domains["falcon"].assets["actions"].values()
        stored |= theirs

        with pytest.raises(RequestRejected, match="mine in falcon changed since it was read") as e:
            await actions.update(made, EXAMPLES[0])

    assert "elsewhere.example" not in str(e.value)
    assert {name: stored[name] for name in theirs} == theirs


async def test_change_of_an_action_that_was_undone_is_told_by_its_time(app: Any) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        await actions.create("mine", EXAMPLES[-1])
        (seen,) = await actions.list()
        there = await actions.update(seen, UploadFileContent(file_name="other.csv"))
        await actions.update(there, EXAMPLES[-1])

        with pytest.raises(RequestRejected, match="changed since it was read"):
            await actions.update(seen, EXAMPLES[-1])


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
async def test_asset_is_switched_off_and_on(app: Any, asset: Trigger) -> None:
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
async def test_asset_reads_back_as_it_was_written(app: Any, asset: Trigger) -> None:
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
    names = {field.name for field in fields(asset) if field.compare} - {"id"}
    return {name: getattr(asset, name) for name in names}


READ_FROM_YAML: tuple[Trigger, ...] = (
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
async def test_asset_is_made_anew_from_its_yaml(app: Any, asset: Trigger) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        made = await assets.create(asset)

        text = await assets.to_template(made)
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
        with pytest.raises(GraphqlError, match="no form of this kind of asset is published"):
            await assets.from_template(AggregateAlert, "name: a")
        with pytest.raises(TypeError, match="SavedQuery is not read from a template"):
            await assets.from_template(SavedQuery, "name: a")
        assert await assets.list(FilterAlert) == ()


async def test_asset_that_is_gone_has_no_template(app: Any) -> None:
    async with client_of(app) as scale:
        assets = scale.assets("falcon")
        made = await assets.create(SavedQuery(name="q", query="a=b", start="7d"))
        text = await assets.to_template(made)
        await assets.delete(made)
        with pytest.raises(GraphqlError, match="Could not find an entry"):
            await assets.to_template(made)
        with pytest.raises(ValueError, match="q has no id"):
            await assets.to_template(replace(made, id=""))
        again = await assets.create_from_template(text)

    assert again == replace(made, id=again.id)
    assert again.start == "7d"


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_labels_come_and_go_one_by_one(app: Any, asset: Trigger) -> None:
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
async def test_last_error_is_cleared(app: Any, asset: Trigger) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        made = await assets.create(asset)
        domain = app.state.sandbox.domains["falcon"]
        domain.runs[made.id] = RunState(error="no such file", warnings=["slow"])

        (broken,) = await assets.list(type(asset))
        await assets.clear_error(made)
        (cleared,) = await assets.list(type(asset))

    assert (broken.raw["lastError"], cleared.raw["lastError"]) == ("no such file", None)
    assert (broken.health.last_error, cleared.health.last_error) == ("no such file", "")
    assert (broken.health.last_warnings, cleared.health.last_warnings) == (("slow",), ())


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_health_of_a_trigger_is_told_and_no_part_of_it(app: Any, asset: Trigger) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        made = await assets.create(asset)
        app.state.sandbox.domains["falcon"].runs[made.id] = RunState(
            error="e",
            error_ms=1,
            last_poll_ms=2,
            last_triggered_ms=3,
            last_executed_ms=4,
            next_ms=5,
        )

        (found,) = await assets.list(type(asset))
        changed = await assets.update(replace(found, description="d"), expected=made)

    told = {
        field.name: value
        for field in fields(TriggerHealth)
        if isinstance(value := getattr(found.health, field.name), datetime)
    }
    both = {"last_triggered_at": MOMENT + 3 * MS}
    only = {
        ScheduledSearch: {"searched_until": MOMENT + 4 * MS, "next_run_at": MOMENT + 5 * MS},
        AggregateAlert: {"last_poll_at": MOMENT + 2 * MS},
        FilterAlert: {"last_poll_at": MOMENT + 2 * MS, "last_error_at": MOMENT + MS},
        LegacyAlert: {},
    }
    assert told == both | only[type(asset)]
    assert found == made
    assert changed == replace(made, description="d")


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_owner_stays_through_an_update_by_another_and_can_be_changed(
    app: Any, asset: Trigger
) -> None:
    organization = QueryOwner(ownership=QueryOwnership.ORGANIZATION)
    mine = QueryOwner(ownership=QueryOwnership.USER)
    user, other = (replace(mine, user_id=name) for name in ("admin", "deputy"))
    async with client_of(app) as scale, client_of(app, "deputy-token") as colleague:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        theirs = colleague.assets("falcon")
        steps = [await scale.assets("falcon").create(replace(asset, owner=mine))]
        for wanted in (
            # Read and changed, then written anew by somebody who knows nothing of an owner.
            replace(steps[0], description="by the deputy"),
            replace(steps[0], description="again", owner=None),
            replace(steps[0], owner=organization),
            replace(steps[0], owner=None),
            replace(steps[0], owner=mine),
        ):
            steps.append(await theirs.update(wanted, expected=steps[-1]))

    owners = [step.owner for step in steps]
    assert owners == [user, user, user, organization, organization, other]


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_change_of_owner_meanwhile_is_a_change(app: Any, asset: Trigger) -> None:
    organization = QueryOwner(ownership=QueryOwnership.ORGANIZATION)
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        user = QueryOwner(ownership=QueryOwnership.USER)
        made = await assets.create(replace(asset, owner=user))
        await assets.update(replace(made, owner=organization), expected=made)

        seen = made if isinstance(made, LegacyAlert) else replace(made, modified_at=None)
        with pytest.raises(RequestRejected, match="changed since it was read"):
            await assets.update(made, expected=seen)


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_actions_of_packages_are_named_with_their_package(app: Any, asset: Trigger) -> None:
    """Two actions of one name, of which a package brought one, are not taken for each other."""
    async with client_of(app) as scale:
        actions, assets = scale.actions("falcon"), scale.assets("falcon")
        own = await actions.create("hook", EXAMPLES[0])
        packaged = await actions.create("theirs", EXAMPLES[-1])
        stored = app.state.sandbox.domains["falcon"].assets["actions"]
        stored[packaged.id] |= {"name": "hook", "package": "falcon/base"}

        made = await assets.create(replace(asset, actions=("falcon/base:hook",)))
        changed = await assets.update(replace(made, description="d"), expected=made)
        both = await assets.update(
            replace(changed, actions=("falcon/base:hook", "hook")), expected=changed
        )
        listed = {action.display_name: action.id for action in await actions.list()}

    (record,) = next(
        found.values()
        for kind, found in app.state.sandbox.domains["falcon"].assets.items()
        if kind != "actions" and found
    )
    assert changed.actions == ("falcon/base:hook",)
    assert both.actions == ("falcon/base:hook", "hook")
    assert record["actionIds"] == [packaged.id, own.id]
    assert listed == {"hook": own.id, "falcon/base:hook": packaged.id}


async def test_change_of_what_a_saved_query_shows_is_a_change(app: Any) -> None:
    async with client_of(app) as scale:
        assets = scale.assets("falcon")
        made = await assets.create(SavedQuery(name="q", query="a=b", options={"a": 1}))
        for changes in (
            {"start": "1d"},
            {"end": "1h"},
            {"is_live": True},
            {"widget_type": "table-view"},
            {"options": {"a": 2}},
        ):
            there = await assets.update(replace(made, **changes), expected=made)
            with pytest.raises(RequestRejected, match="q in falcon changed since it was read"):
                await assets.update(made, expected=replace(made, modified_at=None))
            made = await assets.update(made, expected=there)

    assert made.options == {"a": 1}


async def test_asset_without_an_id_is_not_touched(app: Any) -> None:
    async with client_of(app) as scale:
        with pytest.raises(ValueError, match="l has no id"):
            await scale.assets("falcon").clear_error(SWITCHED[-1])


async def test_views_through_their_whole_life(app: Any) -> None:
    async with client_of(app) as scale:
        views = scale.views()
        await views.create_repository("raw", description="for tests")
        await views.create_view("both", {"falcon": "a=b", "raw": "*"})
        listed = await views.list()
        await views.update_view("both", {"raw": "c=d"})
        changed = {view.name: view.connections for view in await views.list()}
        with pytest.raises(GraphqlError):
            await views.create_repository("raw")
        await views.delete("both", reason="test is over")
        await views.delete("raw", reason="test is over")
        left = [view.name for view in await views.list()]

    both, falcon, raw = listed
    assert both.connections == {"falcon": "a=b", "raw": "*"}
    assert (both.is_repository, falcon.is_repository) == (False, True)
    assert raw == View(id=raw.id, name="raw", description="for tests", is_repository=True)
    assert changed["both"] == {"raw": "c=d"}
    assert left == ["falcon"]


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


async def test_query_is_analyzed_without_a_view(app: Any) -> None:
    async with client_of(app) as scale:
        found = await scale.views().analyze("$anywhere()")
        with pytest.raises(GraphqlError, match="Could not find a search domain"):
            await scale.views().analyze("a=b", view="nowhere")

    assert (found.is_valid, found.problems) == (True, ())
