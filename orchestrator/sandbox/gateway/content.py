"""The content routes: lookup files and saved queries, by search domain.

A search domain is a repository by its name; `all` and the other names of NG-SIEM stand for every
repository when something is written, and for the first when it is read.
"""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Mapping
from typing import Any

import yaml
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal, json_answer
from orchestrator.sandbox.domains import AssetKind, Domain, Record
from orchestrator.sandbox.gateway.envelope import caller, envelope, number_in
from orchestrator.sandbox.gateway.fql import FqlError, parse_fql
from orchestrator.sandbox.graphql.files import csv_problem
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox

_QUERY_SCHEMA = "https://schemas.humio.com/query/v0.1.0"
_DOMAINS = {"all", "falcon", "falcon-for-it", "third-party", "dashboards", "parsers-repository"}


def routes() -> list[BaseRoute]:
    """Return the routes of lookup files and saved queries."""
    files, queries = "/ngsiem-content/entities/lookupfiles/v1", "/ngsiem-content/entities/"
    return [
        Route(files, download_file),
        Route(files, write_file, methods=["POST", "PATCH"]),
        Route(files, delete_files, methods=["DELETE"]),
        Route("/ngsiem-content/entities/lookupfiles-entries/v1", change_entries, methods=["PATCH"]),
        Route("/ngsiem-content/queries/lookupfiles/v1", list_files),
        Route("/ngsiem-content/queries/savedqueries/v1", list_queries),
        Route(f"{queries}savedqueries-template/v1", get_queries),
        Route(f"{queries}savedqueries-template/v1", create_query, methods=["POST"]),
        Route(f"{queries}savedqueries-template/v1", update_query, methods=["PATCH"]),
        Route(f"{queries}savedqueries/v1", delete_queries, methods=["DELETE"]),
    ]


# --- lookup files ---------------------------------------------------------------------------


async def download_file(request: Request) -> Response:
    """`GET …/lookupfiles/v1?filename=&search_domain=`: the raw bytes."""
    sandbox = caller(request, Right.READ)
    (domain, *_) = _domains(sandbox, request.query_params.get("search_domain", "all"))
    name = request.query_params.get("filename", "")
    if name not in domain.files:
        raise Refusal(404, f"file {name!r} not found")
    return Response(domain.files[name].content, media_type="text/csv")


async def write_file(request: Request) -> Response:
    """`POST` makes a lookup file, `PATCH` replaces one; a form of search_domain and file."""
    sandbox = caller(request, Right.CHANGE_FILES)
    form = await _form(request)
    name, content = form.file("file")
    name = form.texts.get("filename") or name
    _check_csv(name, content)
    for domain in _domains(sandbox, form.texts.get("search_domain", "all")):
        exists = name in domain.files
        if request.method == "POST" and exists:
            raise Refusal(409, f"file {name!r} exists already")
        if request.method == "PATCH" and not exists:
            raise Refusal(404, f"file {name!r} not found")
        sandbox.put_file(domain, name, content, by="gateway")
    return json_answer(envelope([{"name": name}]))


async def delete_files(request: Request) -> Response:
    """`DELETE …/lookupfiles/v1?filename=&search_domain=`: one or several."""
    sandbox = caller(request, Right.CHANGE_FILES)
    names = [name for text in request.query_params.getlist("filename") for name in text.split(",")]
    for domain in _domains(sandbox, request.query_params.get("search_domain", "all")):
        for name in names:
            if domain.files.pop(name, None) is None:
                raise Refusal(404, f"file {name!r} not found")
    sandbox.save()
    return json_answer(envelope(names))


async def change_entries(request: Request) -> Response:
    """`PATCH …/lookupfiles-entries/v1`: append rows, or update those with the same key columns."""
    sandbox = caller(request, Right.CHANGE_FILES)
    form = await _form(request)
    name, content = form.file("file")
    name = form.texts.get("filename") or name
    _check_csv(name, content)
    for domain in _domains(sandbox, form.texts.get("search_domain", "all")):
        if name not in domain.files:
            raise Refusal(404, f"file {name!r} not found")
        changed = _merged(domain.files[name].content, content, form.texts)
        sandbox.put_file(domain, name, changed, by="gateway")
    return json_answer(envelope([{"name": name}]))


async def list_files(request: Request) -> Response:
    """`GET /ngsiem-content/queries/lookupfiles/v1`: names."""
    sandbox = caller(request, Right.READ)
    (domain, *_) = _domains(sandbox, request.query_params.get("search_domain", "all"))
    return _page(request, [{"name": name, "id": name} for name in sorted(domain.files)])


def _check_csv(name: str, content: bytes) -> None:
    problem = "" if name.endswith(".json") else csv_problem(content)
    if problem:
        raise Refusal(400, f"the file is not CSV: {problem}")


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


# --- saved queries --------------------------------------------------------------------------


async def list_queries(request: Request) -> Response:
    """`GET /ngsiem-content/queries/savedqueries/v1`: ids."""
    sandbox = caller(request, Right.READ)
    (domain, *_) = _domains(sandbox, request.query_params.get("search_domain", "all"))
    return _page(request, list(domain.assets[AssetKind.SAVED_QUERY].values()))


