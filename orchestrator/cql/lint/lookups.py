"""Checks of lookups, extractions and times: events dropped unasked, values that say too little."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cql.catalogue import find
from orchestrator.cql.diagnostics import Fix, Level
from orchestrator.cql.fields import argument, group_names, names
from orchestrator.cql.lint.base import Check, Context, Found
from orchestrator.cql.lint.outline import called
from orchestrator.cql.nodes import Assignment, Call, Quoted, Step
from orchestrator.cql.span import Span
from orchestrator.cql.walk import walk

_SHOWING = frozenset(("table", "select", "sort", "format"))
_GROUPING = frozenset(("groupBy", "bucket", "timeChart", "top"))


def _dropping_lookups(context: Context) -> Iterator[Found]:
    for call in _only_shown(context, "match"):
        yield _strict(call, "Events without a row in the lookup are dropped here.")


def _dropping_extractions(context: Context) -> Iterator[Found]:
    for call in _only_shown(context, "regex"):
        yield _strict(call, "Events that the regex does not match are dropped here.")


def _strict(call: Call, message: str) -> Found:
    end = call.span.end - 1
    return Found(
        message=message,
        span=call.name_span,
        help="Add `strict=false` to keep them, `strict=true` to say that it is meant.",
        fix=Fix(span=Span(end, end), text=", strict=false", label="keep the others"),
    )


def _only_shown(context: Context, name: str) -> Iterator[Call]:
    """Yield the calls of `name`, last first, whose fields are read behind only to be shown.

    Those that say whether they are strict are left out.
    """
    shown: set[str] = set()
    used: set[str] = set()
    for outline in reversed(context.steps):
        step = outline.step
        if isinstance(step, Call) and called(step) == name:
            added = _added(step)
            said = argument(step, "strict") is not None
            if added & shown and not added & used and not said:
                yield step
        if isinstance(step, Call) and called(step) in _GROUPING:
            # A key that is absent drops the event from the groups anyway.
            keys = {*names(argument(step, "field")), *names(argument(step, "series"))}
            used |= keys
            shown |= outline.reads - keys
        elif isinstance(step, Call) and called(step) in _SHOWING:
            shown |= outline.reads
        else:
            used |= outline.reads


def _added(call: Call) -> frozenset[str]:
    pattern = argument(call, "regex")
    if isinstance(pattern, Quoted):
        return frozenset(group_names(pattern.raw))
    return frozenset(names(argument(call, "include")))


def _zones(context: Context) -> Iterator[Found]:
    for call, function in context.calls:
        if function.name != "formatTime" or argument(call, "timezone") is not None:
            continue
        shape = argument(call, "format")
        text = shape.value if isinstance(shape, Quoted) else ""
        if text and "%z" not in text and "%Z" not in text and _hours(text):
            yield Found(
                message="This time is in UTC, and does not say so.",
                span=call.name_span,
                help='Add `timezone="…"`, or `%Z` to the format.',
            )


def _hours(text: str) -> bool:
    return any(f"%{letter}" in text for letter in "HIklMRTrc")


def _collected_arrays(context: Context) -> Iterator[Found]:
    """Find array functions on what collect() made, which is one text."""
    collected: set[str] = set()
    for outline in context.steps:
        for call in _calls(outline.step):
            function = find(call.name)
            if function is not None and function.name.startswith("array:"):
                array = argument(call, "array")
                for name in names(array):
                    if array is not None and name.removesuffix("[]") in collected:
                        yield Found(
                            message=f"collect() made one text of `{name.removesuffix('[]')}`, no "
                            "array.",
                            span=array.span,
                            help="Split it by its line breaks first: splitString(), or a regex.",
                        )
        if outline.is_aggregate:
            collected = {
                name
                for node in walk(outline.step)
                if isinstance(node, Call) and called(node) == "collect"
                for name in names(argument(node, "fields"))
            }


def _calls(step: Step) -> Iterator[Call]:
    if isinstance(step, Call):
        yield step
    elif isinstance(step, Assignment) and isinstance(step.value, Call):
        yield step.value


CHECKS = (
    Check(
        code="lookup-drops",
        level=Level.WARNING,
        about="match() drops the events that the lookup does not know, unless strict=false is "
        "given. Where the columns it adds are only shown, that is rarely meant: the event matters "
        "with or without them.",
        source="LogScale: match()",
        find=_dropping_lookups,
    ),
    Check(
        code="extraction-drops",
        level=Level.HINT,
        about="regex() drops the events it does not match, unless strict=false is given. Where "
        "the groups it extracts are only shown, that is rarely meant.",
        source="LogScale: regex(); the vendor's query tutorial on extraction",
        find=_dropping_extractions,
    ),
    Check(
        code="time-without-zone",
        level=Level.HINT,
        about="formatTime() writes UTC unless a timezone is given, and readers elsewhere take it "
        "for their own time. Name the zone, or write it out with `%Z`.",
        source="LogScale: formatTime()",
        find=_zones,
    ),
    Check(
        code="collected-as-array",
        level=Level.WARNING,
        about="collect() joins its values to one text, a line each; it makes no array, and the "
        "array functions find nothing in it.",
        source="LogScale: collect()",
        find=_collected_arrays,
    ),
)
