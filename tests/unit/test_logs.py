"""Log lines: an event and its fields, in two forms."""

from __future__ import annotations

import json
import logging

import pytest

from orchestrator.config import LogFormat, LogSettings
from orchestrator.logs import configure_logging


@pytest.fixture(autouse=True)
def _restore_logging() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield None
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_line_holds_event_level_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogSettings(format=LogFormat.JSON))

    logging.getLogger("orchestrator.app").info("window-run", extra={"rule": "t1528", "rows": 3})

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["rule"], line["rows"]) == (
        "window-run", "info", "t1528", 3,
    )  # fmt: skip


def test_text_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogSettings())

    logging.getLogger("x").warning("delivery.failed", extra={"detail": "a\nb"})

    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert shown.endswith("warning delivery.failed detail=a↵b\n")


def test_libraries_that_print_urls_stay_quiet_even_at_debug() -> None:
    configure_logging(LogSettings(level="debug"))

    assert logging.getLogger("httpx").getEffectiveLevel() == logging.WARNING
    assert logging.getLogger("slack_sdk").getEffectiveLevel() == logging.WARNING
