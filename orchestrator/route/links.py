"""Links from a message into LogScale and Falcon.

A link is made of settings, ids of known shape, times and, in a search, quoted CQL literals inside a
URL-encoded query. Patterns are settings, because the consoles' paths are not documented and move.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from orchestrator.model.finding import Finding
from orchestrator.model.notification import Link
from orchestrator.model.rule import Attack, Rule
from orchestrator.units import to_epoch_ms

_AID = re.compile(r"[0-9a-fA-F]{32}")
_PID = re.compile(r"\d{1,20}")
_PROCESS_FIELDS = ("falconPID", "TargetProcessId", "ContextProcessId")
_PLACEHOLDERS = frozenset({"", "-", "unresolved"})
_LITERAL_CHARS = 256
_URL_CHARS = 2_000
"""Slack refuses a URL over 3,000 characters, and mail gateways break long ones sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """Bases and patterns of the links; a base that is empty gives no link."""

    logscale_url: str = ""
    repository: str = ""
    falcon_url: str = ""
    search_path: str = "/{repository}/search?query={query}&live=false&start={start}&end={end}"
    """Of the LogScale base; `start` and `end` in epoch ms."""
    process_path: str = "/graphs/process-explorer/tree?id=pid:{aid}:{pid}&investigate=true"
    """Of the Falcon base. The page reaches back about a week, then the link is dead."""
    host_path: str = "/hosts/hosts/host/{aid}"
    margin: timedelta = timedelta(minutes=30)
    """How much a search shows before the first and after the last event."""
    search_fields: tuple[str, ...] = (
        "aid",
        "ComputerName",
        "UserName",
        "ImageFileName",
        "TargetFileName",
        "RemoteAddressIP4",
        "RemoteAddressIP6",
        "DomainName",
    )
    """Fields that stand on raw events, so that a search for their value finds the evidence."""


def links_for(finding: Finding, *, rule: Rule, settings: LinkSettings) -> tuple[Link, ...]:
    """Return the links for a finding, most specific first, ATT&CK last."""
    aid = finding.fields.get(rule.finding.entities.aid or "aid", "")
    pid = next((finding.fields[name] for name in _PROCESS_FIELDS if name in finding.fields), "")
    links: list[Link | None] = []
    if settings.falcon_url and _AID.fullmatch(aid):
        base = settings.falcon_url.rstrip("/")
        if _PID.fullmatch(pid):
            path = settings.process_path.format(aid=aid, pid=pid)
            links.append(Link(label="Process tree", url=base + path))
        links.append(Link(label="Host", url=base + settings.host_path.format(aid=aid)))
    literals = _literals(finding, rule, settings)
    if _AID.fullmatch(aid) and _PID.fullmatch(pid):
        query = (
            f"aid={_quoted(aid)} | falconPID := coalesce([ContextProcessId, TargetProcessId])"
            f" | falconPID={_quoted(pid)}"
        )
        links.append(_search("Everything this process did", query, finding, settings))
    if literals:
        query = " ".join(f"{name}={_quoted(value)}" for name, value in literals.items())
        links.append(_search("Evidence in LogScale", query, finding, settings))
    links.extend(_attack(attack) for attack in rule.attack)
    return tuple(link for link in links if link is not None)


def _literals(finding: Finding, rule: Rule, settings: LinkSettings) -> Mapping[str, str]:
    """Return the key fields that raw events carry, where the value can stand in a query."""
    names = dict.fromkeys((*rule.finding.key, "aid"))
    found = {name: finding.fields.get(name, "") for name in names if name in settings.search_fields}
    return {
        name: value
        for name, value in found.items()
        if value not in _PLACEHOLDERS
        and len(value) <= _LITERAL_CHARS
        and value.isprintable()
        # A star inside quotes is still a wildcard, and a redacted value is on no event.
        and "*" not in value
        and "[REDACTED" not in value
    }


def _quoted(text: str) -> str:
    """Return a CQL string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _search(label: str, query: str, finding: Finding, settings: LinkSettings) -> Link | None:
    if not settings.logscale_url or not settings.repository:
        return None
    url = settings.logscale_url.rstrip("/") + settings.search_path.format(
        repository=quote(settings.repository, safe=""),
        query=quote(query, safe=""),
        start=to_epoch_ms(finding.first_seen - settings.margin),
        end=to_epoch_ms(finding.last_seen + settings.margin),
    )
    return Link(label=label, url=url) if len(url) <= _URL_CHARS else None


def _attack(attack: Attack) -> Link:
    return Link(label=f"ATT&CK {attack.technique}", url=attack.url)
