"""What alerts and scheduled searches can invoke: one class a kind, one more kind is one more class.

Addresses, keys and tokens are secrets, since whoever holds one can send in its owner's name.
Source: GraphQL schema of server 1.204, the `Create…Action` inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from orchestrator.secret import SecretText


class ActionContent(Protocol):
    """What one kind of action holds."""

    kind: ClassVar[str]
    """The type's name in the schema, such as `WebhookAction`."""

    def to_input(self) -> dict[str, object]:
        """Return the members of the mutation's input, without view and name; secrets revealed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookContent:
    """Calls a web address."""

    kind: ClassVar[str] = "WebhookAction"
    url: SecretText
    body_template: str
    """Text with the vendor's placeholders, such as `{events}`."""
    method: str = "POST"
    headers: Mapping[str, SecretText] = field(default_factory=dict)

    def to_input(self) -> dict[str, object]:
        """Return the members of the mutation's input."""
        return {
            "url": self.url.reveal(),
            "method": self.method,
            "headers": [
                {"header": name, "value": value.reveal()} for name, value in self.headers.items()
            ],
            "bodyTemplate": self.body_template,
            "ignoreSSL": False,
            "useProxy": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailContent:
    """Sends mail; None keeps the server's own text."""

    kind: ClassVar[str] = "EmailAction"
    recipients: Sequence[str]
    subject_template: str | None = None
    body_template: str | None = None
    attach_csv: bool = False

    def to_input(self) -> dict[str, object]:
        """Return the members of the mutation's input."""
        templates = {
            "subjectTemplate": self.subject_template,
            "bodyTemplate": self.body_template,
        }
        return {
            "recipients": list(self.recipients),
            "attachCsv": self.attach_csv,
            "useProxy": False,
            **{name: text for name, text in templates.items() if text is not None},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackContent:
    """Writes to a channel through an incoming webhook."""

    kind: ClassVar[str] = "SlackAction"
    url: SecretText
    fields: Mapping[str, str] = field(default_factory=dict)
    """Heading to template, in order."""

    def to_input(self) -> dict[str, object]:
        """Return the members of the mutation's input."""
        return {"url": self.url.reveal(), "fields": _entries(self.fields), "useProxy": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackPostMessageContent:
    """Writes to channels as a Slack app."""

    kind: ClassVar[str] = "SlackPostMessageAction"
    token: SecretText
    channels: Sequence[str]
    fields: Mapping[str, str] = field(default_factory=dict)

    def to_input(self) -> dict[str, object]:
        """Return the members of the mutation's input."""
        return {
            "apiToken": self.token.reveal(),
            "channels": list(self.channels),
            "fields": _entries(self.fields),
            "useProxy": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutyContent:
    """Opens an incident at PagerDuty."""

    kind: ClassVar[str] = "PagerDutyAction"
    routing_key: SecretText
    severity: str
    """critical, error, warning or info."""

    def to_input(self) -> dict[str, object]:
        """Return the members of the mutation's input."""
        return {
            "routingKey": self.routing_key.reveal(),
            "severity": self.severity,
            "useProxy": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OpsGenieContent:
    """Opens an alert at Opsgenie."""

    kind: ClassVar[str] = "OpsGenieAction"
    key: SecretText
    api_url: str = "https://api.opsgenie.com"

    def to_input(self) -> dict[str, object]:
        """Return the members of the mutation's input."""
        return {"genieKey": self.key.reveal(), "apiUrl": self.api_url, "useProxy": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class VictorOpsContent:
    """Notifies VictorOps (Splunk On-Call)."""

    kind: ClassVar[str] = "VictorOpsAction"
    url: SecretText
    message_type: str

    def to_input(self) -> dict[str, object]:
        """Return the members of the mutation's input."""
        return {
            "notifyUrl": self.url.reveal(),
            "messageType": self.message_type,
            "useProxy": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HumioRepoContent:
    """Stores what was found in a repository."""

    kind: ClassVar[str] = "HumioRepoAction"
    ingest_token: SecretText

    def to_input(self) -> dict[str, object]:
        """Return the members of the mutation's input."""
        return {"ingestToken": self.ingest_token.reveal()}


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFileContent:
    """Keeps what was found as a lookup file."""

    kind: ClassVar[str] = "UploadFileAction"
    file_name: str

    def to_input(self) -> dict[str, object]:
        """Return the members of the mutation's input."""
        return {"fileName": self.file_name}


CONTENTS: tuple[type[ActionContent], ...] = (
    WebhookContent,
    EmailContent,
    SlackContent,
    SlackPostMessageContent,
    PagerDutyContent,
    OpsGenieContent,
    VictorOpsContent,
    HumioRepoContent,
    UploadFileContent,
)


def _entries(fields: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"fieldName": name, "value": value} for name, value in fields.items()]
