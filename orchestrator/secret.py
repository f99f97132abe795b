"""Text that must never be shown: tokens, keys, passwords."""

from __future__ import annotations

import hmac


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
