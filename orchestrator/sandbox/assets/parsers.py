"""Parsers as records: of inputs and of YAML, checked; what they do to events is `ingest.parsers`.

YAML is read in the forms v0.1.0 to v0.3.0 that packages publish, and written with every member.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.sandbox.answers import InputRefused, wrong_input
from orchestrator.sandbox.assets.yaml_forms import (
    Members,
    mapping_of,
    mappings_of,
    read_form,
    text_of,
    texts_of,
)
from orchestrator.sandbox.ingest.parsers import BUILT_IN, script_problem
from orchestrator.sandbox.storage.domains import Record

Input = Mapping[str, Any]


def parser_record(given: Input) -> Record:
    """Return what a parser is kept with, every optional member of its test cases in its place."""
    return {
        "name": given["name"],
        "script": given["script"],
        "testCases": test_cases(given["testCases"]),
        "fieldsToTag": given["fieldsToTag"],
        "fieldsToBeRemovedBeforeParsing": given["fieldsToBeRemovedBeforeParsing"],
    }


def test_cases(given: Sequence[Input]) -> list[Record]:
    """Return the test cases with every optional member in its place."""
    return [
        {
            "event": dict(case["event"]),
            "outputAssertions": [
                {
                    "outputEventIndex": told["outputEventIndex"],
                    "assertions": {
                        "fieldsNotPresent": told["assertions"].get("fieldsNotPresent") or [],
                        "fieldsHaveValues": told["assertions"].get("fieldsHaveValues") or [],
                    },
                }
                for told in case.get("outputAssertions") or ()
            ],
        }
        for case in given
    ]


def check_parser(record: Record) -> None:
    """Let a parser pass, or refuse it.

    Raises:
        InputRefused: Its name or its script is not one.
    """
    if record["name"] in BUILT_IN:
        reason = "to override a built-in parser is not supported by the sandbox"
        raise _refused("name", reason)
    if not record["name"].strip():
        raise _refused("name", "must not be empty")
    if problem := script_problem(record["script"]):
        raise _refused("script", problem)


def parser_yaml(record: Record) -> str:
    """Return the parser as a file that can be installed: YAML, whose values are JSON."""
    members = {
        "name": record["name"],
        "script": record["script"],
        "tagFields": record["fieldsToTag"],
        "fieldsToBeRemovedBeforeParsing": record["fieldsToBeRemovedBeforeParsing"],
        "testCases": [
            {"event": case["event"], "outputAssertions": case["outputAssertions"]}
            for case in record["testCases"]
        ],
    }
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in members.items())


def parser_of_yaml(text: str) -> Record:
    """Return the record of a parser in the forms v0.1.0 to v0.3.0 that packages publish.

    What a test case expects is left out: no form of it is published.

    Raises:
        InputRefused: The text is no parser.
    """
    return read_form(text, _read)


def _read(raw: Members) -> Record:
    lines = [*texts_of(raw, "tests")]
    lines += [
        text_of(mapping_of(case, "event"), "rawString") for case in mappings_of(raw, "testCases")
    ]
    return parser_record(
        {
            "name": text_of(raw, "name"),
            "script": text_of(raw, "script"),
            "testCases": [{"event": {"rawString": line}} for line in lines],
            "fieldsToTag": texts_of(raw, "tagFields"),
            "fieldsToBeRemovedBeforeParsing": texts_of(raw, "fieldsToBeRemovedBeforeParsing"),
        }
    )


def _refused(field: str, reason: str) -> InputRefused:
    return wrong_input({field: reason})
