"""What the linter says about a query while it is being written: for the page's search box.

Places are UTF-16 units from the start of the text, as a browser counts them.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.cql import Diagnostic, LineIndex, QueryKind, Span, lint
from orchestrator.sandbox.answers import Refusal, json_answer
from orchestrator.sandbox.auth import caller_of, demand
from orchestrator.sandbox.routes.query_body import body_of
from orchestrator.sandbox.search.run import MAX_QUERY_CHARS
from orchestrator.sandbox.settings import Right

Json = dict[str, object]
MOST_PROBLEMS = 200
"""More of them help nobody, and each is drawn."""


async def check_query(request: Request) -> Response:
    """`POST /_sandbox/check`: `{"queryString": "…"}` to its problems, by place.

    Raises:
        Refusal: 400, there is no text, or more of it than a query may have.
    """
    _, role = caller_of(request)
    demand(role, Right.READ)
    text = body_of(await request.body()).get("queryString")
    if not isinstance(text, str) or len(text) > MAX_QUERY_CHARS:
        raise Refusal(400, f"queryString must be a string of at most {MAX_QUERY_CHARS} characters")
    return json_answer({"problems": await asyncio.to_thread(problems_of, text)})


def problems_of(text: str) -> list[Json]:
    """Return one object per problem, the first `MOST_PROBLEMS` by place, with its fix if any."""
    index = LineIndex(text)
    units = _units_of(text)
    found = lint(text, kind=QueryKind.SEARCH)[:MOST_PROBLEMS]
    return [_problem(problem, index, units) for problem in found]


def _problem(found: Diagnostic, index: LineIndex, units: Callable[[int], int]) -> Json:
    at = index.position(found.span.start)
    fix = found.fix
    return {
        "code": found.code,
        "level": found.level.value,
        "message": found.message,
        "help": found.help,
        "line": at.line,
        "column": at.column,
        **_place(found.span, units),
        "fix": None
        if fix is None
        else {"label": fix.label, "text": fix.text, **_place(fix.span, units)},
    }


def _place(span: Span, units: Callable[[int], int]) -> Json:
    return {"start": units(span.start), "end": units(span.end)}


def _units_of(text: str) -> Callable[[int], int]:
    """Return what turns an offset in characters into one in UTF-16 units."""
    wide = [at for at, char in enumerate(text) if ord(char) > 0xFFFF]
    return lambda offset: offset + bisect_left(wide, offset)
