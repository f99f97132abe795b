"""One Slack message for each finding, its later words as replies in that thread.

The parent message shows the finding as it stands and is updated in place; replies are its history.
Slack has no idempotency key, so each message carries its entry's id in its metadata, and after an
uncertain attempt the channel or the thread is searched for it before anything is posted again.
The library's own retries, redirects and environment proxies are off: the outbox owns retries.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from orchestrator.clock import Clock, SystemClock
from orchestrator.errors import DeliveryError
from orchestrator.ids import EntryId
from orchestrator.model.notification import DeliveryReason, Notification
from orchestrator.model.rule import Severity
from orchestrator.route.sinks.base import (
    Failed,
    Outcome,
    Sent,
    checked_url,
    detail,
    parse_retry_after,
)
from orchestrator.route.sinks.slack_blocks import (
    Block,
    fallback_text,
    message_blocks,
    reply_blocks,
)
from orchestrator.route.sinks.slack_errors import MESSAGE_GONE, reason_for_code
from orchestrator.secret import SecretText

EVENT_TYPE = "orchestrator_finding"
_PAGE = 200
_PAGES = 5


class WhenUnsure(StrEnum):
    """What to do if a message may have arrived and the channel's history may not be read."""

    RESEND = "resend"
    """A duplicate is better than a loss."""
    HOLD = "hold"
    """Wait for a person; the entry ends as dead after its attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSettings:
    """One channel of one workspace."""

    token: SecretText
    """Bot token with `chat:write`; a history scope as well lets uncertain posts be looked up."""
    channel: str
    """Channel id, such as `C0123456789`; names are not stable."""
    base_url: str = "https://slack.com/api/"
    when_unsure: WhenUnsure = WhenUnsure.RESEND
    broadcast_from: Severity = Severity.CRITICAL
    """From this severity on a reply is shown in the channel too."""
    allow_http: bool = False
    timeout: timedelta = timedelta(seconds=15)
    """For each call; a send makes a few."""
    pace: timedelta = timedelta(seconds=1)
    """Slack allows about one message a second in a channel."""


class _Gone(Exception):
    """The message to update or reply to is not there any more."""


class SlackSink:
    """Posts, updates and replies with a bot token.

    Raises:
        ConfigError: The base URL may not carry a secret.
    """

    def __init__(self, settings: SlackSettings, *, clock: Clock | None = None) -> None:
        self._settings, self._clock = settings, clock or SystemClock()
        self._base = checked_url(settings.base_url, allow_http=settings.allow_http, key="base_url")
        self.pace = settings.pace
        self._client: AsyncWebClient | None = None
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, notification: Notification, *, entry_id: EntryId, reference: str, maybe_sent: bool
    ) -> Outcome:
        """Post the finding's message, or update it and reply in its thread."""
        metadata = _metadata(notification, entry_id)
        channel, _, parent = reference.partition(":")
        if parent:
            try:
                return await self._reply(notification, metadata, channel, parent, maybe_sent)
            except _Gone:
                # Somebody deleted it: the finding gets a new message rather than silence.
                pass
        if maybe_sent:
            found = await self._find("", metadata)
            if found is not None:
                return found
        return await self._post(notification, metadata)

    async def check(self) -> str:
        """Say which workspace and bot this is; raises DeliveryError if the token is refused."""
        answer = await self._call(lambda client: client.auth_test())
        if isinstance(answer, Failed):
            raise DeliveryError(f"Slack refuses the token: {answer.detail}")
        team, user = detail(str(answer.get("team", "?"))), detail(str(answer.get("user", "?")))
        return f"Slack channel {self._settings.channel} in {team} as {user}"

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = self._client = None

    async def _post(self, notification: Notification, metadata: Mapping[str, object]) -> Outcome:
        answer = await self._publish(
            notification, metadata, self._settings.channel, blocks=message_blocks(notification)
        )
        if isinstance(answer, Failed):
            return answer
        return _sent(answer, self._settings.channel)

    async def _reply(
        self,
        notification: Notification,
        metadata: Mapping[str, object],
        channel: str,
        parent: str,
        maybe_sent: bool,
    ) -> Outcome:
        """Update the parent first: that may be repeated, a reply may not.

        Raises:
            _Gone: The parent is not there any more.
        """
        updated = await self._call(
            lambda client: client.chat_update(
                channel=channel,
                ts=parent,
                text=fallback_text(notification),
                blocks=_blocks(message_blocks(notification)),
                parse="none",
                link_names=False,
            )
        )
        if isinstance(updated, Failed) and updated.reason is not DeliveryReason.REFUSED:
            # An update that got no answer did no harm, and is simply made again.
            return updated
        reference = f"{channel}:{parent}"
        if maybe_sent:
            found = await self._find(parent, metadata)
            if isinstance(found, Failed):
                return found
            if found is not None:
                return Sent(reference)
        answer = await self._publish(
            notification,
            metadata,
            channel,
            blocks=reply_blocks(notification),
            thread_ts=parent,
            reply_broadcast=notification.severity.rank >= self._settings.broadcast_from.rank,
        )
        return answer if isinstance(answer, Failed) else Sent(reference)

    async def _publish(
        self,
        notification: Notification,
        metadata: Mapping[str, object],
        channel: str,
        *,
        blocks: list[Block],
        **more: Any,
    ) -> Mapping[str, Any] | Failed:
        """Post once; if Slack calls the content wrong, once more as plain text."""
        text = fallback_text(notification)
        common: dict[str, Any] = {
            "channel": channel,
            "text": text,
            "metadata": dict(metadata),
            "parse": "none",
            "link_names": False,
            "unfurl_links": False,
            "unfurl_media": False,
            **more,
        }
        answer = await self._call(
            lambda client: client.chat_postMessage(blocks=_blocks(blocks), **common)
        )
        if isinstance(answer, Failed) and answer.reason is DeliveryReason.REFUSED:
            common["mrkdwn"] = False
            return await self._call(lambda client: client.chat_postMessage(**common))
        return answer

    async def _find(self, parent: str, metadata: Mapping[str, object]) -> Outcome | None:
        """Return our message with this metadata, None if it is not there or may not be looked for.

        Args:
            parent: Timestamp of the thread to search; empty for the channel.
            metadata: What our message carries.
        """
        channel = self._settings.channel
        cursor = ""
        for _ in range(_PAGES):
            more: dict[str, Any] = {"limit": _PAGE, "include_all_metadata": True}
            if cursor:
                more["cursor"] = cursor
            page = await self._page(channel, parent, more)
            if isinstance(page, Failed):
                return self._unsure(page)
            for message in page.get("messages", []):
                if _carries(message, metadata):
                    return Sent(f"{channel}:{message.get('thread_ts') or message['ts']}")
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        return None

    async def _page(
        self, channel: str, parent: str, more: Mapping[str, Any]
    ) -> Mapping[str, Any] | Failed:
        if parent:
            return await self._call(
                lambda client: client.conversations_replies(channel=channel, ts=parent, **more)
            )
        return await self._call(
            lambda client: client.conversations_history(channel=channel, **more)
        )

    def _unsure(self, failed: Failed) -> Failed | None:
        """Return what to do when the look itself failed: None means send again."""
        if failed.reason is not DeliveryReason.UNAUTHORIZED:
            if failed.reason is DeliveryReason.UNCERTAIN:
                return Failed(DeliveryReason.SERVER_FAILED, failed.detail, failed.retry_in)
            return failed
        if self._settings.when_unsure is WhenUnsure.RESEND:
            return None
        return Failed(
            DeliveryReason.UNCERTAIN, f"it may be there, and we may not look: {failed.detail}"
        )

    async def _call(
        self, method: Callable[[AsyncWebClient], Awaitable[Any]]
    ) -> Mapping[str, Any] | Failed:
        """Make one call; raises only `_Gone`."""
        try:
            async with asyncio.timeout(self._settings.timeout.total_seconds()):
                answer = await method(self._opened())
        except SlackApiError as exc:
            return self._refused(exc)
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as exc:
            return Failed(DeliveryReason.UNREACHABLE, f"Slack: {type(exc).__name__}")
        except aiohttp.TooManyRedirects:
            return Failed(DeliveryReason.MISCONFIGURED, "Slack: the base URL redirects")
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            # Only the kind: the text may hold the URL.
            return Failed(DeliveryReason.UNCERTAIN, f"Slack: {type(exc).__name__}")
        except SlackClientError as exc:
            return Failed(DeliveryReason.REFUSED, f"Slack: {type(exc).__name__}")
        data = answer.data
        return (
            data if isinstance(data, dict) else Failed(DeliveryReason.UNCERTAIN, "Slack: no JSON")
        )

    def _refused(self, exc: SlackApiError) -> Failed:
        response: Any = exc.response
        # After an answer that is no JSON the SDK hands over aiohttp's own response.
        status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
        data = getattr(response, "data", None)
        code = str(data.get("error", "")) if isinstance(data, dict) else ""
        if code in MESSAGE_GONE:
            raise _Gone from exc
        headers = getattr(response, "headers", None) or {}
        wait = parse_retry_after(headers.get("Retry-After"), now=self._clock.now())
        more = "; ".join(_messages(data))
        what = f"Slack answered {code or status}" + (f": {more}" if more else "")
        return Failed(reason_for_code(code, status=status), detail(what), wait)

    def _opened(self) -> AsyncWebClient:
        if self._client is None:
            seconds = self._settings.timeout.total_seconds()
            redirects = aiohttp.TraceConfig()
            redirects.on_request_redirect.append(_refuse_redirect)
            redirects.freeze()
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=seconds),
                trust_env=False,
                trace_configs=[redirects],
            )
            # The SDK logs bodies at DEBUG and URLs at INFO.
            quiet = logging.getLogger(f"{__name__}.sdk")
            quiet.setLevel(logging.WARNING)
            self._client = AsyncWebClient(
                token=self._settings.token.reveal(),
                base_url=self._base,
                session=self._session,
                retry_handlers=[],
                logger=quiet,
            )
            # A proxy from the environment is taken over silently by the constructor.
            self._client.proxy = None
        return self._client


