"""Run a query over events, in one call: what callers outside this package use."""

from __future__ import annotations

from orchestrator.cql.nodes import Query
from orchestrator.cql.parser import parse_or_raise
from orchestrator.engine.compile import execute
from orchestrator.engine.context import Context, Limits, Result
from orchestrator.engine.events import Events

__all__ = ["Context", "Limits", "Result", "run_query"]


def run_query(query: Query | str, events: Events, *, context: Context) -> Result:
    """Return the query's rows over the events of the context's window.

    CPU work without a clock, a file or a socket; call it in a thread.

    Raises:
        CqlSyntaxError: The text is not CQL.
        CqlSemanticError: It is CQL that LogScale refuses, or a table or parameter is not there.
        CqlUnsupported: It is valid and the engine cannot run it.
    """
    tree = parse_or_raise(query) if isinstance(query, str) else query
    return execute(tree, events, context=context)
