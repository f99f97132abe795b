"""The answers that every route shares: JSON as LogScale sends it, refusals as plain text.

Error answers are text, never JSON, and the texts of 401 and 403 are LogScale's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import HTMLResponse, JSONResponse, Response

INVALID_TOKEN = "The supplied authentication is invalid"  # noqa: S105 -- a message
NOT_AUTHORIZED = "The supplied authentication is not authorized to access this resource"

SUCCESS_HEADERS = {
    "Strict-Transport-Security": "max-age=31536000;includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1;mode=block",
}
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1>{body}</body></html>
"""


class Refusal(Exception):
    """A request ends here with a status and a text; `headers` go with it."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.text, self.headers = status, text, dict(headers or {})
        super().__init__(text)


class InputRefused(Exception):
    """The answer is 200 with an error; `state` holds field to reason, as LogScale sends them."""

    def __init__(self, message: str, state: Mapping[str, str] | None = None) -> None:
        self.state = dict(state or {})
        super().__init__(message)


def wrong_input(state: Mapping[str, str]) -> InputRefused:
    """Return the refusal of an input, in LogScale's words; `state` has a reason by member."""
    return InputRefused("There were errors in the input.", state)


def unauthorized() -> Refusal:
    """Return the refusal of a missing, unknown or expired token."""
    return Refusal(401, INVALID_TOKEN)


def forbidden() -> Refusal:
    """Return the refusal of a known token that lacks the right."""
    return Refusal(403, NOT_AUTHORIZED)


def json_answer(content: object, *, status: int = 200) -> Response:
    """Return a JSON answer with the headers of a success."""
    return JSONResponse(content, status_code=status, headers=SUCCESS_HEADERS)


def text_answer(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a plain-text answer, the form of every refusal."""
    return Response(
        text,
        status_code=status,
        headers={"Content-Type": "text/plain; charset=UTF-8", **(headers or {})},
    )


def page(title: str, body: str = "") -> Response:
    """Return a small HTML page; `body` is HTML already."""
    return HTMLResponse(_PAGE.format(title=title, body=body))
