"""Parsers as JSON, beside their templates: make, read, change, copy.

Kept and read only: text that is ingested goes through the sandbox's own parsers.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.gateway.envelope import answer, caller, ids_in, object_body
from orchestrator.sandbox.gateway.lookup_files import ENTITIES
from orchestrator.sandbox.gateway.templates import PARSERS, found_in, keep, template_text
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.storage.domains import Record

_SCHEMA = "https://schemas.humio.com/parser/v0.3.0"
# Member of the API -> member of the template.
_LISTS = {
    "fields_to_tag": "tagFields",
    "fields_to_be_removed_before_parsing": "fieldsToBeRemovedBeforeParsing",
    "test_cases": "testCases",
}


def routes() -> list[BaseRoute]:
    """Return the routes of parsers that are not templates."""
    parsers = f"{ENTITIES}/parsers/v1"
    return [
        Route(parsers, read),
        Route(parsers, write, methods=["POST", "PATCH"]),
        Route(f"{ENTITIES}/parsers-clone/v1", clone, methods=["POST"]),
    ]


async def read(request: Request) -> Response:
    """`GET …/parsers/v1?ids=`: as JSON."""
    sandbox = caller(request, Right.READ)
    shelf = PARSERS.shelf(sandbox, request.query_params.get("repository", "parsers-repository"))
    return answer([_shown(found_in(PARSERS, shelf, i)) for i in ids_in(request)])


async def write(request: Request) -> Response:
    """`POST` makes a parser, `PATCH` changes one by its id; what is absent stays."""
    sandbox = caller(request, Right.ADMIN)
    body = await object_body(request)
    shelf = PARSERS.shelf(sandbox, str(body.get("repository", "parsers-repository")))
    old_id = str(body.get("id", "")) if request.method == "PATCH" else None
    old = {} if old_id is None else found_in(PARSERS, shelf, old_id)
    members = {name: body.get(name, old.get(name)) for name in PARSERS.required}
    if not all(isinstance(text, str) and text for text in members.values()):
        raise Refusal(400, "a parser needs a name and a script")
    lists = {name: body.get(name, old.get(name, [])) for name in _LISTS}
    if not all(isinstance(items, list) for items in lists.values()):
        raise Refusal(400, f"{', '.join(_LISTS)} must be arrays")
    members |= {**lists, "yaml_template": _template_of({**members, **lists})}
    record = keep(PARSERS, sandbox, shelf, members, old_id=old_id)
    sandbox.save()
    return answer([record["id"]], written=1)


async def clone(request: Request) -> Response:
    """`POST …/parsers-clone/v1`: a copy under another name, answered with a single object."""
    sandbox = caller(request, Right.ADMIN)
    body = await object_body(request)
    shelf = PARSERS.shelf(sandbox, "parsers-repository")
    source, name = found_in(PARSERS, shelf, str(body.get("source_id", ""))), body.get("new_name")
    if not isinstance(name, str) or not name:
        raise Refusal(400, "new_name is required")
    members = {m: source[m] for m in ("script", *_LISTS) if m in source} | {"name": name}
    members["yaml_template"] = _template_of(members)
    record = keep(PARSERS, sandbox, shelf, members, old_id=None)
    sandbox.save()
    return answer({"id": record["id"], "name": record["name"]}, written=1)


def _shown(record: Record) -> Record:
    own = {
        "id": record["id"],
        "name": record["name"],
        "display_name": record["name"],
        "is_built_in": False,
        "script": record["script"],
    }
    return {**own, **{name: record.get(name, []) for name in _LISTS}}


def _template_of(members: Mapping[str, object]) -> str:
    texts = {name: members[name] for name in PARSERS.required}
    lists = {template: members[name] for name, template in _LISTS.items() if members.get(name)}
    return template_text(_SCHEMA, texts | lists)
