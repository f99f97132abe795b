"""IP addresses and subnets as LogScale's cidr() reads them; a malformed address is in none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from orchestrator.errors import CqlSemanticError

Network = IPv4Network | IPv6Network


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the subnets that the texts spell, host bits ignored.

    Raises:
        CqlSemanticError: A text is not a subnet.
    """
    networks = []
    for text in texts:
        network = parse_network(text)
        if network is None:
            raise CqlSemanticError(f"{text!r} is not a subnet; write 10.0.0.0/8")
        networks.append(network)
    return tuple(networks)


def parse_network(text: str) -> Network | None:
    """Return the subnet, or None if the text is not one."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def contains_address(networks: Sequence[Network], text: str) -> bool:
    """Return whether the address lies in one of the subnets."""
    address = parse_address(text)
    return address is not None and any(
        address.version == network.version and address in network for network in networks
    )


@lru_cache(maxsize=65_536)
def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address, or None if the text is not one."""
    try:
        return ip_address(text)
    except ValueError:
        return None
