"""What is read from disk: saved queries, and rule folders as they are being edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cql import Level
from orchestrator.lsp.checks import check_query, check_rule_folder, rule_folder
from orchestrator.lsp.links import link
from orchestrator.lsp.saved import find_saved, saved_queries

RULES = Path(__file__).parents[3] / "queries"
RULE = RULES / "t1528_token_access"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_saved_query_is_a_file_of_that_name_or_the_rule_folder(tmp_path: Path) -> None:
    plain = write(tmp_path / "hunts" / "plain.cql", "a=1")
    rule = write(tmp_path / "my_rule" / "query.cql", "b=1")
    write(tmp_path / ".hidden" / "hidden.cql", "c=1")
    write(tmp_path / "_samples" / "sample.cql", "d=1")

    assert saved_queries([tmp_path]) == {"plain": plain, "my_rule": rule}


def test_saved_query_is_read_as_the_editor_has_it(tmp_path: Path) -> None:
    path = write(tmp_path / "plain.cql", "on disk")

    read = find_saved("plain", roots=[tmp_path], unsaved={})
    edited = find_saved("plain", roots=[tmp_path], unsaved={path: "in the editor"})

    assert read is not None
    assert read.text == "on disk"
    assert edited is not None
    assert edited.text == "in the editor"
    assert find_saved("other", roots=[tmp_path], unsaved={}) is None


def test_file_that_is_no_text_is_no_saved_query(tmp_path: Path) -> None:
    (tmp_path / "binary.cql").write_bytes(b"\xff\xfe")

    assert find_saved("binary", roots=[tmp_path], unsaved={}) is None


def test_folder_without_a_rule_file_is_no_rule(tmp_path: Path) -> None:
    query = write(tmp_path / "query.cql", "a=1")

    assert rule_folder(query, unsaved={}) is None
    assert rule_folder(query, unsaved={tmp_path / "rule.yaml": "id: x"}) == tmp_path
    assert rule_folder(RULE / "query.cql", unsaved={}) == RULE
    assert rule_folder(RULE / "cases.yaml", unsaved={}) is None


@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        ("deploy: {kind: filter-alert}", ["alert-aggregation"]),
        ("deploy: {kind: scheduled-search}", []),
        ("deploy: {kind: no-such}", []),
        ("deploy: [", []),
        ("[]", []),
    ],
)
def test_query_is_checked_as_what_its_rule_makes_of_it(
    tmp_path: Path, rule: str, codes: list[str]
) -> None:
    text = "#event_simpleName=DnsRequest | count()"
    query = write(tmp_path / "query.cql", text)
    write(tmp_path / "rule.yaml", rule)

    found = check_query(text, path=query, unsaved={})

    assert [diagnostic.code for diagnostic in found] == codes


def test_shipped_rule_has_no_error_in_either_file() -> None:
    rule, query = check_rule_folder(RULE, unsaved={})

    assert rule.found == []
    assert {diagnostic.level.value for diagnostic in query.found} <= {"hint", "warning"}


def test_rule_names_a_field_that_the_edited_query_no_longer_returns() -> None:
    unsaved = {RULE / "query.cql": "#event_simpleName=DnsRequest | groupBy([aid], limit=max)\n"}

    rule, query = check_rule_folder(RULE, unsaved=unsaved)

    lost = next(d for d in rule.found if d.code == "unknown-field")
    assert lost.message.startswith("the query returns no field 'ComputerName'")
    assert rule.text[lost.span.start :].startswith("[aid, ComputerName")
    assert [d for d in query.found if d.level is Level.ERROR] == []


def test_broken_rule_file_is_told_where_it_breaks_and_the_query_is_still_checked() -> None:
    unsaved = {RULE / "rule.yaml": "id: a\nid: b\n", RULE / "query.cql": "a == 1"}

    rule, query = check_rule_folder(RULE, unsaved=unsaved)

    assert [(d.code, rule.text[d.span.start : d.span.end]) for d in rule.found] == [
        ("yaml", "id: b")
    ]
    assert "double-equals" in [d.code for d in query.found]


def test_missing_runbook_is_told_in_the_rule_file(tmp_path: Path) -> None:
    write(tmp_path / "query.cql", "a=1")
    write(tmp_path / "rule.yaml", (RULE / "rule.yaml").read_text(encoding="utf-8"))

    rule, _ = check_rule_folder(tmp_path, unsaved={})

    assert "runbook.md: the file is missing." in [d.message for d in rule.found]


def test_rule_folder_that_is_not_saved_yet_is_checked_as_far_as_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    unsaved = {folder / "rule.yaml": "id: x", folder / "query.cql": "a == 1"}

    rule, query = check_rule_folder(folder, unsaved=unsaved)

    assert rule.found == []
    assert "double-equals" in [d.code for d in query.found]


@pytest.mark.parametrize(
    ("code", "page"),
    [
        ("collect-as", "data-analysis/functions-collect.html"),
        ("bare-regex", "data-analysis/syntax-filters.html"),
        ("not-in-live-alert", "data-analysis/functions-join.html"),
        ("not-a-condition", ""),
        ("double-equals", ""),
    ],
)
def test_check_links_to_the_page_that_it_is_based_on(code: str, page: str) -> None:
    assert link(code) == (f"https://library.humio.com/{page}" if page else "")
