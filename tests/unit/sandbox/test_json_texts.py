"""Parts of a JSON text by the text that they were written as."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sandbox.ingest.json_texts import element_texts, member_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "text",
    [
        '{"event":[1 , 2]}',
        '{ "a" : "event" ,\t"event"\n:\r[1 , 2] , "b":0 }',
        '{"a":{"event":0},"event":[1 , 2]}',
        '{"event":0,"event":[1 , 2]}',
        r'{"a":{"event":0},"\u0065vent":[1 , 2]}',
        r'{"a":"event","\u0065vent":[1 , 2]}',
        r'{"\"event\"":0,"event":[1 , 2]}',
    ],
)
def test_member_is_found_however_its_name_is_written(text: str) -> None:
    assert member_text("event", text) == "[1 , 2]"


@given(
    members=st.dictionaries(st.sampled_from(["a", "event", '"event"', "b\\"]), VALUES),
    is_ascii=st.booleans(),
    indent=st.sampled_from([None, 1]),
)
def test_member_s_text_is_read_as_its_value(
    members: dict[str, object], is_ascii: bool, indent: int | None
) -> None:
    whole = {**members, "event": members.get("event", "x")}
    text = json.dumps(whole, ensure_ascii=is_ascii, indent=indent)

    assert json.loads(member_text("event", text)) == whole["event"]


@given(values=st.lists(VALUES), indent=st.sampled_from([None, 1]))
def test_elements_texts_are_read_as_their_values(values: list[object], indent: int | None) -> None:
    text = json.dumps(values, indent=indent)

    assert [json.loads(part) for part in element_texts(text)] == values
