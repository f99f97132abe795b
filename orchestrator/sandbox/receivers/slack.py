"""A Slack workspace with one bot: the methods that the sink uses, and Slack's own limits.

Source: docs.slack.dev, reference/methods and reference/block-kit/blocks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.sandbox.receivers.faults import Receiver

BOT_ID, USER_ID = "B0SANDBOX", "U0SANDBOX"
_LIMITS = {"header": 150, "section": 3_000, "field": 2_000, "context": 3_000}
_ENTITY = re.compile(r"&(?!(amp|lt|gt);)")
_LINK = re.compile(r"<https?://[^\s<>|]+\|[^<>|]+>")
_TEXT_CUT = 40_000


class SlackReceiver(Receiver):
    """Plays the Web API.

    Attributes:
        store: Posted messages in order, with `channel`, `ts`, and `thread_ts` on replies.
    """

    def __init__(self, *, token: str, channels: tuple[str, ...], scopes: tuple[str, ...]) -> None:
        self.store: list[dict[str, Any]] = []
        self._token, self._channels, self._scopes = token, channels, scopes
        super().__init__(
            [
                ("POST", "/auth.test", self._auth_test),
                ("POST", "/chat.postMessage", self._post),
                ("POST", "/chat.update", self._update),
                ("POST", "/services/{rest:path}", self._incoming),
                ("GET", "/conversations.history", self._history),
                ("GET", "/conversations.replies", self._replies),
            ]
        )

    def parents(self) -> list[dict[str, Any]]:
        """Return the messages that are no replies."""
        return [message for message in self.store if "thread_ts" not in message]

    async def _auth_test(self, request: Request) -> Response:
        return self._refusal(request) or _ok(
            team="Sandbox", user="orchestrator", user_id=USER_ID, bot_id=BOT_ID
        )

    async def _post(self, request: Request) -> Response:
        body = await _body(request)
        refusal = self._refusal(request) or self._bad_content(body)
        if refusal is not None:
            return refusal
        if body.get("channel") not in self._channels:
            return _error("channel_not_found")
        parent = body.get("thread_ts")
        if parent and self._message(body["channel"], parent) is None:
            return _error("thread_not_found")
        metadata = body.get("metadata")
        if metadata is not None and any(m.get("metadata") == metadata for m in self.store):
            self.violate(f"a message with the metadata {metadata} was posted before")
        for switch in ("unfurl_links", "unfurl_media"):
            if body.get(switch) is not False:
                self.violate(f"{switch} is on: previews fetch the attacker's address")
        if body.get("link_names"):
            self.violate("link_names is on")
        message: dict[str, Any] = {
            "ts": f"17731{len(self.store):05d}.000100",
            "bot_id": BOT_ID,
            **{k: body[k] for k in ("channel", "text", "blocks", "metadata") if k in body},
        }
        if parent:
            message["thread_ts"] = parent
        self.store.append(message)
        return _ok(channel=message["channel"], ts=message["ts"])

    async def _incoming(self, request: Request) -> Response:
        """Play an incoming webhook: its address is its key, its answer is text."""
        body = await _body(request)
        refusal = self._bad_content(body)
        if refusal is not None:
            return Response("invalid_payload", 400, media_type="text/plain")
        ts = f"17731{len(self.store):05d}.000100"
        self.store.append({"ts": ts, **{k: body[k] for k in ("text", "blocks") if k in body}})
        return Response("ok", media_type="text/plain")

    async def _update(self, request: Request) -> Response:
        body = await _body(request)
        refusal = self._refusal(request) or self._bad_content(body)
        if refusal is not None:
            return refusal
        if len(body.get("text", "")) > 4_000:
            return _error("msg_too_long")
        if body.get("parse") != "none":
            self.violate("an update without parse=none turns names into mentions")
        message = self._message(body.get("channel"), body.get("ts"))
        if message is None:
            return _error("message_not_found")
        message["text"], message["blocks"] = body.get("text", ""), body.get("blocks", [])
        message["edits"] = message.get("edits", 0) + 1
        return _ok(channel=message["channel"], ts=message["ts"])

    async def _history(self, request: Request) -> Response:
        refusal = self._refusal(request, scope="channels:history")
        if refusal is not None:
            return refusal
        channel = request.query_params.get("channel")
        found = [m for m in self.parents() if m["channel"] == channel]
        return self._page(request, list(reversed(found)))

    async def _replies(self, request: Request) -> Response:
        refusal = self._refusal(request, scope="channels:history")
        if refusal is not None:
            return refusal
        ts = request.query_params.get("ts")
        if self._message(request.query_params.get("channel"), ts) is None:
            return _error("thread_not_found")
        return self._page(request, [m for m in self.store if ts in (m["ts"], m.get("thread_ts"))])

    def _page(self, request: Request, messages: list[dict[str, Any]]) -> Response:
        start = int(request.query_params.get("cursor") or 0)
        limit = int(request.query_params.get("limit") or 100)
        page = messages[start : start + limit]
        if request.query_params.get("include_all_metadata") not in ("1", "true"):
            page = [{k: v for k, v in m.items() if k != "metadata"} for m in page]
        more = str(start + limit) if start + limit < len(messages) else ""
        return _ok(messages=page, response_metadata={"next_cursor": more})

    def _message(self, channel: object, ts: object) -> dict[str, Any] | None:
        for message in self.store:
            if (message["channel"], message["ts"]) == (channel, ts):
                return message
        return None

    def _refusal(self, request: Request, *, scope: str = "chat:write") -> Response | None:
        given = request.headers.get("authorization", "")
        if not given:
            return _error("not_authed")
        if given != f"Bearer {self._token}":
            return _error("invalid_auth")
        return None if scope in self._scopes else _error("missing_scope")

    def _bad_content(self, body: dict[str, Any]) -> Response | None:
        text, blocks = body.get("text", ""), body.get("blocks", [])
        if not text and not blocks:
            return _error("no_text")
        if len(text) > _TEXT_CUT:
            return _error("msg_too_long")
        problems = list(_block_problems(blocks))
        if problems:
            return _error("invalid_blocks", response_metadata={"messages": problems})
        for value, kind in [(text, "text"), *_texts(blocks)]:
            self.violations.extend(_markup_problems(value, kind))
        return None


def slack_app(
    *,
    token: str = "xoxb-sandbox",  # noqa: S107 -- the stand-in's own token, no secret
    channels: tuple[str, ...] = ("C0123456789",),
    scopes: tuple[str, ...] = ("chat:write", "channels:history"),
) -> SlackReceiver:
    """Return a workspace with these channels and a bot with these scopes."""
    return SlackReceiver(token=token, channels=channels, scopes=scopes)


def _block_problems(blocks: list[dict[str, Any]]) -> Iterator[str]:
    if len(blocks) > 50:
        yield "no more than 50 items allowed [json-pointer:/blocks]"
    for number, block in enumerate(blocks):
        where = f"[json-pointer:/blocks/{number}]"
        kind = block.get("type")
        if kind not in _LIMITS:
            yield f"unsupported type: {kind} {where}"
            continue
        text = block.get("text")
        if kind == "header" and (text or {}).get("type") != "plain_text":
            yield f"a header is plain text {where}"
        fields, elements = block.get("fields", []), block.get("elements", [])
        if len(fields) > 10 or len(elements) > 10:
            yield f"no more than 10 items allowed {where}"
        for value, limit in (
            *(((text, _LIMITS[kind]),) if text else ()),
            *((field, _LIMITS["field"]) for field in fields),
            *((element, _LIMITS["context"]) for element in elements),
        ):
            if not 0 < len(value.get("text", "")) <= limit:
                yield f"must be 1 to {limit} characters {where}"


def _texts(blocks: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for block in blocks:
        objects = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        for found in objects:
            if found:
                kind = found["type"]
                live = kind == "mrkdwn" and not found.get("verbatim")
                yield found["text"], "mrkdwn that parses names" if live else kind


def _markup_problems(text: str, kind: str) -> Iterator[str]:
    if kind == "mrkdwn that parses names":
        yield "an mrkdwn text without verbatim turns names into mentions"
    # Only links of the sender's own making may hold angle brackets, and only in mrkdwn.
    rest = _LINK.sub("", text) if kind.startswith("mrkdwn") else text
    if "<" in rest or ">" in rest:
        yield f"an angle bracket that is not encoded in {kind}: {rest[:80]!r}"
    if _ENTITY.search(text):
        yield f"an ampersand that is not encoded in {kind}: {text[:80]!r}"
    if any(not char.isprintable() and char != "\n" for char in text):
        yield f"an invisible character in {kind}: {text[:80]!r}"


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    body = json.loads(raw)
    return body if isinstance(body, dict) else {}


def _ok(**fields: Any) -> Response:
    return JSONResponse({"ok": True, **fields})


def _error(code: str, **fields: Any) -> Response:
    return JSONResponse({"ok": False, "error": code, **fields})
