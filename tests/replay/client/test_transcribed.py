"""Exchanges written down from the vendor's documents and schema, decoded.

They prove that the client reads the documented shape, not that a server sends it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.client import (
    Action,
    AggregateAlert,
    Asset,
    AttackMapping,
    ClientCredentials,
    ConnectionKey,
    CorrelationRule,
    DataConnection,
    EmailContent,
    ExceededQuota,
    ExportForm,
    Falcon,
    FilterAlert,
    Freshness,
    InstalledPackage,
    LegacyAlert,
    LogScale,
    LookupFile,
    QueryCost,
    QueryOwner,
    QueryOwnership,
    QueryWarning,
    ReplayTransport,
    RuleNotification,
    RuleRun,
    RuleState,
    RuleSuppression,
    SavedQuery,
    ScheduledSearch,
    SlackPostMessageContent,
    TimestampType,
    TriggerHealth,
    WebhookContent,
    load_cassette,
)
from orchestrator.client.graphql.actions import Actions
from orchestrator.client.graphql.assets import Assets
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.graphql.versions import ServerVersion
from orchestrator.client.http.auth import StaticToken
from orchestrator.client.http.retry import NO_RETRIES
from orchestrator.client.http.session import Session
from orchestrator.clock import FrozenClock
from orchestrator.errors import GraphqlError, QueryRejected, RequestRejected, Unauthorized
from orchestrator.secret import SecretText
from orchestrator.units import from_epoch_ms

CASSETTES = Path(__file__).parents[3] / "cassettes"
NOW = datetime.fromisoformat("2026-03-10T03:00:00Z")
START, END = from_epoch_ms(1773108000000), from_epoch_ms(1773111600000)
MINUTE = timedelta(minutes=1)
SEARCH = ScheduledSearch(
    id="s-1",
    name="t1528",
    query="count()",
    labels=("orchestrator",),
    enabled=True,
    schedule="*/5 * * * *",
    search_interval=5 * MINUTE,
    search_interval_offset=MINUTE,
    timestamp_type=TimestampType.EVENT,
    backfill_limit_runs=2,
    actions=("notify",),
)
LISTS: list[tuple[str, ServerVersion, Asset]] = [
    (
        "graphql/saved_queries/list.yaml",
        (1, 204, 0),
        SavedQuery(
            id="q-1", name="t1528", description="d", query="count()", labels=("orchestrator",)
        ),
    ),
    ("graphql/scheduled_searches/list.yaml", (1, 204, 0), SEARCH),
    (
        "graphql/scheduled_searches/list_before_1_180.yaml",
        (1, 150, 0),
        ScheduledSearch(
            id="s-1",
            name="t1528",
            query="count()",
            enabled=True,
            schedule="*/5 * * * *",
            search_interval=5 * MINUTE,
            search_interval_offset=MINUTE,
            timestamp_type=TimestampType.EVENT,
            backfill_limit_runs=2,
        ),
    ),
    (
        "graphql/aggregate_alerts/list.yaml",
        (1, 204, 0),
        AggregateAlert(
            id="a-1",
            name="t1528",
            description="d",
            query="count()",
            enabled=True,
            search_interval=5 * MINUTE,
            throttle=60 * MINUTE,
            throttle_field="host",
            actions=("notify",),
        ),
    ),
    (
        "graphql/filter_alerts/list.yaml",
        (1, 204, 0),
        FilterAlert(id="f-1", name="t1528", query="x=1", enabled=False, actions=("notify",)),
    ),
    (
        "graphql/legacy_alerts/list.yaml",
        (1, 204, 0),
        LegacyAlert(
            id="l-1",
            name="t1528",
            query="count()",
            enabled=True,
            window=24 * 60 * MINUTE,
            throttle=60 * MINUTE,
            actions=("falcon/base:mail",),
        ),
    ),
]


def replay(*names: str) -> ReplayTransport:
    return ReplayTransport(*(load_cassette(CASSETTES / name) for name in names))


def make_client(*names: str) -> tuple[LogScale, ReplayTransport]:
    transport = replay(*names)
    client = LogScale(
        "https://logscale.example",
        token=SecretText("placeholder"),
        clock=FrozenClock(NOW),
        transport=transport,
        retry=NO_RETRIES,
    )
    return client, transport


def make_assets(*names: str, version: ServerVersion = (1, 204, 0)) -> Assets:
    return Assets(make_graphql(*names), view="fdr", version=knowing(version))


def make_actions(*names: str, version: ServerVersion = (1, 204, 0)) -> Actions:
    return Actions(make_graphql(*names), view="fdr", version=knowing(version))


def make_graphql(*names: str) -> Graphql:
    return Graphql(
        Session(
            replay(*names),
            auth=StaticToken(SecretText("placeholder")),
            clock=FrozenClock(NOW),
            policy=NO_RETRIES,
        )
    )


def knowing(version: ServerVersion) -> Callable[[], Awaitable[ServerVersion]]:
    async def known() -> ServerVersion:
        return version

    return known


def make_falcon(*names: str) -> tuple[Falcon, ReplayTransport]:
    transport = replay("falcon/token/issued.yaml", *names)
    falcon = Falcon(
        "https://api.crowdstrike.com",
        credentials=ClientCredentials(client_id="id-1", client_secret=SecretText("placeholder")),
        clock=FrozenClock(NOW),
        transport=transport,
        retry=NO_RETRIES,
    )
    return falcon, transport


async def test_newer_server_warns_and_orders_columns() -> None:
    client, transport = make_client("query_jobs/poll/newer_server.yaml")

    result = await client.search(
        "fdr", "groupBy(host)", start=START, end=END, deadline=MINUTE, use_ingest_time=True
    )

    assert transport.left == ()
    assert result.warnings == (
        QueryWarning(
            message="Ingest is behind by 130 seconds.",
            code="IngestDelay",
            category="CLUSTER",
            classification="Warning",
        ),
    )
    assert result.completeness.reasons == ("warning: Ingest is behind by 130 seconds.",)
    assert result.fields == ("_count", "host", "@timestamp")
    assert [row["@timestamp"] for row in result.rows] == ["1773108000500", "1773108000501"]


async def test_newer_server_says_what_a_query_cost_and_how_fresh_its_events_are() -> None:
    client, _ = make_client("query_jobs/poll/newer_server.yaml")

    result = await client.search(
        "fdr", "groupBy(host)", start=START, end=END, deadline=MINUTE, use_ingest_time=True
    )

    assert result.stats.cost == QueryCost(static=1.5, static_rate=0.1)
    assert result.stats.queued == timedelta(milliseconds=7)
    assert result.stats.age == timedelta(milliseconds=12)
    assert result.stats.buffer_rows == 2
    assert (result.start, result.end) == (START, END)
    assert result.freshness == Freshness(
        lag=timedelta(seconds=130),
        known_good_until=from_epoch_ms(1773111471000),
        included_from=from_epoch_ms(1773111470000),
    )
    assert result.bucket_span is None
    meta = result.raw["metaData"]
    assert isinstance(meta, dict)
    assert meta["querySpent"]["hour"] == {"queryCount": 1, "staticCost": 1, "liveCost": 0}
    assert meta["extraData"]["sortOrder"] == [{"field": "host", "type": "string", "order": "asc"}]
    assert "events" not in result.raw
    assert "sortOrder" not in repr(result)


async def test_rows_are_exported_as_a_file_beside_what_is_known_of_them() -> None:
    client, transport = make_client("query_jobs/export/csv.yaml")

    async with client.export(
        "fdr",
        "groupBy(host)",
        start=START,
        end=END,
        deadline=MINUTE,
        form=ExportForm.CSV,
        fields=["host", "_count"],
    ) as export:
        content = b"".join([chunk async for chunk in export.chunks])

    assert content == b'host,_count\nweb-1,3\n"web-2, old",1\n'
    assert export.result.completeness.is_complete
    assert (export.result.rows, export.result.stats.event_count) == ((), 2)
    assert transport.left == ()


async def test_lost_job_is_searched_again_over_the_same_span() -> None:
    client, transport = make_client("query_jobs/poll/lost_job.yaml")

    result = await client.search("fdr", "count()", start=START, end=END, deadline=MINUTE)

    assert transport.left == ()
    assert result.completeness.is_complete
    assert result.stats.job_id == "1-second"


@pytest.mark.parametrize(("name", "version", "asset"), LISTS)
async def test_assets_list(name: str, version: ServerVersion, asset: Asset) -> None:
    assert await make_assets(name, version=version).list(type(asset)) == (asset,)


async def test_running_queries_say_how_long_they_waited_and_what_they_cost() -> None:
    client, _ = make_client("graphql/running_queries/list.yaml")

    old, young = await client.running().list()

    assert (old.id, old.started_by, old.status) == ("P1-old", "ada", "Queued")
    assert (old.age, old.queued) == (MINUTE, timedelta(seconds=20))
    assert (old.cost, young.cost) == (QueryCost(static=12.5), QueryCost(static=3.0, live=0.25))
    assert (young.started_by, young.is_live) == ("", True)


async def test_exceeded_quotas_say_when_they_begin_anew() -> None:
    client, _ = make_client("graphql/quotas/exceeded.yaml")

    assert await client.running().exceeded("ada") == (
        ExceededQuota(kind="NewKind", resets_at=END),
        ExceededQuota(kind="StaticCost", resets_at=START),
    )


async def test_scheduled_search_create() -> None:
    assert await make_assets("graphql/scheduled_searches/create.yaml").create(SEARCH) == SEARCH


async def test_scheduled_search_refused_shows_the_state() -> None:
    with pytest.raises(GraphqlError, match=r"errors in the input\.; schedule: Not a cron"):
        await make_assets("graphql/scheduled_searches/refused.yaml").create(SEARCH)


@pytest.mark.parametrize(
    ("name", "asset"),
    [
        ("graphql/saved_queries/delete.yaml", SavedQuery(id="q-1", name="n", query="")),
        (
            "graphql/filter_alerts/delete.yaml",
            FilterAlert(id="f-1", name="n", query="", enabled=True),
        ),
    ],
)
async def test_delete_reads_both_forms_of_answer(name: str, asset: Asset) -> None:
    await make_assets(name).delete(asset)


async def test_actions() -> None:
    mail, notify = await make_actions("graphql/actions/list.yaml").list()

    assert notify == Action(
        id="act-1",
        name="notify",
        kind="WebhookAction",
        labels=("soc",),
        content=WebhookContent(
            url=SecretText("https://hooks.example/placeholder"),
            body_template="{events}",
            headers={"X-Key": SecretText("placeholder")},
            use_proxy=True,
        ),
    )
    assert mail == Action(
        id="act-2",
        name="mail",
        kind="EmailAction",
        content=EmailContent(
            recipients=("soc@example.com",), body_template="{events_html}", attach_csv=True
        ),
    )
    assert (notify.modified_at, mail.modified_at) == (START, None)
    assert (notify.display_name, mail.display_name) == ("notify", "falcon/base:mail")


async def test_actions_of_an_older_server() -> None:
    name = "graphql/actions/list_before_1_204.yaml"
    (chat,) = await make_actions(name, version=(1, 180, 0)).list()

    assert chat == Action(
        id="act-3",
        name="chat",
        kind="SlackPostMessageAction",
        content=SlackPostMessageContent(
            token=SecretText("placeholder"),
            channels=("#soc",),
            fields={"Host": "{field:host}"},
        ),
    )


async def test_templates_are_written() -> None:
    notify = Action(id="act-1", name="notify", kind="WebhookAction")
    text = await make_actions("graphql/actions/template.yaml").to_template(notify)
    query = SavedQuery(id="q-1", name="t1528", query="count()")

    assert text.reveal() == "name: notify\ntype: webhook\n"
    assert await make_assets("graphql/saved_queries/template.yaml").to_template(query) == (
        "name: t1528\nqueryString: count()\n"
    )


async def test_aggregate_alert_from_template() -> None:
    assets = make_assets("graphql/aggregate_alerts/from_template.yaml")

    assert await assets.from_template(AggregateAlert, "name: t1528") == AggregateAlert(
        name="t1528",
        query="count()",
        labels=("l",),
        enabled=True,
        search_interval=5 * MINUTE,
        throttle=60 * MINUTE,
        trigger_mode="ImmediateMode",
        actions=("notify",),
    )


async def test_switch_reads_a_no() -> None:
    alert = FilterAlert(id="f-1", name="t1528", query="x=1", enabled=True)

    with pytest.raises(RequestRejected, match="t1528 in fdr was not changed"):
        await make_assets("graphql/filter_alerts/disable.yaml").disable(alert)


async def test_what_a_server_tells_beside_the_members_that_are_set() -> None:
    (query,) = await make_assets("graphql/saved_queries/list.yaml").list(SavedQuery)
    (search,) = await make_assets("graphql/scheduled_searches/list.yaml").list(ScheduledSearch)
    (aggregate,) = await make_assets("graphql/aggregate_alerts/list.yaml").list(AggregateAlert)
    (legacy,) = await make_assets("graphql/legacy_alerts/list.yaml").list(LegacyAlert)

    changed_at = from_epoch_ms(1773107000000)
    assert (query.start, query.end, query.is_live) == ("24h", "now", False)
    assert (query.widget_type, query.options) == ("list-view", {"columns": ["a"]})
    assert [asset.modified_at for asset in (query, search, aggregate)] == [changed_at] * 3
    assert search.health == TriggerHealth(searched_until=START, next_run_at=START + 5 * MINUTE)
    assert aggregate.health == TriggerHealth(last_triggered_at=START, last_poll_at=START + MINUTE)
    assert legacy.health == TriggerHealth(
        last_error="no such file", last_warnings=("slow",), last_triggered_at=START
    )
    assert search.owner == aggregate.owner == QueryOwner(ownership=QueryOwnership.ORGANIZATION)
    assert legacy.owner == QueryOwner(ownership=QueryOwnership.USER, user_id="u-1")


async def test_file_that_is_stored_already_is_not_sent() -> None:
    client, transport = make_client("graphql/files/list.yaml", "files/download/csv.yaml")

    assert await client.files("fdr").upload("runners.csv", b"host\nweb-1") is False
    assert transport.left == ()


async def test_files_list() -> None:
    client, _ = make_client("graphql/files/list.yaml")

    (file,) = await client.files("fdr").list()

    modified_at = datetime.fromisoformat("2026-03-10T02:00:00Z")
    assert file == LookupFile(name="runners.csv", size_bytes=10, modified_at=modified_at)
    assert file.raw["contentHash"] == "placeholder"


async def test_packages() -> None:
    client, _ = make_client("graphql/packages/list.yaml")

    (auth, proxy) = await client.packages("fdr").list()

    assert (auth.id, auth.source, auth.available_update) == ("acme/auth@0.1.0", "ZipFile", "")
    assert proxy == InstalledPackage(
        id="acme/edge-proxy@1.2.0",
        source="HumioHub",
        available_update="1.10.0",
        installed_by="ann",
        installed_at=datetime.fromisoformat("2026-03-01T02:00:00Z"),
        updated_by="bob",
        updated_at=datetime.fromisoformat("2026-03-09T22:30:00Z"),
    )


async def test_package_that_is_refused() -> None:
    client, _ = make_client("packages/refused.yaml")

    with pytest.raises(RequestRejected) as caught:
        await client.packages("fdr").install(b"a zip")

    assert caught.value.problems == (
        "manifest.yaml: name is missing",
        "queries/a.yaml: a name is in use",
        "alerts/b.yaml: no such action",
    )


async def test_hec() -> None:
    client, transport = make_client("ingest/hec/success.yaml")

    count = await client.ingest().hec(
        [{"event": {"user": "ci"}, "time": 1773108000.5, "fields": {"#repo": "fdr"}}]
    )

    assert (count, transport.left) == (1, ())


async def test_expired_token() -> None:
    client, _ = make_client("errors/status_401/text.yaml")

    with pytest.raises(Unauthorized, match="The supplied authentication is invalid"):
        await client.status()


async def test_falcon_region() -> None:
    falcon, transport = make_falcon()

    assert await falcon.check() == "us-1"
    assert transport.left == ()


async def test_falcon_rules() -> None:
    falcon, transport = make_falcon("falcon/correlation_rules/list.yaml")

    assert await falcon.assets("00").list(CorrelationRule) == (
        CorrelationRule(
            id="rule-1",
            name="t1528",
            description="d",
            query="count()",
            enabled=True,
            severity=70,
            tactic="TA0006",
            technique="T1528",
            schedule=60 * MINUTE,
            lookback=65 * MINUTE,
            start_on=datetime.fromisoformat("2026-03-10T02:00:00Z"),
        ),
    )
    assert transport.left == ()


async def test_falcon_rule_with_every_member() -> None:
    falcon, transport = make_falcon("falcon/correlation_rules/all_kinds.yaml")

    rule, _ = await falcon.assets("00").list(CorrelationRule)

    assert transport.left == ()
    assert rule == CorrelationRule(
        id="rule-1",
        name="a whole one",
        description="d",
        query="count()",
        enabled=True,
        severity=70,
        schedule=60 * MINUTE,
        lookback=65 * MINUTE,
        actions=("email",),
        outcome="case",
        trigger_mode="verbose",
        use_ingest_time=True,
        case_template_id="case-1",
        template_id="template-1",
        comment="raised",
        mitre_attack=(
            AttackMapping(tactic_id="TA0006", technique_id="T1528"),
            AttackMapping(tactic_id="TA0001"),
        ),
        notifications=(
            RuleNotification(kind="email", recipients=("soc@mail.example",), severity="high"),
        ),
        guardrail_notifications=(
            RuleNotification(
                kind="slack",
                plugin_id="slack.incoming_webhook",
                config_id="config-1",
                channel_id="channel-1",
            ),
        ),
        suppression=RuleSuppression(period=120 * MINUTE, field="host"),
        start_on=datetime.fromisoformat("2026-03-10T02:00:00Z"),
        stop_on=datetime.fromisoformat("2026-04-10T02:00:00Z"),
    )
    assert rule.unread == ()
    assert rule.state == RuleState(
        version_id="version-3",
        version=3,
        publication="published",
        status="active",
        message="",
        kind="correlation",
        author="ann",
        created_at=datetime.fromisoformat("2026-03-01T00:00:00Z"),
        updated_at=datetime.fromisoformat("2026-03-02T00:00:00Z"),
        next_run_at=datetime.fromisoformat("2026-03-10T04:00:00Z"),
        expires_at=None,
        last_run=RuleRun(
            status="succeeded",
            errors=(),
            warnings=("slow",),
            result_count=2,
            started_at=datetime.fromisoformat("2026-03-10T03:00:01Z"),
            finished_at=datetime.fromisoformat("2026-03-10T03:00:04Z"),
            window_until=datetime.fromisoformat("2026-03-10T03:00:00Z"),
        ),
    )


async def test_falcon_rule_of_an_unknown_kind_hides_no_other() -> None:
    falcon, _ = make_falcon("falcon/correlation_rules/all_kinds.yaml")

    _, odd = await falcon.assets("00").list(CorrelationRule)

    assert (odd.id, odd.name, odd.severity, odd.enabled) == ("rule-2", "an odd one", 50, True)
    assert (odd.query, odd.schedule, odd.lookback) == ("", None, None)
    assert odd.unread == ("search.filter", "operation.schedule", "search.lookback")
    assert odd.raw["search"] == {"stages": []}
    assert odd.state is not None
    assert odd.state.kind == "behavioral"


async def test_falcon_connections() -> None:
    falcon, transport = make_falcon("falcon/connections/read.yaml")
    connections = falcon.connections()

    (found,) = await connections.list()
    key = await connections.key("connection-1")
    (connector,) = await connections.connectors()

    assert transport.left == ()
    assert found == DataConnection(
        id="connection-1",
        name="proxy",
        status="active",
        source="push",
        parser="proxy-parser",
        vendor="Vendor",
        product="Proxy",
        ingest_url="https://connection-1.ingest.example/services/collector",
        last_ingested_at=datetime.fromisoformat("2026-03-10T01:59:00Z"),
        volume_one_day="1.2 GB",
    )
    assert found.raw["sub_connections"] == [{"id": "sub-1", "errors_count": 3}]
    assert key == ConnectionKey(
        secret=SecretText("placeholder"),
        ingest_url=found.ingest_url,
        created_at="2026-03-01T00:00:00Z",
        expires_at="",
    )
    assert (connector.id, connector.kind, connector.parsers) == ("c-1", "push", ("proxy-parser",))


async def test_falcon_saved_query() -> None:
    falcon, transport = make_falcon("falcon/saved_queries/template.yaml")

    query = await falcon.saved_queries("falcon").get("query-1")

    assert transport.left == ()
    assert query == SavedQuery(
        id="query-1", name="t1528", description="d", query="a=b\n| count()", labels=("soc",)
    )
    assert query.raw["timeInterval"] == {"start": "24h", "end": "now"}


async def test_falcon_saved_query_that_was_written_is_told_by_its_id() -> None:
    falcon, transport = make_falcon("falcon/saved_queries/written.yaml")

    made = await falcon.saved_queries("falcon").create(SavedQuery(name="t1528", query="a=b"))

    assert transport.left == ()
    assert made == "query-2"


async def test_falcon_rule_versions() -> None:
    falcon, transport = make_falcon("falcon/correlation_rules/versions.yaml")

    newest, oldest = await falcon.rule_versions().list("rule-1")

    assert transport.left == ()
    assert (newest.id, newest.number, newest.state) == ("version-2", 2, "published")
    assert (newest.updated_at, newest.rule.severity) == ("2026-03-02T00:00:00Z", 70)
    assert (oldest.id, oldest.state, oldest.rule.id) == ("version-1", "unpublished", "rule-1")


async def test_falcon_rule_template() -> None:
    falcon, transport = make_falcon("falcon/correlation_rules/template.yaml")

    template = await falcon.rule_templates("0123456789abcdef0123456789abcdef").get("template-1")

    assert transport.left == ()
    assert (template.id, template.author, template.vendors) == ("template-1", "v", ("Example",))
    assert (template.created_at, template.updated_at) == (
        "2026-01-01T00:00:00Z",
        "2026-02-01T00:00:00Z",
    )
    assert template.raw["license_details"] == {"name": "l", "url": "https://license.example"}
    assert template.rule == CorrelationRule(
        name="t1528",
        description="d",
        query="count()",
        enabled=False,
        severity=50,
        schedule=timedelta(hours=1),
        lookback=timedelta(minutes=75),
        template_id="template-1",
        mitre_attack=(AttackMapping(tactic_id="TA0006", technique_id="T1528"),),
    )
    assert (template.rule.state, template.rule.unread, template.rule.raw) == (None, (), {})


async def test_falcon_rule_version_counts() -> None:
    falcon, transport = make_falcon("falcon/correlation_rules/counts.yaml")

    assert await falcon.rule_versions().counts("severity") == {"50": 2, "90": 1}
    assert transport.left == ()


async def test_falcon_hosts() -> None:
    falcon, transport = make_falcon("falcon/hosts/find.yaml")

    first, second = [
        host async for host in falcon.hosts().find(filter_text="platform_name:'Linux'", page_size=1)
    ]

    assert transport.left == ()
    assert (first.id, first.name, first.external_ip) == ("aid-1", "web-1", "203.0.113.1")
    assert (first.tags, first.groups) == (("FalconGroupingTags/prod",), ("group-1",))
    assert first.raw["status"] == "normal"
    assert (first.containment, first.os_version) == ("normal", "")
    assert (second.id, second.name, second.last_seen) == ("aid-2", "", "")


async def test_falcon_refused_query_is_in_the_envelope() -> None:
    falcon, _ = make_falcon("falcon/query_jobs/refused.yaml")

    with pytest.raises(QueryRejected, match="Unexpected end of query"):
        await falcon.search("search-all", "x |", start=START, end=END, deadline=MINUTE)


async def test_health_names_what_is_bad_first() -> None:
    client, _ = make_client("status/health/warned.yaml")

    health = await client.health()

    assert (health.status, health.message, health.uptime) == (
        "WARN",
        "1 of 2 checks warns",
        "3d 4h",
    )
    assert [(check.name, check.status, check.fields) for check in health.checks] == [
        ("secondary-disk-usage", "WARN", {"percent": "91"}),
        ("primary-disk-usage", "OK", {"percent": "41"}),
    ]
