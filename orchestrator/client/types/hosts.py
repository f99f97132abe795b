"""Hosts of a Falcon tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host (device) of a Falcon tenant; what the sensor did not tell is empty."""

    id: str
    """Device id, the sensor's `aid`."""
    name: str
    platform: str
    """Windows, Mac or Linux."""
    local_ip: str
    external_ip: str
    first_seen: str
    """ISO 8601, UTC; as the gateway writes it."""
    last_seen: str
    os_version: str = ""
    product_type: str = ""
    """Workstation, Server or Domain Controller; others may come."""
    containment: str = ""
    """normal, containment_pending, contained or lift_containment_pending; others may come."""
    last_login_user: str = ""
    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
