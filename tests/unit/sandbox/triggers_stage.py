"""A sandbox whose triggers run by hand, and the far side of their actions, in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from starlette.types import ASGIApp

from orchestrator.clock import FrozenClock
from orchestrator.route.sinks.http import HttpSeam
from orchestrator.sandbox.receivers import InboxReceiver, inbox_app
from tests.unit.sandbox.conftest import NOW, Client, OpenClient

HOOK = "http://127.0.0.1:9/hook"
BODY = '{"alert":"{alert_name}","n":{event_count},"events":{events}}'
_COMMON: Mapping[str, Any] = {
    "viewName": "falcon",
    "description": None,
    "labels": [],
    "enabled": True,
    "queryOwnershipType": "Organization",
}
_OWN: Mapping[str, Mapping[str, Any]] = {
    "FilterAlert": {},
    "AggregateAlert": {
        "throttleTimeSeconds": 60,
        "searchIntervalSeconds": 300,
        "queryTimestampType": "IngestTimestamp",
    },
    "Alert": {"queryStart": "5m", "throttleTimeMillis": 60_000},
    "ScheduledSearch": {
        "schedule": "*/5 * * * *",
        "timeZone": "UTC",
        "searchIntervalSeconds": 300,
        "queryTimestampType": "EventTimestamp",
        "searchIntervalOffsetSeconds": 0,
        "backfillLimit": 0,
        "triggerOnEmptyResult": False,
    },
}
_CREATE = {"ScheduledSearch": "createScheduledSearchV2"}
_INPUT = {"ScheduledSearch": "CreateScheduledSearchV2"}
STATUS = {
    "FilterAlert": "filterAlerts { id lastError lastErrorTime lastWarnings lastTriggered"
    " lastSuccessfulPoll }",
    "AggregateAlert": "aggregateAlerts { id lastError lastWarnings lastTriggered"
    " lastSuccessfulPoll }",
    "Alert": "alerts { id lastError lastWarnings timeOfLastTrigger }",
    "ScheduledSearch": "scheduledSearches { id lastError lastWarnings lastTriggered lastExecuted"
    " timeOfNextPlannedExecution }",
}


class Stage:
    """One sandbox and its inbox."""

    def __init__(self, client: Client, inbox: InboxReceiver) -> None:
        self.client, self.inbox = client, inbox
        self.triggers = client.sandbox.triggers

    async def mutate(self, text: str, **given: Any) -> Any:
        """Run a mutation and return its data."""
        answer = await self.client.graphql(text, **given)
        assert "errors" not in answer, answer
        return answer["data"]

    async def action(self, kind: str = "Webhook", **own: Any) -> str:
        """Make an action and return its id; a webhook that posts `BODY`, unless told otherwise."""
        if kind == "Webhook":
            own = {
                "method": "POST",
                "url": HOOK,
                "headers": [],
                "bodyTemplate": BODY,
                "ignoreSSL": False,
                "useProxy": False,
                **own,
            }
        given = {"viewName": "falcon", "name": f"to-{kind}", **own}
        input_type = "CreatePostMessageSlackAction" if kind == "SlackPostMessage" else ""
        text = (
            f"mutation($input: {input_type or f'Create{kind}Action'}!)"
            f" {{ create{kind}Action(input: $input) {{ id }} }}"
        )
        data = await self.mutate(text, input=given)
        return str(data[f"create{kind}Action"]["id"])

    async def trigger(self, kind: str, query: str, *actions: str, **own: Any) -> str:
        """Make a trigger over `query` and return its id; with a webhook, unless told otherwise."""
        names = list(actions) or [await self.action(name=f"hook-{kind}-{len(query)}")]
        given = {
            **_COMMON,
            "name": f"the {kind}",
            "queryString": query,
            "actions" if kind == "Alert" else "actionIdsOrNames": names,
            **_OWN[kind],
            **own,
        }
        mutation, input_type = _CREATE.get(kind, f"create{kind}"), _INPUT.get(kind, f"Create{kind}")
        text = f"mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ id }} }}"
        data = await self.mutate(text, input=given)
        return str(data[mutation]["id"])

    async def switch(self, kind: str, trigger_id: str, *, on: bool) -> None:
        """Enable or disable a trigger."""
        verb = "enable" if on else "disable"
        given, selection = f'{{viewName: "falcon", id: "{trigger_id}"}}', ""
        if kind == "ScheduledSearch":
            selection = "{ id }"
        await self.mutate(f"mutation {{ {verb}{kind}(input: {given}) {selection} }}")

    async def status(self, kind: str) -> dict[str, Any]:
        """Return the run members of the one trigger of this kind."""
        answer = await self.client.graphql(
            f'{{ searchDomain(name: "falcon") {{ {STATUS[kind]} }} }}'
        )
        (found,) = next(iter(answer["data"]["searchDomain"].values()))
        return dict(found)

    async def run(self, *, after: timedelta = timedelta(0)) -> None:
        """Let time pass, then run what is due."""
        self.client.clock.advance(after)
        await self.triggers.run_due()

    async def minutes(self, count: int) -> None:
        """Run minute by minute, as a driver that sleeps until the next one would."""
        for _ in range(count):
            await self.run(after=timedelta(minutes=1))

    def bodies(self) -> list[Any]:
        """Return the JSON bodies that arrived, in order."""
        return [received.json() for received in self.inbox.store]

    def fields(self, name: str) -> list[list[str]]:
        """Return a field of the events of each body, in order."""
        return [[event[name] for event in body["events"]] for body in self.bodies()]

    async def invocations(self) -> list[dict[str, Any]]:
        """Return the attempts on record, newest first."""
        answer = await self.client.call("GET", "/_sandbox/invocations")
        found: list[dict[str, Any]] = answer.json()["invocations"]
        return found


@asynccontextmanager
async def open_stage(
    open_client: OpenClient,
    *,
    clock: FrozenClock | None = None,
    app: ASGIApp | None = None,
    inbox: InboxReceiver | None = None,
    **settings: Any,
) -> AsyncIterator[Stage]:
    """Open a sandbox whose triggers run; HTTP goes to `app`, or into the inbox."""
    inbox = inbox or inbox_app()
    opened = open_client(clock=clock or FrozenClock(NOW), run_triggers=True, **settings)
    async with opened as client:
        seam = HttpSeam(deadline=timedelta(seconds=5), app=app or inbox)
        client.sandbox.triggers.delivery.seam = seam
        try:
            yield Stage(client, inbox)
        finally:
            await seam.close()
