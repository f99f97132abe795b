from __future__ import annotations

import time

import pytest

from orchestrator.inventory.compare import cell_matches, glob_matches
from orchestrator.model.inventory import MatchMode

GUEST_AGENT = "\\Device\\HarddiskVolume4\\WindowsAzure\\GuestAgent_2.7\\WindowsAzureGuestAgent.exe"


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("/usr/bin/git", "/usr/bin/git", True),
        ("/usr/bin/git", "/usr/bin/git2", False),
        ("/opt/az/bin/python3*", "/opt/az/bin/python3.12", True),
        ("/opt/az/bin/python3*", "/opt/az/bin/python2", False),
        ("/opt/az/bin/python3*", "/tmp/opt/az/bin/python3", False),
        ("*\\WindowsAzure\\*\\WindowsAzureGuestAgent.exe", GUEST_AGENT, True),
        ("a*a", "a", False),
        ("a*b*c", "axxbyyc", True),
        ("a*b*c", "acb", False),
        ("*ab*ab*", "xab", False),
        ("*.exe", "evil.exe.txt", False),
        ("/usr/bin/[a-z]*", "/usr/bin/git", False),
        ("/usr/bin/gi?", "/usr/bin/git", False),
        ("/opt/az/*", "/opt/az/../../tmp/evil", False),
        ("C:\\Tools\\*", "C:\\Tools\\..\\Temp\\evil.exe", False),
    ],
)
def test_glob_matches_whole_value_and_only_the_star_is_special(
    pattern: str, value: str, matches: bool
) -> None:
    assert glob_matches(pattern, value) is matches


def test_glob_matches_hostile_pattern_ends_quickly() -> None:
    started = time.perf_counter()

    assert not glob_matches("a*" * 200 + "b", "a" * 20_000)
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("cell", "values", "mode", "matches"),
    [
        ("ghrunner", ("ghrunner",), MatchMode.EXACT, True),
        ("ghrunner", ("GhRunner",), MatchMode.EXACT, False),
        ("ghrunner", (), MatchMode.EXACT, False),
        ("ghrunner", None, MatchMode.EXACT, False),
        ("root\n0", ("0",), MatchMode.EXACT, True),
        ("root\n0", ("0", "root"), MatchMode.EXACT, True),
        ("root\n0", ("0", "1000"), MatchMode.EXACT, False),
        ("root", ("root", "-"), MatchMode.EXACT, False),
        ("Meeting Rooms", ("meeting rooms",), MatchMode.EXACT_CI, True),
        ("MASSE", ("maße",), MatchMode.EXACT_CI, False),
        ("/usr/bin/*", ("/USR/bin/git",), MatchMode.GLOB_CI, False),
        ("/usr/bin/*", ("/usr/bin/git",), MatchMode.GLOB_CI, True),
        ("*\\GIT\\*.exe", ("C:\\git\\Git.EXE",), MatchMode.GLOB_CI, True),
        ("*\\GIT\\*.exe", ("C:\\git\\Git.EXE",), MatchMode.GLOB, False),
        ("*resolved", ("unresolved",), MatchMode.GLOB_CI, False),
        ("none", (), MatchMode.ABSENT, True),
        ("none", None, MatchMode.ABSENT, False),
        ("none", ("c0ffee",), MatchMode.ABSENT, False),
        ("c0ffee", ("c0ffee",), MatchMode.ABSENT, True),
        ("c0ffee", (), MatchMode.ABSENT, False),
    ],
)
def test_cell_matches_follows_its_mode(
    cell: str, values: tuple[str, ...] | None, mode: MatchMode, matches: bool
) -> None:
    assert cell_matches(cell, values, mode) is matches


def test_cell_matches_host_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="not compared value by value"):
        cell_matches("a", ("a",), MatchMode.HOST)
