"""falconpy, unmodified, against the sandbox's gateway face: search, content, rules, hosts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from falconpy import NGSIEM, CorrelationRules, Hosts, OAuth2

from orchestrator.sandbox.settings import ingest_token
from tests.contract.clients.conftest import NOW_MS, TOKEN

RULE: dict[str, Any] = {
    "name": "IMDS from a script",
    "customer_id": "0123456789abcdef0123456789abcdef",
    "severity": 50,
    "status": "active",
    "template_id": "",
    "search": {
        "filter": "#event_simpleName=NetworkConnectIP4 | count()",
        "lookback": "1h15m",
        "outcome": "detection",
        "trigger_mode": "summary",
        "execution_mode": "scheduled",
        "use_ingest_time": True,
    },
    "operation": {"schedule": {"definition": "@every 1h0m"}},
}
HOSTS: list[dict[str, Any]] = [
    {"device_id": "a1", "hostname": "web-1", "platform_name": "Linux", "tags": ["prod", "web"]},
    {"device_id": "a2", "hostname": "web-2", "platform_name": "Linux", "tags": ["dev"]},
    {"device_id": "b1", "hostname": "desk-1", "platform_name": "Windows", "tags": []},
]
Service = Callable[..., Any]


@pytest.fixture
def service(sandbox_url: str) -> Service:
    """Return what makes a service class of falconpy for the sandbox."""

    def made(kind: Callable[..., Any]) -> Any:
        return kind(client_id="sandbox", client_secret=TOKEN, base_url=sandbox_url)

    return made


@pytest.fixture
def events(sandbox_url: str) -> None:
    body: Any = [
        {
            "tags": {"event_simpleName": "ProcessRollup2"},
            "events": [
                {"timestamp": NOW_MS - 1_000 * age, "attributes": {"host": f"h{age % 2}"}}
                for age in range(1, 8)
            ],
        }
    ]
    token = ingest_token("falcon", token=TOKEN)
    answer = requests.post(
        f"{sandbox_url}/api/v1/ingest/humio-structured",
        json=body,
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    assert answer.status_code == 200


@pytest.fixture
def hosts(sandbox_url: str, service: Service) -> Any:
    answer = requests.put(
        f"{sandbox_url}/_sandbox/hosts",
        json=HOSTS,
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=10,
    )
    assert answer.json() == {"hosts": 3}
    return service(Hosts)


def body_of(answer: Any, *, status: int = 200) -> Any:
    assert answer["status_code"] == status, answer
    return answer["body"]


def resources(answer: Any, *, status: int = 200) -> Any:
    return body_of(answer, status=status)["resources"]


def test_token_is_issued_with_its_region_and_revoked(service: Service) -> None:
    auth = service(OAuth2)

    issued = auth.login()
    assert issued["status_code"] == 201
    assert issued["body"]["expires_in"] == 1799

    assert auth.revoke(issued["body"]["access_token"])["status_code"] == 200


def test_wrong_secret_is_refused_in_an_envelope(sandbox_url: str) -> None:
    auth = OAuth2(client_id="sandbox", client_secret="wrong", base_url=sandbox_url)

    refused: Any = auth.login()

    assert refused["status_code"] == 403
    assert refused["body"]["errors"][0]["code"] == 403


@pytest.mark.usefixtures("events")
def test_search_is_started_polled_and_stopped(service: Service) -> None:
    siem = service(NGSIEM)
    started = siem.start_search(
        repository="search-all",
        query_string="groupBy(host, function=count(as=n)) | sort(host, type=string, order=asc)",
        start="1d",
        end="now",
    )
    job = started["resources"]["id"]

    polled = body_of(siem.get_search_status(repository="search-all", id=job))

    assert polled["done"] is True
    assert polled["events"] == [{"host": "h0", "n": "3"}, {"host": "h1", "n": "4"}]
    assert polled["metaData"]["isAggregate"] is True
    # An empty answer comes out as its bytes.
    assert siem.stop_search(repository="search-all", id=job) == b""
    gone = siem.get_search_status(repository="search-all", id=job)
    assert gone["status_code"] == 404
    assert gone["body"]["errors"][0]["code"] == 404


@pytest.mark.usefixtures("events")
def test_results_are_paged(service: Service) -> None:
    siem = service(NGSIEM)
    search = {"queryString": "host=*", "start": NOW_MS - 86_400_000, "end": NOW_MS}
    job = siem.start_search(repository="falcon", search=search)["resources"]["id"]

    pages = [
        body_of(
            siem.get_search_status(
                repository="falcon",
                search_id=job,
                parameters={"paginationLimit": 3, "paginationOffset": offset},
            )
        )["events"]
        for offset in (0, 3, 6)
    ]

    ages = [(NOW_MS - int(event["@timestamp"])) // 1_000 for page in pages for event in page]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert ages == [1, 2, 3, 4, 5, 6, 7]


def test_query_that_is_not_cql_is_refused_in_an_envelope(service: Service) -> None:
    siem = service(NGSIEM)

    refused = siem.start_search(repository="search-all", query_string="x = | count(", start="1d")

    assert refused["status_code"] == 400
    assert refused["resources"]["errors"][0]["code"] == 400


def test_lookup_file_through_both_faces(service: Service, tmp_path: Path) -> None:
    siem = service(NGSIEM)
    path = tmp_path / "owners.csv"
    path.write_text("host,owner\nh0,red\n", encoding="utf-8")

    uploaded = siem.upload_file(repository="falcon", lookup_file=str(path))
    assert uploaded["status_code"] == 200
    assert siem.get_file(repository="falcon", filename="owners.csv") == path.read_bytes()

    changed = siem.update_lookup_file(
        search_domain="all", filename="owners.csv", file=b"host,owner\nh0,blue\nh1,green\n"
    )
    assert changed["status_code"] == 200
    added = siem.update_lookup_file_entries(
        search_domain="all",
        filename="owners.csv",
        file=b"host,owner\nH1,white\nh2,black\n",
        update_mode="update",
        key_columns="host",
        ignore_case="true",
    )
    assert added["status_code"] == 200
    content = siem.get_lookup_file(search_domain="all", filename="owners.csv")
    assert content == b"host,owner\nh0,blue\nH1,white\nh2,black\n"

    made = siem.create_lookup_file(search_domain="all", filename="extra.csv", file=b"a,b\n1,2\n")
    assert made["status_code"] == 200
    assert resources(siem.list_lookup_files(search_domain="all")) == ["extra.csv", "owners.csv"]
    named = siem.list_lookup_files(search_domain="all", filter="name:~'own'")
    assert resources(named) == ["owners.csv"]

    assert siem.delete_lookup_file(search_domain="all", filename="extra.csv")["status_code"] == 200
    assert resources(siem.list_lookup_files(search_domain="all")) == ["owners.csv"]
    missing = siem.get_lookup_file(search_domain="all", filename="extra.csv")
    assert missing["status_code"] == 404


def test_saved_query_through_its_whole_life(service: Service) -> None:
    siem = service(NGSIEM)
    template = b"name: errors\nqueryString: |\n  level=error\n"

    (made,) = resources(siem.create_saved_query(search_domain="falcon", yaml_template=template))
    (read,) = resources(siem.get_saved_query_template(ids=made["id"], search_domain="falcon"))
    assert read["name"] == "errors"
    assert "level=error" in read["yaml_template"]

    (changed,) = resources(
        siem.update_saved_query_from_template(
            ids=made["id"],
            search_domain="falcon",
            yaml_template=b"name: errors\nqueryString: level=fatal\n",
        )
    )
    assert changed["id"] != made["id"]
    assert resources(siem.list_saved_queries(search_domain="falcon")) == [changed["id"]]

    job = siem.start_search(repository="falcon", query_string="$errors() | count()", start="1d")
    (row,) = body_of(siem.get_search_status(repository="falcon", id=job["resources"]["id"]))[
        "events"
    ]
    assert row == {"_count": "0"}

    siem.delete_saved_query(ids=changed["id"], search_domain="falcon")
    assert resources(siem.list_saved_queries(search_domain="falcon")) == []


def test_correlation_rule_through_its_whole_life(service: Service) -> None:
    rules = service(CorrelationRules)

    (made,) = resources(rules.create_rule(body=RULE))
    assert (made["version"], made["state"], made["status"]) == (1, "published", "active")
    (changed,) = resources(rules.update_rule(body=[{"id": made["rule_id"], "severity": 70}]))

    assert changed["rule_id"] == made["rule_id"]
    assert changed["id"] != made["id"]
    assert (changed["severity"], changed["version"]) == (70, 2)
    assert changed["search"] == RULE["search"]
    assert resources(rules.query_rules()) == [changed["id"]]
    (listed,) = resources(rules.get_rules_combined(filter="name:'imds*'+status:'active'"))
    assert listed["severity"] == 70
    assert resources(rules.get_rules_combined(filter="status:'inactive'")) == []
    (latest,) = resources(rules.get_latest_rule_versions(rule_ids=made["rule_id"]))
    assert latest["id"] == changed["id"]
    (older,) = resources(rules.get_rules_v2(ids=made["id"]))
    assert older["severity"] == 50

    assert resources(rules.publish_rule_version(id=made["id"])) == [made["id"]]
    (back,) = resources(rules.get_rules(ids=made["rule_id"]))
    assert back["severity"] == 50
    assert rules.delete_rule_versions(ids=made["id"])["status_code"] == 400
    assert resources(rules.delete_rule_versions(ids=changed["id"])) == [changed["id"]]

    assert resources(rules.delete_rules(ids=made["rule_id"])) == [made["rule_id"]]
    assert resources(rules.query_rules()) == []
    assert rules.get_rules(ids=made["rule_id"])["status_code"] == 404


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"severity": 42}, "severity must be 10, 30, 50, 70 or 90"),
        ({"status": "on"}, "status must be active or inactive"),
        ({"search": {**RULE["search"], "filter": ""}}, "search.filter must not be empty"),
    ],
)
def test_rule_that_is_wrong_is_refused(
    service: Service, change: dict[str, Any], message: str
) -> None:
    refused = service(CorrelationRules).create_rule(body={**RULE, **change})

    assert refused["status_code"] == 400
    assert refused["body"]["errors"][0]["message"] == message


@pytest.mark.parametrize(
    ("fql", "ids"),
    [
        ("platform_name:'Linux'", ["a1", "a2"]),
        ("hostname:'WEB-*'+tags:'prod'", ["a1"]),
        ("hostname:['web-2','desk-1']", ["a2", "b1"]),
        ("platform_name:!'Linux'", ["b1"]),
        ("tags:'dev',platform_name:'Windows'", ["a2", "b1"]),
        ("(tags:'dev',tags:'prod')+hostname:~'1'", ["a1"]),
        ("device_id:>'a1'", ["a2", "b1"]),
        ("", ["a1", "a2", "b1"]),
    ],
)
def test_hosts_are_found_by_filter(hosts: Any, fql: str, ids: list[str]) -> None:
    assert resources(hosts.query_devices_by_filter(filter=fql, sort="device_id.asc")) == ids


def test_filter_that_is_not_fql_is_refused_with_its_place(hosts: Any) -> None:
    refused = hosts.query_devices_by_filter(filter="hostname=web")

    assert refused["status_code"] == 400
    assert "character 1" in refused["body"]["errors"][0]["message"]


def test_hosts_are_scrolled_to_the_end(hosts: Any) -> None:
    seen: list[str] = []
    offset = ""
    for _ in range(2):
        answer = body_of(
            hosts.query_devices_by_filter_scroll(limit=2, offset=offset, sort="hostname.desc")
        )
        seen += answer["resources"]
        offset = answer["meta"]["pagination"]["offset"]

    assert seen == ["a2", "a1", "b1"]
    assert offset == ""
    assert answer["meta"]["pagination"]["total"] == 3


def test_host_details_by_id_and_whole_records_by_page(hosts: Any) -> None:
    by_post = resources(hosts.get_device_details(ids=["a1", "b1"]))
    assert [host["hostname"] for host in by_post] == ["web-1", "desk-1"]
    (by_get,) = resources(hosts.get_device_details_v2(ids="a2"))
    assert by_get == HOSTS[1]

    first = body_of(hosts.query_devices_by_filter_combined(limit=2, fields="device_id,hostname"))
    assert first["resources"][0] == {"device_id": "a1", "hostname": "web-1"}
    following = first["meta"]["pagination"]["next"]
    last = body_of(hosts.query_devices_by_filter_combined(limit=2, offset=following))
    assert [host["device_id"] for host in last["resources"]] == ["b1"]
    assert last["meta"]["pagination"]["next"] == ""
