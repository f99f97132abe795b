"""falconpy's HostGroup, unmodified: static and dynamic groups, their members, actions on them."""

from __future__ import annotations

from typing import Any

import pytest
from falconpy import HostGroup

from tests.contract.clients.conftest import Service, body_of, message_of, resources
from tests.contract.clients.test_falconpy_hosts import HOSTS, put


@pytest.fixture
def groups(sandbox_url: str, service: Service) -> Any:
    assert put(sandbox_url, HOSTS) == {"hosts": 3}
    return service(HostGroup)


def test_static_group_through_its_whole_life(groups: Any) -> None:
    created = groups.create_host_groups(name="web", group_type="static", description="d")
    (made,) = body_of(created, status=201)["resources"]
    where = {"ids": made["id"], "filter": "hostname:'web-*'"}

    resources(groups.perform_group_action(action_name="add-hosts", **where))
    members = resources(groups.query_group_members(id=made["id"]))
    (first,) = resources(groups.query_combined_group_members(id=made["id"], filter="tags:'prod'"))
    where["filter"] = "device_id:'a1'"
    resources(groups.perform_group_action(action_name="remove-hosts", **where))
    left = resources(groups.query_group_members(id=made["id"]))
    (changed,) = resources(groups.update_host_groups(id=made["id"], name="servers"))

    assert (made["name"], made["description"], made["group_type"]) == ("web", "d", "static")
    assert (members, left) == (["a1", "a2"], ["a2"])
    assert (first["hostname"], first["groups"]) == ("web-1", ["g1", made["id"]])
    assert (changed["name"], changed["description"]) == ("servers", "d")
    assert resources(groups.get_host_groups(ids=made["id"])) == [changed]
    # A group that a host's record names is there too.
    assert resources(groups.query_host_groups(sort="name.asc")) == ["g1", made["id"]]
    (named,) = resources(groups.query_combined_host_groups(filter="name:'servers'"))
    assert named == changed
    assert resources(groups.delete_host_groups(ids=made["id"])) == [made["id"]]
    assert resources(groups.query_host_groups()) == ["g1"]
    gone = groups.query_group_members(id=made["id"])
    assert message_of(gone, status=404) == f"host group '{made['id']}' not found"


def test_dynamic_group_finds_its_members(groups: Any) -> None:
    created = groups.create_host_groups(
        name="linux", group_type="dynamic", assignment_rule="platform_name:'Linux'"
    )
    (made,) = body_of(created, status=201)["resources"]

    found = resources(groups.query_group_members(id=made["id"], sort="device_id.desc"))
    resources(groups.update_host_groups(id=made["id"], assignment_rule="tags:'dev'"))
    after = resources(groups.query_group_members(id=made["id"]))
    refused = groups.perform_group_action(
        action_name="add-hosts", ids=made["id"], filter="device_id:'b1'"
    )

    assert made["assignment_rule"] == "platform_name:'Linux'"
    assert (found, after) == (["a2", "a1"], ["a2"])
    message = "host group 'linux' finds its members by its rule"
    assert message_of(refused, status=400) == message


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        ({"name": "x"}, 400, "group_type must be one of static, dynamic, staticByID"),
        ({"group_type": "static"}, 400, "name must not be empty"),
        ({"group_type": "static", "name": "g1"}, 409, "a host group 'g1' exists already"),
        (
            {"group_type": "static", "name": "x", "assignment_rule": "a:'b'"},
            400,
            "assignment_rule: only a dynamic group has one",
        ),
    ],
)
def test_group_that_is_wrong_is_refused(
    groups: Any, given: dict[str, str], status: int, message: str
) -> None:
    assert message_of(groups.create_host_groups(**given), status=status) == message
    assert resources(groups.query_host_groups()) == ["g1"]
