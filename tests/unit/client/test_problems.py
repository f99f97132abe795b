"""Answers outside 2xx become the error that says who can act, quoting only known shapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.cassettes.scripted import json_response, text_response
from orchestrator.client.http.problems import error_for
from orchestrator.client.http.transport import Request, Response
from orchestrator.errors import (
    ClientError,
    Forbidden,
    NotFound,
    NotTheApi,
    RateLimited,
    RequestRejected,
    ServerFailed,
    Unauthorized,
)
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, tzinfo=UTC)
REQUEST = Request(method="GET", path="api/v1/x", query=(("q", "canary"),))


def error(response: Response) -> ClientError:
    return error_for(REQUEST, response, now=NOW, secrets=(SecretText("canary-token"),))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (302, NotTheApi),
        (400, RequestRejected),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (413, RequestRejected),
        (429, RateLimited),
        (500, ServerFailed),
        (503, ServerFailed),
    ],
)
def test_status_decides_the_class(status: int, expected: type[ClientError]) -> None:
    assert type(error(text_response("m", status=status))) is expected


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (text_response("plain words", status=400), "plain words"),
        (text_response("bad thing\n```\nfoo |\n```", status=400), "bad thing: foo |"),
        (json_response({"detail": "why"}, status=400), "why"),
        (json_response({"message": "why"}, status=400), "why"),
        (json_response({"errors": [{"code": 4, "message": "why"}]}, status=400), "why"),
        (json_response(["no", "known", "shape"], status=400), "HTTP 400"),
        (text_response("{", status=400, content_type="application/json"), "HTTP 400"),
        (
            text_response("<h1>secret page</h1>", status=502, content_type="text/html"),
            "HTTP 502 with a web page, as a proxy sends it",
        ),
        (Response(status=400, body=b"untyped"), "HTTP 400"),
        (text_response("echo canary-token", status=400), "echo ***"),
        (text_response("a\x1b[31mred\nline", status=400), "a [31mred line"),
    ],
)
def test_problem_quotes_known_shapes_only(response: Response, problem: str) -> None:
    assert error(response).problem == problem


def test_problem_is_cut() -> None:
    found = error(text_response("x" * 5000, status=400)).problem

    assert found == "x" * 255 + "…"


@pytest.mark.parametrize(
    ("headers", "meta", "expected"),
    [
        ({"x-cs-traceid": "tr-1"}, {}, "tr-1"),
        ({"humio-query-id": "IQ-1"}, {}, "IQ-1"),
        ({"x-request-id": "rq-1"}, {}, "rq-1"),
        ({"x-request-id": "rq-1", "x-cs-traceid": "tr-1"}, {}, "tr-1"),
        ({}, {"trace_id": "tr-2"}, "tr-2"),
        ({"x-cs-traceid": "tr-1"}, {"trace_id": "tr-2"}, "tr-1"),
        ({}, {"trace_id": "a\x1b[2Jb"}, "a [2Jb"),
        ({}, {"trace_id": 7}, None),
        ({}, "tr-2", None),
        ({}, {}, None),
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
def test_error_of_any_status_carries_the_servers_id(
    headers: dict[str, str], meta: object, expected: str | None, status: int
) -> None:
    content = {"meta": meta, "errors": [{"code": status, "message": "m"}]}

    assert error(json_response(content, status=status, headers=headers)).request_id == expected


def test_error_names_method_path_and_the_servers_id_but_no_query() -> None:
    found = error(json_response({"message": "m"}, status=500, headers={"x-cs-traceid": "tr-1"}))

    assert str(found).startswith("GET api/v1/x: m (request tr-1). Try again later")


def test_rate_limit_keeps_the_delay() -> None:
    found = error(text_response("slow", status=429, headers={"retry-after": "30"}))

    assert isinstance(found, RateLimited)
    assert found.retry_after == timedelta(seconds=30)


def test_server_failure_keeps_its_status() -> None:
    found = error(text_response("x", status=502))

    assert isinstance(found, ServerFailed)
    assert found.status == 502
