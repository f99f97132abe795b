"""Laws of reading rule files: any text ends in a value or in a problem with a place in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.runbook import parse_runbook
from orchestrator.rules.yaml import Place, YamlProblem, parse_yaml

YAMLISH = st.text(alphabet="ab01:-[]{},&*!?|>'\"#%@` \n\t~.<=\x07\u00e9", max_size=80)


@given(st.one_of(st.text(max_size=80), YAMLISH))
def test_any_text_gives_a_value_or_a_problem_inside_the_text(text: str) -> None:
    place = _place(text)

    # PyYAML counts more characters as line ends than "\n"; a place is never past the end.
    assert 1 <= place.line <= len(text) + 1
    assert place.column >= 1


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
        st.from_regex(r"[A-Za-z][A-Za-z0-9 ]{0,20}[a-z0-9]", fullmatch=True),
        max_size=8,
    )
)
def test_plain_mapping_is_read_back_as_written(pairs: dict[str, str]) -> None:
    text = "".join(f"{key}: '{value}'\n" for key, value in pairs.items())

    data = parse_yaml(text).data or {}

    assert isinstance(data, dict)
    assert {key: value.data for key, value in data.items()} == pairs


@given(st.text(max_size=200))
def test_runbook_reader_takes_any_text(text: str) -> None:
    sections = parse_runbook("## Here\n" + text)

    assert sections[0].heading == "Here"


def _place(text: str) -> Place:
    """Return the place of the document, or of what is wrong with it."""
    try:
        return parse_yaml(text).place
    except YamlProblem as exc:
        return exc.place
