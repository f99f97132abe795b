"""Parsers through GraphQL: read, create, change, copy, delete, and run on their test cases."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.ids import derive
from orchestrator.sandbox.answers import InputRefused, wrong_input
from orchestrator.sandbox.assets.parsers import (
    check_parser,
    parser_of_yaml,
    parser_record,
    parser_yaml,
    test_cases,
)
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.nodes import LEGACY, Node, author_node
from orchestrator.sandbox.graphql.package_nodes import package_fields
from orchestrator.sandbox.ingest.parsers import (
    BUILT_IN,
    Script,
    run_script,
    script_of,
    script_problem,
)
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.storage.domains import Domain, Record, display_name
from orchestrator.sandbox.storage.events import TIMESTAMP

Input = Mapping[str, Any]


def parser_node(record: Record, domain: Domain) -> Node:
    """Return the GraphQL object of a repository's own parser."""
    author = author_node(record["by"])
    return _node(record, is_built_in=False) | {
        **package_fields(domain, record.get("package")),
        "originDisplayString": record.get("package") or "Local",
        "createdInfo": {"timestamp": record["createdAt"], "author": author},
        "modifiedInfo": {"timestamp": record["modifiedAt"], "author": author},
    }


def built_in_node(name: str) -> Node:
    """Return the GraphQL object of a parser that every repository has."""
    bare: Record = {"fieldsToTag": [], "fieldsToBeRemovedBeforeParsing": [], "testCases": []}
    record = {"id": derive("parser", name)[:24], "name": name, "script": BUILT_IN[name], **bare}
    return _node(record, is_built_in=True) | {
        **package_fields(None, None),
        "originDisplayString": "Built in",
        "createdInfo": None,
        "modifiedInfo": None,
    }


def parser_nodes(domain: Domain) -> list[Node]:
    """Return the parsers that a repository's tokens may use, its own first."""
    own = [parser_node(record, domain) for record in domain.parsers.values()]
    return [*own, *(built_in_node(name) for name in BUILT_IN)]


def named_parser(domain: Domain, name: str | None) -> Node | None:
    """Return the parser of this name, with its package's before it or without; None for none."""
    found = parser_nodes(domain)
    return next(
        (node for key in ("displayName", "name") for node in found if node[key] == name), None
    )


def parser_fields(domain: Domain) -> Node:
    """Return the fields through which a repository shows its parsers."""

    def one(_info: Any, id: str | None = None, name: str | None = None) -> Node | None:  # noqa: A002 -- the schema's name
        for node in parser_nodes(domain):
            if id in {None, node["id"]} and name in {None, node["name"]}:
                return node
        return None

    return {"parser": one, "parsers": lambda _info: parser_nodes(domain)}


def parser_mutations(caller: Caller) -> dict[str, Callable[..., Any]]:
    """Return the resolvers that change or try parsers."""
    change = ParserChange(caller)
    return {
        "createParserV2": lambda _info, input: change.create(input),  # noqa: A006 -- the schema's name
        "updateParserV2": lambda _info, input: change.update(input),  # noqa: A006 -- the schema's name
        "deleteParser": lambda _info, input: change.delete(input),  # noqa: A006 -- the schema's name
        "cloneParser": lambda _info, input: change.clone(input),  # noqa: A006 -- the schema's name
        "createParserFromTemplate": lambda _info, input: change.create_of_yaml(input),  # noqa: A006 -- the schema's name
        "testParserV2": lambda _info, input: change.run(input),  # noqa: A006 -- the schema's name
    }


def parser_queries(caller: Caller) -> dict[str, Callable[..., Any]]:
    """Return the resolvers that read a parser from YAML and store nothing."""

    def generated(_info: Any, input: Input) -> Node:  # noqa: A002 -- the schema's name
        caller.demand(Right.READ)
        return parser_of_yaml(input["yamlTemplate"]) | {"description": None}

    return {"generateParserFromTemplate": generated}


