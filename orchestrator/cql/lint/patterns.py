"""Checks of the values of comparisons: text that is not read as it looks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.fields import argument
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.nodes import Array, Comparison, ComparisonOperator, FreeText, Quoted, Word
from orchestrator.cql.parser.characters import is_field_name, quote
from orchestrator.cql.span import Span

_EQUALITY = (ComparisonOperator.EQUAL, ComparisonOperator.NOT_EQUAL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_OPERATOR = re.compile(r"[|^$\[\](){}+\\]|\.\*")
_CAMEL_CASE = re.compile(r"[a-z][A-Z]")
_DRIVE = re.compile(r"\"\*?[A-Za-z]:(\\[nt])")
_BLANKS = {"\\n": "line break", "\\t": "tab"}
_UNESCAPED_SLASH = re.compile(r"(?<!\\)(?:\\\\)*/")
_IP_PREFIX = re.compile(r"((?:\d{1,3}\.){1,3})\*\Z")
_IP_FIELD = re.compile(r"(?:^|[^a-z])(?:ip|addr|address)(?![a-z])|IP|Addr", re.ASCII)
_MIXED_CASE_FIELDS = frozenset(
    (
        "FileName", "ImageFileName", "TargetFileName", "ParentBaseFileName", "CommandLine",
        "ContextBaseFileName", "GrandParentBaseFileName",
    )
)  # fmt: skip


def _regex_as_text(context: Context) -> Iterator[Found]:
    for node in context.each(Comparison):
        if not isinstance(node.value, Quoted) or node.operator not in _EQUALITY:
            continue
        value = node.value.value
        body, slash, flags = value[1:].rpartition("/")
        is_regex = value.startswith("/") and slash and set(flags) <= set("imdgF")
        # Without flags it may be a folder; a folder's name holds no operators.
        if is_regex and body and (flags or _OPERATOR.search(body)):
            whole = "\n" not in value and _UNESCAPED_SLASH.search(body) is None
            fix = Fix(span=node.value.span, text=value, label="make it a regex")
            yield Found(
                message="This compares with the text; a regex literal has no quotes.",
                span=node.value.span,
                help=f"Write `{value}`.",
                fix=fix if whole else None,
            )


def _sql_wildcards(context: Context) -> Iterator[Found]:
    for node in context.each(Comparison):
        value = node.value
        if node.operator is not ComparisonOperator.LIKE or not isinstance(value, Quoted | Word):
            continue
        shown = value.value if isinstance(value, Quoted) else value.text
        if shown.startswith("%") or shown.endswith("%"):
            bare = shown.strip("%")
            fix = Fix(span=value.span, text=quote(bare), label="leave the % out")
            yield Found(
                message="`%` is an ordinary character; `like` already means contains.",
                span=value.span,
                help="Leave the `%` out; the wildcard is `*`.",
                fix=fix if bare else None,
            )


def _fields_as_text(context: Context) -> Iterator[Found]:
    first_set: dict[str, int] = {}
    for outline in context.steps:
        for name in outline.makes:
            first_set.setdefault(name, outline.step.span.end)
    read = {node.field.name for node in context.each(Comparison)}
    for outline in context.steps:
        read |= outline.reads
    for node in context.each(Comparison):
        value = node.value
        if not isinstance(value, Word) or node.operator not in _EQUALITY:
            continue
        if node.field.name.startswith("#"):
            continue
        name = value.text
        # A plain lower-case word may well be a value that is also the name of a field.
        telling = _CAMEL_CASE.search(name) is not None or "_" in name or "." in name
        is_set = first_set.get(name, len(context.query.text)) <= node.span.start
        as_field = telling and (is_set or name in read) and is_field_name(name)
        metadata = name.startswith("@") and len(name) > 1 and is_field_name(name)
        if (as_field or metadata) and name != node.field.name:
            sign = "==" if node.operator is ComparisonOperator.EQUAL else "!="
            text = f"test({node.field.name} {sign} {name})"
            plain = is_field_name(node.field.name) and is_field_name(name)
            fix = Fix(span=node.span, text=text, label="compare two fields") if plain else None
            yield Found(
                message=f"This compares with the text `{name}`, not with the field of that name.",
                span=value.span,
                help=f"Write `{text}`; quote the value if the text is meant.",
                fix=fix,
            )


def _string_escapes(context: Context) -> Iterator[Found]:
    for value in _patterns(context):
        if "\\" not in value.raw:
            continue
        unknown = [m for m in _ESCAPE.finditer(value.raw) if m.group(1) not in '"\\nt']
        drive = _DRIVE.match(value.raw)
        if drive is not None and not unknown:
            place = value.span.start + drive.start(1)
            yield Found(
                message=f"`{drive.group(1)}` is a {_BLANKS[drive.group(1)]} in a string.",
                span=Span(place, place + 2),
                help="Write `\\\\` for a backslash.",
            )
        elif unknown:
            place = value.span.start + unknown[0].start()
            text = _ESCAPE.sub(
                lambda m: m.group() if m.group(1) in '"\\nt' else f"\\{m.group()}", value.raw
            )
            advice = "Write `\\\\` for a backslash."
            if unknown[0].group(1) == "*":
                advice += " A literal asterisk needs a regex: `/\\*/`."
            yield Found(
                message=f"`{unknown[0].group()}` is no escape of a string.",
                span=Span(place, place + 2),
                help=advice,
                fix=Fix(span=value.span, text=text, label="double the backslash"),
            )


def _patterns(context: Context) -> Iterator[Quoted]:
    for node in context.each(Comparison):
        if isinstance(node.value, Quoted):
            yield node.value
    for free in context.each(FreeText):
        if isinstance(free.pattern, Quoted):
            yield free.pattern
    for call, function in context.calls:
        values = argument(call, "values") if function.name == "in" else None
        if isinstance(values, Array):
            yield from (item for item in values.elements if isinstance(item, Quoted))


def _addresses_as_text(context: Context) -> Iterator[Found]:
    for node in context.each(Comparison):
        value = node.value
        if not isinstance(value, Word | Quoted) or node.operator not in _EQUALITY:
            continue
        match = _IP_PREFIX.match(value.text if isinstance(value, Word) else value.value)
        if match is None or _IP_FIELD.search(node.field.name) is None:
            continue
        octets = match.group(1).rstrip(".").split(".")
        net = ".".join([*octets, "0", "0", "0"][:4]) + f"/{8 * len(octets)}"
        bang = "!" if node.operator is ComparisonOperator.NOT_EQUAL else ""
        text = f'{bang}cidr({context.source(node.field.span)}, subnet="{net}")'
        yield Found(
            message="An address is compared as text here.",
            span=value.span,
            help=f"Write `{text}`.",
            fix=Fix(span=node.span, text=text, label="compare with cidr()"),
        )


def _letter_case(context: Context) -> Iterator[Found]:
    told: set[str] = set()
    for node in context.each(Comparison):
        value = node.value
        if node.field.name not in _MIXED_CASE_FIELDS or not isinstance(value, Word | Quoted):
            continue
        text = value.text if isinstance(value, Word) else value.value
        if any(char.isalpha() for char in text) and node.field.name not in told:
            told.add(node.field.name)
            yield Found(
                message="This comparison tells upper from lower case.",
                span=value.span,
                help=f"Write `wildcard({node.field.name}, pattern={quote(text)}, ignoreCase=true)`"
                " or `/…/i`, unless events spell it in one way only.",
            )


CHECKS = (
    Check(
        code="quoted-regex",
        level=Level.WARNING,
        about='`field = "/x/i"` compares with five characters of text, slashes included. A regex '
        "literal stands without quotes.",
        source="LogScale: query filters",
        find=_regex_as_text,
    ),
    Check(
        code="sql-wildcard",
        level=Level.WARNING,
        about="`like` finds its text anywhere in the value; `%` and `_` are ordinary characters, "
        "so the event would have to hold a percent sign. The wildcard is `*`.",
        source="LogScale: operators",
        find=_sql_wildcards,
    ),
    Check(
        code="field-as-text",
        level=Level.WARNING,
        about="The right side of a comparison is text, never a field: `a = b` asks whether a "
        "holds the letter b. Two fields are compared by an expression, `test(a == b)`.",
        source="LogScale: operators; grammar guide, appendix A",
        find=_fields_as_text,
    ),
    Check(
        code="string-escape",
        level=Level.WARNING,
        about='A quoted string knows the escapes `\\"`, `\\\\`, `\\n` and `\\t`. What becomes of '
        "another backslash is not documented, and beside an n or t it vanishes into a line break "
        "or tab. Write every backslash of a path twice.",
        source="LogScale: strings; grammar guide",
        find=_string_escapes,
    ),
    Check(
        code="address-as-text",
        level=Level.HINT,
        about="A pattern such as `10.*` compares an address letter by letter: it works for whole "
        "octets of IPv4 only, and takes anything that begins so. cidr() knows networks of any "
        "size, IPv6 included, and takes several at once.",
        source="LogScale: cidr()",
        find=_addresses_as_text,
    ),
    Check(
        code="letter-case",
        level=Level.HINT,
        about="Comparisons tell upper from lower case; Windows does not in file names and "
        "commands, so `cmd.exe` is missed when the event says `CMD.EXE`. Use a regex with the "
        "flag i, or wildcard(ignoreCase=true).",
        source="LogScale: operators; wildcard()",
        find=_letter_case,
    ),
)
