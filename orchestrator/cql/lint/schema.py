"""Checks against what is known of Falcon's events: fields that an event lacks, names misspelt.

Our knowledge is partial, so these checks keep still unless they are sure:

* A field counts as absent only where the filters before it leave kinds of events that are all
  known and complete, none of them has it, another kind does, and no step made it.
* A step whose results only the data know (`parseJson()`, a saved query, `match()` of all columns)
  ends the check of its pipeline; an aggregate does too, since other checks know its rows.
* A name nobody knows is left alone unless it differs from a known one by its case or one small
  letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache, lru_cache

from orchestrator.cql.catalogue import find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.fields import argument, is_aggregate, names
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.calls import elements, literal
from orchestrator.cql.lint.scopes import made_by
from orchestrator.cql.lint.uses import uses
from orchestrator.cql.nodes import (
    Assignment,
    Call,
    Comparison,
    FieldName,
    FieldOperator,
    Node,
    Quoted,
    Word,
)
from orchestrator.cql.schema import (
    EVENT_TAG,
    NOT_EVENTS,
    EventType,
    common_fields,
    event,
    events,
    known_fields,
    nearest_event,
)
from orchestrator.cql.span import Span


def _kinds(scope: frozenset[str]) -> list[EventType] | None:
    """Return the kinds of events of a scope; None if one of them is not known, or none is left."""
    found = [event(name) for name in sorted(scope - set(NOT_EVENTS))]
    if not found:
        return None
    kinds = [kind for kind in found if kind is not None]
    return kinds if len(kinds) == len(found) else None


def _absent_fields(context: Context) -> Iterator[Found]:
    asked = _asked_for(context)
    for use in uses(context):
        kinds = _kinds(use.events)
        info = known_fields().get(use.name)
        if kinds is None or info is None or info.common or use.name in use.made | asked:
            continue
        if not all(kind.complete for kind in kinds):
            continue
        if any(use.name in kind.fields for kind in kinds):
            continue
        owners = _owners().get(use.name, ())
        if owners:
            which = " and ".join(kind.name for kind in kinds[:3])
            yield Found(
                message=f"No sample of {which} has the field `{use.name}`.",
                span=use.span,
                help=_where(use.name, kinds, owners),
            )


def _asked_for(context: Context) -> frozenset[str]:
    """Return the fields that the query asks for, `field = *`: it knows that they may be absent."""
    return frozenset(
        node.field.name
        for node in context.nodes
        if isinstance(node, Comparison)
        and isinstance(node.value, Word | Quoted)
        and literal(node.value) == "*"
    )


def _where(name: str, kinds: list[EventType], owners: tuple[str, ...]) -> str:
    if name in ("ImageFileName", "CommandLine") and any(
        "ContextProcessId" in kind.fields for kind in kinds
    ):
        return (
            "It stands on ProcessRollup2: join on `aid` and `ContextProcessId` = "
            "`TargetProcessId`; newer sensors send `ContextBaseFileName`."
        )
    return f"It stands on {', '.join(owners[:3])}."


@cache
def _owners() -> dict[str, tuple[str, ...]]:
    """Return the kinds of events that have a field, by the field, the common ones first."""
    found: dict[str, list[str]] = {}
    for kind in sorted(events().values(), key=lambda kind: (not kind.complete, kind.name)):
        for name in kind.fields:
            found.setdefault(name, []).append(kind.name)
    return {name: tuple(kinds) for name, kinds in found.items()}


def _misspelt_fields(context: Context) -> Iterator[Found]:
    for use in uses(context):
        kinds = _kinds(use.events)
        # Names that people make up themselves mostly begin with a small letter.
        if kinds is None or use.name in use.made or not _is_plain(use.name):
            continue
        meant = None if use.name in known_fields() else _meant_field(use.name, kinds)
        if meant is not None:
            yield Found(
                message=f"No sample of this event has the field `{use.name}`.",
                span=use.span,
                help=f"Did you mean `{meant}`?",
                fix=_spelt(context, use.span, use.name, meant),
            )


def _meant_field(name: str, kinds: list[EventType]) -> str | None:
    there = {own for kind in kinds for own in kind.fields} | common_fields()
    close = get_close_matches(name, sorted(there), n=1, cutoff=0.85)
    by_case = {known.lower(): known for known in sorted(there)}
    if name.lower() in by_case:
        return by_case[name.lower()]
    return close[0] if close and _is_slip(name, close[0]) else None


def _is_plain(name: str) -> bool:
    return name.replace("_", "").isalnum() and name[0].isupper()


def _spelt(context: Context, span: Span, name: str, meant: str) -> Fix | None:
    if context.query.text[span.start : span.end] != name:
        return None
    return Fix(span=span, text=meant, label=f"write {meant}")


def _plain_tags(context: Context) -> Iterator[Found]:
    made: set[str] = set()
    for node in context.nodes:
        if isinstance(node, Assignment):
            made.add(node.field.name)
        elif isinstance(node, Call) and not is_aggregate(node):
            made |= made_by(node) or frozenset()
    plain = EVENT_TAG.removeprefix("#")
    for node in context.nodes if plain not in made else ():
        place = _named_place(node, plain)
        if place is not None:
            tag = f'"{EVENT_TAG}"' if context.query.text[place.start] == '"' else EVENT_TAG
            yield Found(
                message=f"`{plain}` is a tag in LogScale and is written with `#`.",
                span=place,
                help=f"Write `{EVENT_TAG}`.",
                fix=Fix(span=place, text=tag, label="write the tag"),
            )


def _named_place(node: Node, name: str) -> Span | None:
    """Return where a filter names this field; other uses may mean a field of rows."""
    match node:
        case Comparison(field=FieldName() as field) | FieldOperator(field=field):
            return field.span if field.name == name else None
        case Call():
            function = find(node.name)
            value = argument(node, "field") if function and function.name == "in" else None
            return value.span if value is not None and names(value) == [name] else None
        case _:
            return None


def _unknown_events(context: Context) -> Iterator[Found]:
    for node in context.nodes:
        for value in _event_values(node):
            text = literal(value)
            if text is None or "*" in text or text in events():
                continue
            meant = NOT_EVENTS.get(text) or _meant_event(text)
            if meant is not None:
                written = f'"{meant}"' if isinstance(value, Quoted) else meant
                slip = text not in NOT_EVENTS
                yield Found(
                    message=f"No sensor event is called `{text}` as far as is known.",
                    span=value.span,
                    help=f"Did you mean `{meant}`?" if slip else f"The closest is `{meant}`.",
                    fix=Fix(span=value.span, text=written, label=f"write {meant}")
                    if slip
                    else None,
                )


def _event_values(node: Node) -> Iterator[Word | Quoted]:
    values: list[Node] = []
    match node:
        case Comparison() if node.field.name == EVENT_TAG:
            values = [node.value]
        case FieldOperator() if node.field.name == EVENT_TAG:
            values = _values_of(node.call)
        case Call() if names(argument(node, "field")) == [EVENT_TAG]:
            values = _values_of(node)
    yield from (value for value in values if isinstance(value, Word | Quoted))


def _values_of(call: Call) -> list[Node]:
    values = argument(call, "values")
    return [] if values is None else list(elements(values))


@lru_cache(maxsize=256)
def _meant_event(text: str) -> str | None:
    """Return the event that a name surely means: another case, or one letter off.

    Letters only, and neither the first nor a capital: IP4 and IP6, Zip and Gzip are different
    events, and there are more of them than are known here.
    """
    meant = nearest_event(text)
    if meant is None:
        return None
    if meant.lower() == text.lower() or _is_slip(text, meant):
        return meant
    return None


def _is_slip(text: str, meant: str) -> bool:
    head = 0
    while head < min(len(text), len(meant)) and text[head] == meant[head]:
        head += 1
    tail = 0
    while tail < min(len(text), len(meant)) - head and text[-1 - tail] == meant[-1 - tail]:
        tail += 1
    wrong, right = text[head : len(text) - tail], meant[head : len(meant) - tail]
    swapped = len(wrong) == len(right) == 2 and wrong == right[::-1]
    small = (wrong + right).isalpha() and (wrong + right).islower()
    # Technique and Techniques may both exist.
    if wrong + right == "s" and not tail:
        return False
    return head > 0 and small and (max(len(wrong), len(right)) == 1 or swapped)


CHECKS = (
    Check(
        code="field-not-on-event",
        level=Level.HINT,
        about="The filters before leave one kind of sensor event, or a few, and public samples of "
        "it never have this field. Then `=` never holds, and `!=` always does: an allowlist by "
        "`ImageFileName` on a network event lets everything through. Fetch the field from the "
        "event that has it, mostly ProcessRollup2 by `aid` and process id. Silent where the kind "
        "is not known completely, and for fields that the platform adds.",
        source="public Falcon sensor samples and published queries",
        find=_absent_fields,
    ),
    Check(
        code="field-spelling",
        level=Level.WARNING,
        about="The name is that of a field of the event but for its case or one letter. Names of "
        "fields have their case: `Commandline` is another field than `CommandLine`, and no event "
        "has it.",
        source="LogScale: event fields; public Falcon sensor samples",
        find=_misspelt_fields,
    ),
    Check(
        code="tag-without-hash",
        level=Level.WARNING,
        about="The kind of a sensor event is a tag: `#event_simpleName`. Without `#` it is a field "
        "that the events in LogScale do not have, so the filter never holds; and only the tag "
        "spares LogScale from reading all the rest.",
        source="LogScale: tag fields",
        find=_plain_tags,
    ),
    Check(
        code="event-name",
        level=Level.HINT,
        about="The name of the event is that of a known one but for its case or a letter, or it is "
        "one that queries pass on and no sensor sends. The tag is compared with its case.",
        source="public Falcon sensor samples and published queries",
        find=_unknown_events,
    ),
)
