"""Prose that must stay true: paths it names exist, examples load, settings are all shown."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from orchestrator.config import Config, load_config
from orchestrator.inventory.tables import TABLES
from orchestrator.route.sinks import SINKS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("queries/**/*.md")])
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    broken = [
        target
        for target in _LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []


def test_example_settings_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGSCALE_TOKEN", "SLACK_TOKEN", "JIRA_TOKEN"):
        monkeypatch.setenv(name, "x")
    path = tmp_path / "orchestrator.toml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")

    config = load_config(path)

    assert set(config.inventory.tables) == {table.name for table in TABLES}
    for table in config.inventory.tables.values():
        assert (ROOT / table.path.relative_to(tmp_path)).is_file()
    assert {table["kind"] for table in config.receivers.values()} <= set(SINKS)


def test_example_settings_show_every_kind_of_receiver() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")

    assert set(re.findall(r'^(?:# )?kind = "(\w+)"', text, re.MULTILINE)) >= set(SINKS)


def test_example_settings_mention_every_section_and_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    document = tomllib.loads(text)

    missing = [
        f"{section}.{key}"
        for section, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for key in field.annotation.model_fields
        if key not in document.get(section, {})
    ]

    assert missing == []


def test_every_module_says_what_it_is() -> None:
    bare = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "orchestrator").rglob("*.py")
        if not path.read_text(encoding="utf-8").lstrip().startswith(('"""', 'r"""'))
    ]

    assert bare == []


_PATH = re.compile(r"(?<![\w/.-])(?:docs|cassettes|queries|tests)/[\w./-]*\w")


def test_paths_that_the_code_names_exist() -> None:
    missing = [
        f"{path.relative_to(ROOT)}: {named}"
        for path in sorted((ROOT / "orchestrator").rglob("*.py"))
        for named in _PATH.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / named).exists()
    ]

    assert missing == []
