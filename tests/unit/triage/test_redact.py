from __future__ import annotations

import base64
import time

import pytest

from orchestrator.triage.redact import FIELD_CHARS, KINDS, kinds_in, printable, redact

# Every canary is made up; each is split so that no scanner takes this file for a leak.
JWT = "ey" + "JhbGciOiJub25lIn0.eyJzdWIiOiJ0ZXN0In0.c2lnbmF0dXJl"
B64 = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9w"

CANARIES: list[tuple[str, str, str]] = [
    # kind, text, what must not remain
    (
        "pem-private-key",
        f"x -----BEGIN RSA PRIVATE KEY-----\n{B64}\n-----END RSA PRIVATE KEY----- y",
        B64,
    ),
    ("pem-private-key", f"-----BEGIN PRIVATE KEY-----\n{B64}", B64),
    ("jwt", f"token is {JWT}", JWT),
    ("aws-key-id", "id AK" + "IAIOSFODNN7EXAMPLE in use", "IOSFODNN7"),
    ("aws-session-token", "IQoJb3JpZ2lu" + B64, B64),
    (
        "aws-secret-key",
        '{"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}',
        "wJalrXUtnFEMI",
    ),
    (
        "aws-secret-key",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "wJalrXUtnFEMI",
    ),
    (
        "imds-session-token",
        "curl -H X-aws-ec2-metadata-token:AQAEALbTEXAMPLEtokenvalue0123456789== http://x",
        "AQAEALbT",
    ),
    (
        "github-token",
        "git clone with gh" + "p_0123456789abcdefghij0123456789abcdef",
        "0123456789abc",
    ),
    ("github-token", "github" + "_pat_11AAAAAAA0123456789abcdef_ghij", "11AAAAAAA0"),
    ("gitlab-token", "gl" + "pat-0123456789abcdefghij", "0123456789"),
    ("google-token", "ya29." + "a0AfB_byC0123456789abcdef", "a0AfB"),
    ("google-token", "AI" + "zaSyA0123456789abcdefghijklmnopqrstuv", "SyA01234"),
    (
        "entra-client-secret",
        "secret abC8Q~EXAMPLEexampleEXAMPLEexample012345 end",
        "EXAMPLEexample",
    ),
    ("entra-refresh-token", "0.AXoA" + "b" * 70 + ".c123", "b" * 70),
    ("entra-refresh-token", "M.C507_BAY.0.U.-Cabcdefghijklmnopqrstuv", "Cabcdefgh"),
    ("azure-sas", "https://x.blob.example/c?sv=1&sig=abcdefghijklmnopqrst%2Fuv%3D", "abcdefghij"),
    ("azure-account-key", f"AccountName=x;AccountKey={B64}==;Suffix=y", B64),
    ("entra-cookie", "Cookie: ESTSAUTHPERSISTENT=0.AXoAabcdefgh; x=1", "AXoAabcd"),
    ("registry-token", "npm" + "_0123456789abcdefghijABCDEFGHIJ456789", "0123456789"),
    ("registry-token", "xox" + "b-1234567890-abcdefghij", "1234567890"),
    ("registry-token", "hvs." + "CAESIJabcdefghijklmnopqrst", "CAESIJ"),
    (
        "slack-webhook",
        "curl https://hooks.slack" + ".com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx",
        "abcdefghijkl",
    ),
    ("docker-auth", '{"auths": {"r.example": {"auth": "dXNlcjpwYXNzd29yZA=="}}}', "dXNlcjpw"),
    ("auth-header", "curl -H 'Authorization: Basic dXNlcjpwYXNz' http://x", "dXNlcjpwYXNz"),
    ("auth-header", "Authorization=sharedkey12345", "sharedkey12345"),
    ("bearer", "send bearer abcdefghijklmnop", "abcdefghijklmnop"),
    ("url-userinfo", "git clone https://user:hunter2@git.example/x", "hunter2"),
    ("oauth-parameter", "POST grant=x&refresh_token=0abcdefghij&y=1", "0abcdefghij"),
    ("oauth-parameter", "http://localhost/?code=M1234567890", "M1234567890"),
    ("cli-secret", "tool --password hunter22 --verbose", "hunter22"),
    ("cli-secret", "tool --client-secret='hunter 22'", "hunter"),
    (
        "az-login-p",
        "az login --service-principal -u 1 -p hunter2hunter2 --tenant t",
        "hunter2hunter2",
    ),
    ("env-secret", "DB_PASSWORD=hunter2hunter2 ./run", "hunter2hunter2"),
    ("env-secret", "export GITLAB_TOKEN='abcdef123'", "abcdef123"),
]


def encoded(script: str, encoding: str = "utf-16-le") -> str:
    return base64.b64encode(script.encode(encoding)).decode()


@pytest.mark.parametrize(("kind", "text", "canary"), CANARIES)
def test_redact_takes_out_each_kind_of_secret(kind: str, text: str, canary: str) -> None:
    redacted = redact(text)

    assert canary not in redacted
    assert kinds_in(redacted) == [kind]
    assert redact(redacted) == redacted


