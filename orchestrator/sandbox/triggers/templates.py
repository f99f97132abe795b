"""Message templates: `{placeholders}` become values, in one pass.

One pass, so that a value with braces in it stays a value. What is not a known placeholder stays as
it is written. Each text is escaped for where it lands: JSON in webhooks, HTML or nothing in mails,
Slack's three characters in Slack. `{field_raw:…}` alone is never JSON-escaped: that is its purpose.
Source: library.humio.com, data-analysis/automated-actions-message-template.html.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from orchestrator.units import format_instant, from_epoch_ms

Row = Mapping[str, str]
Escape = Callable[[str], str]

_PLACEHOLDER = re.compile(r'\{(field|field_raw):(?:"([^"{}]+)"|([^"{}]+))\}|\{([a-z_]+)\}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A trigger that fired: what it found, and over which window. Times in epoch ms."""

    id: str
    trigger_id: str
    trigger_key: str
    name: str
    description: str
    domain: str
    query: str
    type: str
    """`alert`, `scheduled-search` or `correlation-rule`."""
    at_ms: int
    start_ms: int
    end_ms: int
    time_start: str
    """The window's start as it is set, such as `24h`."""
    time_end: str = "now"
    rows: Sequence[Row]
    fields: Sequence[str] = ()
    """The rows' columns, in order; fields that are not named follow."""
    warnings: Sequence[str] = ()
    throttle_keys: Sequence[str] = ()
    """Values of the throttle field that this firing silenced."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Of a correlation rule: what its outcomes say of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Through what a firing leaves."""

    action_id: str
    invocation_id: str
    public_url: str
    """Where the links in messages lead."""


def columns_of(firing: Firing) -> list[str]:
    """Return the names of all fields, in the result's order and then as they are met."""
    names = dict.fromkeys(firing.fields)
    for row in firing.rows:
        names.update(dict.fromkeys(row))
    return list(names)


def escape_json(text: str) -> str:
    """Return the inside of a JSON string; nothing in it can end the string."""
    return json.dumps(text)[1:-1]


def escape_html(text: str) -> str:
    """Return text that HTML shows as it is, between tags and in attributes."""
    return html.escape(text)


def escape_slack(text: str) -> str:
    """Return text that Slack shows as it is: no mention, no link."""
    visible = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return visible.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def verbatim(text: str) -> str:
    """Return the text: it lands where nothing can be escaped from."""
    return text


def render(template: str, firing: Firing, sender: Sender, *, escape: Escape) -> str:
    """Return the template with its placeholders filled in."""
    values = _Values(firing, sender, escape)

    def value(match: re.Match[str]) -> str:
        kind, quoted, plain, name = match.groups()
        if kind is None:
            found = _PLAIN.get(name)
            return match[0] if found is None else found(values)
        text = firing.rows[0].get(quoted or plain, "") if firing.rows else ""
        raw = kind == "field_raw" and escape is escape_json
        return text if raw else escape(text)

    return _PLACEHOLDER.sub(value, template)


def summary_of(firing: Firing) -> str:
    """Return the rows as lines of `name=value`."""
    return "\n".join(", ".join(f"{k}={v}" for k, v in row.items()) for row in firing.rows)


def url_of(firing: Firing, public_url: str) -> str:
    """Return the address under which LogScale's own UI would show the search."""
    query, domain = (
        quote(text, safe="", errors="replace") for text in (firing.query, firing.domain)
    )
    span = f"start={firing.start_ms}&end={firing.end_ms}"
    return f"{public_url.rstrip('/')}/{domain}/search?live=false&query={query}&{span}"


@dataclass(frozen=True, slots=True)
class _Values:
    firing: Firing
    sender: Sender
    escape: Escape


def _text(read: Callable[[Firing], str]) -> Callable[[_Values], str]:
    return lambda values: values.escape(read(values.firing))


def _number(read: Callable[[Firing], int | str]) -> Callable[[_Values], str]:
    return lambda values: str(read(values.firing))


def _events(values: _Values) -> str:
    return json.dumps([dict(row) for row in values.firing.rows])


def _events_html(values: _Values) -> str:
    names = columns_of(values.firing)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    lines = "".join(
        "<tr>" + "".join(f"<td>{html.escape(row.get(name, ''))}</td>" for name in names) + "</tr>"
        for row in values.firing.rows
    )
    table = f"<table><tr>{head}</tr>{lines}</table>"
    return escape_json(table) if values.escape is escape_json else table


def _seconds(at_ms: int) -> str:
    return f"{at_ms // 1000}.{at_ms % 1000:03d}"


_name = _text(lambda f: f.name)
_description = _text(lambda f: f.description)
_triggered = _text(lambda f: format_instant(from_epoch_ms(f.at_ms)))
_id = _text(lambda f: f.trigger_id)
_summary = _text(summary_of)
_PLAIN: dict[str, Callable[[_Values], str]] = {
    "name": _name,
    "alert_name": _name,
    "description": _description,
    "alert_description": _description,
    "triggered_timestamp": _triggered,
    "alert_triggered_timestamp": _triggered,
    "id": _id,
    "alert_id": _id,
    "action_id": lambda v: v.escape(v.sender.action_id),
    "alert_notifier_id": lambda v: v.escape(v.sender.action_id),
    "alert_action_id": lambda v: v.escape(v.sender.action_id),
    "action_invocation_id": lambda v: v.escape(v.sender.invocation_id),
    "event_count": _number(lambda f: len(f.rows)),
    "url": lambda v: v.escape(url_of(v.firing, v.sender.public_url)),
    "query_string": _text(lambda f: f.query),
    "query_result_summary": _summary,
    "events_str": _summary,
    "query_time_start": _text(lambda f: f.time_start),
    "query_time_end": _text(lambda f: f.time_end),
    "query_time_interval": _text(lambda f: f"{f.time_start} -> {f.time_end}"),
    "query_start_ms": _number(lambda f: f.start_ms),
    "query_end_ms": _number(lambda f: f.end_ms),
    "query_start_s": _number(lambda f: _seconds(f.start_ms)),
    "query_end_s": _number(lambda f: _seconds(f.end_ms)),
    "warnings": _text(lambda f: "\n".join(f.warnings)),
    "repo_name": _text(lambda f: f.domain),
    "events": _events,
    "events_html": _events_html,
}
PLACEHOLDERS = frozenset(_PLAIN)
