"""runbook.md as data."""

from __future__ import annotations

from orchestrator.model.rule import RunbookSection
from orchestrator.rules.runbook import parse_runbook


def test_sections_keep_their_order_questions_and_next_steps() -> None:
    text = (
        "# Title\n\nIntro.\n\n## One\n\nText.\n\n### Questions\n1. Who?\n   And where?\n2. When?\n"
        "\n### Next steps\n- Revoke.\n\n### False positives\n- Not read.\n\n## Two\n"
    )

    assert parse_runbook(text) == (
        RunbookSection(
            heading="One", questions=("Who? And where?", "When?"), next_steps=("Revoke.",)
        ),
        RunbookSection(heading="Two", questions=(), next_steps=()),
    )


def test_text_without_sections_gives_none() -> None:
    assert parse_runbook("# Only a title\n- an item\n") == ()
