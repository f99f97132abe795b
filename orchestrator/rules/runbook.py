"""runbook.md as data: one section a vector, with its questions and next steps."""

from __future__ import annotations

import re

from orchestrator.model.rule import RunbookSection

_HEADING = re.compile(r"(#{2,3})\s+(.+?)\s*$")
_ITEM = re.compile(r"(?:\d+\.|[-*])\s+(.+)$")


def parse_runbook(text: str) -> tuple[RunbookSection, ...]:
    """Return the `##` sections in order, each with its `### Questions` and `### Next steps`.

    An item goes on over indented lines; text outside items is for readers and left alone.
    """
    sections: list[tuple[str, dict[str, list[str]]]] = []
    part: list[str] | None = None
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading and heading[1] == "##":
            sections.append((heading[2], {}))
            part = None
        elif heading and sections:
            part = sections[-1][1].setdefault(heading[2].lower(), [])
        elif part is not None:
            item = _ITEM.match(line)
            if item:
                part.append(item[1].strip())
            elif line.startswith((" ", "\t")) and part and line.strip():
                part[-1] += " " + line.strip()
    return tuple(
        RunbookSection(
            heading=heading,
            questions=tuple(parts.get("questions", ())),
            next_steps=tuple(parts.get("next steps", ())),
        )
        for heading, parts in sections
    )
