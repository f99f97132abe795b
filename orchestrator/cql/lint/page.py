"""The page of all checks, docs/checks.md, made from the checks themselves."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.cql.fixes import is_safe
from orchestrator.cql.lint.codes import Explained

_HEAD = """\
# Checks

All that `orchestrator lint` can say. Made from the checks by `make docs-write`; `make check` fails
if it is out of date. `orchestrator lint --explain CODE` shows one of them.

| level | meaning |
| --- | --- |
| error | LogScale refuses the query, or it certainly does not mean what it says; exit code 1 |
| warning | it runs, and probably not as meant |
| hint | it runs as meant; there is a better way, or a limit to know |

**Fix** says whether `lint --fix` rewrites it; *offered* fixes are shown and left to the author.

## Where a check is wrong

A waiver names the code and says why. In the query, as a comment: behind code it counts for its
line and for the step (or the clause of a case or match) that ends there; on a line of its own, for
the next line that holds code and the step or clause that begins there; before the first step, for
the whole query.

```
// lint: allow default-limit a host has few users
| groupBy([host, user])
```

In `rule.yaml`, for the rule's query as a whole:

```yaml
lint:
  allow:
    - {code: default-limit, reason: a host has few users}
```

A waiver without a reason is an error. Errors of the grammar cannot be waived.
"""
_TOPICS = {
    "grammar": "Grammar",
    "filters": "Filters",
    "arguments": "Functions and their arguments",
    "aggregates": "Aggregates",
    "regexes": "Regexes",
    "kinds": "Where the query runs",
    "words": "Words of other languages",
    "signs": "Signs of other languages",
    "phrases": "Phrases of other languages",
    "patterns": "Patterns and texts",
    "escapes": "Escapes",
    "assignments": "Assignments",
    "expressions": "Expressions",
    "branches": "Case and match",
    "lookups": "Lookups and extraction",
    "ordering": "Order of rows",
    "correlation": "Correlation",
    "cost": "Cost",
    "cheaper": "Cheaper ways",
    "lost": "Lost fields",
    "foreign": "Functions of other languages",
    "waivers": "Waivers",
    "rules": "Rule files",
}


def checks_page(codes: Mapping[str, Explained]) -> str:
    """Return the page: an index by topic, then each code under its own heading.

    Args:
        codes: Every code by name; topics come in the order of their first one.
    """
    topics: dict[str, list[Explained]] = {}
    for item in codes.values():
        topics.setdefault(item.topic, []).append(item)
    index = [
        f"- [{_title(topic)}](#{_anchor(_title(topic))}): {_links(i)}"
        for topic, i in topics.items()
    ]
    parts = [_HEAD, "## Index\n", "\n".join(index) + "\n"]
    for topic, items in topics.items():
        parts.append(f"## {_title(topic)}\n")
        parts += [_entry(item) for item in items]
    return "\n".join(parts)


def _entry(item: Explained) -> str:
    fix = "no"
    if item.has_fix:
        fix = "yes" if is_safe(item.code, item.level) else "offered"
    return (
        f"### {item.code}\n\n{item.about}\n\n"
        f"*{item.level.value}* · fix: {fix} · source: {item.source}\n"
    )


def _links(items: list[Explained]) -> str:
    return ", ".join(f"[{item.code}](#{item.code})" for item in items)


def _title(topic: str) -> str:
    """Return a topic's heading; a module without one is called as it is."""
    return _TOPICS.get(topic, topic.capitalize())


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
