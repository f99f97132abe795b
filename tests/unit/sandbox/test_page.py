"""The page's routes and headers, its packaged files, and the overview that it shows."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib.resources import files
from typing import Any

import pytest

from orchestrator.sandbox.routes.query_check import MOST_PROBLEMS, problems_of
from orchestrator.sandbox.search.job_history import KEPT

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
FOLDER = files("orchestrator.sandbox") / "page"
FILES = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()}
SCRIPTS = sorted(name for name in FILES if name.endswith(".js"))
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/some/page/of/a/web/ui", "text/html; charset=utf-8"),
        ("/_sandbox/page/style.css", "text/css; charset=utf-8"),
        *((f"/_sandbox/page/{name}", "text/javascript; charset=utf-8") for name in SCRIPTS),
    ],
)
async def test_page_needs_no_token_and_carries_a_strict_policy(
    client: Any, path: str, content_type: str
) -> None:
    answer = await client.call("GET", path, token=None)
    policy = answer.headers["content-security-policy"]

    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    assert dict(part.strip().split(" ", 1) for part in policy.split(";")) == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_start_page_is_the_packaged_file(client: Any) -> None:
    assert (await client.call("GET", "/", token=None)).text == FILES["index.html"]


@pytest.mark.parametrize("name", ["index.html", "nothing.js", "%2e%2e%2fapp.py", "__init__.py"])
async def test_page_serves_no_other_file(client: Any, name: str) -> None:
    answer = await client.call("GET", f"/_sandbox/page/{name}", token=None)

    assert answer.headers["content-type"] in {
        "text/plain; charset=UTF-8",
        "text/html; charset=utf-8",
    }
    assert "Sandbox" not in answer.text


async def test_pages_without_a_token_tell_nothing_of_what_is_there(client: Any) -> None:
    await client.ingest({"secret": "hunter2"})

    texts = [(await client.call("GET", path, token=None)).text for path in ("/", "/falcon")]

    assert not any("hunter2" in text or "falcon" in text for text in texts)


def test_markup_holds_no_inline_script_style_or_handler() -> None:
    markup = FILES["index.html"]

    assert re.findall(r"<script[^>]*>[^<]", markup) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", markup) == []


@pytest.mark.parametrize("name", sorted(FILES))
def test_packaged_file_names_no_other_host(name: str) -> None:
    found = re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}[^\s\"']*", FILES[name])

    assert [url for url in found if url != "http://www.w3.org/2000/svg"] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_puts_text_into_the_document_as_text_only(name: str) -> None:
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function"

    assert re.findall(ways, FILES[name]) == []


async def test_overview_of_an_empty_sandbox(client: Any) -> None:
    answer = (await client.call("GET", "/_sandbox/overview")).json()

    assert answer == {
        "now": "2026-03-10T02:00:00Z",
        "triggers": {"pending": 0, "problem": "", "running": 0},
        "version": "1.204.0--build-1--sha-0000000000",
        "is_durable": False,
        "domains": [
            {
                "name": "falcon",
                "kind": "repository",
                "description": "",
                "connections": [],
                "events": 0,
                "oldest_event": None,
                "newest_event": None,
                "retention": None,
                "assets": [],
                "files": [],
                "packages": [],
            }
        ],
        "jobs": [],
        "correlation_rules": [],
        "hosts": 0,
        "faults": {},
    }


async def test_overview_names_events_files_and_assets(client: Any) -> None:
    await client.ingest({"a": "1", "ms": -2 * HOUR_MS}, {"a": "2", "ms": -HOUR_MS})
    await client.call(
        "POST", "/api/v1/repositories/falcon/files", files={"file": ("a.csv", b"a\n1\n")}
    )
    await client.graphql(
        """mutation { createSavedQuery(input: {viewName: "falcon", name: "mine",
             queryString: "a=1"}) { savedQuery { id } } }"""
    )
    await client.graphql(
        """mutation { createView(name: "both", description: "d",
             connections: [{repositoryName: "falcon", filter: "a=*"}]) { name } }"""
    )

    falcon, both = (await client.call("GET", "/_sandbox/overview")).json()["domains"]

    assert (falcon["events"], falcon["oldest_event"], falcon["newest_event"]) == (
        2,
        "2026-03-10T00:00:00Z",
        "2026-03-10T01:00:00Z",
    )
    assert falcon["files"] == [
        {
            "name": "a.csv",
            "bytes": 4,
            "modified_at": "2026-03-10T02:00:00Z",
            "modified_by": "admin",
        }
    ]
    assert falcon["assets"] == [
        {
            "kind": "savedQueries",
            "name": "mine",
            "type": None,
            "query": "a=1",
            "is_enabled": None,
            "schedule": None,
            "interval_s": None,
            "is_running": False,
            "last_fired": None,
            "last_error": "",
            "modified_at": "2026-03-10T02:00:00Z",
            "modified_by": "admin",
        }
    ]
    assert (both["kind"], both["events"], both["connections"]) == (
        "view",
        2,
        [{"repository": "falcon", "filter": "a=*"}],
    )


async def test_overview_keeps_the_settings_of_an_action_to_itself(client: Any) -> None:
    await client.graphql(
        """mutation { createWebhookAction(input: {viewName: "falcon", name: "hook",
             url: "http://127.0.0.1/in?key=hunter2", method: "POST", bodyTemplate: "b",
             headers: [{header: "Authorization", value: "hunter2"}], ignoreSSL: false,
             useProxy: false}) { id } }"""
    )

    answer = await client.call("GET", "/_sandbox/overview")

    assert answer.json()["domains"][0]["assets"][0]["type"] == "WebhookAction"
    assert "hunter2" not in answer.text


async def test_overview_tells_of_jobs_newest_first_also_when_they_are_gone(client: Any) -> None:
    await client.ingest({"a": "1"}, {"a": "2"})
    deleted = await client.start("a=*")
    await client.poll(deleted)
    await client.call("DELETE", f"/api/v1/queryjobs/{deleted}")
    client.clock.advance(timedelta(seconds=1))
    expired = await client.start("count()")
    await client.poll(expired)
    client.clock.advance(timedelta(seconds=100))
    alive = await client.start("*", isLive=True)
    await client.poll(alive)

    jobs = (await client.call("GET", "/_sandbox/overview")).json()["jobs"]

    assert [(job["id"], job["state"], job["gone"], job["rows"]) for job in jobs] == [
        (alive, "done", None, 2),
        (expired, "done", "expired", 1),
        (deleted, "done", "deleted", 2),
    ]
    assert [(job["query"], job["is_live"], job["polls"]) for job in jobs] == [
        ("*", True, 1),
        ("count()", False, 1),
        ("a=*", False, 1),
    ]
    assert {(job["owner"], job["domain"], job["duration_ms"]) for job in jobs} == {
        ("admin", "falcon", 0)
    }
    assert jobs[2]["started_at"] == "2026-03-10T02:00:00Z"


async def test_job_that_fails_or_is_stopped_says_so(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: Any) -> Any:
        raise RuntimeError("boom")

    await client.call("DELETE", f"/api/v1/queryjobs/{await client.start('count()')}")
    monkeypatch.setattr("orchestrator.sandbox.search.query_jobs.run", broken)
    client.clock.advance(timedelta(seconds=1))
    await client.search("*")

    failed, stopped = (await client.call("GET", "/_sandbox/overview")).json()["jobs"]

    assert (failed["state"], failed["rows"]) == ("failed", None)
    assert "boom" in failed["problem"]
    assert (stopped["state"], stopped["gone"], stopped["duration_ms"]) == (
        "stopped",
        "deleted",
        None,
    )


async def test_history_of_jobs_is_bounded(client: Any) -> None:
    for _ in range(KEPT + 5):
        client.sandbox.jobs.forget(client.sandbox.jobs.find(await client.start("*"), domain=None))

    assert len((await client.call("GET", "/_sandbox/overview")).json()["jobs"]) == KEPT


async def test_distribution_counts_what_the_leading_filters_match(client: Any) -> None:
    await client.ingest(
        {"a": "1", "ms": -90 * 60_000},
        {"a": "1", "ms": -60_000},
        {"a": "1", "ms": -60_000},
        {"a": "2", "ms": -60_000},
    )

    found = await client.search("a=1 | head(1)", showQueryEventDistribution=True)
    counts = found["queryEventDistribution"]

    assert [row["_count"] for row in counts["events"] if row["_count"] != "0"] == ["1", "2"]
    # A day of quarters of an hour; the end is exclusive, so it begins no bucket.
    assert len(counts["events"]) == 96
    assert counts["extraData"]["bucket_span_millis"] == "900000"
    assert found["metaData"]["filterQuery"]["showQueryEventDistribution"] is True


async def test_distribution_comes_only_when_asked_for(client: Any) -> None:
    assert "queryEventDistribution" not in await client.search("*")


async def test_overview_tells_when_an_alert_fired_and_what_it_lacks(
    open_client: Any,
) -> None:
    async with open_client(run_triggers=True) as client:
        await client.graphql(
            """mutation { createHumioRepoAction(input: {
                 viewName: "falcon", name: "copy", ingestToken: "sender"}) { id } }"""
        )
        for name, query in (("works", "a=1"), ("fails", 'a=1 | match("none.csv", field=a)')):
            await client.graphql(
                """mutation ($name: String!, $text: String!) {
                     createFilterAlert(input: {viewName: "falcon", name: $name,
                       queryString: $text, actionIdsOrNames: ["copy"], labels: [], enabled: true,
                       throttleTimeSeconds: 60, queryOwnershipType: User}) { id } }""",
                name=name,
                text=query,
            )
        await client.ingest({"a": "1"})
        await client.sandbox.triggers.run_due()
        [domain] = (await client.call("GET", "/_sandbox/overview")).json()["domains"]

    alerts = {asset["name"]: asset for asset in domain["assets"] if "Alert" in asset["kind"]}
    assert {asset["is_running"] for asset in alerts.values()} == {True}
    assert alerts["works"]["last_fired"] == "2026-03-10T02:00:00Z"
    assert (alerts["fails"]["last_fired"], "none.csv" in alerts["fails"]["last_error"]) == (
        None,
        True,
    )


async def test_check_names_each_problem_its_place_and_its_fix(client: Any) -> None:
    body = {"queryString": "#a=1\n| groupBy(a, limit=max)\n| sotr(_count)"}

    answer = await client.call("POST", "/_sandbox/check", token="reader", json=body)

    assert answer.json()["problems"] == [
        {
            "code": "unknown-function",
            "level": "warning",
            "message": "There is no function `sotr` in the catalogue.",
            "help": "Did you mean `sort`?",
            "line": 3,
            "column": 3,
            "start": 31,
            "end": 35,
            "fix": {"label": "call sort", "text": "sort", "start": 31, "end": 35},
        }
    ]


async def test_check_counts_places_as_a_browser_does(client: Any) -> None:
    body = {"queryString": '#a="\U0001f600\U0001f600" | sotr(b, limit=5)'}

    [problem] = (await client.call("POST", "/_sandbox/check", json=body)).json()["problems"]

    units = body["queryString"].encode("utf-16-le")
    assert units[2 * problem["start"] : 2 * problem["end"]].decode("utf-16-le") == "sotr"
    assert problem["column"] == 11


def test_check_tells_of_so_many_problems_and_no_more() -> None:
    found = problems_of("\U0001f600=1 | nope(x) |" * 2_000)

    assert len(found) == MOST_PROBLEMS


@pytest.mark.parametrize("text", [None, 5, "x" * 66_001])
async def test_check_refuses_what_is_no_query(client: Any, text: Any) -> None:
    answer = await client.call("POST", "/_sandbox/check", json={"queryString": text})

    assert (answer.status_code, "queryString" in answer.text) == (400, True)


async def test_check_needs_the_right_to_read(client: Any) -> None:
    answer = await client.call("POST", "/_sandbox/check", token="sender", json={"queryString": "*"})

    assert answer.status_code == 403
