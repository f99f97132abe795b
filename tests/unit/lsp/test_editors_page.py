"""What docs/editors.md shows: its JSON and TOML can be read, and the command in it exists."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "editors.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
READERS = {"json": json.loads, "toml": tomllib.loads}


@pytest.mark.parametrize(("language", "text"), [b for b in BLOCKS if b[0] in READERS])
def test_configuration_can_be_read(language: str, text: str) -> None:
    assert READERS[language](text)


@pytest.mark.parametrize("editor", ["VS Code", "Neovim", "Helix", "Emacs", "Zed"])
def test_every_editor_is_told_the_command(editor: str) -> None:
    section = PAGE.partition(f"## {editor}\n")[2].partition("\n## ")[0]

    assert '"lsp"' in section
