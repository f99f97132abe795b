"""Repositories and views, between the GraphQL schema's shapes and ours.

Source: GraphQL schema of server 1.204.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from orchestrator.client.http.members import Members
from orchestrator.client.types import RepositoryFacts, Retention, View, ViewConnection


def read_view(members: Members) -> View:
    """Return the repository or view that an answer holds."""
    is_repository = members.text("__typename") == "Repository"
    return View(
        id=members.text("id"),
        name=members.text("name"),
        description=members.text("description", ""),
        is_repository=is_repository,
        connections=tuple(map(_connection, members.members("connections"))),
        has_automatic_search=members.flag("automaticSearch"),
        retention=_retention(members),
        facts=_facts(members) if is_repository else None,
    )


def write_connections(connections: Sequence[ViewConnection]) -> list[dict[str, str]]:
    """Return the input that makes a view of these connections."""
    return [
        {
            "repositoryName": connection.repository,
            "filter": connection.filter,
            "languageVersion": connection.language,
        }
        for connection in connections
    ]


def _connection(members: Members) -> ViewConnection:
    language = members.member("languageVersion").member("version")
    return ViewConnection(
        repository=members.member("repository").text("name"),
        filter=members.text("filter"),
        language=language.text("name"),
    )


def _retention(members: Members) -> Retention:
    days = members.optional_fraction("timeBasedRetention")
    try:
        max_age = None if days is None else timedelta(days=days)
    except OverflowError as exc:
        raise members.wrong("timeBasedRetention", "a time that a calendar holds") from exc
    return Retention(
        max_age=max_age,
        ingest_gb=members.optional_fraction("ingestSizeBasedRetention"),
        storage_gb=members.optional_fraction("storageSizeBasedRetention"),
    )


def _facts(members: Members) -> RepositoryFacts:
    latest = "timeOfLatestIngest"
    return RepositoryFacts(
        kind=members.text("type"),
        data=members.text("dataType"),
        compressed_bytes=members.number("compressedByteSize"),
        uncompressed_bytes=members.number("uncompressedByteSize"),
        latest_ingest_at=members.instant(latest) if latest in members else None,
    )
