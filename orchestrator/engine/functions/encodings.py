"""Functions that code and decode text: digests, Base64, URLs, hex, flow ids, flags in numbers.

Source: library.humio.com, data-analysis/functions-base64decode.html and the functions' pages;
communityId(): github.com/corelight/community-id-spec, version 1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import re
import zlib
from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote_to_bytes

import polars as pl

from orchestrator.cql.nodes import Array
from orchestrator.engine.arguments import Args, semantic, unsupported
from orchestrator.engine.patterns.networks import parse_address
from orchestrator.engine.rows import Rows
from orchestrator.engine.values import Kind, Value, any_of, each_distinct, each_row, text_number

_HEX = re.compile(r"[0-9A-Fa-f]")
_CHARSETS = ("UTF-8", "UTF-16LE", "UTF-16BE", "ISO-8859-1")
_PROTOCOLS = {
    "icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58,
    "icmpv6": 58, "eigrp": 88, "ospf": 89, "ospfigp": 89, "sctp": 132,
}  # fmt: skip
_PORTED = frozenset((1, 6, 17, 58, 132))
# The other end's message type, where it has one: what the specification pairs.
_ICMP_PAIRS = {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10}
_ICMP6_PAIRS = {
    128: 129, 129: 128, 130: 131, 131: 130, 133: 134, 134: 133, 135: 136, 136: 135, 139: 140,
    140: 139, 144: 145, 145: 144,
}  # fmt: skip


def _by_text(args: Args, rows: Rows, function: Callable[[str], str | None]) -> Value:
    return Value(expr=each_distinct(rows.field(args.text("field")).text(), function))


def digest(algorithm: str) -> Callable[[Args, Rows], Value]:
    """Return how to compute one of the `crypto:` functions: of the fields' values joined."""

    def compute(args: Args, rows: Rows) -> Value:
        texts = [rows.field(name).text() for name in args.texts("field")]
        joined = pl.concat_str(texts, ignore_nulls=True) if len(texts) > 1 else texts[0]
        found = each_distinct(
            joined,
            lambda cell: hashlib.new(algorithm, _bytes(cell), usedforsecurity=False).hexdigest(),
        )
        return Value(expr=found)

    return compute


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def base64_decode(args: Args, rows: Rows) -> Value:
    """Decode Base64; what is broken gives nothing, bytes outside the charset a mark."""
    charset = args.choice("charset", _CHARSETS, default="UTF-8")

    def decode(cell: str) -> str | None:
        text = "".join(cell.split()).rstrip("=")
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode(
                charset, "replace"
            )
        except (binascii.Error, ValueError):
            return None

    return _by_text(args, rows, decode)


def base64_encode(args: Args, rows: Rows) -> Value:
    """Encode as Base64."""
    return _by_text(args, rows, lambda cell: base64.b64encode(_bytes(cell)).decode())


def url_decode(args: Args, rows: Rows) -> Value:
    """Decode percent signs; a plus is a blank."""

    def decode(cell: str) -> str:
        return unquote_to_bytes(cell.replace("+", " ")).decode("utf-8", "replace")

    return _by_text(args, rows, decode)


def url_encode(args: Args, rows: Rows) -> Value:
    """Encode with percent signs; a blank becomes a plus, as Java's encoder does."""

    def encode(cell: str) -> str:
        return quote(cell, safe="*", errors="replace").replace("%20", "+").replace("~", "%7E")

    return _by_text(args, rows, encode)


