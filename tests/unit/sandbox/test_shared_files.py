"""Lookup files that are everybody's: put there by root, named by any search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SHELF = "/api/v1/uploadedfiles/shared"
ROLES = {"file": ("roles.csv", b"host,role\na,db\n")}
QUERY = 'match(file="/shared/roles.csv", field=host) | table([role])'


async def test_shared_file_is_named_by_searches_of_every_repository(
    open_client: Any, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"repositories": ("falcon", "other"), "data_dir": tmp_path}
    async with open_client(**settings) as client:
        sent = await client.call("POST", SHELF, files=ROLES)
        assert (sent.status_code, len(sent.text)) == (200, 24)

    async with open_client(**settings) as client:
        for repository in ("falcon", "other"):
            await client.ingest({"host": "a"}, repository=repository)
            job = await client.start(QUERY, repository=repository)
            found = await client.poll(job, repository=repository)
            assert found["events"] == [{"role": "db"}]
            assert [used["name"] for used in found["filesUsed"]] == ["/shared/roles.csv"]
        listed = await client.graphql("{ searchDomains { name files { contentHash } } }")

    # It is in no search domain, and is none.
    assert listed["data"]["searchDomains"] == [
        {"name": "falcon", "files": []},
        {"name": "other", "files": []},
    ]


async def test_shared_file_is_downloaded_replaced_and_deleted(client: Any) -> None:
    await client.call("POST", SHELF, files=ROLES)
    await client.call("POST", SHELF, files={"file": ("roles.csv", b"host,role\na,web\n")})

    kept = await client.call("GET", f"{SHELF}/roles.csv")
    deleted = await client.call("DELETE", f"{SHELF}/roles.csv")
    gone = [await client.call(method, f"{SHELF}/roles.csv") for method in ("GET", "DELETE")]

    assert (kept.content, kept.headers["content-type"]) == (
        b"host,role\na,web\n",
        "text/csv; charset=utf-8",
    )
    assert deleted.status_code == 204
    assert [answer.status_code for answer in gone] == [404, 404]


@pytest.mark.parametrize("token", ["reader", "sender"])
@pytest.mark.parametrize(("method", "path"), [("POST", SHELF), ("GET", f"{SHELF}/roles.csv")])
async def test_shared_files_are_for_root(client: Any, token: str, method: str, path: str) -> None:
    files = ROLES if method == "POST" else None

    answer = await client.call(method, path, token=token, files=files)

    assert answer.status_code == 403


async def test_shared_file_that_is_no_csv_is_refused(client: Any) -> None:
    answer = await client.call("POST", SHELF, files={"file": ("a.csv", b"\xff\xfe")})

    assert answer.status_code == 400
    assert client.sandbox.shared.files == {}


async def test_check_of_a_query_knows_the_files_that_its_search_would(client: Any) -> None:
    await client.call("POST", SHELF, files=ROLES)
    document = """query($q: String!) { analyzeQuery(input: {queryString: $q, viewName: "falcon",
      version: {name: "legacy"}}) { validateQuery { diagnostics { code } } } }"""

    known = await client.graphql(document, q=QUERY)
    absent = await client.graphql(document, q=QUERY.replace("roles", "none"))

    def codes(answer: Any) -> list[str]:
        found = answer["data"]["analyzeQuery"]["validateQuery"]["diagnostics"]
        return [problem["code"] for problem in found]

    assert (codes(known), codes(absent)) == ([], ["unknown-file"])
