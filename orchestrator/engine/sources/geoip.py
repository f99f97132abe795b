"""MaxMind databases: where an address is and whose it is, from a `.mmdb` file of the caller.

The library is optional (`pip install orchestrator[geoip]`). GeoLite2 City, Country and ASN files
and their paid kin have these shapes. Source: dev.maxmind.com, GeoIP2 City and ASN databases.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.engine.sources.providers import Network, Place
from orchestrator.errors import ConfigError


class MaxMindFile:
    """One open database; answers both kinds of question as far as it has the answer."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            ConfigError: The library is not installed, or the file is missing or not a database.
        """
        try:
            import maxminddb  # noqa: PLC0415  # an extra: without it everything else works
        except ImportError as exc:
            raise ConfigError(
                "MaxMind files need the library maxminddb",
                path=path,
                advice="install orchestrator[geoip]",
            ) from exc
        try:
            self._reader = maxminddb.open_database(path)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as exc:
            raise ConfigError(f"not a MaxMind database: {exc}", path=path) from exc

    def __enter__(self) -> Self:
        """Return the open file."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; asking it afterwards is an error."""
        self._reader.close()

    def place(self, address: str) -> Place | None:
        """Return where the address is, None if it is malformed or not in the file."""
        record = self._record(address)
        if record is None:
            return None
        location = _part(record, "location")
        country, city = _part(record, "country"), _part(record, "city")
        return Place(
            country=_text(country.get("iso_code")),
            city=_text(_part(city, "names").get("en")),
            latitude=_number(location.get("latitude")),
            longitude=_number(location.get("longitude")),
        )

    def network(self, address: str) -> Network | None:
        """Return the address's system, None if it is malformed or not in the file."""
        record = self._record(address)
        number = None if record is None else record.get("autonomous_system_number")
        if record is None or not isinstance(number, int):
            return None
        organization = _text(record.get("autonomous_system_organization"))
        return Network(number=number, organization=organization)

    def _record(self, address: str) -> Mapping[str, object] | None:
        try:
            found: object = self._reader.get(address)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


def _part(record: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = record.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
