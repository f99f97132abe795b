"""The Falcon face: tokens, envelopes and limits on every route, correlation rules, bad input."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from orchestrator.clock import FrozenClock
from orchestrator.sandbox.faults.kinds import Fault, FaultKind
from orchestrator.sandbox.gateway import GatewayFace
from orchestrator.sandbox.settings import FalconClient, Right
from tests.unit.sandbox.conftest import NOW, NOW_MS

CLIENTS = (FalconClient(client_id="id", client_secret="secret"),)
RULE = {
    "customer_id": "0" * 32,
    "name": "rule",
    "severity": 50,
    "status": "active",
    "template_id": "",
    "search": {
        "filter": "a=b",
        "lookback": "1h",
        "outcome": "detection",
        "trigger_mode": "summary",
        "execution_mode": "scheduled",
    },
    "operation": {"schedule": {"definition": "@every 1h0m"}},
}
RULES = "/correlation-rules/entities/rules/v1"


async def token_of(client: Any) -> str:
    answer = await client.call(
        "POST", "/oauth2/token", token=None, data={"client_id": "id", "client_secret": "secret"}
    )
    assert answer.status_code == 201
    assert (answer.json()["expires_in"], answer.json()["token_type"]) == (1799, "bearer")
    return str(answer.json()["access_token"])


async def test_token_searches_until_it_expires(open_client: Any) -> None:
    async with open_client(falcon_clients=CLIENTS) as client:
        token = await token_of(client)
        path = "/humio/api/v1/repositories/search-all/queryjobs"
        body = {"queryString": "count()", "start": "1h", "end": "now"}

        fresh = await client.call("POST", path, token=token, json=body)
        client.clock.advance(timedelta(minutes=31))
        stale = await client.call("POST", path, token=token, json=body)

    assert fresh.status_code == 200
    assert set(fresh.json()) >= {"id", "hashedQueryOnView"}
    assert stale.status_code == 401
    assert stale.json()["errors"][0]["code"] == 401
    assert stale.json()["resources"] == []


async def test_wrong_secret_gets_an_envelope(open_client: Any) -> None:
    async with open_client(falcon_clients=CLIENTS) as client:
        answer = await client.call(
            "POST", "/oauth2/token", token=None, data={"client_id": "id", "client_secret": "no"}
        )

    assert answer.status_code == 403
    assert answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("view", ["search-all", "investigate_view", "third-party"])
async def test_view_of_the_tenant_sees_every_repository(open_client: Any, view: str) -> None:
    async with open_client(repositories=("falcon", "other")) as client:
        await client.ingest({"a": "1"}, repository="falcon")
        await client.ingest({"a": "1"}, repository="other")

        job = await client.start("count()", repository=view)
        found = await client.poll(job, repository=view)

    assert found["events"] == [{"_count": "2"}]


async def test_file_put_into_a_view_of_the_tenant_is_kept(open_client: Any, tmp_path: Path) -> None:
    path = "/humio/api/v1/repositories/search-all/files"
    async with open_client(data_dir=tmp_path) as client:
        sent = await client.call("POST", path, files={"file": ("roles.csv", b"host,role\na,db\n")})
        assert (sent.status_code, len(sent.text)) == (200, 24)
        await client.ingest({"host": "a"})

    async with open_client(data_dir=tmp_path) as client:
        kept = await client.call("GET", f"{path}/roles.csv")
        job = await client.start('match(file="roles.csv", field=host)', repository="search-all")
        found = await client.poll(job, repository="search-all")
        listed = await client.graphql("{ searchDomains { name __typename } }")

    assert kept.content == b"host,role\na,db\n"
    assert [event["role"] for event in found["events"]] == ["db"]
    assert [used["name"] for used in found["filesUsed"]] == ["roles.csv"]
    assert listed["data"]["searchDomains"] == [
        {"name": "falcon", "__typename": "Repository"},
        {"name": "search-all", "__typename": "View"},
    ]


async def test_view_of_the_tenant_sees_the_files_and_saved_queries_that_the_tenant_has(
    open_client: Any,
) -> None:
    async with open_client(repositories=("falcon", "other")) as client:
        falcon, other = (client.sandbox.domain(name) for name in ("falcon", "other"))
        client.sandbox.put_file(falcon, "roles.csv", b"host,role\na,of falcon\n", by="test")
        client.sandbox.put_file(other, "roles.csv", b"host,role\na,of other\n", by="test")
        client.sandbox.put_file(other, "sites.csv", b"host,site\na,north\n", by="test")
        await client.graphql("""mutation { createSavedQuery(input: {viewName: "other",
          name: "only-a", queryString: "host=a"}) { savedQuery { id } } }""")
        await client.ingest({"host": "a"}, {"host": "b"})
        query = '$"only-a"() | match("roles.csv", field=host) | match("sites.csv", field=host)'

        async def found() -> list[tuple[str, str]]:
            job = await client.start(query, repository="search-all")
            events = (await client.poll(job, repository="search-all"))["events"]
            return [(event["role"], event["site"]) for event in events]

        oldest_first = await found()
        view = client.sandbox.domain("search-all")
        client.sandbox.put_file(view, "roles.csv", b"host,role\na,its own\n", by="test")

        # The oldest repository's counts, and the view's own before it.
        assert oldest_first == [("of falcon", "north")]
        assert await found() == [("its own", "north")]


async def test_view_of_the_tenant_that_is_deleted_is_empty_afterwards(client: Any) -> None:
    view = client.sandbox.domain("search-all")
    client.sandbox.put_file(view, "a.csv", b"k\n1\n", by="test")

    await client.graphql('mutation { deleteSearchDomain(name: "search-all") { result } }')

    assert client.sandbox.domain("search-all").files == {}
    assert list(client.sandbox.domains) == ["falcon"]


POLLED = {
    "top": {"cancelled", "done", "events", "filesUsed", "filterMatches", "metaData"}
    | {"queryEventDistribution", "warnings"},
    "metaData": {"costs", "digestFlow", "eventCount", "extraData", "fieldOrder", "filterQuery"}
    | {"isAggregate", "pollAfter", "processedBytes", "processedEvents", "queryEnd", "querySpent"}
    | {"queryStart", "queuedMillis", "quotaTotalSpent", "responderVHost", "resultBufferSize"}
    | {"timeMillis", "totalWork", "warning", "warnings", "workDone"},
    "digestFlow": {"ingestTimeKnownGood", "maxIngestLatency", "minIngestTimeIncluded"},
    "queryEventDistribution": {"bucket_first_bucket", "bucket_last_bucket"}
    | {"bucket_span_humanized", "bucket_span_millis"},
}
"""What gofalcon's models require, and rusty-falcon cannot read an answer without."""


