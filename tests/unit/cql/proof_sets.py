"""The proof sets: wrong queries with what must be said of each, and queries that hold.

Both are text files of blocks. A block starts with `=== id`, then words that say more; the query
follows. In `tests/data/cql/invalid` the word is the query's kind (none: search), each `⟦` of a
pair `⟦ ⟧` in the text marks where a diagnostic must start, and behind the text stands one line
for each mark, in their order: `--- level code text`. The code may be `-`, any. The text, or each
of its parts between ` ;; `, must occur in what is said at that place: it names the fix.

In `tests/data/cql/valid` the words are a kind and `clean`: not even a warning.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.cql import Diagnostic, Level, QueryKind

DATA = Path(__file__).parents[2] / "data" / "cql"
_OPEN, _CLOSE = "⟦", "⟧"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One diagnostic that must be there."""

    start: int
    """Offset in the text without marks."""
    level: Level
    code: str | None
    parts: tuple[str, ...]

    def is_met_by(self, found: Diagnostic) -> bool:
        """Say whether `found` is what is expected here."""
        said = f"{found.message} {found.help}"
        return (
            found.span.start == self.start
            and found.level is self.level
            and self.code in (None, found.code)
            and all(part in said for part in self.parts)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One query of a proof set."""

    name: str
    text: str
    kind: QueryKind
    clean: bool
    expected: tuple[Expected, ...]


def read_cases(folder: str) -> list[Case]:
    """Return the cases of all files of `tests/data/cql/<folder>`, named `<file>-<id>`."""
    cases: list[Case] = []
    for path in sorted((DATA / folder).glob("*.txt")):
        blocks = path.read_text("utf-8").split("\n=== ")
        cases += [_case(block, file=path.stem) for block in blocks[1:]]
    return cases


def _case(block: str, *, file: str) -> Case:
    head, *lines = block.strip("\n").split("\n")
    name, *words = head.split()
    claims = [line[len("--- ") :] for line in lines if line.startswith("--- ")]
    marked = "\n".join(line for line in lines if not line.startswith("--- "))
    text, starts = _unmarked(marked)
    kinds = [QueryKind(word) for word in words if word != "clean"]
    assert len(claims) == len(starts), f"{name}: {len(starts)} marks, {len(claims)} claims"
    return Case(
        name=f"{file}-{name}",
        text=text,
        kind=kinds[0] if kinds else QueryKind.SEARCH,
        clean="clean" in words,
        expected=tuple(_expected(*both) for both in zip(claims, starts, strict=True)),
    )


def _unmarked(marked: str) -> tuple[str, list[int]]:
    text, starts = "", list[int]()
    for char in marked:
        if char == _OPEN:
            starts.append(len(text))
        elif char != _CLOSE:
            text += char
    return text, starts


def _expected(claim: str, start: int) -> Expected:
    level, code, said = claim.split(" ", 2)
    return Expected(
        start=start,
        level=Level(level),
        code=None if code == "-" else code,
        parts=() if said == "-" else tuple(said.split(" ;; ")),
    )
