"""Places: geohashes, distances, and what an address database or an indicator list says.

Source: library.humio.com, data-analysis/functions-geohash.html, functions-geography-distance.html,
functions-iplocation.html, functions-asn.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from orchestrator.engine.arguments import Args, unsupported
from orchestrator.engine.patterns.globs import format_number
from orchestrator.engine.rows import Rows
from orchestrator.engine.sources.providers import NetworkSource, PlaceSource
from orchestrator.engine.values import Kind, Value, each_distinct

_ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"
# The earth's mean radius in metres; the documented distance from London to Tokyo gives this one.
_EARTH_RADIUS = 6_371_009.0


def geohash_of(latitude: pl.Expr, longitude: pl.Expr, precision: int) -> pl.Expr:
    """Return the geohash of each pair of degrees, null where one is not a number."""

    def encode(series: pl.Series) -> pl.Series:
        known: dict[tuple[float, float], str] = {}
        found: list[str | None] = []
        for cell in series.to_list():
            pair = (cell["lat"], cell["lon"])
            if None in pair:
                found.append(None)
                continue
            if pair not in known:
                known[pair] = geohash(*pair, precision=precision)
            found.append(known[pair])
        return pl.Series(series.name, found, dtype=pl.String)

    pair = pl.struct(latitude.alias("lat"), longitude.alias("lon"))
    return pair.map_batches(encode, return_dtype=pl.String)


def geohash(latitude: float, longitude: float, *, precision: int) -> str:
    """Return the geohash of `precision` letters; source: geohash.org's published method."""
    lows, highs, values = [-180.0, -90.0], [180.0, 90.0], (longitude, latitude)
    letters, bits = [], 0
    for place in range(precision * 5):
        axis = place % 2
        middle = (lows[axis] + highs[axis]) / 2
        is_high = values[axis] >= middle
        (lows if is_high else highs)[axis] = middle
        bits = bits * 2 + is_high
        if place % 5 == 4:
            letters.append(_ALPHABET[bits])
            bits = 0
    return "".join(letters)


def geohash_value(args: Args, rows: Rows) -> Value:
    """Compute geohash()."""
    latitude = rows.number(args.text("lat", "ip.lat"))
    longitude = rows.number(args.text("lon", "ip.lon"))
    precision = args.integer("precision", default=12, maximum=24)
    return Value(expr=geohash_of(latitude, longitude, precision))


def distance_value(args: Args, rows: Rows) -> Value:
    """Compute geography:distance(): metres along the earth's surface."""
    lat1, lon1, lat2, lon2 = (
        rows.number(args.text(name)).radians() for name in ("lat1", "lon1", "lat2", "lon2")
    )
    half = ((lat2 - lat1) / 2).sin() ** 2
    half = half + lat1.cos() * lat2.cos() * ((lon2 - lon1) / 2).sin() ** 2
    return Value(expr=half.sqrt().arcsin() * 2 * _EARTH_RADIUS, kind=Kind.NUMBER)


def _places(args: Args) -> PlaceSource | None:
    source = args.execution.context.providers.places
    if source is None and not args.execution.is_dry:
        raise unsupported(
            args.call, f"{args.function.name}()", "no MaxMind City file was given (--geoip FILE)"
        )
    return source


def _networks(args: Args) -> NetworkSource | None:
    source = args.execution.context.providers.networks
    if source is None and not args.execution.is_dry:
        raise unsupported(
            args.call, f"{args.function.name}()", "no MaxMind ASN file was given (--asn FILE)"
        )
    return source


def place_columns(args: Args, rows: Rows, field: str) -> tuple[pl.Expr, pl.Expr]:
    """Return latitude and longitude of the addresses in a field."""
    source, text = _places(args), rows.field(field).text()

    def part(name: str) -> pl.Expr:
        def find(address: str) -> str | None:
            place = None if source is None else source.place(address)
            number = None if place is None else getattr(place, name)
            return None if number is None else format_number(number)

        return each_distinct(text, find).cast(pl.Float64)

    return part("latitude"), part("longitude")


def ip_location(args: Args, rows: Rows) -> None:
    """Add `.country`, `.city`, `.lat` and `.lon` of the address in a field."""
    source, field = _places(args), args.text("field", "ip")
    prefix = args.text("as", field)
    text = rows.field(field).text()

    def lookup(name: str) -> Callable[[str], str | None]:
        def find(address: str) -> str | None:
            place = None if source is None else source.place(address)
            value = None if place is None else getattr(place, name)
            return format_number(value) if isinstance(value, float) else value

        return find

    parts = {"country": "country", "city": "city", "lat": "latitude", "lon": "longitude"}
    for suffix, name in parts.items():
        rows.set(f"{prefix}.{suffix}", Value(expr=each_distinct(text, lookup(name))))


def asn(args: Args, rows: Rows) -> None:
    """Add `.asn` and `.org` of the address in a field."""
    source, field = _networks(args), args.text("field", "ip")
    prefix, text = args.text("as", field), rows.field(field).text()

    def number(address: str) -> str | None:
        network = None if source is None else source.network(address)
        return None if network is None else str(network.number)

    def organization(address: str) -> str | None:
        network = None if source is None else source.network(address)
        return None if network is None else network.organization

    rows.set(f"{prefix}.asn", Value(expr=each_distinct(text, number)))
    rows.set(f"{prefix}.org", Value(expr=each_distinct(text, organization)))


def reverse_dns(args: Args, rows: Rows) -> None:
    """Add the host name that the caller's table gives for the address in a field."""
    names: Mapping[str, str] | None = args.execution.context.providers.host_names
    if names is None and not args.execution.is_dry:
        reason = "host names are never asked for over the network; give a table (--host-names FILE)"
        raise unsupported(args.call, f"{args.call.name}()", reason)
    default = "hostname" if args.call.name.lower() == "rdns" else "_hostname"
    text = rows.field(args.text("field")).text()
    found = each_distinct(text, (names or {}).get)
    rows.set(args.output(default), Value(expr=found))
