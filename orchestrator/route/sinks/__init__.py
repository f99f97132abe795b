"""The kinds of destination: one table, one file each.

A further sink is a file with its settings and its class, and a row in `SINKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.errors import ConfigError
from orchestrator.route.sinks.base import Sink
from orchestrator.route.sinks.console import ConsoleSettings, ConsoleSink
from orchestrator.route.sinks.file import FileSettings, FileSink
from orchestrator.route.sinks.jira import JiraSettings, JiraSink
from orchestrator.route.sinks.reading import nearest, read_settings
from orchestrator.route.sinks.slack import SlackSettings, SlackSink
from orchestrator.route.sinks.webhook import WebhookSettings, WebhookSink
from orchestrator.secret import SecretText, resolve_secret

__all__ = ["SINKS", "build_sinks"]

SINKS: Mapping[str, tuple[type[Any], Callable[[Any], Sink]]] = {
    "console": (ConsoleSettings, ConsoleSink),
    "file": (FileSettings, FileSink),
    "jira": (JiraSettings, JiraSink),
    "slack": (SlackSettings, SlackSink),
    "webhook": (WebhookSettings, WebhookSink),
}
"""Kind to its settings class and what builds a sink from them."""


def build_sinks(
    receivers: Mapping[str, Mapping[str, Any]],
    *,
    secret: Callable[[str], SecretText] = resolve_secret,
) -> dict[str, Sink]:
    """Return a sink for each receiver; nothing is connected yet.

    Args:
        receivers: Receiver name to its table of settings, with `kind`.
        secret: Turns a reference (`env:NAME`, `file:/path`) into the secret.

    Raises:
        ConfigError: The first setting that is wrong, with its key.
    """
    return {name: _build(name, table, secret) for name, table in receivers.items()}


def _build(name: str, table: Mapping[str, Any], secret: Callable[[str], SecretText]) -> Sink:
    key = f"receivers.{name}"
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in SINKS:
        raise ConfigError(
            f"there is no kind of receiver {kind!r}",
            key=f"{key}.kind",
            advice=nearest(str(kind), SINKS),
        )
    settings_type, build = SINKS[kind]
    values = {word: value for word, value in table.items() if word != "kind"}
    settings = read_settings(settings_type, values, key=key, secret=secret)
    try:
        return build(settings)
    except ConfigError as exc:
        raise ConfigError(exc.problem, key=f"{key}.{exc.key}", advice=exc.advice) from exc