async def polled(client: Any, base: str, query: str, **members: Any) -> dict[str, Any]:
    path = f"{base}/api/v1/repositories/falcon/queryjobs"
    started = await client.call("POST", path, json={"queryString": query, **members})
    answer = await client.call("GET", f"{path}/{started.json()['id']}")
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("query", ["*", "count()"])
@pytest.mark.parametrize("is_done", [True, False])
async def test_poll_through_the_gateway_has_all_that_its_swagger_requires(
    open_client: Any, query: str, is_done: bool
) -> None:
    async with open_client(first_poll_done=is_done) as client:
        await client.ingest({"a": "1"})
        found = await polled(client, "/humio", query)

    assert found["done"] is is_done
    assert POLLED["top"] - found.keys() == set()
    for part in ("metaData", "queryEventDistribution"):
        assert POLLED[part] - found[part].keys() == set()
    assert found["metaData"]["digestFlow"] == {
        "ingestTimeKnownGood": NOW_MS,
        "maxIngestLatency": 0,
        "minIngestTimeIncluded": NOW_MS,
    }
    assert found["metaData"]["warning"] == ""
    assert (found["filesUsed"], found["filterMatches"]) == ([], [])
    assert found["metaData"]["fieldOrder"] == (["_count"] if is_done and query != "*" else [])


async def test_distribution_through_the_gateway_has_its_bounds_outside_too(client: Any) -> None:
    await client.ingest({"a": "1"})

    asked = await polled(client, "/humio", "*", showQueryEventDistribution=True)
    plain = await polled(client, "", "*", showQueryEventDistribution=True)

    bounds = {
        "bucket_first_bucket": str(NOW_MS - 86_400_000),
        "bucket_last_bucket": str(NOW_MS - 900_000),
        "bucket_span_humanized": "15 minutes",
        "bucket_span_millis": "900000",
    }
    assert plain["queryEventDistribution"]["extraData"] == bounds
    assert asked["queryEventDistribution"] == plain["queryEventDistribution"] | bounds


