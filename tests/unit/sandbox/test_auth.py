"""Who may do what: 401 and 403 with LogScale's own texts."""

from __future__ import annotations

from typing import Any

import pytest

INVALID = "The supplied authentication is invalid"
NOT_AUTHORIZED = "The supplied authentication is not authorized to access this resource"
CREATE_SAVED = """mutation { createSavedQuery(input: {viewName: "falcon", name: "a",
  queryString: "*"}) { savedQuery { id } } }"""

CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/api/v1/repositories/falcon/queryjobs", {"json": {"queryString": "*"}}),
    ("GET", "/api/v1/repositories/falcon/queryjobs/24-x", {}),
    ("POST", "/api/v1/ingest/humio-structured", {"json": []}),
    ("POST", "/services/collector", {"content": b""}),
    ("POST", "/api/v1/repositories/falcon/files", {"files": {"file": ("a.csv", b"a\n1\n")}}),
    ("POST", "/graphql", {"json": {"query": "{ meta { version } }"}}),
    ("GET", "/api/v1/users", {}),
    ("GET", "/api/v1/nothing/here", {}),
    ("GET", "/_sandbox/overview", {}),
]


@pytest.mark.parametrize(("method", "path", "rest"), CALLS)
@pytest.mark.parametrize("token", [None, "", "wrong", "Admin"])
async def test_missing_or_unknown_token_is_401(
    client: Any, method: str, path: str, rest: dict[str, Any], token: str | None
) -> None:
    answer = await client.call(method, path, token=token, **rest)

    assert (answer.status_code, answer.text) == (401, INVALID)
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"


@pytest.mark.parametrize(
    ("token", "method", "path", "rest"),
    [
        ("sender", "POST", "/api/v1/repositories/falcon/queryjobs", {"json": {"queryString": "*"}}),
        ("sender", "POST", "/graphql", {"json": {"query": '{searchDomain(name:"falcon"){id}}'}}),
        ("sender", "POST", "/api/v1/repositories/other/ingest", {"json": []}),
        ("sender", "POST", "/services/collector", {"content": b'{"event":"x","index":"other"}'}),
        ("reader", "POST", "/api/v1/ingest/humio-structured", {"json": []}),
        (
            "reader",
            "POST",
            "/api/v1/repositories/falcon/files",
            {"files": {"file": ("a.csv", b"a")}},
        ),
        ("reader", "POST", "/graphql", {"json": {"query": CREATE_SAVED}}),
        ("reader", "GET", "/api/v1/users", {}),
        ("reader", "POST", "/_sandbox/faults", {"json": {}}),
    ],
)
async def test_token_without_the_right_gets_the_recorded_403(
    client: Any, token: str, method: str, path: str, rest: dict[str, Any]
) -> None:
    answer = await client.call(method, path, token=token, **rest)

    assert (answer.status_code, answer.text) == (403, NOT_AUTHORIZED)
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"


async def test_status_needs_no_token(client: Any, recorded_shapes: Any) -> None:
    answer = await client.call("GET", "/api/v1/status", token=None)

    assert answer.json()["status"] == "OK"
    assert set(answer.json()) == set(recorded_shapes["status"])
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_refused_mutation_changes_nothing(client: Any) -> None:
    await client.call("POST", "/graphql", token="reader", json={"query": CREATE_SAVED})

    found = await client.graphql('{ searchDomain(name: "falcon") { savedQueries { name } } }')
    assert found["data"]["searchDomain"]["savedQueries"] == []


async def test_path_outside_the_api_is_a_web_page(client: Any) -> None:
    answer = await client.call("GET", "/login")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_settings_show_no_token() -> None:
    from orchestrator.sandbox.settings import sandbox_settings

    text = repr(sandbox_settings(token="a-secret-token"))

    assert "a-secret-token" not in text
