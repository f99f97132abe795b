"""The sandbox's page: packaged files, and what any other path shows.

The page knows the sandbox's public API and nothing else. Its policy lets it load its own files and
talk to its own server; text of events reaches the document as text only.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from orchestrator.sandbox.answers import Refusal

ASSETS_PATH = "/_sandbox/page/{name}"
"""Under the control routes' prefix, so that no fault keeps the page from loading."""

_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        # Where it is known, text cannot become markup even by a mistake in a script.
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # A newer release's page must not meet an older one's script.
    "Cache-Control": "no-cache",
}
_ELSEWHERE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>orchestrator sandbox</title><link rel="stylesheet" href="/_sandbox/page/style.css"></head>
<body class="plain"><main><h1>Nothing is served here</h1>
<p>The sandbox has one page, <a href="/">its start page</a>; its API is under
<code>/api/v1</code> and <code>/graphql</code>.</p></main></body></html>
"""


async def start(request: Request) -> Response:
    """`GET /`: the page; needs no token, since it holds no data."""
    del request
    return HTMLResponse(_packaged()["index.html"], headers=_HEADERS)


async def asset(request: Request) -> Response:
    """`GET /_sandbox/page/NAME`: a script or the style sheet of the page.

    Raises:
        Refusal: 404, there is none of this name.
    """
    name = str(request.path_params["name"])
    media_type = _MEDIA_TYPES.get(PurePosixPath(name).suffix)
    if media_type is None or name not in _packaged():
        raise Refusal(404, f"The page has no file '{name}'")
    return Response(_packaged()[name], media_type=media_type, headers=_HEADERS)


async def elsewhere(request: Request) -> Response:
    """Any other path: a page, as LogScale's web UI answers whatever it does not know."""
    del request
    return HTMLResponse(_ELSEWHERE, headers=_HEADERS)


@cache
def _packaged() -> dict[str, bytes]:
    """Return the page's files by name; a request's path is looked up here, never opened."""
    folder = files("orchestrator.sandbox") / "page"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
