"""Which construct each comment belongs to, decided by its place in the text.

A comment is laid beside an *item*: a step, clause, arm, argument, element or operand. It stands
above the item (`before`), in front of it on its line (`inline`), behind it (`after`), behind an
opening bracket (`opening`) or above a closing one (`closing`); every comment in one place.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.cql.format.chains import operands_of
from orchestrator.cql.nodes import (
    And,
    Argument,
    Arm,
    Array,
    Assignment,
    Binary,
    Call,
    Case,
    Comment,
    FieldOperator,
    Match,
    Node,
    Not,
    Or,
    Pipeline,
    Query,
    SavedQuery,
    StatsShorthand,
    Subquery,
    Unary,
)
from orchestrator.cql.span import Span

Places = defaultdict[int, list[Comment]]
_BRACKETED = (Case, Match, Arm, Call, Array, Subquery, SavedQuery)
"""What has something of its own before its first part."""
_BLANKS = " \t\r\n\f"


def _places() -> Places:
    return defaultdict(list)


@dataclass(slots=True)
class Notes:
    """Comments by the identity of the node that they stand beside."""

    before: Places = field(default_factory=_places)
    inline: Places = field(default_factory=_places)
    after: Places = field(default_factory=_places)
    opening: Places = field(default_factory=_places)
    closing: Places = field(default_factory=_places)

    def inline_text(self, item: Node) -> str:
        """Return the comments in front of an item as they stand before its code."""
        return "".join(f"{comment.text} " for comment in self.inline[id(item)])

    def has_bracket_notes(self, holder: Node) -> bool:
        """Say whether comments stand at the brackets of a construct."""
        return bool(self.opening[id(holder)] or self.closing[id(holder)])

    def beside(self, item: Node) -> bool:
        """Say whether comments stand above, before or behind an item."""
        return bool(self.before[id(item)] or self.inline[id(item)] or self.after[id(item)])


def attach(query: Query) -> Notes:
    """Return where each comment of the query goes."""
    notes = Notes()
    source = _Source(query.text, query.comments)
    for comment in query.comments:
        _attach(comment, query.pipeline, source, notes)
    return notes


def fits_in_line(comment: Comment) -> bool:
    """Say whether code may follow the comment on its line."""
    return comment.text.startswith("/*") and "\n" not in comment.text


class _Source:
    """The text, and the code between two places of it."""

    def __init__(self, text: str, comments: Sequence[Comment]) -> None:
        self.text = text
        self._comments = comments
        self._starts = [comment.span.start for comment in comments]

    def code(self, start: int, end: int) -> str:
        """Return the text between two places, each comment in it as one blank."""
        found, place = "", start
        first = bisect_left(self._starts, start)
        for comment in self._comments[first : bisect_left(self._starts, end)]:
            found += self.text[place : comment.span.start] + " "
            place = comment.span.end
        return found + self.text[place:end]

    def is_behind(self, item_end: int, place: int) -> bool:
        """Say whether a place is on the line where an item ends, its parentheses included."""
        before = self.code(item_end, place)
        return "\n" not in before[before.rfind(")") + 1 :]

    def leads(self, place: int, item_start: int) -> bool:
        """Say whether nothing but blanks and opening parentheses stand before an item's line."""
        between = self.code(place, item_start)
        return not between.strip(_BLANKS + "(") and "\n" not in between.partition("(")[0]


def extent(node: Node) -> Span:
    """Return where an item begins and ends, without the blanks that a pipeline's span holds."""
    match node:
        case Pipeline(steps=steps) if steps:
            return Span(steps[0].span.start, steps[-1].span.end)
        case Arm(body=Pipeline(steps=steps)) if steps:
            return Span(node.span.start, steps[-1].span.end)
        case _:
            return node.span


