"""The cassette transport: serves in order, and refuses what was not recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.client.cassettes.replay import (
    Cassette,
    CassetteMismatch,
    Exchange,
    Origin,
    ReplayTransport,
    load_cassette,
)
from orchestrator.client.cassettes.scripted import json_response
from orchestrator.client.http.session import json_request
from orchestrator.client.http.transport import Response

ANSWER = json_response({"id": "1"})


def make_transport(**changes: object) -> ReplayTransport:
    exchange = Exchange(
        **{  # type: ignore[arg-type]  # test shorthand
            "method": "POST",
            "path": "api/v1/dataspaces/r/queryjobs",
            "body": '{"queryString": "x", "list": [{"a": 1}]}',
            "response": ANSWER,
            **changes,
        }
    )
    return ReplayTransport(Cassette(origin=Origin.SYNTHETIC, source="test", exchanges=(exchange,)))


async def test_send_matches_the_old_path_and_a_body_with_more_members() -> None:
    transport = make_transport()
    request = json_request(
        "POST",
        "api/v1/repositories/r/queryjobs",
        {"queryString": "x", "list": [{"a": 1, "b": 2}], "start": 1},
    )

    assert await transport.send(request) == ANSWER
    assert transport.left == ()


@pytest.mark.parametrize(
    ("method", "path", "body", "problem"),
    [
        ("GET", "api/v1/repositories/r/queryjobs", {}, "GET .* where the cassette has POST"),
        ("POST", "api/v1/repositories/s/queryjobs", {}, "where the cassette has"),
        ("POST", "api/v1/repositories/r/queryjobs", {"queryString": "y"}, "body lacks members"),
        ("POST", "api/v1/repositories/r/queryjobs", {"queryString": "x", "list": []}, "lacks"),
    ],
)
async def test_send_of_another_request_is_a_mismatch(
    method: str, path: str, body: object, problem: str
) -> None:
    transport = make_transport()

    with pytest.raises(CassetteMismatch, match=problem):
        await transport.send(json_request(method, path, body))

    assert len(transport.left) == 1


async def test_send_with_another_query_string_is_a_mismatch() -> None:
    transport = make_transport(query=(("onlyHeartbeat", "true"),), body="")

    with pytest.raises(CassetteMismatch, match="query string differs"):
        await transport.send(json_request("POST", "api/v1/repositories/r/queryjobs"))


async def test_send_after_the_end_is_a_mismatch() -> None:
    with pytest.raises(CassetteMismatch, match="GET p after the cassette's end"):
        await ReplayTransport().send(json_request("GET", "p"))


def test_load_reads_bodies_as_text(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "origin: synthetic\nsource: here\nexchanges:\n"
        "  - request: {method: GET, path: /p, query: {a: 1}}\n"
        "    response: {status: 200, headers: {Content-Type: text/plain}, body: hi}\n"
    )

    cassette = load_cassette(path)

    assert cassette == Cassette(
        origin=Origin.SYNTHETIC,
        source="here",
        exchanges=(
            Exchange(
                method="GET",
                path="p",
                query=(("a", "1"),),
                response=Response(status=200, headers={"content-type": "text/plain"}, body=b"hi"),
            ),
        ),
    )


@pytest.mark.parametrize(
    "text", ["[]", "origin: recorded\n", "origin: dreamt\nsource: x\nexchanges: []\n"]
)
def test_load_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)

    with pytest.raises(ValueError, match="not a"):
        load_cassette(path)
