"""Reads fields out of one text: JSON, key=value, CSV, fixed widths, CEF, LEEF, URIs, XML.

Each reader is a plain function from a text to fields; what they do to rows is in `parsing`.
Source: library.humio.com, data-analysis/functions-parsejson.html and the functions' pages.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import ParseError, XMLParser

from orchestrator.engine.events import flatten

Fields = dict[str, str]


# --- JSON -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonRules:
    """What parseJson() keeps and how it names it."""

    prefix: str = ""
    null: str = "keep"
    """`keep` writes the text `null`, `empty` the empty text, `discard` nothing."""
    exclude_empty: bool = False
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    remove_prefixes: Sequence[str] = ()


def read_json(text: str, rules: JsonRules) -> Fields | None:
    """Return the flat fields of a JSON object, None if the text is none."""
    try:
        value = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    if rules.null != "keep":
        value = _without_null(value, "" if rules.null == "empty" else None)
    excluded = [_path(path) for path in rules.exclude]
    included = [_path(path) for path in rules.include]
    found: Fields = {}
    for name, cell in flatten(value).items():
        whole = rules.prefix + name
        if any(p.match(whole) for p in excluded) and not any(p.match(whole) for p in included):
            continue
        if rules.exclude_empty and cell == "":
            continue
        cut = max((p for p in rules.remove_prefixes if whole.startswith(p)), key=len, default="")
        found[whole.removeprefix(cut)] = cell
    return found


def _path(path: str) -> re.Pattern[str]:
    """Return a pattern for the path and all below it; `[*]` is any element."""
    body = re.escape(path).replace(r"\[\*\]", r"\[\d+\]").replace(r"\*", ".*")
    return re.compile(rf"{body}(?=[.\[]|\Z)", re.DOTALL)


def _without_null(value: dict[str, object], instead: str | None) -> dict[str, object]:
    cleaned: dict[str, object] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            cleaned[name] = _without_null(item, instead)
        elif item is not None:
            cleaned[name] = item
        elif instead is not None:
            cleaned[name] = instead
    return cleaned


# --- key=value ------------------------------------------------------------------------------

_KEY = r"""(?:"(?P<dk>[^"]*)"|'(?P<sk>[^']*)'|(?P<k>[\w.@#\[\]/-]+))"""
_BARE = r"[^\s,;\"'][^\s,;]*"
_VALUE = rf"""(?:"(?P<dv>(?:[^"\\]|\\.)*)"|'(?P<sv>(?:[^'\\]|\\.)*)'|(?P<v>{_BARE}))"""


def read_key_values(
    text: str, *, separator: str = "=", padding: str = "unknown", keep_first: bool = False
) -> Fields:
    """Return the pairs of `key=value`; values may be quoted.

    Args:
        text: Where they stand.
        separator: The one character between key and value.
        padding: `yes`, `no` or `unknown`: whether blanks stand around the separator, which says
            what an empty value looks like.
        keep_first: Of a key that stands twice, the first value counts.
    """
    sep = re.escape(separator)
    if padding == "no":
        pattern = rf"{_KEY}(?:\s+{sep}|{sep}{_VALUE}?)"
    elif padding == "yes":
        pattern = rf"{_KEY}\s*{sep}(?:[^\S\n]*{_VALUE}(?!\s+{sep})(?![^\s,;]))?"
    else:
        pattern = rf"{_KEY}\s*{sep}[^\S\n]*{_VALUE}?"
    found: Fields = {}
    for pair in re.finditer(pattern, text, re.ASCII):
        parts = pair.groupdict()
        key = next((parts[n] for n in ("dk", "sk", "k") if parts[n] is not None), "")
        quoted = next((parts[n] for n in ("dv", "sv") if parts[n] is not None), None)
        value = (parts["v"] or "") if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        if key and not (keep_first and key in found):
            found[key] = value
    return found


# --- columns --------------------------------------------------------------------------------


