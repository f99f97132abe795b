"""What is recorded can be replayed, and says neither who nor where."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.client import (
    HttpTransport,
    LogScale,
    Origin,
    ReplayTransport,
    load_cassette,
)
from orchestrator.client.cassettes.recording import Scrubber
from orchestrator.clock import FrozenClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.secret import SecretText
from tests.record import SCENES, Stage, record

URL = "https://tenant-7.logscale.example.net"
TOKEN = SecretText("token-canary-12345")
NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)


async def test_every_scene_is_recorded_and_replays(tmp_path: Path) -> None:
    clock = FrozenClock(NOW)
    app = create_app(
        SandboxSettings(tokens={TOKEN.reveal(): TokenRole(name="admin@tenant.example.net")}),
        clock=clock,
    )

    failed = await record(
        URL,
        TOKEN,
        "falcon",
        out=tmp_path,
        clock=clock,
        connect=lambda: HttpTransport(URL, asgi_app=app),
    )
    app.state.sandbox.close()

    assert failed == {}
    for name, scene in SCENES.items():
        path = tmp_path / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        assert "tenant" not in text
        assert "canary" not in text
        cassette = load_cassette(path)
        assert cassette.origin is Origin.RECORDED
        replay = ReplayTransport(cassette)
        async with LogScale(URL, token=TOKEN, clock=FrozenClock(NOW), transport=replay) as scale:
            await scene(Stage(scale=scale, repository="falcon", end=NOW))
        assert list(replay.left) == []


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Bearer token-canary-12345", "Bearer ***"),
        ("https://tenant-7.logscale.example.net/x", "https://logscale.example/x"),
        ('{"by":"jo.doe+x@corp.example.org"}', '{"by":"user@example.com"}'),
        ("from 10.1.2.3 to 10.1.2.4", "from 192.0.2.1 to 192.0.2.1"),
        ("a8Kq3ZpT90xYwLmN a8Kq3ZpT90xYwLmN b8Kq3ZpT90xYwLmN", "ID0001 ID0001 ID0002"),
        ("0f0e0d0c-0b0a-0908-0706-050403020100", "ID0001"),
        (
            "updateScheduledSearchV2 timeOfLatestIngest",
            "updateScheduledSearchV2 timeOfLatestIngest",
        ),
        ('{"token": "Zz-~_y", "name": "n"}', '{"token": "***", "name": "n"}'),
        ('{"rotateToken":"a\\"b"}', '{"rotateToken":"***"}'),
        ('{"token_type": "bearer", "tokens": ["n"]}', '{"token_type": "bearer", "tokens": ["n"]}'),
        ("1773108000000 count(as=n)", "1773108000000 count(as=n)"),
    ],
)
def test_what_names_somebody_is_replaced(text: str, scrubbed: str) -> None:
    assert Scrubber(base_url=URL, secrets=(TOKEN,)).scrub(text) == scrubbed