async def test_poll_of_plain_logscale_has_what_is_optional_where_there_is_something_to_say(
    client: Any,
) -> None:
    found = await polled(client, "", "*")

    assert found.keys() == {"cancelled", "done", "events", "metaData", "warnings"}
    assert "fieldOrder" not in found["metaData"]
    assert found["metaData"]["digestFlow"].keys() == POLLED["digestFlow"]


async def test_job_is_stopped_through_the_gateway_with_200_and_nothing_else(client: Any) -> None:
    job = await client.start("*")

    stopped = await client.call("DELETE", f"/humio/api/v1/repositories/falcon/queryjobs/{job}")
    gone = await client.call("GET", f"/humio/api/v1/repositories/falcon/queryjobs/{job}")

    assert (stopped.status_code, stopped.content) == (200, b"")
    assert gone.status_code == 404


async def test_rule_needs_no_template(open_client: Any) -> None:
    async with open_client(falcon_clients=CLIENTS) as client:
        token = await token_of(client)
        body = {name: value for name, value in RULE.items() if name != "template_id"}

        answer = await client.call("POST", RULES, token=token, json=body)

    assert (answer.status_code, answer.json()["resources"][0]["template_id"]) == (200, "")


async def test_bad_query_through_the_gateway_is_an_envelope(client: Any) -> None:
    answer = await client.call(
        "POST",
        "/humio/api/v1/repositories/search-all/queryjobs",
        json={"queryString": "count("},
    )

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["errors"][0]["message"]


async def test_rule_keeps_its_rule_id_and_changes_its_version(client: Any) -> None:
    made = (await client.call("POST", RULES, json=RULE)).json()["resources"][0]
    patch = [{"id": made["rule_id"], "severity": 90, "search": {"filter": "a=c"}}]
    [after] = (await client.call("PATCH", RULES, json=patch)).json()["resources"]
    listed = (await client.call("GET", "/correlation-rules/combined/rules/v1")).json()

    assert (after["rule_id"], after["version"]) == (made["rule_id"], 2)
    assert after["id"] != made["id"]
    assert after["search"]["lookback"] == "1h"
    assert listed["resources"] == [after]
    assert listed["meta"]["pagination"]["total"] == 1


async def test_deleted_rule_is_gone(client: Any) -> None:
    made = (await client.call("POST", RULES, json=RULE)).json()["resources"][0]

    await client.call("DELETE", RULES, params={"ids": made["rule_id"]})
    answer = await client.call("GET", RULES, params={"ids": made["rule_id"]})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"severity": 55},
        {"status": "asleep"},
        {"search": {"filter": ""}},
        {"search": {**RULE["search"], "outcome": "party"}},  # type: ignore[dict-item]  # RULE is a plain literal
    ],
)
async def test_wrong_rule_is_refused(client: Any, change: dict[str, Any]) -> None:
    answer = await client.call("POST", RULES, json={**RULE, **change})

    assert answer.status_code == 400


async def test_rule_without_its_members_is_refused(client: Any) -> None:
    answer = await client.call("POST", RULES, json={"name": "x"})

    assert "customer_id" in answer.json()["errors"][0]["message"]


async def test_inactive_together_with_operation_is_refused(client: Any) -> None:
    made = (await client.call("POST", RULES, json=RULE)).json()["resources"][0]
    patch = [{"id": made["rule_id"], "status": "inactive", "operation": RULE["operation"]}]

    answer = await client.call("PATCH", RULES, json=patch)

    assert answer.status_code == 400


async def test_rule_patch_that_is_no_array_is_refused(client: Any) -> None:
    answer = await client.call("PATCH", RULES, json={"id": "x"})

    assert answer.status_code == 400


# --- what every exchange has --------------------------------------------------------------------

