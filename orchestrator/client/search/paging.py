"""How the rows of a job that is done are read: page by page, or in one piece as a file would be.

Source: library.humio.com, logscale-api/api-search-export-api; LogScale Query API 1.1.0.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.client.types import QueryResult

PAGE_ROWS = 5_000

QueryText = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """In which order rows are read, and how many at once; for LogScale.

    That the Falcon gateway looks at either is not documented.
    """

    sort_by: str = ""
    """A field; empty leaves the server's order."""
    descending: bool = False
    rows: int | None = None
    """Of one page, 0 for a result without its rows; None takes what the server gives, then 5000."""

    def parameters(self, offset: int) -> QueryText:
        """Return what a poll for the rows from `offset` on says in its address."""
        found: QueryText = ()
        if offset or self.rows is not None:
            limit = PAGE_ROWS if self.rows is None else self.rows
            found = (("paginationOffset", str(offset)), ("paginationLimit", str(limit)))
        if self.sort_by:
            order = "desc" if self.descending else "asc"
            found = (*found, ("sortBy", self.sort_by), ("sortOrder", order))
        return found


PLAIN_PAGING = Paging()


class ExportForm(StrEnum):
    """The form of exported rows, by its media type."""

    CSV = "text/csv"
    """A line of names, then a line for each row; needs the fields to be named."""
    NDJSON = "application/x-ndjson"
    """A JSON object on each line."""
    JSON = "application/json"
    """One array."""
    TEXT = "text/plain"
    """The text of each event, or its fields."""


def export_parameters(form: ExportForm, fields: Sequence[str]) -> QueryText:
    """Return what asks for a job's rows in a form, rather than for a poll.

    Raises:
        ValueError: CSV without its columns.
    """
    query = (("mimeType", form.value),)
    if not fields:
        if form is ExportForm.CSV:
            raise ValueError("CSV needs the names of its columns")
        return query
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return (*query, ("fieldsToExport", line.getvalue()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A finished search whose rows are on their way."""

    result: QueryResult
    """All but the rows; look at its `completeness`, which the bytes cannot tell."""
    chunks: AsyncIterator[bytes] = field(repr=False)
    """The rows, piece by piece; raises `ClientError` where they break off."""
