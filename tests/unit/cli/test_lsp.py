"""`orchestrator lsp` before it serves: where it may listen, and what it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import cli

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("address", ["0.0.0.0:2087", "192.0.2.1:2087", "example.com:2087", ":2087"])
def test_server_listens_on_loopback_only(address: str) -> None:
    result = CliRunner().invoke(cli, ["lsp", "--tcp", address])

    assert result.exit_code == 2
    assert "is not this machine's loopback address" in result.output


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:", "127.0.0.1:x", "[::1]:70000"])
def test_address_needs_a_port(address: str) -> None:
    result = CliRunner().invoke(cli, ["lsp", "--tcp", address])

    assert result.exit_code == 2
    assert "is no HOST:PORT, such as 127.0.0.1:2087." in result.output


def test_one_way_of_speaking_is_chosen() -> None:
    result = CliRunner().invoke(cli, ["lsp", "--stdio", "--tcp", "localhost:2087"])

    assert result.exit_code == 2
    assert "--stdio and --tcp exclude each other." in result.output


def test_without_the_extra_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "orchestrator.lsp.server", raising=False)
    monkeypatch.delitem(sys.modules, "orchestrator.lsp.checking", raising=False)
    # An entry of None makes the import fail as if the library were not there.
    monkeypatch.setitem(sys.modules, "pygls.lsp.server", None)

    result = CliRunner().invoke(cli, ["lsp"])

    assert result.exit_code == 2
    assert "pip install 'orchestrator[lsp]'" in result.output


def test_server_ends_when_its_editor_is_gone() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "lsp", "--stdio"],
        input=b"",
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
