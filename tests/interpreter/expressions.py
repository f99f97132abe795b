"""Expressions and filters over one row."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from orchestrator.cql import nodes
from orchestrator.cql.catalogue import Function, find
from tests.interpreter.values import Row, Value, arithmetic, glob, number, text, truth


@dataclass
class World:
    """What a query can ask for besides its events."""

    events: list[Row]
    now_ms: int = 0
    start_ms: int = 0
    end_ms: int = 1_000_000
    tables: dict[str, list[Row]] = field(default_factory=dict)


class Call:
    """The arguments of one call by name."""

    def __init__(self, node: nodes.Call, world: World) -> None:
        function = find(node.name)
        assert function is not None
        self.function: Function = function
        self.name, self.world = function.name, world
        self.given: dict[str, nodes.Expression] = {}
        unnamed = "source" if self.name == "getField" else function.unnamed
        for argument in node.arguments:
            self.given[argument.name or str(unnamed)] = argument.value

    def text(self, name: str, default: str = "") -> str:
        return leaf(self.given[name]) if name in self.given else default

    def texts(self, name: str) -> list[str]:
        node = self.given.get(name)
        if node is None:
            return []
        return [leaf(e) for e in node.elements] if isinstance(node, nodes.Array) else [leaf(node)]

    def flag(self, name: str, *, default: bool = False) -> bool:
        return self.text(name, str(default)).lower() == "true"

    def output(self, default: str) -> str:
        return self.text("as", default)


def leaf(node: nodes.Node) -> str:
    match node:
        case nodes.Word(text=found) | nodes.Number(text=found) | nodes.Duration(text=found):
            return found
        case nodes.Quoted(value=found):
            return found
        case nodes.Unary(operand=nodes.Number(text=found)):
            return "-" + found
    raise AssertionError(node)


def python_regex(body: str, flags: str = "") -> re.Pattern[str]:
    """Turn the generated regexes, which use nothing special, into Python's."""
    body = re.sub(r"\(\?<([a-z]+)>", r"(?P<\1>", body.replace(r"\/", "/"))
    return re.compile(body, re.ASCII | (re.IGNORECASE if "i" in flags else 0))


# --- filters --------------------------------------------------------------------------------


def passes(node: nodes.Node, row: Row, original: Row | None, world: World) -> bool:
    match node:
        case nodes.And(operands=operands):
            return all(passes(o, row, original, world) for o in operands)
        case nodes.Or(operands=operands):
            return any(passes(o, row, original, world) for o in operands)
        case nodes.Not(operand=operand):
            return not passes(operand, row, original, world)
        case nodes.Boolean(value=value):
            return value
        case nodes.FreeText(pattern=pattern):
            return _free_text(pattern, original)
        case nodes.FieldOperator(field=name, negated=negated, call=call):
            quoted = nodes.Quoted(span=name.span, value=name.name, raw="")
            extra = nodes.Argument(span=name.span, name="field", name_span=None, value=quoted)
            whole = nodes.Call(span=call.span, name=call.name, name_span=call.name_span,
                               arguments=(*call.arguments, extra))  # fmt: skip
            return _filter_call(Call(whole, world), row) is not negated
        case nodes.Call():
            return _filter_call(Call(node, world), row)
        case nodes.Comparison(field=name, operator=operator, value=value):
            return compare(row.get(name.name), operator.value, value)
    raise AssertionError(node)


def _free_text(pattern: nodes.Node, original: Row | None) -> bool:
    if not isinstance(pattern, nodes.Regex) and not leaf(pattern).strip("*"):
        return True
    assert original is not None
    hidden = ("@id", "@timestamp", "@ingesttimestamp", "@timezone")
    cells = [c for n, c in original.items() if n not in hidden and not n.startswith("#")]
    if isinstance(pattern, nodes.Regex):
        return any(python_regex(pattern.body, pattern.flags).search(c) for c in cells)
    return any(glob(c, leaf(pattern), anchored=False) for c in cells)


def compare(cell: str | None, operator: str, value: nodes.Node) -> bool:
    if operator == "!=":
        return not compare(cell, "=", value)
    if cell is None:
        return False
    if isinstance(value, nodes.Regex):
        return python_regex(value.body, value.flags).search(cell) is not None
    if operator in ("=", "like"):
        return glob(cell, leaf(value), anchored=operator == "=")
    return arithmetic(operator, cell, leaf(value)) is True


