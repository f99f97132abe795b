"""The packaged schema text: several files, which extend each other's types."""

from __future__ import annotations

from importlib.resources import files

_SUFFIX = ".graphql"


def schema_text() -> str:
    """Return the SDL of everything that is served, in one text."""
    packaged = files("orchestrator.sandbox.graphql").iterdir()
    found = {file.name: file.read_text("utf-8") for file in packaged if file.name.endswith(_SUFFIX)}
    return "\n".join(found[name] for name in sorted(found))
