r"""What a line must contain for a query to keep its event: texts looked for before any parsing.

A need is a list of sets: the line must hold one text of every set. It errs towards keeping: a
text that JSON can spell in more than one way is cut to its unambiguous part, a line with a `\u`
escape always passes, and a field that an earlier step made asks for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from orchestrator.cql.catalogue import find
from orchestrator.cql.fields import argument, group_names, names
from orchestrator.cql.nodes import (
    And,
    Array,
    Assignment,
    Boolean,
    Call,
    Case,
    Comparison,
    ComparisonOperator,
    FieldOperator,
    FreeText,
    Node,
    Not,
    Or,
    Quoted,
    Regex,
    Step,
    Word,
)
from orchestrator.cql.walk import walk
from orchestrator.engine.events import ALWAYS_THERE, FDR_NAMES
from orchestrator.engine.functions.filters import FILTERS
from orchestrator.engine.patterns.globs import parse_glob

Need = tuple[frozenset[str], ...]
ANYTHING: Need = ()
MAX_TEXTS = 48
"""More alternatives than this are slower to look for than the parse they save."""
_MIN_CHARS = 4
# What JSON may escape: quotes, backslashes, slashes and controls. All else is written as it is, or
# as \u, which every need lets pass.
_PLAIN_PIECES = re.compile(r'[^"\\/\x00-\x1f\x7f]+')
_ESCAPE = r"\\u[0-9a-fA-F]{4}"
_OLD_NAMES = {new: old for old, new in FDR_NAMES.items()}


def need_of(steps: Sequence[Step]) -> Need:
    """Return what a line must hold to pass the steps, read up to the first one that is unclear."""
    found, _ = _pipeline(steps, frozenset())
    return found


def either(needs: Iterable[Need]) -> Need:
    """Return a need that is met wherever one of the given needs is."""
    chosen = [min(need, key=_cost, default=None) for need in needs]
    texts: set[str] = set()
    for one in chosen:
        if one is None:
            return ANYTHING
        texts |= one
    if not texts or len(texts) > MAX_TEXTS:
        return ANYTHING
    return (frozenset(texts),)


def line_regexes(need: Need) -> list[str]:
    """Return one regex a set, for Rust, which finds alternatives of plain texts fastest."""
    return ["|".join((*sorted(map(re.escape, texts)), _ESCAPE)) for texts in need]


def _cost(texts: frozenset[str]) -> tuple[int, int]:
    """Rank sets: those that ask for a value before those that ask for a key, then small ones."""
    keys = sum(text.endswith('"') for text in texts)
    return keys, len(texts)


def _pipeline(steps: Sequence[Step], made: frozenset[str]) -> tuple[Need, frozenset[str] | None]:
    """Return the need of the steps, and the fields they may have set; None: any."""
    needs: list[frozenset[str]] = []
    known: frozenset[str] | None = made
    for step in steps:
        if known is None:
            break
        match step:
            case Case(clauses=clauses):
                inner = [_pipeline(clause.steps, known) for clause in clauses]
                needs += either(need for need, _ in inner)
                sets = [fields for _, fields in inner]
                known = None if None in sets else known.union(*(s for s in sets if s is not None))
            case Assignment():
                known |= {step.field.name}
            case Not() | Boolean():
                continue
            case Call() if not _is_filter(step):
                needs += [key for name in _key_fields(step) if (key := _key(name, known))]
                known = None
            case FieldOperator(call=call) if not _is_filter(call):
                known = None
            case And() | Or() | Call() | Comparison() | FieldOperator() | FreeText():
                needs += _filter(step, known)
                known |= _caught(step)
            case _:
                known = None
    return tuple(one for one in needs if len(one) <= MAX_TEXTS), known


_DROPS_WITHOUT = {
    "groupby": "field", "top": "field", "bucket": "field", "timechart": "series",
    "selfjoinfilter": "field", "match": "field", "join": "field",
}  # fmt: skip


def _key_fields(call: Call) -> list[str]:
    """Return the fields without which an event is dropped by a step that is no filter."""
    parameter = _DROPS_WITHOUT.get(call.name.lower())
    keeps_misses = argument(call, "strict") is not None or argument(call, "mode") is not None
    return names(argument(call, parameter)) if parameter and not keeps_misses else []


def _is_filter(call: Call) -> bool:
    """Return whether the call decides on one event alone; selfJoinFilter() looks at all."""
    function = find(call.name)
    return function is not None and (function.name in FILTERS or function.name == "regex")


def _caught(step: Node) -> frozenset[str]:
    """Return the fields that the step's regexes set."""
    found: set[str] = set()
    for node in walk(step):
        match node:
            case Regex(body=body) | Quoted(value=body):
                found |= group_names(body)
            case _:
                continue
    return frozenset(found)


