"""One Jira Cloud issue for each finding, one comment for each later word on it (REST v3).

Jira has no idempotency key, so an issue carries the label `orchestrator-<finding id>` and a comment
ends with its entry's id; after an uncertain attempt both are looked for before anything is created.
The index lags behind by seconds to minutes, so an uncertain create waits `index_lag` first.
Source: developer.atlassian.com, cloud/jira/platform/rest/v3 and search-and-reconcile.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from orchestrator.clock import Clock, SystemClock
from orchestrator.errors import DeliveryError
from orchestrator.ids import EntryId, FindingId
from orchestrator.model.notification import DeliveryReason, Notification
from orchestrator.route.sinks import adf
from orchestrator.route.sinks.base import (
    Failed,
    Outcome,
    Sent,
    checked_url,
    detail,
    parse_retry_after,
)
from orchestrator.route.sinks.http import Answer, AsgiApp, HttpSeam, reason_for_status
from orchestrator.route.text import authored, telemetry
from orchestrator.secret import SecretText
from orchestrator.units import format_instant

_API = "/rest/api/3"
_SUMMARY_CHARS = 255
_VALUE_CHARS = (1_200, 400, 100)
"""Longest value, tried in turn until the document fits."""
_DOCUMENT_CHARS = 32_000
_COMMENTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class JiraSettings:
    """One project on one site."""

    url: str
    """The site, such as `https://example.atlassian.net`."""
    email: str
    """Account whose API token this is."""
    token: SecretText
    project: str
    """Project key."""
    issue_type: str = "Task"
    labels: tuple[str, ...] = ()
    """Added to the finding's own; without spaces."""
    priorities: Mapping[str, str] = field(default_factory=dict)
    """Severity to the name of a Jira priority; one that is missing leaves the project's default."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Further fields that the project demands, by id, such as `customfield_10010`."""
    allow_http: bool = False
    timeout: timedelta = timedelta(seconds=15)
    """For each request; a send makes at most three."""
    pace: timedelta = timedelta(milliseconds=500)
    index_lag: timedelta = timedelta(minutes=2)
    """How long the search may not see a new issue: an uncertain create waits this long."""
    ca_file: Path | None = None


