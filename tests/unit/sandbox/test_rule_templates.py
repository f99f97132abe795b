"""The sandbox's own templates of correlation rules: their queries are such as it would start."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.gateway.rule_templates import TEMPLATES
from orchestrator.sandbox.search.run import check


@pytest.mark.parametrize("template_id", TEMPLATES)
def test_query_of_a_template_starts_and_its_name_says_whose_it_is(template_id: str) -> None:
    template = TEMPLATES[template_id]

    check(template["search"]["filter"])

    assert template["id"] == template_id
    assert template["name"].startswith("Sandbox: ")
