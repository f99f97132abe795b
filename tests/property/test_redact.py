"""Redaction: doing it twice changes nothing, whatever the text is made of."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.triage.redact import FIELD_CHARS, redact

SECRETS = (
    "ey" + "JhbGciOiJub25lIn0.eyJzdWIiOiJ0ZXN0In0.c2lnbmF0dXJl",
    "AK" + "IAIOSFODNN7EXAMPLE",
    "gh" + "p_0123456789abcdefghij0123456789abcdef",
    "gl" + "pat-0123456789abcdefghij",
    "abC8Q~EXAMPLEexampleEXAMPLEexample012345",
)
FRAGMENT = st.sampled_from(
    [
        *("--token ", "--password=", "Authorization: Bearer ", "bearer ", "sig=", "?code=", "az "),
        *(
            "login ",
            "-p ",
            "https://user:",
            "@host",
            '"auth":"',
            '"',
            "'",
            " ",
            "\n",
            "=",
            ";",
            "&",
        ),
        *("SECRET=", "[REDACTED:jwt]", "[REDACTED", "]", "-----BEGIN PRIVATE KEY-----", "-enc "),
        *("FromBase64String('", "ESTSAUTH=", "x-aws-ec2-metadata-token:", "\x00", "\u202e", "AAAA"),
        *("secretaccesskey", "\r", "\ud800", "/usr/bin/curl", "M.C507_BAY."),
    ]
) | st.sampled_from(SECRETS)
TEXT = st.lists(FRAGMENT | st.text(max_size=12), max_size=40).map("".join)


@given(TEXT)
def test_redact_twice_changes_nothing(text: str) -> None:
    once = redact(text)

    assert redact(once) == once


@given(TEXT)
def test_redact_leaves_only_what_a_database_can_hold(text: str) -> None:
    redacted = redact(text)

    assert "\x00" not in redacted
    assert len(redacted) <= FIELD_CHARS
    redacted.encode("utf-8")


@given(TEXT, st.sampled_from(SECRETS), TEXT)
def test_redact_secret_between_words_never_remains(before: str, secret: str, after: str) -> None:
    redacted = redact(f"{before} {secret} {after}")

    assert f" {secret} " not in redacted


@given(TEXT, st.sampled_from(SECRETS))
def test_redact_secret_in_an_encoded_command_never_remains(text: str, secret: str) -> None:
    script = f"{text} {secret} end".encode("utf-16-le", "replace")
    blob = base64.b64encode(script).decode()

    assert blob not in redact(f"powershell -enc {blob}")


@settings(max_examples=10, deadline=None)
@given(st.lists(FRAGMENT, min_size=1, max_size=4).map("".join))
def test_redact_long_repetition_is_stable(text: str) -> None:
    once = redact(text * (2 * FIELD_CHARS // len(text)))

    assert redact(once) == once
    assert len(once) <= FIELD_CHARS