def _filter(node: Node, made: frozenset[str]) -> Need:
    match node:
        case And(operands=operands):
            return tuple(one for operand in operands for one in _filter(operand, made))
        case Or(operands=operands):
            return either(_filter(operand, made) for operand in operands)
        case Comparison():
            return _comparison(node, made)
        case FieldOperator(negated=False, call=call):
            return _call(call, node.field.name, made)
        case Call():
            found = names(argument(node, "field"))
            return _call(node, found[0] if len(found) == 1 else None, made)
        case FreeText(pattern=Word(text=text)) | FreeText(pattern=Quoted(value=text)):
            return _wrapped(_pattern(text))
        case _:
            return ANYTHING


def _comparison(node: Comparison, made: frozenset[str]) -> Need:
    if node.operator in (ComparisonOperator.NOT_EQUAL, ComparisonOperator.LINK):
        return ANYTHING
    name = node.field.name
    key = _key(name, made)
    if name in made:
        return ANYTHING
    compares = node.operator in (ComparisonOperator.EQUAL, ComparisonOperator.LIKE)
    if compares and isinstance(node.value, Word | Quoted):
        text = node.value.text if isinstance(node.value, Word) else node.value.value
        value = _value(name, text, is_exact=node.operator is ComparisonOperator.EQUAL)
        return _wrapped(value) or _wrapped(key)
    return _wrapped(key)


def _call(call: Call, name: str | None, made: frozenset[str]) -> Need:
    """Return the need of a filter function; those not known to ask for the field need nothing."""
    given = {item.name for item in call.arguments}
    asks = call.name.lower() in ("in", "cidr", "regex", "wildcard")
    if name is None or name in made or not asks or given & {"strict", "negate"}:
        return ANYTHING
    key = _wrapped(_key(name, made))
    values = argument(call, "values")
    if call.name.lower() != "in" or not isinstance(values, Array) or "ignoreCase" in given:
        return key
    texts: set[str] = set()
    for item in values.elements:
        text = names(item)
        value = _value(name, text[0], is_exact=True) if text else frozenset()
        if not value:
            return key
        texts |= value
    return (frozenset(texts),) if texts else key


def _value(name: str, text: str, *, is_exact: bool) -> frozenset[str]:
    """Return a text that a line with this value of the field holds; empty if there is none."""
    if name in ALWAYS_THERE:
        return frozenset()
    if is_exact and parse_glob(text).number is not None:
        # 443 also equals 443.0 and 0443.
        return frozenset()
    return _pattern(text)


def _pattern(text: str) -> frozenset[str]:
    pieces = [piece for part in text.split("*") for piece in _PLAIN_PIECES.findall(part)]
    longest = max(pieces, key=len, default="")
    return frozenset((longest,)) if len(longest) >= _MIN_CHARS else frozenset()


def _key(name: str, made: frozenset[str]) -> frozenset[str]:
    """Return the key that a line must hold for the field to exist; empty if that is not sure."""
    if name in made or name in ALWAYS_THERE or "." in name or "[" in name:
        return frozenset()
    if _PLAIN_PIECES.fullmatch(name) is None:
        return frozenset()
    old = _OLD_NAMES.get(name, name)
    return frozenset((f'{old}"',))


def _wrapped(texts: frozenset[str]) -> Need:
    return (texts,) if texts else ANYTHING
