"""What Slack's error codes mean for a delivery: a table, and a bounded guess for unknown codes.

Slack answers most failures with HTTP 200, `ok: false` and a code.
Source: docs.slack.dev, reference/methods/chat.postMessage and chat.update, "Errors".
"""

from __future__ import annotations

from orchestrator.model.notification import DeliveryReason

CODES: dict[str, DeliveryReason] = {
    code: reason
    for reason, codes in {
        DeliveryReason.RATE_LIMITED: "ratelimited rate_limited message_limit_exceeded",
        DeliveryReason.SERVER_FAILED: (
            "service_unavailable team_added_to_org org_login_required external_channel_migrating"
        ),
        DeliveryReason.UNCERTAIN: "internal_error fatal_error request_timeout",
        DeliveryReason.UNAUTHORIZED: (
            "not_authed invalid_auth account_inactive token_revoked token_expired missing_scope "
            "not_allowed_token_type access_denied accesslimited team_access_not_granted "
            "two_factor_setup_required enterprise_is_restricted ekm_access_denied no_permission "
            "messages_tab_disabled"
        ),
        DeliveryReason.NOT_FOUND: (
            "channel_not_found not_in_channel is_archived restricted_action "
            "restricted_action_read_only_channel restricted_action_thread_only_channel "
            "restricted_action_non_threadable_channel restricted_action_thread_locked "
            "message_not_found thread_not_found cant_update_message edit_window_closed is_inactive"
        ),
        DeliveryReason.REFUSED: (
            "invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long no_text "
            "too_many_attachments invalid_metadata_format invalid_metadata_schema "
            "metadata_too_large metadata_must_be_sent_from_app invalid_arguments "
            "markdown_text_conflict"
        ),
    }.items()
    for code in codes.split()
}

MESSAGE_GONE = frozenset(
    {
        "message_not_found",
        "thread_not_found",
        "cant_update_message",
        "edit_window_closed",
        "is_inactive",
    }
)
"""The finding's message is no longer there to update: a new one takes its place."""


def reason_for_code(code: str, *, status: int) -> DeliveryReason:
    """Return why Slack refused; an unknown code counts as a passing failure.

    Args:
        code: Value of `error`; empty where the answer was no JSON of Slack's, such as a proxy's
            page, and then the status decides.
        status: HTTP status of the answer.
    """
    if status == 429:
        return DeliveryReason.RATE_LIMITED
    if code in CODES:
        return CODES[code]
    if not code:
        return _BY_STATUS.get(status, _other(status))
    if status >= 500:
        return DeliveryReason.UNCERTAIN
    return DeliveryReason.SERVER_FAILED


_BY_STATUS = {
    401: DeliveryReason.UNAUTHORIZED,
    403: DeliveryReason.UNAUTHORIZED,
    404: DeliveryReason.NOT_FOUND,
    407: DeliveryReason.MISCONFIGURED,
    408: DeliveryReason.TIMED_OUT,
    410: DeliveryReason.NOT_FOUND,
}


def _other(status: int) -> DeliveryReason:
    return DeliveryReason.REFUSED if 400 <= status < 500 else DeliveryReason.UNCERTAIN