def test_redact_canaries_cover_every_kind() -> None:
    assert {kind for kind, _, _ in CANARIES} == {kind.name for kind in KINDS}


def test_redact_keeps_what_stands_before_and_after() -> None:
    text = "az login --service-principal -u 1111 -p hunter2hunter2 --tenant contoso.example"

    assert redact(text) == (
        "az login --service-principal -u 1111 -p [REDACTED:az-login-p] --tenant contoso.example"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tar czf /dev/shm/.c.tgz /home/ghrunner/.azure /home/ghrunner/.aws/credentials",
        "cat /run/secrets/kubernetes.io/serviceaccount/token",
        "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
        "python3 -u /usr/sbin/waagent -run-exthandlers",
        "PASSWORD=$env:SECRET ./run",
        "\\Device\\HarddiskVolume4\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
        "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01",
        "a615c3a0e42893b1df70625ecdb1a09f",
        "S-1-5-21-1111111111-2222222222-3333333333-1104",
        "powershell -enc " + encoded("Get-ChildItem C:\\Users -Recurse"),
        "line one\nline two\tend",
        "Łukasz straße ファイル",
    ],
)
def test_redact_text_without_a_secret_is_left_alone(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "flag",
    [
        *("-e", "-ec", "-en", "-enc", "-enco", "-encod", "-encode", "-encoded"),
        *("-EncodedC", "-EncodedCommand", "/enc", "\u2013enc", "-eNc"),
    ],
)
def test_redact_encoded_command_with_a_secret_is_dropped(flag: str) -> None:
    blob = encoded(f"irm https://x -Headers @{{Authorization='Bearer {JWT}'}}")

    redacted = redact(f"powershell.exe -w hidden {flag} {blob} -x")

    assert redacted == f"powershell.exe -w hidden {flag} [REDACTED:encoded-command] -x"


def test_redact_command_encoded_twice_is_dropped() -> None:
    inner = encoded(f"$t='{JWT}'")
    outer = encoded(f"powershell -enc {inner}")

    assert redact(f"powershell -enc {outer}") == "powershell -enc [REDACTED:encoded-command]"


def test_redact_base64_literal_in_a_script_is_opened() -> None:
    blob = encoded(f"Authorization: Bearer {JWT}", "utf-8")

    redacted = redact(f"[Convert]::FromBase64String('{blob}')")

    assert redacted == "[Convert]::FromBase64String('[REDACTED:encoded-command]')"


@pytest.mark.parametrize("blob", ["A" * 17, "A" * 16 + "=", "////////////////", "QUJD" * 5_000])
def test_redact_base64_of_nothing_sensible_is_left_alone(blob: str) -> None:
    text = f"powershell -enc {blob}"

    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a\\x00b"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("evil\u202etxt.exe", "evil\\u202etxt.exe"),
        ("to\u200bken", "to\\u200bken"),
        ("half \ud800", "half \\ud800"),
        ("one\r\ntwo", "one\\x0d\ntwo"),
        ("tab\tstays\n", "tab\tstays\n"),
        ("nel\x85", "nel\\x85"),
        ("sep\u2028", "sep\\u2028"),
    ],
)
def test_printable_shows_what_cannot_be_seen(text: str, shown: str) -> None:
    assert printable(text) == shown
    shown.encode("utf-8")


def test_redact_secret_behind_a_control_character_is_taken_out() -> None:
    assert redact(f"\x00{JWT}\u202e") == "\\x00[REDACTED:jwt]\\u202e"


def test_redact_over_long_text_is_cut_and_says_so() -> None:
    redacted = redact("x" * 1_000_000)

    assert len(redacted) == FIELD_CHARS
    assert redacted.endswith("\n[REDACTED:rest-of-text]")


@pytest.mark.parametrize(
    "hostile",
    [
        *("--token ", "authorization: ", "az login -p ", "eyJ", "://a:", '"auth":"', "password="),
        *(
            "-----BEGIN PRIVATE KEY-----",
            "-e AAAA",
            "sig=",
            "\x00",
            "[REDACTED",
            "secret_access_key",
        ),
    ],
)
def test_redact_hostile_text_is_bounded_in_time_and_length(hostile: str) -> None:
    started = time.perf_counter()

    redacted = redact(hostile * 40_000)

    assert len(redacted) <= FIELD_CHARS
    assert time.perf_counter() - started < 5
    assert redact(redacted) == redacted


@pytest.mark.parametrize("offset", range(0, 120, 7))
def test_redact_secret_across_the_cut_does_not_remain(offset: int) -> None:
    """Half a token fits no pattern, so the cut is made between words."""
    token = "gh" + "p_" + "s3cret" * 20
    text = "x" * (FIELD_CHARS - offset) + f" token is {token} and more " + "y" * 99

    assert "s3cret" not in redact(text)
