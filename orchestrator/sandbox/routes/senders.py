"""What senders ask before they send: whether a HEC collector or an Elasticsearch server is there.

Answers name a server that only takes events. What would store templates, policies or pipelines is
refused, so that a sender which insists on them fails with a reason.
Source: docs.splunk.com, HTTP Event Collector; elastic.co, the first calls of Logstash and Beats.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.sandbox.answers import Refusal, json_answer
from orchestrator.sandbox.auth import caller_of, demand, sandbox_of
from orchestrator.sandbox.ingest.elastic_bulk import PRODUCT_HEADERS
from orchestrator.sandbox.settings import Right

CLUSTER = "sandbox"
_ELASTIC_VERSION = "7.17.0"
"""Old enough for senders that refuse newer servers, new enough for those that refuse older."""


async def hec_health(request: Request) -> Response:
    """`GET …/health`: needs no token; code 17 is Splunk's word for a healthy collector."""
    sandbox_of(request)
    return json_answer({"text": "HEC is healthy", "code": 17})


async def hec_options(request: Request) -> Response:
    """`OPTIONS` on a HEC path: some senders try the address so before the first event."""
    _sender(request)
    return Response(status_code=200, headers={"Allow": "OPTIONS, POST"})


async def otlp_unknown(request: Request) -> Response:
    """`POST …/otlp/v1/…` of metrics and traces, which LogScale takes and the sandbox does not."""
    _sender(request)
    raise Refusal(501, f"{request.path_params['signal']} is not supported by the sandbox")


async def elastic_info(request: Request) -> Response:
    """`GET` or `HEAD` of the bulk path itself: name and version of the server."""
    _sender(request)
    version = {"number": _ELASTIC_VERSION, "build_flavor": "default", "build_type": "docker"}
    return _elastic(
        {
            "name": CLUSTER,
            "cluster_name": CLUSTER,
            "cluster_uuid": CLUSTER,
            "version": version,
            "tagline": "You Know, for Search",
        }
    )


async def elastic_license(request: Request) -> Response:
    """`GET …/_license`."""
    _sender(request)
    return _elastic({"license": {"uid": CLUSTER, "type": "basic", "status": "active"}})


async def elastic_health(request: Request) -> Response:
    """`GET …/_cluster/health`."""
    _sender(request)
    return _elastic(
        {
            "cluster_name": CLUSTER,
            "status": "green",
            "timed_out": False,
            "number_of_nodes": 1,
            "number_of_data_nodes": 1,
        }
    )


async def elastic_unknown(request: Request) -> Response:
    """Any other Elasticsearch path: 404, in its envelope."""
    _sender(request)
    path = request.path_params["rest"]
    reason = f"{request.method} {path} is not supported by the sandbox: it takes bulk ingest alone"
    error = {"type": "resource_not_found_exception", "reason": reason}
    return _elastic({"error": error, "status": 404}, status=404)


def _elastic(content: object, *, status: int = 200) -> Response:
    answer = json_answer(content, status=status)
    answer.headers.update(PRODUCT_HEADERS)
    return answer


def _sender(request: Request) -> None:
    _, role = caller_of(request)
    demand(role, Right.INGEST)
