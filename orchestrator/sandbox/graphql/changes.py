"""Mutations on assets: records, made of inputs, are checked, stored, saved.

Updates replace everything that their input names; only a saved query's update keeps what it leaves
out. What each mutation returns, object or Boolean, differs by kind as on LogScale.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.assets import records
from orchestrator.sandbox.assets.checks import check_asset
from orchestrator.sandbox.assets.records import Input
from orchestrator.sandbox.assets.yaml_forms import input_of
from orchestrator.sandbox.graphql.caller import Caller, Verb
from orchestrator.sandbox.graphql.reading import asset_node, find_asset
from orchestrator.sandbox.storage.domains import AssetKind, Domain, Record

Resolver = Callable[..., Any]
FromInput = Callable[[Input, Domain], Record]

ACTION_TYPES = (
    "Email",
    "Webhook",
    "Slack",
    "SlackPostMessage",
    "PagerDuty",
    "OpsGenie",
    "VictorOps",
    "HumioRepo",
    "UploadFile",
)


def template_queries(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers that read a trigger from YAML and store nothing, by field name."""
    return {
        f"generate{name}FromTemplate": partial(unsaved_asset, caller, kind, from_input)
        for name, kind, from_input in (
            ("Alert", AssetKind.LEGACY_ALERT, records.legacy_alert),
            ("FilterAlert", AssetKind.FILTER_ALERT, records.filter_alert),
            ("AggregateAlert", AssetKind.AGGREGATE_ALERT, records.aggregate_alert),
            ("ScheduledSearch", AssetKind.SCHEDULED_SEARCH, records.older_scheduled_search),
        )
    }


