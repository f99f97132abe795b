"""Lookup files: unchanged content is not sent, changed content replaces."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response, text_response
from orchestrator.client.graphql.files import SURELY_TAKEN_BYTES
from orchestrator.client.http.retry import NO_RETRIES
from orchestrator.client.http.transport import Response
from orchestrator.client.logscale import LogScale
from orchestrator.clock import FrozenClock
from orchestrator.errors import NotFound, RequestRejected, UnexpectedResponse
from orchestrator.secret import SecretText

CONTENT = b"host,role\nweb-1,ci\n"


def make_client(*steps: Response) -> tuple[LogScale, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    client = LogScale(
        "https://logscale.example",
        token=SecretText("token-canary"),
        clock=FrozenClock(datetime(2026, 3, 10, tzinfo=UTC)),
        transport=transport,
        retry=NO_RETRIES,
    )
    return client, transport


def listed(*files: tuple[str, int]) -> Response:
    items = [
        {"nameAndPath": {"name": name, "path": None}, "contentHash": "h", "fileSizeBytes": size}
        for name, size in files
    ]
    return json_response({"data": {"searchDomain": {"files": items}}})


def stored(content: bytes) -> Response:
    return Response(status=200, headers={"content-type": "text/csv"}, body=content)


async def test_upload_of_a_new_file_is_one_part_named_file() -> None:
    client, transport = make_client(listed(), text_response("file-id"))

    assert await client.files("v").upload('ho"sts.csv', CONTENT) is True

    upload = transport.requests[-1]
    boundary = upload.headers["Content-Type"].removeprefix("multipart/form-data; boundary=")
    assert upload.path == "api/v1/repositories/v/files"
    assert (
        upload.content
        == (
            f"--{boundary}\r\n"
            'Content-Disposition: form-data; name="file"; filename="ho\\"sts.csv"\r\n'
            "Content-Type: text/csv\r\n\r\n"
        ).encode()
        + CONTENT
        + f"\r\n--{boundary}--\r\n".encode()
    )


async def test_upload_of_the_same_content_sends_nothing() -> None:
    client, transport = make_client(listed(("hosts.csv", len(CONTENT))), stored(CONTENT))

    assert await client.files("v").upload("hosts.csv", CONTENT) is False
    assert [request.method for request in transport.requests] == ["POST", "GET"]


async def test_upload_of_another_size_does_not_even_download() -> None:
    client, transport = make_client(listed(("hosts.csv", 1)), text_response("id"))

    assert await client.files("v").upload("hosts.csv", CONTENT) is True
    assert [request.method for request in transport.requests] == ["POST", "POST"]


async def test_upload_of_same_size_and_other_content_replaces() -> None:
    other = CONTENT.replace(b"ci", b"db")
    client, transport = make_client(
        listed(("hosts.csv", len(CONTENT))), stored(other), text_response("id")
    )

    assert await client.files("v").upload("hosts.csv", CONTENT) is True
    assert transport.left == 0


async def test_upload_of_a_file_deleted_meanwhile_sends_it() -> None:
    client, _ = make_client(
        listed(("hosts.csv", len(CONTENT))), text_response("no", status=404), text_response("id")
    )

    assert await client.files("v").upload("hosts.csv", CONTENT) is True


async def test_upload_that_is_too_large_is_rejected() -> None:
    client, _ = make_client(listed(), text_response("too large", status=413))

    with pytest.raises(RequestRejected, match="too large"):
        await client.files("v").upload("hosts.csv", CONTENT)


LARGE = bytes(SURELY_TAKEN_BYTES + 1)


def limits(*, csv_bytes: int = 10**9, json_bytes: int = 10**9) -> Response:
    meta = {
        "environment": "ON_PREM",
        "clusterId": "c",
        "isClusterBeingUpdated": False,
        "minimumNodeVersion": "1.204.0",
        "maxCsvFileUploadSizeBytes": csv_bytes,
        "maxJsonFileUploadSizeBytes": json_bytes,
    }
    return json_response({"data": {"meta": meta}})


@pytest.mark.parametrize("name", ["hosts.csv", "hosts.json"])
async def test_upload_of_more_than_the_server_takes_is_not_sent(name: str) -> None:
    small = {"json_bytes" if name.endswith(".json") else "csv_bytes": 1000}
    client, transport = make_client(listed(), limits(**small))

    with pytest.raises(RequestRejected, match=rf"{name} has 16777217 bytes, and the server takes"):
        await client.files("v").upload(name, LARGE)

    assert [request.path for request in transport.requests] == ["graphql", "graphql"]


async def test_upload_of_a_large_file_that_is_taken_is_sent() -> None:
    client, transport = make_client(listed(), limits(), text_response("id"))

    assert await client.files("v").upload("hosts.csv", LARGE) is True
    assert transport.left == 0


async def test_upload_to_a_server_that_tells_no_limit_is_sent() -> None:
    unknown = json_response({"errors": [{"message": "Cannot query field"}]})
    client, transport = make_client(listed(), unknown, text_response("id"))

    assert await client.files("v").upload("hosts.csv", LARGE) is True
    assert transport.left == 0


async def test_list_is_sorted() -> None:
    client, _ = make_client(listed(("b.csv", 1), ("a.csv", 2)))

    assert [file.name for file in await client.files("v").list()] == ["a.csv", "b.csv"]


async def test_download_escapes_the_name_as_one_segment() -> None:
    client, transport = make_client(stored(CONTENT))

    assert await client.files("v/w").download("a/b c.csv") == CONTENT
    assert transport.requests[0].path == "api/v1/repositories/v%2Fw/files/a%2Fb%20c.csv"


async def test_download_of_no_file_is_not_found() -> None:
    client, _ = make_client(text_response("no", status=404))

    with pytest.raises(NotFound):
        await client.files("v").download("a.csv")


async def test_download_of_a_web_page_is_unexpected() -> None:
    client, _ = make_client(text_response("<html>", content_type="text/html"))

    with pytest.raises(UnexpectedResponse, match="web page"):
        await client.files("v").download("a.csv")


async def test_delete_that_did_nothing_is_rejected() -> None:
    client, _ = make_client(json_response({"data": {"removeFile": {"result": False}}}))

    with pytest.raises(RequestRejected, match=r"a\.csv in v was not deleted"):
        await client.files("v").delete("a.csv")


def page(*lines: list[str], total: int, offset: int = 0, columns: str = "host") -> Response:
    content = {"headers": [columns], "lines": lines, "totalLinesCount": total, "offset": offset}
    return json_response({"data": {"getFileContent": content}})


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        (page(["b"], total=3, offset=1), r"a\.csv in v changed while it was read"),
        (page(["b"], total=2, offset=1, columns="name"), "changed while it was read"),
        (page(total=2, offset=1), r"a\.csv in v ends after 1 of 2 rows"),
    ],
)
async def test_rows_that_are_not_the_whole_file_are_an_error(
    second: Response, problem: str
) -> None:
    client, _ = make_client(page(["a"], total=2), second)

    with pytest.raises(UnexpectedResponse, match=problem):
        _ = [row async for row in client.files("v").rows("a.csv")]


@pytest.mark.parametrize("lines", [None, "x", ["x"], [[1]], [["a"], None]])
async def test_page_of_another_shape_names_the_member(lines: object) -> None:
    content = {"headers": ["host"], "lines": lines, "totalLinesCount": 1, "offset": 0}
    client, _ = make_client(json_response({"data": {"getFileContent": content}}))

    with pytest.raises(UnexpectedResponse, match=r"lines should be a list of lists of text"):
        await client.files("v").page("a.csv")


async def test_chosen_rows_cannot_be_replaced() -> None:
    client, _ = make_client(page(["a"], total=1))
    files = client.files("v")
    seen = await files.page("a.csv", containing="a")

    with pytest.raises(ValueError, match="rows with 'a' in them"):
        await files.replace_rows("a.csv", seen, [])
