"""How a server is set up: what it takes, and which of its features are on.

Source: GraphQL schema of server 1.204, `meta`.
"""

from __future__ import annotations

from orchestrator.client.graphql.client import Graphql
from orchestrator.client.types import ServerFacts


async def read_facts(graphql: Graphql) -> ServerFacts:
    """Return what a server says of itself and of its limits.

    Raises:
        ClientError: The server could not be asked.
    """
    meta = (await graphql.execute("ReadServerFacts")).member("meta")
    runs = meta.optional_number("scheduledSearchMaxBackfillLimit")
    return ServerFacts(
        environment=meta.text("environment"),
        cluster_id=meta.text("clusterId"),
        is_being_updated=meta.flag("isClusterBeingUpdated"),
        oldest_version=meta.text("minimumNodeVersion"),
        # The server writes -1 for no limit.
        max_backfill_runs=None if runs is None or runs < 0 else runs,
        max_csv_bytes=meta.number("maxCsvFileUploadSizeBytes"),
        max_json_bytes=meta.number("maxJsonFileUploadSizeBytes"),
    )


async def read_feature(graphql: Graphql, name: str) -> bool:
    """Return whether a feature is on for the caller.

    Args:
        graphql: Whom to ask.
        name: By the schema's FeatureFlag, such as `FlightControl`.

    Raises:
        GraphqlError: The server has no feature of this name.
    """
    data = await graphql.execute("ReadFeature", {"name": name})
    return data.member("meta").flag("isFeatureFlagEnabled")
