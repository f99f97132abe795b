"""A sandbox that speaks HTTPS, as a process of its own."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest

from tests.e2e.stage import CERTIFICATE, Bench, ended, sandbox_process

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_clients_that_speak_https_alone_are_answered(bench: Bench, tmp_path: Path) -> None:
    trust = ssl.create_default_context(cafile=str(CERTIFICATE))
    async with sandbox_process(bench, tmp_path, is_tls=True) as (client, process):
        url = client.base_url
        status = await client.status()
        async with httpx.AsyncClient(verify=trust) as http:
            secret = {"client_id": "sandbox", "client_secret": "tok"}
            issued = await http.post(f"{url}/oauth2/token", data=secret)
            with pytest.raises(httpx.RemoteProtocolError):
                await http.get(f"{url.replace('https', 'http')}/api/v1/status")
        process.terminate()
        done = await ended(process)

    assert status.version == "1.204.0--build-1--sha-0000000000"
    assert issued.status_code == 201
    assert f"sandbox on {url.replace('localhost', '127.0.0.1')}/" in done.err
