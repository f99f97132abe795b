"""Values: text always, a number or a truth where one is asked for, None where there is none."""

from __future__ import annotations

import math
import re

Value = str | float | bool | None
Row = dict[str, str]
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)


def number(value: Value) -> float | None:
    """Read a value as a number."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, float):
        return value
    if not _NUMBER.match(value):
        return None
    found = float(value)
    return found if math.isfinite(found) else None


def text(value: Value) -> str | None:
    """Print a value: whole numbers without a fraction."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(value).removesuffix(".0")


def truth(value: Value) -> bool | None:
    """Read a value as true or false; a number is true unless it is 0."""
    if isinstance(value, bool) or value is None:
        return value
    if value in ("true", "false"):
        return value == "true"
    found = number(value)
    return None if found is None else found != 0


def glob(cell: str | None, pattern: str, *, anchored: bool = True, fold: bool = False) -> bool:
    """Match a pattern with stars; a plain number also matches as a number."""
    if cell is None:
        return False
    if anchored and "*" not in pattern and not fold:
        first, second = number(cell), number(pattern)
        if first is not None and first == second and re.fullmatch(r"-?\d+(\.\d+)?", pattern):
            return True
    body = ".*".join(re.escape(part) for part in pattern.split("*"))
    flags = re.DOTALL | (re.IGNORECASE if fold else 0)
    found = re.fullmatch(body, cell, flags) if anchored else re.search(body, cell, flags)
    return found is not None


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    """Compute one binary operation; a null or what is no number gives null."""
    if operator in ("==", "!="):
        if left is None or right is None:
            return None
        first, second = number(left), number(right)
        both = first is not None and second is not None
        same = first == second if both else text(left) == text(right)
        return same if operator == "==" else not same
    first, second = number(left), number(right)
    if first is None or second is None:
        return None
    match operator:
        case "+":
            found: Value = first + second
        case "-":
            found = first - second
        case "*":
            found = first * second
        case "/":
            found = first / second if second else None
        case "%":
            found = math.fmod(first, second) if second else None
        case "<":
            found = first < second
        case "<=":
            found = first <= second
        case ">":
            found = first > second
        case _:
            found = first >= second
    return found
