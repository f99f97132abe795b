"""An action and a firing -> what leaves, and what of it may be shown. Pure.

The shapes for PagerDuty and Opsgenie are those services' own; those for VictorOps and Slack are the
least that they take, since LogScale's own wording of these messages is not published.
`useProxy` and `ignoreSSL` mean nothing here.
Sources: PagerDuty/developer-docs, events API v2; docs.opsgenie.com, alert API;
library.humio.com, data-analysis/automated-actions-logscale-repository.html.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, TypeAlias

from orchestrator.sandbox.ingest.shapes import Row, text_row
from orchestrator.sandbox.storage.domains import Record
from orchestrator.sandbox.storage.events import INGEST_TIMESTAMP, TIMESTAMP
from orchestrator.sandbox.triggers.templates import (
    Firing,
    Sender,
    columns_of,
    escape_html,
    escape_json,
    escape_slack,
    render,
    summary_of,
    url_of,
    verbatim,
)
from orchestrator.units import format_instant, from_epoch_ms

_SUBJECT = "Alert from LogScale: {alert_name}"
_BODY = """{alert_name} found {event_count} events in {repo_name}.

{alert_description}

Query: {query_string}
Time: {query_time_interval}
{url}

{query_result_summary}
"""
_FIELDS_A_BLOCK, _FIELD_CHARS, _BLOCKS = 10, 2_000, 49
_HALF_ENTITY = re.compile(r"&[a-z]{0,3}\Z")
_SUMMARY_CHARS, _MESSAGE_CHARS = 1_024, 130
# Plain and short of what mail allows: the rest is where parsers of addresses differ or break.
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\Z", re.ASCII)
_JSON = {"Content-Type": "application/json"}


class Unsendable(ValueError):
    """The action as it is set cannot be carried out; the text says why, without any secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """One HTTP request; nothing of its URL's path, its headers or its secrets is shown."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    shown: str
    """What of the body may be shown."""
    is_slack: bool = False
    """Whether 200 alone is no success: Slack says so in the body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message, whole."""

    content: bytes = field(repr=False)
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Events for the repository of an ingest token."""

    token: str = field(repr=False)
    rows: Sequence[Mapping[str, str]] = field(repr=False)
    fields: Mapping[str, str]
    """What every event gets on top: which trigger, when, over what."""
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A lookup file, in place of one of that name."""

    file_name: str
    content: bytes = field(repr=False)
    shown: str


Outgoing: TypeAlias = HttpCall | Mail | Rows | Upload


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where services are that actions do not name; a test or a stand-in puts others here."""

    slack_api: str = "https://slack.com/api/"
    pagerduty: str = "https://events.pagerduty.com/v2/enqueue"


def prepare(
    action: Record, firing: Firing, sender: Sender, *, addresses: Addresses
) -> list[Outgoing]:
    """Return what the action sends: one thing, or one message a channel.

    Raises:
        Unsendable: It cannot be carried out.
    """
    kind = str(action["typename"])
    build = _BUILDERS.get(kind)
    if build is None:
        raise Unsendable(f"the sandbox does not carry out a {kind}")
    return build(action, firing, sender, addresses)


def event_row(event: Mapping[str, str], fields: Mapping[str, str], *, parser: str | None) -> Row:
    """Return an event as a repository action stores it again, without its time."""
    original = {
        f"@tag.{name[1:]}" if name.startswith("#") else name: value for name, value in event.items()
    }
    if "@trigger.id" in event:
        # It went through an action before: text quoted within quoted text doubles each time.
        original.pop("@rawstring", None)
    raw = json.dumps(original, ensure_ascii=False)
    row = text_row(raw, now_ms=0, parser=parser or "json")
    if parser is None:
        row["#type"] = "json-for-action"
    row.pop(INGEST_TIMESTAMP, None)
    row.update(fields)
    row["@rawstring"] = raw
    if TIMESTAMP in event:
        row[TIMESTAMP] = event[TIMESTAMP]
    return row


# --- one builder a kind -------------------------------------------------------------------------


