"""Data connections: a repository, and a key with which events are ingested into it over HEC.

One connector is offered, the sandbox's own: what is pushed. Text goes through the sandbox's parser
of the connection's name. A configuration's credentials are never kept.
Source: CrowdStrike gofalcon, dataconnectionmanagement models; that each connection has a
repository of its own whose name begins with `3pi_`, from exported events of tenants.
"""

from __future__ import annotations

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.gateway.envelope import (
    answer,
    caller,
    ids_in,
    object_body,
    page,
    wanted,
)
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Domain, Record
from orchestrator.units import format_instant

_CONNECTIONS, _CONFIGS = "/ngsiem/entities/connections", "/ngsiem/entities/connectors/configs/v1"
_STATUSES = ("active", "inactive")
CONNECTOR: Record = {
    "id": "sandbox-hec",
    "name": "HEC / HTTP Event Connector",
    "description": "Events that are sent to the sandbox",
    "type": "push",
    "vendor_name": "Generic",
    "vendor_product_name": "HEC / HTTP Event Connector",
    "log_sources": [],
    "parsers": ["json", "kv"],
    "subscription": "",
}
_TEXTS = ("name", "description", "parser", "vendor_name", "vendor_product_name", "connector_type")


def routes() -> list[BaseRoute]:
    """Return the routes of data connections, connectors and their configurations."""
    connections = f"{_CONNECTIONS}/v1"
    return [
        Route("/ngsiem/combined/connections/v1", list_connections),
        Route("/ngsiem/combined/connectors/v1", list_connectors),
        Route(connections, read),
        Route(connections, create, methods=["POST"]),
        Route(connections, update, methods=["PATCH"]),
        Route(connections, delete, methods=["DELETE"]),
        Route(f"{_CONNECTIONS}/status/v1", status),
        Route(f"{_CONNECTIONS}/status/v1", change_status, methods=["PATCH"]),
        Route(f"{_CONNECTIONS}/token/v1", token),
        Route(f"{_CONNECTIONS}/token/v1", new_token, methods=["POST"]),
        Route(_CONFIGS, list_configs),
        Route(_CONFIGS, create_config, methods=["POST"]),
        Route(_CONFIGS, update_config, methods=["PATCH"]),
        Route(_CONFIGS, delete_configs, methods=["DELETE"]),
    ]


# --- connections ----------------------------------------------------------------------------


async def list_connections(request: Request) -> Response:
    """`GET /ngsiem/combined/connections/v1`: whole connections, by filter and sort."""
    sandbox = caller(request, Right.READ)
    shown = [_shown(sandbox, connection) for connection in _kept(sandbox).values()]
    return page(request, wanted(request, shown, sort="name"))


async def list_connectors(request: Request) -> Response:
    """`GET /ngsiem/combined/connectors/v1`: the one that there is."""
    caller(request, Right.READ)
    return page(request, wanted(request, [CONNECTOR]))


async def read(request: Request) -> Response:
    """`GET /ngsiem/entities/connections/v1?ids=`."""
    sandbox = caller(request, Right.READ)
    return answer([_shown(sandbox, _found(sandbox, i)) for i in ids_in(request)])


async def create(request: Request) -> Response:
    """`POST /ngsiem/entities/connections/v1`: a connection with its repository and its key."""
    sandbox = caller(request, Right.ADMIN)
    body = await object_body(request)
    if body.get("connector_id") != CONNECTOR["id"]:
        raise Refusal(400, f"connector_id: the sandbox has {CONNECTOR['id']!r} alone")
    given = _texts(body)
    if not given.get("name"):
        raise Refusal(400, "name is required")
    connection_id = secrets.token_hex(16)
    connection: Record = {
        "description": "",
        "parser": "json",
        "vendor_name": CONNECTOR["vendor_name"],
        "vendor_product_name": CONNECTOR["vendor_product_name"],
        "connector_type": CONNECTOR["type"],
        **given,
        "id": connection_id,
        "status": "active",
        "repository": f"3pi_{connection_id[:16]}",
        "created_at": format_instant(sandbox.clock.now()),
    }
    name = connection["repository"]
    sandbox.domains.setdefault(name, Domain(name=name))
    _kept(sandbox)[connection_id] = connection
    _give_key(sandbox, connection)
    sandbox.save()
    return answer([{"id": connection_id}], written=1, status=201)


