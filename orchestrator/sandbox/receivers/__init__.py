"""Local stand-ins for Slack, Jira, a webhook and any endpoint: they check and keep what they get.

Each is an ASGI app with a `store` of what arrived, a list of `violations` of the real service's
rules, and `faults` to play next. They share no code with the sinks: two readings of one protocol.
"""

from __future__ import annotations

from orchestrator.sandbox.receivers.faults import Fault, Receiver
from orchestrator.sandbox.receivers.inbox import InboxReceiver, inbox_app
from orchestrator.sandbox.receivers.jira import JiraReceiver, jira_app
from orchestrator.sandbox.receivers.loopback import serve_on_loopback
from orchestrator.sandbox.receivers.slack import SlackReceiver, slack_app
from orchestrator.sandbox.receivers.webhook import WebhookReceiver, webhook_app

__all__ = [
    "Fault",
    "InboxReceiver",
    "JiraReceiver",
    "Receiver",
    "SlackReceiver",
    "WebhookReceiver",
    "inbox_app",
    "jira_app",
    "serve_on_loopback",
    "slack_app",
    "webhook_app",
]
