"""The gateway: envelope, correlation rules, search under its prefix."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response
from orchestrator.client.falcon import Falcon, discover
from orchestrator.client.gateway.go_times import format_go_duration, parse_go_duration
from orchestrator.client.http.addresses import CLOUDS
from orchestrator.client.http.auth import ClientCredentials
from orchestrator.client.http.retry import NO_RETRIES
from orchestrator.client.http.transport import Response
from orchestrator.client.types import CorrelationRule, RuleNotification, SavedQuery
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    ClientError,
    ConnectionFailed,
    NotFound,
    QueryRejected,
    RateLimited,
    RequestRejected,
    UnexpectedResponse,
)
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def make_falcon(
    *steps: Response | ClientError, region: str = "us-1", base_url: str = CLOUDS["us-1"]
) -> tuple[Falcon, ScriptedTransport]:
    token = json_response(
        {"access_token": "tok-canary", "expires_in": 1799},
        status=201,
        headers={"x-cs-region": region},
    )
    transport = ScriptedTransport(token, *steps)
    falcon = Falcon(
        base_url,
        credentials=ClientCredentials(client_id="id", client_secret=SecretText("s-canary")),
        clock=FrozenClock(NOW),
        transport=transport,
        retry=NO_RETRIES,
    )
    return falcon, transport


def envelope(*resources: object, total: int | None = None, **more: object) -> Response:
    meta = {"pagination": {"total": len(resources) if total is None else total}}
    return json_response({"meta": meta, "resources": list(resources), "errors": None, **more})


def wire_rule(**changes: object) -> dict[str, object]:
    return {
        "id": "version-7",
        "rule_id": "rule-1",
        "name": "T1528",
        "description": "d",
        "severity": 70,
        "status": "active",
        "tactic": "TA0006",
        "technique": "T1528",
        "search": {
            "filter": "count()",
            "lookback": "1h15m",
            "outcome": "case",
            "trigger_mode": "verbose",
            "execution_mode": "scheduled",
            "use_ingest_time": True,
        },
        "operation": {"schedule": {"definition": "@every 1h0m"}},
        "notifications": [{"type": "slack"}, {"type": "email"}, {"type": "slack"}],
        **changes,
    }


RULE = CorrelationRule(
    id="rule-1",
    name="T1528",
    description="d",
    query="count()",
    enabled=True,
    severity=70,
    tactic="TA0006",
    technique="T1528",
    schedule=HOUR,
    lookback=timedelta(minutes=75),
    actions=("email", "slack"),
    outcome="case",
    trigger_mode="verbose",
    use_ingest_time=True,
    notifications=(
        RuleNotification(kind="slack"),
        RuleNotification(kind="email"),
        RuleNotification(kind="slack"),
    ),
)


PLAIN = CorrelationRule(
    name="T1528",
    description="d",
    query="count()",
    enabled=True,
    severity=70,
    tactic="TA0006",
    technique="T1528",
    schedule=HOUR,
    lookback=timedelta(minutes=75),
)


async def test_list_keeps_the_stable_id_and_reads_durations() -> None:
    falcon, _ = make_falcon(envelope(wire_rule()))

    assert await falcon.assets("ab").list(CorrelationRule) == (RULE,)


async def test_list_follows_pages_until_the_total() -> None:
    falcon, transport = make_falcon(
        envelope(wire_rule(rule_id="r1", name="b"), total=2),
        envelope(wire_rule(rule_id="r2", name="a"), total=2),
    )

    found = await falcon.assets("ab").list(CorrelationRule)

    assert [rule.name for rule in found] == ["a", "b"]
    assert transport.requests[-1].query == (("offset", "1"), ("limit", "100"))


PAGES_THAT_STOP: list[list[Response]] = [
    [envelope(wire_rule(), total=9), envelope(total=9)],
    # The same page twice.
    [envelope(wire_rule(), total=9), envelope(wire_rule(), total=9)],
    [envelope(total=9)],
]


@pytest.mark.parametrize("pages", PAGES_THAT_STOP, ids=["empty", "repeated", "nothing"])
async def test_list_that_stops_before_its_total_is_not_taken_for_whole(
    pages: list[Response],
) -> None:
    falcon, transport = make_falcon(*pages)

    with pytest.raises(UnexpectedResponse, match=r"the listing ended at [01] of 9"):
        await falcon.assets("ab").list(CorrelationRule)

    assert transport.left == 0


async def test_list_without_a_total_ends_where_nothing_new_comes() -> None:
    page = {"resources": [wire_rule()], "errors": []}
    falcon, transport = make_falcon(json_response(page), json_response({"resources": []}))

    assert await falcon.assets("ab").list(CorrelationRule) == (RULE,)
    assert transport.left == 0


async def test_list_of_another_kind_asks_nothing() -> None:
    falcon, transport = make_falcon()

    assert await falcon.assets("ab").list(SavedQuery) == ()
    assert transport.requests == []


async def test_errors_beside_a_200_are_failures() -> None:
    falcon, _ = make_falcon(
        json_response(
            {"resources": [], "errors": [{"code": 5, "message": "shard down"}]},
            headers={"x-cs-traceid": "tr-9"},
        )
    )

    with pytest.raises(RequestRejected, match=r"shard down \(request tr-9\)"):
        await falcon.assets("ab").list(CorrelationRule)


@pytest.mark.parametrize("member", ["rule_id", "name"])
async def test_list_of_what_is_no_rule_names_the_member(member: str) -> None:
    falcon, _ = make_falcon(envelope(wire_rule(**{member: None})))

    with pytest.raises(UnexpectedResponse, match=f"{member} should be text"):
        await falcon.assets("ab").list(CorrelationRule)


async def test_create_sends_one_object_with_the_tenant() -> None:
    falcon, transport = make_falcon(envelope(wire_rule()))

    await falcon.assets("ABCD-01").create(PLAIN)

    assert transport.requests[-1].method == "POST"
    assert json.loads(transport.requests[-1].content) == {
        "name": "T1528",
        "description": "d",
        "severity": 70,
        "status": "active",
        "tactic": "TA0006",
        "technique": "T1528",
        "search": {
            "filter": "count()",
            "lookback": "1h15m",
            "outcome": "detection",
            "trigger_mode": "summary",
            "use_ingest_time": False,
            "execution_mode": "scheduled",
        },
        "operation": {"schedule": {"definition": "@every 1h0m"}},
        "customer_id": "abcd",
        "template_id": "",
        "trigger_on_create": False,
    }


async def test_update_sends_an_array_of_what_differs() -> None:
    falcon, transport = make_falcon(envelope(wire_rule()), envelope(wire_rule(severity=90)))

    updated = await falcon.assets("ab").update(replace(RULE, severity=90), expected=RULE)

    assert updated.severity == 90
    assert json.loads(transport.requests[-1].content) == [{"id": "rule-1", "severity": 90}]


async def test_update_of_a_query_sends_the_whole_search() -> None:
    falcon, transport = make_falcon(envelope(wire_rule()), envelope(wire_rule()))

    await falcon.assets("ab").update(replace(RULE, query="x"), expected=RULE)

    assert json.loads(transport.requests[-1].content) == [
        {
            "id": "rule-1",
            "search": {
                "filter": "x",
                "lookback": "1h15m",
                "outcome": "case",
                "trigger_mode": "verbose",
                "use_ingest_time": True,
            },
        }
    ]


async def test_update_of_a_read_rule_keeps_its_outcome() -> None:
    falcon, transport = make_falcon(
        envelope(wire_rule()), envelope(wire_rule()), envelope(wire_rule())
    )
    (current,) = await falcon.assets("ab").list(CorrelationRule)

    await falcon.assets("ab").update(replace(RULE, query="x"), expected=current)

    (patch,) = json.loads(transport.requests[-1].content)
    assert patch["search"]["outcome"] == "case"
    assert patch["search"]["use_ingest_time"] is True


async def test_switching_off_sends_no_operation() -> None:
    falcon, transport = make_falcon(envelope(wire_rule()), envelope(wire_rule(status="inactive")))

    updated = await falcon.assets("ab").update(replace(RULE, enabled=False), expected=RULE)

    (patch,) = json.loads(transport.requests[-1].content)
    assert updated.enabled is False
    assert "operation" not in patch


async def test_switching_off_with_a_new_schedule_takes_two_patches() -> None:
    falcon, transport = make_falcon(
        envelope(wire_rule()), envelope(wire_rule()), envelope(wire_rule(status="inactive"))
    )
    wanted = replace(RULE, enabled=False, schedule=2 * HOUR)

    await falcon.assets("ab").update(wanted, expected=RULE)

    (first,), (second,) = (json.loads(request.content) for request in transport.requests[-2:])
    assert "status" not in first
    assert first["operation"] == {"schedule": {"definition": "@every 2h0m"}}
    assert second == {"id": "rule-1", "status": "inactive"}


async def test_update_of_what_changed_meanwhile_is_refused() -> None:
    falcon, transport = make_falcon(envelope(wire_rule(severity=10)))

    with pytest.raises(RequestRejected, match="T1528 changed since it was read"):
        await falcon.assets("ab").update(RULE, expected=RULE)

    assert len(transport.requests) == 2


async def test_update_notices_a_change_of_what_it_does_not_read() -> None:
    falcon, transport = make_falcon(envelope(wire_rule()), envelope(wire_rule(id="version-8")))
    (known,) = await falcon.assets("ab").list(CorrelationRule)

    with pytest.raises(RequestRejected, match="T1528 changed since it was read"):
        await falcon.assets("ab").update(replace(known, severity=90), expected=known)

    assert transport.left == 0


@pytest.mark.parametrize(("verb", "status"), [("enable", "active"), ("disable", "inactive")])
async def test_switch_sends_the_status_alone(verb: str, status: str) -> None:
    falcon, transport = make_falcon(envelope(wire_rule()))

    await getattr(falcon.assets("ab"), verb)(RULE)

    assert json.loads(transport.requests[-1].content) == [{"id": "rule-1", "status": status}]
    with pytest.raises(ValueError, match="has no id"):
        await getattr(falcon.assets("ab"), verb)(replace(RULE, id=""))


async def test_update_of_what_is_gone_is_not_found() -> None:
    falcon, _ = make_falcon(envelope())

    with pytest.raises(NotFound):
        await falcon.assets("ab").update(RULE, expected=RULE)


async def test_delete_names_the_stable_id() -> None:
    falcon, transport = make_falcon(envelope())

    await falcon.assets("ab").delete(RULE)

    assert transport.requests[-1].query == (("ids", "rule-1"),)


async def test_delete_without_an_id_is_our_bug() -> None:
    falcon, _ = make_falcon()

    with pytest.raises(ValueError, match="T1528 has no id"):
        await falcon.assets("ab").delete(replace(RULE, id=""))


async def test_search_goes_under_the_gateways_prefix() -> None:
    refusal = json_response({"errors": [{"code": 400, "message": "bad query"}]}, status=400)
    falcon, transport = make_falcon(refusal)

    with pytest.raises(QueryRejected, match="bad query"):
        await falcon.search(
            "search-all", "x|", start=NOW, end=NOW + HOUR, deadline=timedelta(minutes=1)
        )

    assert transport.requests[-1].path == "humio/api/v1/repositories/search-all/queryjobs"
    assert transport.requests[-1].bearer == SecretText("tok-canary")


async def test_check_names_the_region() -> None:
    falcon, _ = make_falcon()

    assert await falcon.check() == "us-1"


async def test_check_of_a_tenant_in_another_cloud_names_its_address() -> None:
    falcon, _ = make_falcon(region="eu-1")

    with pytest.raises(UnexpectedResponse, match=r"https://api\.eu-1\.crowdstrike\.com"):
        await falcon.check()


async def test_check_behind_a_private_address_does_not_judge_the_region() -> None:
    falcon, _ = make_falcon(region="eu-1", base_url="http://127.0.0.1:8080")

    assert await falcon.check() == "eu-1"


async def test_limit_says_when_to_go_on_in_seconds_or_milliseconds() -> None:
    at_s = int(NOW.timestamp()) + 3
    for text in (str(at_s), str(at_s * 1_000)):
        limited = json_response({}, status=429, headers={"x-ratelimit-retryafter": text})
        falcon, _ = make_falcon(limited)

        with pytest.raises(RateLimited) as caught:
            await falcon.hosts().ids()

        assert caught.value.retry_after == timedelta(seconds=3)


# --- hosts ------------------------------------------------------------------------------------


def scrolled(*ids: str, offset: str, total: int) -> Response:
    pagination = {"offset": offset, "total": total}
    return json_response({"meta": {"pagination": pagination}, "resources": list(ids)})


def whole(*ids: str, following: str, total: int) -> Response:
    pagination = {"next": following, "total": total}
    resources = [{"device_id": device_id} for device_id in ids]
    return json_response({"meta": {"pagination": pagination}, "resources": resources})


async def test_hosts_are_found_by_filter_and_sort_page_by_page() -> None:
    falcon, transport = make_falcon(
        whole("a", "b", following="t1", total=3), whole("c", following="", total=3)
    )

    found = [
        host.id
        async for host in falcon.hosts().find(
            filter_text="os:'x'", sort="hostname.asc", page_size=2
        )
    ]

    assert found == ["a", "b", "c"]
    assert transport.requests[-1].query == (
        ("limit", "2"),
        ("filter", "os:'x'"),
        ("sort", "hostname.asc"),
        ("offset", "t1"),
    )


ODD_SCROLLS: list[list[Response]] = [
    # The same page under the same offset.
    [scrolled("a", offset="t", total=2), scrolled("a", offset="t", total=2)],
    # An empty page, and an offset all the same.
    [scrolled("a", offset="t", total=2), scrolled(offset="u", total=2)],
    # The end before the total.
    [scrolled("a", offset="", total=2)],
]


@pytest.mark.parametrize("pages", ODD_SCROLLS, ids=["repeated", "empty", "short"])
async def test_scroll_that_stops_before_its_total_is_not_taken_for_whole(
    pages: list[Response],
) -> None:
    falcon, transport = make_falcon(*pages)

    with pytest.raises(UnexpectedResponse, match="the listing ended at 1 of 2"):
        await falcon.hosts().ids()

    assert transport.left == 0


async def test_scroll_that_says_it_goes_on_at_its_end_is_ended() -> None:
    falcon, transport = make_falcon(
        scrolled("a", offset="t", total=1), scrolled("a", offset="t", total=1)
    )

    assert await falcon.hosts().ids() == ("a",)
    assert transport.left == 0


async def test_hosts_that_come_again_and_again_are_ended_and_not_whole() -> None:
    page = whole("a", following="t", total=3)
    falcon, transport = make_falcon(page, page)

    with pytest.raises(UnexpectedResponse, match="the listing ended at 1 of 3"):
        assert [host.id async for host in falcon.hosts().find()] == ["a"]

    assert transport.left == 0


@pytest.mark.parametrize("page_size", [0, 10_001])
async def test_page_size_out_of_its_bounds_is_our_mistake(page_size: int) -> None:
    falcon, transport = make_falcon()

    with pytest.raises(ValueError, match="page_size must be 1 to 10000"):
        await falcon.hosts().ids(page_size=page_size)

    assert transport.requests == []


async def test_details_are_asked_in_batches() -> None:
    falcon, transport = make_falcon(envelope(), envelope())

    await falcon.hosts().details([str(number) for number in range(5_001)])

    sizes = [len(json.loads(request.content)["ids"]) for request in transport.requests[1:]]
    assert sizes == [5_000, 1]


def named(*names: str, total: int) -> Response:
    return json_response({"meta": {"pagination": {"total": total}}, "resources": list(names)})


@pytest.mark.parametrize("what", ["files", "saved_queries"])
@pytest.mark.parametrize("second", [("a",), ()], ids=["repeated", "empty"])
async def test_content_that_stops_before_its_total_is_not_taken_for_whole(
    what: str, second: tuple[str, ...]
) -> None:
    falcon, transport = make_falcon(named("a", total=2), named(*second, total=2))
    listing = falcon.files().list if what == "files" else falcon.saved_queries().ids

    with pytest.raises(UnexpectedResponse, match="the listing ended at 1 of 2"):
        await listing()

    assert transport.left == 0
    assert transport.requests[-1].query == (
        ("search_domain", "all"),
        ("offset", "1"),
        ("limit", "50"),
    )


# --- versions ---------------------------------------------------------------------------------


async def test_versions_come_newest_first_and_by_a_quoted_id() -> None:
    falcon, transport = make_falcon(
        envelope(
            wire_rule(id="v1", version=1, state="unpublished"),
            wire_rule(id="v2", version=2, state="published", last_updated_on="t"),
        )
    )

    newest, oldest = await falcon.rule_versions().list("rule-1')+x:!('")

    assert (newest.id, newest.number, newest.state, newest.updated_at) == (
        "v2",
        2,
        "published",
        "t",
    )
    assert (oldest.id, oldest.rule) == ("v1", RULE)
    assert transport.requests[-1].query[0] == ("filter", "rule_id:'rule-1\\')+x:!(\\''")


async def test_rule_of_a_template_is_sent_without_what_templates_do_not_take() -> None:
    falcon, transport = make_falcon(envelope(wire_rule(template_id="t-1")))

    made = await falcon.rule_templates("AB-01").create_rule(
        replace(PLAIN, template_id="t-1"), trigger_on_create=True
    )

    (body,) = json.loads(transport.requests[-1].content)
    (template,) = body["templates"]
    assert (made.id, made.template_id, body["customer_id"]) == ("rule-1", "t-1", "ab")
    assert (template["template_id"], template["name"]) == ("t-1", "T1528")
    assert (template["search"]["execution_mode"], template["trigger_on_create"]) == (
        "scheduled",
        True,
    )
    assert not {"customer_id", "tactic", "technique"} & template.keys()


async def test_rule_that_names_no_template_is_not_sent() -> None:
    falcon, transport = make_falcon()

    with pytest.raises(ValueError, match="T1528 names no template"):
        await falcon.rule_templates("ab").create_rule(PLAIN)

    assert transport.requests == []


async def test_templates_are_read_in_the_order_of_their_ids() -> None:
    ids = [f"t{number}" for number in range(150)]
    templates = [{**wire_rule(), "rule_id": None, "id": i} for i in ids]
    falcon, transport = make_falcon(
        envelope(*ids[:100], total=150),
        envelope(*ids[100:], total=150),
        envelope(*templates[:100]),
        envelope(*templates[100:]),
    )

    found = await falcon.rule_templates("ab").find(filter_text="vendors:'x'", sort="name")

    assert [template.id for template in found] == ids
    assert transport.requests[1].query[:2] == (("filter", "vendors:'x'"), ("sort", "name"))
    assert transport.requests[-1].query == tuple(("ids", i) for i in ids[100:])


async def test_template_that_is_gone_is_not_found() -> None:
    falcon, _ = make_falcon(envelope())

    with pytest.raises(NotFound, match="template t1 is not there"):
        await falcon.rule_templates("ab").get("t1")


async def test_saved_query_is_changed_within_its_template() -> None:
    template = "$schema: v9\nname: a\nqueryString: x\ntimeInterval: {start: 7d, isLive: false}\n"
    answer = envelope({"id": "q-1", "name": "a", "yaml_template": template})
    falcon, transport = make_falcon(answer, answer, envelope("q-2"))
    queries = falcon.saved_queries()
    known = await queries.get("q-1")

    assert await queries.update(replace(known, query="y"), expected=known) == "q-2"

    sent = transport.requests[-1].content.decode()
    for line in ("$schema: v9", "name: a", "queryString: y", "start: 7d", "isLive: false"):
        assert line in sent
    assert "description" not in sent
    assert "labels" not in sent


async def test_labels_beside_a_template_can_be_taken_away() -> None:
    template = "name: a\nqueryString: x\n"
    answer = envelope({"id": "q-1", "yaml_template": template, "labels": ["soc"]})
    falcon, transport = make_falcon(answer, answer, envelope("q-2"))
    queries = falcon.saved_queries()
    known = await queries.get("q-1")

    await queries.update(replace(known, labels=()), expected=known)

    assert known.labels == ("soc",)
    assert "labels: []" in transport.requests[-1].content.decode()


async def test_saved_query_that_changed_since_it_was_read_is_left_alone() -> None:
    answer = envelope({"id": "q-1", "yaml_template": "name: a\nqueryString: z\n"})
    falcon, transport = make_falcon(answer)
    known = SavedQuery(id="q-1", name="a", query="x")

    with pytest.raises(RequestRejected, match="a changed since it was read"):
        await falcon.saved_queries().update(replace(known, query="y"), expected=known)

    assert transport.left == 0


@pytest.mark.parametrize("template", ["a: [", "- a", "just text", "name: 1\nqueryString: x"])
async def test_template_that_is_none_of_a_query_is_unexpected(template: str) -> None:
    falcon, _ = make_falcon(envelope({"id": "q-1", "yaml_template": template}))

    with pytest.raises(UnexpectedResponse, match="yaml_template"):
        await falcon.saved_queries().get("q-1")


@pytest.mark.parametrize(("name", "kind"), [("a.json", "application/json"), ("a.csv", "text/csv")])
async def test_file_goes_up_as_what_it_is(name: str, kind: str) -> None:
    falcon, transport = make_falcon(envelope(total=0), envelope())

    await falcon.files().upload(name, b"[]")

    assert f"Content-Type: {kind}\r\n".encode() in transport.requests[-1].content


# --- the token's end, and the tenant's cloud ----------------------------------------------------


async def test_close_revokes_the_token_as_the_client_itself() -> None:
    falcon, transport = make_falcon(scrolled(offset="", total=0), json_response({}))
    await falcon.hosts().ids()

    await falcon.close()

    request = transport.requests[-1]
    assert (request.method, request.path) == ("POST", "oauth2/revoke")
    assert request.content == b"token=tok-canary"
    assert request.headers["Authorization"] == "Basic aWQ6cy1jYW5hcnk="
    assert "canary" not in repr(request)
    assert "aWQ6" not in repr(request)
    assert transport.is_closed


async def test_close_without_a_token_asks_nothing() -> None:
    falcon, transport = make_falcon()

    await falcon.close()

    assert transport.requests == []


async def test_close_is_not_held_up_by_a_token_that_cannot_be_revoked() -> None:
    falcon, transport = make_falcon(
        scrolled(offset="", total=0), ConnectionFailed("gone", sent=False)
    )
    await falcon.hosts().ids()

    await falcon.close()

    assert transport.is_closed


def opener(*regions: str) -> tuple[Callable[[str], Falcon], list[str]]:
    """Return what opens clients whose tokens name these regions in turn, and where it did."""
    opened: list[str] = []

    def open_at(base_url: str) -> Falcon:
        region = regions[len(opened)]
        opened.append(base_url)
        return make_falcon(json_response({}), region=region, base_url=base_url)[0]

    return open_at, opened


async def test_discover_follows_the_region_once() -> None:
    open_at, opened = opener("eu-1", "eu-1")

    assert await discover(open_at) == ("eu-1", CLOUDS["eu-1"])
    assert opened == [CLOUDS["us-1"], CLOUDS["eu-1"]]


async def test_discover_at_home_asks_once() -> None:
    open_at, opened = opener("us-gov-1")

    found = await discover(open_at, base_url=CLOUDS["us-gov-1"] + "/")

    assert found == ("us-gov-1", "https://api.laggar.gcw.crowdstrike.com")
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("regions", "problem"),
    [
        (("eu-1", "us-2"), "each cloud names another one"),
        (("https://evil.example",), "names no known region but 'https://evil.example'"),
        (("",), "names no known region but ''"),
    ],
)
async def test_discover_goes_to_known_clouds_alone(regions: tuple[str, ...], problem: str) -> None:
    open_at, opened = opener(*regions)

    with pytest.raises(UnexpectedResponse, match=problem):
        await discover(open_at)

    assert set(opened) <= set(CLOUDS.values())


@pytest.mark.parametrize(
    ("text", "length"),
    [("1h15m", timedelta(minutes=75)), ("90s", timedelta(seconds=90)), ("168h", 168 * HOUR)],
)
def test_parse_go_duration(text: str, length: timedelta) -> None:
    assert parse_go_duration(text) == length
    assert parse_go_duration(format_go_duration(length)) == length


@pytest.mark.parametrize("text", ["", "1d", "5", "m", "1m1h", "-1h"])
def test_parse_go_duration_of_another_form_fails(text: str) -> None:
    with pytest.raises(ValueError, match="write 1h15m"):
        parse_go_duration(text)