def read_csv(
    text: str,
    columns: Sequence[str],
    *,
    delimiter: str = ",",
    trim: bool = False,
    exclude_empty: bool = False,
) -> Fields:
    """Return one line of delimited text by column; columns without a cell are absent."""
    reader = csv.reader([text], delimiter=delimiter, skipinitialspace=trim)
    try:
        cells = next(reader, [])
    except csv.Error:
        return {}
    cells = [cell.strip() for cell in cells] if trim else cells
    pairs = zip(columns, cells, strict=False)
    return {name: cell for name, cell in pairs if cell or not exclude_empty}


def read_fixed_width(
    text: str, columns: Sequence[str], widths: Sequence[int], *, trim: bool = True
) -> Fields:
    """Return the text cut at the widths; columns behind its end are absent."""
    found, at = {}, 0
    for name, width in zip(columns, widths, strict=True):
        if at >= len(text):
            break
        cell = text[at : at + width]
        found[name] = cell.strip() if trim else cell
        at += width
    return found


# --- CEF and LEEF ---------------------------------------------------------------------------

_CEF_HEADER = (
    "version", "device.vendor", "device.product", "device.version", "event_class_id", "name",
    "severity",
)  # fmt: skip
_EXTENSION = re.compile(r"(?:^|(?<=[ \t]))([\w.\[\]-]+)=", re.ASCII)
_LABELLED = re.compile(r"(.+)Label\Z")


def _header(text: str, parts: int) -> tuple[list[str], str] | None:
    """Return the header's parts and the rest; a backslash escapes a stroke and itself."""
    cells = re.split(r"(?<!\\)\|", text, maxsplit=parts)
    if len(cells) <= parts:
        return None
    unescaped = [re.sub(r"\\([|\\])", r"\1", cell).strip() for cell in cells[:parts]]
    return unescaped, cells[parts]


def _extension(text: str, prefix: str, label_prefix: str, *, keep_labels: bool) -> Fields:
    """Return the `key=value` pairs; with `csLabel=name cs=value` the value goes by its label."""
    starts = list(_EXTENSION.finditer(text))
    pairs: Fields = {}
    for place, start in enumerate(starts):
        end = starts[place + 1].start() if place + 1 < len(starts) else len(text)
        value = text[start.end() : end].strip(" \t\r\n")
        value = re.sub(r"\\([\\=|])", r"\1", value)
        pairs[start[1]] = value.replace(r"\n", "\n").replace(r"\r", "\r").replace(r"\t", "\t")
    found: Fields = {}
    labelled = {m[1]: name for name in pairs if (m := _LABELLED.match(name)) and m[1] in pairs}
    for name, value in pairs.items():
        if name in labelled:
            found[label_prefix + pairs[labelled[name]]] = value
        if keep_labels or (name not in labelled and name not in labelled.values()):
            found[prefix + name] = value
    return found


def read_cef(
    text: str, *, header_prefix: str, label_prefix: str, prefix: str, keep_labels: bool
) -> Fields:
    """Return the fields of a CEF:0 message, whatever stands before its marker."""
    start = text.find("CEF:0")
    header = _header(text[start + 4 :], len(_CEF_HEADER)) if start >= 0 else None
    if header is None:
        return {}
    parts, rest = header
    found = {header_prefix + name: cell for name, cell in zip(_CEF_HEADER, parts, strict=True)}
    return found | _extension(rest, prefix, label_prefix, keep_labels=keep_labels)


def read_leef(
    text: str,
    *,
    delimiter: str,
    header_prefix: str,
    label_prefix: str,
    prefix: str,
    keep_labels: bool,
) -> Fields:
    """Return the fields of a LEEF:1.0 or LEEF:2.0 message."""
    marker = re.search(r"LEEF:(1\.0|2\.0)\|", text)
    if marker is None:
        return {}
    is_second = marker[1] == "2.0"
    header = _header(text[marker.end() :], 5 if is_second else 4)
    if header is None:
        return {}
    parts, rest = header
    names = ("device.vendor", "device.product", "device.version", "event_id")
    found = {header_prefix + "version": marker[1]}
    found |= {header_prefix + name: cell for name, cell in zip(names, parts, strict=False)}
    if is_second:
        mark = text[marker.end() :].split("|")[4]
        code = re.fullmatch(r"(?:0?x)([0-9A-Fa-f]{1,4})", mark.strip())
        delimiter = chr(int(code[1], 16)) if code else mark or "\t"
    if not delimiter:
        if "\t" not in rest:
            return found | _extension(rest, prefix, label_prefix, keep_labels=keep_labels)
        delimiter = "\t"
    for pair in rest.split(delimiter):
        name, equals, value = pair.partition("=")
        if equals and name.strip():
            found[prefix + name.strip()] = value.strip()
    return found