GATEWAY_PATHS = [
    ("GET", "/devices/queries/devices/v1"),
    ("GET", "/correlation-rules/combined/rules/v1"),
    ("GET", "/ngsiem-content/queries/lookupfiles/v1"),
    ("GET", "/ngsiem/combined/connections/v1"),
    ("POST", "/humio/api/v1/repositories/search-all/queryjobs"),
]


@pytest.mark.parametrize(("method", "path"), GATEWAY_PATHS)
@pytest.mark.parametrize(
    ("token", "status", "message"),
    [
        ("no-such-token", 401, "access denied, invalid bearer token"),
        ("sender", 403, "access denied, authorization failed"),
    ],
)
async def test_refusal_of_a_token_is_the_gateways_on_every_route(
    client: Any, method: str, path: str, token: str, status: int, message: str
) -> None:
    answer = await client.call(method, path, token=token, json={"queryString": "a=b"})

    assert answer.status_code == status
    body = answer.json()
    assert body["errors"] == [{"code": status, "message": message}]
    assert body["resources"] == []
    assert answer.headers["x-cs-traceid"] == body["meta"]["trace_id"]
    assert answer.headers["x-ratelimit-limit"] == "6000"


async def test_plain_logscale_has_nothing_of_the_gateway(client: Any) -> None:
    answer = await client.call("GET", "/api/v1/status", token=None)
    refused = await client.call("GET", "/api/v1/repositories/falcon/files", token="no")

    assert not {"x-cs-traceid", "x-ratelimit-limit"} & set(answer.headers)
    assert refused.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/devices/entities/nothing/v1"),
        ("DELETE", "/devices/queries/devices/v1"),
        ("GET", "/humio/api/v1/nothing"),
        ("GET", "/alerts/nothing"),
        ("GET", "/loggingapi/nothing"),
        ("GET", "/spotlight/combined/vulnerabilities/v1"),
        ("POST", "/real-time-response/entities/sessions/v1"),
        ("PATCH", "/policy/entities/prevention/v1"),
        ("POST", "/detects/aggregates/detects/GET/v1"),
        ("GET", "/incidents/queries/incidents/v1"),
    ],
)
async def test_path_that_is_not_known_is_an_envelope(client: Any, method: str, path: str) -> None:
    answer = await client.call(method, path)

    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == 404


async def test_path_that_is_not_known_wants_a_token_first(client: Any) -> None:
    answer = await client.call("GET", "/policy/combined/prevention/v1", token=None)

    assert answer.status_code == 401
    assert answer.json()["errors"] == [
        {"code": 401, "message": "access denied, invalid bearer token"}
    ]


async def test_job_of_a_saved_search_tells_how_far_it_is_and_what_went_wrong(
    open_client: Any,
) -> None:
    path = "/loggingapi/entities/saved-searches"
    async with open_client(first_poll_done=False) as client:

        async def started(query: str, mode: str) -> httpx.Response:
            body = {"repo_or_view": "falcon", "search_query": query, "search_query_args": {}}
            answer: httpx.Response = await client.call(
                "POST", f"{path}/execute-dynamic/v1?mode={mode}", json=body
            )
            return answer

        job = (await started("match(no.csv, field=a)", "async")).json()["resources"][0]
        page = f"{path}-execute/v1?job_id={job['job_status']['job_id']}"
        running, failed = [
            (await client.call("GET", page)).json()["resources"][0] for _ in range(2)
        ]
        none = await client.call("GET", page.replace("-execute", "-job-results-download"))
        at_once = await started("match(no.csv, field=a)", "sync")

    assert job == running
    assert (running["job_status"]["status"], running["events"]) == ("RUNNING", [])
    assert failed["job_status"]["status"] == "FAILED"
    assert "no.csv" in failed["job_status"]["error_message"]
    assert (none.status_code, at_once.status_code) == (400, 400)
    assert at_once.json()["errors"][0]["message"] == failed["job_status"]["error_message"]