def _attach(comment: Comment, node: Node, source: _Source, notes: Notes) -> None:
    """Find the innermost construct around the comment, then its neighbours in it."""
    item = outermost = node
    while True:
        holder = _holder(item, comment, source)
        if holder is None:
            # Inside a construct that is never broken.
            _in_front(comment, outermost, notes)
            return
        parts = _parts(holder)
        # Parts stand in order and apart, so the one that begins last before it holds it, or none.
        place = bisect_right(parts, comment.span.start, key=lambda part: extent(part).start)
        if not place or not _holds(extent(parts[place - 1]), comment):
            break
        item = parts[place - 1]
        if place > 1 or holder is node or isinstance(holder, _BRACKETED):
            outermost = item
    if not place and isinstance(holder, And | Or | Binary):
        # Behind a parenthesis that the first operand opens.
        _in_front(comment, outermost, notes)
        return
    _beside(
        comment, holder, parts[max(place - 1, 0) : place], parts[place : place + 1], source, notes
    )


def _in_front(comment: Comment, outermost: Node, notes: Notes) -> None:
    """Put a comment in front of all that begins where the construct around it does."""
    kind = notes.inline if fits_in_line(comment) else notes.before
    kind[id(outermost)].append(comment)


def _beside(
    comment: Comment,
    holder: Node,
    earlier: Sequence[Node],
    later: Sequence[Node],
    source: _Source,
    notes: Notes,
) -> None:
    start, end = comment.span.start, comment.span.end
    next_start = extent(later[0]).start if later else len(source.text)
    leads = bool(later) and fits_in_line(comment) and source.leads(end, next_start)
    opener = _opener(holder)
    if leads:
        notes.inline[id(later[0])].append(comment)
    elif earlier and source.is_behind(extent(earlier[0]).end, start):
        notes.after[id(earlier[0])].append(comment)
    elif not earlier and opener is not None and source.is_behind(opener, start):
        notes.opening[id(holder)].append(comment)
    elif later:
        notes.before[id(later[0])].append(comment)
    else:
        notes.closing[id(holder)].append(comment)


def _holds(span: Span, comment: Comment) -> bool:
    return span.start <= comment.span.start and comment.span.end <= span.end


def _holder(item: Node, comment: Comment, source: _Source) -> Node | None:
    """Return the construct with parts that the item is or wraps, if the comment is inside it."""
    node: Node = item
    while True:
        match node:
            case Argument(value=inner) | Assignment(value=inner):
                node = inner
            case FieldOperator(call=inner):
                node = inner
            case Not(operand=inner) | Unary(operand=inner):
                node = inner
            case StatsShorthand(functions=inner):
                node = inner
            case Subquery() if not _holds(_braces(node), comment):
                values = (attribute.value for attribute in node.attributes)
                found = next((value for value in values if _holds(value.span, comment)), None)
                if found is None:
                    return None
                node = found
            case Subquery():
                return node
            case Call(name=name, name_span=at) if source.text[at.start : at.end] != name:
                return None
            case Arm(guard=Call() as guard) if _holds(guard.span, comment):
                return guard
            case Case() | Match() | Arm() | Call() | Array() | SavedQuery() | Pipeline():
                return node if _holds(node.span, comment) else None
            case And() | Or() | Binary():
                return node if _holds(node.span, comment) else None
            case _:
                return None


def _braces(node: Subquery) -> Span:
    return Span(node.span.start, node.pipeline.span.end)


def _parts(holder: Node) -> Sequence[Node]:
    match holder:
        case Pipeline(steps=parts):
            return parts
        case Subquery(pipeline=pipeline) | Arm(body=pipeline):
            return pipeline.steps
        case Case(clauses=clauses):
            return clauses
        case Match(arms=arms):
            return arms
        case Call(arguments=arguments):
            return arguments
        case SavedQuery(arguments=texts):
            return texts
        case Array(elements=elements):
            return elements
        case And(operands=operands) | Or(operands=operands):
            return operands
        case Binary():
            return operands_of(holder)
        case _:
            return ()


def _opener(holder: Node) -> int | None:
    """Return where the construct's head ends or begins; None where no bracket opens it."""
    match holder:
        case Call():
            return holder.name_span.end
        case Match():
            return holder.field.span.end
        case Arm():
            return holder.guard.span.end
        case Case() | Array() | Subquery() | SavedQuery():
            return holder.span.start
        case _:
            return None