# --- URIs -----------------------------------------------------------------------------------

_URI = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?://(?P<authority>[^/?#]*))?"
    r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?\Z",
    re.DOTALL,
)
_AUTHORITY = re.compile(
    r"(?:(?P<user>[^@]*)@)?(?P<host>\[[^\]]*\]|[^:@]*)(?::(?P<port>\d*))?\Z", re.DOTALL
)


def read_uri(text: str, *, host: str, base: str = "") -> Fields:
    """Return the parts of a URI; empty if it is none.

    Args:
        text: The URI.
        host: How the host's field is called.
        base: `scheme://` or `//`, for a text without an authority.
    """
    if base and re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is None:
        text = base + text.removeprefix("//")
    whole = _URI.match(text)
    if whole is None or not (whole["scheme"] or whole["authority"] is not None):
        return {}
    found: Fields = {}
    authority = _AUTHORITY.match(whole["authority"] or "")
    if whole["scheme"]:
        found["scheme"] = whole["scheme"]
    if whole["authority"] and authority is not None:
        if authority["user"]:
            name, colon, password = authority["user"].partition(":")
            found["username"] = name
            if colon:
                found["password"] = password
        found[host] = authority["host"]
        if authority["port"]:
            found["port"] = authority["port"]
    found["path"] = whole["path"]
    found |= {part: whole[part] for part in ("query", "fragment") if whole[part] is not None}
    return found


# --- XML ------------------------------------------------------------------------------------


MOST_XML_LEVELS = 200


class _Flattener:
    """Collects what an XML parser meets, by the path to it; entities are never read."""

    def __init__(self, prefix: str) -> None:
        self.fields: Fields = {}
        self._prefix, self._path = prefix, [""]
        self._counts: list[dict[str, int]] = [{}]
        self._texts: list[list[str]] = [[]]
        self._has_children = [False]

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if len(self._path) > MOST_XML_LEVELS:
            raise ValueError("too deep")
        name = tag.rpartition("}")[2]
        count = self._counts[-1].get(name, 0)
        self._counts[-1][name] = count + 1
        self._has_children[-1] = True
        parent = self._path[-1]
        path = f"{parent}.{name}" if parent else name
        if count == 1:
            self._number_first(path)
        self._path.append(f"{path}[{count}]" if count else path)
        self._counts.append({})
        self._texts.append([])
        self._has_children.append(False)
        for attribute, value in attributes.items():
            short = attribute.rpartition("}")[2]
            self.fields[f"{self._prefix}{self._path[-1]}.{short}"] = value

    def _number_first(self, path: str) -> None:
        """Give the first of several equal elements its place."""
        whole = self._prefix + path
        moved = {
            f"{whole}[0]{name[len(whole):]}" if name == whole or name.startswith(f"{whole}.")
            else name: value
            for name, value in self.fields.items()
        }  # fmt: skip
        self.fields = moved

    def data(self, text: str) -> None:
        self._texts[-1].append(text)

    def end(self, _tag: str) -> None:
        path, text = self._path.pop(), "".join(self._texts.pop()).strip()
        self._counts.pop()
        if not self._has_children.pop() or text:
            self.fields.setdefault(self._prefix + path, text)

    def close(self) -> Fields:
        return self.fields


def read_xml(text: str, *, prefix: str = "") -> Fields | None:
    """Return the texts and attributes of an XML document by path, None if it is none.

    A document type is refused, since it can make a short text expand without end.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    target = _Flattener(prefix)
    parser = XMLParser(target=target)  # noqa: S314  # no document type reaches it
    try:
        parser.feed(text)
        parser.close()
    except (ParseError, ValueError):
        return None
    return target.fields