async def test_more_requests_than_a_minute_has_are_refused_until_the_next(open_client: Any) -> None:
    path = "/devices/queries/devices/v1"
    async with open_client(gateway_requests_per_minute=2) as client:
        answers = [await client.call("GET", path) for _ in range(3)]
        client.clock.advance(timedelta(seconds=45))
        early = await client.call("GET", path)
        client.clock.advance(timedelta(seconds=15))
        later = await client.call("GET", path)

    assert [a.status_code for a in (*answers, early, later)] == [200, 200, 429, 429, 200]
    assert [a.headers["x-ratelimit-remaining"] for a in answers] == ["1", "0", "0"]
    # Epoch seconds: the end of the minute, whenever one asks.
    end = str(NOW_MS // 1000 + 60)
    assert [a.headers["x-ratelimit-retryafter"] for a in (answers[2], early)] == [end, end]
    assert answers[2].json()["errors"] == [{"code": 429, "message": "API rate limit exceeded"}]


async def test_fault_before_the_routes_is_an_envelope_too(client: Any) -> None:
    fault = Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=7)
    client.sandbox.faults.set("GET /devices/*", [fault, Fault(kind=FaultKind.UNAVAILABLE)])

    limited = await client.call("GET", "/devices/queries/devices/v1")
    broken = await client.call("GET", "/devices/queries/devices/v1")

    assert limited.headers["x-ratelimit-retryafter"] == str(NOW_MS // 1000 + 7)
    assert "retry-after" not in limited.headers
    assert limited.json()["errors"][0] == {"code": 429, "message": "Too many requests"}
    assert broken.json()["errors"][0]["code"] == 503


async def test_fault_of_the_sandbox_itself_is_an_envelope_and_is_not_hidden() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("a bug")

    face = GatewayFace(failing, clock=FrozenClock(NOW), per_minute=9)
    quiet, loud = (httpx.ASGITransport(face, raise_app_exceptions=on) for on in (False, True))
    async with httpx.AsyncClient(transport=quiet, base_url="http://x") as http:
        answer = await http.get("/devices/queries/devices/v1")
    async with httpx.AsyncClient(transport=loud, base_url="http://x") as http:
        with pytest.raises(LookupError, match="a bug"):
            await http.get("/devices/queries/devices/v1")

    assert answer.status_code == 500
    assert answer.json()["errors"] == [
        {"code": 500, "message": "the sandbox failed; its log says why"}
    ]
    assert answer.headers["x-ratelimit-remaining"] == "8"


# --- tokens -------------------------------------------------------------------------------------


async def test_token_has_the_rights_of_its_client_and_names_its_cloud(open_client: Any) -> None:
    reader = FalconClient(
        client_id="id", client_secret="secret", rights=frozenset({Right.READ}), region="eu-1"
    )
    async with open_client(falcon_clients=(reader,)) as client:
        form = {"client_id": "id", "client_secret": "secret"}
        issued = await client.call("POST", "/oauth2/token", token=None, data=form)
        token = issued.json()["access_token"]
        listed = await client.call("GET", RULES, token=token, params={"ids": "x"})
        created = await client.call("POST", RULES, token=token, json=RULE)
        hidden = await client.call(
            "POST", f"{ACTIONS}?action_name=hide_host", token=token, json={"ids": ["a"]}
        )

    assert issued.headers["x-cs-region"] == "eu-1"
    assert [a.status_code for a in (listed, created, hidden)] == [404, 403, 403]


ACTIONS = "/devices/entities/devices-actions/v2"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"grant_type": "password"}, 400),
        ({"client_id": "other"}, 403),
        ({"client_secret": ""}, 403),
    ],
)
async def test_token_request_that_is_wrong_is_refused(
    open_client: Any, change: dict[str, str], status: int
) -> None:
    form = {"client_id": "id", "client_secret": "secret", **change}
    async with open_client(falcon_clients=CLIENTS) as client:
        answer = await client.call("POST", "/oauth2/token", token=None, data=form)

    assert answer.status_code == status
    assert answer.json()["errors"][0]["code"] == status


@pytest.mark.parametrize(
    ("basic", "status", "after"),
    [
        (("id", "secret"), 200, 401),
        (("id", "wrong"), 403, 200),
        (("other", "its-own"), 200, 200),
        (None, 403, 200),
    ],
)
async def test_token_is_revoked_by_its_own_client_alone(
    open_client: Any, basic: tuple[str, str] | None, status: int, after: int
) -> None:
    clients = (*CLIENTS, FalconClient(client_id="other", client_secret="its-own"))
    async with open_client(falcon_clients=clients) as client:
        token = await token_of(client)
        revoked = await client.http.post("/oauth2/revoke", data={"token": token}, auth=basic)
        used = await client.call("GET", "/devices/queries/devices/v1", token=token)

    assert (revoked.status_code, used.status_code) == (status, after)


