"""A table of a configuration file as a sink's settings: typed, complete, no unknown key.

Only what settings dataclasses use is known: text, secrets by reference, paths, durations, booleans,
enums, tuples and mappings of text. No message holds a secret's value.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from orchestrator.errors import ConfigError
from orchestrator.secret import SecretText
from orchestrator.units import parse_duration

Settings = TypeVar("Settings")


def read_settings(
    kind: type[Settings],
    values: Mapping[str, Any],
    *,
    key: str,
    secret: Callable[[str], SecretText],
) -> Settings:
    """Return `kind` made of `values`.

    Raises:
        ConfigError: A key is unknown or missing, or a value is not of its type.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # a dataclass by contract
    for name in values:
        if name not in fields:
            raise ConfigError(
                "no setting has this name", key=f"{key}.{name}", advice=nearest(name, fields)
            )
    for name, field in fields.items():
        optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if name not in values and not optional:
            raise ConfigError("this setting is needed", key=f"{key}.{name}")
    hints = get_type_hints(kind)
    read: dict[str, Any] = {}
    for name, value in values.items():
        try:
            read[name] = _typed(hints[name], value, secret)
        except (ValueError, TypeError) as exc:
            raise ConfigError(str(exc), key=f"{key}.{name}") from exc
    return kind(**read)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return advice that names the nearest known word, else all of them."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(words)}"


def _typed(hint: Any, value: Any, secret: Callable[[str], SecretText]) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        hint = next(argument for argument in arguments if argument is not type(None))
        return _typed(hint, value, secret)
    if hint is SecretText:
        if isinstance(value, SecretText):
            return value
        return secret(_of(str, value, "a reference to a secret"))
    if hint is timedelta:
        return value if isinstance(value, timedelta) else parse_duration(_of(str, value, "5s"))
    if hint is Path:
        return value if isinstance(value, Path) else Path(_of(str, value, "a path"))
    if origin is tuple:
        return tuple(_of(str, item, "text") for item in _of(list, value, "a list of texts"))
    if origin is not None:
        pairs = _of(dict, value, "a table of texts")
        return {name: _of(str, item, "text") for name, item in pairs.items()}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        try:
            return hint(_of(str, value, "text"))
        except ValueError:
            known = ", ".join(member.value for member in hint)
            raise ValueError(f"must be one of {known}") from None
    if hint is int and isinstance(value, bool):
        raise TypeError("must be a number")
    return _of(hint, value, {str: "text", bool: "true or false", int: "a number"}[hint])


def _of(kind: Any, value: Any, wanted: str) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"must be {wanted}")
    return value
