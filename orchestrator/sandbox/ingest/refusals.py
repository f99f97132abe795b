"""What a body is refused with."""

from __future__ import annotations


class BodyRefused(ValueError):
    """The body is not what this path takes; the text says where and why."""
