"""The fuzzer itself: that it repeats a text, and that it would see what it looks for."""

from __future__ import annotations

import pytest

from orchestrator.cql import parse
from tests import fuzz_cql


def test_a_text_depends_on_seed_and_number_alone() -> None:
    assert fuzz_cql.text_of(7, 3) == fuzz_cql.text_of(7, 3)
    assert fuzz_cql.text_of(7, 3) != fuzz_cql.text_of(8, 3)


def test_undamaged_texts_are_queries() -> None:
    texts = [fuzz_cql.text_of(1, number) for number in range(1, 400, 2)]

    assert [text for text in texts if not parse(text).ok] == []


def test_a_failure_is_printed_with_what_repeats_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzz_cql, "print_query", lambda _query: "another")

    assert fuzz_cql.main(["--runs", "3", "--seed", "9", "--only", "5"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("--seed 9 --only 5: ")
    assert "printed as 'another', which is another query" in shown


def test_runs_without_failure_end_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz_cql.main(["--runs", "50"]) == 0
    assert "50 runs" in capsys.readouterr().out
