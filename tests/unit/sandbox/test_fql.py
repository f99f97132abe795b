"""FQL: what a filter finds, and where one that is wrong is wrong."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.gateway.fql import FqlError, parse_fql

RECORD = {"name": "Web-1", "cpu": "16", "tags": ["a", "b"], "nested": {"on": True}, "gone": None}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name:'web-1'", True),
        ("name:'web'", False),
        ("name:*'web*'", True),
        ("name:~'eb-'", True),
        ("name:!~'eb-'", False),
        ("cpu:>'9'", True),
        ("cpu:<='16'+cpu:>=16", True),
        ("cpu:<9", False),
        ("tags:'b'", True),
        ("tags:!'b'", False),
        ("tags:['x','a']", True),
        ("nested.on:true", True),
        ("gone:'x'", False),
        ("gone:!'x'", True),
        ("name:'x',cpu:16+tags:'a'", True),
        ("(name:'x',cpu:16)+tags:'z'", False),
        ('name:"web-1"', True),
        ("  ", True),
    ],
)
def test_filter_finds(text: str, found: bool) -> None:
    assert parse_fql(text)(RECORD) is found


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name", 1),
        ("name:", 6),
        ("name:'x", 6),
        ("name:'x'+", 10),
        ("(name:'x'", 10),
        ("name:['x'", 10),
        ("name:'x')", 9),
        ("(" * 60 + "name:'x'" + ")" * 60, 52),
    ],
)
def test_filter_that_is_wrong_says_where(text: str, place: int) -> None:
    with pytest.raises(FqlError, match=f"character {place}:"):
        parse_fql(text)