def _webhook(action: Record, firing: Firing, sender: Sender, _to: Addresses) -> list[Outgoing]:
    body = render(action["bodyTemplate"], firing, sender, escape=escape_json)
    headers = {str(entry["header"]): str(entry["value"]) for entry in action["headers"]}
    call = HttpCall(
        method=action["method"],
        url=action["url"],
        headers=headers,
        body=body.encode("utf-8", "replace"),
        shown=body,
    )
    return [call]


def _slack_webhook(
    action: Record, firing: Firing, sender: Sender, _to: Addresses
) -> list[Outgoing]:
    message = _slack_message(action, firing, sender)
    return [_json_call(action["url"], message, shown=message)]


def _slack_post(action: Record, firing: Firing, sender: Sender, to: Addresses) -> list[Outgoing]:
    url = f"{to.slack_api.rstrip('/')}/chat.postMessage"
    headers = {"Authorization": f"Bearer {action['apiToken']}"}
    message = _slack_message(action, firing, sender)
    sent: list[Outgoing] = []
    for channel in action["channels"]:
        body = {"channel": channel, **message, "unfurl_links": False, "unfurl_media": False}
        sent.append(_json_call(url, body, shown=body, headers=headers, is_slack=True))
    return sent


def _slack_message(action: Record, firing: Firing, sender: Sender) -> dict[str, Any]:
    title = f"{escape_slack(firing.name)}: {len(firing.rows)} events"
    blocks: list[dict[str, Any]] = [_section(text=_mrkdwn(f"*{title}*"))]
    fields = [
        _mrkdwn(
            f"*{escape_slack(entry['fieldName'])}*\n"
            + render(entry["value"], firing, sender, escape=escape_slack)
        )
        for entry in action["fields"]
    ]
    blocks += [
        _section(fields=fields[start : start + _FIELDS_A_BLOCK])
        for start in range(0, len(fields), _FIELDS_A_BLOCK)
    ]
    return {"text": title, "blocks": blocks[:_BLOCKS]}


def _section(**members: Any) -> dict[str, Any]:
    return {"type": "section", **members}


def _mrkdwn(text: str) -> dict[str, Any]:
    if len(text) > _FIELD_CHARS:
        # Half an entity would be an ampersand that is not encoded.
        text = _HALF_ENTITY.sub("", text[: _FIELD_CHARS - 1]) + "…"
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _pagerduty(action: Record, firing: Firing, sender: Sender, to: Addresses) -> list[Outgoing]:
    event = {
        "event_action": "trigger",
        "dedup_key": sender.invocation_id,
        "payload": {
            "summary": firing.name[:_SUMMARY_CHARS],
            "source": firing.domain,
            "severity": str(action["severity"]).lower(),
            "timestamp": format_instant(from_epoch_ms(firing.at_ms)),
            "custom_details": _details(firing),
        },
        "links": [{"href": url_of(firing, sender.public_url), "text": firing.domain}],
    }
    body = {"routing_key": action["routingKey"], **event}
    return [_json_call(to.pagerduty, body, shown=event)]


def _opsgenie(action: Record, firing: Firing, sender: Sender, _to: Addresses) -> list[Outgoing]:
    body = {
        "message": firing.name[:_MESSAGE_CHARS],
        "alias": sender.invocation_id,
        "description": firing.description,
        "details": _details(firing),
        "source": "LogScale",
    }
    url = f"{str(action['apiUrl']).rstrip('/')}/v2/alerts"
    headers = {"Authorization": f"GenieKey {action['genieKey']}"}
    return [_json_call(url, body, shown=body, headers=headers)]


def _victorops(action: Record, firing: Firing, sender: Sender, _to: Addresses) -> list[Outgoing]:
    body = {
        "message_type": str(action["messageType"]).upper(),
        "entity_id": firing.trigger_id,
        "entity_display_name": firing.name,
        "state_message": summary_of(firing),
        "state_start_time": firing.at_ms // 1000,
        "monitoring_tool": "LogScale",
        **_details(firing),
    }
    return [_json_call(action["notifyUrl"], body, shown=body)]


