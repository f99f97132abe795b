"""The older calls to change parsers, whose test cases are lines of text and expect nothing.

Servers before 1.129 had no others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.sandbox.answers import wrong_input
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.nodes import Node
from orchestrator.sandbox.graphql.parsers import ParserChange, parser_node
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.storage.domains import Record

Input = Mapping[str, Any]


def older_parser_mutations(caller: Caller) -> dict[str, Callable[..., Any]]:
    """Return the resolvers of the older mutations, by field name."""
    change = ParserChange(caller)

    def create(_info: Any, input: Input) -> Node:  # noqa: A002 -- the schema's name
        given = {
            "repositoryName": input["repositoryName"],
            "name": input["name"],
            "script": input["sourceCode"],
            "fieldsToTag": input["tagFields"],
            "fieldsToBeRemovedBeforeParsing": [],
            "testCases": _test_cases(input["testData"]),
            "allowOverwritingExistingParser": input["force"],
        }
        return {"parser": change.create(given)}

    def update(_info: Any, input: Input) -> Node:  # noqa: A002 -- the schema's name
        missing = [name for name in ("repositoryName", "id") if input.get(name) is None]
        if missing:
            reasons = dict.fromkeys(missing, "is required")
            raise wrong_input(reasons)
        source, lines = input.get("sourceCode"), input.get("testData")
        given = {
            **input,
            "script": None if source is None else {"script": source},
            "fieldsToTag": input.get("tagFields"),
            "testCases": None if lines is None else _test_cases(lines),
        }
        return {"parser": change.update(given)}

    def remove(_info: Any, input: Input) -> Node:  # noqa: A002 -- the schema's name
        domain = caller.repository(input["repositoryName"], Right.CHANGE_PARSERS)
        record = domain.parsers.get(input["id"])
        change.delete(input)
        return {"parser": None if record is None else parser_node(record, domain)}

    return {"createParser": create, "updateParser": update, "removeParser": remove}


def _test_cases(lines: Sequence[str]) -> list[Record]:
    return [{"event": {"rawString": line}} for line in lines]
