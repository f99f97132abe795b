"""The floor: clock, ids, secrets and the error tree."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import errors
from orchestrator.clock import FrozenClock
from orchestrator.config import ConfigProblems
from orchestrator.ids import RuleId, derive, derive_fingerprint, derive_run_id
from orchestrator.secret import SecretText

START = datetime(2026, 3, 10, tzinfo=UTC)


async def test_frozen_clock_sleep_moves_time_and_does_not_wait() -> None:
    clock = FrozenClock(START)

    await clock.sleep(timedelta(hours=6))

    assert clock.now() == START + timedelta(hours=6)
    assert clock.monotonic() == 6 * 3600


def test_frozen_clock_stepping_back_leaves_monotonic_alone() -> None:
    clock = FrozenClock(START)

    clock.advance(-timedelta(hours=1))

    assert clock.now() == START - timedelta(hours=1)
    assert clock.monotonic() == 0


def test_frozen_clock_refuses_a_naive_start() -> None:
    with pytest.raises(ValueError, match="aware"):
        FrozenClock(datetime(2026, 3, 10))  # noqa: DTZ001


@given(st.lists(st.text(), min_size=1), st.lists(st.text(), min_size=1))
def test_derived_ids_tell_apart_where_one_part_ends(left: list[str], right: list[str]) -> None:
    assert (derive("x", left) == derive("x", right)) == (left == right)


def test_fingerprint_depends_on_names_and_values_of_the_key() -> None:
    rule = RuleId("r")

    prints = {
        derive_fingerprint(rule, [("a", "b"), ("c", "d")]),
        derive_fingerprint(rule, [("a", "b,c"), ("d", "")]),
        derive_fingerprint(RuleId("s"), [("a", "b"), ("c", "d")]),
        derive_fingerprint(rule, [("a", "\ud800"), ("c", "d")]),
    }

    assert len(prints) == 4


def test_run_id_is_the_same_for_the_same_window() -> None:
    first = derive_run_id(RuleId("r"), start_ms=0, end_ms=1)

    assert first == derive_run_id(RuleId("r"), start_ms=0, end_ms=1)
    assert first != derive_run_id(RuleId("r"), start_ms=0, end_ms=2)


def test_secret_text_shows_itself_only_when_asked() -> None:
    secret = SecretText("canary-4711")

    shown = [repr(secret), str(secret), f"{secret}", repr([secret]), f"{secret!r:>20}"]

    assert all("canary" not in text for text in shown)
    assert secret.reveal() == "canary-4711"
    assert secret == SecretText("canary-4711")
    assert secret != SecretText("other")


def error_classes() -> list[type[errors.OrchestratorError]]:
    return [
        item
        for _, item in inspect.getmembers(errors, inspect.isclass)
        if issubclass(item, errors.OrchestratorError)
    ]


@pytest.mark.parametrize("cls", error_classes(), ids=lambda c: c.__name__)
def test_error_class_has_an_exit_code_and_a_place_in_the_drawn_tree(
    cls: type[errors.OrchestratorError],
) -> None:
    assert 3 <= cls.exit_code <= 10 or cls is errors.OrchestratorError
    assert cls.__name__ in (errors.__doc__ or "")


def test_every_code_stands_in_the_manual_with_its_exit_code() -> None:
    page = Path(__file__).parents[2] / "docs" / "errors.md"
    listed = re.findall(r"^\| (\d+) \| `([a-z-]+)` \|", page.read_text("utf-8"), re.MULTILINE)

    classes: list[type[errors.OrchestratorError]] = [*error_classes(), ConfigProblems]
    known = {
        (str(cls.exit_code), errors.code_of(cls))
        for cls in classes
        if cls is not errors.OrchestratorError
    }

    assert set(listed) == known
    assert len(listed) == len(known)


def test_branches_have_exit_codes_of_their_own() -> None:
    branches = [cls for cls in error_classes() if cls.__base__ is errors.OrchestratorError]

    assert len({cls.exit_code for cls in branches}) == len(branches)


def test_error_sentence_says_where_what_and_what_to_do() -> None:
    error = errors.RuleInvalid(
        "every must be positive", path=None, line=3, column=12, advice="Write 5m"
    )

    assert str(error) == "3:12: every must be positive. Write 5m"
