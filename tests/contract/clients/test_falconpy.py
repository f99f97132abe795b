"""falconpy, unmodified, against the sandbox's gateway face: tokens, search, and what is covered."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from falconpy import NGSIEM, CorrelationRules, FoundryLogScale, Hosts, OAuth2
from falconpy._service_class import ServiceClass

from orchestrator.sandbox.settings import ingest_token
from tests.contract.clients.conftest import NOW_MS, TOKEN, Service, body_of, message_of

SERVICES: tuple[type[Any], ...] = (NGSIEM, CorrelationRules, Hosts, FoundryLogScale)
# What the sandbox does not pretend to have: method -> what its refusal says.
UNOFFERED = {
    "install_parser": "parsers of the vendor's",
    "bulk_install_parsers": "parsers of the vendor's",
    "update_parser_auto_update_policy": "parsers of the vendor's",
    "get_parser_rollback_options": "parsers of the vendor's",
    "rollback_parser": "parsers of the vendor's",
    "create_parser_extension": "parsers of the vendor's",
    "update_parser_extension": "parsers of the vendor's",
    "test_parser_from_template": "trials of parsers",
    "list_persisted_aggregations": "persisted aggregations",
    "get_persisted_aggregation": "persisted aggregations",
    "create_persisted_aggregation": "persisted aggregations",
    "update_persisted_aggregation": "persisted aggregations",
    "delete_persisted_aggregation": "persisted aggregations",
    "bulk_create_persisted_aggregations": "persisted aggregations",
    "bulk_update_persisted_aggregations": "persisted aggregations",
}


def methods_of(kind: type[Any]) -> set[str]:
    """Return the class's own public methods, each under the name it is defined by."""
    inherited = {name for name, _ in inspect.getmembers(ServiceClass)}
    return {
        member.__wrapped__.__name__ if hasattr(member, "__wrapped__") else member.__name__
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and name not in inherited
    }


@pytest.mark.parametrize("kind", SERVICES, ids=lambda kind: kind.__name__)
def test_every_public_method_is_called_here_or_known_as_refused(kind: type[Any]) -> None:
    texts = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_falconpy*.py")]
    # By its name as an attribute, or as a text where one test calls several.
    called = set(re.findall(r"[.\"](\w+)[(\"]", "".join(texts)))

    assert methods_of(kind) - called - UNOFFERED.keys() == set()


@pytest.mark.parametrize("name", UNOFFERED)
def test_what_would_be_pretence_is_refused_with_its_reason(service: Service, name: str) -> None:
    method = getattr(service(NGSIEM), name)
    keywords = {"ids": "x", "search_domain": "all", "yaml_template": b"name: x", "parser_id": "x"}

    refused = method(**keywords)

    assert message_of(refused, status=501).startswith(
        f"the sandbox does not offer {UNOFFERED[name]}"
    )


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


# --- tokens -----------------------------------------------------------------------------------


def test_token_is_issued_with_its_region_and_ends_when_it_is_revoked(
    service: Service, sandbox_url: str
) -> None:
    auth = service(OAuth2)

    issued = auth.login()
    token = issued["body"]["access_token"]
    hosts = Hosts(access_token=token, base_url=sandbox_url)
    before: Any = hosts.query_devices_by_filter()
    revoked = auth.revoke(token)
    after: Any = hosts.query_devices_by_filter()

    assert (issued["status_code"], issued["body"]["expires_in"]) == (201, 1799)
    assert issued["headers"]["x-cs-region"] == "us-1"
    assert (before["status_code"], revoked["status_code"]) == (200, 200)
    assert message_of(after, status=401) == "access denied, invalid bearer token"


def test_logout_revokes_the_token_in_hand(service: Service) -> None:
    auth = service(OAuth2)
    hosts = Hosts(auth_object=auth)
    auth.login()
    token = auth.token_value

    left = auth.logout()

    assert left["status_code"] == 200
    assert token
    assert not auth.token_value
    # The service logs in by itself, with another token.
    again: Any = hosts.query_devices_by_filter()
    assert again["status_code"] == 200
    assert auth.token_value != token


def test_two_tokens_of_one_client_are_good_at_the_same_time(
    service: Service, sandbox_url: str
) -> None:
    auth = service(OAuth2)

    first, second = (auth.token()["body"]["access_token"] for _ in range(2))

    assert first != second
    for token in (first, second):
        answer: Any = Hosts(access_token=token, base_url=sandbox_url).query_devices_by_filter()
        assert answer["status_code"] == 200


def test_wrong_secret_is_refused_in_an_envelope(sandbox_url: str) -> None:
    auth = OAuth2(client_id="sandbox", client_secret="wrong", base_url=sandbox_url)

    refused: Any = auth.login()

    assert message_of(refused, status=403) == "access denied, authorization failed"


def test_every_answer_has_a_trace_id_and_says_what_is_left_of_the_limit(service: Service) -> None:
    hosts = service(Hosts)

    first, second = (hosts.query_devices_by_filter() for _ in range(2))

    meta = first["body"]["meta"]
    assert first["headers"]["X-Cs-Traceid"] == meta["trace_id"]
    assert meta["pagination"] == {"offset": 0, "limit": 100, "total": 0}
    assert first["headers"]["X-Ratelimit-Limit"] == "6000"
    left = [int(answer["headers"]["X-Ratelimit-Remaining"]) for answer in (first, second)]
    assert left[0] - left[1] == 1


# --- search -----------------------------------------------------------------------------------


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
    assert message_of(gone, status=404)


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
