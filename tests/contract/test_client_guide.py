"""docs/client.md: every example runs against a sandbox and prints what the page says."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import sandbox_settings
from tests.contract.clients.conftest import served

GUIDE = Path(__file__).parents[2] / "docs" / "client.md"
TOKEN = "guide-token"
PLACE = "    print(await scale.status())\n"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> tuple[str, list[tuple[str, str]]]:
    """Return the script that holds each example, and the examples with what they print."""
    kinds, texts = zip(*BLOCK.findall(GUIDE.read_text(encoding="utf-8")), strict=True)
    assert kinds == ("python", *(("python", "text") * (len(kinds) // 2)))
    assert PLACE in texts[0]
    return texts[0], list(zip(texts[1::2], texts[2::2], strict=True))


@contextmanager
def sandbox() -> Iterator[str]:
    app = create_app(sandbox_settings(token=TOKEN, repositories=("falcon",)), clock=SystemClock())
    with served(app) as url:
        yield url


def test_every_example_prints_what_the_page_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, examples = blocks()
    assert len(examples) >= 10
    with sandbox() as url:
        monkeypatch.setenv("LOGSCALE_URL", url)
        monkeypatch.setenv("LOGSCALE_TOKEN", TOKEN)
        scope: dict[str, object] = {}
        for number, (body, printed) in enumerate(examples, start=1):
            # What one example imports the next may use: a reader goes from top to bottom.
            source = script.replace(PLACE, textwrap.indent(body, "    "))
            imports = "".join(re.findall(r"^from \w+ import .*\n", body, re.MULTILINE))
            exec(compile(imports + source, f"{GUIDE.name}, example {number}", "exec"), scope)
            assert capsys.readouterr().out == printed, f"example {number}"
