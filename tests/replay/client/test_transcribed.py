"""Exchanges written down from the vendor's documents and schema, decoded.

They prove that the client reads the documented shape, not that a server sends it.
"""

from __future__ import annotations

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
    Falcon,
    FilterAlert,
    LogScale,
    LookupFile,
    ReplayTransport,
    RuleNotification,
    RuleRun,
    RuleState,
    RuleSuppression,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
    load_cassette,
)
from orchestrator.client.graphql.assets import Assets
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.graphql.versions import ServerVersion
from orchestrator.client.http.auth import StaticToken
from orchestrator.client.http.retry import NO_RETRIES
from orchestrator.client.http.session import Session
from orchestrator.clock import FrozenClock
from orchestrator.errors import GraphqlError, QueryRejected, Unauthorized
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
    session = Session(
        replay(*names),
        auth=StaticToken(SecretText("placeholder")),
        clock=FrozenClock(NOW),
        policy=NO_RETRIES,
    )

    async def known() -> ServerVersion:
        return version

    return Assets(Graphql(session), view="fdr", version=known)


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
    assert result.warnings == ("Ingest is behind by 130 seconds.",)
    assert not result.completeness.is_complete
    assert result.fields == ("_count", "host", "@timestamp")
    assert [row["@timestamp"] for row in result.rows] == ["1773108000500", "1773108000501"]


async def test_lost_job_is_searched_again_over_the_same_span() -> None:
    client, transport = make_client("query_jobs/poll/lost_job.yaml")

    result = await client.search("fdr", "count()", start=START, end=END, deadline=MINUTE)

    assert transport.left == ()
    assert result.completeness.is_complete
    assert result.stats.job_id == "1-second"


@pytest.mark.parametrize(("name", "version", "asset"), LISTS)
async def test_assets_list(name: str, version: ServerVersion, asset: Asset) -> None:
    assert await make_assets(name, version=version).list(type(asset)) == (asset,)


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
    client, _ = make_client("graphql/actions/list.yaml")

    assert await client.actions("fdr").list() == (
        Action(id="act-1", name="notify", kind="WebhookAction"),
    )


async def test_file_that_is_stored_already_is_not_sent() -> None:
    client, transport = make_client("graphql/files/list.yaml", "files/download/csv.yaml")

    assert await client.files("fdr").upload("runners.csv", b"host\nweb-1") is False
    assert transport.left == ()


async def test_files_list() -> None:
    client, _ = make_client("graphql/files/list.yaml")

    (file,) = await client.files("fdr").list()

    assert file == LookupFile(name="runners.csv")
    assert file.raw["contentHash"] == "placeholder"


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


async def test_falcon_rule_versions() -> None:
    falcon, transport = make_falcon("falcon/correlation_rules/versions.yaml")

    newest, oldest = await falcon.rule_versions().list("rule-1")

    assert transport.left == ()
    assert (newest.id, newest.number, newest.state) == ("version-2", 2, "published")
    assert (newest.updated_at, newest.rule.severity) == ("2026-03-02T00:00:00Z", 70)
    assert (oldest.id, oldest.state, oldest.rule.id) == ("version-1", "unpublished", "rule-1")


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