def asset_mutations(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers of every mutation that touches an asset, by field name."""
    change = AssetChange(caller)
    found: dict[str, Resolver] = {
        "createSavedQuery": _wrapped(change.create, AssetKind.SAVED_QUERY, records.saved_query),
        "updateSavedQuery": _wrapped(
            change.update, AssetKind.SAVED_QUERY, records.saved_query_update
        ),
        "deleteSavedQuery": lambda _info, input: {  # noqa: A006 -- the schema's name
            "result": change.delete(AssetKind.SAVED_QUERY, input)
        },
        "createSavedQueryFromTemplate": lambda _info, input: change.create(  # noqa: A006 -- the schema's name
            AssetKind.SAVED_QUERY, input, records.saved_query_from_template
        ),
        "createActionFromTemplate": _mutation(
            change.create, AssetKind.ACTION, records.action_from_template
        ),
        "deleteAction": _mutation(change.delete, AssetKind.ACTION),
    }
    for typename in ACTION_TYPES:
        from_input = partial(records.action, typename=f"{typename}Action")
        found[f"create{typename}Action"] = _mutation(change.create, AssetKind.ACTION, from_input)
        found[f"update{typename}Action"] = _mutation(change.update, AssetKind.ACTION, from_input)
    found |= _alert_mutations(change, AssetKind.FILTER_ALERT, "FilterAlert", records.filter_alert)
    found |= _alert_mutations(
        change, AssetKind.AGGREGATE_ALERT, "AggregateAlert", records.aggregate_alert
    )
    found |= _alert_mutations(change, AssetKind.LEGACY_ALERT, "Alert", records.legacy_alert)
    return found | _label_mutations(change) | _scheduled_mutations(change)


class AssetChange:
    """The verbs, over any kind of asset."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create(self, kind: AssetKind, given: Input, from_input: FromInput) -> dict[str, Any]:
        """Store a new asset and return its node."""
        domain = self._caller.changeable(given["viewName"], kind, Verb.CREATE)
        now_ms = self._caller.sandbox.now_ms()
        record = self._owned(from_input(given, domain)) | {
            "id": secrets.token_hex(16),
            "createdAt": now_ms,
            "modifiedAt": now_ms,
            "by": self._caller.role.name,
        }
        return self._store(kind, record, domain)

    def update(self, kind: AssetKind, given: Input, from_input: FromInput) -> dict[str, Any]:
        """Replace an asset and return its node."""
        domain = self._caller.changeable(given["viewName"], kind, Verb.UPDATE)
        old = find_asset(kind, given["id"], domain)
        record = old | self._owned(from_input(given, domain)) | self._touched(old)
        if record.get("typename") != old.get("typename"):
            raise InputRefused(f"The action '{old['name']}' is a {old['typename']}")
        return self._store(kind, record, domain)

    def delete(self, kind: AssetKind, given: Input) -> bool:
        """Remove an asset."""
        domain = self._caller.changeable(given["viewName"], kind, Verb.DELETE)
        del domain.assets[kind][find_asset(kind, given["id"], domain)["id"]]
        self._caller.sandbox.save()
        return True

    def switch(self, kind: AssetKind, given: Input, *, enabled: bool) -> dict[str, Any]:
        """Enable or disable a trigger and return its node."""
        return self._edit(kind, given, lambda _old: {"enabled": enabled})

    def label(
        self, kind: AssetKind, given: Input, labels: Sequence[str], *, add: bool
    ) -> dict[str, Any]:
        """Add or remove labels and return the node."""

        def edited(old: Record) -> Record:
            rest = [label for label in old["labels"] if label not in labels]
            return {"labels": [*rest, *dict.fromkeys(labels)] if add else rest}

        return self._edit(kind, given, edited)

    def clear_error(self, kind: AssetKind, given: Input) -> dict[str, Any]:
        """Forget a trigger's last error, so that it is tried again at once; return its node."""
        domain = self._caller.changeable(given["viewName"], kind, Verb.UPDATE)
        self._caller.sandbox.triggers.clear_error(domain.runs.get(given["id"]))
        return self._edit(kind, given, lambda _old: {})

    def _edit(
        self, kind: AssetKind, given: Input, edited: Callable[[Record], Record]
    ) -> dict[str, Any]:
        domain = self._caller.changeable(given["viewName"], kind, Verb.UPDATE)
        old = find_asset(kind, given["id"], domain)
        return self._store(kind, old | edited(old) | self._touched(old), domain)

    def _owned(self, record: Record) -> Record:
        """Return a user's trigger with the user that it runs as, whoever touches it later."""
        if record.get("queryOwnershipType") != "User" or record["runAsUserId"]:
            return record
        return record | {"runAsUserId": self._caller.role.name}

    def _touched(self, old: Record) -> Record:
        # Two changes within one millisecond must not look like one.
        now_ms = max(self._caller.sandbox.now_ms(), old["modifiedAt"] + 1)
        return {"modifiedAt": now_ms, "by": self._caller.role.name}

    def _store(self, kind: AssetKind, record: Record, domain: Domain) -> dict[str, Any]:
        check_asset(kind, record, domain)
        domain.assets[kind][record["id"]] = record
        self._caller.sandbox.save()
        return asset_node(kind, record, domain)


def _mutation(verb: Callable[..., Any], kind: AssetKind, *rest: Any, **named: Any) -> Resolver:
    return lambda _info, input: verb(kind, input, *rest, **named)  # noqa: A006 -- the schema's name


def _wrapped(verb: Callable[..., Any], kind: AssetKind, from_input: FromInput) -> Resolver:
    """Return a mutation whose payload holds the node under `savedQuery`."""
    return lambda _info, input: {"savedQuery": verb(kind, input, from_input)}  # noqa: A006 -- the schema's name


def _done(mutation: Resolver) -> Resolver:
    """Return a mutation that answers true in place of the node."""
    return lambda info, input: mutation(info, input) is not None  # noqa: A006 -- the schema's name


def _alert_mutations(
    change: AssetChange, kind: AssetKind, typename: str, from_input: FromInput
) -> dict[str, Resolver]:
    return {
        f"create{typename}": _mutation(change.create, kind, from_input),
        f"update{typename}": _mutation(change.update, kind, from_input),
        f"delete{typename}": _mutation(change.delete, kind),
        f"enable{typename}": _done(_mutation(change.switch, kind, enabled=True)),
        f"disable{typename}": _done(_mutation(change.switch, kind, enabled=False)),
        f"clearErrorOn{typename}": _mutation(change.clear_error, kind),
    }


def _label_mutations(change: AssetChange) -> dict[str, Resolver]:
    """Return what adds and removes one label: the newer alerts answer true, the others the node."""

    def labelled(kind: AssetKind, *, add: bool) -> Resolver:
        return lambda _info, input: change.label(kind, input, [input["label"]], add=add)  # noqa: A006 -- the schema's name

    found = {}
    for verb, add in (("add", True), ("remove", False)):
        for typename, kind in (
            ("FilterAlert", AssetKind.FILTER_ALERT),
            ("AggregateAlert", AssetKind.AGGREGATE_ALERT),
        ):
            found[f"{verb}{typename}Label"] = _done(labelled(kind, add=add))
        found[f"{verb}AlertLabelV2"] = labelled(AssetKind.LEGACY_ALERT, add=add)
        found[f"{verb}ScheduledSearchLabel"] = labelled(AssetKind.SCHEDULED_SEARCH, add=add)
    return found


def _scheduled_mutations(change: AssetChange) -> dict[str, Resolver]:
    kind = AssetKind.SCHEDULED_SEARCH
    return {
        "createScheduledSearch": _mutation(change.create, kind, records.older_scheduled_search),
        "updateScheduledSearch": _mutation(change.update, kind, records.older_scheduled_search),
        "createScheduledSearchV2": _mutation(change.create, kind, records.created_scheduled_search),
        "updateScheduledSearchV2": _mutation(change.update, kind, records.scheduled_search),
        "updateScheduledSearchV3": _mutation(change.update, kind, records.scheduled_search),
        "deleteScheduledSearch": _mutation(change.delete, kind),
        "enableScheduledSearch": _mutation(change.switch, kind, enabled=True),
        "disableScheduledSearch": _mutation(change.switch, kind, enabled=False),
        "clearErrorOnScheduledSearch": _mutation(change.clear_error, kind),
    }


def unsaved_asset(
    caller: Caller,
    kind: AssetKind,
    from_input: FromInput,
    _info: Any,
    input: Input,  # noqa: A002 -- the schema's name
) -> dict[str, Any]:
    """Return the node of a trigger read from YAML, which is not stored."""
    domain = caller.readable(input["viewName"])
    now_ms = caller.sandbox.now_ms()
    record = from_input(input_of(kind, input["yamlTemplate"]), domain) | {
        "id": "",
        "createdAt": now_ms,
        "modifiedAt": now_ms,
        "by": caller.role.name,
    }
    node = asset_node(kind, record, domain)
    # Objects in every kind that is not stored.
    return node | {"actions": node.get("actionsV2", node["actions"])}
