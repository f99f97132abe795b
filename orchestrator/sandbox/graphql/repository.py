"""What a repository shows beyond what views have too: parsers, ingest tokens, size, retention."""

from __future__ import annotations

from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.nodes import Node
from orchestrator.sandbox.graphql.parsers import named_parser, parser_fields
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.storage.domains import Domain
from orchestrator.units import format_instant, from_epoch_ms


def repository_fields(domain: Domain, caller: Caller) -> Node:
    """Return the fields that a repository has and a view has not."""
    settings = domain.settings
    sizes = {
        # Events are held in memory, uncompressed.
        f"{form}ByteSize{part}": lambda _info: domain.log.snapshot().memory_bytes()
        for form in ("compressed", "uncompressed")
        for part in ("", "OfMerged")
    }
    return {
        **parser_fields(domain),
        **sizes,
        "type": "DEFAULT",
        "dataType": "ANYDATA",
        "timeBasedRetention": settings.retention_days,
        "ingestSizeBasedRetention": settings.retention_ingest_gb,
        "storageSizeBasedRetention": settings.retention_storage_gb,
        "timeOfLatestIngest": lambda _info: _latest_ingest(domain),
        "timeBasedBackupRetention": None,
        "ingestBlock": None,
        "usageTag": None,
        "maxAutoShardCount": None,
        "archivingProvider": None,
        "s3ArchivingConfiguration": None,
        "ingestTokens": lambda _info: token_nodes(domain, caller),
    }


def token_nodes(domain: Domain, caller: Caller) -> list[Node]:
    """Return the repository's tokens; a token is a secret: only who may make one sees them."""
    if not caller.may(Right.CHANGE_INGEST_TOKENS):
        return []
    return [
        token_node(text, role, domain)
        for text, role in caller.sandbox.tokens.items()
        if role.repository == domain.name and role.rights == {Right.INGEST}
    ]


def token_node(text: str, role: TokenRole, domain: Domain) -> Node:
    """Return the GraphQL object of an ingest token."""
    return {"name": role.name, "token": text, "parser": named_parser(domain, role.parser)}


def _latest_ingest(domain: Domain) -> str | None:
    newest_ms = domain.log.snapshot().newest_ingest_ms()
    return None if newest_ms is None else format_instant(from_epoch_ms(newest_ms))
