"""Sends what an action sends, and says how it went; never raises for what the far side does.

Only loopback addresses are spoken to unless the settings allow more: a local tool must not page
anybody by accident. Redirects are not followed, and a request is built from parts that cannot break
out of their place.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import polars as pl

from orchestrator.errors import StoreFull
from orchestrator.route.sinks.base import Failed
from orchestrator.route.sinks.http import Answer, HttpSeam
from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.ingest.refusals import BodyRefused
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.sandbox.storage.domains import Domain, Record, StoredFile
from orchestrator.sandbox.storage.events import TIMESTAMP, frame_of
from orchestrator.sandbox.triggers.book import Book
from orchestrator.sandbox.triggers.detections import REPOSITORY, outcomes_of
from orchestrator.sandbox.triggers.outgoing import (
    HttpCall,
    Mail,
    Outgoing,
    Rows,
    Upload,
    event_row,
)
from orchestrator.sandbox.triggers.templates import Firing

ALERTS, KEPT_ALERTS = "alerts", 1_000
"""Where alerts are among the Falcon face's content, and how many are kept, the newest."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*\Z")
_URL = re.compile(r"https?://[\x21-\x7e]+\Z", re.IGNORECASE)
_EPOCH_MS = re.compile(r"\d{1,15}\Z")
# Set by whoever frames the request; another value would let a body be read as a second request.
_FRAMING = {"content-length", "transfer-encoding", "host", "connection"}
_RETRIED = {408, 425, 429}


class Stores(Protocol):
    """What of the sandbox an action may change."""

    tokens: dict[str, TokenRole]
    domains: dict[str, Domain]

    content: dict[str, dict[str, Record]]

    def now_ms(self) -> int:
        """Return the wall time in epoch ms."""
        ...

    def save(self) -> None:
        """Write everything but events down."""
        ...

    async def ingest(self, repository: str, events: pl.DataFrame) -> int:
        """Store events."""
        ...

    def put_file(self, domain: Domain, name: str, content: bytes, *, by: str) -> StoredFile:
        """Store a lookup file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one thing went out; `detail` holds no secret."""

    is_sent: bool
    detail: str
    may_retry: bool = False
    target: str = ""


