from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.model.inventory import Fact, FactMatch, SourceState
from tests.unit.inventory.making import (
    NOON,
    NOW,
    at,
    make_fact,
    make_inventory,
    make_subject,
    sample_inventory,
)

RUNNER = "gh-runner-04"
AID = "a615c3a0e42893b1df70625ecdb1a09f"
WINDOW = make_fact(
    "pipeline",
    id="p1",
    host=RUNNER,
    account="ghrunner",
    program="/opt/az/bin/python3*",
    job="deploy",
    valid_from=at("02:00"),
    valid_until=at("03:30"),
)
INSIDE = {"host": RUNNER, "user": "ghrunner", "image": "/opt/az/bin/python3.12"}


def pipeline(*, first: str = "02:15", last: str = "", **changes: str) -> FactMatch:
    subject = make_subject({**INSIDE, **changes}, first=at(first), last=at(last or first))
    return make_inventory(WINDOW).match("pipeline", subject)


def test_match_every_part_inside_the_window_holds() -> None:
    match = pipeline()

    assert match.holds
    assert match.known
    assert match.fact == WINDOW
    assert match.matched == ("host", "account", "program", "validity")
    assert match.missing == ()


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"user": "root"}, ("account",)),
        ({"user": "GhRunner"}, ("account",)),
        ({"user": ""}, ("account",)),
        ({"user": "ghrunner\nroot"}, ("account",)),
        ({"user": "ghrunner\n-"}, ("account",)),
        ({"user": "unresolved"}, ("account",)),
        ({"image": "/usr/bin/tar"}, ("program",)),
        ({"image": "/opt/az/bin/../../../tmp/python3"}, ("program",)),
        ({"image": "/opt/az/bin/python3.12\n/usr/bin/tar"}, ("program",)),
        ({"first": "01:59:59"}, ("validity",)),
        ({"first": "01:59", "last": "02:15"}, ("validity",)),
        ({"first": "03:29", "last": "03:30"}, ("validity",)),
        ({"first": "03:30"}, ("validity",)),
        (
            {"user": "root", "image": "/bin/sh", "first": "16:40"},
            # With nothing else in agreement, the short name alone does not count.
            ("host", "account", "program", "validity"),
        ),
    ],
)
def test_match_any_part_missing_does_not_hold_and_names_it(
    changes: dict[str, str], missing: tuple[str, ...]
) -> None:
    match = pipeline(**changes)

    assert not match.holds
    assert match.fact == WINDOW
    assert match.missing == missing


@pytest.mark.parametrize("first", ["02:00", "03:29:59"])
def test_match_validity_starts_inclusive_and_ends_exclusive(first: str) -> None:
    assert pipeline(first=first).holds


@pytest.mark.parametrize(
    "host", ["gh-runner-05", "gh-runner", "xgh-runner-04", "localhost", "", "-"]
)
def test_match_other_host_knows_no_fact(host: str) -> None:
    match = pipeline(host=host)

    assert (match.holds, match.known, match.fact, match.missing) == (False, False, None, ())


def test_match_known_needs_a_fact_of_that_time() -> None:
    assert not pipeline(first="16:40").known
    assert pipeline(first="02:30", user="root").known


def test_match_nearest_is_the_fact_with_most_parts_then_the_closest_in_time() -> None:
    def window(name: str, start: str, end: str, program: str) -> Fact:
        return make_fact(
            "pipeline",
            id=name,
            host=RUNNER,
            account="ghrunner",
            program=program,
            valid_from=at(start),
            valid_until=at(end),
        )

    inventory = make_inventory(
        window("far", "02:00", "03:00", "/opt/az/*"),
        window("near", "11:00", "11:30", "/opt/az/*"),
        window("nearer, other program", "11:40", "11:50", "/usr/bin/git"),
    )

    match = inventory.match("pipeline", make_subject(INSIDE))

    assert match.fact is not None
    assert match.fact.id == "near"
    assert match.missing == ("validity",)


@pytest.mark.parametrize("table", ["pipeline", "nothing"])
def test_match_without_a_source_is_missing(table: str) -> None:
    match = make_inventory().match(table, make_subject(INSIDE))

    assert match.status.state is SourceState.MISSING
    assert (match.holds, match.known, match.fact) == (False, False, None)


