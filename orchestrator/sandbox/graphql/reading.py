"""A stored asset as GraphQL reads it: plain dicts, lazy where a value needs a look elsewhere.

The default resolver takes members of a dict and calls those that are functions.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.assets.yaml_forms import yaml_of
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.dashboard_nodes import dashboard_fields
from orchestrator.sandbox.graphql.files import field_search
from orchestrator.sandbox.graphql.nodes import (
    LEGACY,
    ORGANIZATION,
    Node,
    author_node,
    language_node,
    user_node,
)
from orchestrator.sandbox.graphql.package_nodes import installation_node, package_fields
from orchestrator.sandbox.graphql.people import People
from orchestrator.sandbox.graphql.permissions import view_actions_of
from orchestrator.sandbox.graphql.repository import repository_fields
from orchestrator.sandbox.storage.domains import (
    AssetKind,
    Domain,
    Record,
    StoredFile,
    display_name,
)
from orchestrator.sandbox.storage.states import RunState
from orchestrator.units import format_instant, from_epoch_ms

_ASSET_ACTIONS = ["Read", "Update", "Delete", "ReadMetadata"]


def asset_node(kind: AssetKind, record: Record, domain: Domain) -> Node:
    """Return the GraphQL object of an asset."""
    node = _common(kind, record, domain)
    match kind:
        case AssetKind.SAVED_QUERY:
            return node | _saved_query(record)
        case AssetKind.ACTION:
            own = {k: v for k, v in record.items() if k not in node and k not in _INTERNAL}
            return node | own | {"__typename": record["typename"], "labels": record["labels"]}
        case AssetKind.SCHEDULED_SEARCH:
            return node | _trigger(record, domain) | _scheduled_search(record, domain)
        case AssetKind.FILTER_ALERT | AssetKind.AGGREGATE_ALERT:
            state = domain.runs.get(record["id"], _NEVER_RUN)
            alert = {
                "lastSuccessfulPoll": state.last_poll_ms or None,
                "lastTriggered": state.last_triggered_ms or None,
                "lastErrorTime": state.error_ms or None,
            }
            own = {name: record[name] for name in _ALERT_FIELDS if name in record}
            own["throttleFields"] = [record["throttleField"]] if record["throttleField"] else []
            return node | _trigger(record, domain) | alert | own
        case AssetKind.LEGACY_ALERT:
            return node | _trigger(record, domain) | _legacy_alert(record, domain)


_NEVER_RUN = RunState()
_INTERNAL = {"createdAt", "modifiedAt", "by", "typename", "package", "packagedAt"}
_ALERT_FIELDS = (
    "throttleTimeSeconds",
    "throttleField",
    "searchIntervalSeconds",
    "queryTimestampType",
    "triggerMode",
)


def file_node(file: StoredFile, domain: Domain) -> Node:
    """Return the GraphQL object of a lookup file."""
    return {
        "nameAndPath": {"name": file.name, "path": file.package or None},
        "contentHash": file.content_hash,
        "fileSizeBytes": len(file.content),
        "createdAt": format_instant(from_epoch_ms(file.created_ms)),
        "createdBy": file.created_by or file.modified_by,
        "modifiedAt": format_instant(from_epoch_ms(file.modified_ms)),
        "modifiedBy": file.modified_by,
        **package_fields(domain, file.package),
        "labels": list(file.labels),
        "allowedActions": _ASSET_ACTIONS,
        "resource": f"search-domains/{domain.id}/files/{file.path}",
    }


def domain_node(domain: Domain, caller: Caller) -> Node:
    """Return the GraphQL object of a repository or view."""
    allowed = view_actions_of(caller.role, domain)
    node: Node = {
        "__typename": "View" if domain.is_view else "Repository",
        "id": domain.id,
        "name": domain.name,
        "description": domain.description or None,
        "deletedDate": None,
        "permanentlyDeletedAt": None,
        "isStarred": domain.settings.is_starred,
        "starredFields": [],
        "searchLimitedMs": None,
        "reposExcludedInSearchLimit": [],
        **dashboard_fields(domain, lambda shown: domain_node(shown, caller)),
        "automaticSearch": domain.settings.automatic_search,
        "resource": f"search-domains/{domain.id}",
        "viewerQueryPrefix": domain.prefix(),
        "tags": [],
        # Some servers do not know them all.
        "allowedViewActions": lambda info: [
            action for action in allowed if action in info.schema.type_map["ViewAction"].values
        ],
        "isActionAllowed": lambda _info, action: action in allowed,
        "defaultQuery": lambda _info: _default_query(domain),
        "fileFieldSearch": partial(field_search, domain),
        "installedPackages": lambda _info: [
            installation_node(package) for package in domain.packages.values()
        ],
        "users": lambda _info: People(caller, domain_node).users_of(domain),
        "groups": lambda _info: People(caller, domain_node).groups_of(domain),
        "files": lambda _info: [file_node(file, domain) for file in domain.files.values()],
    }
    for kind in AssetKind:
        node[kind.value] = _listing(kind, domain)
        node[_singular(kind)] = _one(kind, domain)
    return node | (_view(domain, caller) if domain.is_view else repository_fields(domain, caller))


def find_asset(kind: AssetKind, asset_id: str, domain: Domain) -> Record:
    """Return the stored asset.

    Raises:
        InputRefused: There is none with this id.
    """
    record = domain.assets[kind].get(asset_id)
    if record is None:
        raise InputRefused(f"Could not find an entry with the id '{asset_id}' in {kind.value}")
    return record


def _common(kind: AssetKind, record: Record, domain: Domain) -> Node:
    author = author_node(record["by"])
    return {
        "id": record["id"],
        "name": record["name"],
        "displayName": display_name(record),
        "labels": record["labels"],
        **package_fields(domain, record.get("package")),
        "yamlTemplate": lambda _info: yaml_of(kind, record, domain),
        "templateYaml": lambda _info: yaml_of(kind, record, domain),
        "isStarred": False,
        "isAllowedToRun": True,
        "requiresOrganizationOwnedQueriesPermissionToEdit": False,
        "allowedActions": _ASSET_ACTIONS,
        "resource": f"search-domains/{domain.id}/{kind.value}/{record['id']}",
        "createdInfo": {"timestamp": record["createdAt"], "author": author},
        "modifiedInfo": {"timestamp": record["modifiedAt"], "author": author},
    }


def _saved_query(record: Record) -> Node:
    return {
        "description": record["description"],
        "assetType": "SavedQuery",
        "widgetType": record["widgetType"],
        "options": json.loads(record["options"]),
        "query": {
            "queryString": record["queryString"],
            "start": record["start"],
            "end": record["end"],
            "isLive": record["isLive"],
            "arguments": [],
            "languageVersion": LEGACY,
        },
    }


def _trigger(record: Record, domain: Domain) -> Node:
    state = domain.runs.get(record["id"], _NEVER_RUN)
    owner: Node = {"__typename": "OrganizationOwnership", "id": "sandbox"}
    if record["queryOwnershipType"] == "User":
        user = user_node(record["runAsUserId"] or record["by"])
        owner = {"__typename": "UserOwnership", "id": user["id"], "user": user}
    else:
        owner["organization"] = ORGANIZATION
    return {
        "description": record["description"],
        "queryString": record["queryString"],
        "enabled": record["enabled"],
        "lastError": state.error or None,
        "lastWarnings": state.warnings,
        "queryOwnership": owner,
        "actions": lambda _info: _actions(record, domain),
        "modifiedInfo": {
            "__typename": "ModifiedInfoUser",
            "modifiedAt": record["modifiedAt"],
            "user": user_node(record["by"]),
        },
    }


def _scheduled_search(record: Record, domain: Domain) -> Node:
    interval, offset = record["searchIntervalSeconds"], record["searchIntervalOffsetSeconds"] or 0
    state = domain.runs.get(record["id"], _NEVER_RUN)
    own = (
        "searchIntervalSeconds",
        "searchIntervalOffsetSeconds",
        "maxWaitTimeSeconds",
        "timeZone",
        "schedule",
        "queryTimestampType",
        "triggerOnEmptyResult",
    )
    return {name: record[name] for name in own} | {
        "start": f"{interval + offset}s",
        "end": f"{offset}s" if offset else "now",
        "backfillLimit": record["backfillLimit"] or 0,
        "backfillLimitV2": record["backfillLimit"],
        **_older_members(record, domain),
        # Both are the end of the window that was searched, not the time of the run.
        "lastExecuted": state.last_executed_ms or None,
        # That one was the time of the run.
        "lastScheduledSearch": state.last_poll_ms or None,
        "lastTriggered": state.last_triggered_ms or None,
        "timeOfNextPlannedExecution": state.next_ms or None,
    }


def _legacy_alert(record: Record, domain: Domain) -> Node:
    own = ("queryStart", "throttleTimeMillis", "throttleField")
    state = domain.runs.get(record["id"], _NEVER_RUN)
    return {name: record[name] for name in own} | {
        **_older_members(record, domain),
        "assetType": "Alert",
        "timeOfLastTrigger": state.last_triggered_ms or None,
    }


def _older_members(record: Record, domain: Domain) -> Node:
    """Return what the two older kinds alone have: who they run as, and actions as ids."""
    is_user = record["queryOwnershipType"] == "User"
    return {
        # Ids here, objects in actionsV2: the reverse of the newer alerts.
        "actions": record["actionIds"],
        "actionsV2": lambda _info: _actions(record, domain),
        "runAsUser": user_node(record["runAsUserId"] or record["by"]) if is_user else None,
    }


def _actions(record: Record, domain: Domain) -> list[Node]:
    actions = domain.assets[AssetKind.ACTION]
    found = [actions[i] for i in record["actionIds"] if i in actions]
    return [asset_node(AssetKind.ACTION, action, domain) for action in found]


def _default_query(domain: Domain) -> Node | None:
    record = domain.assets[AssetKind.SAVED_QUERY].get(domain.settings.default_query or "")
    return None if record is None else asset_node(AssetKind.SAVED_QUERY, record, domain)


def _listing(kind: AssetKind, domain: Domain) -> Any:
    def listed(_info: Any, actionIds: list[str] | None = None) -> list[Node]:  # noqa: N803 -- the schema's name
        records = domain.assets[kind].values()
        return [
            asset_node(kind, record, domain)
            for record in records
            if actionIds is None or record["id"] in actionIds
        ]

    return listed


def _one(kind: AssetKind, domain: Domain) -> Any:
    return lambda _info, id: asset_node(kind, find_asset(kind, id, domain), domain)  # noqa: A006 -- the schema's name


def _singular(kind: AssetKind) -> str:
    return {
        AssetKind.SAVED_QUERY: "savedQuery",
        AssetKind.SCHEDULED_SEARCH: "scheduledSearch",
        AssetKind.FILTER_ALERT: "filterAlert",
        AssetKind.AGGREGATE_ALERT: "aggregateAlert",
        AssetKind.LEGACY_ALERT: "alert",
        AssetKind.ACTION: "action",
    }[kind]


def _view(domain: Domain, caller: Caller) -> Node:
    connections = [
        {
            "repository": domain_node(_reached(c.repository, caller), caller),
            "filter": c.filter,
            "languageVersion": language_node(c.language),
        }
        for c in domain.connections or ()
        if c.repository in caller.sandbox.domains
    ]
    return {"connections": connections, "isFederated": False}


def _reached(name: str, caller: Caller) -> Domain:
    """Return a repository behind a view; its name alone where the caller reaches the view only."""
    return caller.sandbox.domains[name] if caller.role.reaches(name) else Domain(name=name)
