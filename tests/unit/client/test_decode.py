"""Decoders on shapes that no server should send: the member is named, nothing is guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.cassettes.scripted import json_response, text_response
from orchestrator.client.decode import decode_job_id, decode_status
from orchestrator.client.graphql.view_wire import read_view
from orchestrator.client.http.members import Members, json_object
from orchestrator.client.http.transport import Response
from orchestrator.client.search.polls import Facts, decode_poll
from orchestrator.client.types import Freshness, QueryWarning
from orchestrator.errors import UnexpectedResponse

META: dict[str, object] = {
    "eventCount": 1,
    "isAggregate": False,
    "queryStart": 1,
    "queryEnd": 2,
    "workDone": 1,
    "totalWork": 1,
}


def poll(events: object, *, top: dict[str, object] | None = None, **meta: object) -> Response:
    return json_response(
        {
            "done": True,
            "cancelled": False,
            "events": events,
            "metaData": {**META, **meta},
            **(top or {}),
        }
    )


def test_poll_with_the_fewest_members_takes_defaults() -> None:
    answer = decode_poll(poll([{"a": "1"}]))

    assert answer.poll_after == timedelta(seconds=1)
    assert (answer.processed_events, answer.field_order, answer.warnings) == (0, (), ())
    assert answer.has_more_events is False


def test_poll_values_become_text_as_they_were_written() -> None:
    body = (
        b'{"done":true,"cancelled":false,"events":[{"t":1585145569394,"f":1.50,"e":1e3,"b":false,'
        b'"n":null,"o":{"k":[1]},"s":"x"}],"metaData":{"eventCount":1,"isAggregate":false,'
        b'"queryStart":1,"queryEnd":2,"workDone":1,"totalWork":1}}'
    )
    response = Response(status=200, headers={"content-type": "application/json"}, body=body)

    assert decode_poll(response).rows == (
        {"t": "1585145569394", "f": "1.50", "e": "1e3", "b": "false", "o": '{"k": [1]}', "s": "x"},
    )


def test_job_without_a_name_is_unexpected() -> None:
    """It would be taken for no job, and submitted again and again."""
    with pytest.raises(UnexpectedResponse, match=r"query job\.id should be the name of a job"):
        decode_job_id(json_response({"id": ""}))


def test_poll_rows_of_text_alone_and_others_keep_their_order() -> None:
    answer = decode_poll(poll([{"a": "1"}, {"a": 2, "b": None}, {}, {"a": "3"}]))

    assert answer.rows == ({"a": "1"}, {"a": "2"}, {}, {"a": "3"})


def test_poll_warnings_keep_their_codes_and_come_once() -> None:
    top: dict[str, object] = {
        "warnings": [
            {"code": "IngestDelay", "message": "behind", "category": "CLUSTER"},
            {"code": "GroupLimit", "message": "cut", "category": "NEW", "classification": "Error"},
            {"code": "Bare", "message": ""},
            {},
        ]
    }
    answer = decode_poll(poll([], top=top, warnings=["behind", "older"], warning="cut"))

    assert answer.warnings == (
        QueryWarning(message="behind", code="IngestDelay", category="CLUSTER"),
        QueryWarning(message="cut", code="GroupLimit", category="NEW", classification="Error"),
        QueryWarning(message="Bare", code="Bare"),
        QueryWarning(message="unnamed warning"),
        QueryWarning(message="older"),
    )
    assert str(answer.warnings[0]) == "behind"


def test_poll_of_an_old_server_tells_neither_cost_nor_freshness() -> None:
    assert decode_poll(poll([])).facts == Facts()


def test_poll_of_a_job_that_is_not_done_is_not_asked_for_them() -> None:
    running = decode_poll(poll([], top={"done": False}, timeMillis=1, costs={"liveCost": 2}))

    assert running.facts == Facts()
    assert running.raw["metaData"] == {**META, "timeMillis": 1, "costs": {"liveCost": 2}}


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("900000", timedelta(minutes=15)),
        ("", None),
        ("15 minutes", None),
        (900_000, None),
        ("9" * 14, None),
    ],
)
def test_poll_bucket_span_is_read_where_it_is_one(text: object, span: timedelta | None) -> None:
    assert decode_poll(poll([], extraData={"bucket_span_millis": text})).facts.bucket_span == span


def test_poll_freshness_that_is_no_date_is_not_told() -> None:
    flow = {"ingestTimeKnownGood": 10**18, "minIngestTimeIncluded": None}

    assert decode_poll(poll([], digestFlow=flow)).facts.freshness == Freshness()


@pytest.mark.parametrize(
    "response",
    [
        text_response("<html>", content_type="text/html", headers={"x-cs-traceid": "tr-1"}),
        text_response("{", content_type="application/json", headers={"x-cs-traceid": "tr-1"}),
        json_response([], headers={"x-cs-traceid": "tr-1"}),
        json_response({"done": True}, headers={"x-cs-traceid": "tr-1"}),
        json_response({"metaData": {}}, headers={"humio-query-id": "tr-1"}),
        json_response({"metaData": {"eventCount": "x"}, "meta": {"trace_id": "tr-1"}}),
    ],
)
def test_answer_of_another_shape_keeps_the_servers_id(response: Response) -> None:
    with pytest.raises(UnexpectedResponse) as caught:
        decode_poll(response)

    assert caught.value.request_id == "tr-1"


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (poll(None), r"poll\.events should be a list, is NoneType"),
        (poll(["row"]), r"poll\.events\[0\] should be an object"),
        (poll([], top={"done": "yes"}), r"poll\.done should be true or false, is str"),
        (poll([], top={"metaData": []}), r"poll\.metaData should be an object, is list"),
        (poll([], eventCount=True), r"poll\.metaData\.eventCount should be a whole number"),
        (poll([], fieldOrder=[1]), r"poll\.metaData\.fieldOrder should be a list of text"),
        (poll([], workDone=None), r"poll\.metaData\.workDone should be a whole number"),
        (
            poll([], costs={"liveCost": "much"}),
            r"poll\.metaData\.costs\.liveCost should be a number",
        ),
        (
            poll([], digestFlow={"maxIngestLatency": "1"}),
            r"poll\.metaData\.digestFlow\.maxIngestLatency should be a whole number",
        ),
    ],
)
def test_poll_of_another_shape_names_the_member(response: Response, problem: str) -> None:
    with pytest.raises(UnexpectedResponse, match=problem):
        decode_poll(response)


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (text_response("<html>", content_type="text/html; charset=utf-8"), "is text/html"),
        (Response(status=200, body=b"{}"), "is of no named type"),
        (text_response('{"a', content_type="application/json"), r"not whole JSON \(3 bytes\)"),
        (
            Response(
                status=200, headers={"content-type": "application/json"}, body=b"\xff\xfe\xfd"
            ),
            "not JSON in UTF-8, at byte 3 of 3",
        ),
        (text_response("[" * 100_000, content_type="application/json"), "JSON beyond measure"),
        (json_response("text"), "should be an object, is str"),
    ],
)
def test_json_object_of_something_else_is_unexpected(response: Response, problem: str) -> None:
    with pytest.raises(UnexpectedResponse, match=problem) as caught:
        decode_status(response)

    assert "<html>" not in str(caught.value)


def test_json_object_takes_every_json_type_name() -> None:
    response = text_response("{}", content_type="application/problem+json; charset=UTF-8")

    assert json_object(response, where="x").raw == {}


def test_members_null_is_absent() -> None:
    members = Members({"a": None}, where="x")

    assert "a" not in members
    assert members.optional_text("a") is None
    assert members.texts("a") == ()
    assert members.members("a") == ()
    assert members.optional_member("a").raw == {}


@pytest.mark.parametrize(
    ("value", "number"), [(2, 2.0), (0.5, 0.5), ("0.5", 0.5), ("1e3", 1000.0), (None, 7.0)]
)
def test_members_decimal_is_a_number_in_any_form(value: object, number: float) -> None:
    assert Members({"a": value}, where="x").decimal("a", 7.0) == number


@pytest.mark.parametrize("value", [True, "much", [1], None])
def test_members_decimal_of_something_else_is_unexpected(value: object) -> None:
    with pytest.raises(UnexpectedResponse, match=r"x\.a should be a number"):
        Members({"a": value}, where="x").decimal("a")


def test_members_epoch_ms_is_an_instant() -> None:
    members = Members({"a": 1_773_108_000_000, "b": 10**18}, where="x")

    assert members.epoch_ms("a") == datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
    with pytest.raises(UnexpectedResponse, match=r"x\.b should be an instant in epoch"):
        members.epoch_ms("b")


def test_members_names_nested_places() -> None:
    members = Members({"list": [{"deep": {"flag": 1}}]}, where="top")

    with pytest.raises(UnexpectedResponse, match=r"top\.list\[0\]\.deep\.flag should be true"):
        members.members("list")[0].member("deep").flag("flag")


@pytest.mark.parametrize("value", ["1", True, float("nan"), float("inf"), [1]])
def test_members_fraction_is_a_number(value: object) -> None:
    with pytest.raises(UnexpectedResponse, match=r"x\.f should be a number"):
        Members({"f": value}, where="x").optional_fraction("f")

    assert Members({"f": 3}, where="x").optional_fraction("f") == 3.0
    assert Members({"f": None}, where="x").optional_fraction("f") is None


def test_retention_beyond_a_calendar_names_the_member() -> None:
    view = {"__typename": "Repository", "id": "1", "name": "r", "automaticSearch": True}

    with pytest.raises(UnexpectedResponse, match=r"timeBasedRetention should be a time that a cal"):
        read_view(Members({**view, "timeBasedRetention": 1e300}, where="x"))
