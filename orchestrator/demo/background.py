"""Everyday Falcon telemetry, made on the spot: the haystack.

Nothing here touches a token source, so no rule may match any of it; what a rule does match in the
demo comes from the rules' own sample events. The same seed gives the same events.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.units import to_epoch_ms

DAY = timedelta(days=1)

Event = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    aid: str
    name: str
    platform: str
    user: str


_WINDOWS_IMAGES = (
    "\\Device\\HarddiskVolume3\\Windows\\System32\\svchost.exe",
    "\\Device\\HarddiskVolume3\\Program Files\\Mozilla Firefox\\firefox.exe",
    "\\Device\\HarddiskVolume3\\Program Files\\Microsoft Office\\root\\Office16\\OUTLOOK.EXE",
    "\\Device\\HarddiskVolume3\\Windows\\System32\\conhost.exe",
    "\\Device\\HarddiskVolume3\\Program Files\\Teams\\ms-teams.exe",
)
_LINUX_IMAGES = (
    "/usr/sbin/nginx",
    "/usr/bin/python3.11",
    "/usr/lib/systemd/systemd",
    "/usr/sbin/cron",
    "/usr/lib/postgresql/15/bin/postgres",
)
_DOMAINS = (
    "www.example.com",
    "updates.example.org",
    "mail.example.net",
    "repo.example.com",
    "ntp.example.org",
)
_FILES = (
    "/var/log/syslog",
    "/etc/nginx/nginx.conf",
    "/home/app/report.csv",
    "\\Device\\HarddiskVolume3\\Users\\pub\\Documents\\budget.xlsx",
    "\\Device\\HarddiskVolume3\\Windows\\Temp\\setup.log",
)


def background_events(
    count: int, *, start: datetime, length: timedelta = DAY, seed: int = 1528
) -> Iterator[Event]:
    """Yield `count` events in LogScale's shape, in time order, spread evenly over `length`.

    Each carries `@timestamp` and `@ingesttimestamp` in ms; about one in a hundred arrives minutes
    late, the others within seconds.
    """
    rng = random.Random(seed)  # noqa: S311 -- sample data, not security
    hosts = [_host(rng, n) for n in range(60)]
    start_ms, length_ms = to_epoch_ms(start), length // timedelta(milliseconds=1)
    for n in range(count):
        at_ms = start_ms + length_ms * n // count
        late_ms = rng.randint(60_000, 600_000) if rng.random() < 0.01 else rng.randint(500, 20_000)
        event = _event(rng, rng.choice(hosts), n)
        event["@timestamp"] = str(at_ms)
        event["@ingesttimestamp"] = str(at_ms + late_ms)
        yield event


def _host(rng: random.Random, n: int) -> _Host:
    windows = n % 2 == 0
    return _Host(
        aid=f"{rng.getrandbits(128):032x}",
        name=f"LAP-{n:04d}" if windows else f"srv-{n:04d}.corp.example",
        platform="Win" if windows else "Lin",
        user=f"user{n:03d}" if windows else rng.choice(("app", "nginx", "postgres")),
    )


def _event(rng: random.Random, host: _Host, n: int) -> Event:
    pid = str(10**12 + n)
    event: Event = {
        "aid": host.aid,
        "cid": "0123456789abcdef0123456789abcdef",
        "ComputerName": host.name,
        "event_platform": host.platform,
        "id": f"{rng.getrandbits(128):032x}",
    }
    kind = rng.random()
    if kind < 0.45:
        image = rng.choice(_WINDOWS_IMAGES if host.platform == "Win" else _LINUX_IMAGES)
        return event | {
            "#event_simpleName": "ProcessRollup2",
            "ImageFileName": image,
            "CommandLine": f"{image} --worker {rng.randint(1, 400)}",
            "UserName": host.user,
            "TargetProcessId": pid,
            "ParentProcessId": str(10**12 + rng.randint(0, max(n, 1))),
            "SHA256HashData": f"{rng.getrandbits(256):064x}",
        }
    if kind < 0.75:
        return event | {
            "#event_simpleName": "NetworkConnectIP4",
            "ContextProcessId": pid,
            "RemoteAddressIP4": f"198.51.100.{rng.randint(1, 254)}",
            "RemotePort": rng.choice(("443", "80", "22", "5432")),
            "LocalAddressIP4": f"10.0.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
            "Protocol": "6",
            "ConnectionDirection": "0",
        }
    if kind < 0.93:
        return event | {
            "#event_simpleName": "DnsRequest",
            "ContextProcessId": pid,
            "DomainName": rng.choice(_DOMAINS),
            "RequestType": "1",
            "QueryStatus": "0",
        }
    return event | {
        "#event_simpleName": "FileOpenInfo",
        "ContextProcessId": pid,
        "TargetFileName": rng.choice(_FILES),
        "TreeId": f"{rng.getrandbits(40)}",
    }
