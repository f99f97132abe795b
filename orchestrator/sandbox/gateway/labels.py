"""Labels of lookup files, saved queries and dashboards: add, remove, replace; one or several.

At most 10 labels of 60 characters each, as the vendor's clients say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.gateway.envelope import (
    answer,
    caller,
    object_body,
    outcome,
    problem,
    texts_in,
)
from orchestrator.sandbox.gateway.forms import domains_of
from orchestrator.sandbox.gateway.lookup_files import ENTITIES, items_in
from orchestrator.sandbox.gateway.templates import DASHBOARDS, QUERIES, Kind, found_in
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox

MOST_LABELS, MOST_CHARS = 10, 60
Change = Callable[[Sequence[str]], list[str]]
_METHODS = {"POST": "add", "DELETE": "remove", "PUT": "replace"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Something that has labels."""

    path: str
    key: str
    """The member that names it."""
    right: Right
    change: Callable[[Sandbox, str, str, Change], list[str]]
    """Search domain, its name and what to do -> the labels it then has."""


def _on_records(kind: Kind) -> Callable[[Sandbox, str, str, Change], list[str]]:
    def change(sandbox: Sandbox, domain: str, name: str, what: Change) -> list[str]:
        record = found_in(kind, kind.shelf(sandbox, domain), name)
        record["labels"] = what(record["labels"])
        return list(record["labels"])

    return change


def _on_files(sandbox: Sandbox, domain: str, name: str, what: Change) -> list[str]:
    holders = [found for found in domains_of(sandbox, domain) if name in found.files]
    if not holders:
        raise Refusal(404, f"file {name[:80]!r} not found")
    for holder in holders:
        file = holder.files[name]
        holder.files[name] = replace(file, labels=tuple(what(file.labels)))
    return list(holders[0].files[name].labels)


_KINDS = (
    Labelled(path="lookupfile", key="filename", right=Right.CHANGE_FILES, change=_on_files),
    Labelled(path="savedquery", key="id", right=QUERIES.right, change=_on_records(QUERIES)),
    Labelled(path="dashboard", key="id", right=DASHBOARDS.right, change=_on_records(DASHBOARDS)),
)


def routes() -> list[BaseRoute]:
    """Return the routes of labels."""
    return [route for kind in _KINDS for route in _routes_of(kind)]


def _routes_of(kind: Labelled) -> list[BaseRoute]:
    async def one(request: Request) -> Response:
        sandbox = caller(request, kind.right)
        body = await _body_of(request, kind)
        what = _change(_METHODS[request.method], texts_in(body, "labels"))
        name = str(body.get(kind.key, ""))
        labels = kind.change(sandbox, str(body.get("search_domain", "all")), name, what)
        sandbox.save()
        return answer([{kind.key: name, "labels": labels}], written=1)

    def several(verb: str) -> Callable[[Request], Any]:
        async def change(request: Request) -> Response:
            sandbox = caller(request, kind.right)
            body = await object_body(request)
            domain = str(body.get("search_domain", "all"))
            outcomes: list[dict[str, object]] = []
            failed: list[dict[str, object]] = []
            for item in items_in(body, "items"):
                name = str(item.get(kind.key, ""))
                try:
                    what = _change(verb, texts_in(item, "labels"))
                    labels = kind.change(sandbox, domain, name, what)
                except Refusal as exc:
                    failed.append(problem(exc.status, exc.text, about=name))
                    outcomes.append(outcome(kind.key, name, exc.text, labels=[]))
                else:
                    outcomes.append(outcome(kind.key, name, labels=labels))
            sandbox.save()
            return answer(outcomes, errors=failed, written=len(outcomes) - len(failed))

        return change

    bulk = f"{ENTITIES}/bulk-{kind.path}-labels"
    return [
        Route(f"{ENTITIES}/{kind.path}-labels/v1", one, methods=list(_METHODS)),
        *(Route(f"{bulk}-{v}/v1", several(v), methods=["POST"]) for v in _METHODS.values()),
    ]


async def _body_of(request: Request, kind: Labelled) -> dict[str, Any]:
    """Return the body; a deletion may have its members in the query string instead."""
    if request.method != "DELETE" or await request.body():
        return await object_body(request)
    found: dict[str, Any] = dict(request.query_params)
    return {**found, "labels": request.query_params.getlist("labels")}


def _change(verb: str, labels: Sequence[str]) -> Change:
    too_long = next((label for label in labels if not 1 <= len(label) <= MOST_CHARS), None)
    if too_long is not None:
        raise Refusal(400, f"a label must have 1 to {MOST_CHARS} characters")

    def changed(before: Sequence[str]) -> list[str]:
        if verb == "remove":
            return [label for label in before if label not in labels]
        found = list(dict.fromkeys([*(before if verb == "add" else ()), *labels]))
        if len(found) > MOST_LABELS:
            raise Refusal(400, f"at most {MOST_LABELS} labels")
        return found

    return changed