def parse_hex_string(args: Args, rows: Rows) -> Value:
    """Decode pairs of hex digits; a prefix `0x` or `16#` and what is no digit are skipped."""
    charset = args.choice("charset", _CHARSETS, default="UTF-8")

    def decode(cell: str) -> str:
        digits = "".join(_HEX.findall(re.sub(r"^\s*(0[xX]|16#)", "", cell)))
        return bytes.fromhex(digits[: len(digits) // 2 * 2]).decode(charset, "replace")

    return _by_text(args, rows, decode)


def shannon_entropy(args: Args, rows: Rows) -> Value:
    """Compute the entropy of the characters, in bits."""

    def entropy(cell: str) -> str:
        shares = [cell.count(char) / len(cell) for char in set(cell)]
        return repr(-math.fsum(share * math.log2(share) for share in shares) or 0.0)

    found = each_distinct(rows.field(args.text("field")).text(), entropy)
    return Value(expr=text_number(found), kind=Kind.NUMBER)


def plain_hash(args: Args, rows: Rows) -> Value:
    """Compute hash(): the same number for the same values; LogScale's own is another one."""
    texts = [rows.field(name).text() for name in args.texts("field")]
    seed = zlib.crc32(_bytes(args.text("seed"))) if args.has("seed") else 0
    limit = args.integer("limit", default=2**32)
    if limit < 1:
        raise semantic(args.call, "limit= takes a number from 1")

    def compute(cells: Sequence[str | None]) -> str:
        joined = "\x00".join("" if cell is None else cell for cell in cells)
        return str(zlib.crc32(_bytes(joined), seed) % limit)

    return Value(expr=each_row(texts, compute))


def token_hash(args: Args, rows: Rows) -> Value:
    """Compute tokenHash(): the same for the same words in any order; LogScale's own differs."""

    def compute(cell: str) -> str:
        return f"{sum(zlib.crc32(_bytes(word)) for word in cell.split()) % 2**32:x}"

    return _by_text(args, rows, compute)


# --- salted hashes --------------------------------------------------------------------------


def _salted(args: Args) -> Callable[[str], str]:
    salts, name = args.execution.context.providers.salts, args.text("salt")
    if (salts is None or name not in salts) and not args.execution.is_dry:
        reason = f"the salt {name!r} was not given"
        raise unsupported(args.call, f"{args.function.name}()", reason)
    algorithm = args.choice("hash", ("sha256", "sha512"), default="sha256")
    bits = args.integer("bits", default=256, maximum=256)
    if bits < 8 or bits % 8:
        raise semantic(args.call, "bits= takes a multiple of 8 from 8 to 256")
    salt = (salts or {}).get(name, "")

    def compute(text: str) -> str:
        return hmac.new(_bytes(salt), _bytes(text), algorithm).digest()[: bits // 8].hex()

    return compute


def hash_match(args: Args, rows: Rows) -> pl.Expr:
    """Return whether the field is the salted hash of `input`, or the raw text holds it."""
    wanted = _salted(args)(args.text("input"))
    if args.has("field"):
        return (rows.field(args.text("field")).text() == wanted).fill_null(value=False)
    return any_of([rows.field("@rawstring").text().str.contains(wanted, literal=True)])


def hash_rewrite(args: Args, rows: Rows) -> None:
    """Replace the field's value by its salted hash, in the raw text too."""
    compute, field = _salted(args), args.text("field")
    text, raw = rows.field(field).text(), rows.field("@rawstring")
    if args.flag("replaceInRawstring", default=True) and not raw.is_null:

        def rewrite(cells: Sequence[str | None]) -> str | None:
            whole, part = cells
            return whole.replace(part, compute(part)) if whole and part else whole

        rows.replace("@rawstring", Value(expr=each_row([raw.text(), text], rewrite)))
    rows.set(args.output(field), Value(expr=each_distinct(text, compute)))


# --- flows ----------------------------------------------------------------------------------


def community_id(args: Args, rows: Rows) -> Value:
    """Compute the flow's id; the empty text where an input is wrong."""
    names = ("proto", "sourceip", "destinationip", "sourceport", "destinationport", "icmptype",
             "icmpcode")  # fmt: skip
    texts = [
        rows.field(args.text(name)).text() if args.has(name) else pl.lit(None, dtype=pl.String)
        for name in names
    ]
    seed = args.integer("seed", default=0)
    return Value(expr=each_row(texts, lambda cells: _flow_id(cells, seed)))


def _flow_id(cells: Sequence[str | None], seed: int) -> str:
    proto_text, source_text, target_text, *rest = cells
    proto = _PROTOCOLS.get((proto_text or "").lower())
    if proto is None and proto_text is not None and proto_text.isdecimal():
        proto = int(proto_text)
    source, target = parse_address(source_text or ""), parse_address(target_text or "")
    if proto is None or proto > 255 or source is None or target is None:
        return ""
    if source.version != target.version:
        return ""
    ports: tuple[int, int] | None = None
    one_way = False
    is_icmp = proto in (1, 58)
    given = rest[2:] if is_icmp and rest[2] is not None else rest[:2]
    if proto in _PORTED and None not in given:
        numbers = [int(cell) for cell in given if cell is not None and cell.isdecimal()]
        if len(numbers) != 2 or max(numbers) > 65_535:
            return ""
        ports = (numbers[0], numbers[1])
        if is_icmp:
            pairs = _ICMP_PAIRS if proto == 1 else _ICMP6_PAIRS
            one_way = ports[0] not in pairs
            ports = (ports[0], pairs.get(ports[0], ports[1]))
    first, second = source.packed, target.packed
    if not one_way and (second, (ports or (0, 0))[::-1]) < (first, ports or (0, 0)):
        first, second = second, first
        ports = None if ports is None else ports[::-1]
    packed = seed.to_bytes(2, "big") + first + second + bytes((proto, 0))
    if ports is not None:
        packed += ports[0].to_bytes(2, "big") + ports[1].to_bytes(2, "big")
    hashed = hashlib.sha1(packed, usedforsecurity=False).digest()
    return "1:" + base64.b64encode(hashed).decode()


# --- flags ----------------------------------------------------------------------------------


def _flags(args: Args, parameter: str) -> list[tuple[int, str]]:
    """Return the pairs of bit and name, lowest bit first."""
    pairs = []
    for item in args.elements(parameter):
        if not isinstance(item, Array) or len(item.elements) != 2:
            raise semantic(item, f"{parameter}= takes pairs: [[bit, name], ...]")
        bit = args.plain(item.elements[0])
        if not bit.isdecimal() or int(bit) > 63:
            raise semantic(item, "a bit is a number from 0 to 63")
        pairs.append((int(bit), args.plain(item.elements[1])))
    if not pairs:
        raise semantic(args.call, f"{parameter}= must not be empty")
    return sorted(pairs)


def _bit_set(args: Args, rows: Rows, bit: int) -> pl.Expr:
    """Return whether the bit is set in the integer, null where there is none."""
    number = rows.field(args.text("field")).text().cast(pl.Int128, strict=False)
    is_set: pl.Expr = (number // 2**bit) % 2 == 1
    return is_set


def extract_flags(args: Args, rows: Rows) -> None:
    """Set a field for each bit, true or false."""
    only_true = args.flag("onlyTrue")
    for bit, name in _flags(args, "output"):
        is_set = _bit_set(args, rows, bit)
        found: pl.Expr = pl.when(is_set).then(pl.lit("true"))
        if not only_true:
            found = pl.coalesce(found, pl.when(~is_set).then(pl.lit("false")))
        rows.set(name, Value(expr=found))


def set_flags(args: Args, rows: Rows) -> list[pl.Expr]:
    """Return the names of the bits that are set, null for those that are not."""
    return [
        pl.when(_bit_set(args, rows, bit)).then(pl.lit(name))
        for bit, name in _flags(args, "flagNames")
    ]


def extract_flags_as_string(args: Args, rows: Rows) -> None:
    """Join the names of the bits that are set."""
    joined = pl.concat_str(
        set_flags(args, rows), separator=args.text("separator", " "), ignore_nulls=True
    )
    known = rows.field(args.text("field")).text().cast(pl.Int128, strict=False).is_not_null()
    rows.set(args.output("_flags"), Value(expr=pl.when(known).then(joined)))
