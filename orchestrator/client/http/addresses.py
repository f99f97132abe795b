"""Addresses and tokens as people paste them, checked before anything is sent.

What is wrong with either is told best from its text: a request that a server never understood
comes back as a page, a 404 or a broken header, and none of them says so. No token and no address
with a password in it is ever quoted.
Source: CrowdStrike falconpy and gofalcon, base addresses of the clouds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from orchestrator.errors import AddressInvalid, TokenInvalid
from orchestrator.secret import SecretText

CLOUDS: Mapping[str, str] = {
    "us-1": "https://api.crowdstrike.com",
    "us-2": "https://api.us-2.crowdstrike.com",
    "us-3": "https://api.us-3.crowdstrike.com",
    "eu-1": "https://api.eu-1.crowdstrike.com",
    "us-gov-1": "https://api.laggar.gcw.crowdstrike.com",
    "us-gov-2": "https://api.us-gov-2.crowdstrike.mil",
}
"""API base addresses of Falcon by the region name that the token answer carries."""

_FALCON_API_HOSTS = frozenset(urlsplit(address).netloc for address in CLOUDS.values())
# The console's host is the API's with another first word, in every cloud.
_CONSOLES = {host.replace("api.", "falcon.", 1): host for host in _FALCON_API_HOSTS}
_API_PATH = re.compile(r"/(?:graphql|api(?:/v1(?:/.*)?)?)$")
_FALCON_API_PATH = re.compile(r"/(?:oauth2(?:/.*)?|humio(?:/.*)?|graphql|api(?:/.*)?)$")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
_QUOTES = "\"'`\u201c\u201d\u2018\u2019"


def check_logscale_address(text: str) -> None:
    """Check the base address of a LogScale server; a path prefix of a proxy is fine.

    Raises:
        AddressInvalid: It cannot be one; the advice holds the one that may be meant.
    """
    parts = _taken_apart(text)
    host = parts.hostname or ""
    if host in _CONSOLES or host in _FALCON_API_HOSTS:
        raise AddressInvalid(
            f"{host} is Falcon's, where LogScale's own API is not offered",
            advice='For Next-Gen SIEM use the Falcon client, in settings kind = "ngsiem"',
        )
    _refuse_end(parts, _API_PATH)


def check_falcon_address(text: str) -> None:
    """Check the base address of a Falcon cloud's API, see `CLOUDS`.

    Raises:
        AddressInvalid: It cannot be one; the advice holds the one that may be meant.
    """
    parts = _taken_apart(text)
    host = parts.hostname or ""
    if host in _CONSOLES:
        raise AddressInvalid(
            f"{host} is the console for people, not the API",
            advice=f"Write https://{_CONSOLES[host]}",
        )
    _refuse_end(parts, _FALCON_API_PATH)


def check_token(token: SecretText, *, what: str = "token") -> None:
    """Check that a token or secret can be one; an empty one is sent as none.

    Raises:
        TokenInvalid: It holds more than a token, as after pasting; it is not quoted.
    """
    text = token.reveal()
    problem = ""
    if text.lower().startswith("bearer "):
        problem = "begins with the word Bearer"
    elif text[:1] and text[0] in _QUOTES:
        problem = "is in quotes"
    elif _BLANK.search(text):
        problem = "holds a blank or a line break"
    elif not text.isascii():
        problem = "holds a character that is not ASCII, such as a typographic dash or quote"
    if problem:
        raise TokenInvalid(f"the {what} {problem}", advice=f"Give the {what} alone, as it was made")


def _taken_apart(text: str) -> SplitResult:
    if _BLANK.search(text) or (text and text[0] in _QUOTES):
        raise AddressInvalid("the address holds blanks or quotes", advice="Give the url alone")
    if not text:
        raise AddressInvalid("the address is empty", advice="Write https:// and the server's name")
    if "://" not in text:
        # With an @ it may hold a password.
        shown = "" if "@" in text else f": https://{text}"
        raise AddressInvalid("the address has no scheme", advice=f"Begin it with https://{shown}")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as exc:
        raise AddressInvalid(
            "the address is not a URL", advice="Write https://, the server's name and its port"
        ) from exc
    if parts.scheme not in {"http", "https"}:
        raise AddressInvalid(
            f"the address begins with {parts.scheme}://", advice="Begin it with https://"
        )
    if not parts.hostname:
        raise AddressInvalid(
            "the address names no server", advice="Write https:// and the server's name"
        )
    if "@" in parts.netloc:
        raise AddressInvalid(
            "the address holds a name or a password", advice="Give the token by itself"
        )
    if parts.query or parts.fragment:
        raise AddressInvalid(
            "the address is that of a page",
            advice=f"Write the server's own: {parts.scheme}://{parts.netloc}",
        )
    return parts


def _refuse_end(parts: SplitResult, api_path: re.Pattern[str]) -> None:
    found = api_path.search(parts.path.rstrip("/"))
    if found is not None:
        base = f"{parts.scheme}://{parts.netloc}{parts.path[: found.start()]}"
        raise AddressInvalid(
            f"the address ends in {found[0]}, which the client adds itself", advice=f"Write {base}"
        )