def test_match_stale_source_never_holds() -> None:
    inventory = make_inventory(WINDOW, as_of={"pipeline": NOW - timedelta(hours=25)})

    match = inventory.match("pipeline", make_subject(INSIDE, first=at("02:15")))

    assert match.status.state is SourceState.STALE
    assert not match.holds
    assert match.missing == ()


def test_match_empty_source_never_holds() -> None:
    match = make_inventory(tables=["pipeline"]).match("pipeline", make_subject(INSIDE))

    assert match.status.state is SourceState.EMPTY
    assert not match.holds


# --- hosts ----------------------------------------------------------------------------------


def runner_fact(host: str) -> Fact:
    return make_fact("runner", host=host, account="ghrunner")


def host_fact(host: str, *, aid: str = "", aliases: str = "", id: str = "") -> Fact:  # noqa: A002
    given = {"aid": aid, "aliases": aliases}
    return make_fact(
        "host", id=id, values={"host": host, **{key: given[key] for key in given if given[key]}}
    )


@pytest.mark.parametrize(
    ("fact", "finding", "holds"),
    [
        ("gh-runner-04", "GH-RUNNER-04", True),
        ("gh-runner-04", "gh-runner-04.corp.example", True),
        ("gh-runner-04.corp.example", "gh-runner-04", True),
        ("gh-runner-04.corp.example", "gh-runner-04.corp.example.", True),
        ("gh-runner-04.corp.example", "gh-runner-04.dev.example", False),
        ("gh-runner-04\ngh-runner-05", "gh-runner-05", True),
    ],
)
def test_match_host_with_a_second_fact_goes_by_name(fact: str, finding: str, holds: bool) -> None:
    match = make_inventory(runner_fact(fact)).match(
        "runner", make_subject(host=finding, user="ghrunner")
    )

    assert match.holds is holds


def test_match_short_name_without_second_fact_is_known_and_does_not_hold() -> None:
    inventory = make_inventory(make_fact("k8s_node", host="node-1"))

    match = inventory.match("k8s_node", make_subject(host="node-1"))

    assert (match.holds, match.known, match.missing) == (False, True, ("host",))


def test_match_full_name_alone_holds() -> None:
    inventory = make_inventory(make_fact("k8s_node", host="node-1.eu.example"))

    assert inventory.match("k8s_node", make_subject(host="NODE-1.eu.example")).holds


def test_match_agent_id_alone_holds() -> None:
    inventory = make_inventory(make_fact("k8s_node", host="node-1"), host_fact("node-1", aid=AID))

    assert inventory.match("k8s_node", make_subject(host="node-1", aid=AID.upper())).holds


def test_match_agent_id_finds_facts_under_the_records_names() -> None:
    inventory = make_inventory(
        runner_fact("build-4"), host_fact("gh-runner-04", aid=AID, aliases="build-4\nb4.example")
    )

    match = inventory.match("runner", make_subject(host="renamed", aid=AID, user="ghrunner"))

    assert match.holds


def test_match_stale_host_table_does_not_widen() -> None:
    inventory = make_inventory(
        runner_fact("build-4"),
        host_fact("gh-runner-04", aid=AID, aliases="build-4"),
        as_of={"host": NOW - timedelta(days=9)},
    )

    match = inventory.match("runner", make_subject(host="gh-runner-04", aid=AID, user="ghrunner"))

    assert not match.known


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=9)])
def test_match_known_name_under_another_agent_id_is_nobody(age: timedelta) -> None:
    """A machine that calls itself like a runner; even a stale host table sees through it."""
    inventory = make_inventory(
        runner_fact(RUNNER), host_fact(RUNNER, aid=AID), as_of={"host": NOW - age}
    )
    subject = make_subject(host=RUNNER, aid="ffffffffffffffffffffffffffffffff", user="ghrunner")

    assert not inventory.match("runner", subject).known
    assert inventory.match("host", subject).missing == ("host", "aid", "validity")


def test_match_record_of_the_agent_id_under_another_name_does_not_lend_its_name() -> None:
    inventory = make_inventory(runner_fact(RUNNER), host_fact("lap-eve", aid=AID))

    match = inventory.match("runner", make_subject(host=RUNNER, aid=AID, user="ghrunner"))

    assert not match.known


