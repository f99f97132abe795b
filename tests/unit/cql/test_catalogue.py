"""The tables of functions hold together, and the page is made of them."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from orchestrator.cql.catalogue import (
    TOPICS,
    Function,
    FunctionKind,
    FunctionParameter,
    ParameterType,
    find,
    foreign,
    functions,
)
from orchestrator.cql.catalogue.page import anchor, functions_page

ALL = sorted({f.name: f for f in functions().values()}.values(), key=lambda f: f.name)
PARAMETERS = [(f, p) for f in ALL for p in f.parameters]
# Aggregates that pass events on, or whose outputs only the data name.
WITHOUT_OUTPUTS = {"correlate", "head", "percentile", "sort", "tail", "transpose"}
_TEMPLATE = re.compile(r"\{(\w+)\}")


def named(value: Function | FunctionParameter) -> str:
    return value.name


@pytest.mark.parametrize("function", ALL, ids=named)
def test_function_is_described_and_its_parameters_are_distinct(function: Function) -> None:
    names = [parameter.name for parameter in function.parameters]

    assert function.about.endswith(".")
    assert 20 <= len(function.about) <= 250
    assert len(names) == len(set(names))
    assert sum(parameter.unnamed for parameter in function.parameters) <= 1
    assert function.topic in TOPICS
    assert function.since is None or re.fullmatch(r"1\.\d+", function.since)


@pytest.mark.parametrize("function", ALL, ids=named)
def test_outputs_name_parameters_that_exist(function: Function) -> None:
    named = {name for output in function.outputs for name in _TEMPLATE.findall(output)}

    assert named <= {parameter.name for parameter in function.parameters}
    if function.kind in (FunctionKind.AGGREGATE, FunctionKind.SEQUENCE):
        assert bool(function.outputs) == (function.name not in WITHOUT_OUTPUTS)
    if function.is_value:
        assert "{as}" in function.outputs


@pytest.mark.parametrize(
    ("function", "parameter"), PARAMETERS, ids=[f"{f.name}.{p.name}" for f, p in PARAMETERS]
)
def test_parameter_is_consistent(function: Function, parameter: FunctionParameter) -> None:
    default = parameter.default
    is_keyword = parameter.type in (ParameterType.KEYWORD, ParameterType.KEYWORD_LIST)

    assert is_keyword == bool(parameter.allowed)
    assert not (parameter.required and default is not None)
    assert not (parameter.required and parameter.deprecated)
    if parameter.allowed and default is not None:
        assert default in parameter.allowed
    if parameter.type is ParameterType.BOOLEAN and default is not None:
        assert default in ("true", "false")
    if parameter.type in (ParameterType.INTEGER, ParameterType.LIMIT) and default is not None:
        assert default.isdigit()
        assert parameter.minimum is None or int(default) >= parameter.minimum
        assert parameter.maximum is None or int(default) <= parameter.maximum
    if parameter.about:
        assert parameter.about.endswith(".")


def test_no_two_functions_share_their_description() -> None:
    counts = Counter(function.about for function in ALL)

    assert {about for about, count in counts.items() if count > 1} == set()


def test_every_type_is_used_and_described() -> None:
    used = {parameter.type for _, parameter in PARAMETERS}

    assert used == set(ParameterType)
    assert all(kind.about.endswith(".") for kind in ParameterType)


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("groupBy", "groupBy(field, [function=count(as=_count)], [limit=20000])"),
        ("count", "count([field], [as=_count], [distinct=false])"),
        ("default", "default(value, field, [replaceEmpty=false])"),
        ("if", "if(condition, then, else, [as=_if])"),
        ("collect", 'collect(fields, [limit=2000], [multival=true], [separator="\\n"])'),
        ("round", "round(field, [as], [how=round])"),
        ("cidr", "cidr(field, [subnet], [file], [column])"),
        ("dropEvent", "dropEvent()"),
        ("eval", "eval(…)"),
    ],
)
def test_signature_shows_what_may_be_left_out(name: str, signature: str) -> None:
    function = find(name)

    assert function is not None
    assert function.signature() == signature


def test_page_of_a_function_is_the_vendors() -> None:
    function = find("array:contains")

    assert function is not None
    assert function.page == (
        "https://library.humio.com/data-analysis/functions-array-contains.html"
    )


def test_an_alias_finds_the_function() -> None:
    assert find("rdns") is find("reverseDns")


@pytest.mark.parametrize(
    ("name", "cql"),
    [("dcount", "count(field, distinct=true)"), ("TOLOWER", "lower(field)"), ("lower", None)],
)
def test_names_of_other_languages_lead_to_cql(name: str, cql: str | None) -> None:
    assert foreign(name) == cql


def test_functions_page_is_the_same_each_time_and_holds_every_function() -> None:
    page = functions_page(support={"groupBy": "runs, exactly."})

    assert page == functions_page(support={"groupBy": "runs, exactly."})
    assert page.count("Local engine:") == 1
    headings = re.findall(r"^### (.+)$", page, re.MULTILINE)
    assert sorted(headings) == [f.name for f in ALL]
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) == {anchor(f) for f in ALL}
    assert len({anchor(f) for f in ALL}) == len(ALL)


def test_functions_page_is_wrapped_but_for_tables_and_addresses() -> None:
    lines = functions_page().splitlines()

    assert [line for line in lines if len(line) > 100 and line[0] not in "|["] == []


def test_tables_of_the_page_have_four_columns() -> None:
    rows = [line for line in functions_page().splitlines() if line.startswith("| `")]

    assert len(rows) == len(PARAMETERS)
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {6}