class Delivery:
    """The ways out of a sandbox.

    Attributes:
        seam: How HTTP leaves; an in-process one for tests.
    """

    def __init__(self, stores: Stores, book: Book, seam: HttpSeam, *, allow_outbound: bool) -> None:
        self.seam = seam
        self._stores, self._book, self._allow_outbound = stores, book, allow_outbound

    async def send(self, out: Outgoing, *, name: str, domain: str, number: str) -> Outcome:
        """Send one thing.

        Args:
            out: What.
            name: Of the trigger, as the author of what is stored.
            domain: Where the trigger is; lookup files go there.
            number: Sorts by time and names the invocation, so that a mail replaces itself.
        """
        match out:
            case HttpCall():
                return await self._call(out)
            case Mail():
                return self._keep(out, number)
            case Rows():
                return await self._ingest(out)
            case Upload():
                return self._upload(out, name=name, domain=domain)

    async def keep_outcomes(self, firing: Firing) -> Outcome:
        """Keep what a correlation rule's firing leaves behind: events, and alerts beside them.

        What is there already, from before a kill, is not stored again.
        """
        alerts = self._stores.content.setdefault(ALERTS, {})
        self._stores.domains.setdefault(REPOSITORY, Domain(name=REPOSITORY))
        kept = [o for o in outcomes_of(firing) if o[1]["composite_id"] not in alerts]
        try:
            await self._stores.ingest(
                REPOSITORY, frame_of([row for rows, _ in kept for row in rows])
            )
            alerts.update({str(alert["composite_id"]): alert for _, alert in kept})
            while len(alerts) > KEPT_ALERTS:
                del alerts[next(iter(alerts))]
            self._stores.save()
        except StoreFull as exc:
            return Outcome(is_sent=False, detail=str(exc), may_retry=True, target=REPOSITORY)
        count = f"{len(kept)} of kind {firing.facts['outcome']}"
        return Outcome(is_sent=True, detail=count, target=REPOSITORY)

    async def close(self) -> None:
        """Close the connections."""
        await self.seam.close()

    async def _call(self, call: HttpCall) -> Outcome:
        problem = problem_of(call)
        target = "" if problem else _target_of(call.url)
        if not problem and not self._allow_outbound and not is_loopback(call.url):
            problem = "not sent: outbound sends are off, and the address is not loopback"
        if problem:
            return Outcome(is_sent=False, detail=problem, target=target)
        answer = await self.seam.request(
            call.method, call.url, headers=call.headers, body=call.body or None
        )
        if isinstance(answer, Failed):
            return Outcome(is_sent=False, detail=answer.detail, may_retry=True, target=target)
        return _answered(call, answer, target)

    def _keep(self, mail: Mail, number: str) -> Outcome:
        try:
            self._book.keep_mail(number, mail.content)
        except StoreFull as exc:
            return Outcome(is_sent=False, detail=str(exc), may_retry=True, target="mail")
        return Outcome(is_sent=True, detail="kept as mail", target="mail")

    async def _ingest(self, out: Rows) -> Outcome:
        role = self._stores.tokens.get(out.token)
        if role is None or role.repository is None or Right.INGEST not in role.rights:
            return Outcome(is_sent=False, detail="the ingest token is not known")
        now = str(self._stores.now_ms())
        rows = []
        for event in out.rows:
            row = event_row(event, out.fields, parser=role.parser)
            # An aggregate may have made anything of the time.
            if not _EPOCH_MS.match(event.get(TIMESTAMP, "")):
                row[TIMESTAMP] = now
            rows.append(row)
        try:
            await self._stores.ingest(role.repository, frame_of(rows))
        except (Refusal, BodyRefused) as exc:
            return Outcome(is_sent=False, detail=str(exc), target=role.repository)
        except StoreFull as exc:
            return Outcome(is_sent=False, detail=str(exc), may_retry=True, target=role.repository)
        return Outcome(is_sent=True, detail=f"{len(rows)} events", target=role.repository)

    def _upload(self, out: Upload, *, name: str, domain: str) -> Outcome:
        found = self._stores.domains.get(domain)
        if found is None:
            return Outcome(is_sent=False, detail="the search domain is gone")
        try:
            self._stores.put_file(found, out.file_name, out.content, by=name)
        except StoreFull as exc:
            return Outcome(is_sent=False, detail=str(exc), may_retry=True, target=out.file_name)
        return Outcome(is_sent=True, detail=f"{len(out.content)} bytes", target=out.file_name)


def is_loopback(url: str) -> bool:
    """Return whether the URL's host is this machine, by its spelling alone: nothing is resolved."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def problem_of(call: HttpCall) -> str:
    """Return why the request cannot be built safely, empty when it can."""
    try:
        parts = urlsplit(call.url)
        is_named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "the URL cannot be read"
    # A name and password, or a backslash, are read in more than one way.
    if not _URL.match(call.url) or not is_named or "@" in parts.netloc or "\\" in call.url:
        return "the URL is not http or https with a plain host"
    return _header_problem(call.headers)


def _header_problem(headers: Mapping[str, str]) -> str:
    for name, value in headers.items():
        if not _HEADER_NAME.match(name):
            return "a header's name holds what a header's name cannot"
        if name.lower() in _FRAMING:
            return f"the header {name} is not the action's to set"
        if not _HEADER_VALUE.match(value):
            return f"the header {name} holds a line break or what is not plain text"
    return ""


def _target_of(url: str) -> str:
    """Return scheme, host and port; the path may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _answered(call: HttpCall, answer: Answer, target: str) -> Outcome:
    detail, may_retry = f"HTTP {answer.status}", answer.status in _RETRIED or answer.status >= 500
    is_sent = 200 <= answer.status < 300
    body = answer.json() if call.is_slack and is_sent else None
    if isinstance(body, Mapping) and body.get("ok") is not True:
        code = str(body.get("error", ""))
        is_sent, may_retry = False, code in {"ratelimited", "internal_error", "service_unavailable"}
        # A code of Slack's is one word; anything else is not repeated.
        detail += f": {code}" if re.fullmatch(r"[a-z_]{1,40}", code) else ""
    return Outcome(is_sent=is_sent, detail=detail, may_retry=may_retry, target=target)