@pytest.mark.parametrize(
    "others",
    [
        (host_fact("db1.prod.example"), host_fact("db1.dev.example")),
        (host_fact("db1", aid="a1"), host_fact("db1", id="other", aid="a2")),
        (make_fact("runner", host="db1.dev.example", account="x"), runner_fact("db1.qa.example")),
    ],
)
def test_match_short_name_of_several_hosts_is_ambiguous(others: tuple[Fact, Fact]) -> None:
    inventory = make_inventory(runner_fact("db1"), *others)

    match = inventory.match("runner", make_subject(host="db1", user="ghrunner"))

    assert (match.holds, match.known, match.ambiguous, match.matched) == (False, False, True, ())


def test_match_agent_id_of_several_hosts_is_ambiguous() -> None:
    """A bad clone: two machines with one sensor id."""
    inventory = make_inventory(
        runner_fact("h1"), host_fact("h1", aid=AID), host_fact("h2", aid=AID)
    )

    match = inventory.match("runner", make_subject(host="h1", aid=AID, user="ghrunner"))

    assert (match.holds, match.known, match.ambiguous) == (False, False, True)


def test_match_full_name_is_not_made_ambiguous_by_its_short_name() -> None:
    inventory = make_inventory(
        runner_fact("db1.prod.example"), host_fact("db1.prod.example"), host_fact("db1.dev.example")
    )

    match = inventory.match("runner", make_subject(host="db1.prod.example", user="ghrunner"))

    assert (match.holds, match.ambiguous) == (True, False)


def test_match_name_reused_later_is_judged_by_the_record_of_that_time() -> None:
    inventory = make_inventory(
        runner_fact(RUNNER),
        make_fact("host", id="old", host=RUNNER, aid="a1", valid_until=at("06:00")),
        make_fact("host", id="new", host=RUNNER, aid="a2", valid_from=at("06:00")),
    )

    def holds(aid: str, hour: str) -> bool:
        subject = make_subject(first=at(hour), host=RUNNER, aid=aid, user="ghrunner")
        return inventory.match("runner", subject).holds

    assert (holds("a1", "05:00"), holds("a2", "07:00")) == (True, True)
    assert (holds("a2", "05:00"), holds("a1", "07:00")) == (False, False)


def test_match_finding_over_several_hosts_is_nobodys() -> None:
    inventory = make_inventory(runner_fact("h1"), runner_fact("h2"))

    assert not inventory.match("runner", make_subject(host="h1\nh2", user="ghrunner")).known


# --- the other tables -----------------------------------------------------------------------

COREDNS = "dec0de22d5e2a4f60b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c"
GUEST_AGENT = "\\Device\\HarddiskVolume4\\WindowsAzure\\GuestAgent_2.7\\WindowsAzureGuestAgent.exe"
WAAGENT = "python3 -u /usr/sbin/waagent -run-exthandlers"
GCLOUD = "python3.12 /opt/homebrew/share/google-cloud-sdk/lib/gcloud.py auth print-access-token"
BREW_PYTHON = "/opt/homebrew/Cellar/python@3.12/3.12.9/bin/python3.12"
NODE = "aks-np1-25417783-vmss000002"
NODE_AID = "a3e2907db1f5608eac4d3f2b9a8e7d6c"

HOLDS: list[tuple[str, dict[str, str]]] = [
    ("cloud_agent", {"host": "AZ-WEB-07", "image": GUEST_AGENT, "evidence": "network"}),
    (
        "cloud_agent",
        {"host": "az-lin-03", "image": "/usr/bin/python3.10", "command_line": WAAGENT, "user": "0"},
    ),
    ("cloud_agent", {"host": "gce-batch-12", "image": "/usr/sbin/chronyd", "evidence": "dns"}),
    ("cloud_agent", {"host": "GCE-WIN-02", "image": "google_osconfig_agent.exe"}),
    ("k8s_node", {"host": NODE, "aid": NODE_AID}),
    ("node_runtime", {"image": "/usr/local/bin/kubelet", "container": ""}),
    ("k8s_workload", {"container": COREDNS, "image": "/coredns"}),
    ("developer_host", {"host": "mchen-mbp", "user": "mchen"}),
    ("native_tool", {"image": "/opt/homebrew/bin/terraform", "command_line": "terraform plan"}),
    ("native_tool", {"image": BREW_PYTHON, "command_line": GCLOUD}),
    (
        "approved_app",
        {
            "application": "Meeting Rooms Connector",
            "actor": "ga-ops@contoso.example\nMicrosoft Entra provisioning",
        },
    ),
]


