"""falconpy's Hosts, unmodified: listings of every kind, actions, tags, groups, history."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from falconpy import Hosts

from tests.contract.clients.conftest import TOKEN, Service, body_of, message_of, resources

HOSTS: list[dict[str, Any]] = [
    {
        "device_id": "a1",
        "cid": "c1",
        "hostname": "web-1",
        "platform_name": "Linux",
        "tags": ["prod", "web"],
        "groups": ["g1"],
        "last_seen": "2026-03-10T01:45:00Z",
        "local_ip": "10.0.0.1",
        "mac_address": "00-00-00-00-00-01",
        "connection_ip": "10.9.0.1",
        "last_login_user": "ada",
        "last_login_timestamp": "2026-03-09T08:00:00Z",
    },
    {
        "device_id": "a2",
        "hostname": "web-2",
        "platform_name": "Linux",
        "tags": ["dev"],
        "last_seen": "2026-02-01T00:00:00Z",
    },
    {"device_id": "b1", "hostname": "desk-1", "platform_name": "Windows", "tags": []},
]


@pytest.fixture
def hosts(sandbox_url: str, service: Service) -> Any:
    assert put(sandbox_url, HOSTS) == {"hosts": 3}
    return service(Hosts)


def put(sandbox_url: str, hosts: list[dict[str, Any]]) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{sandbox_url}/_sandbox/hosts"
    return requests.put(url, json=hosts, headers=headers, timeout=10).json()


def host(hosts: Any, device_id: str) -> Any:
    (found,) = resources(hosts.get_device_details(ids=device_id))
    return found


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
        ("last_seen:>'now-1d'", ["a1"]),
        ("last_seen:<='2026-02-01'", ["a2"]),
        ("last_seen:null", ["b1"]),
        ("", ["a1", "a2", "b1"]),
    ],
)
def test_hosts_are_found_by_filter(hosts: Any, fql: str, ids: list[str]) -> None:
    assert resources(hosts.query_devices_by_filter(filter=fql, sort="device_id.asc")) == ids


def test_filter_that_is_not_fql_is_refused_with_its_place(hosts: Any) -> None:
    refused = hosts.query_devices_by_filter(filter="hostname=web")

    assert "character 1" in message_of(refused, status=400)


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


def test_thousands_of_hosts_are_paged_in_every_way(sandbox_url: str, hosts: Any) -> None:
    wanted = [f"id-{number:05}" for number in range(12_000)]
    put(sandbox_url, [{"device_id": device_id} for device_id in wanted])

    scrolled: list[str] = []
    whole: list[str] = []
    offset = following = None
    while offset != "":
        page = body_of(hosts.query_devices_by_filter_scroll(limit=5_000, offset=offset))
        scrolled += page["resources"]
        offset = page["meta"]["pagination"]["offset"]
    while following != "":
        page = body_of(hosts.query_devices_by_filter_combined(limit=5_000, offset=following))
        whole += [found["device_id"] for found in page["resources"]]
        following = page["meta"]["pagination"]["next"]
    numbered = resources(hosts.query_devices_by_filter(limit=5_000, offset=5_000))
    beyond = hosts.query_devices_by_filter(limit=5_000, offset=5_001)

    assert scrolled == wanted
    assert whole == wanted
    assert numbered == wanted[5_000:10_000]
    assert "10000" in message_of(beyond, status=400)


@pytest.mark.parametrize("limit", [0, 5_001])
def test_limit_out_of_its_bounds_is_refused(hosts: Any, limit: int) -> None:
    refused = hosts.query_devices_by_filter(parameters={"limit": limit})

    assert message_of(refused, status=400) == "limit must be 1 to 5000"


def test_offset_that_is_not_known_is_refused(hosts: Any) -> None:
    scroll = hosts.query_devices_by_filter_scroll(offset="x")
    combined = hosts.query_devices_by_filter_combined(offset="eA==")

    assert "not valid" in message_of(scroll, status=400)
    assert "not valid" in message_of(combined, status=400)


def test_host_details_by_id_and_whole_records_by_page(hosts: Any) -> None:
    by_post = resources(hosts.get_device_details(ids=["a1", "b1"]))
    assert [found["hostname"] for found in by_post] == ["web-1", "desk-1"]
    (by_get,) = resources(hosts.get_device_details_v2(ids="a2"))
    assert by_get == HOSTS[1]
    assert resources(hosts.get_device_details_v1(ids="a2")) == [HOSTS[1]]

    first = body_of(hosts.query_devices_by_filter_combined(limit=2, fields="device_id,hostname"))
    assert first["resources"][0] == {"device_id": "a1", "hostname": "web-1"}
    following = first["meta"]["pagination"]["next"]
    last = body_of(hosts.query_devices_by_filter_combined(limit=2, offset=following))
    assert [found["device_id"] for found in last["resources"]] == ["b1"]
    assert last["meta"]["pagination"]["next"] == ""


@pytest.mark.parametrize(
    ("action", "member", "value"),
    [
        ("contain", "status", "contained"),
        ("detection_suppress", "detection_suppression_status", "suppressed"),
    ],
)
def test_action_lasts_until_its_opposite(hosts: Any, action: str, member: str, value: str) -> None:
    opposite = {"contain": "lift_containment", "detection_suppress": "detection_unsuppress"}

    done = resources(hosts.perform_action(action_name=action, ids=["a1"]), status=202)
    between = host(hosts, "a1")
    resources(hosts.perform_action(action_name=opposite[action], ids=["a1"]), status=202)
    after = host(hosts, "a1")

    assert [entity["id"] for entity in done] == ["a1"]
    assert between[member] == value
    assert between["modified_timestamp"] == "2026-03-10T02:00:00Z"
    assert after[member] != value


def test_action_on_an_unknown_host_is_an_error_beside_the_others(hosts: Any) -> None:
    partly = body_of(hosts.perform_action(action_name="contain", ids=["a1", "no"]), status=202)
    nothing = hosts.perform_action(action_name="contain", ids=["no"])

    assert [entity["id"] for entity in partly["resources"]] == ["a1"]
    assert partly["errors"] == [{"code": 404, "message": "no such host", "id": "no"}]
    assert message_of(nothing, status=404) == "host 'no' not found"


def test_hidden_host_is_in_the_listing_of_hidden_ones_alone(hosts: Any) -> None:
    resources(hosts.perform_action(action_name="hide_host", ids=["a2"]), status=202)
    shown = resources(hosts.query_devices_by_filter())
    hidden = resources(hosts.query_hidden_devices())
    (record,) = resources(hosts.query_hidden_devices_combined(filter="hostname:'web-*'"))
    resources(hosts.perform_action(action_name="unhide_host", ids=["a2"]), status=202)

    assert shown == ["a1", "b1"]
    assert hidden == ["a2"]
    assert record["host_hidden_status"] == "hidden"
    assert resources(hosts.query_devices_by_filter()) == ["a1", "a2", "b1"]


def test_tags_are_added_and_removed(hosts: Any) -> None:
    added = hosts.update_device_tags(action_name="add", ids="a1,no", tags=["web", "blue"])
    between = host(hosts, "a1")
    hosts.update_device_tags(action_name="remove", ids=["a1"], tags="web")

    assert body_of(added)["resources"] == [
        {"device_id": "a1", "updated": True, "code": 200},
        {"device_id": "no", "updated": False, "code": 404, "error": "no such host"},
    ]
    tags = ["prod", "web", "FalconGroupingTags/web", "FalconGroupingTags/blue"]
    assert between["tags"] == tags
    assert host(hosts, "a1")["tags"] == ["prod", "web", "FalconGroupingTags/blue"]
    assert resources(hosts.query_devices_by_filter(filter="tags:'*/blue'")) == ["a1"]


def test_group_members_come_and_go_by_filter(hosts: Any) -> None:
    def act(action: str, fql: str = "") -> Any:
        parameters = [{"name": "filter", "value": fql}]
        body = {"action_parameters": parameters if fql else []}
        return hosts.perform_group_action(action_name=action, ids="g1", body=body)

    (group,) = resources(act("add_group_member", "(device_id:['a2','b1'])"))
    everyone = resources(hosts.query_devices_by_filter(filter="groups:'g1'"))
    resources(act("remove_group_member", "hostname:'web-*'"))
    left = resources(hosts.query_devices_by_filter(filter="groups:'g1'"))
    resources(act("remove_all"))

    assert group["id"] == "g1"
    assert everyone == ["a1", "a2", "b1"]
    assert left == ["b1"]
    assert resources(hosts.query_devices_by_filter(filter="groups:'g1'")) == []
    # It is empty, and still there.
    assert resources(act("add_group_member", "device_id:'a1'"))
    unknown = hosts.perform_group_action(action_name="remove_all", ids="g9")
    assert message_of(unknown, status=404) == "host group 'g9' not found"


def test_online_state_follows_from_when_a_host_was_seen(hosts: Any) -> None:
    states = resources(hosts.get_online_state(ids=["a1", "a2", "b1", "no"]))

    assert [(state["id"], state["state"]) for state in states] == [
        ("a1", "online"),
        ("a2", "offline"),
        ("b1", "unknown"),
    ]
    assert states[0]["last_seen"] == "2026-03-10T01:45:00Z"


def test_history_is_what_the_record_tells(hosts: Any) -> None:
    logins = [{"user_name": "ada", "login_time": "2026-03-09T08:00:00Z"}]
    known = resources(hosts.query_device_login_history_v1(ids=["a1", "b1"]))
    newer = resources(hosts.query_device_login_history_v2(ids="a1"))
    (addresses,) = resources(hosts.query_network_address_history(ids=["a1"]))

    assert known == [
        {"device_id": "a1", "cid": "c1", "recent_logins": logins},
        {"device_id": "b1", "cid": "", "recent_logins": []},
    ]
    assert newer == known[:1]
    assert [entry["ip_address"] for entry in addresses["history"]] == ["10.0.0.1", "10.9.0.1"]
    assert addresses["history"][0]["mac_address"] == "00-00-00-00-00-01"


def test_deleted_host_is_gone(hosts: Any) -> None:
    resources(hosts.devices_actions_delete_v1(ids=["a1"]), status=202)

    assert resources(hosts.get_device_details(ids=["a1"])) == []
    assert resources(hosts.query_devices_by_filter()) == ["a2", "b1"]
