"""The cassettes themselves: readable, with an origin, each used, no secret in any."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from orchestrator.client import Origin, decode, load_cassette
from orchestrator.client.http import auth
from orchestrator.client.search import polls

ROOT = Path(__file__).parents[3]
CASSETTES = sorted((ROOT / "cassettes").rglob("*.yaml"))
NAMES = [path.relative_to(ROOT / "cassettes").as_posix() for path in CASSETTES]
# One answer for each decoder; the replay tests above them assert the values.
DECODED = {
    "check_accepted": "ingest/structured/ingest_token.yaml",
    "decode_health": "status/health/warned.yaml",
    "decode_job_id": "query_jobs/submit/accepted.yaml",
    "decode_poll": "query_jobs/poll/static.yaml",
    "decode_status": "status/read/ok.yaml",
    "decode_token": "falcon/token/issued.yaml",
}
# Bearer headers, JWTs, the token shapes of the two servers.
SECRETS = re.compile(r"(?i)authorization:|bearer [a-z0-9]{8}|eyJ[\w-]{10}|[a-f0-9]{32}~|~\w{20}")
HOSTS = re.compile(r"https?://(?!.*example)")


@pytest.mark.parametrize("name", NAMES)
def test_cassette_is_used_by_a_replay_test(name: str) -> None:
    tests = (ROOT / "tests" / "replay").rglob("*.py")

    assert any(f'"{name}"' in path.read_text(encoding="utf-8") for path in tests)


@pytest.mark.parametrize("path", CASSETTES, ids=NAMES)
def test_cassette_names_its_origin_and_source(path: Path) -> None:
    cassette = load_cassette(path)

    assert cassette.origin in set(Origin)
    assert len(cassette.source) > 20
    assert cassette.exchanges


@pytest.mark.parametrize("path", CASSETTES, ids=NAMES)
def test_cassette_holds_no_secret_and_no_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert SECRETS.search(text) is None
    assert HOSTS.search(text) is None


def test_every_decoder_has_a_cassette_that_it_reads() -> None:
    functions = {
        name: function
        for name, function in [
            *inspect.getmembers(decode, inspect.isfunction),
            *inspect.getmembers(auth, inspect.isfunction),
            *inspect.getmembers(polls, inspect.isfunction),
        ]
        if name.startswith(("decode_", "check_")) and name != "check_token"
    }

    assert set(functions) == set(DECODED)
    for name, function in functions.items():
        function(load_cassette(ROOT / "cassettes" / DECODED[name]).exchanges[-1].response)
