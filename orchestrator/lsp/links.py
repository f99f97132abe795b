"""The page that explains a diagnostic, in the vendor's library."""

from __future__ import annotations

import re

from orchestrator.cql.catalogue import find
from orchestrator.cql.lint import CHECKS

_DATA = "https://library.humio.com/data-analysis"
_GRAMMAR = "https://library.humio.com/lql-grammar"
_SYNTAX = f"{_DATA}/syntax.html"
_TOPICS = {
    "alert types": f"{_DATA}/automated-alerts.html",
    "best practices": f"{_DATA}/writing-queries-write-best-practice.html",
    "conditional evaluation": f"{_DATA}/syntax-conditional.html",
    "field extraction": f"{_DATA}/syntax-fields.html",
    "grammar guide, appendix A": f"{_GRAMMAR}/syntax-grammar-guide-appendix-a.html",
    "grammar guide, appendix C": f"{_GRAMMAR}/syntax-grammar-guide-appendix-c.html",
    "operators": f"{_DATA}/syntax-operators.html",
    "query filters": f"{_DATA}/syntax-filters.html",
    "query functions": f"{_DATA}/functions.html",
    "regular expression syntax": f"{_DATA}/syntax-regex-syntax.html",
    "sequence functions": f"{_DATA}/functions-sequence.html",
    "unsupported regular expression syntax": f"{_DATA}/syntax-regex-unsupported.html",
}
"""Pages by the topic that a check names as its source."""
_CALLED = re.compile(r"([\w:]+)\(\)")


def link(code: str) -> str:
    """Return the address of the page that a check names as its source.

    Empty for what no check says: the grammar's own errors, and problems of a rule file.
    """
    check = next((check for check in CHECKS if check.code == code), None)
    if check is None:
        return ""
    topics = check.source.removeprefix("LogScale: ").split("; ")
    for topic in topics:
        if topic in _TOPICS:
            return _TOPICS[topic]
        called = _CALLED.match(topic)
        function = find(called.group(1)) if called is not None else None
        if function is not None:
            return function.page
    return _SYNTAX if check.source.startswith("LogScale") else ""
