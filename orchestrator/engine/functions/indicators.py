"""ioc:lookup(): indicators of compromise from a table that the caller gives.

Source: library.humio.com, data-analysis/functions-ioc-lookup.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from orchestrator.engine.arguments import Args, unsupported
from orchestrator.engine.patterns.networks import parse_address
from orchestrator.engine.rows import Rows
from orchestrator.engine.sources.providers import Indicator
from orchestrator.engine.values import Value, any_of, each_distinct

_CONFIDENCE = ("unverified", "low", "medium", "high")


def _known(args: Args) -> Mapping[str, Indicator]:
    """Return the indicators of the asked type and confidence by their comparable text."""
    given = args.execution.context.providers.indicators
    if given is None and not args.execution.is_dry:
        reason = "no table of indicators was given (--iocs FILE)"
        raise unsupported(args.call, "ioc:lookup()", reason)
    kind = args.choice("type", ("ip_address", "domain", "url"), default="")
    least = _least(args)
    found: dict[str, Indicator] = {}
    for indicator in given or ():
        known = indicator.confidence in _CONFIDENCE
        confidence = _CONFIDENCE.index(indicator.confidence) if known else 0
        if indicator.type == kind and confidence >= least:
            found.setdefault(_comparable(indicator.indicator), indicator)
    return found


def _least(args: Args) -> int:
    """Return the place of the lowest confidence that counts; published queries write it large."""
    written = args.text("confidenceThreshold", "high")
    if written.lower() not in _CONFIDENCE:
        written = args.choice("confidenceThreshold", _CONFIDENCE, default="high")
    return _CONFIDENCE.index(written.lower())


def _comparable(text: str) -> str:
    """Return an address in its one spelling, any other text in lower case."""
    address = parse_address(text)
    return text.lower() if address is None else str(address)


def ioc_filter(args: Args, rows: Rows) -> pl.Expr:
    """Return whether one of the fields holds an indicator."""
    known = _known(args)

    def hit(text: str) -> str | None:
        return "true" if _comparable(text) in known else None

    return any_of(
        each_distinct(rows.field(name).text(), hit).is_not_null() for name in args.texts("field")
    )


def ioc_lookup(args: Args, rows: Rows) -> None:
    """Add `ioc.detected` and an array of what is known, one element for each field that hits."""
    known, prefix = _known(args), args.text("prefix", "ioc")
    columns = args.texts("include") or sorted({c for i in known.values() for c in i.columns})
    hit = ioc_filter(args, rows)
    if args.flag("strict"):
        rows.keep(hit)
    rows.set(f"{prefix}.detected", Value(expr=pl.when(hit).then(pl.lit("true"))))

    def column(name: str) -> Callable[[str], str | None]:
        def find(text: str) -> str | None:
            indicator = known.get(_comparable(text))
            return None if indicator is None else indicator.columns.get(name, "")

        return find

    fields = [rows.field(name).text() for name in args.texts("field")]
    for name in columns:
        hits = pl.concat_list(each_distinct(text, column(name)) for text in fields)
        values = hits.list.drop_nulls()
        for place in range(len(fields)):
            found = values.list.get(place, null_on_oob=True)
            # A hit without the column keeps its place in the array.
            known_cell = pl.when(found != "").then(found)
            rows.set(f"{prefix}[{place}].{name}", Value(expr=known_cell))
