"""Health: who may see it, its two forms, and what makes it worse."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.sandbox.routes.health import HealthStatus, disk_check, worst

VERSION = "1.204.0--build-1--sha-0000000000"


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.mark.parametrize("path", ["/api/v1/health", "/api/v1/health-json"])
@pytest.mark.parametrize(("token", "status"), [(None, 401), ("wrong", 401), ("reader", 403)])
async def test_health_is_for_administrators(
    client: Any, path: str, token: str | None, status: int
) -> None:
    assert (await client.call("GET", path, token=token)).status_code == status


async def test_probe_needs_no_token(client: Any) -> None:
    answer = await client.call("GET", "/api/v1/is-node-up", token=None)

    assert (answer.status_code, answer.text) == (200, "true")


async def test_health_json_of_a_sandbox_in_memory(client: Any) -> None:
    await client.ingest({"a": "1"})
    client.clock.advance(timedelta(minutes=2, seconds=3))

    answer = await client.call("GET", "/api/v1/health-json")

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "status": "OK",
            "statusMessage": "everything is fine",
            "uptime": "0:02:03",
            "version": VERSION,
            "oks": [
                {
                    "name": "query-jobs",
                    "status": "OK",
                    "statusMessage": "query jobs alive: 0",
                    "fields": {"alive": "0"},
                },
                {
                    "name": "events-in-memory",
                    "status": "OK",
                    "statusMessage": "events held: 1",
                    "fields": {"events": "1"},
                },
            ],
            "warnings": [],
            "down": [],
        },
    )


@pytest.mark.parametrize(
    ("free", "status", "code", "member"),
    [(50, "OK", 200, "oks"), (8, "WARN", 200, "warnings"), (0, "DOWN", 503, "down")],
)
async def test_health_follows_the_disk(
    open_client: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    status: str,
    code: int,
    member: str,
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage(100, 100 - free, free))
    async with open_client(data_dir=tmp_path) as client:
        told = await client.call("GET", "/api/v1/health-json")
        text = await client.call("GET", "/api/v1/health")
        plain = await client.call("GET", "/api/v1/status", token=None)

    checks = {check["name"]: check for check in told.json()[member]}
    assert (told.status_code, text.status_code, told.json()["status"]) == (code, code, status)
    assert (plain.status_code, plain.json()) == (code, {"status": status, "version": VERSION})
    assert checks["primary-disk-usage"]["fields"] == {"used_percent": f"{100 - free:.1f}"}
    assert text.headers["content-type"] == "text/plain; charset=UTF-8"
    assert text.text.startswith(f"{status}: ")
    if status != "OK":
        assert text.text.splitlines()[1].startswith(f"{status}: primary-disk-usage: ")


@pytest.mark.parametrize(
    ("percents", "expected"),
    [([], "OK"), ([10], "OK"), ([10, 95], "WARN"), ([95, 100, 10], "DOWN")],
)
def test_server_is_as_bad_as_its_worst_check(percents: list[float], expected: str) -> None:
    assert worst([disk_check(percent) for percent in percents]) is HealthStatus(expected)
