"""falconpy's FoundryLogScale, unmodified: repositories, views, ingest, saved searches."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import requests
from falconpy import NGSIEM, FoundryLogScale

from tests.contract.clients.conftest import NOW_MS, TOKEN, Service, message_of, resources

# An event that comes in now, by a clock that stands still, is in no window that ends now.
LATER = str(NOW_MS + 1_000)
RECENT = b"name: recent\nqueryString: kind=?{kind=*} // a comment\n"


@pytest.fixture
def foundry(service: Service) -> Any:
    return service(FoundryLogScale)


@pytest.fixture
def saved(service: Service) -> str:
    """Return the id of a saved search named `recent`."""
    siem = service(NGSIEM)
    made = siem.create_saved_query(yaml_template=RECENT, search_domain="falcon")
    return str(resources(made)[0])


def ingest(foundry: Any, *events: dict[str, Any], **keywords: Any) -> Any:
    data = io.BytesIO(json.dumps(list(events)).encode())
    return resources(foundry.ingest_data(data_file=data, **keywords))[0]


def only(answer: Any) -> Any:
    (found,) = resources(answer)
    return found


# --- repositories and ingest ------------------------------------------------------------------


def test_repositories_and_views_are_listed_apart(foundry: Any, sandbox_url: str) -> None:
    create = """mutation { createView(name: "both", description: "d",
      connections: [{repositoryName: "falcon", filter: "a=1"}]) { name } }"""
    requests.post(
        f"{sandbox_url}/graphql",
        json={"query": create},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=10,
    ).raise_for_status()
    ingest(foundry, {"a": 1}, test_data=True)

    repository = only(foundry.list_repos(check_test_data=True))
    unchecked = only(foundry.list_repos())
    view = only(foundry.list_views())

    assert (repository["name"], repository["type_name"]) == ("falcon", "Repository")
    assert (repository["has_test_data"], unchecked["has_test_data"]) == (True, False)
    assert repository["size"] > 0
    assert (view["name"], view["type_name"], view["description"]) == ("both", "View", "d")
    assert [(c["filter"], c["repository"]["name"]) for c in view["connections"]] == [
        ("a=1", "falcon")
    ]


def test_what_is_ingested_is_found_with_its_tags(foundry: Any) -> None:
    written = ingest(
        foundry, {"n": 1}, {"n": 2}, tag=["team:blue", "env:a:b"], tag_source="app", test_data=True
    )
    foundry.ingest_data_async(data_file=None, file=None, data_content='{"n": 3}', repo="falcon")

    assert (written["rows_written"], written["repo"]["name"]) == (2, "falcon")
    found = only(foundry.execute_dynamic(repo_or_view="falcon", search_query="sort(n)", end=LATER))[
        "events"
    ]
    assert [event["@rawstring"] for event in found] == ['{"n": 3}', '{"n": 2}', '{"n": 1}']
    tags = ("#team", "#env", "#source", "#test-ingest")
    assert [found[1].get(tag) for tag in tags] == ["blue", "a:b", "app", "true"]
    assert [found[0].get(tag) for tag in tags] == [None] * 4


@pytest.mark.parametrize(
    ("keywords", "status", "problem"),
    [
        ({"data_file": io.BytesIO(b"{")}, 400, "the body is not JSON"),
        ({"file": None}, 400, "data_file or data_content is expected"),
        ({"file": b"{}", "tag": "plain"}, 400, "tag 'plain' must have the form tag:value"),
    ],
)
def test_data_that_is_wrong_is_refused(
    foundry: Any, keywords: dict[str, Any], status: int, problem: str
) -> None:
    refused = foundry.ingest_data(**keywords)

    assert message_of(refused, status=status).startswith(problem)


# --- saved searches ---------------------------------------------------------------------------


@pytest.mark.usefixtures("saved")
def test_saved_search_is_executed_by_name_with_the_steps_that_are_added(foundry: Any) -> None:
    ingest(foundry, *({"n": n, "kind": "a" if n % 2 else "b", "x": "y"} for n in range(8)))

    found = only(
        foundry.execute(
            name="recent",
            end=LATER,
            search_parameters={"kind": "a"},
            with_in={"field": "n", "values": ["1", "3", "5", "6"]},
            with_sort={"fields": ["n"], "order": ["asc"], "type": ["number"], "limit": 10},
            with_limit={"from": "head", "limit": 2},
            with_renames=[{"field": "n", "as": "number"}],
            infer_json_types=True,
            detailed=True,
            metadata=True,
        )
    )

    assert [(event["number"], event["kind"]) for event in found["events"]] == [(1, "a"), (3, "a")]
    assert (found["event_count"], found["filtered_event_count"]) == (2, 2)
    assert found["events"][0]["@timestamp"] == NOW_MS
    kind = next(field for field in found["fields"] if field["name"] == "kind")
    assert kind == {"name": "kind", "count": 2, "topValues": [{"value": "a", "count": 2}]}
    assert found["meta_data"]["fieldOrder"][-1] == "number"
    assert found["job_status"]["status"] == "COMPLETED"


def test_saved_search_is_executed_by_id_and_read_by_pages(foundry: Any, saved: str) -> None:
    ingest(foundry, *({"n": n, "kind": "a"} for n in range(5)))

    job = only(foundry.execute(id=saved, mode="async", end=LATER))["job_status"]["job_id"]
    pages = [
        only(foundry.get_search_results(job_id=job, limit="2", offset=str(offset)))["events"]
        for offset in (0, 2, 4)
    ]
    status = only(foundry.get_search_results(job_id=job, job_status_only=True))

    assert [[event["n"] for event in page] for page in pages] == [["4", "3"], ["2", "1"], ["0"]]
    # As texts, all of them.
    assert pages[0][0]["@timestamp"] == str(NOW_MS)
    assert (status["events"], status["job_status"]["result_count"]) == ([], 5)


def test_results_are_downloaded_as_json_or_csv(foundry: Any) -> None:
    ingest(foundry, {"n": 1}, {"n": 2})
    job = only(
        foundry.execute_dynamic(
            repo_or_view="search-all",
            search_query="n=?least | groupBy(n) | sort(n)",
            search_query_args={"least": "*"},
            end=LATER,
            mode="async",
        )
    )["job_status"]["job_id"]

    as_json = foundry.download_results(job_id=job, infer_json_types=True)
    as_csv = foundry.download_results(job_id=job, result_format="csv")

    assert json.loads(as_json) == [{"n": 2, "_count": 1}, {"n": 1, "_count": 1}]
    assert as_csv == b"n,_count\n2,1\n1,1\n"


def test_search_that_is_wrong_is_refused(foundry: Any) -> None:
    dynamic, execute = foundry.execute_dynamic, foundry.execute
    for refused, status, problem in (
        (execute(), 400, "id or name of a saved search is required"),
        (execute(name="none"), 404, "saved search 'none' not found"),
        (dynamic(repo_or_view="falcon", search_query="count("), 400, ""),
        (dynamic(repo_or_view="falcon", search_query="*", mode="soon"), 400, "mode must be one of"),
        (dynamic(repo_or_view="nowhere", search_query="*"), 404, "The repository or view"),
        (dynamic(repo_or_view="falcon", search_query="match(no.csv, field=a)"), 400, ""),
        (foundry.get_search_results(job_id="none"), 404, "job 'none' not found"),
    ):
        assert message_of(refused, status=status).startswith(problem)


@pytest.mark.usefixtures("saved")
@pytest.mark.parametrize(
    ("added", "problem"),
    [
        ({"with_in": ["n"]}, "with_in must be an object"),
        ({"with_in": {"field": 1, "values": []}}, "field must be a text"),
        ({"with_in": {"field": "n", "values": "1"}}, "values must be an array of texts"),
        ({"with_limit": {"from": "top", "limit": 1}}, "with_limit.from must be head or tail"),
        ({"with_limit": {"from": "head", "limit": "1"}}, "limit must be a whole number"),
        ({"with_renames": {"field": "n"}}, "with_renames must be an array of objects"),
        ({"with_sort": {"fields": ["n"], "order": "asc"}}, "order must be an array of texts"),
    ],
)
def test_step_that_is_wrong_is_refused(foundry: Any, added: dict[str, Any], problem: str) -> None:
    refused = foundry.execute(body={"name": "recent", **added})

    assert message_of(refused, status=400).startswith(problem)


def test_text_in_a_step_is_never_read_as_cql(foundry: Any, saved: str) -> None:
    odd = 'x"]) | count() // \\'
    ingest(foundry, {"n": odd, "kind": "a"}, {"n": "y", "kind": "a"})

    within = {"field": "n", "values": [odd]}
    found = only(foundry.execute(id=saved, end=LATER, with_in=within))

    assert [event["n"] for event in found["events"]] == [odd]


# --- what there is not ------------------------------------------------------------------------


def test_what_would_be_pretence_is_refused_with_its_reason(foundry: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("k\n1\n", encoding="utf-8")
    refused = [
        foundry.populate(app_id="x"),
        foundry.create_file(data_file=str(path), name="a.csv"),
        foundry.update_file(data_file=str(path), id="x"),
    ]

    assert [message_of(answer, status=501) for answer in refused] == [
        "the sandbox does not offer what an app fills its saved searches with",
        *["the sandbox does not offer lookup files of apps, which the vendor has given up"] * 2,
    ]