async def update(request: Request) -> Response:
    """`PATCH /ngsiem/entities/connections/v1?ids=`: name, description or parser."""
    sandbox = caller(request, Right.ADMIN)
    connection = _found(sandbox, ids_in(request, most=1)[0])
    given = _texts(await object_body(request))
    if given.get("name") == "":
        raise Refusal(400, "name must not be empty")
    connection |= {name: given[name] for name in ("name", "description", "parser") if name in given}
    if connection["status"] == "active":
        # The key stays; what it does with text follows the parser.
        sandbox.tokens[connection["token"]] = _role_of(connection)
    sandbox.save()
    return _affected(connection["id"])


async def delete(request: Request) -> Response:
    """`DELETE /ngsiem/entities/connections/v1?ids=`: its key ends, its events stay."""
    sandbox = caller(request, Right.ADMIN)
    connection = _found(sandbox, ids_in(request, most=1)[0])
    sandbox.tokens.pop(connection["token"], None)
    del _kept(sandbox)[connection["id"]]
    sandbox.save()
    return _affected(connection["id"])


async def status(request: Request) -> Response:
    """`GET …/connections/status/v1?ids=`."""
    sandbox = caller(request, Right.READ)
    return answer([_status_of(_found(sandbox, i)) for i in ids_in(request)])


async def change_status(request: Request) -> Response:
    """`PATCH …/connections/status/v1?ids=`: active, or inactive with a key that is refused."""
    sandbox = caller(request, Right.ADMIN)
    connection = _found(sandbox, ids_in(request, most=1)[0])
    wanted_status = (await object_body(request)).get("status")
    if wanted_status not in _STATUSES:
        raise Refusal(400, f"status must be {' or '.join(_STATUSES)}")
    connection["status"] = wanted_status
    if wanted_status == "active":
        sandbox.tokens[connection["token"]] = _role_of(connection)
    else:
        sandbox.tokens.pop(connection["token"], None)
    sandbox.save()
    return answer([_status_of(connection)], written=1)


async def token(request: Request) -> Response:
    """`GET …/connections/token/v1?ids=`: the key, and where it is used."""
    sandbox = caller(request, Right.ADMIN)
    return answer([_key_of(sandbox, _found(sandbox, ids_in(request, most=1)[0]))])


async def new_token(request: Request) -> Response:
    """`POST …/connections/token/v1?ids=`: another key; the one before ends."""
    sandbox = caller(request, Right.ADMIN)
    connection = _found(sandbox, ids_in(request, most=1)[0])
    sandbox.tokens.pop(connection["token"], None)
    _give_key(sandbox, connection)
    sandbox.save()
    return answer([_key_of(sandbox, connection)], written=1)


def _kept(sandbox: Sandbox) -> dict[str, Record]:
    return sandbox.content.setdefault("connections", {})


def _found(sandbox: Sandbox, connection_id: str) -> Record:
    found = _kept(sandbox).get(connection_id)
    if found is None:
        raise Refusal(404, f"connection {connection_id[:80]!r} not found")
    return found


