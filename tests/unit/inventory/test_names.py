from __future__ import annotations

import pytest

from orchestrator.inventory.names import HostName, Strength, compare, is_placeholder, parse_host


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("GH-Runner-04", HostName("gh-runner-04", "")),
        (" az-web-07.Corp.Contoso.Example. ", HostName("az-web-07", "corp.contoso.example")),
        ("010", HostName("010", "")),
        ("1e5", HostName("1e5", "")),
        ("ip-10-0-1-23", HostName("ip-10-0-1-23", "")),
        ("Mei's MacBook", HostName("mei's macbook", "")),
    ],
)
def test_parse_host_name_is_normalised(text: str, name: HostName) -> None:
    assert parse_host(text) == name


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-", "unknown", "UNRESOLVED", "localhost", "LocalHost.", "null", "N/A"),
        *(
            "localhost.localdomain",
            "none",
            "*",
            ".",
            ".corp.example",
            "(null)",
            "\xa0",
            "--",
            "\u2014",
        ),
        *("10.20.3.41", "::1", "fe80::1%eth0", "[2001:db8::1]", "::ffff:10.0.0.1"),
    ],
)
def test_parse_host_without_one_host_is_refused(text: str) -> None:
    assert parse_host(text) is None


@pytest.mark.parametrize(
    ("left", "right"),
    [("straße", "STRASSE"), ("ﬁle-01", "file-01"), ("KELVIN", "\u212aelvin"), ("db\u0456", "dbi")],
)
def test_parse_host_look_alikes_stay_different(left: str, right: str) -> None:
    assert parse_host(left) != parse_host(right)


@pytest.mark.parametrize(
    ("left", "right", "strength"),
    [
        ("db1.prod.example", "DB1.prod.example.", Strength.FULL_NAME),
        ("db1.prod.example", "db1.dev.example", Strength.NONE),
        ("db1.prod.example", "db1", Strength.NAME_ONLY),
        ("db1", "DB1", Strength.NAME_ONLY),
        ("db1", "db10", Strength.NONE),
        ("runner-01", "runner", Strength.NONE),
        ("corporate-mail-server", "corporate-mail-", Strength.NONE),
    ],
)
def test_compare_names_gives_the_strength_both_ways(
    left: str, right: str, strength: Strength
) -> None:
    one, other = parse_host(left), parse_host(right)
    assert one is not None
    assert other is not None

    assert (compare(one, other), compare(other, one)) == (strength, strength)


@pytest.mark.parametrize("text", ["", "-", " - ", "unresolved", "Unresolved"])
def test_is_placeholder_of_a_placeholder_is_true(text: str) -> None:
    assert is_placeholder(text)


@pytest.mark.parametrize("text", ["0", "--", "unresolved-1", "none"])
def test_is_placeholder_of_a_value_is_false(text: str) -> None:
    assert not is_placeholder(text)
