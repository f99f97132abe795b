"""JSON answers, member by member: what is missing or of another type is an error that names it.

Which members there are is `decode`'s business, and that of whoever reads an answer of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import isfinite

from orchestrator.client.http.problems import ADVICE_PAGE, excerpt, request_id_of
from orchestrator.client.http.transport import Response
from orchestrator.errors import AnswerCutOff, NotTheApi, UnexpectedResponse
from orchestrator.units import from_epoch_ms, parse_instant

ADVICE_CUT = "Try again; if it stays, something between here and the server cuts answers off"
_ADVICE_SHAPE = "Check the url, and that the server is LogScale of a version that this client knows"


SECOND, MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)


class Members:
    """Reads one JSON object member by member, with the path of each for the error text.

    Args:
        raw: The object.
        where: What it is.
        source: The answer that held it; its id is named in errors.
    """

    def __init__(
        self, raw: Mapping[str, object], *, where: str, source: Response | None = None
    ) -> None:
        self.raw, self._where, self._source = raw, where, source

    def __contains__(self, name: str) -> bool:
        return self.raw.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text member; `default` stands in for an absent or null one."""
        value = self.raw.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.wrong(name, "text")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a text member, or None for an absent or null one."""
        return self.text(name) if name in self else None

    def flag(self, name: str, default: bool | None = None) -> bool:
        """Return a boolean member; `default` stands in for an absent or null one."""
        value = self.raw.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        """Return a whole-number member; `default` stands in for an absent or null one."""
        value = self.raw.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, "a whole number")
        return value

    def decimal(self, name: str, default: float | None = None) -> float:
        """Return a number, which may have been read as the text that it was written as."""
        value = self.raw.get(name)
        if value is None and default is not None:
            return default
        try:
            return float(str(value))
        except ValueError as exc:
            raise self.wrong(name, "a number") from exc

    def optional_number(self, name: str) -> int | None:
        """Return a whole-number member, or None for an absent or null one."""
        return self.number(name) if name in self else None

    def optional_fraction(self, name: str) -> float | None:
        """Return a number member, or None for an absent or null one."""
        value = self.raw.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise self.wrong(name, "a number")
        return float(value)

    def span(self, name: str, *, unit: timedelta, default: int | None = None) -> timedelta:
        """Return a whole number of `unit`s as the time it stands for."""
        try:
            return self.number(name, default) * unit
        except OverflowError as exc:
            raise self.wrong(name, "a time that a calendar holds") from exc

    def instant(self, name: str) -> datetime:
        """Return an ISO 8601 text as the instant that it stands for, in UTC."""
        try:
            return parse_instant(self.text(name))
        except (ValueError, OverflowError) as exc:
            raise self.wrong(name, "an instant in ISO 8601") from exc

    def epoch_ms(self, name: str) -> datetime:
        """Return a number of epoch milliseconds as the instant that it stands for, in UTC."""
        try:
            return from_epoch_ms(self.number(name))
        except ValueError as exc:
            raise self.wrong(name, "an instant in epoch milliseconds") from exc

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; empty for an absent or null one."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise self.wrong(name, "a list of text")
        return tuple(str(value) for value in values)

    def member(self, name: str) -> Members:
        """Return an object member."""
        value = self.raw.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return self._inner(value, name)

    def optional_member(self, name: str) -> Members:
        """Return an object member; empty for an absent or null one."""
        return self.member(name) if name in self else self._inner({}, name)

    def members(self, name: str) -> tuple[Members, ...]:
        """Return a list of objects; empty for an absent or null one."""
        found = []
        for index, value in enumerate(self._list(name)):
            if not isinstance(value, dict):
                raise self.wrong(f"{name}[{index}]", "an object")
            found.append(self._inner(value, f"{name}[{index}]"))
        return tuple(found)

    def wrong(self, name: str, wanted: str) -> UnexpectedResponse:
        """Return the error for a member that is absent or of another type."""
        found = type(self.raw[name]).__name__ if name in self.raw else "nothing"
        problem = f"{self._where}.{name} should be {wanted}, is {found}"
        known = request_id_of(self._source) if self._source is not None else None
        return UnexpectedResponse(problem, request_id=known, advice=_ADVICE_SHAPE)

    def _inner(self, raw: Mapping[str, object], name: str) -> Members:
        return Members(raw, where=f"{self._where}.{name}", source=self._source)

    def _list(self, name: str) -> Sequence[object]:
        value = self.raw.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        return value


def json_object(response: Response, *, where: str, exact_numbers: bool = False) -> Members:
    """Return the JSON object that a response holds.

    Args:
        response: A success.
        where: What the object is, for error texts.
        exact_numbers: Read fractions as the text they were written as.

    Raises:
        UnexpectedResponse: Another content type, not JSON, or JSON of another shape.
    """
    content = _json(response, where=where, exact_numbers=exact_numbers)
    if not isinstance(content, dict):
        problem = f"{where} should be an object, is {type(content).__name__}"
        raise UnexpectedResponse(problem, request_id=request_id_of(response), advice=_ADVICE_SHAPE)
    return Members(content, where=where, source=response)


def _json(response: Response, *, where: str, exact_numbers: bool = False) -> object:
    kind = response.content_type
    if kind != "application/json" and not kind.endswith("+json"):
        problem = f"{where} should be JSON, is {excerpt(kind) or 'of no named type'}"
        raise NotTheApi(problem, request_id=request_id_of(response), advice=ADVICE_PAGE)
    # The lengths help to tell what happened, the content stays out.
    size, known = len(response.body), request_id_of(response)
    if not response.body.strip():
        raise AnswerCutOff(f"{where} should be JSON, is empty", request_id=known, advice=ADVICE_CUT)
    try:
        content: object = json.loads(response.body, parse_float=str if exact_numbers else None)
    except json.JSONDecodeError as exc:
        if ends_early(exc):
            problem = f"{where} ends in the middle, it is not whole JSON ({size} bytes)"
            raise AnswerCutOff(problem, request_id=known, advice=ADVICE_CUT) from exc
        problem = f"{where} is not JSON, at character {exc.pos + 1} of {len(exc.doc)}"
        raise UnexpectedResponse(problem, request_id=known, advice=_ADVICE_SHAPE) from exc
    except UnicodeDecodeError as exc:
        problem = f"{where} is not JSON in UTF-8, at byte {exc.start + 1} of {size}"
        raise UnexpectedResponse(problem, request_id=known, advice=_ADVICE_SHAPE) from exc
    except (ValueError, RecursionError) as exc:
        problem = f"{where} is JSON beyond measure: too deep, or a number too long ({size} bytes)"
        raise UnexpectedResponse(problem, request_id=known, advice=_ADVICE_SHAPE) from exc
    return content


def ends_early(exc: json.JSONDecodeError) -> bool:
    """Return whether a text began as JSON does and then ran out."""
    text = exc.doc.strip()
    if text[:1] not in {"{", "["}:
        return False
    return text[-1] not in "}]" or exc.pos >= len(exc.doc.rstrip())