async def _refuse_redirect(session: object, context: object, params: Any) -> None:
    del session, context
    raise aiohttp.TooManyRedirects(params.response.request_info, (), status=params.response.status)


def _metadata(notification: Notification, entry_id: EntryId) -> dict[str, object]:
    """Return opaque ids only: everyone in the workspace can read metadata."""
    return {
        "event_type": EVENT_TYPE,
        "event_payload": {"entry_id": entry_id, "finding_id": notification.finding_id},
    }


def _carries(message: Mapping[str, Any], metadata: Mapping[str, object]) -> bool:
    found = message.get("metadata")
    # `bot_id` stands on what an app posted; a person's copy of the metadata proves nothing.
    return isinstance(found, dict) and bool(message.get("bot_id")) and dict(found) == dict(metadata)


def _sent(answer: Mapping[str, Any], channel: str) -> Outcome:
    ts = answer.get("ts")
    if not isinstance(ts, str) or not ts:
        return Failed(DeliveryReason.UNCERTAIN, "Slack: no timestamp in the answer")
    return Sent(f"{answer.get('channel') or channel}:{ts}")


def _messages(data: object) -> list[str]:
    """Return Slack's machine-readable reasons, where the answer has them."""
    more = data.get("response_metadata") if isinstance(data, dict) else None
    messages = more.get("messages") if isinstance(more, dict) else None
    return [str(text) for text in messages][:3] if isinstance(messages, list) else []


def _blocks(blocks: list[Block]) -> Any:
    """Return blocks as the SDK's signature wants them."""
    return blocks
