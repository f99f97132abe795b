"""Content that travels as LogScale's YAML templates: saved queries, dashboards, parsers.

A kind says where its records are and how a template becomes one; the routes are the same for all.
Saved queries are those of the search domain and run in its searches. Dashboards and parsers are
kept and read; the sandbox draws none and parses with none. What was written is answered with its id
alone. A listing has ids, but that of parsers has objects.
Source: CrowdStrike falconpy and gofalcon, ngsiem.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import yaml
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.assets.records import saved_query_members
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
from orchestrator.sandbox.gateway.forms import domain_of, form_of
from orchestrator.sandbox.gateway.lookup_files import ENTITIES, PAGE, items_in
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import AssetKind, Record

OWN_PARSER = "custom"
"""The type of the parsers that there are: made by hand."""
_QUERY_SCHEMA = "https://schemas.humio.com/query/v0.6.0"
Shelf = Callable[[Sandbox, str], dict[str, Record]]
"""Where the records of a kind are: sandbox and search domain to records by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of content."""

    name: str
    """In messages."""
    path: str
    """In addresses."""
    items: str
    """In bulk requests; empty where there are none."""
    place: str = "search_domain"
    """The parameter that says where."""
    right: Right
    shelf: Shelf
    listed: Callable[[Record], object]
    """What a listing has of a record."""
    required: Sequence[str]
    """Members that a template must have, texts all of them."""
    is_described: bool = False
    """Whether a template may have a description and labels too."""
    defaults: Mapping[str, object] = field(default_factory=dict)
    """What a new record has besides."""
    keeps_id: bool = True
    """Whether a change leaves the id as it is."""
    keeps_name: bool = False
    """Whether a change of the name is refused."""


def _saved_queries(sandbox: Sandbox, search_domain: str) -> dict[str, Record]:
    return domain_of(sandbox, search_domain).assets[AssetKind.SAVED_QUERY]


def _dashboards(sandbox: Sandbox, search_domain: str) -> dict[str, Record]:
    domain_of(sandbox, search_domain)
    return sandbox.content.setdefault("dashboards", {})


def _parsers(sandbox: Sandbox, repository: str) -> dict[str, Record]:
    if repository not in ("all", "parsers-repository"):
        raise Refusal(400, "repository must be parsers-repository")
    return sandbox.content.setdefault("parsers", {})


def _id_of(record: Record) -> object:
    return record["id"]


def _listed_parser(record: Record) -> object:
    return {
        "ID": record["id"],
        "Name": record["name"],
        "built_by": "sandbox",
        "impacted_connections": False,
        "parser_type": OWN_PARSER,
        "pass_through_alerts": False,
        "product": [],
        "update_available": False,
        "vendor": "",
        "version": "",
    }


QUERIES = Kind(
    name="saved query",
    path="savedqueries",
    items="saved_query_items",
    right=Right.CHANGE_SAVED_QUERIES,
    shelf=_saved_queries,
    listed=_id_of,
    required=("name", "queryString"),
    is_described=True,
    defaults=saved_query_members("", "", {}),
    keeps_id=False,
)
DASHBOARDS = Kind(
    name="dashboard",
    path="dashboards",
    items="dashboard_items",
    right=Right.CHANGE_SAVED_QUERIES,
    shelf=_dashboards,
    listed=_id_of,
    required=("name",),
)
PARSERS = Kind(
    name="parser",
    path="parsers",
    items="",
    place="repository",
    right=Right.ADMIN,
    shelf=_parsers,
    listed=_listed_parser,
    required=("name", "script"),
    keeps_name=True,
)


def routes() -> list[BaseRoute]:
    """Return the routes of all kinds."""
    return [route for kind in (QUERIES, DASHBOARDS, PARSERS) for route in _routes_of(kind)]


def _routes_of(kind: Kind) -> list[BaseRoute]:
    async def listing(request: Request) -> Response:
        sandbox = caller(request, Right.READ)
        # Two filters that parsers alone have; what is kept here is made here, and has no updates.
        query = request.query_params
        is_ours = query.get("parser_type", OWN_PARSER) == OWN_PARSER
        is_ours = is_ours and query.get("update_available", "false") == "false"
        records = list(_shelf(sandbox, request).values()) if is_ours else []
        return page(request, [kind.listed(r) for r in wanted(request, records)], limit=PAGE)

    async def templates(request: Request) -> Response:
        sandbox = caller(request, Right.READ)
        found = [found_in(kind, _shelf(sandbox, request), i) for i in ids_in(request)]
        return answer([_shown(record) for record in found])

    async def write(request: Request) -> Response:
        sandbox = caller(request, kind.right)
        form = await form_of(request)
        shelf = kind.shelf(sandbox, form.texts.get(kind.place, "all"))
        template, name = form.text("yaml_template"), form.texts.get("name", "")
        old_id = form.texts.get("ids", "") if request.method == "PATCH" else None
        record = keep(kind, sandbox, shelf, members_of(kind, template, name), old_id=old_id)
        sandbox.save()
        return answer([record["id"]], written=1)

    async def write_several(request: Request) -> Response:
        sandbox = caller(request, kind.right)
        body = await object_body(request)
        shelf = kind.shelf(sandbox, str(body.get("search_domain", "all")))
        outcomes: list[dict[str, object]] = []
        failed: list[dict[str, object]] = []
        for item in items_in(body, kind.items):
            template, name = str(item.get("yaml_template", "")), str(item.get("name", ""))
            old_id = str(item.get("id", "")) if request.method == "PATCH" else None
            try:
                members = members_of(kind, template, name)
                record = keep(kind, sandbox, shelf, members, old_id=old_id)
            except Refusal as exc:
                failed.append(problem(exc.status, exc.text, about=old_id or name))
                outcomes.append(outcome("id", old_id or "", exc.text))
            else:
                outcomes.append(outcome("id", record["id"]))
        sandbox.save()
        return answer(outcomes, errors=failed, written=len(outcomes) - len(failed))

    async def delete(request: Request) -> Response:
        sandbox = caller(request, kind.right)
        shelf, ids = _shelf(sandbox, request), ids_in(request)
        for record_id in ids:
            found_in(kind, shelf, record_id)
        for record_id in ids:
            shelf.pop(record_id, None)
        sandbox.save()
        return answer(ids, written=len(ids))

    def _shelf(sandbox: Sandbox, request: Request) -> dict[str, Record]:
        return kind.shelf(sandbox, request.query_params.get(kind.place, "all"))

    found: list[BaseRoute] = [
        Route(f"/ngsiem-content/queries/{kind.path}/v1", listing),
        Route(f"{ENTITIES}/{kind.path}-template/v1", templates),
        Route(f"{ENTITIES}/{kind.path}-template/v1", write, methods=["POST", "PATCH"]),
        Route(f"{ENTITIES}/{kind.path}/v1", delete, methods=["DELETE"]),
    ]
    if kind.items:
        bulk = f"{ENTITIES}/bulk-{kind.path}-template/v1"
        found.append(Route(bulk, write_several, methods=["POST", "PATCH"]))
    return found


def members_of(kind: Kind, template: str, name: str = "") -> Record:
    """Return what a template says, and its text; a `name` beside it comes first.

    Raises:
        Refusal: 400, it is not YAML, or lacks what its kind needs.
    """
    try:
        raw = yaml.safe_load(template)
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise Refusal(400, "yaml_template is not YAML") from exc
    members = raw if isinstance(raw, dict) else {}
    given = {**members, **({"name": name} if name else {})}
    texts = {member: given.get(member) for member in kind.required}
    if not all(isinstance(text, str) for text in texts.values()) or not texts["name"]:
        raise Refusal(400, f"yaml_template needs a {' and a '.join(kind.required)}")
    described = _described(given) if kind.is_described else {}
    return {**texts, **described, "yaml_template": template}


def _described(given: Mapping[str, object]) -> Record:
    description, labels = given.get("description"), given.get("labels")
    if not isinstance(description, str | None):
        raise Refusal(400, "yaml_template: description must be a text")
    if labels is None:
        # Labels have routes of their own; a template that is silent on them takes none away.
        return {"description": description}
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise Refusal(400, "yaml_template: labels must be a list of texts")
    return {"description": description, "labels": labels}


def keep(
    kind: Kind,
    sandbox: Sandbox,
    shelf: dict[str, Record],
    members: Mapping[str, object],
    *,
    old_id: str | None,
) -> Record:
    """Put a record on the shelf, new or in the place of another; `save` makes it last.

    Raises:
        Refusal: 404, there is no such record; 409, the name is taken; 400, the name may not change.
    """
    old = {} if old_id is None else found_in(kind, shelf, old_id)
    if kind.keeps_name and old and members["name"] != old["name"]:
        raise Refusal(400, f"the name of a {kind.name} cannot be changed")
    if any(r["name"] == members["name"] and r["id"] != old.get("id") for r in shelf.values()):
        raise Refusal(409, f"a {kind.name} {str(members['name'])[:80]!r} exists already")
    now_ms = sandbox.now_ms()
    record: Record = {**kind.defaults, "createdAt": now_ms, "labels": [], "by": "gateway"}
    record |= {**old, **members, "modifiedAt": now_ms}
    record["id"] = old["id"] if old and kind.keeps_id else secrets.token_hex(16)
    shelf.pop(old.get("id", ""), None)
    shelf[record["id"]] = record
    return record


def found_in(kind: Kind, shelf: Mapping[str, Record], record_id: str) -> Record:
    """Return the record with this id.

    Raises:
        Refusal: 404, there is none.
    """
    found = shelf.get(record_id)
    if found is None:
        raise Refusal(404, f"{kind.name} {record_id[:80]!r} not found")
    return found


def _shown(record: Record) -> Record:
    return {
        "id": record["id"],
        "name": record["name"],
        "yaml_template": _template_of(record),
        "labels": record["labels"],
    }


def _template_of(record: Record) -> str:
    if "queryString" not in record:
        return str(record["yaml_template"])
    # One that was made or changed through GraphQL has no template, or an old one.
    optional = {name: record.get(name) for name in ("description", "labels")}
    members = {
        "name": record["name"],
        "queryString": record["queryString"],
        **{name: value for name, value in optional.items() if value},
    }
    return template_text(_QUERY_SCHEMA, members)


def template_text(schema: str, members: Mapping[str, object]) -> str:
    """Return a YAML template of this schema."""
    return yaml.safe_dump({"$schema": schema, **members}, sort_keys=False, allow_unicode=True)