class ParserChange:
    """The verbs, as one caller may use them."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create(self, given: Input) -> Node:
        """Store a new parser, or another script under a name, where that is allowed."""
        domain = self._domain(given["repositoryName"])
        old = _own(domain, given["name"])
        if old is not None and not given.get("allowOverwritingExistingParser"):
            raise _refused("name", f"the name '{given['name']}' is already in use")
        now_ms = self._caller.sandbox.now_ms()
        record = {
            "id": secrets.token_hex(16) if old is None else old["id"],
            "createdAt": now_ms if old is None else old["createdAt"],
            **parser_record(given),
        }
        return self._keep(domain, record)

    def create_of_yaml(self, given: Input) -> Node:
        """Store a parser given as YAML, under its own name or another."""
        read = parser_of_yaml(given["yamlTemplate"])
        name = given.get("name") or read["name"]
        return self.create({**read, "name": name, "repositoryName": given["viewName"]})

    def update(self, given: Input) -> Node:
        """Change what is given and keep the rest; tokens follow a new name."""
        domain = self._domain(given["repositoryName"])
        record = dict(_found(domain, given["id"]))
        old_name = display_name(record)
        for member in ("name", "fieldsToTag", "fieldsToBeRemovedBeforeParsing"):
            if given.get(member) is not None:
                record[member] = given[member]
        if given.get("script") is not None:
            record["script"] = given["script"]["script"]
        if given.get("testCases") is not None:
            record["testCases"] = test_cases(given["testCases"])
        taken = _own(domain, display_name(record))
        if taken is not None and taken["id"] != record["id"]:
            raise _refused("name", f"the name '{record['name']}' is already in use")
        node = self._keep(domain, record)
        self._reassign(domain, old_name, display_name(record))
        return node

    def delete(self, given: Input) -> Node:
        """Remove a parser; the tokens that used it have none."""
        domain = self._domain(given["repositoryName"])
        record = _found(domain, given["id"])
        del domain.parsers[record["id"]]
        self._reassign(domain, display_name(record), None)
        return {"result": True}

    def clone(self, given: Input) -> Node:
        """Store a copy of a parser, built-in ones included, under a name of its own."""
        domain = self._domain(given["repositoryName"])
        source = next(
            (n for n in parser_nodes(domain) if n["id"] == given["parserIdToClone"]), None
        )
        if source is None:
            raise _no_parser(given["parserIdToClone"])
        return self.create(
            {
                "repositoryName": given["repositoryName"],
                "name": given["newParserName"],
                "script": source["script"],
                "testCases": source["testCases"],
                "fieldsToTag": source["fieldsToTag"],
                "fieldsToBeRemovedBeforeParsing": source["fieldsToBeRemovedBeforeParsing"],
            }
        )

    def run(self, given: Input) -> Node:
        """Return what the script makes of each test case; nothing is stored."""
        self._domain(given["repositoryName"])
        if problem := script_problem(given["script"]):
            return {"__typename": "ParserTestRunAborted", "errorMessage": problem}
        script = script_of({**given, "name": given["parserName"]})
        now_ms = self._caller.sandbox.now_ms()
        results = [_tried(script, case, now_ms) for case in test_cases(given["testCases"])]
        return {"__typename": "ParserTestRunCompleted", "results": results}

    def _domain(self, name: str) -> Domain:
        return self._caller.repository(name, Right.CHANGE_PARSERS)

    def _keep(self, domain: Domain, record: Record) -> Node:
        check_parser(record)
        # Two changes within one millisecond must not look like one.
        now_ms = max(self._caller.sandbox.now_ms(), record.get("modifiedAt", 0) + 1)
        record |= {"modifiedAt": now_ms, "by": self._caller.role.name}
        domain.parsers[record["id"]] = record
        self._caller.sandbox.save()
        return parser_node(record, domain)

    def _reassign(self, domain: Domain, old: str, new: str | None) -> None:
        """Let the tokens that use a parser follow its name, or lose it."""
        tokens = self._caller.sandbox.tokens
        for text, role in tokens.items():
            if role.repository == domain.name and role.parser == old:
                tokens[text] = replace(role, parser=new)
        self._caller.sandbox.save()


def _node(record: Record, *, is_built_in: bool) -> Node:
    return {
        "id": record["id"],
        "name": record["name"],
        "displayName": display_name(record),
        "description": None,
        "isBuiltIn": is_built_in,
        "isOverridden": False,
        "overridesBuiltInParser": False,
        "script": record["script"],
        "languageVersion": LEGACY,
        "fieldsToTag": record["fieldsToTag"],
        "fieldsToBeRemovedBeforeParsing": record["fieldsToBeRemovedBeforeParsing"],
        "yamlTemplate": parser_yaml(record),
        "testCases": record["testCases"],
        # As servers before 1.204 name them.
        "sourceCode": record["script"],
        "tagFields": record["fieldsToTag"],
        "testData": [case["event"]["rawString"] for case in record["testCases"]],
    }


def _own(domain: Domain, name: str) -> Record | None:
    return next(
        (record for record in domain.parsers.values() if display_name(record) == name), None
    )


def _found(domain: Domain, parser_id: str) -> Record:
    if parser_id not in domain.parsers:
        raise _no_parser(parser_id)
    return domain.parsers[parser_id]


def _no_parser(parser_id: str) -> InputRefused:
    return InputRefused(f"Could not find a parser with the id '{parser_id}'")


def _refused(field: str, reason: str) -> InputRefused:
    return wrong_input({field: reason})


def _tried(script: Script, case: Record, now_ms: int) -> Node:
    row = {TIMESTAMP: str(now_ms), "@rawstring": case["event"]["rawString"]}
    events = run_script(script, [row], now_ms=now_ms)
    told = {t["outputEventIndex"]: t["assertions"] for t in case["outputAssertions"]}
    return {
        "outputEvents": [
            {"fields": [{"fieldName": name, "value": value} for name, value in event.items()]}
            for event in events
        ],
        "outputFailures": [
            {
                "outputEventIndex": index,
                "failures": _failures(
                    events[index] if index < len(events) else {}, told.get(index, {})
                ),
            }
            for index in range(max([len(events), *(position + 1 for position in told)]))
        ],
    }


def _failures(event: Mapping[str, str], assertions: Record) -> Node:
    found: list[Node] = []
    for wanted in assertions.get("fieldsHaveValues", ()):
        name, actual = wanted["fieldName"], event.get(wanted["fieldName"])
        if actual != wanted["expectedValue"]:
            found.append(
                {
                    "__typename": "FieldHadUnexpectedValue",
                    "fieldName": name,
                    "expectedValue": wanted["expectedValue"],
                    "actualValue": actual,
                }
            )
    found += [
        {"__typename": "FieldUnexpectedlyPresent", "fieldName": name, "actualValue": event[name]}
        for name in assertions.get("fieldsNotPresent", ())
        if name in event
    ]
    return {
        "parsingErrors": [event["@error_msg"]] if event.get("@error") else [],
        "assertionFailuresOnFields": found,
        "falselyTaggedFields": [],
        "arraysWithGaps": [],
        "schemaViolations": [],
    }