def _details(firing: Firing) -> dict[str, str]:
    return {
        "query": firing.query,
        "repository": firing.domain,
        "event_count": str(len(firing.rows)),
        **({"events": summary_of(firing)} if firing.rows else {}),
    }


def _json_call(
    url: str,
    body: Mapping[str, Any],
    *,
    shown: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    is_slack: bool = False,
) -> HttpCall:
    return HttpCall(
        method="POST",
        url=url,
        headers={**_JSON, **(headers or {})},
        body=json.dumps(body).encode(),
        shown=json.dumps(shown),
        is_slack=is_slack,
    )


def _email(action: Record, firing: Firing, sender: Sender, _to: Addresses) -> list[Outgoing]:
    template = action.get("bodyTemplate") or _BODY
    is_html = template.lstrip().startswith("<")
    body = render(template, firing, sender, escape=escape_html if is_html else verbatim)
    subject = render(action.get("subjectTemplate") or _SUBJECT, firing, sender, escape=verbatim)
    if not all(_ADDRESS.match(name) for name in action["recipients"]):
        raise Unsendable("a recipient is not a plain address such as soc@example.com")
    message = EmailMessage()
    message["From"] = "sandbox@localhost"
    message["To"] = ", ".join(action["recipients"])
    message["Subject"] = _one_line(subject)
    message["Date"] = format_datetime(from_epoch_ms(firing.at_ms))
    message["Message-ID"] = f"<{sender.invocation_id}@sandbox.localhost>"
    message.set_content(
        body.encode("utf-8", "replace").decode(), subtype="html" if is_html else "plain"
    )
    if action.get("attachCsv"):
        message.add_attachment(
            csv_of(firing), maintype="text", subtype="csv", filename="result.csv"
        )
    return [Mail(content=message.as_bytes(), shown=f"{_one_line(subject)}\n{body}")]


def _one_line(text: str) -> str:
    """Return text that a header can hold: no line break, nothing invisible, nothing unencodable."""
    safe = text.encode("utf-8", "replace").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in safe).split())


def _repository(action: Record, firing: Firing, sender: Sender, _to: Addresses) -> list[Outgoing]:
    fields = {
        "@trigger.id": firing.trigger_id,
        "@trigger.name": firing.name,
        "@trigger.description": firing.description,
        "@trigger.type": firing.type,
        "@trigger.query.start": firing.time_start,
        "@trigger.query.end": firing.time_end,
        "@trigger.invocation.triggeredAt": format_instant(from_epoch_ms(firing.at_ms)),
        "@trigger.invocation.uuid": sender.invocation_id,
        "@trigger.invocation.start": str(firing.start_ms),
        "@trigger.invocation.end": str(firing.end_ms),
        "@trigger.repository.name": firing.domain,
    }
    rows = Rows(
        token=action["ingestToken"], rows=firing.rows, fields=fields, shown=summary_of(firing)
    )
    return [rows]


def _upload(action: Record, firing: Firing, _sender: Sender, _to: Addresses) -> list[Outgoing]:
    if not columns_of(firing):
        raise Unsendable("the result has no fields, so there is no table to store")
    content = csv_of(firing)
    shown = content[:2_000].decode("utf-8", "replace")
    return [Upload(file_name=action["fileName"], content=content, shown=shown)]


def csv_of(firing: Firing) -> bytes:
    """Return the rows as CSV with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns_of(firing), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(firing.rows)
    return out.getvalue().encode("utf-8", "replace")


_Builder = Callable[[Record, Firing, Sender, Addresses], list[Outgoing]]
_BUILDERS: Mapping[str, _Builder] = {
    "WebhookAction": _webhook,
    "SlackAction": _slack_webhook,
    "SlackPostMessageAction": _slack_post,
    "PagerDutyAction": _pagerduty,
    "OpsGenieAction": _opsgenie,
    "VictorOpsAction": _victorops,
    "EmailAction": _email,
    "HumioRepoAction": _repository,
    "UploadFileAction": _upload,
}
