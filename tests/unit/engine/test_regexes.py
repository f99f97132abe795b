from __future__ import annotations

import polars as pl
import pytest

from orchestrator.engine.patterns.globs import format_number, parse_number
from orchestrator.engine.patterns.regexes import translate
from orchestrator.engine.values import number_text, text_number
from orchestrator.errors import CqlSemanticError

TEXTS = [
    "abc",
    "a b",
    "x/y",
    "a.b",
    "ABC",
    "a1_",
    "ä",
    "x\n",
    "",
    "-",
    "[",
    "a{2}",
    "\\",
    "é1",
    '"q"',
]


@pytest.mark.parametrize(
    "body",
    [
        r"\d", r"\D", r"\w+$", r"\W", r"\s", r"\S", r"\bb", r"\Bb", r"[\w.-]$", r"[^\w]", r"[\W]",
        r"[\d-z]", "[a-c]", "[]a]", "[^]a]", "[[]", r"[\[\]]", r"[\\\/]", r"\Qa.b\E", r"\x61",
        r"\u0061", r"\0141", r"x\z", r"x\Z", "x$", "(?i)abc", "(?i:A)bc", "(a)(b)?", "a{2}", "a{",
        r"a\{2\}", r"^\S+\s?b", "(?<n>a)|(?<n>b)", r"\"q", "a*?b", r"[a\-b]", r"\_", r"\<",
    ],
)  # fmt: skip
def test_both_dialects_find_the_same(body: str) -> None:
    regex = translate(body)

    rust = pl.Series(TEXTS).str.contains(regex.rust).to_list()
    python = [regex.compiled().search(text) is not None for text in TEXTS]
    assert rust == python


def test_groups_keep_their_field_names_whatever_they_hold() -> None:
    regex = translate(r"(?<#a.b[0]>x)(y)(?P<@c>z)")

    assert regex.fields == ("#a.b[0]", "@c")
    assert pl.Series(["xyz"]).str.extract(regex.rust, 2).to_list() == ["z"]


@pytest.mark.parametrize(
    "body",
    [
        r"(?<=x)y", r"(?<!x)y", "(?>x)", "x++", "x*+", "x{2}+", r"\p{L}", r"[[:alpha:]]", r"(x)\1",
        r"\k<n>", r"\h", r"\R", r"\G", "(", "[a", "x**", r"\xg", "(?#c)",
    ],
)  # fmt: skip
def test_what_logscale_does_not_support_is_refused(body: str) -> None:
    with pytest.raises(CqlSemanticError):
        translate(body)


@pytest.mark.parametrize("flags", ["s", "x", "u", "ix"])
def test_unknown_flags_are_refused(flags: str) -> None:
    with pytest.raises(CqlSemanticError, match="flag"):
        translate("x", flags)


NUMBERS = [
    "0",
    "-0",
    "1",
    "1.0",
    "1.50",
    "1e2",
    "0.1",
    "1e15",
    "1e16",
    "-2.5",
    "123456789012345678",
]
NUMBERS += ["1.5e-7", ".5", "5.", "+3", "inf", "nan", "", " 1", "1_0", "0x1", "1e999", "x"]


def test_both_evaluators_read_and_print_the_same_numbers() -> None:
    frame = pl.DataFrame({"t": NUMBERS})

    polars = frame.select(number_text(text_number(pl.col("t")))).to_series().to_list()
    numbers = [parse_number(text) for text in NUMBERS]
    assert polars == [None if n is None else format_number(n) for n in numbers]
