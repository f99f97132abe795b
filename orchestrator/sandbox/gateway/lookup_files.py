"""Lookup files by search domain: one or several, whole or by rows.

What was written is answered with its name, as gofalcon's models have it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.gateway.envelope import (
    answer,
    caller,
    ids_in,
    object_body,
    outcome,
    page,
    problem,
    wanted,
)
from orchestrator.sandbox.gateway.forms import domain_of, domains_of, form_of
from orchestrator.sandbox.graphql.files import csv_problem
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Domain

ENTITIES = "/ngsiem-content/entities"
PAGE = 50
MOST_ITEMS = 100


def routes() -> list[BaseRoute]:
    """Return the routes of lookup files."""
    files, bulk = f"{ENTITIES}/lookupfiles/v1", f"{ENTITIES}/bulk-lookupfiles/v1"
    return [
        Route(files, download_file),
        Route(files, write_file, methods=["POST", "PATCH"]),
        Route(files, delete_files, methods=["DELETE"]),
        Route(f"{ENTITIES}/lookupfiles-entries/v1", change_entries, methods=["PATCH"]),
        Route("/ngsiem-content/queries/lookupfiles/v1", list_files),
        Route(bulk, download_files),
        Route(bulk, write_files, methods=["POST", "PATCH"]),
    ]


async def download_file(request: Request) -> Response:
    """`GET …/lookupfiles/v1?filename=&search_domain=`: the raw bytes."""
    domain = _readable(request)
    name = request.query_params.get("filename", "")
    if name not in domain.files:
        raise _no_file(name)
    kind = "application/json" if name.endswith(".json") else "text/csv"
    return Response(domain.files[name].content, media_type=kind)


async def write_file(request: Request) -> Response:
    """`POST` makes a lookup file, `PATCH` replaces one; a form of search_domain and file."""
    sandbox = caller(request, Right.CHANGE_FILES)
    form = await form_of(request)
    name, content = form.file("file")
    name = form.texts.get("filename") or name
    domains = domains_of(sandbox, form.texts.get("search_domain", "all"))
    _write(sandbox, domains, name, content, is_new=request.method == "POST")
    return answer([name], written=1)


async def delete_files(request: Request) -> Response:
    """`DELETE …/lookupfiles/v1?filename=&search_domain=`: one or several."""
    sandbox = caller(request, Right.CHANGE_FILES)
    names = ids_in(request, "filename")
    domains = domains_of(sandbox, request.query_params.get("search_domain", "all"))
    for name in names:
        if not any(name in domain.files for domain in domains):
            raise _no_file(name)
    for domain in domains:
        for name in names:
            domain.files.pop(name, None)
    sandbox.save()
    return answer(names, written=len(names))


async def change_entries(request: Request) -> Response:
    """`PATCH …/lookupfiles-entries/v1`: append rows, or update those with the same key columns."""
    sandbox = caller(request, Right.CHANGE_FILES)
    form = await form_of(request)
    name, content = form.file("file")
    name = form.texts.get("filename") or name
    _check_csv(name, content)
    domains = domains_of(sandbox, form.texts.get("search_domain", "all"))
    holders = [domain for domain in domains if name in domain.files]
    if not holders:
        raise _no_file(name)
    for domain in holders:
        changed = _merged(domain.files[name].content, content, form.texts)
        sandbox.put_file(domain, name, changed, by="gateway")
    return answer([name], written=1)


async def list_files(request: Request) -> Response:
    """`GET /ngsiem-content/queries/lookupfiles/v1`: names."""
    domain = _readable(request)
    found = wanted(request, [{"name": name} for name in sorted(domain.files)])
    return page(request, [file["name"] for file in found], limit=PAGE)


async def download_files(request: Request) -> Response:
    """`GET …/bulk-lookupfiles/v1?filename=…`: those that there are, an error for each other."""
    domain = _readable(request)
    names = ids_in(request, "filename", most=MOST_ITEMS)
    found = [
        {
            "filename": name,
            "content": domain.files[name].content.decode("utf-8", "replace"),
            "labels": list(domain.files[name].labels),
        }
        for name in names
        if name in domain.files
    ]
    missing = [problem(404, "no such file", about=n) for n in names if n not in domain.files]
    return answer(found, errors=missing)


async def write_files(request: Request) -> Response:
    """`POST` makes several files, `PATCH` replaces them; each stands or fails alone."""
    sandbox = caller(request, Right.CHANGE_FILES)
    body = await object_body(request)
    domains = domains_of(sandbox, str(body.get("search_domain", "all")))
    outcomes: list[dict[str, object]] = []
    failed: list[dict[str, object]] = []
    for item in items_in(body, "lookup_files"):
        name, content = str(item.get("filename", "")), str(item.get("content", "")).encode()
        try:
            _write(sandbox, domains, name, content, is_new=request.method == "POST")
        except Refusal as exc:
            failed.append(problem(exc.status, exc.text, about=name))
            outcomes.append(outcome("filename", name, exc.text))
        else:
            outcomes.append(outcome("filename", name))
    return answer(outcomes, errors=failed, written=len(outcomes) - len(failed))


def items_in(body: Mapping[str, object], name: str) -> list[dict[str, object]]:
    """Return a member that is an array of objects, at most `MOST_ITEMS` and at least one.

    Raises:
        Refusal: 400, it is something else.
    """
    items = body.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Refusal(400, f"{name} must be an array of objects")
    if not 1 <= len(items) <= MOST_ITEMS:
        raise Refusal(400, f"{name}: 1 to {MOST_ITEMS} in one request")
    return items


def _write(
    sandbox: Sandbox, domains: list[Domain], name: str, content: bytes, *, is_new: bool
) -> None:
    if not name:
        raise Refusal(400, "filename is required")
    _check_csv(name, content)
    holders = [domain for domain in domains if name in domain.files]
    if is_new and holders:
        raise Refusal(409, f"file {name[:80]!r} exists already")
    if not is_new and not holders:
        raise _no_file(name)
    for domain in domains if is_new else holders:
        sandbox.put_file(domain, name, content, by="gateway")


def _readable(request: Request) -> Domain:
    sandbox = caller(request, Right.READ)
    return domain_of(sandbox, request.query_params.get("search_domain", "all"))


def _no_file(name: str) -> Refusal:
    return Refusal(404, f"file {name[:80]!r} not found")


def _check_csv(name: str, content: bytes) -> None:
    found = "" if name.endswith(".json") else csv_problem(content)
    if found:
        raise Refusal(400, f"the file is not CSV: {found}")


def _merged(old: bytes, new: bytes, options: Mapping[str, str]) -> bytes:
    reader = csv.DictReader(io.StringIO(old.decode("utf-8")))
    header, rows = list(reader.fieldnames or ()), list(reader)
    given = list(csv.DictReader(io.StringIO(new.decode("utf-8"))))
    for row in given:
        header += [name for name in row if name not in header]
    if options.get("update_mode", "append") == "update":
        keys = [name for name in options.get("key_columns", "").split(",") if name]
        if not keys:
            raise Refusal(400, "key_columns is required when update_mode is update")
        fold = options.get("ignore_case") == "true"
        places = {_key(row, keys, fold=fold): place for place, row in enumerate(rows)}
        for row in given:
            place = places.get(_key(row, keys, fold=fold))
            if place is None:
                rows.append(row)
            else:
                rows[place] = {**rows[place], **row}
    else:
        rows += given
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _key(row: Mapping[str, str], names: list[str], *, fold: bool) -> tuple[str, ...]:
    values = (row.get(name) or "" for name in names)
    return tuple(value.casefold() if fold else value for value in values)
