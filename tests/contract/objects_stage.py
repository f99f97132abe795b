"""A sandbox whose stored objects are touched, who may, and one example of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.client.logscale import LogScale
from orchestrator.client.types import (
    ActionContent,
    AggregateAlert,
    EmailContent,
    FilterAlert,
    HumioRepoContent,
    LegacyAlert,
    OpsGenieContent,
    PagerDutyContent,
    ScheduledSearch,
    SlackContent,
    SlackPostMessageContent,
    TimestampType,
    Trigger,
    UploadFileContent,
    VictorOpsContent,
    WebhookContent,
)
from orchestrator.clock import FrozenClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import Right, SandboxSettings, TokenRole
from orchestrator.secret import SecretText

HOUR, MS = timedelta(hours=1), timedelta(milliseconds=1)
MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
KEY = SecretText("a-secret-canary")
ADDRESS = SecretText("https://hooks.example.com/a-secret-canary")
TOKENS = {
    "admin-token": TokenRole(name="admin"),
    "deputy-token": TokenRole(name="deputy"),
    "reader-token": TokenRole(name="reader", rights=frozenset({Right.READ})),
}
EXAMPLES: tuple[ActionContent, ...] = (
    WebhookContent(
        url=ADDRESS,
        body_template="{events}",
        headers={"X-Key": KEY},
        ignore_tls=True,
        use_proxy=True,
    ),
    EmailContent(
        recipients=("a@example.com",),
        subject_template="{alert_name}",
        attach_csv=True,
        use_proxy=True,
    ),
    SlackContent(url=ADDRESS, fields={"Host": "{field:host}"}, use_proxy=True),
    SlackPostMessageContent(
        token=KEY, channels=("#soc",), fields={"Host": "{field:host}"}, use_proxy=True
    ),
    PagerDutyContent(routing_key=KEY, severity="critical", use_proxy=True),
    OpsGenieContent(key=KEY, api_url="https://api.eu.opsgenie.com", use_proxy=True),
    VictorOpsContent(url=ADDRESS, message_type="CRITICAL", use_proxy=True),
    HumioRepoContent(ingest_token=KEY),
    UploadFileContent(file_name="found.csv"),
)
SWITCHED: tuple[Trigger, ...] = (
    ScheduledSearch(
        name="s",
        query="count()",
        enabled=True,
        schedule="*/5 * * * *",
        search_interval=HOUR,
        timestamp_type=TimestampType.EVENT,
        actions=("hook",),
    ),
    AggregateAlert(
        name="a",
        query="count()",
        enabled=True,
        search_interval=HOUR,
        throttle=HOUR,
        actions=("hook",),
    ),
    FilterAlert(name="f", query="a=b", enabled=True, throttle=HOUR, actions=("hook",)),
    LegacyAlert(
        name="l",
        query="a=b",
        enabled=True,
        window=HOUR,
        throttle=HOUR,
        throttle_field="a",
        actions=("hook",),
    ),
)


@contextmanager
def sandbox() -> Iterator[Any]:
    """Yield the application of a fresh sandbox under a clock that stands still."""
    clock = FrozenClock(datetime(2026, 3, 10, tzinfo=UTC))
    made = create_app(SandboxSettings(tokens=TOKENS), clock=clock)
    try:
        yield made
    finally:
        made.state.sandbox.close()


def client_of(app: Any, token: str = "admin-token") -> LogScale:
    clock = app.state.sandbox.clock
    return LogScale("http://x", token=SecretText(token), clock=clock, asgi_app=app)
