"""The Falcon face: tokens, correlation rules, hosts, and the content of NG-SIEM.

    face           what every exchange has: trace id, rate limit, envelopes for refusals
    envelope       the frame around an answer, and what routes share about requests
    fql            the filter language, and sorting
    tokens         OAuth2
    rules          correlation rules
    rule_versions  their versions and exports
    rule_owners    whose they are
    rule_templates what they can be made of
    alerts         what the rules raised
    hosts          devices, read
    host_actions   devices, changed; their state and history
    host_groups    groups of devices, and who is in them
    forms          forms and search domains of the content routes
    lookup_files   files by search domain
    templates      saved queries, dashboards, parsers
    parsers        parsers as JSON
    labels         labels of content
    connections    data connections, whose key ingests
    foundry        Foundry's logging API: repositories, views, ingest
    foundry_searches  its saved searches
    unoffered      what is refused because it would be pretence

Searching goes through LogScale's own routes under `/humio`. One more resource is one more module
with a function `routes`.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from orchestrator.sandbox.gateway import (
    alerts,
    connections,
    foundry,
    foundry_searches,
    host_actions,
    host_groups,
    hosts,
    labels,
    lookup_files,
    parsers,
    rule_owners,
    rule_templates,
    rule_versions,
    rules,
    templates,
    tokens,
    unoffered,
)
from orchestrator.sandbox.gateway.face import GatewayFace

__all__ = ["GatewayFace", "routes"]

_RESOURCES = (
    tokens,
    rules,
    rule_owners,
    rule_templates,
    rule_versions,
    alerts,
    hosts,
    host_actions,
    host_groups,
    lookup_files,
    templates,
    parsers,
    labels,
    connections,
    foundry,
    foundry_searches,
    unoffered,
)
"""In the order in which their routes are tried; what refuses the rest comes last."""


def routes() -> list[BaseRoute]:
    """Return every route of the gateway but those under `/humio`."""
    return [route for resource in _RESOURCES for route in resource.routes()]