def _texts(body: Record) -> dict[str, str]:
    given = {name: body[name] for name in _TEXTS if name in body}
    wrong = next((name for name, value in given.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise Refusal(400, f"{wrong} must be a text")
    return given


def _give_key(sandbox: Sandbox, connection: Record) -> None:
    connection |= {
        "token": secrets.token_hex(16),
        "token_created_at": format_instant(sandbox.clock.now()),
    }
    if connection["status"] == "active":
        sandbox.tokens[connection["token"]] = _role_of(connection)


def _role_of(connection: Record) -> TokenRole:
    return TokenRole(
        name=f"connection-{connection['id']}",
        rights=frozenset({Right.INGEST}),
        repository=connection["repository"],
        parser=connection["parser"] or None,
    )


def _key_of(sandbox: Sandbox, connection: Record) -> Record:
    return {
        "token": connection["token"],
        "created_at": connection["token_created_at"],
        "expires_at": "",
        "ingest_url": _ingest_url(sandbox),
    }


def _ingest_url(sandbox: Sandbox) -> str:
    return f"{sandbox.settings.public_url.rstrip('/')}/services/collector"


def _shown(sandbox: Sandbox, connection: Record) -> Record:
    return {
        "id": connection["id"],
        "name": connection["name"],
        "description": connection["description"],
        "parser_name": connection["parser"],
        "source_type": connection["connector_type"],
        "status": connection["status"],
        "vendor_name": connection["vendor_name"],
        "vendor_product_name": connection["vendor_product_name"],
        "ingest_url": _ingest_url(sandbox),
        "sub_connections": [],
    }


def _status_of(connection: Record) -> Record:
    return {"id": connection["id"], "status": connection["status"]}


def _affected(*ids: str) -> Response:
    return answer([{"id": i, "path": ""} for i in ids], written=len(ids))


# --- configurations -------------------------------------------------------------------------


async def list_configs(request: Request) -> Response:
    """`GET …/connectors/configs/v1?ids=`: those of a connector, without credentials."""
    sandbox = caller(request, Right.READ)
    _check_connector(ids_in(request, most=1)[0])
    return answer(list(_configs(sandbox).values()))


async def create_config(request: Request) -> Response:
    """`POST …/connectors/configs/v1`: a name and parameters."""
    sandbox = caller(request, Right.ADMIN)
    body = await object_body(request)
    _check_connector(str(body.get("connector_id", "")))
    config = {"id": secrets.token_hex(16), **_config_in(body)}
    _configs(sandbox)[config["id"]] = config
    sandbox.save()
    return answer([{"id": config["id"]}], written=1, status=201)


async def update_config(request: Request) -> Response:
    """`PATCH …/connectors/configs/v1?ids=`: another name and other parameters."""
    sandbox = caller(request, Right.ADMIN)
    config_id = ids_in(request, most=1)[0]
    _check_configs(sandbox, [config_id])
    _configs(sandbox)[config_id] = {"id": config_id, **_config_in(await object_body(request))}
    sandbox.save()
    return _affected(config_id)


async def delete_configs(request: Request) -> Response:
    """`DELETE …/connectors/configs/v1?connector_id=&ids=`."""
    sandbox = caller(request, Right.ADMIN)
    _check_connector(request.query_params.get("connector_id", ""))
    ids = ids_in(request)
    _check_configs(sandbox, ids)
    for config_id in ids:
        _configs(sandbox).pop(config_id, None)
    sandbox.save()
    return _affected(*ids)


def _configs(sandbox: Sandbox) -> dict[str, Record]:
    return sandbox.content.setdefault("connector configs", {})


def _config_in(body: Record) -> dict[str, Any]:
    config = body.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("name"), str):
        raise Refusal(400, "config needs a name")
    return {"name": config["name"], "params": config.get("params") or {}}


def _check_connector(connector_id: str) -> None:
    if connector_id != CONNECTOR["id"]:
        raise Refusal(404, f"connector {connector_id[:80]!r} not found")


def _check_configs(sandbox: Sandbox, ids: list[str]) -> None:
    missing = next((i for i in ids if i not in _configs(sandbox)), None)
    if missing is not None:
        raise Refusal(404, f"configuration {missing[:80]!r} not found")
