"""Lookup files of one view: list, upload if changed, download, delete; their rows, page by page.

An upload under a stored name replaces the content. The algorithm of the listed `contentHash` is not
documented, so "unchanged" is decided on the content itself: size first, then a hash of the bytes
that the server returns.
Source: humio/cli internal/api/files.go; GraphQL schema of server 1.204.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from urllib.parse import quote

from orchestrator.client.graphql.assets import was_done
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.graphql.server import read_facts
from orchestrator.client.graphql.versions import FILE_LABELS, ServerVersion
from orchestrator.client.http.members import Members
from orchestrator.client.http.multipart import Part, multipart
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.types import LookupFile, LookupRows
from orchestrator.errors import GraphqlError, NotFound, RequestRejected, UnexpectedResponse

PAGE_ROWS = 200
SURELY_TAKEN_BYTES = 16 * 1024 * 1024
"""Far below any limit that is documented; only for more the server is asked first."""


class LookupFiles:
    """The lookup files of one view or repository.

    Args:
        session: For content.
        graphql: For the list and deletions.
        view: Name of the view or repository.
        version: Asked for the server's version where that decides.
    """

    def __init__(
        self,
        session: Session,
        *,
        graphql: Graphql,
        view: str,
        version: Callable[[], Awaitable[ServerVersion]],
    ) -> None:
        self._session, self._graphql, self._view = session, graphql, view
        self._version = version

    async def list(self, *, with_labels: bool = False) -> tuple[LookupFile, ...]:
        """Return all files, those of packages too, sorted by name.

        Args:
            with_labels: Read their labels too, which servers from 1.204 on have.

        Raises:
            UnknownRepository: No such repository or view, or no right to see it.
            RequestRejected: The server has no labels of files.
        """
        if with_labels:
            await self._demand_labels()
        operation = "ListLabelledFiles" if with_labels else "ListFiles"
        data = await self._graphql.execute(operation, {"view": self._view})
        found = map(_read, data.member("searchDomain").members("files"))
        return tuple(sorted(found, key=lambda file: (file.name, file.package)))

    async def create(self, name: str, *, labels: Collection[str] = ()) -> LookupRows:
        """Create a file without columns and rows, and return what there is: nothing yet.

        Args:
            name: Unique in the view.
            labels: Which servers from 1.204 on can store.

        Raises:
            RequestRejected: The server has no labels of files.
            GraphqlError: The name is taken, or no right.
        """
        given: dict[str, object] = {"view": self._view, "file": name}
        if labels:
            await self._demand_labels()
            given["labels"] = sorted(labels)
        operation = "CreateLabelledFile" if labels else "CreateFile"
        data = await self._graphql.execute(operation, given)
        return _rows(data.member("newFile"))

    async def page(
        self, name: str, *, offset: int = 0, limit: int = PAGE_ROWS, containing: str = ""
    ) -> LookupRows:
        """Return some rows of a CSV file.

        Args:
            name: Of the file.
            offset: How many rows to pass over.
            limit: The most rows to return, at least 1.
            containing: Only rows with this in one of their cells; they are counted and passed over
                by themselves.

        Raises:
            GraphqlError: No such view or file, or no right to see it.
        """
        given: dict[str, object] = {
            "view": self._view,
            "file": name,
            "offset": offset,
            "limit": limit,
        }
        if containing:
            given["filter"] = containing
        data = await self._graphql.execute("ReadFileRows", given)
        return _rows(data.member("getFileContent"), containing=containing)

    async def rows(self, name: str, *, containing: str = "") -> AsyncGenerator[dict[str, str]]:
        """Yield the rows of a CSV file, each by its columns, reading page by page.

        Raises:
            GraphqlError: No such view or file, or no right to see it.
            UnexpectedResponse: The file changed while it was read, or the rows stop before the
                end: what came is not the file.
        """
        first = page = await self.page(name, containing=containing)
        seen = 0
        while True:
            if (page.columns, page.total) != (first.columns, first.total):
                raise UnexpectedResponse(f"{name} in {self._view} changed while it was read")
            for row in page.rows:
                yield dict(zip(page.columns, row, strict=False))
            seen += len(page.rows)
            if seen >= first.total:
                return
            if not page.rows:
                problem = f"{name} in {self._view} ends after {seen} of {first.total} rows"
                raise UnexpectedResponse(problem)
            page = await self.page(name, offset=seen, containing=containing)

    async def replace_rows(
        self,
        name: str,
        seen: LookupRows,
        rows: Sequence[Sequence[str]],
        *,
        columns: Sequence[str] | None = None,
    ) -> None:
        """Put rows in the place of some that were read, if those still are as they were.

        A page from beyond the last row puts them at the end; no rows delete those of the page.

        Args:
            name: Of the file.
            seen: A page of it, read without `containing`.
            rows: Each with one cell a column.
            columns: Names for a file that has none yet.

        Raises:
            ValueError: The page holds chosen rows, which have no place in the file.
            RequestRejected: The rows, the columns or their number changed since they were read.
            GraphqlError: No such file, or no right.
        """
        if seen.containing:
            raise ValueError(f"rows with {seen.containing!r} in them are not next to each other")
        current = await self.page(name, offset=seen.offset, limit=max(len(seen.rows), 1))
        if current != seen:
            raise RequestRejected(
                f"{name} in {self._view} changed since it was read", advice="Read it again."
            )
        given: dict[str, object] = {
            "view": self._view,
            "file": name,
            "rows": [list(row) for row in rows],
            "columns": list(seen.columns if columns is None else columns),
            "offset": seen.offset,
            "limit": len(seen.rows),
        }
        await self._graphql.execute("UpdateFileRows", given)

    async def upload(self, name: str, content: bytes) -> bool:
        """Store a CSV or JSON file; return False if the server has exactly this already.

        Raises:
            RequestRejected: It is larger than the server takes; it was not sent.
            UnexpectedResponse: A web page came back instead.
            ClientError: The server could not be asked, or refused it.
        """
        if await self._is_stored(name, content):
            return False
        await self._check_size(name, len(content))
        # Replacing a file with the same content twice does no harm.
        kind = "application/json" if _is_json(name) else "text/csv"
        part = Part(name="file", content=content, filename=name, kind=kind)
        request = multipart("POST", self._path(), part)
        await self._session.call(request)
        return True

    async def download(self, name: str, *, package: str = "") -> bytes:
        """Return a file's bytes.

        Args:
            name: Of the file.
            package: The one that brought it, `scope/name`; empty for a file of the view itself.

        Raises:
            NotFound: No such file.
            UnexpectedResponse: A web page came back instead.
        """
        place = f"{self._path()}/{quote(package)}" if package else self._path()
        request = json_request("GET", f"{place}/{quote(name, safe='')}", idempotent=True)
        return (await self._session.call(request)).body

    async def delete(self, name: str) -> None:
        """Delete a file.

        Raises:
            GraphqlError: No such file, or no right.
        """
        data = await self._graphql.execute("DeleteFile", {"view": self._view, "file": name})
        if not was_done(data):
            raise RequestRejected(f"{name} in {self._view} was not deleted")

    async def _demand_labels(self) -> None:
        if await self._version() < FILE_LABELS:
            raise RequestRejected("this server has no labels of lookup files")

    async def _is_stored(self, name: str, content: bytes) -> bool:
        own = (file for file in await self.list() if not file.package)
        stored = next((file for file in own if file.name == name), None)
        if stored is None or stored.size_bytes not in {None, len(content)}:
            return False
        try:
            return _digest(await self.download(name)) == _digest(content)
        except NotFound:
            # Deleted since it was listed.
            return False

    async def _check_size(self, name: str, size: int) -> None:
        if size <= SURELY_TAKEN_BYTES:
            return
        try:
            facts = await read_facts(self._graphql)
        except GraphqlError:
            # A server that does not tell its limits still has them, and says so to the file itself.
            return
        most = facts.max_json_bytes if _is_json(name) else facts.max_csv_bytes
        if size > most:
            raise RequestRejected(
                f"{name} has {size} bytes, and the server takes {most}",
                advice="Leave out rows or columns, or cut it into several files.",
            )

    def _path(self) -> str:
        return f"api/v1/repositories/{quote(self._view, safe='')}/files"


def _read(members: Members) -> LookupFile:
    place = members.member("nameAndPath")
    return LookupFile(
        name=place.text("name"),
        package=place.text("path", ""),
        labels=tuple(sorted(members.texts("labels"))),
        size_bytes=members.optional_number("fileSizeBytes"),
        created_by=members.text("createdBy", ""),
        created_at=members.instant("createdAt") if "createdAt" in members else None,
        modified_by=members.text("modifiedBy", ""),
        modified_at=members.instant("modifiedAt") if "modifiedAt" in members else None,
        raw=members.raw,
    )


def _rows(members: Members, *, containing: str = "") -> LookupRows:
    lines = members.raw.get("lines")
    if not isinstance(lines, list) or not all(map(_is_row, lines)):
        raise members.wrong("lines", "a list of lists of text")
    return LookupRows(
        columns=members.texts("headers"),
        rows=tuple(map(tuple, lines)),
        offset=members.number("offset"),
        total=members.number("totalLinesCount"),
        containing=containing,
    )


def _is_row(line: object) -> bool:
    return isinstance(line, list) and all(isinstance(cell, str) for cell in line)


def _is_json(name: str) -> bool:
    return name.endswith(".json")


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
