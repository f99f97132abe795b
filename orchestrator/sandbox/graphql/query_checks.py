"""Questions about a query's text, answered by our own parser and linter; no event is read.

Codes and wording of the diagnostics are ours, LogScale publishes none. `strict` and `timeInterval`
change nothing here.
Source: descriptions in the schema; the example in library.humio.com, GraphQL reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.cql import nodes, parse, walk
from orchestrator.cql.diagnostics import Level
from orchestrator.sandbox.answers import InputRefused, Refusal
from orchestrator.sandbox.graphql.caller import Caller
from orchestrator.sandbox.graphql.nodes import LEGACY, Node
from orchestrator.sandbox.search.run import Checked, check, diagnostics_of
from orchestrator.sandbox.settings import Right
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Domain

_SEVERITY = {Level.ERROR: "Error", Level.WARNING: "Warning", Level.HINT: "Hint"}
_LANGUAGES = frozenset({"legacy", "xdr1", "xdrdetects1", "filteralert", "federated1"})
_FILTERS = nodes.And | nodes.Or | nodes.Not | nodes.Comparison | nodes.FreeText


def query_checks(caller: Caller) -> dict[str, Callable[..., Any]]:
    """Return the resolvers of the root fields that check a query, by field name."""

    def validated(text: str) -> Node:
        caller.demand(Right.READ)
        return _validation(_said(text))

    def restrictions(version: str) -> Node:
        caller.demand(Right.READ)
        language = LEGACY | {"name": version, "version": {"name": version}}
        # Off: every function is allowed in every version of the language.
        return {"version": language, "allowedFunctions": [], "enabled": False}

    return {
        "concatenateQueries": lambda _info, input: _concatenated(caller, input),  # noqa: A006 -- the schema's name
        "languageRestrictions": lambda _info, version: restrictions(version),
        "validateQuery": lambda _info, queryString, **_rest: validated(queryString),  # noqa: N803 -- the schema's name
        "analyzeQuery": lambda _info, input: _analyzed(caller, input),  # noqa: A006 -- the schema's name
        "queryAnalysis": lambda _info, queryString, **_rest: _analysis(caller, queryString),  # noqa: N803 -- the schema's name
    }


def _validation(found: Sequence[Node]) -> Node:
    return {
        "isValid": not any(problem["severity"] == "Error" for problem in found),
        "diagnostics": found,
    }


def _said(text: str) -> list[Node]:
    return [
        {"message": d.message, "code": d.code, "severity": _SEVERITY[d.level]}
        for d in diagnostics_of(text)
    ]


def _analysis(caller: Caller, text: str) -> Node:
    caller.demand(Right.READ)
    try:
        checked = check(text)
    except Refusal as exc:
        raise InputRefused(exc.text.split("\n", 1)[0]) from exc
    return {
        "isAggregate": checked.is_aggregate,
        "isSinglePhase": not _has_subquery(checked),
        "filterPart": checked.filter_text,
        "isValidFilterAlertQuery": lambda _info, **_view: _alert_type(checked) == "FilterAlert",
    }


def _analyzed(caller: Caller, given: Mapping[str, Any]) -> Node:
    caller.demand(Right.READ)
    _check_language(given["version"]["name"])
    domain = None if given.get("viewName") is None else caller.readable(given["viewName"])
    text = given["queryString"]
    found = _said(text)
    if not any(problem["severity"] == "Error" for problem in found):
        query = parse(text).query
        found += _rejected(query, given.get("rejectFunctions") or ())
        found += _absent(query, domain, caller.sandbox) if domain is not None else ()
    result = _validation(found)
    if not result["isValid"]:
        correlation: Node = {"correlateUsageInfo": None}
        return {"validateQuery": result, "suggestedAlertType": None, "analysisResult": correlation}
    checked = check(text)

    def restrictions(version: str) -> Node:
        caller.demand(Right.READ)
        language = LEGACY | {"name": version, "version": {"name": version}}
        # Off: every function is allowed in every version of the language.
        return {"version": language, "allowedFunctions": [], "enabled": False}

    return {
        "concatenateQueries": lambda _info, input: _concatenated(caller, input),  # noqa: A006 -- the schema's name
        "languageRestrictions": lambda _info, version: restrictions(version),
        "validateQuery": result,
        "suggestedAlertType": {"alertType": _alert_type(checked)},
        "analysisResult": {"correlateUsageInfo": _correlation(checked.query)},
    }


def _concatenated(caller: Caller, given: Mapping[str, Any]) -> Node:
    caller.demand(Right.READ)
    _check_language(given["version"]["name"])
    texts = [text.strip() for text in given["queryStrings"]]
    # On a line of its own: the query before it may end in a comment.
    text = "\n| ".join(text for text in texts if text)
    return {"concatenatedQuery": text, "validationResult": _validation(_said(text))}


def _check_language(name: str) -> None:
    if name not in _LANGUAGES:
        raise InputRefused(f"There is no language version '{name}'")


def _alert_type(checked: Checked) -> str:
    """Return the kind of alert that takes the query: the older one alone takes joins."""
    if _has_subquery(checked):
        return "LegacyAlert"
    return "AggregateAlert" if checked.is_aggregate else "FilterAlert"


def _has_subquery(checked: Checked) -> bool:
    return any(isinstance(node, nodes.Subquery) for node in walk(checked.query))


def _error(code: str, message: str) -> Node:
    return {"message": message, "code": code, "severity": "Error"}


def _calls(query: nodes.Query) -> Iterator[nodes.Call]:
    return (node for node in walk(query) if isinstance(node, nodes.Call))


def _rejected(query: nodes.Query, names: Sequence[str]) -> list[Node]:
    rejected = {name.lower() for name in names}
    used = dict.fromkeys(call.name for call in _calls(query) if call.name.lower() in rejected)
    return [_error("function-rejected", f"{name}() is not allowed here") for name in used]


def _absent(query: nodes.Query, domain: Domain, sandbox: Sandbox) -> list[Node]:
    """Return what the query names and a search of the domain would not find."""
    saved, stored = sandbox.saved_queries(domain), sandbox.files(domain)
    asked = (node.name for node in walk(query) if isinstance(node, nodes.SavedQuery))
    files = (
        argument.value.value
        for call in _calls(query)
        for argument in call.arguments
        if argument.name == "file" and isinstance(argument.value, nodes.Quoted)
    )
    return [
        *(
            _error("unknown-saved-query", f"{domain.name} has no saved query '{name}'")
            for name in dict.fromkeys(asked)
            if name not in saved
        ),
        *(
            _error("unknown-file", f"{domain.name} has no file '{name}'")
            for name in dict.fromkeys(files)
            if name not in stored
        ),
    ]


def _correlation(query: nodes.Query) -> Node | None:
    steps = query.pipeline.steps
    for position, step in enumerate(steps):
        if isinstance(step, nodes.Call) and step.name.lower() == "correlate":
            values = {argument.name: argument.value for argument in step.arguments}
            parts = (a.value for a in step.arguments if isinstance(a.value, nodes.Subquery))
            sequence = values.get("sequence")
            return {
                "isSequenced": isinstance(sequence, nodes.Word) and sequence.text == "true",
                "isFormatPreservedInOutput": all(
                    isinstance(after, _FILTERS) for after in steps[position + 1 :]
                ),
                "queryNames": [part.label or "" for part in parts],
            }
    return None