async def test_tokens_of_the_settings_are_not_revoked(open_client: Any) -> None:
    admin = FalconClient(client_id="admin", client_secret="secret")
    async with open_client(falcon_clients=(admin,)) as client:
        form = {"token": "admin"}
        await client.http.post("/oauth2/revoke", data=form, auth=("admin", "secret"))
        used = await client.call("GET", "/devices/queries/devices/v1", token="admin")

    assert used.status_code == 200


# --- what lasts ---------------------------------------------------------------------------------


async def test_what_the_gateway_changed_survives_a_restart(
    open_client: Any, tmp_path: Path
) -> None:
    board = {"search_domain": "falcon", "name": "board", "yaml_template": "widgets: {}"}
    async with open_client(data_dir=tmp_path) as client:
        client.sandbox.hosts = {"a": {"device_id": "a", "tags": [], "groups": ["g"]}}
        made = await client.call("POST", BOARDS, files={"yaml_template": b""}, data=board)
        await client.call("POST", f"{ACTIONS}?action_name=contain", json={"ids": ["a"]})
        await client.call("POST", f"{GROUPS}?action_name=remove_all&ids=g", json={})
    async with open_client(data_dir=tmp_path) as client:
        host = (await client.call("GET", "/devices/entities/devices/v2?ids=a")).json()
        board_id = made.json()["resources"][0]
        read = (await client.call("GET", f"{BOARDS}?ids={board_id}&search_domain=falcon")).json()
        joined = await client.call(
            "POST", f"{GROUPS}?action_name=add_group_member&ids=g", json=everyone()
        )

    assert (host["resources"][0]["status"], host["resources"][0]["groups"]) == ("contained", [])
    assert read["resources"][0]["name"] == "board"
    assert joined.status_code == 200


BOARDS = "/ngsiem-content/entities/dashboards-template/v1"
GROUPS = "/devices/entities/group-actions/v1"


def everyone() -> dict[str, Any]:
    return {"action_parameters": [{"name": "filter", "value": "device_id:'*'"}]}


QUERIES = "/ngsiem-content/entities/savedqueries-template/v1"
SAVED = 'searchDomain(name: "falcon") { savedQueries { name query { queryString start } } }'


async def test_saved_query_of_one_face_is_read_through_the_other(client: Any) -> None:
    form = {"search_domain": "falcon", "yaml_template": "name: theirs\nqueryString: a=1"}
    given = '{viewName: "falcon", name: "ours", queryString: "b=2"}'
    mutation = f"mutation {{ createSavedQuery(input: {given}) {{ savedQuery {{ id }} }} }}"
    await client.call("POST", QUERIES, data=form)
    made = await client.graphql(mutation)

    listed = await client.graphql(f"{{ {SAVED} }}")
    ours = made["data"]["createSavedQuery"]["savedQuery"]["id"]
    read = await client.call("GET", f"{QUERIES}?ids={ours}&search_domain=falcon")

    assert listed["data"]["searchDomain"]["savedQueries"] == [
        {"name": "theirs", "query": {"queryString": "a=1", "start": "24h"}},
        {"name": "ours", "query": {"queryString": "b=2", "start": "24h"}},
    ]
    assert "queryString: b=2\n" in read.json()["resources"][0]["yaml_template"]


# --- bad input ----------------------------------------------------------------------------------

