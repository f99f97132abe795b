"""Packages: what is sent, what a refusal lists, and the zip that a package becomes."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime

import pytest

from orchestrator.client import (
    ConflictResolution,
    LogScale,
    QueryOwnership,
    Response,
    RetryPolicy,
    ScriptedTransport,
    archive_of,
    json_response,
    text_response,
)
from orchestrator.client.http.retry import NO_RETRIES
from orchestrator.clock import FrozenClock
from orchestrator.errors import ClientError, ConnectionFailed, Forbidden, NotTheApi, RequestRejected
from orchestrator.secret import SecretText
from tests import package_files

ARCHIVE = b"a zip"
FINE = {"installationErrors": [], "parseErrors": [], "responseType": "success"}


def make_client(
    *steps: Response | ClientError,
    ownership: QueryOwnership = QueryOwnership.ORGANIZATION,
    retry: RetryPolicy = NO_RETRIES,
) -> tuple[LogScale, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    client = LogScale(
        "https://logscale.example",
        token=SecretText("token-canary"),
        clock=FrozenClock(datetime(2026, 3, 10, tzinfo=UTC)),
        transport=transport,
        retry=retry,
        ownership=ownership,
    )
    return client, transport


def report(*, parse: list[str], install: list[str], status: int) -> Response:
    return json_response(
        {"installationErrors": install, "parseErrors": parse, "responseType": "failure"},
        status=status,
    )


@pytest.mark.parametrize(
    ("ownership", "overwrite", "query"),
    [
        (
            QueryOwnership.ORGANIZATION,
            False,
            (("view", "v w"), ("overwrite", "false"), ("queryOwnershipType", "organization")),
        ),
        (
            QueryOwnership.USER,
            True,
            (("view", "v w"), ("overwrite", "true"), ("queryOwnershipType", "user")),
        ),
    ],
)
async def test_archive_is_sent_as_it_is(
    ownership: QueryOwnership, overwrite: bool, query: tuple[tuple[str, str], ...]
) -> None:
    client, transport = make_client(json_response(FINE), ownership=ownership)

    await client.packages("v w").install(ARCHIVE, overwrite=overwrite)

    (sent,) = transport.requests
    assert (sent.method, sent.path, sent.query) == ("POST", "api/v1/packages/install", query)
    assert (sent.content, sent.headers["Content-Type"]) == (ARCHIVE, "application/zip")


@pytest.mark.parametrize("status", [200, 400, 409, 422])
async def test_refusal_lists_all_that_is_wrong_whatever_its_status(status: int) -> None:
    answer = report(parse=["a.yaml: not\nYAML"], install=["b: x" * 200, "c: y"], status=status)
    client, _ = make_client(answer)

    with pytest.raises(RequestRejected) as caught:
        await client.packages("v").install(ARCHIVE)

    first, long, last = caught.value.problems
    assert (first, last) == ("a.yaml: not YAML", "c: y")
    assert len(long) == 256
    assert "; ".join((first, long, last)) in str(caught.value)
    assert (caught.value.method, caught.value.path) == ("POST", "api/v1/packages/install")


async def test_check_returns_what_an_installation_would_name() -> None:
    client, transport = make_client(
        report(parse=["a"], install=["b"], status=200), json_response(FINE)
    )

    assert await client.packages("v").check(ARCHIVE) == ("a", "b")
    assert await client.packages("v").check(ARCHIVE) == ()
    assert {request.path for request in transport.requests} == {"api/v1/packages/analyze"}


async def test_secret_in_a_refusal_is_not_repeated() -> None:
    client, _ = make_client(report(parse=["your token-canary is bad"], install=[], status=400))

    with pytest.raises(RequestRejected) as caught:
        await client.packages("v").install(ARCHIVE)

    assert caught.value.problems == ("your *** is bad",)
    assert "token-canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (text_response("no right", status=403), Forbidden),
        (text_response("a package?", status=400), RequestRejected),
        (text_response("fine"), NotTheApi),
    ],
)
async def test_other_answers_are_what_they_are_everywhere(
    answer: Response, error: type[Exception]
) -> None:
    client, _ = make_client(answer)

    with pytest.raises(error):
        await client.packages("v").install(ARCHIVE)


@pytest.mark.parametrize(("overwrite", "sent"), [(False, 1), (True, 2)])
async def test_installation_is_repeated_only_where_it_may_be_there_already(
    overwrite: bool, sent: int
) -> None:
    broken = ConnectionFailed("reset", sent=True)
    client, transport = make_client(broken, json_response(FINE), retry=RetryPolicy())

    if overwrite:
        await client.packages("v").install(ARCHIVE, overwrite=True)
    else:
        with pytest.raises(ConnectionFailed):
            await client.packages("v").install(ARCHIVE)

    assert len(transport.requests) == sent


async def test_update_says_whose_each_changed_asset_shall_be() -> None:
    data = {"updatePackageFromRegistryV2": {"package": {"id": "a/b@2.0.0"}}}
    client, transport = make_client(json_response({"data": data}))

    await client.packages("v").update_from_marketplace(
        "a/b@2.0.0",
        [
            ConflictResolution(kind="SavedQuery", name="mine", keep=True),
            ConflictResolution(kind="File", name="x.csv", keep=False),
        ],
    )

    (sent,) = transport.requests
    assert json.loads(sent.content)["variables"]["input"] == {
        "viewName": "v",
        "packageId": "a/b@2.0.0",
        "queryOwnershipType": "Organization",
        "conflictResolutions": [
            {"entityType": "SavedQuery", "entityName": "mine", "conflictResolution": "Ours"},
            {"entityType": "File", "entityName": "x.csv", "conflictResolution": "Theirs"},
        ],
    }


async def test_package_that_is_still_there_was_not_uninstalled() -> None:
    client, _ = make_client(json_response({"data": {"uninstallPackage": {"result": False}}}))

    with pytest.raises(RequestRejected, match="a/b was not uninstalled from v"):
        await client.packages("v").uninstall("a/b")


def test_archive_holds_the_files_and_is_the_same_each_time() -> None:
    files = package_files.files()
    hidden = {".git/config": b"", "queries/_draft.yaml": b"", "__MACOSX/a": b""}

    archive = archive_of(files | hidden)

    with zipfile.ZipFile(io.BytesIO(archive)) as held:
        assert {name: held.read(name) for name in held.namelist()} == files
    assert archive == archive_of(dict(reversed(files.items())))