class JiraSink:
    """Creates issues and comments.

    Args:
        app: An ASGI app to call in process instead of the network.

    Raises:
        ConfigError: The URL may not carry a secret.
    """

    def __init__(
        self, settings: JiraSettings, *, clock: Clock | None = None, app: AsgiApp | None = None
    ) -> None:
        self._settings = settings
        self._base = checked_url(settings.url, allow_http=settings.allow_http, key="url") + _API
        self._clock = clock or SystemClock()
        self.pace = settings.pace
        self._http = HttpSeam(deadline=settings.timeout, ca_file=settings.ca_file, app=app)

    async def send(
        self, notification: Notification, *, entry_id: EntryId, reference: str, maybe_sent: bool
    ) -> Outcome:
        """Create the finding's issue, or comment on the one in `reference`."""
        if reference:
            outcome = await self._comment(reference, notification, entry_id, maybe_sent)
            if not (isinstance(outcome, Failed) and outcome.reason is DeliveryReason.NOT_FOUND):
                return outcome
            # Somebody deleted the issue, or moved it out of sight: the news must not go with it.
        if maybe_sent:
            found = await self._find(notification.finding_id)
            if isinstance(found, Failed) or found is not None:
                return found
        return await self._create(notification, entry_id)

    async def check(self) -> str:
        """Say who we are to Jira, after proof that the project can be seen."""
        me = await self._call("GET", "/myself")
        if isinstance(me, Failed):
            raise DeliveryError(f"Jira refuses the account: {me.detail}")
        project = await self._call("GET", f"/project/{quote(self._settings.project, safe='')}")
        if isinstance(project, Failed):
            raise DeliveryError(
                f"Jira project {self._settings.project} cannot be seen: {project.detail}"
            )
        name = _member(me.json(), "displayName") or self._settings.email
        host = urlsplit(self._base).hostname
        return f"Jira project {self._settings.project} on {host} as {detail(name)}"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _create(self, notification: Notification, entry_id: EntryId) -> Outcome:
        settings = self._settings
        fields: dict[str, object] = {
            **settings.fields,
            "project": {"key": settings.project},
            "issuetype": {"name": settings.issue_type},
            "summary": summary(notification),
            "labels": self._labels(notification),
            "description": description(notification, entry_id=entry_id),
        }
        priority = settings.priorities.get(notification.severity.value)
        if priority is not None:
            fields["priority"] = {"name": priority}
        answer = await self._call("POST", "/issue", {"fields": fields})
        if isinstance(answer, Failed):
            if answer.reason is DeliveryReason.UNCERTAIN:
                return replace(answer, retry_in=settings.index_lag)
            return answer
        key = _member(answer.json(), "key")
        if not key:
            return Failed(
                DeliveryReason.UNCERTAIN, "the issue's key is not in the answer", settings.index_lag
            )
        return Sent(key)

    async def _comment(
        self, key: str, notification: Notification, entry_id: EntryId, maybe_sent: bool
    ) -> Outcome:
        path = f"/issue/{quote(key, safe='')}/comment"
        if maybe_sent:
            known = await self._call("GET", f"{path}?orderBy=-created&maxResults={_COMMENTS}")
            if isinstance(known, Failed):
                return known
            # The id is 32 hex digits of our own: it stands in no other comment by chance.
            if entry_id.encode() in known.body:
                return Sent(key)
        body = {"body": description(notification, entry_id=entry_id)}
        answer = await self._call("POST", path, body)
        return answer if isinstance(answer, Failed) else Sent(key)

    async def _find(self, finding_id: FindingId) -> Sent | Failed | None:
        # Both values are of known shape, so the quotes cannot be left.
        project = self._settings.project.replace("\\", "\\\\").replace('"', '\\"')
        jql = f'project = "{project}" AND labels = "{label_for(finding_id)}" ORDER BY created ASC'
        answer = await self._call(
            "POST", "/search/jql", {"jql": jql, "fields": ["labels"], "maxResults": 2}
        )
        if isinstance(answer, Failed):
            return answer
        match answer.json():
            case {"issues": [{"key": str(key)}, *_]}:
                return Sent(key)
            case {"issues": []}:
                return None
            case _:
                return Failed(DeliveryReason.SERVER_FAILED, "the search's answer has another shape")

    async def _call(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Answer | Failed:
        account = f"{self._settings.email}:{self._settings.token.reveal()}".encode()
        headers = {
            "Authorization": "Basic " + base64.b64encode(account).decode("ascii"),
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        content = None if body is None else json.dumps(body, ensure_ascii=True).encode("ascii")
        answer = await self._http.request(method, self._base + path, headers=headers, body=content)
        # A search by POST changes nothing, so it may simply be asked again.
        is_read = method == "GET" or path == "/search/jql"
        if isinstance(answer, Failed):
            if is_read and answer.reason is DeliveryReason.UNCERTAIN:
                return replace(answer, reason=DeliveryReason.SERVER_FAILED)
            return answer
        wait = parse_retry_after(answer.headers.get("retry-after"), now=self._clock.now())
        # Jira names a delay where it did not take the request at all.
        refused_early = answer.status == 503 and wait is not None
        reason = reason_for_status(answer.status, is_idempotent=is_read or refused_early)
        if reason is None:
            return answer
        return Failed(reason, f"Jira answered {answer.status}{_problems(answer)}", wait)

    def _labels(self, notification: Notification) -> list[str]:
        labels = (label_for(notification.finding_id), *notification.labels, *self._settings.labels)
        return ["_".join(label.split()) for label in dict.fromkeys(labels) if label.strip()]


def label_for(finding_id: FindingId) -> str:
    """Return the label by which a finding's issue is found again."""
    return f"orchestrator-{finding_id}"


def summary(notification: Notification) -> str:
    """Return the issue's one-line summary."""
    prefix = f"[{notification.severity.value}] "
    return prefix + telemetry(notification.headline, _SUMMARY_CHARS - len(prefix))


def description(notification: Notification, *, entry_id: EntryId) -> adf.Node:
    """Return the whole message as a document that Jira takes: at most 32,767 characters.

    Jira counts the document as it is sent, escapes included, so hostile values may need more room
    than they have characters: then every value is cut shorter.
    """
    for value_chars in _VALUE_CHARS:
        made = _document(notification, entry_id=entry_id, value_chars=value_chars)
        if len(json.dumps(made, ensure_ascii=False)) <= _DOCUMENT_CHARS:
            break
    return made


def _document(notification: Notification, *, entry_id: EntryId, value_chars: int) -> adf.Node:
    n = notification
    intro = f"{n.rule} · {n.severity.value} · score {n.score} · {n.event_count:,} events"
    seen = f"{format_instant(n.first_seen)} to {format_instant(n.last_seen)}"
    blocks = [
        adf.paragraph(adf.text(telemetry(n.headline, 300), strong=True)),
        adf.paragraph(adf.text(authored(intro, 300))),
        adf.bullets(
            [
                *(_labelled(label, telemetry(value, value_chars)) for label, value in n.facts[:20]),
                _labelled("Seen", seen),
            ]
        ),
        adf.heading("Why it was not suppressed"),
        adf.paragraph(adf.text(telemetry(n.why, value_chars))),
    ]
    if n.score_parts:
        blocks += [
            adf.heading("Score"),
            adf.bullets(
                [
                    _labelled(f"{p.points:+d}", telemetry(f"{p.source}: {p.reason}", 300))
                    for p in n.score_parts[:10]
                ]
            ),
        ]
    for title, texts in (("Questions", n.questions), ("Next steps", n.next_steps)):
        if texts:
            items = [adf.paragraph(adf.text(authored(text, 500))) for text in texts[:10]]
            blocks += [adf.heading(title), adf.numbered(items)]
    if n.links:
        items = [
            adf.paragraph(adf.text(authored(link.label, 80), href=link.url)) for link in n.links[:8]
        ]
        blocks += [adf.heading("Links"), adf.bullets(items)]
    mark = f"orchestrator finding {n.finding_id} revision {n.revision} entry {entry_id}"
    return adf.doc([*blocks, adf.paragraph(adf.text(mark))])


def _labelled(label: str, value: str) -> adf.Node:
    return adf.paragraph(adf.text(authored(label, 60) + ": ", strong=True), adf.text(value))


def _member(value: object, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _problems(answer: Answer) -> str:
    """Return what Jira says is wrong, if the answer has the shape of its errors."""
    value = answer.json()
    if not isinstance(value, dict):
        return ""
    messages = value.get("errorMessages")
    parts = (
        [text for text in messages if isinstance(text, str)] if isinstance(messages, list) else []
    )
    errors = value.get("errors")
    if isinstance(errors, dict):
        parts += [f"{name}: {text}" for name, text in errors.items()]
    return detail(": " + "; ".join(parts)) if parts else ""
