"""Health for administrators: each check with its status, as text for people and as JSON.

A server's status is that of its worst check. Where the disk is full ingest is refused, so such a
sandbox is down.
Source: library.humio.com, logscale-api/api-health-check.html; the checks are the sandbox's own.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.sandbox.answers import json_answer, text_answer
from orchestrator.sandbox.auth import caller_of, demand
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox

_FULL_PERCENT = 99.5
_TIGHT_PERCENT = 90.0


class HealthStatus(StrEnum):
    """How a check, or a server, is; from good to bad."""

    OK = "OK"
    WARN = "WARN"
    DOWN = "DOWN"


_BY_BADNESS = list(HealthStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One thing that was looked at."""

    name: str
    status: HealthStatus
    message: str
    fields: dict[str, str] = field(default_factory=dict)

    def to_wire(self) -> dict[str, object]:
        """Return the object that stands in `oks`, `warnings` or `down`."""
        return {
            "name": self.name,
            "status": self.status.value,
            "statusMessage": self.message,
            "fields": self.fields,
        }


async def health_json(request: Request) -> Response:
    """`GET /api/v1/health-json`: 503 where the sandbox is down, as on `status`."""
    sandbox = _administered(request)
    checks = health_checks(sandbox)
    status = worst(checks)

    def of(wanted: HealthStatus) -> list[dict[str, object]]:
        return [check.to_wire() for check in checks if check.status is wanted]

    content = {
        "status": status.value,
        "statusMessage": _message(checks),
        "uptime": str(timedelta(seconds=int(sandbox.uptime().total_seconds()))),
        "version": sandbox.settings.version,
        "oks": of(HealthStatus.OK),
        "warnings": of(HealthStatus.WARN),
        "down": of(HealthStatus.DOWN),
    }
    return json_answer(content, status=http_status(status))


async def health_text(request: Request) -> Response:
    """`GET /api/v1/health`: a line for the whole, then one per check, the worst first."""
    checks = health_checks(_administered(request))
    status = worst(checks)
    ordered = sorted(checks, key=lambda check: -_BY_BADNESS.index(check.status))
    lines = [f"{check.status}: {check.name}: {check.message}" for check in ordered]
    text = "\n".join([f"{status}: {_message(checks)}", *lines]) + "\n"
    return text_answer(http_status(status), text)


def health_checks(sandbox: Sandbox) -> list[HealthCheck]:
    """Return what there is to say, one check after the other."""
    running = len(sandbox.jobs)
    events = sum(domain.log.count for domain in sandbox.domains.values())
    return [
        HealthCheck(
            name="query-jobs",
            status=HealthStatus.OK,
            message=f"query jobs alive: {running}",
            fields={"alive": str(running)},
        ),
        HealthCheck(
            name="events-in-memory",
            status=HealthStatus.OK,
            message=f"events held: {events}",
            fields={"events": str(events)},
        ),
        *_disk(sandbox),
    ]


def worst(checks: Sequence[HealthCheck]) -> HealthStatus:
    """Return the worst status among the checks."""
    return max((check.status for check in checks), key=_BY_BADNESS.index, default=HealthStatus.OK)


def disk_check(used_percent: float) -> HealthCheck:
    """Return the check of a disk that is `used_percent` full."""
    if used_percent >= _FULL_PERCENT:
        status, message = HealthStatus.DOWN, "the disk is full: events are refused"
    elif used_percent >= _TIGHT_PERCENT:
        status, message = HealthStatus.WARN, "the disk is nearly full"
    else:
        status, message = HealthStatus.OK, "there is room on the disk"
    fields = {"used_percent": f"{used_percent:.1f}"}
    return HealthCheck(name="primary-disk-usage", status=status, message=message, fields=fields)


def _disk(sandbox: Sandbox) -> list[HealthCheck]:
    folder = sandbox.settings.data_dir
    if folder is None:
        return []
    usage = shutil.disk_usage(folder)
    return [disk_check(100 * (1 - usage.free / usage.total))]


def _message(checks: Sequence[HealthCheck]) -> str:
    bad = [check for check in checks if check.status is not HealthStatus.OK]
    return "; ".join(check.message for check in bad) or "everything is fine"


def http_status(status: HealthStatus) -> int:
    """Return the HTTP status of an answer that tells this one."""
    return 503 if status is HealthStatus.DOWN else 200


def _administered(request: Request) -> Sandbox:
    sandbox, role = caller_of(request)
    demand(role, Right.READ_HEALTH)
    return sandbox
