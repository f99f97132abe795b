"""The demo's stage: a sandbox, a Slack and a Jira on loopback, and settings that point at them.

Everything is real but the far side: the same client, sinks and store as in production speak HTTP
to servers in this process, on ports that the system picks and that are closed at the end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from starlette.applications import Starlette

from orchestrator.client.logscale import LogScale
from orchestrator.clock import SystemClock
from orchestrator.config import Config, load_config
from orchestrator.remote import connect_logscale
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.receivers import (
    JiraReceiver,
    SlackReceiver,
    jira_app,
    serve_on_loopback,
    slack_app,
)
from orchestrator.sandbox.settings import SandboxSettings, TokenRole

REPO = "falcon"
SLACK_CHANNEL = "C0DEMO00001"
_TOKENS = {
    "logscale": "demo-logscale-token",
    "slack": "xoxb-demo-slack-token",
    "jira": "demo-jira-token",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What was built, while it stands."""

    folder: Path
    """Settings, state, sandbox data and messages."""
    config_path: Path
    config: Config
    client: LogScale
    """For what the service itself does not do: ingest and deploy."""
    sandbox: Starlette
    slack: SlackReceiver
    jira: JiraReceiver


@asynccontextmanager
async def open_stage(folder: Path, *, rules: Path, now: datetime) -> AsyncIterator[Stage]:
    """Build the stage in `folder`, which is emptied first, and take it down at the end.

    Args:
        folder: Where everything is written; survives the stage.
        rules: Rule folders, with their sample inventory under `_inventory`.
        now: The simulated instant that the inventory is fresh at.
    """
    if folder.exists():
        shutil.rmtree(folder)
    (folder / "secrets").mkdir(parents=True, mode=0o700)
    inventory = shutil.copytree(rules / "_inventory", folder / "inventory")
    for path in inventory.iterdir():
        os.utime(path, (now.timestamp(), now.timestamp()))
    for name, token in _TOKENS.items():
        secret = folder / "secrets" / name
        secret.touch(mode=0o600)
        secret.write_text(token, encoding="utf-8")
    sandbox = create_app(
        SandboxSettings(
            tokens={_TOKENS["logscale"]: TokenRole(name="demo")},
            repositories=(REPO,),
            data_dir=folder / "logscale",
            poll_after_running_ms=5,
            trust_ingest_timestamp=True,
        ),
        clock=SystemClock(),
    )
    slack = slack_app(token=_TOKENS["slack"], channels=(SLACK_CHANNEL,))
    jira = jira_app(email="bot@example.com", token=_TOKENS["jira"], project="SEC")
    async with AsyncExitStack() as stack:
        urls = {
            name: await stack.enter_async_context(serve_on_loopback(app))
            for name, app in (("logscale", sandbox), ("slack", slack), ("jira", jira))
        }
        config_path = folder / "orchestrator.toml"
        config_path.write_text(_settings(rules.resolve(), urls, inventory), encoding="utf-8")
        config = load_config(config_path)
        client = connect_logscale(config.repo(REPO), name=REPO, clock=SystemClock())
        yield Stage(
            folder=folder,
            config_path=config_path,
            config=config,
            client=await stack.enter_async_context(client),
            sandbox=sandbox,
            slack=slack,
            jira=jira,
        )


def _settings(rules: Path, urls: dict[str, str], inventory: Path) -> str:
    tables = "\n".join(
        f'{path.stem} = {{ path = "inventory/{path.name}", max_age = "48h" }}'
        for path in sorted(inventory.glob("*.csv"))
    )
    return f"""\
# Written by `orchestrator demo`. The servers it names were closed with the demo.
[rules]
path = "{rules}"

[store]
url = "orchestrator.db"

[schedule]
windows_per_tick = 500

[repos.{REPO}]
url = "{urls["logscale"]}"
repository = "{REPO}"
token = "file:{inventory.parent.resolve()}/secrets/logscale"

[inventory.tables]
{tables}

[route]
default = ["messages"]

[[route.routes]]
name = "on-call"
when = "score=*"
receivers = ["on-call", "tickets", "messages"]

[receivers.on-call]
kind = "slack"
token = "file:{inventory.parent.resolve()}/secrets/slack"
channel = "{SLACK_CHANNEL}"
base_url = "{urls["slack"]}"
pace = "0s"

[receivers.tickets]
kind = "jira"
url = "{urls["jira"]}"
email = "bot@example.com"
token = "file:{inventory.parent.resolve()}/secrets/jira"
project = "SEC"
pace = "0s"

[links]
logscale_url = "https://logscale.example.com"

[receivers.messages]
kind = "file"
path = "{inventory.parent.resolve()}/messages.ndjson"
"""
