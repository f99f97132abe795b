"""The Falcon face: tokens, correlation rules, hosts, lookup files and saved queries.

Its errors are JSON envelopes, not text; searching goes through LogScale's own routes under
`/humio`. One more resource is one more module with a function `routes`.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from orchestrator.sandbox.gateway import content, hosts, rules, tokens
from orchestrator.sandbox.gateway.envelope import envelope_answer

__all__ = ["PREFIXES", "envelope_answer", "routes"]

PREFIXES = ("/humio/", "/oauth2/", "/correlation-rules/", "/devices/", "/ngsiem-content/")
"""Paths whose refusals are envelopes."""


def routes() -> list[BaseRoute]:
    """Return every route of the gateway but those under `/humio`."""
    return [*tokens.routes(), *rules.routes(), *hosts.routes(), *content.routes()]
