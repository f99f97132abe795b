"""Carries out what fired: action by action, with two more tries, each attempt on record.

A try that got no answer, or one that may be better later (408, 425, 429, 5xx), is repeated after 10
and after 60 seconds; anything else fails at once. What is still to be sent is in the book, so a
restart goes on with it. When every action of a firing has failed, its throttle is lifted: LogScale
does not count it as triggered.
Source: library.humio.com, error types of aggregate alerts; the times are the sandbox's own.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from orchestrator.sandbox.storage.domains import AssetKind, Record
from orchestrator.sandbox.triggers.book import Book, Invocation, Pending
from orchestrator.sandbox.triggers.delivery import Delivery, Outcome
from orchestrator.sandbox.triggers.detections import OUTCOMES
from orchestrator.sandbox.triggers.evaluate import Host, lift_throttle
from orchestrator.sandbox.triggers.outgoing import Addresses, Outgoing, Unsendable, prepare
from orchestrator.sandbox.triggers.templates import Firing, Sender
from orchestrator.triage.redact import redact
from orchestrator.units import format_instant, from_epoch_ms

RETRY_AFTER_MS = (10_000, 60_000)
EXCERPT_CHARS = 500
_AT_ONCE = 8
_SECRET_MEMBERS = ("apiToken", "genieKey", "routingKey", "ingestToken", "notifyUrl")
_SECRET_CHARS = 8
"""A header's value shorter than this is no secret, but may well be a word of the body."""


