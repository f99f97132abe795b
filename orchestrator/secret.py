"""Text that must never be shown: tokens, keys, passwords, and where it is kept until needed."""

from __future__ import annotations

import hmac
import os
from pathlib import Path


class SecretText:
    """Wraps a secret so that no repr, str, format or comparison in a log can show it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself; call it only where it goes onto the wire."""
        return self._value

    def __repr__(self) -> str:
        return "SecretText('***')"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and hmac.compare_digest(
            self._value.encode(), other._value.encode()
        )

    def __hash__(self) -> int:
        return hash((SecretText, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)


def resolve_secret(reference: str) -> SecretText:
    """Return the secret that `env:NAME` or `file:/path` names.

    Raises:
        ValueError: No such form, or nothing there; the text names the reference, never a value.
    """
    kind, _, name = reference.partition(":")
    if kind == "env" and name:
        text = os.environ.get(name, "")
        if not text:
            raise ValueError(f"the environment variable {name} is not set")
        return SecretText(text)
    if kind == "file" and name:
        try:
            text = Path(name).read_text(encoding="utf-8").strip()
        except OSError as exc:
            why = exc.strerror or type(exc).__name__
            raise ValueError(f"cannot read the secret file {name}: {why}") from exc
        except UnicodeDecodeError as exc:
            raise ValueError(f"the secret file {name} is not text") from exc
        if not text:
            raise ValueError(f"the secret file {name} is empty")
        return SecretText(text)
    raise ValueError("a secret is written as a reference: env:NAME or file:/path")
