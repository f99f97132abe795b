"""A live stream over a real socket: rows arrive while it is open, and a stop ends it at once."""

from __future__ import annotations

import asyncio
import json
import socket

import httpx
import uvicorn

from orchestrator.clock import SystemClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.server import LOOPBACK, Server
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.units import to_epoch_ms

PATIENCE_S = 20.0
LONG_S = 600
"""How long the server would wait for open connections."""


async def test_rows_arrive_while_the_stream_is_open_and_a_stop_ends_it() -> None:
    app = create_app(SandboxSettings(tokens={"t": TokenRole(name="t")}), clock=SystemClock())
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=LONG_S, ws="none")
    server = Server(config, before_shutdown=app.state.sandbox.end_streams)
    repository = "/api/v1/repositories/falcon"
    now_ms = to_epoch_ms(SystemClock().now())
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        base = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with (
            httpx.AsyncClient(
                base_url=base,
                headers={"Authorization": "Bearer t", "Accept": "application/x-ndjson"},
                trust_env=False,
                transport=httpx.AsyncHTTPTransport(retries=3),
                timeout=PATIENCE_S,
            ) as http,
            http.stream(
                "POST", f"{repository}/query", json={"queryString": "n=*", "isLive": True}
            ) as stream,
        ):
            lines = stream.aiter_lines()
            event = {"timestamp": now_ms, "attributes": {"n": "1"}}
            await http.post(f"{repository}/ingest", json=[{"events": [event]}])
            first = json.loads(await anext(lines))
            server.should_exit = True
            rest = [line async for line in lines]
        await asyncio.wait_for(serving, PATIENCE_S)

    assert (first["n"], rest) == ("1", [])
