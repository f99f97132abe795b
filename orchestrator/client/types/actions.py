"""What alerts and scheduled searches can invoke: one class a kind, one more kind is one more class.

Addresses, keys and tokens are secrets, since whoever holds one can send in its owner's name.
`use_proxy` sends through the proxy that the server is set to, `ignore_tls` trusts any certificate.
Source: GraphQL schema of server 1.204, the types of action and the `Create…Action` inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from orchestrator.secret import SecretText


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookContent:
    """Calls a web address."""

    kind: ClassVar[str] = "WebhookAction"
    url: SecretText
    body_template: str
    """Text with the vendor's placeholders, such as `{events}`."""
    method: str = "POST"
    headers: Mapping[str, SecretText] = field(default_factory=dict)
    ignore_tls: bool = False
    use_proxy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailContent:
    """Sends mail; None is the server's own text."""

    kind: ClassVar[str] = "EmailAction"
    recipients: Sequence[str]
    subject_template: str | None = None
    body_template: str | None = None
    attach_csv: bool = False
    use_proxy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackContent:
    """Writes to a channel through an incoming webhook."""

    kind: ClassVar[str] = "SlackAction"
    url: SecretText
    fields: Mapping[str, str] = field(default_factory=dict)
    """Heading to template, in order."""
    use_proxy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackPostMessageContent:
    """Writes to channels as a Slack app."""

    kind: ClassVar[str] = "SlackPostMessageAction"
    token: SecretText
    channels: Sequence[str]
    fields: Mapping[str, str] = field(default_factory=dict)
    use_proxy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutyContent:
    """Opens an incident at PagerDuty."""

    kind: ClassVar[str] = "PagerDutyAction"
    routing_key: SecretText
    severity: str
    """critical, error, warning or info."""
    use_proxy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpsGenieContent:
    """Opens an alert at Opsgenie."""

    kind: ClassVar[str] = "OpsGenieAction"
    key: SecretText
    api_url: str = "https://api.opsgenie.com"
    use_proxy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VictorOpsContent:
    """Notifies VictorOps (Splunk On-Call)."""

    kind: ClassVar[str] = "VictorOpsAction"
    url: SecretText
    message_type: str
    use_proxy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HumioRepoContent:
    """Stores what was found in a repository."""

    kind: ClassVar[str] = "HumioRepoAction"
    ingest_token: SecretText


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFileContent:
    """Keeps what was found as a lookup file."""

    kind: ClassVar[str] = "UploadFileAction"
    file_name: str


ActionContent = (
    WebhookContent
    | EmailContent
    | SlackContent
    | SlackPostMessageContent
    | PagerDutyContent
    | OpsGenieContent
    | VictorOpsContent
    | HumioRepoContent
    | UploadFileContent
)
"""What one kind of action holds; `kind` is the type's name in the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that an asset can invoke. It has no `raw`, which would hold its secrets."""

    id: str
    name: str
    kind: str
    """GraphQL's type name; open, the vendor adds new ones."""
    content: ActionContent | None = None
    """None for a kind that this client does not know, or headers or fields of one name."""
    labels: tuple[str, ...] = ()
    """Servers before 1.204 have none."""
    display_name: str = field(default="", compare=False)
    """What assets call it: its name, after `scope/package:` where a package brought it."""
    modified_at: datetime | None = field(default=None, compare=False)
    """When it was changed last; None where the server does not tell, as before 1.204."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTest:
    """How the one message went that a server sent to test an action."""

    is_sent: bool
    message: str
    """The server's own words; what a far side answered may be among them."""
