"""Settings: merging, references to secrets, and every problem in one run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.config import ConfigProblems, load_config

REPO = """
[repos.falcon]
url = "http://127.0.0.1:8080"
repository = "falcon"
token = "env:LOGSCALE_TOKEN"
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "orchestrator.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(path: Path) -> list[str]:
    with pytest.raises(ConfigProblems) as caught:
        load_config(path)
    return [str(problem) for problem in caught.value.problems]


def test_load_config_resolves_secrets_durations_and_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGSCALE_TOKEN", "canary-4711")
    text = REPO + '[schedule]\ntick = "5s"\n[rules]\npath = "rules"\n'

    config = load_config(write(tmp_path, text))

    token = config.repo("falcon").token
    assert token is not None
    assert token.reveal() == "canary-4711"
    assert "canary" not in repr(config)
    assert config.schedule.tick == timedelta(seconds=5)
    assert config.rules.path == tmp_path / "rules"
    assert config.store.url == str(tmp_path / "orchestrator.db")


def test_environment_overrides_one_key_and_keeps_its_siblings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SCHEDULE__TICK", "1s")
    path = write(tmp_path, '[schedule]\ntick = "5s"\nlease = "30s"\n')

    config = load_config(path)

    assert config.schedule.tick == timedelta(seconds=1)
    assert config.schedule.lease == timedelta(seconds=30)


def test_all_problems_are_reported_in_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOGSCALE_TOKEN", raising=False)
    monkeypatch.setenv("ORCHESTRATOR_SCHEDUL__TICK", "1s")
    text = REPO + '[schedule]\ntik = "5s"\nlease = "soon"\n'
    path = write(tmp_path, text)

    problems = problems_of(path)

    assert len(problems) == 4
    joined = "\n".join(problems)
    assert "ORCHESTRATOR_SCHEDUL__TICK: no setting has this name" in joined
    assert "schedule.tik: no setting has this name. Did you mean 'tick'?" in joined
    assert "schedule.lease: 'soon' is not a duration" in joined
    assert "repos.falcon.token: the environment variable LOGSCALE_TOKEN is not set" in joined


def test_secret_written_into_the_file_is_refused_without_showing_it(tmp_path: Path) -> None:
    path = write(tmp_path, REPO.replace("env:LOGSCALE_TOKEN", "canary-4711"))

    (problem,) = problems_of(path)

    assert "a secret is written as a reference" in problem
    assert "canary" not in problem


def test_broken_toml_names_file_line_and_column(tmp_path: Path) -> None:
    path = write(tmp_path, "[repos\n")

    (problem,) = problems_of(path)

    assert problem.startswith(f"{path}: not TOML: ")
    assert "line 1" in problem


def test_missing_file_says_what_to_do(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path / "none.toml")

    assert "does not exist" in problem
    assert "config.example.toml" in problem


def test_unknown_repository_lists_the_known_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGSCALE_TOKEN", "t")
    config = load_config(write(tmp_path, REPO))

    with pytest.raises(Exception, match=r"there is no repository 'falkon'.*Known: falcon"):
        config.repo("falkon")
