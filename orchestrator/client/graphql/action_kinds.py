"""How the kinds of action are read and written, as a table: one more kind is one more row.

An answer of each kind becomes the content that creates it, so that an update can change one member
and keep the others. Members of two kinds that share a name but not a type carry an alias.
Source: GraphQL schema of server 1.204, the types of action and the `Create…Action` inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from orchestrator.client.http.members import Members
from orchestrator.client.types import (
    ActionContent,
    EmailContent,
    HumioRepoContent,
    OpsGenieContent,
    PagerDutyContent,
    SlackContent,
    SlackPostMessageContent,
    UploadFileContent,
    VictorOpsContent,
    WebhookContent,
)
from orchestrator.secret import SecretText

C = TypeVar("C", bound=ActionContent)
Write = dict[str, object]


@dataclass(frozen=True, slots=True)
class ActionKind(Generic[C]):
    """One kind of action: its content, read from an answer and written into an input."""

    type: type[C]
    from_wire: Callable[[Members], C]
    to_input: Callable[[C], Write]


def content_of(members: Members) -> ActionContent | None:
    """Return what an action holds, None for a kind that no row knows or a name that is there twice.

    A content has its headers and fields by name, so an update would lose one of two.

    Raises:
        UnexpectedResponse: A member is missing or of another type.
    """
    kind = next((k for k in ACTION_KINDS if k.type.kind == members.text("__typename")), None)
    return None if kind is None or _has_twins(members) else kind.from_wire(members)


def input_of(content: ActionContent) -> Write:
    """Return the members of a mutation's input, without view, name and labels; secrets revealed."""
    (kind,) = (kind for kind in ACTION_KINDS if kind.type is type(content))
    return kind.to_input(content)


def _has_twins(members: Members) -> bool:
    for entries, name in (("headers", "header"), ("fields", "fieldName")):
        names = [entry.text(name) for entry in members.members(entries)]
        if len(set(names)) < len(names):
            return True
    return False


def _secret(members: Members, name: str) -> SecretText:
    return SecretText(members.text(name))


def _fields(members: Members) -> dict[str, str]:
    entries = members.members("fields")
    return {entry.text("fieldName"): entry.text("value") for entry in entries}


def _entries(fields: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"fieldName": name, "value": value} for name, value in fields.items()]


def _read_webhook(members: Members) -> WebhookContent:
    headers = members.members("headers")
    return WebhookContent(
        url=_secret(members, "url"),
        body_template=members.text("webhookBodyTemplate"),
        method=members.text("method"),
        headers={entry.text("header"): _secret(entry, "value") for entry in headers},
        ignore_tls=members.flag("ignoreSSL"),
        use_proxy=members.flag("useProxy"),
    )


def _write_webhook(content: WebhookContent) -> Write:
    return {
        "url": content.url.reveal(),
        "method": content.method,
        "headers": [
            {"header": name, "value": value.reveal()} for name, value in content.headers.items()
        ],
        "bodyTemplate": content.body_template,
        "ignoreSSL": content.ignore_tls,
        "useProxy": content.use_proxy,
    }


def _read_email(members: Members) -> EmailContent:
    return EmailContent(
        recipients=members.texts("recipients"),
        subject_template=members.optional_text("subjectTemplate"),
        body_template=members.optional_text("emailBodyTemplate"),
        attach_csv=members.flag("attachCsv"),
        use_proxy=members.flag("useProxy"),
    )


def _write_email(content: EmailContent) -> Write:
    templates = {
        "subjectTemplate": content.subject_template,
        "bodyTemplate": content.body_template,
    }
    return {
        "recipients": list(content.recipients),
        "attachCsv": content.attach_csv,
        "useProxy": content.use_proxy,
        **{name: text for name, text in templates.items() if text is not None},
    }


def _read_slack(members: Members) -> SlackContent:
    return SlackContent(
        url=_secret(members, "url"),
        fields=_fields(members),
        use_proxy=members.flag("useProxy"),
    )


def _write_slack(content: SlackContent) -> Write:
    return {
        "url": content.url.reveal(),
        "fields": _entries(content.fields),
        "useProxy": content.use_proxy,
    }


def _read_slack_app(members: Members) -> SlackPostMessageContent:
    return SlackPostMessageContent(
        token=_secret(members, "apiToken"),
        channels=members.texts("channels"),
        fields=_fields(members),
        use_proxy=members.flag("useProxy"),
    )


def _write_slack_app(content: SlackPostMessageContent) -> Write:
    return {
        "apiToken": content.token.reveal(),
        "channels": list(content.channels),
        "fields": _entries(content.fields),
        "useProxy": content.use_proxy,
    }


def _read_pager_duty(members: Members) -> PagerDutyContent:
    return PagerDutyContent(
        routing_key=_secret(members, "routingKey"),
        severity=members.text("severity"),
        use_proxy=members.flag("useProxy"),
    )


def _write_pager_duty(content: PagerDutyContent) -> Write:
    return {
        "routingKey": content.routing_key.reveal(),
        "severity": content.severity,
        "useProxy": content.use_proxy,
    }


def _read_ops_genie(members: Members) -> OpsGenieContent:
    return OpsGenieContent(
        key=_secret(members, "genieKey"),
        api_url=members.text("apiUrl"),
        use_proxy=members.flag("useProxy"),
    )


def _write_ops_genie(content: OpsGenieContent) -> Write:
    return {
        "genieKey": content.key.reveal(),
        "apiUrl": content.api_url,
        "useProxy": content.use_proxy,
    }


def _read_victor_ops(members: Members) -> VictorOpsContent:
    return VictorOpsContent(
        url=_secret(members, "notifyUrl"),
        message_type=members.text("messageType"),
        use_proxy=members.flag("useProxy"),
    )


def _write_victor_ops(content: VictorOpsContent) -> Write:
    return {
        "notifyUrl": content.url.reveal(),
        "messageType": content.message_type,
        "useProxy": content.use_proxy,
    }


# Any: each row is exact by itself, the tuple mixes them.
ACTION_KINDS: tuple[ActionKind[Any], ...] = (
    ActionKind(WebhookContent, _read_webhook, _write_webhook),
    ActionKind(EmailContent, _read_email, _write_email),
    ActionKind(SlackContent, _read_slack, _write_slack),
    ActionKind(SlackPostMessageContent, _read_slack_app, _write_slack_app),
    ActionKind(PagerDutyContent, _read_pager_duty, _write_pager_duty),
    ActionKind(OpsGenieContent, _read_ops_genie, _write_ops_genie),
    ActionKind(VictorOpsContent, _read_victor_ops, _write_victor_ops),
    ActionKind(
        HumioRepoContent,
        lambda members: HumioRepoContent(ingest_token=_secret(members, "ingestToken")),
        lambda content: {"ingestToken": content.ingest_token.reveal()},
    ),
    ActionKind(
        UploadFileContent,
        lambda members: UploadFileContent(file_name=members.text("fileName")),
        lambda content: {"fileName": content.file_name},
    ),
)
