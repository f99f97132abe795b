"""YAML as rule files may use it: what a reader could misread is refused, with its place."""

from __future__ import annotations

import pytest

from orchestrator.rules.yaml import MAX_BYTES, Value, YamlProblem, parse_yaml


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", "the key 'a' stands twice", 3, 1),
        ("x:\n  - {a: 1, a: 2}\n", "the key 'a' stands twice", 2, 12),
        ("a: &x 1\nb: *x\n", "anchors and aliases are not used here; write it out", 1, 4),
        ("a: 1\nb: *x\n", "anchors and aliases are not used here; write it out", 2, 4),
        ("a: !!python/name:os.system x\n", "tags such as tag:yaml.org,2002:python/name:", 1, 4),
        ("a: 1\nb: !x 2\n", "tags such as !x are not used here", 2, 4),
        ("a: " + "[" * 50 + "]" * 50 + "\n", "nested more than 20 levels deep", 1, 23),
        ("a: " + "[" * 50_000, "nested more than 20 levels deep", 1, 23),
        ("? [a]\n: 1\n", "a key must be plain text", 1, 3),
        ("a: 1\n b: 2\n", "not YAML: mapping values are not allowed", 2, 3),
        ("a: 1\nb: \x07\n", "not YAML: special characters are not allowed", 2, 4),
        ("a: 1\n---\nb: 1\n", "not YAML: but found another document", 2, 1),
        ("x" * (MAX_BYTES + 1), f"the file is larger than {MAX_BYTES} bytes", 1, 1),
    ],
)
def test_trap_is_refused_with_message_and_place(
    text: str, message: str, line: int, column: int
) -> None:
    with pytest.raises(YamlProblem) as caught:
        parse_yaml(text)

    assert caught.value.message.startswith(message)
    assert (caught.value.place.line, caught.value.place.column) == (line, column)


def test_alias_bomb_is_refused_before_it_is_expanded() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))

    with pytest.raises(YamlProblem, match="anchors and aliases"):
        parse_yaml("l0: &l0 [x]\n" + levels)


@pytest.mark.parametrize("text", ["no", "on", "yes", "010", "1:30", "2026-03-10", "0x1f", "NULL"])
def test_plain_text_that_other_readers_convert_stays_text(text: str) -> None:
    assert _of(f"a: {text}").data == text


@pytest.mark.parametrize(
    ("text", "data"),
    [("true", True), ("12", 12), ("-1", -1), ("1.5", 1.5), ("~", None), ("'12'", "12"), ("''", "")],
)
def test_scalar_of_the_json_schema_is_read_by_type(text: str, data: object) -> None:
    found = _of(f"a: {text}").data

    assert (found, type(found)) == (data, type(data))


def test_number_is_kept_as_written() -> None:
    """A version 1.10 is not 1.1 where a text is wanted."""
    assert _of("a: 1.10").written == "1.10"


def test_empty_document_has_no_data() -> None:
    assert parse_yaml("# nothing\n").data is None


def _of(text: str) -> Value:
    data = parse_yaml(text).data
    assert isinstance(data, dict)
    return data["a"]


def test_endless_number_stays_text() -> None:
    value = parse_yaml(f"name: {'9' * 5000}\n")

    assert isinstance(value.data, dict)
    assert value.data["name"].data == "9" * 5000
