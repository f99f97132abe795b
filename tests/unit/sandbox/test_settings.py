"""The settings that people start a sandbox with: its tokens."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import cli
from orchestrator.sandbox.settings import Right, sandbox_settings

UUID = "7f6a1c52-4a0e-4c1b-9a53-0d2f6f3f9f10"


def test_ingest_token_is_named_or_made_of_the_others() -> None:
    settings = sandbox_settings(
        token="tok", repositories=("falcon", "other", "other"), ingest_tokens={"falcon": UUID}
    )

    assert {text: role.repository for text, role in settings.tokens.items()} == {
        "tok": None,
        UUID: "falcon",
        "tok-ingest-other": "other",
    }
    assert settings.tokens[UUID].rights == {Right.INGEST}


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ({"nowhere": UUID}, "no repository 'nowhere'"),
        ({"falcon": "tok"}, "of 'falcon' must be a text of its own"),
        ({"falcon": UUID, "other": UUID}, "of 'other' must be a text of its own"),
        ({"falcon": ""}, "of 'falcon' must be a text of its own"),
    ],
)
def test_ingest_token_that_cannot_be_one_is_refused(named: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        sandbox_settings(token="tok", repositories=("falcon", "other"), ingest_tokens=named)

    assert UUID not in str(refused.value)


@pytest.mark.parametrize("pair", ["nowhere=x", "falcon=", "falcon"])
def test_command_refuses_an_ingest_token_before_it_serves(pair: str) -> None:
    result = CliRunner().invoke(cli, ["sandbox", "--ingest-token", pair])

    assert result.exit_code == 2
    assert "Invalid value for --ingest-token" in result.output
