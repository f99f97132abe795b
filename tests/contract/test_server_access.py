"""What runs on a server and who may do what: our client against the sandbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.client.http.transport import HttpTransport, Request
from orchestrator.client.logscale import LogScale
from orchestrator.client.types import (
    ApiToken,
    ExceededQuota,
    FilterAlert,
    IngestToken,
    QueryCost,
    QuotaUsage,
    SavedQuery,
    View,
    ViewConnection,
)
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    Forbidden,
    GraphqlError,
    NotFound,
    QueryIncomplete,
    RateLimited,
    Unauthorized,
    UnknownRepository,
)
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.quotas import QuotaInterval
from orchestrator.sandbox.settings import Right, SandboxSettings, TokenRole
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TOKENS = {
    "admin-token": TokenRole(name="admin"),
    "reader-token": TokenRole(name="reader", rights=frozenset({Right.READ})),
    "sender-token": TokenRole(name="sender", rights=frozenset({Right.INGEST}), repository="falcon"),
}


@pytest.fixture
async def app() -> AsyncIterator[Any]:
    settings = SandboxSettings(tokens=TOKENS, repositories=("falcon", "other"))
    made = create_app(settings, clock=FrozenClock(NOW))
    yield made
    made.state.sandbox.close()


def client_of(app: Any, token: str = "admin-token") -> LogScale:
    clock = app.state.sandbox.clock
    return LogScale("http://x", token=SecretText(token), clock=clock, asgi_app=app)


# --- running queries ----------------------------------------------------------------------------


async def test_live_query_is_listed_and_killed(app: Any) -> None:
    async with client_of(app) as scale, client_of(app, "reader-token") as reader:
        live = reader.live("falcon", "kind=bad | count()", window=HOUR)
        async with aclosing(live) as snapshots:
            await anext(snapshots)
            app.state.sandbox.clock.advance(MINUTE)

            (found,) = await scale.running().list(containing="kind=bad")
            others = await scale.running().list(containing="kind=good")
            await scale.running().kill("falcon", "kind=bad")
            with pytest.raises(QueryIncomplete, match="killed by admin"):
                await anext(snapshots)
            left = await scale.running().list()

    assert (found.view, found.query, found.started_by) == ("falcon", "kind=bad | count()", "reader")
    assert (found.is_live, found.age, found.status) == (True, MINUTE, "Running")
    assert found.work_done == found.total_work
    assert (found.queued, found.cost) == (timedelta(0), QueryCost())
    assert others == left == ()


async def test_kill_that_hits_nothing_says_so(app: Any) -> None:
    async with client_of(app) as scale:
        with pytest.raises(NotFound, match="no running query of falcon has 'a' in it"):
            await scale.running().kill("falcon", "a")


async def test_reader_sees_and_ends_only_its_own(app: Any) -> None:
    async with (
        client_of(app) as scale,
        client_of(app, "reader-token") as reader,
        aclosing(scale.live("falcon", "count()", window=HOUR)) as snapshots,
    ):
        await anext(snapshots)

        seen = await reader.running().list()
        with pytest.raises(NotFound):
            await reader.running().kill("falcon", "count")
        still = await scale.running().list()

    assert seen == ()
    assert [query.started_by for query in still] == ["admin"]


async def test_quota_counts_what_was_started(app: Any) -> None:
    async with client_of(app) as scale, client_of(app, "reader-token") as reader:
        for _ in range(3):
            await count(app, reader)
            app.state.sandbox.clock.advance(8 * MINUTE)

        usage = await scale.running().usage("reader")
        own = await reader.running().usage("reader")
        exceeded = await reader.running().exceeded("reader")
        with pytest.raises(Forbidden):
            await reader.running().usage("admin")

    counts = {"PerDay": 3, "PerHour": 3, "PerTenMinutes": 0, "PerMinute": 0}
    assert usage == own
    assert usage == tuple(
        QuotaUsage(interval=name, queries=queries, static_cost=0, live_cost=0)
        for name, queries in counts.items()
    )
    assert exceeded == ()


async def test_quota_that_is_used_up_is_told(app: Any) -> None:
    app.state.sandbox.jobs.quotas.limits = {QuotaInterval.ONE_MINUTE: 1, QuotaInterval.HOUR: 5}
    async with client_of(app, "reader-token") as reader:
        await count(app, reader)
        with pytest.raises(RateLimited):
            await count(app, reader)

        now = app.state.sandbox.clock.now()
        exceeded = await reader.running().exceeded("reader")
        app.state.sandbox.clock.advance(MINUTE)
        later = await reader.running().exceeded("reader")

    assert exceeded == (ExceededQuota(kind="QueryCount", resets_at=now + MINUTE),)
    assert later == ()


async def count(app: Any, scale: LogScale) -> None:
    now = app.state.sandbox.clock.now()
    await scale.search("falcon", "count()", start=now - HOUR, end=now, deadline=MINUTE)


# --- tokens -------------------------------------------------------------------------------------


async def viewed(scale: LogScale, *names: str) -> list[View]:
    return [view for view in await scale.views().list() if view.name in names]


async def test_personal_token_may_do_what_its_maker_may_until_it_ends(app: Any) -> None:
    clock = app.state.sandbox.clock
    async with client_of(app, "reader-token") as reader:
        made = await reader.tokens().create_personal(ends_at=NOW + HOUR)
    async with client_of(app, made.secret.reveal()) as holder:
        viewer = await holder.views().viewer()
        allowed = await holder.views().allowed_actions("falcon")
        with pytest.raises(Forbidden):
            await holder.views().create_repository("mine")
        clock.advance(HOUR - timedelta(milliseconds=1))
        await holder.views().list()
        clock.advance(timedelta(milliseconds=1))
        with pytest.raises(Unauthorized):
            await holder.views().list()

    assert (viewer.name, viewer.is_root) == ("reader", False)
    assert allowed == {"ReadEvents", "ExportQueryResults"}
    assert made.token == ApiToken(
        id=made.token.id,
        name="reader",
        kind="PersonalUserToken",
        created_at=NOW,
        ends_at=NOW + HOUR,
    )
    assert made.secret.reveal() not in repr(made)


WINDOW = (
    ViewConnection(repository="falcon", filter="a=b"),
    ViewConnection(repository="other", filter="*"),
)


async def test_view_token_is_good_for_its_views_and_its_permissions(app: Any) -> None:
    async with client_of(app) as scale:
        await scale.views().create_view("window", WINDOW)
        views = await viewed(scale, "other", "window")
        made = await scale.tokens().create_for_views("ci", views, {"ReadAccess", "ChangeTriggers"})
    async with client_of(app, made.secret.reveal()) as holder:
        seen = {view.name: view.connections for view in await holder.views().list()}
        alert = FilterAlert(name="f", query="a=b", enabled=True)
        await holder.assets("other").create(alert)
        with pytest.raises(Forbidden):
            await holder.assets("falcon").create(alert)
        with pytest.raises(Forbidden):
            await holder.assets("other").create(SavedQuery(name="q", query="*"))
        with pytest.raises(Forbidden):
            await holder.search("falcon", "*", start=NOW - HOUR, end=NOW, deadline=MINUTE)
        found = await holder.search("other", "count()", start=NOW - HOUR, end=NOW, deadline=MINUTE)
        with pytest.raises(Forbidden):
            await holder.tokens().create_personal()
        with pytest.raises(Forbidden):
            await holder.tokens().list()

    assert seen == {"other": (), "window": WINDOW}
    assert found.rows == ({"_count": "0"},)


async def test_view_token_sees_nothing_of_what_is_behind_its_view(app: Any) -> None:
    text = """{ searchDomain(name: "window") { ... on View { connections { repository {
      name savedQueries { name } files { nameAndPath { name } } allowedViewActions } } } } }"""
    async with client_of(app) as scale:
        await scale.views().create_view("window", [ViewConnection(repository="falcon")])
        await scale.assets("falcon").create(SavedQuery(name="hidden", query="*"))
        await scale.files("falcon").upload("hidden.csv", b"a\n1\n")
        views = await viewed(scale, "window")
        made = await scale.tokens().create_for_views("ci", views, {"ReadAccess"})

    transport = HttpTransport("http://x", asgi_app=app)
    answer = await transport.send(
        Request(
            method="POST",
            path="graphql",
            content=json.dumps({"query": text}).encode(),
            headers={
                "Authorization": f"Bearer {made.secret.reveal()}",
                "Content-Type": "application/json",
            },
        )
    )
    await transport.close()

    (connection,) = json.loads(answer.body)["data"]["searchDomain"]["connections"]
    assert connection["repository"] == {
        "name": "falcon",
        "savedQueries": [],
        "files": [],
        "allowedViewActions": [],
    }


async def test_tokens_are_listed_rotated_and_deleted(app: Any) -> None:
    async with client_of(app) as scale:
        tokens = scale.tokens()
        views = await viewed(scale, "falcon")
        made = [
            await tokens.create_for_views(f"ci-{number:03}", views, {"ReadAccess"})
            for number in range(103)
        ]
        first = made[0]
        listed = await tokens.list()
        second = await tokens.rotate(first.token)
        async with (
            client_of(app, first.secret.reveal()) as old,
            client_of(app, second.reveal()) as new,
        ):
            with pytest.raises(Unauthorized):
                await old.views().list()
            assert [view.name for view in await new.views().list()] == ["falcon"]
            await tokens.delete(first.token)
            with pytest.raises(Unauthorized):
                await new.views().list()
        left = await tokens.list()
        with pytest.raises(GraphqlError, match="Could not find an entry"):
            await tokens.delete(first.token)

    assert listed == tuple(one.token for one in made)
    assert left == listed[1:]


async def test_other_peoples_tokens_are_left_alone(app: Any) -> None:
    async with client_of(app) as scale, client_of(app, "reader-token") as reader:
        theirs = await scale.tokens().create_personal()
        own = await reader.tokens().create_personal()

        with pytest.raises(GraphqlError, match="Could not find an entry"):
            await reader.tokens().rotate(theirs.token)
        with pytest.raises(Forbidden):
            await reader.tokens().create_for_views(
                "x", await viewed(reader, "falcon"), {"ReadAccess"}
            )
        await reader.tokens().delete(own.token)
        listed = await scale.tokens().list()

    # A personal token is its owner's matter and is not listed.
    assert listed == ()


async def test_view_token_that_is_called_like_a_person_is_none(app: Any) -> None:
    async with client_of(app) as scale:
        theirs = await scale.tokens().create_personal()
        views = await viewed(scale, "falcon")
        made = await scale.tokens().create_for_views("admin", views, {"ReadAccess"})
    async with client_of(app, made.secret.reveal()) as holder:
        with pytest.raises(GraphqlError, match="Could not find an entry"):
            await holder.tokens().rotate(theirs.token)


WINDOW = (
    ViewConnection(repository="falcon", filter="a=b"),
    ViewConnection(repository="other", filter="*"),
)


async def test_view_token_is_good_for_nothing_at_the_gateway(app: Any) -> None:
    async with client_of(app) as scale:
        views = await viewed(scale, "falcon")
        permissions = {"ReadAccess", "ChangeTriggers"}
        made = await scale.tokens().create_for_views("ci", views, permissions)
    transport = HttpTransport("http://x", asgi_app=app)
    answers = [
        await transport.send(
            Request(
                method="GET",
                path="devices/queries/devices/v1",
                content=b"",
                headers={"Authorization": f"Bearer {secret}"},
            )
        )
        for secret in (made.secret.reveal(), "admin-token")
    ]
    await transport.close()

    assert [answer.status for answer in answers] == [403, 200]


async def test_sender_has_no_personal_token(app: Any) -> None:
    async with client_of(app, "sender-token") as sender:
        with pytest.raises(Forbidden):
            await sender.tokens().create_personal()


@pytest.mark.parametrize(
    ("permissions", "views", "ends_at", "problem"),
    [
        ({"ReadAccess"}, (), None, "viewIds: must not be empty"),
        ({"ReadAccess"}, ("falcon",), NOW, "expireAt: must be in the future"),
    ],
    ids=["no view", "over"],
)
async def test_token_that_cannot_be_as_asked_is_refused(
    app: Any, permissions: set[str], views: tuple[str, ...], ends_at: Any, problem: str
) -> None:
    async with client_of(app) as scale:
        with pytest.raises(GraphqlError, match=problem):
            await scale.tokens().create_for_views(
                "ci", await viewed(scale, *views), permissions, ends_at=ends_at
            )
        assert await scale.tokens().list() == ()


async def test_tokens_survive_a_restart_and_still_end(tmp_path: Path) -> None:
    settings = SandboxSettings(tokens=TOKENS, data_dir=tmp_path)
    clock = FrozenClock(NOW)
    app = create_app(settings, clock=clock)
    async with client_of(app) as scale:
        views = await viewed(scale, "falcon")
        made = await scale.tokens().create_for_views(
            "ci", views, {"ReadAccess"}, ends_at=NOW + HOUR
        )
    app.state.sandbox.close()

    again = create_app(settings, clock=clock)
    async with client_of(again, made.secret.reveal()) as holder, client_of(again) as scale:
        seen = [view.name for view in await holder.views().list()]
        listed = await scale.tokens().list()
        clock.advance(HOUR)
        with pytest.raises(Unauthorized):
            await holder.views().list()
    again.state.sandbox.close()

    assert seen == ["falcon"]
    assert listed == (made.token,)


async def test_ingest_token_lives_its_life(app: Any) -> None:
    async with client_of(app) as scale:
        tokens = scale.ingest_tokens("falcon")
        made = await tokens.create("shipper", parser="json")
        chosen = await tokens.create("chosen", secret=SecretText("a-chosen-canary"))
        with pytest.raises(GraphqlError, match="name: the name 'shipper' is already in use"):
            await tokens.create("shipper")
        with pytest.raises(GraphqlError, match="customToken: is in use") as caught:
            await tokens.create("other", secret=SecretText("a-chosen-canary"))
        listed = await tokens.list()
        changed = await tokens.assign_parser(made, "kv")
        with pytest.raises(GraphqlError, match="the repository has no parser 'nowhere'"):
            await tokens.assign_parser(made, "nowhere")
        sender = scale.ingest(made.secret)
        taken = await sender.hec([{"event": "n=1"}])
        bare = await tokens.assign_parser(changed, "")
        left = await tokens.list()
        await tokens.delete(bare)
        with pytest.raises(Unauthorized):
            await sender.hec([{"event": "n=2"}])
        with pytest.raises(GraphqlError, match="Could not find the ingest token 'shipper'"):
            await tokens.delete(bare)
        with pytest.raises(UnknownRepository, match="no repository or view 'void'"):
            await scale.ingest_tokens("void").list()
        start, end = NOW - HOUR, NOW + HOUR
        found = await scale.search("falcon", "*", start=start, end=end, deadline=MINUTE)

    assert (made.name, made.parser) == ("shipper", "json")
    given = IngestToken(name="sender", secret=SecretText("sender-token"))
    assert listed == (chosen, given, made)
    assert chosen.secret == SecretText("a-chosen-canary")
    assert "canary" not in f"{caught.value} {chosen!r}"
    assert (changed.parser, taken) == ("kv", 1)
    assert left == (chosen, given, replace(made, parser=""))
    assert [row["#type"] for row in found.rows] == ["kv"]


async def test_server_tells_how_it_is_set_up(app: Any) -> None:
    async with client_of(app) as scale:
        facts = await scale.facts()
        off = await scale.has_feature("FlightControl")
        await scale.graphql().run("mutation { enableFeature(feature: FlightControl) }")
        on = await scale.has_feature("FlightControl")
        with pytest.raises(GraphqlError, match="NoSuchFeature"):
            await scale.has_feature("NoSuchFeature")

    assert (facts.environment, facts.is_being_updated) == ("ON_PREM", False)
    assert facts.oldest_version == app.state.sandbox.settings.version
    assert (facts.max_backfill_runs, facts.max_csv_bytes) == (5, 200_000_000)
    assert (off, on) == (False, True)


async def test_tokens_of_organization_and_system_administer(app: Any) -> None:
    async with client_of(app) as scale:
        tokens = scale.tokens()
        ends_at = NOW + HOUR
        mine = await tokens.create_for_organization("org", {"ManageUsers"}, ends_at=ends_at)
        root = await tokens.create_for_system("root", {"ManageCluster"})
        with pytest.raises(GraphqlError, match="NoSuchPermission"):
            await tokens.create_for_system("no", {"NoSuchPermission"})
        listed = await tokens.list()
    async with client_of(app, mine.secret.reveal()) as scale:
        with pytest.raises(Forbidden):
            await scale.search("falcon", "*", start=NOW - HOUR, end=NOW, deadline=MINUTE)
    async with client_of(app, root.secret.reveal()) as scale:
        health = await scale.health()
    async with client_of(app, "reader-token") as scale:
        with pytest.raises(Forbidden):
            await scale.tokens().create_for_organization("org", {"ManageUsers"})

    assert listed == (mine.token, root.token)
    assert (mine.token.kind, mine.token.ends_at) == ("OrganizationPermissionsToken", ends_at)
    assert (root.token.kind, root.token.ends_at) == ("SystemPermissionsToken", None)
    assert health.status == "OK"
