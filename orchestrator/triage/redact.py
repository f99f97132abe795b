"""Secrets out of text, before it is stored, sent or logged.

`redact` is applied to every field value of a finding. It cuts over-long text, makes control and
invisible characters visible, decodes what PowerShell was given encoded and looks into it, and
replaces each secret by `[REDACTED:kind]`, keeping what stands before it. Doing it twice changes
nothing. Kinds are a table: order matters, a leading group is kept, and a kind's needles say which
lower-case texts must occur for its pattern to be tried at all.

Left alone by choice: passwords without any marker (`net use x: secret`), short keys without a
prefix, secrets split over variables, and paths of secret files, which are evidence.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

FIELD_CHARS = 32_000
"""Longest text kept; the slowest pattern needs about half a second on a hostile text this long."""

_CUT = "\n[REDACTED:rest-of-text]"
"""Looks like a marker, so that no pattern takes it for a secret in the next pass."""
_LONGEST_WORD = 4_000
_MAX_PASSES = 8
_MAX_DEPTH = 3
_ENCODED_KIND = "encoded-command"


@dataclass(frozen=True, slots=True)
class SecretKind:
    """One kind of secret: its name in the marker, its pattern, and what must occur for it."""

    name: str
    pattern: re.Pattern[str]
    needles: tuple[str, ...]


def _kind(name: str, pattern: str, *needles: str) -> SecretKind:
    return SecretKind(name, re.compile(pattern), needles)


KINDS: tuple[SecretKind, ...] = (
    _kind(
        "pem-private-key",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
        r"(?:[\s\S]{0,6000}?-----END [A-Z ]*PRIVATE KEY-----|[\s\S]{0,6000})",
        "private key-----",
    ),
    _kind("jwt", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,3}", "eyj"),
    _kind(
        "aws-key-id",
        r"\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA|AIPA|ABIA|ACCA)[A-Z2-7]{16}\b",
        *("akia", "asia", "aroa", "aida", "agpa", "anpa", "anva", "aipa", "abia", "acca"),
    ),
    _kind(
        "aws-session-token",
        r"\b(?:FwoGZXIvYXdz|IQoJb3JpZ2lu|FQoGZXIvYXdz)[A-Za-z0-9/+=]{40,}",
        *("fwogzxivyxdz", "iqojb3jpz2lu", "fqogzxivyxdz"),
    ),
    _kind(
        "aws-secret-key",
        r"(?i)(?<=secretaccesskey)(\W{1,6})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"
        r"|(?i:(?<=secret_access_key))(\W{1,6})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])",
        *("secretaccesskey", "secret_access_key"),
    ),
    _kind(
        "imds-session-token",
        r"(?i)(x-aws-ec2-metadata-token['\"]?\s*[:=]\s*['\"]?)[A-Za-z0-9+/_=-]{16,}",
        "x-aws-ec2-metadata-token",
    ),
    _kind(
        "github-token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{22,255})\b",
        *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    ),
    _kind(
        "gitlab-token",
        r"\bgl(?:pat|rt|cbt|dt|oas|soat)-[A-Za-z0-9_-]{20,64}",
        *("glpat-", "glrt-", "glcbt-", "gldt-", "gloas-", "glsoat-"),
    ),
    _kind(
        "google-token",
        r"\bya29\.[A-Za-z0-9._-]{20,}|\b1//0[A-Za-z0-9_-]{20,}|\bAIza[A-Za-z0-9_-]{35}",
        *("ya29.", "1//0", "aiza"),
    ),
    _kind(
        "entra-client-secret",
        r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~.-])",
        "q~",
    ),
    _kind(
        "entra-refresh-token",
        r"(?<![A-Za-z0-9._-])[01]\.A[A-Za-z0-9_-]{2,6}[A-Za-z0-9_-]{60,}(?:\.[A-Za-z0-9_-]+)*"
        r"|(?<![A-Za-z0-9])M\.[CR]\d{1,3}_[A-Z0-9]{2,6}\.[A-Za-z0-9!*$_.-]{20,}",
        *("0.a", "1.a", "m.c", "m.r"),
    ),
    _kind("azure-sas", r"(?i)([?&;]sig=)[A-Za-z0-9%+/=_-]{20,}", "sig="),
    _kind(
        "azure-account-key",
        r"(?i)((?:account|shared(?:access)?)key=)[A-Za-z0-9+/=]{40,}",
        "key=",
    ),
    _kind(
        "entra-cookie",
        r"(?i)\b(ESTSAUTH(?:PERSISTENT|LIGHT)?=)[^;\s'\"]{8,}",
        "estsauth",
    ),
    _kind(
        "registry-token",
        r"\b(?:npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{50,}|xox[abeoprs]-[A-Za-z0-9-]{10,}"
        r"|dckr_pat_[A-Za-z0-9_-]{20,}|hvs\.[A-Za-z0-9_-]{24,})",
        *("npm_", "pypi-age", "xox", "dckr_pat_", "hvs."),
    ),
    _kind(
        "slack-webhook",
        r"(?i)(hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/)"
        r"(?!\[REDACTED)[A-Za-z0-9/_-]{16,}",
        "hooks.slack",
    ),
    _kind(
        "docker-auth", r"(?i)(\"(?:auth|identitytoken)\"\s*:\s*\")[^\"]{8,}", '"auth', '"identityt'
    ),
    _kind(
        "auth-header",
        r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?\s*"
        r"(?:(?:bearer|basic|token|negotiate|sharedaccesssignature)\s+)?)"
        r"(?!\[REDACTED|(?:bearer|basic|token|negotiate|sharedaccesssignature)\s)[^\s'\",;}]{6,}",
        "authorization",
    ),
    _kind("bearer", r"(?i)(\bbearer\s+)(?!\[REDACTED)[A-Za-z0-9._~+/=-]{12,}", "bearer"),
    _kind(
        "url-userinfo",
        r"(?i)(\b[a-z][a-z0-9+.-]{1,15}://[^\s/:@'\"]{1,128}:)"
        r"(?!\[REDACTED)[^\s/@'\"]{1,256}(?=@)",
        "://",
    ),
    _kind(
        "oauth-parameter",
        r"(?i)([?&\s;,{'\"](?:access_token|refresh_token|id_token|client_secret|client_assertion"
        r"|assertion|device_code|user_code|code|sas_token|subject_token)"
        r"['\"]?\s*[=:]\s*['\"]?)(?!\[REDACTED)[^\s&'\",;}]{6,}",
        *("token", "secret", "assertion", "code"),
    ),
    _kind(
        "cli-secret",
        r"(?i)((?:^|\s)(?:--?(?:password|passwd|client-secret|federated-token|access-token"
        r"|refresh-token|auth-token|api-key|apikey|secret|token|sas-token|account-key"
        r"|private-token))(?:\s+|=)['\"]?)(?!\[REDACTED)[^\s'\"]{4,}",
        *("-pass", "token", "-api", "secret", "-account-key"),
    ),
    _kind(
        "az-login-p",
        r"(?i)(\baz(?:\.cmd|ure\.cli)?\b[^|;&\n]{0,200}?\slogin\b[^|;&\n]{0,300}?\s-p\s+['\"]?)"
        r"(?!\[REDACTED)[^\s'\"]{4,}",
        "login",
    ),
    _kind(
        "env-secret",
        r"(?i)\b([A-Z0-9_]{0,40}(?:SECRET|PASSWORD|PASSWD|TOKEN|APIKEY|API_KEY|ACCESS_KEY"
        r"|CREDENTIALS?)[A-Z0-9_]{0,20}\s*=\s*['\"]?)"
        r"(?!\[REDACTED)(?![$%{]|/|[A-Za-z]:\\)[^\s'\"&;|]{6,}",
        *("secret", "passw", "token", "apikey", "api_key", "access_key", "credential"),
    ),
)

# PowerShell takes any prefix of -EncodedCommand, `-ec`, a slash and typographic dashes.
_ENCODED = re.compile(
    r"(?i)((?:^|[\s'\"])[-/\u2013\u2014\u2015]e(?:c|n|nc|nco|ncod|ncode|ncoded|ncodedc\w{0,6})?"
    r"[\s:]+['\"]?|frombase64string\(\s*['\"])([A-Za-z0-9+/]{16,}={0,2})"
)
_ENCODED_NEEDLES = ("-e", "/e", "\u2013e", "\u2014e", "\u2015e", "frombase64string")
_MARKER_START = "[REDACTED"
_MARKER = re.compile(r"\[REDACTED:([a-z0-9-]+)\]")


def redact(text: str) -> str:
    """Return `text` without secrets, at most `FIELD_CHARS` long, every character visible.

    Idempotent: `redact(redact(text)) == redact(text)`.
    """
    for _ in range(_MAX_PASSES):
        # Secrets first: an escape written before one would look like a part of its word.
        cleaned = printable(_redact_once(_fit(text), depth=0))
        if cleaned == text:
            break
        text = cleaned
    return text


def kinds_in(redacted: str) -> list[str]:
    """Return the kinds of the markers in a redacted text, one a marker, in order."""
    return _MARKER.findall(redacted)


def printable(text: str) -> str:
    """Return `text` with control, invisible and unpaired characters written as escapes.

    Line feeds and tabs stay. A NUL or half a surrogate pair would not fit a database, a
    bidirectional override would show another command than the one that ran.
    """
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in _INVISIBLE:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def _redact_once(text: str, *, depth: int) -> str:
    text = _open_encoded(text, depth=depth)
    folded = text.lower()
    for kind in KINDS:
        if any(needle in folded for needle in kind.needles):
            replaced = kind.pattern.sub(_replacement(kind.name), text)
            if replaced != text:
                text, folded = replaced, replaced.lower()
    return text


def _replacement(name: str) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        kept = next((group for group in match.groups() if group), "")
        return f"{kept}[REDACTED:{name}]"

    return replace


def _open_encoded(text: str, *, depth: int) -> str:
    """Replace encoded commands that hold a secret; a command inside a command is opened too."""
    folded = text.lower()
    if depth >= _MAX_DEPTH or not any(needle in folded for needle in _ENCODED_NEEDLES):
        return text

    def replace(match: re.Match[str]) -> str:
        has_secret = any(
            _redact_once(decoded, depth=depth + 1) != decoded for decoded in _decoded(match[2])
        )
        return f"{match[1]}[REDACTED:{_ENCODED_KIND}]" if has_secret else match[0]

    return _ENCODED.sub(replace, text)


def _decoded(blob: str) -> list[str]:
    """Return what base64 text may stand for: UTF-16 as PowerShell has it, and UTF-8."""
    whole = blob.rstrip("=")
    whole = whole[: len(whole) - 1] if len(whole) % 4 == 1 else whole
    try:
        content = base64.b64decode(whole + "=" * (-len(whole) % 4), validate=True)
    except binascii.Error:
        return []
    return [content.decode(encoding, "replace") for encoding in ("utf-16-le", "utf-8")]


def _fit(text: str) -> str:
    """Cut to the limit, between words where one ends near, never through a marker."""
    if len(text) <= FIELD_CHARS:
        return text
    end = FIELD_CHARS - len(_CUT)
    # Half a secret fits no pattern, so it must not be left at the end.
    word = max(text.rfind(" ", 0, end), text.rfind("\n", 0, end))
    if word > end - _LONGEST_WORD:
        end = word
    opened = text.rfind("[", 0, end)
    if text.startswith(_MARKER_START, opened) and "]" not in text[opened:end]:
        end = opened
    return text[:end] + _CUT