CONFIGS = "/ngsiem/entities/connectors/configs/v1"
DEEP = "[" * 100_000
POISON: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", RULES, {"content": b"{"}),
    ("POST", RULES, {"content": DEEP.encode()}),
    ("POST", RULES, {"json": [RULE]}),
    ("POST", RULES, {"json": {**RULE, "severity": [50]}}),
    ("POST", RULES, {"json": {**RULE, "severity": True}}),
    ("POST", RULES, {"json": {**RULE, "status": {}}}),
    ("POST", RULES, {"json": {**RULE, "search": [1]}}),
    ("PATCH", RULES, {"json": [{"id": 5}]}),
    ("PATCH", RULES, {"json": []}),
    ("DELETE", RULES, {}),
    ("GET", f"{RULES}?ids=", {}),
    ("GET", "/correlation-rules/combined/rules/v1?sort=name|up", {}),
    ("GET", "/correlation-rules/combined/rules/v1?limit=%C2%B2", {}),
    ("GET", "/correlation-rules/combined/rules/v1?offset=" + "9" * 5_000, {}),
    ("GET", "/correlation-rules/combined/rules/v1?limit=-1", {}),
    ("POST", "/correlation-rules/aggregates/rule-versions/v1", {"json": [{"field": 1}]}),
    ("POST", "/correlation-rules/entities/rule-versions/import/v1", {"json": [RULE, 1]}),
    ("POST", "/correlation-rules/entities/rule-versions/export/v1", {"json": {"search": {}}}),
    ("PATCH", "/correlation-rules/entities/rule-versions/publish/v1", {"json": []}),
    ("POST", "/correlation-rules/entities/templates/rules/v1", {"json": []}),
    ("POST", "/correlation-rules/entities/templates/rules/v1", {"json": [{"templates": [1]}]}),
    ("PUT", "/correlation-rules/entities/rules/ownership/v1", {"json": []}),
    ("PUT", "/correlation-rules/entities/rules/ownership/v2", {"json": {"ids": [1]}}),
    ("GET", "/devices/queries/devices/v1?filter=a:'b", {}),
    ("GET", "/devices/combined/devices/v1?offset=%00", {}),
    ("POST", "/devices/entities/devices/v2", {"json": {"ids": ["x"] * 5_001}}),
    ("POST", "/devices/entities/devices/v2", {"json": {"ids": [{}]}}),
    ("POST", f"{ACTIONS}?action_name=melt", {"json": {"ids": ["a"]}}),
    ("PATCH", "/devices/entities/devices/tags/v1", {"json": {"device_ids": ["a"], "tags": ["x"]}}),
    ("POST", f"{GROUPS}?action_name=remove_all", {"json": {}}),
    ("POST", "/devices/entities/host-groups/v1", {"json": {"resources": [1]}}),
    (
        "POST",
        "/devices/entities/host-groups/v1",
        {"json": {"resources": [{"group_type": [], "name": "x"}]}},
    ),
    ("GET", "/devices/queries/host-group-members/v1", {}),
    ("POST", BOARDS, {"data": {"yaml_template": "{"}}),
    ("POST", BOARDS, {"data": {"yaml_template": "[" * 5_000}}),
    ("POST", BOARDS, {"content": b"x", "headers": {"content-type": "multipart/form-data"}}),
    ("POST", BOARDS, {"files": {"yaml_template": b"\xff"}}),
    ("GET", "/ngsiem-content/queries/lookupfiles/v1?search_domain=no", {}),
    ("POST", "/ngsiem-content/entities/bulk-lookupfiles/v1", {"json": {"lookup_files": [1]}}),
    ("POST", "/ngsiem-content/entities/parsers/v1", {"json": {"name": "x", "script": []}}),
    (
        "POST",
        "/ngsiem-content/entities/lookupfile-labels/v1",
        {"json": {"filename": "f", "labels": "x"}},
    ),
    ("POST", "/ngsiem/entities/connections/v1", {"json": {"connector_id": "x", "name": "n"}}),
    ("POST", "/ngsiem/entities/connections/v1", {"json": {"connector_id": "sandbox-hec"}}),
    (
        "POST",
        "/ngsiem/entities/connections/v1",
        {"json": {"connector_id": "sandbox-hec", "name": []}},
    ),
    ("POST", CONFIGS, {"json": {"connector_id": "sandbox-hec", "config": {"params": {}}}}),
]


@pytest.mark.parametrize(
    ("method", "path", "request_members"), POISON, ids=[str(n) for n in range(len(POISON))]
)
async def test_request_that_is_wrong_is_a_400_in_an_envelope(
    client: Any, method: str, path: str, request_members: dict[str, Any]
) -> None:
    client.sandbox.hosts = {"a": {"device_id": "a", "groups": ["g"]}}

    answer = await client.call(method, path, **request_members)

    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["message"]
