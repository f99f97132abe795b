"""What the HTTP library raises, as our errors.

The library and the engine under it name their exceptions alike, so one table of names serves both,
and this file needs neither. The sentences are ours: the library's own are empty for time-outs and
quote whole URLs for others.
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

from orchestrator.client.http.reach import known_cause
from orchestrator.errors import (
    ClientError,
    ConnectionFailed,
    RequestRejected,
    RequestTimedOut,
    UnexpectedResponse,
)


class _Outcome(Enum):
    UNSENT = "unsent"
    UNCERTAIN = "uncertain"
    LATE = "late"
    OURS = "ours"
    THEIRS = "theirs"


# The narrow before the wide.
_TABLE: tuple[tuple[str, _Outcome, str], ...] = (
    ("ConnectTimeout", _Outcome.UNSENT, "the connection was not accepted in time"),
    ("PoolTimeout", _Outcome.UNSENT, "no connection became free in time"),
    ("ReadTimeout", _Outcome.LATE, "the server fell silent before its answer was whole"),
    ("WriteTimeout", _Outcome.LATE, "the server stopped reading the request"),
    ("TimeoutException", _Outcome.LATE, "the exchange took too long"),
    ("ConnectError", _Outcome.UNSENT, "no connection"),
    ("ConnectionNotAvailable", _Outcome.UNSENT, "the connection was in use"),
    ("ReadError", _Outcome.UNCERTAIN, "the connection broke while the answer was read"),
    ("WriteError", _Outcome.UNCERTAIN, "the connection broke while the request was sent"),
    ("CloseError", _Outcome.UNCERTAIN, "the connection broke while it was closed"),
    ("NetworkError", _Outcome.UNCERTAIN, "the connection broke"),
    ("LocalProtocolError", _Outcome.OURS, "the request is not valid HTTP"),
    ("RemoteProtocolError", _Outcome.UNCERTAIN, "the server closed the connection or broke HTTP"),
    ("ProtocolError", _Outcome.UNCERTAIN, "HTTP was broken"),
    ("ProxyError", _Outcome.UNCERTAIN, "the proxy refused"),
    ("UnsupportedProtocol", _Outcome.OURS, "the address must start with http:// or https://"),
    ("TransportError", _Outcome.UNCERTAIN, "the connection failed"),
    ("DecodingError", _Outcome.THEIRS, "the answer's compression is broken"),
    ("TooManyRedirects", _Outcome.THEIRS, "the server redirects in circles"),
    ("RequestError", _Outcome.UNCERTAIN, "the request failed"),
    ("HTTPStatusError", _Outcome.THEIRS, "the server refused"),
    ("HTTPError", _Outcome.UNCERTAIN, "the request failed"),
    ("InvalidURL", _Outcome.OURS, "the address is not a URL"),
    ("CookieConflict", _Outcome.THEIRS, "the server set contradictory cookies"),
    ("StreamError", _Outcome.THEIRS, "the answer could not be read"),
)


def translate(exc: Exception, *, method: str, path: str, host: str = "") -> ClientError:
    """Return our exception for one of the HTTP library's, about a request to `host`.

    Raises:
        TypeError: The library has an exception that the table does not know.
    """
    names = {kind.__name__ for kind in type(exc).__mro__}
    found = next((row for row in _TABLE if row[0] in names), None)
    if found is None:
        raise TypeError(f"{type(exc).__name__} has no translation")
    known = known_cause(exc, host=host, method=method, path=path)
    if known is not None:
        return known
    _, outcome, sentence = found
    problem = f"{sentence} ({host})" if host else sentence
    match outcome:
        case _Outcome.UNSENT | _Outcome.UNCERTAIN:
            return ConnectionFailed(
                problem,
                sent=outcome is _Outcome.UNCERTAIN,
                method=method,
                path=path,
                advice="Check that the server runs, and that the url has its port and https:// or http://",
            )
        case _Outcome.LATE:
            return RequestTimedOut(problem, method=method, path=path)
        case _Outcome.OURS:
            return RequestRejected(problem, method=method, path=path)
        case _Outcome.THEIRS:
            return UnexpectedResponse(problem, method=method, path=path)
        case _:
            assert_never(outcome)