@pytest.mark.parametrize(("table", "entities"), HOLDS)
def test_sample_facts_hold_for_their_finding(table: str, entities: dict[str, str]) -> None:
    assert sample_inventory().match(table, make_subject(entities)).holds


@pytest.mark.parametrize(
    ("table", "entities"),
    [
        ("cloud_agent", {"host": "az-lin-03", "image": "/usr/bin/python3.10", "user": "0"}),
        (
            "cloud_agent",
            {
                "host": "az-lin-03",
                "image": "/usr/bin/python3.10",
                "command_line": WAAGENT,
                "user": "33",
            },
        ),
        (
            "cloud_agent",
            {
                "host": "az-web-09",
                "image": "/usr/bin/python3.10",
                "command_line": WAAGENT,
                "user": "0",
            },
        ),
        (
            "cloud_agent",
            {
                "host": "az-lin-03",
                "image": "/usr/bin/python3.10",
                "command_line": f"python3 -c evil {WAAGENT}",
                "user": "0",
            },
        ),
        ("cloud_agent", {"image": "/usr/sbin/chronyd", "evidence": "network"}),
        ("cloud_agent", {"image": "/usr/sbin/chronyd", "evidence": "dns\nnetwork"}),
        ("cloud_agent", {"image": "/tmp/usr/sbin/chronyd", "evidence": "dns"}),
        ("k8s_node", {"host": NODE}),
        ("k8s_node", {"host": NODE, "aid": "0" * 32}),
        ("node_runtime", {"image": "/usr/local/bin/kubelet", "container": COREDNS}),
        ("node_runtime", {"image": "/usr/local/bin/kubelet"}),
        ("node_runtime", {"image": "/tmp/kubelet", "container": ""}),
        ("k8s_workload", {"container": COREDNS, "image": "/bin/busybox"}),
        ("k8s_workload", {"container": COREDNS[:12], "image": "/coredns"}),
        ("developer_host", {"host": "mchen-mbp", "user": "root"}),
        ("developer_host", {"host": "mchen-mbp-2", "user": "mchen"}),
        ("native_tool", {"image": "/opt/homebrew/bin/node"}),
        ("native_tool", {"image": BREW_PYTHON, "command_line": "python3.12 evil.py"}),
        ("native_tool", {"image": BREW_PYTHON, "command_line": f"{GCLOUD}\npython3.12 evil.py"}),
        (
            "approved_app",
            {
                "application": "Meeting Rooms Connector",
                "actor": "ga-ops@contoso.example\njdoe@contoso.example",
            },
        ),
        ("approved_app", {"application": "unresolved", "actor": "ga-ops@contoso.example"}),
        ("approved_app", {"application": "Meeting Rooms Connector", "actor": ""}),
    ],
)
def test_sample_facts_do_not_hold_without_a_part(table: str, entities: dict[str, str]) -> None:
    assert not sample_inventory().match(table, make_subject(entities)).holds


def test_who_lists_every_fact_of_a_host_at_a_time() -> None:
    inventory = sample_inventory()

    inside = [fact.id for fact in inventory.who("GH-Runner-04", at("02:30"))]
    outside = [fact.id for fact in inventory.who("GH-Runner-04", at("16:40"))]

    assert inside == ["host.csv:8", "pipeline.csv:3", "runner.csv:3"]
    assert outside == ["host.csv:8", "runner.csv:3"]


def test_who_takes_an_agent_id_and_finds_agents_on_the_host() -> None:
    facts = sample_inventory().who("a2d18f6ca0e45f7d9b3c2e1a8f7d6c5b", NOON)

    assert [fact.id for fact in facts] == ["host.csv:4", "cloud_agent.csv:5"]


@pytest.mark.parametrize("host", ["", "localhost", "nobody", "10.0.0.1"])
def test_who_of_nobody_is_empty(host: str) -> None:
    assert sample_inventory().who(host, NOON) == []
