"""format()'s template: `%[index$][flags][width][.precision]type`, and durations in words.

Source: library.humio.com, data-analysis/functions-format.html.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import polars as pl

from orchestrator.cql.nodes import Node
from orchestrator.engine.arguments import semantic
from orchestrator.engine.functions.times import format_times
from orchestrator.engine.values import NULL, Kind, Value

_SPECIFIER = re.compile(r"%(?:(\d+)\$|(<))?([-+ #0,]*)(\d+)?(?:\.(\d+))?h?([tT][a-zA-Z]|[a-zA-Z%])")
_NULL_TEXT = "null"
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Specifier:
    """One `%...`: which value, and how to print it."""

    index: int
    flags: str
    width: int
    precision: int | None
    letter: str
    """`tH` and its kin for times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A template cut into plain text and specifiers."""

    pieces: tuple[str | Specifier, ...]
    zone: str = "UTC"
    call: Node | None = None

    def render(self, values: list[Value]) -> pl.Expr:
        """Return the printed text; a value that is absent or missing prints `null`."""
        parts = []
        for piece in self.pieces:
            if isinstance(piece, str):
                parts.append(pl.lit(piece))
                continue
            value = values[piece.index] if piece.index < len(values) else NULL
            if piece.letter[0] in "tT" and self.call is not None:
                parts.append(_printed_time(value, piece, zone=self.zone, call=self.call))
            else:
                parts.append(_printed(value, piece))
        return pl.concat_str(parts) if parts else pl.lit("")


def parse_format(template: str, *, call: Node, zone: str = "UTC") -> Format:
    """Return the template's pieces.

    Raises:
        CqlSemanticError: A `%` that begins no specifier, or an unknown letter.
    """
    pieces: list[str | Specifier] = []
    at, next_index, last_index = 0, 0, 0
    for found in _SPECIFIER.finditer(template):
        _plain(template[at : found.start()], pieces, call)
        at = found.end()
        position, again, flags, width, precision, letter = found.groups()
        if letter in "n%":
            pieces.append("\n" if letter == "n" else "%")
            continue
        if len(letter) == 1 and letter not in "sSdixXfFbBcCoeEgG":
            raise semantic(call, f"format() has no %{letter}")
        if position:
            last_index = int(position) - 1
        elif not again:
            last_index, next_index = next_index, next_index + 1
        pieces.append(
            Specifier(
                index=last_index,
                flags=flags,
                width=int(width or 0),
                precision=None if precision is None else int(precision),
                letter=letter,
            )
        )
    _plain(template[at:], pieces, call)
    return Format(pieces=tuple(pieces), zone=zone, call=call)


def duration_text(length_ms: float, *, precision: int = 0) -> str:
    """Return a duration such as `1d2h3m`; `precision` is the most units shown, 0 for all."""
    rest = round(abs(length_ms))
    parts = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    shown = parts[:precision] if precision else parts
    return ("-" if length_ms < 0 else "") + ("".join(shown) or "0ms")


def _plain(text: str, pieces: list[str | Specifier], call: Node) -> None:
    if "%" in text:
        raise semantic(call, "a % in format() begins no specifier; write %% for the sign itself")
    if text:
        pieces.append(text)


def _printed(value: Value, spec: Specifier) -> pl.Expr:
    if spec.letter in "sS" and not spec.width and spec.precision is None:
        return value.text().fill_null(_NULL_TEXT)
    if spec.letter in "sS":
        text, print_one = value.text(), _print_text
    elif spec.letter in "cC":
        text, print_one = value.text().str.head(1), _print_text
        text = text.str.to_uppercase() if spec.letter == "C" else text
    elif spec.letter in "bB":
        text, print_one = value.text(), _print_boolean
    else:
        text, print_one = Value(expr=value.number(), kind=Kind.NUMBER).text(), _print_number

    def apply(series: pl.Series) -> pl.Series:
        printed = [_NULL_TEXT if t is None else print_one(t, spec) for t in series.to_list()]
        return pl.Series(series.name, printed, dtype=pl.String)

    return text.map_batches(apply, return_dtype=pl.String)


def _printed_time(value: Value, spec: Specifier, *, zone: str, call: Node) -> pl.Expr:
    """Print a part of a time in milliseconds; `T` makes it upper case."""
    text = format_times(value.number(), f"%{spec.letter[1]}", zone=zone, call=call)
    text = text.str.to_uppercase() if spec.letter[0] == "T" else text
    if spec.width:
        text = text.str.pad_end(spec.width) if "-" in spec.flags else text.str.pad_start(spec.width)
    return text.fill_null(_NULL_TEXT)


def _print_text(text: str, spec: Specifier) -> str:
    return _padded(text if spec.precision is None else text[: spec.precision], spec)


def _print_boolean(text: str, spec: Specifier) -> str:
    word = "false" if text == "false" else "true"
    return _padded(word.upper() if spec.letter == "B" else word, spec)


def _print_number(text: str, spec: Specifier) -> str:
    number = float(text)
    grouping = "," if "," in spec.flags else ""
    match spec.letter:
        case "f" | "F":
            digits = 6 if spec.precision is None else spec.precision
            body = f"{abs(number):{grouping}.{digits}f}"
        case "e" | "E":
            body = f"{abs(number):.{6 if spec.precision is None else spec.precision}e}"
        case "g" | "G":
            body = _general(abs(number), max(1, 6 if spec.precision is None else spec.precision))
        case "o":
            body = f"{int(number) % 2**64:o}"
            body = ("0" if "#" in spec.flags and int(number) else "") + body
            return _padded(body.rjust(spec.precision or 0, "0"), spec)
        case "x" | "X":
            body = f"{int(number) % 2**64:x}"
            body = ("0x" if "#" in spec.flags else "") + body
            body = body.upper() if spec.letter == "X" else body
            if "0" in spec.flags and "-" not in spec.flags:
                body = body.rjust(spec.width, "0")
            return _padded(body, spec)
        case _:
            body = f"{int(abs(number)):{grouping}}".rjust(spec.precision or 0, "0")
    body = body.upper() if spec.letter in "EG" else body
    sign = "-" if number < 0 else "+" if "+" in spec.flags else " " if " " in spec.flags else ""
    if "0" in spec.flags and "-" not in spec.flags:
        body = body.rjust(spec.width - len(sign), "0")
    return _padded(sign + body, spec)


def _general(number: float, digits: int) -> str:
    """Print so many significant digits; outside 0.0001 and 10^digits with an exponent, as Java."""
    if number != 0 and not 1e-4 <= float(f"{number:.{digits - 1}e}") < 10.0**digits:
        return f"{number:.{digits - 1}e}"
    whole = len(str(int(number))) if number >= 1 else 1
    if 0 < number < 1:
        whole = math.floor(math.log10(float(f"{number:.{digits - 1}e}"))) + 1
    return f"{number:.{max(0, digits - whole)}f}"


def _padded(text: str, spec: Specifier) -> str:
    return text.ljust(spec.width) if "-" in spec.flags else text.rjust(spec.width)
