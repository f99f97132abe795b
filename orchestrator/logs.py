"""Log lines on standard error: an event name and its fields, as text for people or as JSON.

The names of events are closed words (`window-run`, `delivery.sent`, …); what changes is in the
fields. Never a query result, never a token: libraries that print whole URLs stay at warning.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from orchestrator.config import LogFormat, LogSettings
from orchestrator.terminal import plain

_QUIET = ("httpx", "httpcore", "slack_sdk", "aiohttp", "apscheduler", "asyncio", "alembic")


class _JsonLines(logging.Formatter):
    """One JSON object a line: time, level, event, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        known = logging.LogRecord("", 0, "", 0, "", (), None).__dict__
        fields = {key: value for key, value in record.__dict__.items() if key not in known}
        return json.dumps(
            {
                "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
                "level": record.levelname.lower(),
                "event": record.getMessage(),
                **fields,
            },
            default=str,
        )


class _TextLines(logging.Formatter):
    """Time, level, event and `key=value` for people."""

    def format(self, record: logging.LogRecord) -> str:
        document = json.loads(_JsonLines().format(record))
        at, level, event = document.pop("at"), document.pop("level"), document.pop("event")
        fields = " ".join(f"{key}={plain(str(value))}" for key, value in document.items())
        return f"{at[:19]}Z {level:<7} {plain(event)} {fields}".rstrip()


def configure_logging(settings: LogSettings) -> None:
    """Log to standard error; libraries that print whole URLs or bodies stay at warning."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if settings.format is LogFormat.JSON else _TextLines())
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
