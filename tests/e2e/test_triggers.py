"""A deployed rule fires in the sandbox, and a sandbox that is killed sends what it owes.

hour 0    the rule is deployed as a scheduled search with a webhook and a Slack message
10 min    PowerShell asks for a managed identity token; the events are ingested
hour 1    the search is due: both receivers get the finding, once
hour 2    nothing new: nothing is sent
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from orchestrator.client.types import (
    FilterAlert,
    SlackPostMessageContent,
    WebhookContent,
)
from orchestrator.client.wire import WireStructuredBatch
from orchestrator.clock import FrozenClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.receivers import inbox_app, serve_on_loopback
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.sandbox.state import Sandbox as SandboxState
from orchestrator.secret import SecretText
from tests.e2e.stage import (
    CHANNEL,
    REPO,
    ROOT,
    RULE,
    Bench,
    Sandbox,
    Switchboard,
    connected,
    ended,
    make_bench,
    sample_batches,
    sandbox_process,
    until,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOUR_0 = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
BODY = """{"rule": "{alert_name}", "until": {query_end_ms}, "count": {event_count},
"first": {"host": "{field:ComputerName}", "vector": "{field:vector}"}, "events": {events}}"""


@asynccontextmanager
async def frozen_bench(
    folder: Path, clock: FrozenClock
) -> AsyncIterator[tuple[Bench, SandboxState]]:
    """Serve a sandbox under `clock` whose triggers are run by hand, and a bench on it."""
    switchboard = Switchboard()
    async with serve_on_loopback(switchboard) as receivers_url:
        settings = SandboxSettings(
            tokens={"e2e-logscale": TokenRole(name="e2e")},
            repositories=(REPO,),
            run_triggers=True,
            # The bench plugs in its own Slack first.
            slack_api_url=f"{receivers_url}/0/",
        )
        app = create_app(settings, clock=clock)
        async with serve_on_loopback(app) as url:
            sandbox = Sandbox(
                url=url,
                receivers_url=receivers_url,
                switchboard=switchboard,
                faults=app.state.sandbox.faults,
                start=HOUR_0,
            )
            yield make_bench(folder, sandbox), app.state.sandbox
        await app.state.sandbox.triggers.delivery.close()
        app.state.sandbox.close()


async def test_deployed_rule_fires_its_actions_within_its_schedule(tmp_path: Path) -> None:
    clock, inbox = FrozenClock(HOUR_0), inbox_app()
    async with frozen_bench(tmp_path, clock) as (bench, state):
        hook = bench.sandbox.receivers_url + bench.sandbox.switchboard.plug(inbox) + "/hook"
        async with connected(bench) as client:
            for lookup in sorted((ROOT / "queries" / RULE / "lookups").glob("*.csv")):
                await client.files(REPO).upload(lookup.name, lookup.read_bytes())
            await client.actions(REPO).create("hook", webhook(hook, BODY))
            await client.actions(REPO).create(
                "slack",
                SlackPostMessageContent(
                    token=SecretText("xoxb-e2e-slack"),
                    channels=[CHANNEL],
                    fields={"Host": "{field:ComputerName}", "Seen": "{field:vector}"},
                ),
            )
            bench.edit(
                bench.rule / "rule.yaml",
                "labels: [t1528]",
                "labels: [t1528]\n  actions: [hook, slack]",
            )
            bench.edit(bench.rule / "rule.yaml", "enabled: false", "enabled: true")
            deployed = await bench.invoke("deploy", "--repo", REPO, "--yes")
            clock.advance(timedelta(minutes=10))
            await client.ingest().structured(
                sample_batches(HOUR_0, moments=[(0.1, ("1", "2"))]), repository=REPO
            )
            await state.triggers.run_due()
            early = len(inbox.store)
            for _ in range(2):
                clock.advance(HOUR)
                await state.triggers.run_due()

    assert (deployed.code, early) == (0, 0), deployed.err
    (got,) = inbox.store
    body = json.loads(got.body)
    assert body["rule"] == "Steal application access token, followed by process"
    assert body["until"] == int((HOUR_0 + HOUR).timestamp() * 1000)
    assert body["count"] == len(body["events"]) == 1
    assert body["first"] == {
        "host": "AZ-WEB-07",
        "vector": body["events"][0]["vector"],
    }
    (message,) = bench.slack.store
    assert message["channel"] == CHANNEL
    assert "AZ-WEB-07" in message["blocks"][1]["fields"][0]["text"]
    assert bench.slack.violations == []


async def test_killed_sandbox_sends_what_it_owes_when_it_is_back(
    bench: Bench, tmp_path: Path
) -> None:
    """SIGKILL while the receiver holds the first request: it comes again, under its number."""
    bodies: list[str] = []
    came, answers = asyncio.Event(), asyncio.Event()

    async def receiver(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        bodies.append(message["body"].decode())
        came.set()
        await answers.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with (
        serve_on_loopback(receiver) as hook,
        sandbox_process(bench, tmp_path) as (client, process),
    ):
        body = '"{action_invocation_id} {field:n}"'
        await client.actions(REPO).create("hook", webhook(hook, body))
        alert = FilterAlert(name="all", query="n=*", enabled=True, actions=("hook",))
        await client.assets(REPO).create(alert)
        await client.ingest().structured([event("1")], repository=REPO)
        async with asyncio.timeout(30):
            await came.wait()
        process.kill()
        done = await ended(process)
        came.clear()
        answers.set()
        async with sandbox_process(bench, tmp_path) as (client_again, again):
            async with asyncio.timeout(30):
                await came.wait()
            await client_again.ingest().structured([event("2")], repository=REPO)
            await until(lambda: len(bodies) == 3, process=again)
            again.send_signal(signal.SIGTERM)
            stopped = await ended(again)

    assert done.was_killed
    assert stopped.code == 0, stopped.err
    first, second, third = (json.loads(text).split() for text in bodies)
    assert first == second
    assert (first[1], third[1]) == ("1", "2")


def webhook(url: str, body: str) -> WebhookContent:
    return WebhookContent(url=SecretText(url), body_template=body)


def event(number: str) -> WireStructuredBatch:
    return {"tags": {}, "events": [{"timestamp": 1_773_108_000_000, "attributes": {"n": number}}]}
