"""What the package offers by name, and that no secret leaves it by accident."""

from __future__ import annotations

import io
import logging
from datetime import UTC, datetime, timedelta

import pytest

import orchestrator.client as public
from orchestrator.client import Falcon, LogScale, ScriptedTransport
from orchestrator.client.cassettes.scripted import text_response
from orchestrator.client.http.auth import ClientCredentials, IssuedToken, StaticToken
from orchestrator.client.http.transport import Response
from orchestrator.clock import FrozenClock
from orchestrator.errors import ClientError, ConnectionFailed
from orchestrator.secret import SecretText

NOW = datetime(2026, 3, 10, tzinfo=UTC)
CANARY = "canary-7f3a-secret"


def test_public_names_are_sorted_unique_and_there() -> None:
    names = public.__all__

    # The linter's order: constants, classes, functions; each sorted.
    assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert len(set(names)) == len(names)
    assert all(hasattr(public, name) for name in names)


def test_public_names_cover_everything_imported() -> None:
    imported = {
        name
        for name, value in vars(public).items()
        if getattr(value, "__module__", "").startswith("orchestrator.client.")
    }

    assert imported <= set(public.__all__)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 429, 500, 503])
async def test_no_error_or_log_shows_the_token(status: int) -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    echo = text_response(f"you sent Bearer {CANARY}", status=status)
    client = LogScale(
        "https://logscale.example",
        token=SecretText(CANARY),
        clock=FrozenClock(NOW),
        transport=ScriptedTransport(*(echo for _ in range(8))),
    )

    with pytest.raises(ClientError) as caught:
        await client.search("r", "q", start=NOW, end=NOW, deadline=timedelta(minutes=1))

    logging.getLogger().removeHandler(handler)
    shown = f"{caught.value} {caught.value!r} {vars(caught.value)} {log.getvalue()}"
    assert CANARY not in shown


async def test_no_error_shows_the_client_secret() -> None:
    echo = text_response(f"bad secret {CANARY}", status=403)
    falcon = Falcon(
        "https://falcon.example",
        credentials=ClientCredentials(client_id="id", client_secret=SecretText(CANARY)),
        clock=FrozenClock(NOW),
        transport=ScriptedTransport(echo),
    )

    with pytest.raises(ClientError) as caught:
        await falcon.check()

    assert str(caught.value).startswith("POST https://falcon.example/oauth2/token: bad secret ***")


@pytest.mark.parametrize(
    "value",
    [
        StaticToken(SecretText(CANARY)),
        ClientCredentials(client_id="id", client_secret=SecretText(CANARY)),
        IssuedToken(token=SecretText(CANARY), issued_s=0.0, life=timedelta(0)),
        Response(status=200, headers={"set-cookie": CANARY}, body=CANARY.encode()),
    ],
)
def test_no_repr_shows_a_secret(value: object) -> None:
    assert CANARY not in repr(value)


async def test_close_closes_the_transport() -> None:
    transport = ScriptedTransport(ConnectionFailed("x", sent=False))

    async with LogScale(
        "https://h", token=SecretText("t"), clock=FrozenClock(NOW), transport=transport
    ):
        pass

    assert transport.is_closed
