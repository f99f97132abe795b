"""YAML as rule files may use it: JSON's types, no duplicate keys, no aliases, all with places.

PyYAML's safe loader keeps the last of two equal keys, reads `no` as false and `1:30` as 90, and
expands aliases without end. Here only what YAML 1.2's JSON schema knows is resolved, and what a
reader could misread is refused with its line and column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
_NUMBER_CHARS = 18
"""A longer plain number stays text: no setting needs one, and reading it could fail."""
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Line and column, both from 1."""

    line: int
    column: int


_TOP = Place(line=1, column=1)


class _Mark(Protocol):
    """A place of PyYAML, from 0; its two parsers have a class each."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One node: `data` is a mapping of `Value`, a list of `Value`, or a plain scalar."""

    data: dict[str, Value] | list[Value] | str | int | float | bool | None
    place: Place
    written: str = ""
    """A scalar as it stands in the file: `1.10` is not 1.1 where a text is wanted."""
    key_places: dict[str, Place] = field(default_factory=dict)
    """Where each key of a mapping stands; empty for others."""


class YamlProblem(ValueError):
    """The text is not YAML as rules may use it."""

    def __init__(self, message: str, place: Place) -> None:
        self.message, self.place = message, place
        super().__init__(message)


def parse_yaml(text: str) -> Value:
    """Return the document of `text`.

    Raises:
        YamlProblem: It is no YAML, or uses what rules may not.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise YamlProblem(f"the file is larger than {MAX_BYTES} bytes", _TOP)
    try:
        _refuse_traps(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        place = _place(exc.problem_mark or exc.context_mark)
        raise YamlProblem(f"not YAML: {exc.problem or exc.context}", place) from exc
    except ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        column = exc.position - text.rfind("\n", 0, exc.position)
        place = Place(line=line, column=column)
        raise YamlProblem(f"not YAML: {exc.reason}", place) from exc
    except yaml.YAMLError as exc:
        raise YamlProblem(f"not YAML: {exc}", _TOP) from exc
    if root is None:
        return Value(data=None, place=_TOP)
    return _value(root)


def _refuse_traps(text: str) -> None:
    """Raise for aliases, tags and depth; on events, before anything is built of them."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        place = _place(event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlProblem("anchors and aliases are not used here; write it out", place)
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise YamlProblem(f"tags such as {tag} are not used here", place)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise YamlProblem(f"nested more than {MAX_DEPTH} levels deep", place)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _place(mark: _Mark | None) -> Place:
    return Place(line=mark.line + 1, column=mark.column + 1) if mark else _TOP


def _value(node: Node) -> Value:
    place = _place(node.start_mark)
    match node:
        case MappingNode():
            data: dict[str, Value] = {}
            places: dict[str, Place] = {}
            for key_node, value_node in node.value:
                key_place = _place(key_node.start_mark)
                if not isinstance(key_node, ScalarNode):
                    raise YamlProblem("a key must be plain text", key_place)
                key = str(key_node.value)
                if key in data:
                    raise YamlProblem(f"the key {key!r} stands twice", key_place)
                data[key], places[key] = _value(value_node), key_place
            return Value(data=data, place=place, key_places=places)
        case SequenceNode():
            items = [_value(item) for item in node.value]
            return Value(data=items, place=place)
        case _:
            return Value(data=_scalar(node), place=place, written=str(node.value))


def _scalar(node: Node) -> str | int | float | bool | None:
    text = str(node.value)
    if not isinstance(node, ScalarNode) or node.style is not None:
        return text
    if text in ("", "null", "~"):
        return None
    if len(text) > _NUMBER_CHARS:
        return text
    if text in ("true", "false"):
        return text == "true"
    if _INT.fullmatch(text) and not re.match(r"[-+]?0[0-9]", text):
        return int(text)
    if _FLOAT.fullmatch(text) and any(char in text for char in ".eE"):
        return float(text)
    return text