class Sending:
    """The outbox of the triggers."""

    def __init__(self, host: Host, book: Book, delivery: Delivery) -> None:
        self._host, self._book, self._delivery = host, book, delivery
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._running = asyncio.Lock()
        self._got_through: set[str] = set()

    def next_ms(self) -> int:
        """Return when something is to be sent next, 0 for never."""
        return min((entry.not_before_ms or 1 for entry in self._book.pending), default=0)

    async def send_due(self) -> None:
        """Carry out every action that is due now.

        Raises:
            StoreFull: The disk is full; nothing is sent that it does not hold.
        """
        async with self._running:
            now_ms = self._host.now_ms()
            due: dict[str, list[Pending]] = {}
            for entry in self._book.pending:
                if entry.not_before_ms <= now_ms:
                    due.setdefault(entry.firing_id, []).append(entry)
            if due:
                # What is sent must be on disk first, whatever failed to be written before.
                self._book.save()
                # One that fails must not cut off another in the middle of its request.
                ended = await asyncio.gather(
                    *(self._in_order(entries) for entries in due.values()), return_exceptions=True
                )
                for problem in ended:
                    if isinstance(problem, BaseException):
                        raise problem

    async def try_out(self, action: Record, firing: Firing) -> Outcome:
        """Carry out an action once, on record; no trigger's state moves, nothing is repeated.

        Raises:
            StoreFull: It was carried out, and the disk is too full to say so.
        """
        entry = Pending(id=secrets.token_hex(16), firing_id=firing.id, action_id="", attempts=1)
        outcome, shown = await self._carry_out(action, entry, firing)
        status = "sent" if outcome.is_sent else "failed"
        self._record(entry, firing, action, outcome, status=status, shown=shown)
        return outcome

    async def _in_order(self, entries: Sequence[Pending]) -> None:
        async with self._slots:
            for entry in entries:
                await self._attempt(entry, self._book.firings[entry.firing_id])

    async def _attempt(self, entry: Pending, firing: Firing) -> None:
        domain = self._host.domains.get(firing.domain)
        actions = domain.assets[AssetKind.ACTION] if domain is not None else {}
        action = actions.get(entry.action_id)
        if entry.action_id in OUTCOMES:
            action = {"typename": entry.action_id}
        entry.attempts += 1
        if action is None:
            outcome, shown = Outcome(is_sent=False, detail="the action no longer exists"), ""
        else:
            outcome, shown = await self._carry_out(action, entry, firing)
        is_last = entry.attempts > len(RETRY_AFTER_MS)
        retries = not outcome.is_sent and outcome.may_retry and not is_last
        if retries:
            entry.not_before_ms = self._host.now_ms() + RETRY_AFTER_MS[entry.attempts - 1]
        else:
            self._end(entry, firing, outcome)
        status = "sent" if outcome.is_sent else "retrying" if retries else "failed"
        self._book.save()
        self._record(entry, firing, action or {}, outcome, status=status, shown=shown)

    async def _carry_out(
        self, action: Record, entry: Pending, firing: Firing
    ) -> tuple[Outcome, str]:
        """Send what is left of the action, and return how it went and what may be shown of it."""
        if entry.action_id in OUTCOMES:
            return await self._delivery.keep_outcomes(firing), ""
        settings = self._host.settings
        sender = Sender(
            action_id=entry.action_id, invocation_id=entry.id, public_url=settings.public_url
        )
        addresses = Addresses(slack_api=settings.slack_api_url, pagerduty=settings.pagerduty_url)
        try:
            parts: list[Outgoing] = prepare(action, firing, sender, addresses=addresses)
        except Unsendable as exc:
            return Outcome(is_sent=False, detail=str(exc)), ""
        except Exception as exc:  # noqa: BLE001 -- an odd action fails alone, and on record
            return Outcome(is_sent=False, detail=f"not built: {type(exc).__name__}"), ""
        outcome = Outcome(is_sent=True, detail="nothing to send")
        for part in parts[entry.parts_done :]:
            outcome = await self._delivery.send(
                part,
                name=firing.name,
                domain=firing.domain,
                number=f"{firing.at_ms:015d}-{entry.id}",
            )
            if not outcome.is_sent:
                break
            entry.parts_done += 1
        shown = parts[min(entry.parts_done, len(parts) - 1)].shown if parts else ""
        return outcome, shown

    def _end(self, entry: Pending, firing: Firing, outcome: Outcome) -> None:
        self._book.pending.remove(entry)
        state = self._book.states.get(firing.trigger_key)
        if outcome.is_sent:
            self._got_through.add(firing.id)
        elif state is not None:
            state.fail(f"an action failed: {outcome.detail}", now_ms=self._host.now_ms())
        if any(other.firing_id == firing.id for other in self._book.pending):
            return
        if firing.id in self._got_through:
            self._got_through.discard(firing.id)
        elif state is not None:
            lift_throttle(state, firing.throttle_keys)

    def _record(
        self,
        entry: Pending,
        firing: Firing,
        action: Record,
        outcome: Outcome,
        *,
        status: str,
        shown: str,
    ) -> None:
        self._book.log(
            Invocation(
                id=entry.id,
                at=format_instant(from_epoch_ms(self._host.now_ms())),
                trigger=firing.name,
                trigger_id=firing.trigger_id,
                domain=firing.domain,
                action=str(action.get("name", "")),
                action_id=entry.action_id,
                kind=str(action.get("typename", "")),
                status=status,
                detail=outcome.detail,
                attempt=entry.attempts,
                event_count=len(firing.rows),
                target=outcome.target,
                excerpt=excerpt(_without(shown, _secrets_of(action))),
            )
        )


def _secrets_of(action: Record) -> list[str]:
    """Return what of an action's settings must not be shown, should its body repeat it."""
    named = [str(action[name]) for name in _SECRET_MEMBERS if action.get(name)]
    return named + [str(entry["value"]) for entry in action.get("headers", ())]


def _without(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        if len(secret) >= _SECRET_CHARS:
            text = text.replace(secret, "[REDACTED]")
    return text


def excerpt(text: str) -> str:
    """Return the beginning of a text with its secrets redacted, whole or cut ones."""
    # Redacted before it is cut, or a secret on the edge would be half shown; what is far behind the
    # edge is not looked at.
    head = redact(text[: 8 * EXCERPT_CHARS])
    return head if len(head) <= EXCERPT_CHARS else head[:EXCERPT_CHARS] + "…"
