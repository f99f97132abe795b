"""The server and its repositories' settings through GraphQL: one node, flags, retention.

What a local server cannot do, archiving, eviction, licenses, token policies, is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from orchestrator.ids import derive
from orchestrator.sandbox.answers import InputRefused, wrong_input
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.nodes import ORGANIZATION, Node
from orchestrator.sandbox.graphql.reading import domain_node, find_asset
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.directory import EVERYBODY
from orchestrator.sandbox.storage.domains import AssetKind, DomainSettings
from orchestrator.units import format_instant

Resolver = Callable[..., Any]

NODE_ID = 1
_GB = 1024**3
_CREATED_WITH = {
    "retentionInMillis": 86_400_000,
    "retentionInIngestSizeBytes": _GB,
    "retentionInStorageSizeBytes": _GB,
}
"""What a new repository is given, and how much of it is a day or a GB."""
_REFUSED = {
    "restoreDeletedSearchDomain": (Right.DELETE_REPOSITORIES, "to restore what was deleted"),
    "s3EnableArchiving": (Right.CHANGE_ARCHIVING, "archiving"),
    "s3DisableArchiving": (Right.CHANGE_ARCHIVING, "archiving"),
    "s3ConfigureArchiving": (Right.CHANGE_ARCHIVING, "archiving"),
    "updateLicenseKey": (Right.MANAGE_CLUSTER, "a license"),
    "clusterUnregisterNode": (Right.MANAGE_CLUSTER, "to unregister its only node"),
    "setIsBeingEvicted": (Right.MANAGE_CLUSTER, "to evict its only node"),
    "updateTokenSecurityPolicies": (Right.CHANGE_POLICIES, "a policy for tokens"),
}
_LICENSE: Node = {
    # No license is needed; clients that ask for one before anything else read this.
    "__typename": "OnPremLicense",
    "uid": "sandbox",
    "owner": "sandbox",
    "issuedAt": "1970-01-01T00:00:00Z",
    "expiresAt": "2999-12-31T00:00:00Z",
    "maxUsers": None,
    "isSaaS": False,
    "isOem": False,
}
_STAYS = {
    "isAlive": True,
    "leadsDigest": True,
    "hasUnderReplicatedData": False,
    "hasDataThatExistsOnlyOnThisNode": True,
}


def retention_given(given: Mapping[str, Any]) -> DomainSettings:
    """Return the settings of a new repository, whose retention is given in ms and in bytes.

    Raises:
        InputRefused: One of them is not positive.
    """
    sizes = {name: given.get(name) for name in _CREATED_WITH}
    _check_positive(sizes)
    days, ingest, storage = (
        None if size is None else size / unit
        for size, unit in zip(sizes.values(), _CREATED_WITH.values(), strict=True)
    )
    return DomainSettings(
        retention_days=days, retention_ingest_gb=ingest, retention_storage_gb=storage
    )


def server_facts(caller: Caller) -> Node:
    """Return the members of `meta` that say how the server is set up."""
    return {
        "isFeatureFlagEnabled": lambda _info, feature: bool(
            {EVERYBODY, f"org:{ORGANIZATION['id']}", f"user:{caller.role.name}"}
            & {*caller.sandbox.directory.scopes_of(feature)}
        ),
        "externalPermissions": False,
        "organizationMultiMode": False,
        "isUsingSmtp": False,
        "allowActionsNotUseProxy": True,
        "sharedDashboardsEnabled": False,
        "isApiExplorerEnabled": False,
        # Nobody logs in: there are tokens alone.
        "authenticationMethod": {"__typename": "NoAuthentication", "name": "NoAuthentication"},
        "organizationMode": "Single",
    }


def server_queries(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers of server-wide reads."""

    def flags(_info: Any, enabledInScopeFilter: str | None = None, **_rest: Any) -> list[Node]:  # noqa: N803 -- the schema's name
        names = _info.schema.type_map["FeatureFlag"].values
        shown = [name for name in names if _fits(caller.sandbox, name, enabledInScopeFilter)]
        return [{"flag": name, "description": name, "experimental": False} for name in shown]

    def cluster(_info: Any) -> Node:
        caller.demand(Right.MANAGE_CLUSTER)
        return _cluster(caller.sandbox)

    found: dict[str, Resolver] = {"cluster": cluster, "featureFlags": flags}
    return found | {"installedLicense": lambda _info: _LICENSE}


