"""Versions of a Falcon NG-SIEM correlation rule: each update makes one and publishes it.

An older one is published again to go back. What an export's address serves is not published, so
only the address is returned.
Source: CrowdStrike gofalcon (correlationrulesapi models) and falconpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.client.gateway.correlation_rules import PAGE_RULES
from orchestrator.client.gateway.envelope import ask, criteria, list_all
from orchestrator.client.gateway.rule_reading import read_rule
from orchestrator.client.http.members import Members
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.types import CorrelationRule

_VERSIONS = "correlation-rules/entities/rule-versions"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVersion:
    """What a rule is or was."""

    id: str
    """Of this version; the rule's own is `rule.id`."""
    number: int
    """From 1."""
    state: str
    """`published`, `unpublished` or `draft`; others may come."""
    updated_at: str
    """ISO 8601, UTC; as the gateway writes it."""
    rule: CorrelationRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An export that the gateway makes."""

    id: str
    href: str
    """Where it will be."""


class RuleVersions:
    """The versions of a tenant's correlation rules."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, rule_id: str) -> tuple[RuleVersion, ...]:
        """Return all versions of a rule, the newest first; empty if there is no such rule.

        Raises:
            ClientError: The gateway could not be asked.
        """
        found = await list_all(
            self._session,
            "correlation-rules/combined/rules/v2",
            lambda page: ((version.id, version) for version in map(_read, page.objects)),
            limit=PAGE_RULES,
            query=(("filter", f"rule_id:'{_quoted(rule_id)}'"),),
        )
        return tuple(sorted(found.values(), key=lambda version: -version.number))

    async def latest(self, rule_ids: Sequence[str]) -> tuple[RuleVersion, ...]:
        """Return the newest version of each rule, published or not.

        Raises:
            NotFound: No such rule.
        """
        query = tuple(("rule_ids", rule_id) for rule_id in rule_ids)
        request = json_request(
            "GET", "correlation-rules/entities/latest-rules/v1", query=query, idempotent=True
        )
        return tuple(_read(m) for m in (await ask(self._session, request)).objects)

    async def publish(self, version_id: str) -> None:
        """Make a version what its rule is; an older one takes the rule back.

        Raises:
            NotFound: No such version.
        """
        # To publish what is published already changes nothing.
        request = json_request(
            "PATCH", f"{_VERSIONS}/publish/v1", {"id": version_id}, idempotent=True
        )
        await ask(self._session, request)

    async def delete(self, version_ids: Sequence[str]) -> None:
        """Delete versions that are not published; none is deleted if one cannot be.

        Raises:
            NotFound: No such version.
            RequestRejected: One of them is published.
        """
        query = tuple(("ids", version_id) for version_id in version_ids)
        await ask(self._session, json_request("DELETE", f"{_VERSIONS}/v1", query=query))

    async def export(self, *, filter_text: str, is_latest: bool = True) -> tuple[Export, ...]:
        """Have the versions exported that an FQL filter finds, as JSON, oldest first.

        Args:
            filter_text: FQL, such as `name:'T1528*'`.
            is_latest: Whether only the newest version of each rule is taken.

        Raises:
            RequestRejected: The filter is not FQL.
        """
        search = {"filter": filter_text, "sort": "created_on"}
        body = {"get_latest": is_latest, "report_format": "json", "search": search}
        # Only a read: a second export does no harm.
        request = json_request("POST", f"{_VERSIONS}/export/v1", body, idempotent=True)
        page = await ask(self._session, request)
        return tuple(Export(id=m.text("id"), href=m.text("href")) for m in page.objects)

    async def counts(
        self, member: str, *, filter_text: str = "", limit: int = 10
    ) -> dict[str, int]:
        """Count versions by the values of a member, such as `severity`, the most frequent first.

        Args:
            member: As an FQL filter names it.
            filter_text: FQL; empty counts all versions.
            limit: How many values are told at most; from 1.

        Raises:
            RequestRejected: The filter is not FQL, or nothing can be counted by the member.
        """
        spec = {"field": member, "name": member, "type": "terms", "size": limit}
        request = json_request(
            "POST",
            "correlation-rules/aggregates/rule-versions/v1",
            [spec],
            query=criteria(filter=filter_text),
            idempotent=True,
        )
        page = await ask(self._session, request)
        buckets = [bucket for found in page.objects for bucket in found.members("buckets")]
        return {_label(bucket): bucket.number("count") for bucket in buckets}

    async def load(self, version: Mapping[str, object]) -> tuple[RuleVersion, ...]:
        """Import one exported version and return what it became: a version, or a rule.

        Raises:
            RequestRejected: It is no rule version.
        """
        page = await ask(self._session, json_request("POST", f"{_VERSIONS}/import/v1", version))
        return tuple(_read(members) for members in page.objects)


def _read(members: Members) -> RuleVersion:
    return RuleVersion(
        id=members.text("id"),
        number=members.number("version"),
        state=members.text("state", ""),
        updated_at=members.text("last_updated_on", ""),
        rule=read_rule(members),
    )


def _label(bucket: Members) -> str:
    # Values of a number are labelled with numbers.
    label = bucket.raw.get("label")
    if not isinstance(label, str | int | float):
        raise bucket.wrong("label", "a text or a number")
    return str(label)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
