"""falconpy's NGSIEM, unmodified: data connections, whose key ingests, and their configurations."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from falconpy import NGSIEM

from tests.contract.clients.conftest import NOW_MS, Service, body_of, message_of, resources


@pytest.fixture
def siem(service: Service) -> Any:
    return service(NGSIEM)


@pytest.fixture
def connection(siem: Any) -> str:
    made = siem.create_data_connection(
        connector_id="sandbox-hec", name="firewall", parser="kv", vendor_name="Acme"
    )
    return str(resources(made, status=201)[0]["id"])


def send(sandbox_url: str, token: str, text: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{sandbox_url}/services/collector/raw"
    return requests.post(url, data=text, headers=headers, timeout=10).status_code


def rows(siem: Any, query: str) -> Any:
    # The sandbox's clock stands still: what arrives now is before the next moment.
    search = {"queryString": query, "start": NOW_MS, "end": NOW_MS + 1}
    job = siem.start_search(repository="search-all", search=search)["resources"]["id"]
    return body_of(siem.get_search_status(repository="search-all", id=job))["events"]


def test_key_of_a_connection_ingests_into_its_own_repository(
    siem: Any, connection: str, sandbox_url: str
) -> None:
    (key,) = resources(siem.get_ingest_token(ids=connection))

    sent = send(sandbox_url, key["token"], "action=deny host=h1")

    assert sent == 200
    assert key["ingest_url"].endswith("/services/collector")
    repository = f"3pi_{connection[:16]}"
    found = rows(siem, f'#repo="{repository}" action=deny | groupBy(host)')
    assert found == [{"host": "h1", "_count": "1"}]


def test_key_ends_with_another_one_with_the_status_and_with_the_connection(
    siem: Any, connection: str, sandbox_url: str
) -> None:
    (first,) = resources(siem.get_ingest_token(ids=connection))
    (second,) = resources(siem.regenerate_ingest_token(ids=connection))
    changed = [send(sandbox_url, key["token"], "a=b") for key in (first, second)]

    (off,) = resources(siem.update_connection_status(ids=connection, status="inactive"))
    (seen,) = resources(siem.get_provisioning_status(ids=connection))
    switched_off = send(sandbox_url, second["token"], "a=b")
    siem.update_connection_status(ids=connection, status="active")
    on_again = send(sandbox_url, second["token"], "a=b")
    deleted = resources(siem.delete_data_connection(ids=connection))
    gone = send(sandbox_url, second["token"], "a=b")

    assert changed == [401, 200]
    assert off == seen == {"id": connection, "status": "inactive"}
    assert (switched_off, on_again, gone) == (401, 200, 401)
    assert [entity["id"] for entity in deleted] == [connection]
    refused = siem.get_connection_by_id(ids=connection)
    assert message_of(refused, status=404) == f"connection {connection!r} not found"


def test_connection_is_read_listed_and_changed(siem: Any, connection: str) -> None:
    (before,) = resources(siem.get_connection_by_id(ids=connection))
    changed = siem.update_data_connection(
        parameters={"ids": connection}, description="west", parser="json"
    )
    (after,) = resources(siem.list_data_connections(filter="vendor_name:'acme'", sort="name.desc"))
    odd = siem.update_connection_status(ids=connection, status="asleep")

    assert (before["name"], before["parser_name"], before["status"]) == ("firewall", "kv", "active")
    assert [entity["id"] for entity in resources(changed)] == [connection]
    assert after == {**before, "description": "west", "parser_name": "json"}
    assert message_of(odd, status=400) == "status must be active or inactive"
    assert "token" not in after


def test_there_is_one_connector_and_its_configurations(siem: Any) -> None:
    (connector,) = resources(siem.list_data_connectors())
    config = {"name": "c", "auth": {"key": "hush"}, "params": {"region": "x"}}
    made = siem.create_connector_config(connector_id=connector["id"], config=config)
    config_id = resources(made, status=201)[0]["id"]
    listed = resources(siem.list_connector_configs(ids=connector["id"]))
    siem.patch_connector_config(ids=config_id, config={**config, "params": {"region": "y"}})
    (after,) = resources(siem.list_connector_configs(ids=connector["id"]))
    siem.delete_connector_configs(connector_id=connector["id"], ids=config_id)

    assert connector["id"] == "sandbox-hec"
    assert listed == [{"id": config_id, "name": "c", "params": {"region": "x"}}]
    assert after["params"] == {"region": "y"}
    assert resources(siem.list_connector_configs(ids=connector["id"])) == []
    unknown = siem.list_connector_configs(ids="other")
    assert message_of(unknown, status=404) == "connector 'other' not found"
