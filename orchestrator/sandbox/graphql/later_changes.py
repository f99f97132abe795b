"""The newer mutations of triggers, which came after server 1.204.

They answer with the trigger, and take many labels at once. A deletion tells by its answer whether
there was anything to delete. Runs are never repeated here.
Source: library.humio.com, GraphQL reference.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.assets import records
from orchestrator.sandbox.assets.records import Input
from orchestrator.sandbox.graphql.caller import Caller, Verb
from orchestrator.sandbox.graphql.changes import AssetChange
from orchestrator.sandbox.graphql.nodes import Node
from orchestrator.sandbox.storage.domains import AssetKind

Resolver = Callable[..., Any]

_KINDS = {
    "ScheduledSearch": AssetKind.SCHEDULED_SEARCH,
    "FilterAlert": AssetKind.FILTER_ALERT,
    "AggregateAlert": AssetKind.AGGREGATE_ALERT,
}


def later_mutations(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers of what came after 1.204, by field name."""
    change = AssetChange(caller)
    found: dict[str, Resolver] = {
        "updateFilterAlertV2": lambda _info, input: change.update(  # noqa: A006 -- the schema's name
            AssetKind.FILTER_ALERT, input, records.filter_alert
        ),
        "updateAggregateAlertV2": lambda _info, input: change.update(  # noqa: A006 -- the schema's name
            AssetKind.AGGREGATE_ALERT, input, records.aggregate_alert
        ),
        "rerunScheduledSearch": partial(_not_repeated, caller),
        "cancelScheduledSearchRerun": partial(_not_repeated, caller),
    }
    for name, kind in _KINDS.items():
        found |= {
            f"enable{name}V2": partial(_switched, change, kind, enabled=True),
            f"disable{name}V2": partial(_switched, change, kind, enabled=False),
            f"delete{name}V2": partial(_deleted, caller, kind),
            f"add{name}Labels": partial(_labelled, change, kind, add=True),
            f"remove{name}Labels": partial(_labelled, change, kind, add=False),
        }
    return found


def _switched(
    change: AssetChange,
    kind: AssetKind,
    _info: Any,
    input: Input,  # noqa: A002 -- the schema's name
    *,
    enabled: bool,
) -> Node:
    return change.switch(kind, input, enabled=enabled)


def _labelled(
    change: AssetChange,
    kind: AssetKind,
    _info: Any,
    input: Input,  # noqa: A002 -- the schema's name
    *,
    add: bool,
) -> Node:
    return change.label(kind, input, input["labels"], add=add)


def _deleted(
    caller: Caller,
    kind: AssetKind,
    _info: Any,
    input: Input,  # noqa: A002 -- the schema's name
) -> bool:
    domain = caller.changeable(input["viewName"], kind, Verb.DELETE)
    return input["id"] in domain.assets[kind] and AssetChange(caller).delete(kind, input)


def _not_repeated(caller: Caller, _info: Any, input: Input) -> Node:  # noqa: A002 -- the schema's name
    caller.changeable(input["viewName"], AssetKind.SCHEDULED_SEARCH, Verb.UPDATE)
    raise InputRefused("to run a scheduled search again is not supported by the sandbox")
