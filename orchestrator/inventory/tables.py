"""The fact tables, as data: their parts, their attributes and what makes a fact "about" a finding.

One more table is one more row here. A file for a table has one column a part and attribute, plus
`valid_from` and `valid_until`. A cell of several lines (a quoted CSV cell, a list in NDJSON) holds
alternatives, so that one fact can name several accounts or actors; the finding's value may hold
several lines too, and then each of its lines must equal one of the alternatives. This is how
`approved_app` demands that *every* actor of a finding is approved.

The path and command-line patterns know one wildcard, `*`. `GLOB_CI` ignores ASCII case for Windows
paths only: a value that starts with `/` is compared as it is.
"""

from __future__ import annotations

from orchestrator.model.inventory import FactTable, MatchMode, Part

VALIDITY_COLUMNS = ("valid_from", "valid_until")

ALTERNATIVES = frozenset({"aliases"})
"""Attributes whose cell may hold several lines as well."""

_HOST = Part(column="host", entity="host", mode=MatchMode.HOST)
_ACCOUNT = Part(column="account", entity="user", mode=MatchMode.EXACT)
_CONTAINER = Part(column="container", entity="container", mode=MatchMode.EXACT)
_IMAGE = Part(column="image", entity="image", mode=MatchMode.EXACT)
_IMAGE_GLOB = Part(column="image", entity="image", mode=MatchMode.GLOB_CI)
_COMMAND_GLOB = Part(
    column="command_line", entity="command_line", mode=MatchMode.GLOB_CI, optional=True
)

TABLES: tuple[FactTable, ...] = (
    FactTable(
        name="host",
        parts=(_HOST,),
        attributes=("aid", "role", "owner", "criticality", "aliases"),
        scope=("host",),
    ),
    FactTable(
        name="runner",
        parts=(_HOST, _ACCOUNT),
        attributes=("pool", "labels", "owner"),
        scope=("host",),
    ),
    # The validity of a pipeline fact is the execution window of one job.
    FactTable(
        name="pipeline",
        parts=(
            _HOST,
            _ACCOUNT,
            Part(column="program", entity="image", mode=MatchMode.GLOB_CI),
        ),
        attributes=("job", "url", "repository"),
        scope=("host",),
    ),
    # An empty host cell means "on any host"; the image pattern then carries the fact.
    FactTable(
        name="cloud_agent",
        parts=(
            Part(column="host", entity="host", mode=MatchMode.HOST, optional=True),
            _IMAGE_GLOB,
            _COMMAND_GLOB,
            Part(column="user", entity="user", mode=MatchMode.EXACT, optional=True),
            Part(column="evidence", entity="evidence", mode=MatchMode.EXACT, optional=True),
        ),
        attributes=("agent", "owner"),
        scope=("image",),
    ),
    FactTable(
        name="k8s_node",
        parts=(_HOST,),
        attributes=("cluster", "pool", "owner"),
        scope=("host",),
    ),
    FactTable(
        name="node_runtime",
        parts=(_IMAGE, Part(column="container", entity="container", mode=MatchMode.ABSENT)),
        attributes=("runtime", "owner"),
        scope=("image",),
    ),
    FactTable(
        name="k8s_workload",
        parts=(_CONTAINER, _IMAGE),
        attributes=("workload", "cluster", "owner"),
        scope=("container",),
    ),
    FactTable(
        name="workload_identity",
        parts=(_CONTAINER, _IMAGE),
        attributes=("workload", "identity", "owner"),
        scope=("container",),
    ),
    FactTable(
        name="developer_host",
        parts=(_HOST, _ACCOUNT),
        attributes=("owner", "team"),
        scope=("host",),
    ),
    FactTable(
        name="native_tool",
        parts=(_IMAGE_GLOB, _COMMAND_GLOB),
        attributes=("tool", "owner"),
        scope=("image",),
    ),
    FactTable(
        name="approved_app",
        parts=(
            Part(column="application", entity="application", mode=MatchMode.EXACT_CI),
            Part(column="actor", entity="actor", mode=MatchMode.EXACT_CI),
        ),
        attributes=("owner", "ticket"),
        scope=("application",),
    ),
)

_BY_NAME = {table.name: table for table in TABLES}


def find_table(name: str) -> FactTable | None:
    """Return the table called `name`, or None where there is none."""
    return _BY_NAME.get(name)
