"""Routes of lookup files: upload by multipart form, download as raw bytes."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.errors import StoreFull
from orchestrator.sandbox.answers import Refusal, forbidden, json_answer, text_answer
from orchestrator.sandbox.auth import caller_of, demand
from orchestrator.sandbox.graphql.files import csv_problem
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Domain, StoredFile

MAX_CSV_BYTES = 200_000_000


async def upload_file(request: Request) -> Response:
    """`POST …/files`: one part named `file`; its filename is the stored name. Replaces."""
    sandbox, domain, name = _at(request, Right.CHANGE_FILES)
    return await _stored(request, sandbox, domain, by=name)


async def upload_shared_file(request: Request) -> Response:
    """`POST /api/v1/uploadedfiles/shared`: the same, for everybody's searches; for root alone."""
    sandbox, name = _root(request)
    return await _stored(request, sandbox, sandbox.shared, by=name)


async def _stored(request: Request, sandbox: Sandbox, domain: Domain, *, by: str) -> Response:
    file_name, content = await _uploaded(request)
    if len(content) > MAX_CSV_BYTES:
        raise Refusal(413, f"The file is larger than {MAX_CSV_BYTES} bytes")
    if not file_name.endswith(".json") and (problem := csv_problem(content)):
        raise Refusal(400, f"The file is not CSV: {problem}")
    try:
        file = sandbox.put_file(domain, file_name, content, by=by)
    except StoreFull as exc:
        raise Refusal(503, str(exc)) from exc
    return text_answer(200, file.content_hash[:24])


async def download_file(request: Request) -> Response:
    """`GET …/files/{name}`: the bytes as they were uploaded."""
    sandbox, domain, _ = _at(request, Right.READ)
    return _downloaded(request, sandbox.files(domain))


async def download_shared_file(request: Request) -> Response:
    """`GET /api/v1/uploadedfiles/shared/{name}`: the same."""
    sandbox, _ = _root(request)
    return _downloaded(request, sandbox.shared.files)


async def list_files(request: Request) -> Response:
    """`GET …/files`: names and hashes. For people; LogScale lists files through GraphQL only."""
    sandbox, domain, _ = _at(request, Right.READ)
    return json_answer(
        [
            {"name": path, "contentHash": file.content_hash, "size": len(file.content)}
            for path, file in sandbox.files(domain).items()
        ]
    )


async def delete_file(request: Request) -> Response:
    """`DELETE …/files/{name}`."""
    sandbox, domain, _ = _at(request, Right.CHANGE_FILES)
    return _deleted(request, sandbox, domain)


async def delete_shared_file(request: Request) -> Response:
    """`DELETE /api/v1/uploadedfiles/shared/{name}`."""
    sandbox, _ = _root(request)
    return _deleted(request, sandbox, sandbox.shared)


def _downloaded(request: Request, files: Mapping[str, StoredFile]) -> Response:
    name = str(request.path_params["file_name"])
    if name not in files:
        raise _no_file(name)
    kind = "application/json" if name.endswith(".json") else "text/csv"
    return Response(files[name].content, media_type=kind)


def _deleted(request: Request, sandbox: Sandbox, domain: Domain) -> Response:
    name = str(request.path_params["file_name"])
    if domain.files.pop(name, None) is None:
        raise _no_file(name)
    sandbox.save()
    return Response(status_code=204)


def _no_file(name: str) -> Refusal:
    return Refusal(404, f"The file '{name}' does not exist")


async def _uploaded(request: Request) -> tuple[str, bytes]:
    """Return name and content of the part named `file`.

    Raises:
        Refusal: 400, not a multipart form, or no such part.
    """
    try:
        async with request.form() as form:
            part = form.get("file")
            if isinstance(part, UploadFile) and part.filename:
                return part.filename, await part.read()
    except MultiPartException as exc:
        raise Refusal(400, "The request content was malformed: multipart is expected") from exc
    raise Refusal(400, "The request content was malformed: a part named 'file' is expected")


def _at(request: Request, right: Right) -> tuple[Sandbox, Domain, str]:
    sandbox, role = caller_of(request)
    name = str(request.path_params["repository"])
    demand(role, right, repository=name)
    return sandbox, sandbox.domain(name), role.name


def _root(request: Request) -> tuple[Sandbox, str]:
    sandbox, role = caller_of(request)
    if not role.is_person:
        raise forbidden()
    demand(role, Right.ADMIN)
    return sandbox, role.name
