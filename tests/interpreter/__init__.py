"""CQL, one row at a time: a second, simple reading of the language to hold the engine against.

Written from the language's documentation, not from the engine: plain dictionaries, no columns, no
sharing of code but the parser and the function catalogue. It knows the functions that queries use
most, and nothing that would make it fast.
"""

from __future__ import annotations

from tests.interpreter.expressions import World
from tests.interpreter.steps import interpret

__all__ = ["World", "interpret"]