def server_mutations(caller: Caller) -> dict[str, Resolver]:
    """Return the resolvers of server-wide changes and of settings."""
    found: dict[str, Resolver] = {
        name: _refusal(caller, right, what) for name, (right, what) in _REFUSED.items()
    }
    return found | _flag_mutations(caller) | _setting_mutations(caller)


def _flag_mutations(caller: Caller) -> dict[str, Resolver]:
    def switch(feature: str, scope: str, *, on: bool) -> bool:
        caller.demand(Right.CHANGE_FLAGS)
        caller.sandbox.directory.switch(feature, scope=scope, on=on)
        caller.sandbox.save()
        return True

    def reasons(nodeId: int) -> Node:  # noqa: N803 -- the schema's name
        caller.demand(Right.MANAGE_CLUSTER)
        if nodeId != NODE_ID:
            raise InputRefused(f"Could not find a node with the id '{nodeId}'")
        return {"reasonsNodeCannotBeSafelyUnregistered": _STAYS}

    found: dict[str, Resolver] = {
        "refreshClusterManagementStats": lambda _info, nodeId: reasons(nodeId)  # noqa: N803 -- the schema's name
    }
    for verb, on in (("enable", True), ("disable", False)):
        found |= {
            f"{verb}Feature": lambda _info, feature, on=on, **_rest: switch(
                feature, EVERYBODY, on=on
            ),
            f"{verb}FeatureForOrg": lambda _info, feature, orgId, on=on, **_rest: switch(  # noqa: N803 -- the schema's name
                feature, f"org:{orgId}", on=on
            ),
            f"{verb}FeatureForUser": lambda _info, feature, userId, on=on, **_rest: switch(  # noqa: N803 -- the schema's name
                feature, f"user:{userId}", on=on
            ),
        }
    return found


def _setting_mutations(caller: Caller) -> dict[str, Resolver]:
    def describe(_info: Any, name: str, newDescription: str) -> Node:  # noqa: N803 -- the schema's name
        caller.domain(name, Right.CHANGE_DESCRIPTION).description = newDescription
        caller.sandbox.save()
        return {"description": newDescription}

    def search_at_once(_info: Any, name: str, automaticSearch: bool) -> Node:  # noqa: N803 -- the schema's name
        domain = caller.domain(name, Right.CHANGE_DEFAULT_SEARCH)
        domain.settings = replace(domain.settings, automatic_search=automaticSearch)
        caller.sandbox.save()
        return {"automaticSearch": automaticSearch}

    def search_first(given: Mapping[str, Any]) -> Node:
        domain = caller.domain(given["viewName"], Right.CHANGE_DEFAULT_SEARCH)
        query_id = given.get("savedQueryId")
        if query_id is not None:
            find_asset(AssetKind.SAVED_QUERY, query_id, domain)
        domain.settings = replace(domain.settings, default_query=query_id)
        caller.sandbox.save()
        return {"result": True}

    def star(name: str, *, on: bool) -> Node:
        domain = caller.readable(name)
        domain.settings = replace(domain.settings, is_starred=on)
        caller.sandbox.save()
        return domain_node(domain, caller)

    def retain(_info: Any, repositoryName: str, **given: float | None) -> Node:  # noqa: N803 -- the schema's name
        domain = caller.repository(repositoryName, Right.CHANGE_RETENTION)
        if given.get("timeBasedBackupRetention") is not None:
            raise _unsupported("retention of backups")
        _check_positive(given)
        old = domain.settings
        domain.settings = replace(
            old,
            retention_days=given.get("timeBasedRetention", old.retention_days),
            retention_ingest_gb=given.get("ingestSizeBasedRetention", old.retention_ingest_gb),
            retention_storage_gb=given.get("storageSizeBasedRetention", old.retention_storage_gb),
        )
        caller.sandbox.save()
        return {"repository": domain_node(domain, caller)}

    return {
        "updateDescriptionForSearchDomain": describe,
        "setAutomaticSearching": search_at_once,
        "setDefaultSavedQuery": lambda _info, input: search_first(input),  # noqa: A006 -- the schema's name
        "updateRetention": retain,
        "addStarToSearchDomain": lambda _info, name: star(name, on=True),
        "removeStarFromSearchDomain": lambda _info, name: star(name, on=False),
    }


