"""What is looked up for a finding: the values of its entities.

LogScale's collect() joins values with line feeds, so every line is a value of its own and each must
match. Three cases are kept apart. A rule that does not say which field holds an entity: the entity
is left out, and nothing matches it. A field that is absent, empty or `-`: known to be none, an
empty tuple. `unresolved`: there is a value and the query could not find it out, so it stays and
matches nothing, not even the demand that there be none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from orchestrator.model.finding import Finding
from orchestrator.model.inventory import Subject
from orchestrator.model.rule import Entities

ABSENT = frozenset({"", "-"})
PLACEHOLDERS = ABSENT | {"unresolved"}
"""What a query writes where a value is absent or could not be found out."""


def subject_of(finding: Finding, entities: Entities) -> Subject:
    """Return the finding's entities and its span of time; distinct values in order of the lines."""
    return Subject(
        entities=entity_values(finding.fields, entities),
        first_seen=finding.first_seen,
        last_seen=finding.last_seen,
    )


def entity_values(row: Mapping[str, str], entities: Entities) -> dict[str, tuple[str, ...]]:
    """Return each entity that the rule maps, with its distinct values; see the module."""
    columns = {entity.name: getattr(entities, entity.name) for entity in fields(Entities)}
    return {name: split_values(row.get(column, "")) for name, column in columns.items() if column}


def split_values(text: str) -> tuple[str, ...]:
    """Return the distinct lines of a field; a placeholder beside real values stays, and fails."""
    lines = tuple(dict.fromkeys(line.strip() for line in text.split("\n") if line.strip()))
    return () if set(lines) <= ABSENT else lines


def first_value(text: str) -> str:
    """Return the first real value of a field for people, empty where there is none."""
    return next((line for line in split_values(text) if line not in PLACEHOLDERS), "")
