"""The engine's page says what the engine does."""

from __future__ import annotations

from tests.engine_page import PAGE, with_table


def test_table_of_functions_is_current() -> None:
    page = PAGE.read_text("utf-8")

    assert page == with_table(page), "run: python -m tests.engine_page"
