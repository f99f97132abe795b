"""Data from outside that some functions ask for, as the caller gives it: never a network call.

A function whose provider was not given is refused by name, with how to give it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an address is; a part that the source does not know is None."""

    country: str | None
    """ISO 3166 code of two letters."""
    city: str | None
    latitude: float | None
    """Decimal degrees."""
    longitude: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The autonomous system an address belongs to."""

    number: int
    organization: str | None


class PlaceSource(Protocol):
    """Says where an address is."""

    def place(self, address: str) -> Place | None:
        """Return the place, None if the address is malformed or not known."""


class NetworkSource(Protocol):
    """Says which autonomous system an address belongs to."""

    def network(self, address: str) -> Network | None:
        """Return the system, None if the address is malformed or not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One indicator of compromise, with its columns in LogScale's words."""

    type: str
    """`ip_address`, `domain` or `url`."""
    indicator: str
    confidence: str
    """`unverified`, `low`, `medium` or `high`."""
    columns: Mapping[str, str]
    """What a match adds: `indicator`, `labels`, `malicious_confidence`, `type`, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """What was given; None was not."""

    places: PlaceSource | None = None
    """For ipLocation() and worldMap(ip=)."""
    networks: NetworkSource | None = None
    """For asn()."""
    indicators: tuple[Indicator, ...] | None = None
    """For ioc:lookup()."""
    host_names: Mapping[str, str] | None = None
    """Host names by address, for reverseDns() and rdns()."""
    salts: Mapping[str, str] | None = None
    """Secret salts by name, for hashMatch() and hashRewrite()."""
