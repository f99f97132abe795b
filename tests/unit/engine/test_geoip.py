"""MaxMind files: written here byte by byte, so that no database of anyone's is needed."""

from __future__ import annotations

import struct
from ipaddress import ip_network
from pathlib import Path

import pytest

from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, run_query
from orchestrator.engine.sources.geoip import MaxMindFile
from orchestrator.engine.sources.providers import Network, Place, Providers
from orchestrator.errors import ConfigError

CITY = {
    "country": {"iso_code": "GB"},
    "city": {"names": {"en": "London"}},
    "location": {"latitude": 51.5, "longitude": -0.125},
}
ASN = {"autonomous_system_number": 64500, "autonomous_system_organization": "Example"}


def _encoded(value: object) -> bytes:
    """Encode a value of the data section: maps, texts, doubles and whole numbers."""
    match value:
        case dict():
            return bytes([7 << 5 | len(value)]) + b"".join(
                _encoded(part) for pair in value.items() for part in pair
            )
        case str():
            raw = value.encode()
            size = bytes([2 << 5 | len(raw)]) if len(raw) < 29 else bytes([0x5D, len(raw) - 29])
            return size + raw
        case float():
            return bytes([3 << 5 | 8]) + struct.pack(">d", value)
        case int():
            return bytes([6 << 5 | 4]) + struct.pack(">I", value)
        case list():
            return bytes([len(value), 4]) + b"".join(_encoded(item) for item in value)
    raise AssertionError(value)


def _metadata(count: int) -> bytes:
    """Encode the metadata, whose numbers have types of their own."""
    short = {"binary_format_major_version": 2, "binary_format_minor_version": 0, "ip_version": 4,
             "record_size": 24}  # fmt: skip
    other: dict[str, object] = {"database_type": "Test", "description": {}, "languages": []}
    pairs = [_encoded(k) + bytes([5 << 5 | 2]) + struct.pack(">H", n) for k, n in short.items()]
    pairs += [_encoded(name) + _encoded(value) for name, value in other.items()]
    pairs.append(_encoded("node_count") + _encoded(count))
    pairs.append(_encoded("build_epoch") + bytes([8, 2]) + struct.pack(">Q", 1))
    return bytes([7 << 5 | len(pairs)]) + b"".join(pairs)


def write_database(path: Path, networks: dict[str, dict[str, object]]) -> Path:
    """Write an IPv4 database: a binary tree over the addresses' bits, then the records."""
    tree: list[list[int | None]] = [[None, None]]
    records = b""
    leaves: list[tuple[int, int, int]] = []
    for text, record in networks.items():
        network = ip_network(text)
        bits = f"{int(network.network_address):032b}"[: network.prefixlen]
        node = 0
        for bit in bits[:-1]:
            child = tree[node][int(bit)]
            if child is None:
                tree.append([None, None])
                child = len(tree) - 1
                tree[node][int(bit)] = child
            node = child
        leaves.append((node, int(bits[-1]), len(records)))
        records += _encoded(record)
    count = len(tree)
    for node, side, offset in leaves:
        tree[node][side] = count + 16 + offset
    body = b"".join(
        (count if cell is None else cell).to_bytes(3, "big") for pair in tree for cell in pair
    )
    marker = b"\xab\xcd\xefMaxMind.com"
    path.write_bytes(body + bytes(16) + records + marker + _metadata(count))
    return path


def test_city_file_says_where_an_address_is(tmp_path: Path) -> None:
    with MaxMindFile(write_database(tmp_path / "c.mmdb", {"10.1.0.0/16": CITY})) as file:
        found = file.place("10.1.2.3")

        assert found == Place(country="GB", city="London", latitude=51.5, longitude=-0.125)
        assert file.place("10.2.0.1") is None
        assert file.place("no address") is None
        assert file.network("10.1.2.3") is None


def test_country_file_leaves_the_rest_open(tmp_path: Path) -> None:
    record: dict[str, object] = {"country": {"iso_code": "GB"}}
    with MaxMindFile(write_database(tmp_path / "c.mmdb", {"10.0.0.0/8": record})) as file:
        assert file.place("10.0.0.1") == Place(
            country="GB", city=None, latitude=None, longitude=None
        )


def test_asn_file_says_whose_an_address_is(tmp_path: Path) -> None:
    with MaxMindFile(write_database(tmp_path / "a.mmdb", {"10.0.0.0/8": ASN})) as file:
        assert file.network("10.9.9.9") == Network(number=64500, organization="Example")
        assert file.network("11.0.0.1") is None


def test_query_asks_the_file(tmp_path: Path) -> None:
    with MaxMindFile(write_database(tmp_path / "c.mmdb", {"10.1.0.0/16": CITY})) as file:
        context = Context(start_ms=0, end_ms=9, now_ms=0, providers=Providers(places=file))
        events = Events.from_rows([{"ip": "10.1.2.3"}, {"ip": "x"}])

        result = run_query("ipLocation(ip) | groupBy(ip.country)", events, context=context)

    assert result.rows == [{"ip.country": "GB", "_count": "1"}]


@pytest.mark.parametrize("content", [b"", b"no database", b"\xab\xcd\xefMaxMind.com"])
def test_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mmdb"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"x\.mmdb: not a MaxMind database"):
        MaxMindFile(path)


def test_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.mmdb"):
        MaxMindFile(tmp_path / "none.mmdb")