def _filter_call(call: Call, row: Row) -> bool:
    cell = row.get(call.text("field"))
    match call.name:
        case "in":
            fold = call.flag("ignoreCase")
            return any(glob(cell, p, fold=fold) for p in call.texts("values"))
        case "wildcard":
            pattern, fold = call.text("pattern"), call.flag("ignoreCase")
            if not pattern.strip("*"):
                return cell is not None or call.flag("includeEverythingOnAsterisk")
            return glob(cell, pattern, anchored=not fold, fold=fold)
        case "cidr":
            try:
                address = ipaddress.ip_address(cell or "")
            except ValueError:
                return False
            return any(address in ipaddress.ip_network(n) for n in call.texts("subnet"))
        case "regex":
            pattern_ = python_regex(call.text("regex"), call.text("flags"))
            return cell is not None and pattern_.search(cell) is not None
        case "test":
            return truth(value(call.given["expression"], row, call.world)) is True
        case "text:contains":
            whole = text(value(call.given["string"], row, call.world))
            part = text(value(call.given["substring"], row, call.world))
            return whole is not None and part is not None and part in whole
        case "array:contains":
            return call.text("value") in array(row, call.text("array"))
    raise AssertionError(call.name)


def array(row: Row, name: str) -> list[str]:
    base, found = name.removesuffix("[]"), list[str]()
    while f"{base}[{len(found)}]" in row:
        found.append(row[f"{base}[{len(found)}]"])
    return found


# --- values ---------------------------------------------------------------------------------


def value(node: nodes.Node, row: Row, world: World) -> Value:
    match node:
        case nodes.Word(text=name):
            return name if name in ("true", "false") else row.get(name)
        case nodes.Quoted(value=found):
            return found
        case nodes.Number(text=found):
            return float(found)
        case nodes.Unary(operator=nodes.UnaryOperator.MINUS, operand=operand):
            positive = number(value(operand, row, world))
            return None if positive is None else -positive
        case nodes.Unary(operand=operand):
            held = truth(value(operand, row, world))
            return None if held is None else not held
        case nodes.Binary(operator=operator, left=left, right=right):
            return arithmetic(operator.value, value(left, row, world), value(right, row, world))
        case nodes.Call():
            call = Call(node, world)
            if call.name in VALUES:
                return VALUES[call.name](call, row)
            return _filter_call(call, row)
    raise AssertionError(node)


def _field(call: Call, row: Row) -> str | None:
    return row.get(call.text("field"))


def _on_text(function: Callable[[str], Value]) -> Callable[[Call, Row], Value]:
    def compute(call: Call, row: Row) -> Value:
        cell = _field(call, row)
        return None if cell is None else function(cell)

    return compute


def _if(call: Call, row: Row) -> Value:
    held = truth(value(call.given["condition"], row, call.world)) is True
    return value(call.given["then" if held else "else"], row, call.world)


def _coalesce(call: Call, row: Row) -> Value:
    node = call.given["expressions"]
    assert isinstance(node, nodes.Array)
    for element in node.elements:
        found = text(value(element, row, call.world))
        if found:
            return found
    return None


def _round(call: Call, row: Row) -> Value:
    found = number(_field(call, row))
    if found is None:
        return None
    sign = -1.0 if found < 0 else 1.0
    return sign * float(int(abs(found) + 0.5)) if found else 0.0


def _concat(call: Call, row: Row) -> Value:
    cells = [row[name] for name in call.texts("field") if name in row]
    return "".join(cells) if cells else None


def _concat_array(call: Call, row: Row) -> Value:
    cells = array(row, call.text("field"))
    return call.text("separator").join(cells) if cells else None


def _replace(call: Call, row: Row) -> Value:
    cell = _field(call, row)
    pattern = python_regex(call.text("regex"), call.text("flags"))
    return None if cell is None else pattern.sub(lambda _: call.text("with"), cell)


def _format(call: Call, row: Row) -> Value:
    cells = iter(row.get(name) for name in call.texts("field"))

    def fill(found: re.Match[str]) -> str:
        cell = next(cells, None)
        if found[2] == "s":
            cut = cell if cell is None or not found[1] else cell[: int(found[1])]
            return "null" if cut is None else cut
        amount = number(cell)
        if amount is None:
            return "null"
        return str(int(amount)) if found[2] == "d" else f"{amount:.{int(found[1] or 6)}f}"

    return re.sub(r"%(?:\.(\d+))?([sdf])", fill, call.text("format"))


