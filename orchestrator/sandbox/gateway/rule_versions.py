"""Versions of correlation rules: list, read, publish, delete, count, export and import.

What an export's address serves, and that an import takes the same, is the sandbox's own: neither
is published.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal, json_answer
from orchestrator.sandbox.gateway.envelope import (
    answer,
    caller,
    filter_in,
    ids_in,
    json_body,
    object_body,
    page,
    predicate,
)
from orchestrator.sandbox.gateway.fql import FqlError, sorted_by, texts_of
from orchestrator.sandbox.gateway.rules import (
    PREFIX,
    first_version,
    found_in,
    next_number,
    publish,
    rule_of,
    shown,
)
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Record
from orchestrator.units import format_instant

_VERSIONS = f"{PREFIX}/entities/rule-versions"
_KEPT_EXPORTS = 100
_BUCKETS = 10


def routes() -> list[BaseRoute]:
    """Return the routes of versions."""
    return [
        Route(f"{PREFIX}/combined/rules/v2", list_versions),
        Route(f"{PREFIX}/queries/rules/v2", list_version_ids),
        Route(f"{PREFIX}/entities/rules/v2", get_versions),
        Route(f"{PREFIX}/entities/latest-rules/v1", get_latest),
        Route(f"{_VERSIONS}/publish/v1", publish_version, methods=["PATCH"]),
        Route(f"{_VERSIONS}/v1", delete_versions, methods=["DELETE"]),
        Route(f"{_VERSIONS}/export/v1", export_versions, methods=["POST"]),
        Route(f"{_VERSIONS}/export/v1/{{export_id}}", download_export),
        Route(f"{_VERSIONS}/import/v1", import_versions, methods=["POST"]),
        Route(f"{PREFIX}/aggregates/rule-versions/v1", aggregate, methods=["POST"]),
    ]


async def list_versions(request: Request) -> Response:
    """`GET …/combined/rules/v2`: every version, those that are not published too."""
    sandbox = caller(request, Right.READ)
    versions = [shown(sandbox, version) for version in sandbox.rule_versions.values()]
    return page(request, found_in(request, versions))


async def list_version_ids(request: Request) -> Response:
    """`GET …/queries/rules/v2`: the ids of the same."""
    sandbox = caller(request, Right.READ)
    versions = found_in(request, list(sandbox.rule_versions.values()))
    return page(request, [version["id"] for version in versions])


async def get_versions(request: Request) -> Response:
    """`GET …/entities/rules/v2?ids=`: versions, by their own id."""
    sandbox = caller(request, Right.READ)
    return answer([shown(sandbox, _version(sandbox, i)) for i in ids_in(request)])


async def get_latest(request: Request) -> Response:
    """`GET …/entities/latest-rules/v1?rule_ids=`: the version of each with the highest number."""
    sandbox = caller(request, Right.READ)
    rules = [rule_of(sandbox, rule_id) for rule_id in ids_in(request, "rule_ids")]
    return answer([shown(sandbox, _latest(sandbox, rule["rule_id"])) for rule in rules])


async def publish_version(request: Request) -> Response:
    """`PATCH …/rule-versions/publish/v1`: another version becomes what the rule is."""
    sandbox = caller(request, Right.CHANGE_TRIGGERS)
    version = _version(sandbox, str((await object_body(request)).get("id", "")))
    publish(sandbox, version | {"last_updated_on": format_instant(sandbox.clock.now())})
    return answer([shown(sandbox, sandbox.rule_versions[version["id"]])], written=1)


async def delete_versions(request: Request) -> Response:
    """`DELETE …/rule-versions/v1?ids=`: versions that their rule does not use."""
    sandbox = caller(request, Right.CHANGE_TRIGGERS)
    ids = list(dict.fromkeys(_version(sandbox, i)["id"] for i in ids_in(request)))
    for version_id in ids:
        rule = sandbox.correlation_rules[sandbox.rule_versions[version_id]["rule_id"]]
        if rule["id"] == version_id:
            raise Refusal(400, f"version {version_id} is published")
    for version_id in ids:
        del sandbox.rule_versions[version_id]
    sandbox.save()
    return answer(ids, written=len(ids))


async def export_versions(request: Request) -> Response:
    """`POST …/rule-versions/export/v1`: what a search finds, as a file behind an address."""
    sandbox = caller(request, Right.READ)
    body = await object_body(request)
    search = body.get("search")
    if not isinstance(search, dict) or not isinstance(search.get("filter"), str):
        raise Refusal(400, "search needs a filter")
    if body.get("report_format") != "json":
        raise Refusal(400, "report_format: the sandbox writes json alone")
    found = [v for v in sandbox.rule_versions.values() if predicate(request, search["filter"])(v)]
    if body.get("get_latest") is True:
        found = [v for v in found if v["id"] == _latest(sandbox, v["rule_id"])["id"]]
    try:
        found = sorted_by(found, str(search.get("sort") or "created_on"))
    except FqlError as exc:
        raise Refusal(400, str(exc)) from exc
    export_id = secrets.token_hex(16)
    sandbox.exports[export_id] = found
    while len(sandbox.exports) > _KEPT_EXPORTS:
        del sandbox.exports[next(iter(sandbox.exports))]
    return answer([{"id": export_id, "href": f"{_VERSIONS}/export/v1/{export_id}"}])


async def download_export(request: Request) -> Response:
    """`GET …/rule-versions/export/v1/{id}`: an array of versions."""
    sandbox = caller(request, Right.READ)
    export_id = str(request.path_params["export_id"])
    if export_id not in sandbox.exports:
        raise Refusal(404, f"export {export_id[:80]} not found")
    return json_answer(sandbox.exports[export_id])


async def import_versions(request: Request) -> Response:
    """`POST …/rule-versions/import/v1`: an exported version, or an array of them.

    A version of a rule that there is becomes its next one, unpublished; of another, a new rule.
    """
    sandbox = caller(request, Right.CHANGE_TRIGGERS)
    given = await json_body(request)
    items = given if isinstance(given, list) else [given]
    versions = [item for item in items if isinstance(item, dict)]
    if not versions or len(versions) < len(items):
        raise Refusal(400, "a rule version or an array of them is expected")
    made = [first_version(sandbox, version) for version in versions]
    for version, source in zip(made, versions, strict=True):
        known = sandbox.correlation_rules.get(str(source.get("rule_id", "")))
        if known is None:
            sandbox.keep_rule(version)
            continue
        version |= {
            "rule_id": known["rule_id"],
            "version": next_number(sandbox, known["rule_id"]),
            "state": "unpublished",
            "created_on": known["created_on"],
        }
        sandbox.rule_versions[version["id"]] = version
    sandbox.save()
    return answer(made, written=len(made))


async def aggregate(request: Request) -> Response:
    """`POST …/aggregates/rule-versions/v1`: versions counted by the values of a field."""
    sandbox = caller(request, Right.READ)
    given = await json_body(request)
    specs = given if isinstance(given, list) else [given]
    matches, ids = filter_in(request), set(request.query_params.getlist("ids"))
    versions = [
        version
        for version in sandbox.rule_versions.values()
        if matches(version) and (not ids or ids & {version["id"], version["rule_id"]})
    ]
    return answer([_counted(request, spec, versions) for spec in specs])


def _counted(request: Request, spec: object, versions: Sequence[Record]) -> dict[str, Any]:
    if not isinstance(spec, dict) or not isinstance(spec.get("field"), str) or not spec["field"]:
        raise Refusal(400, "an aggregation needs a field")
    if spec.get("type", "terms") != "terms":
        raise Refusal(400, "type: the sandbox counts terms alone")
    size = spec.get("size") or _BUCKETS
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise Refusal(400, "size must be a whole number")
    matches = predicate(request, str(spec.get("filter") or ""))
    counts = Counter(
        text
        for version in versions
        if matches(version)
        for text in texts_of(version, spec["field"])
    )
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    buckets = [{"label": text, "count": count} for text, count in ranked[:size]]
    others = sum(count for _, count in ranked[size:])
    name = str(spec.get("name") or spec["field"])
    return {"name": name, "buckets": buckets, "sum_other_doc_count": others}


def _version(sandbox: Sandbox, version_id: str) -> Record:
    found = sandbox.rule_versions.get(version_id)
    if found is None:
        raise Refusal(404, f"version {version_id[:80]} not found")
    return found


def _latest(sandbox: Sandbox, rule_id: str) -> Record:
    versions = (v for v in sandbox.rule_versions.values() if v["rule_id"] == rule_id)
    return max(versions, key=lambda version: int(version["version"]))
