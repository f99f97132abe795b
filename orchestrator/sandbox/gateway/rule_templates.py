"""Templates of correlation rules: list, read, make rules of them.

The vendor's are not the sandbox's to give. It has a few of its own, which are marked as such.
Source: CrowdStrike gofalcon, correlationrulesapi_template_v1 and _deploy_template_request_v1.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.gateway.envelope import (
    answer,
    caller,
    ids_in,
    json_body,
    page,
    wanted,
)
from orchestrator.sandbox.gateway.rules import PREFIX, first_version, shown
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Record


def _template(
    number: int, *, name: str, description: str, query: str, severity: int, technique: str
) -> Record:
    return {
        "id": f"{number:032x}",
        "name": name,
        "description": description,
        "author": "sandbox",
        "type": "correlation",
        "vendors": ["Sandbox"],
        "license_details": {"name": "", "url": ""},
        "severity": severity,
        "mitre_attack": [{"tactic_id": "TA0006", "technique_id": technique}],
        "search": {
            "filter": query,
            "lookback": "1h15m",
            "outcome": "detection",
            "trigger_mode": "summary",
            "execution_mode": "scheduled",
            "use_ingest_time": True,
        },
        "operation": {"schedule": {"definition": "@every 1h0m"}},
        "created_on": f"2026-01-{number:02}T00:00:00Z",
        "last_updated_on": f"2026-01-{number:02}T00:00:00Z",
    }


TEMPLATES: Mapping[str, Record] = {
    template["id"]: template
    for template in (
        _template(
            1,
            name="Sandbox: cloud metadata asked by a script",
            description="Scripts that connect to the address of a cloud's metadata service.",
            query="#event_simpleName=NetworkConnectIP4 RemoteAddressIP4=169.254.169.254"
            " | groupBy(ComputerName)",
            severity=50,
            technique="T1552",
        ),
        _template(
            2,
            name="Sandbox: many failed logons on one host",
            description="Hosts with twenty failed logons or more between two runs.",
            query="#event_simpleName=UserLogonFailed2 | groupBy(ComputerName) | _count>=20",
            severity=30,
            technique="T1110",
        ),
        _template(
            3,
            name="Sandbox: token read from a home folder",
            description="Processes whose command line names a file with stored cloud tokens.",
            query="#event_simpleName=ProcessRollup2 CommandLine=/accessTokens\\.json/i"
            " | groupBy([ComputerName, UserName])",
            severity=70,
            technique="T1528",
        ),
    )
}
"""By id; the same in every sandbox."""


def routes() -> list[BaseRoute]:
    """Return the routes of templates."""
    return [
        Route(f"{PREFIX}/queries/templates/v1", list_templates),
        Route(f"{PREFIX}/entities/templates/v1", get_templates),
        Route(f"{PREFIX}/entities/templates/rules/v1", create_rules, methods=["POST"]),
    ]


async def list_templates(request: Request) -> Response:
    """`GET …/queries/templates/v1`: ids, by filter and sort."""
    caller(request, Right.READ)
    found = wanted(request, TEMPLATES.values(), sort="created_on")
    return page(request, [template["id"] for template in found])


async def get_templates(request: Request) -> Response:
    """`GET …/entities/templates/v1?ids=`: templates."""
    caller(request, Right.READ)
    return answer([_found(template_id) for template_id in ids_in(request)])


async def create_rules(request: Request) -> Response:
    """`POST …/entities/templates/rules/v1`: rules, each whole and naming its template.

    All are looked at before one is made.
    """
    sandbox = caller(request, Right.CHANGE_TRIGGERS)
    given = await json_body(request)
    bodies = given if isinstance(given, list) else [given]
    rules = [rule for body in bodies for rule in _rules_of(sandbox, body)]
    if not rules:
        raise Refusal(400, "an array of templates is expected, and not empty")
    for rule in rules:
        sandbox.keep_rule(rule)
    return answer([shown(sandbox, rule) for rule in rules], written=len(rules))


def _rules_of(sandbox: Sandbox, body: object) -> list[Record]:
    templates = body.get("templates") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(templates, list) or not templates:
        raise Refusal(400, "templates must be an array, and not empty")
    if not all(isinstance(template, dict) for template in templates):
        raise Refusal(400, "templates must be objects")
    for template in templates:
        _found(str(template.get("template_id", "")))
    customer = {"customer_id": body["customer_id"]} if "customer_id" in body else {}
    return [first_version(sandbox, {**template, **customer}) for template in templates]


def _found(template_id: str) -> Record:
    found = TEMPLATES.get(template_id)
    if found is None:
        raise Refusal(404, f"template {template_id[:80]!r} not found")
    return found
