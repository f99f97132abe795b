"""`test…Action`: an action is carried out once, as it is given and without being stored.

It leaves through the same gate as a trigger's, and is on record as one. What is sent is the given
events, as if a trigger of the given name had found them just now.
Source: library.humio.com, GraphQL reference, the example of testWebhookAction: `eventData` is a
JSON array of events, as text.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from orchestrator.sandbox.answers import wrong_input
from orchestrator.sandbox.assets import records
from orchestrator.sandbox.assets.checks import check_action
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.changes import ACTION_TYPES
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.storage.domains import Domain
from orchestrator.sandbox.triggers.templates import Firing

_OF_THE_TEST = ("triggerName", "eventData")


def action_tests(caller: Caller) -> dict[str, Callable[..., Awaitable[Any]]]:
    """Return the resolvers of the mutations that test an action, by field name."""
    return {f"test{name}Action": partial(_tested, caller, f"{name}Action") for name in ACTION_TYPES}


async def _tested(
    caller: Caller,
    typename: str,
    _info: Any,
    input: Mapping[str, Any],  # noqa: A002 -- the schema's name
) -> dict[str, Any]:
    domain = caller.domain(input["viewName"], Right.TEST_ACTIONS)
    own = {name: value for name, value in input.items() if name not in _OF_THE_TEST}
    action = records.action(own, domain, typename=typename)
    check_action(action)
    firing = _firing(input, domain, now_ms=caller.sandbox.now_ms())
    outcome = await caller.sandbox.triggers.try_out(action, firing)
    return {"success": outcome.is_sent, "message": outcome.detail}


def _firing(given: Mapping[str, Any], domain: Domain, *, now_ms: int) -> Firing:
    return Firing(
        id=secrets.token_hex(16),
        trigger_id="",
        trigger_key="",
        name=given["triggerName"],
        description="",
        domain=domain.name,
        query="",
        type="alert",
        at_ms=now_ms,
        start_ms=now_ms,
        end_ms=now_ms,
        time_start="now",
        rows=_rows(given["eventData"]),
    )


def _rows(text: str) -> list[dict[str, str]]:
    try:
        events = json.loads(text)
    except (ValueError, RecursionError):
        events = None
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise wrong_input({"eventData": "must be a JSON array of objects"})
    return [{name: _text(value) for name, value in event.items()} for event in events]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