async def get_queries(request: Request) -> Response:
    """`GET …/savedqueries-template/v1?ids=`: id, name and the YAML template."""
    sandbox = caller(request, Right.READ)
    (domain, *_) = _domains(sandbox, request.query_params.get("search_domain", "all"))
    found = [_query(domain, query_id) for query_id in request.query_params.getlist("ids")]
    return json_answer(
        envelope(
            [
                {"id": record["id"], "name": record["name"], "yaml_template": _to_yaml(record)}
                for record in found
            ]
        )
    )


async def create_query(request: Request) -> Response:
    """`POST …/savedqueries-template/v1`: a form of search_domain and yaml_template."""
    return await _write_query(request, old_id=None)


async def update_query(request: Request) -> Response:
    """`PATCH …/savedqueries-template/v1`: the query gets a new id, as on NG-SIEM."""
    return await _write_query(request, old_id=request.query_params.get("ids"))


async def delete_queries(request: Request) -> Response:
    """`DELETE …/savedqueries/v1?ids=&search_domain=`."""
    sandbox = caller(request, Right.CHANGE_SAVED_QUERIES)
    (domain, *_) = _domains(sandbox, request.query_params.get("search_domain", "all"))
    ids = request.query_params.getlist("ids")
    for query_id in ids:
        del domain.assets[AssetKind.SAVED_QUERY][_query(domain, query_id)["id"]]
    sandbox.save()
    return json_answer(envelope(ids))


async def _write_query(request: Request, *, old_id: str | None) -> Response:
    sandbox = caller(request, Right.CHANGE_SAVED_QUERIES)
    form = await _form(request)
    (domain, *_) = _domains(sandbox, form.texts.get("search_domain", "all"))
    name, query = _from_yaml(form.texts.get("yaml_template", ""))
    queries = domain.assets[AssetKind.SAVED_QUERY]
    old_id = form.texts.get("ids", old_id)
    is_update = request.method == "PATCH"
    old = _query(domain, old_id or "") if is_update else {}
    if not is_update and any(record["name"] == name for record in queries.values()):
        raise Refusal(409, f"a saved query {name!r} exists already")
    now_ms = sandbox.now_ms()
    record: Record = {"createdAt": now_ms, "labels": [], "description": None, "by": "gateway"}
    record |= old | {"id": secrets.token_hex(16), "name": name, "modifiedAt": now_ms}
    record["queryString"] = query
    queries.pop(old.get("id", ""), None)
    queries[record["id"]] = record
    sandbox.save()
    return json_answer(envelope([{"id": record["id"], "name": name}]))


def _query(domain: Domain, query_id: str) -> Record:
    found = domain.assets[AssetKind.SAVED_QUERY].get(query_id)
    if found is None:
        raise Refusal(404, f"saved query {query_id!r} not found")
    return found


def _from_yaml(text: str) -> tuple[str, str]:
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise Refusal(400, "yaml_template is not YAML") from exc
    if isinstance(raw, dict):
        name, query = raw.get("name"), raw.get("queryString")
        if isinstance(name, str) and name and isinstance(query, str):
            return name, query
    raise Refusal(400, "yaml_template needs a name and a queryString")


def _to_yaml(record: Record) -> str:
    raw = {
        "$schema": _QUERY_SCHEMA,
        "name": record["name"],
        "queryString": record["queryString"],
    }
    return yaml.safe_dump(raw, sort_keys=False, allow_unicode=True)


# --- what both share ------------------------------------------------------------------------


class _Form:
    """A multipart form, read whole."""

    def __init__(self, texts: dict[str, str], files: dict[str, tuple[str, bytes]]) -> None:
        self.texts, self._files = texts, files

    def file(self, name: str) -> tuple[str, bytes]:
        """Return a part's file name and content.

        Raises:
            Refusal: 400, there is no such part.
        """
        if name not in self._files:
            raise Refusal(400, f"a part named {name!r} with a file is expected")
        return self._files[name]


async def _form(request: Request) -> _Form:
    texts: dict[str, str] = dict(request.query_params)
    files: dict[str, tuple[str, bytes]] = {}
    try:
        async with request.form() as form:
            for name, part in form.multi_items():
                if isinstance(part, UploadFile):
                    files[name] = (part.filename or "", await part.read())
                else:
                    texts[name] = part
    except MultiPartException as exc:
        raise Refusal(400, "a multipart form is expected") from exc
    return _Form(texts, files)


def _domains(sandbox: Sandbox, name: str) -> list[Domain]:
    if name in sandbox.domains:
        return [sandbox.domains[name]]
    if name in _DOMAINS:
        return [domain for domain in sandbox.domains.values() if not domain.is_view]
    raise Refusal(400, f"search_domain {name!r} is not known")


def _page(request: Request, records: list[dict[str, Any]]) -> Response:
    """Answer the ids of the records that the request's filter, offset and limit leave."""
    offset, limit = number_in(request, "offset", 0), number_in(request, "limit", 50)
    try:
        matches = parse_fql(request.query_params.get("filter", ""))
    except FqlError as exc:
        raise Refusal(400, str(exc)) from exc
    found = [record["id"] for record in records if matches(record)]
    pagination: dict[str, object] = {"offset": offset, "limit": limit, "total": len(found)}
    return json_answer(envelope(found[offset : offset + limit], pagination=pagination))
