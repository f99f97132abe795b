"""FQL: what a filter finds, in which order, and where one that is wrong is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.sandbox.gateway.fql import FqlError, parse_fql, sorted_by

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
RECORD = {
    "name": "Web-1",
    "cpu": "16",
    "tags": ["a", "b"],
    "nested": {"on": True},
    "gone": None,
    "seen": "2026-03-09T12:00:00Z",
    "owner": "O'Brien",
    "policies": [{"id": "p1"}, {"id": "p2"}],
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name:'web-1'", True),
        ("name:'web'", False),
        ("name:'web*'", True),
        ("name:*'web*'", True),
        ("name:!*'web*'", False),
        ("name:!*'app*'", True),
        ("name:~'eb-'", True),
        ("name:!~'eb-'", False),
        ("cpu:>'9'", True),
        ("cpu:<='16'+cpu:>=16", True),
        ("cpu:<9", False),
        ("name:<'x'", True),
        ("tags:'b'", True),
        ("tags:!'b'", False),
        ("tags:['x','a']", True),
        ("tags:!['x','a']", False),
        ("nested.on:true", True),
        ("policies.id:'p2'", True),
        ("policies.id:'p3'", False),
        ("gone:'x'", False),
        ("gone:!'x'", True),
        ("gone:null", True),
        ("gone:!null", False),
        ("name:null", False),
        ("name:!null+other:null", True),
        ("name:'x',cpu:16+tags:'a'", True),
        ("(name:'x',cpu:16)+tags:'z'", False),
        ('name:"web-1"', True),
        (r"owner:'O\'Brien'", True),
        ("seen:>'now-15h'", True),
        ("seen:>'now-13h'", False),
        ("seen:<'now'+seen:>='now-1d'", True),
        ("seen:>now-2w", True),
        ("seen:>'now-99999w'", True),
        ("seen:>'2026-03-09'", True),
        ("seen:>='2026-03-09T14:00:00+02:00'", True),
        ("seen:>'2026-03-09T14:00:00+02:00'", False),
        ("cpu:>'nan'", False),
        ("name:'*1*'", True),
        ("name:'w*b*1'", True),
        ("name:'web-1*1'", False),
        ("name:'*-*-*'", False),
        ("name:'*'", True),
        ("gone:'*'", False),
        ("  ", True),
    ],
)
def test_filter_finds(text: str, found: bool) -> None:
    assert parse_fql(text, now=NOW)(RECORD) is found


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
        ("name:>['a','b']", 16),
        ("name:>null", 11),
        ("(" * 60 + "name:'x'" + ")" * 60, 52),
    ],
)
def test_filter_that_is_wrong_says_where(text: str, place: int) -> None:
    with pytest.raises(FqlError, match=f"character {place}:"):
        parse_fql(text, now=NOW)


def test_filter_of_many_wildcards_ends() -> None:
    many = parse_fql(f"name:'{'*a' * 500}b'", now=NOW)

    assert many({"name": "a" * 20_000}) is False
    assert many({"name": "a" * 20_000 + "b"}) is True


RECORDS: list[dict[str, Any]] = [
    {"id": "a", "n": "10", "at": {"x": "b"}},
    {"id": "b", "n": "9", "at": {"x": "A"}},
    {"id": "c"},
    {"id": "d", "n": "v2", "at": {"x": "c"}},
]


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        ("", "abcd"),
        ("n", "badc"),
        ("n|asc", "badc"),
        ("n.desc", "dabc"),
        ("n|desc", "dabc"),
        ("at.x", "badc"),
        ("at.x.desc", "dabc"),
        ("other|desc", "abcd"),
    ],
)
def test_sort_orders_and_puts_what_lacks_the_field_last(sort: str, ids: str) -> None:
    assert "".join(record["id"] for record in sorted_by(RECORDS, sort)) == ids


@pytest.mark.parametrize("sort", ["n|up", "|desc", ".asc"])
def test_sort_that_is_wrong_says_how_to_write_it(sort: str) -> None:
    with pytest.raises(FqlError, match=r"field\|asc or field\|desc"):
        sorted_by(RECORDS, sort)