def _check_positive(given: Mapping[str, float | None]) -> None:
    wrong = [name for name, value in given.items() if value is not None and value <= 0]
    if wrong:
        reasons = dict.fromkeys(wrong, "must be positive")
        raise wrong_input(reasons)


def _refusal(caller: Caller, right: Right, what: str) -> Resolver:
    def refuse(_info: Any, **_arguments: Any) -> Any:
        caller.demand(right)
        raise _unsupported(what)

    return refuse


def _unsupported(what: str) -> InputRefused:
    return InputRefused(f"{what} is not supported by the sandbox")


def _fits(sandbox: Sandbox, flag: str, scope: str | None) -> bool:
    """Return whether a flag is on in the scope of this name; any flag fits no scope."""
    on_for = sandbox.directory.scopes_of(flag)
    match scope:
        case None:
            return True
        case "Disabled":
            return not on_for
        case "GlobalScope":
            return EVERYBODY in on_for
        case "OrganizationScope":
            return any(name.startswith("org:") for name in on_for)
        case _:
            return any(name.startswith("user:") for name in on_for)


def _cluster(sandbox: Sandbox) -> Node:
    logs = [domain.log for domain in sandbox.domains.values()]
    # Sizes of a cluster and of its nodes are in GB, other than those of a repository.
    held = sum(log.snapshot().memory_bytes() for log in logs) / _GB
    nothing = dict.fromkeys(
        (
            "underReplicatedSegmentSize",
            "overReplicatedSegmentSize",
            "missingSegmentSize",
            "inBucketStorageSegmentSize",
            "pendingBucketStorageSegmentSize",
            "pendingBucketStorageRiskySegmentSize",
            "targetUnderReplicatedSegmentSize",
            "targetOverReplicatedSegmentSize",
            "targetMissingSegmentSize",
        ),
        0,
    )
    return {
        **nothing,
        "nodes": [_node(sandbox, held)],
        "clusterInfoAgeSeconds": 0,
        "properlyReplicatedSegmentSize": held,
        "targetProperlyReplicatedSegmentSize": held,
        "ingestPartitions": [{"id": 0, "nodeIds": [NODE_ID]}],
        "storageReplicationFactor": 1,
        "digestReplicationFactor": 1,
    }


def _node(sandbox: Sandbox, held: float) -> Node:
    now, up = sandbox.clock.now(), sandbox.uptime()
    nothing = dict.fromkeys(
        (
            "clusterInfoAgeSeconds",
            "inboundSegmentSize",
            "outboundSegmentSize",
            "secondarySize",
            "totalSizeOfSecondary",
            "freeOnPrimary",
            "freeOnSecondary",
            "wipSize",
            "timeSinceLastHeartbeat",
        ),
        0,
    )
    return {
        **nothing,
        "id": NODE_ID,
        "name": urlsplit(sandbox.settings.public_url).netloc,
        "zone": None,
        "uri": sandbox.settings.public_url,
        "uuid": derive("node", "sandbox")[:32],
        "humioVersion": sandbox.settings.version,
        "supportedTasks": ["digest", "query"],
        "assignedTasks": ["digest", "query"],
        "unassignedTasks": [],
        "consideredAliveUntil": format_instant(now + timedelta(minutes=2)),
        "canBeSafelyUnregistered": False,
        "reasonsNodeCannotBeSafelyUnregistered": _STAYS,
        "currentSize": held,
        "primarySize": held,
        "totalSizeOfPrimary": held,
        "targetSize": held,
        "solitarySegmentSize": held,
        "isAvailable": True,
        "lastHeartbeat": format_instant(now),
        "isBeingEvicted": False,
        "hasStorageRole": True,
        "hasDigestRole": True,
        "bootedAt": format_instant(now - up),
        "timeSinceBooted": int(up.total_seconds() * 1000),
    }
