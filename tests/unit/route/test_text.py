from __future__ import annotations

import pytest

from orchestrator.route.text import cut, defang, telemetry, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb", "a ⏎ b"),
        ("a\r\nb", "a ⏎ b"),
        ("\x1b[31mred", "\\u{1b}[31mred"),
        ("exe\u202egpj", "exe\\u{202e}gpj"),
        ("ad\u200bmin", "ad\\u{200b}min"),
        ("nul\0", "nul\\u{0}"),
        ("\ud800", "\\u{d800}"),
        ("tag\U000e0041", "tag\\u{e0041}"),
        ("\u3164", "\\u{3164}"),
        ("naïve 漢字", "naïve 漢字"),
    ],
)
def test_visible_shows_what_hides(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        ("curl http://evil.example/a.b", "curl hxxp://evil[.]example/a.b"),
        ("HTTPS://EVIL.EXAMPLE", "HxxPS://EVIL[.]EXAMPLE"),
        ("ftp://h.example", "ftp[:]//h[.]example"),
        ("169.254.169.254", "169[.]254[.]169[.]254"),
        ("www.evil.example", "www[.]evil.example"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("/home/u/.azure/msal_token_cache.json", "/home/u/.azure/msal_token_cache.json"),
        ("1.2.3.4.5", "1.2.3.4.5"),
    ],
)
def test_defang_leaves_nothing_to_click(text: str, dead: str) -> None:
    assert defang(text) == dead


def test_cut_says_how_long_the_whole_was() -> None:
    assert len(cut("x" * 1_000, 60)) == 60
    assert cut("x" * 1_000, 60).endswith("[cut: 1,000 characters in all]")


def test_telemetry_of_a_megabyte_is_short_and_says_so() -> None:
    shown = telemetry("A" * 1_048_576, 200)

    assert len(shown) == 200
    assert shown.endswith("… [cut: 1,048,576 characters in all]")


def test_telemetry_that_grows_by_escaping_still_fits() -> None:
    assert len(telemetry("\u202e" * 100, 100)) == 100
