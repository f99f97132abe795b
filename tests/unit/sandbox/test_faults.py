"""Faults on demand: each kind once, counted, set from settings and over HTTP."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.sandbox.faults.kinds import (
    FOREVER,
    Fault,
    FaultKind,
    FaultPlan,
    fault_from_json,
    fault_to_json,
    faults_from_texts,
)

START = "POST */queryjobs"
POLL = "GET */queryjobs/*"


async def start(client: Any) -> Any:
    return await client.call(
        "POST", "/api/v1/repositories/falcon/queryjobs", json={"queryString": "*"}
    )


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        (FaultKind.RATE_LIMITED, 429, "text/plain; charset=UTF-8"),
        (FaultKind.UNAVAILABLE, 503, "text/plain; charset=UTF-8"),
        (FaultKind.SERVER_ERROR, 500, "text/plain; charset=UTF-8"),
        (FaultKind.EXPIRED_TOKEN, 401, "text/plain; charset=UTF-8"),
        (FaultKind.FORBIDDEN, 403, "text/plain; charset=UTF-8"),
        (FaultKind.HTML, 200, "text/html; charset=utf-8"),
        (FaultKind.BROKEN_JSON, 200, "application/json"),
        (FaultKind.GRAPHQL_ERROR, 200, "application/json"),
        (FaultKind.EMPTY, 200, "application/json"),
        (FaultKind.OTHER_SHAPE, 200, "application/json"),
        (FaultKind.WRONG_ENCODING, 200, "application/json"),
        (FaultKind.PROXY_PAGE, 502, "text/html; charset=utf-8"),
    ],
)
async def test_transport_fault_answers_once_then_all_is_well(
    open_client: Any, kind: FaultKind, status: int, content_type: str
) -> None:
    async with open_client(faults={START: [Fault(kind=kind)]}) as client:
        first, second = await start(client), await start(client)

        assert (first.status_code, first.headers["content-type"]) == (status, content_type)
        assert second.status_code == 200
        assert "id" in second.json()
        assert len(client.sandbox.jobs) == 1


async def test_rate_limit_names_its_delay(open_client: Any) -> None:
    fault = Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=7)
    async with open_client(faults={START: [fault]}) as client:
        answer = await start(client)

    assert answer.headers["retry-after"] == "7"


async def test_login_redirect_leads_to_another_host(open_client: Any) -> None:
    async with open_client(faults={START: [Fault(kind=FaultKind.LOGIN_REDIRECT)]}) as client:
        answer = await start(client)

    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://login.example.com/")


@pytest.mark.parametrize(
    ("kind", "minutes"), [(FaultKind.CLOCK_AHEAD, 10), (FaultKind.CLOCK_BEHIND, -10)]
)
async def test_wrong_clock_leaves_the_answer_as_it_is(
    open_client: Any, kind: FaultKind, minutes: int
) -> None:
    async with open_client(faults={START: [Fault(kind=kind)]}) as client:
        wrong, right = await start(client), await start(client)

    dates = [parsedate_to_datetime(answer.headers["date"]) for answer in (wrong, right)]
    assert (wrong.status_code, right.status_code) == (200, 200)
    assert abs(dates[0] - dates[1] - timedelta(minutes=minutes)) <= timedelta(seconds=2)


async def test_reset_breaks_before_the_request_is_handled(open_client: Any) -> None:
    async with open_client(faults={START: [Fault(kind=FaultKind.RESET)]}) as client:
        with pytest.raises(ConnectionResetError):
            await start(client)

        assert len(client.sandbox.jobs) == 0


async def test_reset_after_breaks_when_the_work_is_done(open_client: Any) -> None:
    async with open_client(faults={START: [Fault(kind=FaultKind.RESET_AFTER)]}) as client:
        with pytest.raises(ConnectionResetError):
            await start(client)

        assert len(client.sandbox.jobs) == 1


async def polled(open_client: Any, fault: Fault) -> dict[str, Any]:
    async with open_client(faults={POLL: [fault]}) as client:
        await client.ingest({"n": "1"}, {"n": "2", "ms": -2})
        found: dict[str, Any] = await client.search("*")
        return found


async def test_lost_job_answers_404_for_good(open_client: Any) -> None:
    async with open_client(faults={POLL: [Fault(kind=FaultKind.LOST)]}) as client:
        job = await client.start("*")

        statuses = [
            (await client.call("GET", f"/api/v1/queryjobs/{job}")).status_code for _ in range(2)
        ]

    assert statuses == [404, 404]


async def test_slow_job_is_unfinished_as_often_as_asked(open_client: Any) -> None:
    async with open_client(faults={POLL: [Fault(kind=FaultKind.SLOW, count=2)]}) as client:
        await client.ingest({"n": "1"})
        job = await client.start("*")

        polls = [await client.poll(job) for _ in range(3)]

    assert [poll["done"] for poll in polls] == [False, False, True]
    assert [len(poll["events"]) for poll in polls] == [0, 0, 1]
    assert polls[0]["metaData"]["pollAfter"] == 50


async def test_cancelled_job_says_so_and_has_no_rows(open_client: Any) -> None:
    found = await polled(open_client, Fault(kind=FaultKind.CANCELLED))

    assert (found["cancelled"], found["events"]) == (True, [])


async def test_warning_stands_in_both_places(open_client: Any) -> None:
    found = await polled(open_client, Fault(kind=FaultKind.WARNINGS, message="a node is missing"))

    assert found["done"] is True
    assert len(found["events"]) == 2
    assert found["warnings"][0]["message"] == "a node is missing"
    assert found["metaData"]["warnings"] == ["a node is missing"]


async def test_partial_result_is_short_of_its_work(open_client: Any) -> None:
    found = await polled(open_client, Fault(kind=FaultKind.PARTIAL))

    assert (found["done"], len(found["events"])) == (True, 1)
    assert found["metaData"]["workDone"] < found["metaData"]["totalWork"]
    assert found["warnings"]


async def test_engine_that_fails_cancels_the_job_and_not_the_server(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: Any) -> Any:
        raise RuntimeError("boom")

    monkeypatch.setattr("orchestrator.sandbox.search.query_jobs.run", broken)

    found = await client.search("*")

    assert (found["done"], found["cancelled"], found["events"]) == (True, True, [])
    assert "boom" in found["warnings"][0]["message"]


async def test_control_route_sets_shows_and_clears_faults(client: Any) -> None:
    body = {"pattern": START, "faults": [{"kind": "unavailable", "count": -1}]}
    answer = await client.call("POST", "/_sandbox/faults", json=body)
    statuses = [(await start(client)).status_code for _ in range(3)]
    state = (await client.call("GET", "/_sandbox/overview")).json()
    cleared = await client.call("DELETE", "/_sandbox/faults")

    assert answer.status_code == 200
    assert statuses == [503, 503, 503]
    assert state["faults"][START][0]["count"] == FOREVER
    assert cleared.status_code == 204
    assert (await start(client)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"pattern": 5, "faults": []},
        {"pattern": START, "faults": {}},
        {"pattern": START, "faults": ["unavailable"]},
        {"pattern": START, "faults": [{"kind": "meteor"}]},
        {"pattern": START, "faults": [{"kind": "html", "count": 0}]},
        {"pattern": START, "faults": [{"kind": "html", "count": "2"}]},
        {"pattern": START, "faults": [{"kind": "html", "when": "now"}]},
        {"pattern": START, "faults": [{"kind": "html", "probability": 0}]},
        {"pattern": START, "faults": [{"kind": "html", "probability": "often"}]},
        {"pattern": START, "faults": [{"kind": "html", "every": 0}]},
    ],
)
async def test_wrong_fault_is_refused(client: Any, body: dict[str, Any]) -> None:
    answer = await client.call("POST", "/_sandbox/faults", json=body)

    assert answer.status_code == 400
    assert (await client.call("GET", "/_sandbox/overview")).json()["faults"] == {}


def test_plan_skips_then_counts_then_passes() -> None:
    plan = FaultPlan({"GET /x": [Fault(kind=FaultKind.HTML, skip=1, count=2)]})

    met = [plan.take("GET", "/x") is not None for _ in range(4)]

    assert met == [False, True, True, False]
    assert plan.pending() == {}


def test_plan_meets_its_faults_in_order() -> None:
    queue = [Fault(kind=FaultKind.HTML), Fault(kind=FaultKind.UNAVAILABLE)]
    plan = FaultPlan({"* /x*": queue})

    kinds = [fault.kind for _ in range(2) if (fault := plan.take("POST", "/xyz"))]

    assert kinds == [FaultKind.HTML, FaultKind.UNAVAILABLE]


@pytest.mark.parametrize(("method", "path"), [("POST", "/x"), ("GET", "/y")])
def test_plan_leaves_other_requests_alone(method: str, path: str) -> None:
    plan = FaultPlan({"GET /x": [Fault(kind=FaultKind.HTML)]})

    assert plan.take(method, path) is None


def test_every_kind_stands_in_the_manual() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text(encoding="utf-8")

    assert [kind.value for kind in FaultKind if f"`{kind.value}`" not in page] == []


def test_fault_of_nothing_is_no_fault() -> None:
    with pytest.raises(ValueError, match="kind"):
        fault_from_json("html")


def met(fault: Fault, requests: int) -> list[int]:
    """Return which of so many requests meet the fault, counted from 1."""
    plan = FaultPlan({"GET /x": [fault]})
    return [n for n in range(1, requests + 1) if plan.take("GET", "/x") is not None]


def test_fault_of_every_third_request_ends_after_its_count() -> None:
    kind = FaultKind.HTML

    assert met(Fault(kind=kind, every=3, count=FOREVER), 10) == [3, 6, 9]
    assert met(Fault(kind=kind, every=3, count=2), 20) == [3, 6]
    assert met(Fault(kind=kind, every=3, count=1, skip=1), 20) == [4]


def test_fault_by_chance_meets_its_share_and_the_same_requests_each_time() -> None:
    fault = Fault(kind=FaultKind.HTML, count=FOREVER, probability=0.2)

    found = met(fault, 1_000)

    assert 150 < len(found) < 250
    assert found == met(fault, 1_000)


def test_faults_behind_a_rate_are_counted_from_their_own_turn() -> None:
    plan = FaultPlan(
        {
            "* /x": [
                Fault(kind=FaultKind.HTML, every=2, count=1),
                Fault(kind=FaultKind.UNAVAILABLE, every=2, count=1),
            ]
        }
    )

    kinds = [fault.kind if (fault := plan.take("GET", "/x")) else None for _ in range(5)]

    assert kinds == [None, FaultKind.HTML, None, FaultKind.UNAVAILABLE, None]


def test_rate_without_a_count_has_no_end() -> None:
    assert fault_from_json({"kind": "html", "every": 2}).count == FOREVER
    assert fault_from_json({"kind": "html", "probability": 0.5}).count == FOREVER
    assert fault_from_json({"kind": "html"}).count == 1


def test_fault_survives_its_journey_as_json() -> None:
    fault = Fault(kind=FaultKind.RATE_LIMITED, count=3, every=2, probability=0.25, message="m")

    assert fault_from_json(fault_to_json(fault)) == fault


def test_texts_of_the_command_line_name_pattern_kind_and_fields() -> None:
    plan = faults_from_texts(
        [
            "POST */queryjobs=rate-limited,count=2,retry_after_s=7",
            "GET */queryjobs/*=slow,probability=0.1",
            "POST */queryjobs = html",
        ]
    )

    assert plan == {
        "POST */queryjobs": [
            Fault(kind=FaultKind.RATE_LIMITED, count=2, retry_after_s=7),
            Fault(kind=FaultKind.HTML),
        ],
        "GET */queryjobs/*": [Fault(kind=FaultKind.SLOW, count=FOREVER, probability=0.1)],
    }


@pytest.mark.parametrize(
    "text",
    [
        "POST */queryjobs",
        "*=meteor",
        "*=html,count=many",
        "*=html,probability=2",
        "*=html,every=0",
        "*=html,when=now",
    ],
)
def test_text_that_is_no_fault_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="kinds: rate-limited") as caught:
        faults_from_texts([text])

    assert repr(text) in str(caught.value)


async def test_control_route_takes_a_rate(client: Any) -> None:
    body = {"pattern": START, "faults": [{"kind": "unavailable", "every": 2}]}
    await client.call("POST", "/_sandbox/faults", json=body)

    assert [(await start(client)).status_code for _ in range(5)] == [200, 503, 200, 503, 200]