def _moment(call: Call, row: Row) -> datetime | None:
    at = number(row.get(call.text("field", "@timestamp")))
    return None if at is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)


def _format_time(call: Call, row: Row) -> Value:
    moment = _moment(call, row)
    return None if moment is None else moment.strftime(call.text("format"))


def _time(part: str) -> Callable[[Call, Row], Value]:
    def compute(call: Call, row: Row) -> Value:
        moment = _moment(call, row)
        if moment is None:
            return None
        match part:
            case "hour":
                return float(moment.hour)
            case "dayOfWeek":
                return float(moment.isoweekday())
            case _:
                return moment.strftime("%A")

    return compute


def _parse_int(call: Call, row: Row) -> Value:
    cell = _field(call, row)
    radix = int(call.text("radix", "16"))
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"[:radix]
    if not cell or any(c not in digits for c in cell.lower()):
        return None
    return str(int(cell, radix))


def _format_duration(call: Call, row: Row) -> Value:
    amount = number(_field(call, row))
    if amount is None:
        return None
    rest, found = round(abs(amount)), ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        found += f"{count}{unit}" if count else ""
    return ("-" if amount < 0 else "") + (found or "0ms")


def _convert(call: Call, row: Row) -> Value:
    found = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*(k|M|ms|us|)B?", _field(call, row) or "")
    if found is None:
        return None
    factor = {"k": 1e3, "M": 1e6, "ms": 1e-3, "us": 1e-6, "": 1.0}[found[2]]
    return text(float(f"{float(found[1]) * factor:.15g}"))


def _split_index(call: Call, row: Row) -> Value:
    cell, index = _field(call, row), int(call.text("index"))
    parts = [] if cell is None else cell.split(call.text("by"))
    return parts[index] if -len(parts) <= index < len(parts) else None


def _get_field(call: Call, row: Row) -> Value:
    name = text(value(call.given["source"], row, call.world))
    return None if name is None else row.get(name)


VALUES: dict[str, Callable[[Call, Row], Value]] = {
    "lower": _on_text(str.lower),
    "upper": _on_text(str.upper),
    "length": _on_text(lambda cell: float(len(cell.encode("utf-16-le")) // 2)),
    "if": _if,
    "coalesce": _coalesce,
    "round": _round,
    "concat": _concat,
    "concatArray": _concat_array,
    "replace": _replace,
    "format": _format,
    "formatTime": _format_time,
    "formatDuration": _format_duration,
    "parseInt": _parse_int,
    "unit:convert": _convert,
    "splitString": _split_index,
    "getField": _get_field,
    "now": lambda call, _row: float(call.world.now_ms),
    "start": lambda call, _row: float(call.world.start_ms),
    "end": lambda call, _row: float(call.world.end_ms),
    "duration": lambda call, _row: float(call.text("duration").removesuffix("s")) * 1000,
    "time:hour": _time("hour"),
    "time:dayOfWeek": _time("dayOfWeek"),
    "time:dayOfWeekName": _time("dayOfWeekName"),
}
TARGETS = {
    "lower": "_lower", "upper": "_upper", "length": "_length", "if": "_if",
    "coalesce": "_coalesce", "concat": "_concat", "concatArray": "_concatArray",
    "format": "_format", "splitString": "_splitstring", "getField": "_getField", "now": "_now",
    "start": "_start", "end": "_end", "duration": "_duration", "time:hour": "_hour",
    "time:dayOfWeek": "_dayOfWeek", "time:dayOfWeekName": "_dayOfWeekName",
}  # fmt: skip


def parsed_json(cell: str) -> Row | None:
    """Flatten a JSON object."""
    try:
        tree = json.loads(cell)
    except ValueError:
        return None
    if not isinstance(tree, dict):
        return None
    found: Row = {}

    def put(name: str, item: object) -> None:
        if isinstance(item, dict):
            for key, inner in item.items():
                put(f"{name}.{key}" if name else key, inner)
        elif isinstance(item, list):
            for place, inner in enumerate(item):
                put(f"{name}[{place}]", inner)
        elif item is None or isinstance(item, bool):
            found[name] = json.dumps(item)
        else:
            found[name] = str(item)

    put("", tree)
    return found
