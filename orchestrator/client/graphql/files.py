"""Lookup files of one view: list, upload if changed, download, delete.

An upload under a stored name replaces the content. The algorithm of the listed `contentHash` is not
documented, so "unchanged" is decided on the content itself: size first, then a hash of the bytes
that the server returns.
Source: humio/cli internal/api/files.go; GraphQL schema of server 1.204.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from orchestrator.client.graphql.assets import was_done
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.graphql.server import read_facts
from orchestrator.client.http.multipart import Part, multipart
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.types import LookupFile
from orchestrator.errors import GraphqlError, NotFound, RequestRejected

SURELY_TAKEN_BYTES = 16 * 1024 * 1024
"""Far below any limit that is documented; only for more the server is asked first."""


class LookupFiles:
    """The lookup files of one view or repository.

    Args:
        session: For content.
        graphql: For the list and deletions.
        view: Name of the view or repository.
    """

    def __init__(self, session: Session, *, graphql: Graphql, view: str) -> None:
        self._session, self._graphql, self._view = session, graphql, view

    async def list(self) -> tuple[LookupFile, ...]:
        """Return all files, those of packages too, sorted by name.

        Raises:
            UnknownRepository: No such repository or view, or no right to see it.
        """
        data = await self._graphql.execute("ListFiles", {"view": self._view})
        listed = data.member("searchDomain").members("files")
        found = [
            LookupFile(
                name=members.member("nameAndPath").text("name"),
                package=members.member("nameAndPath").text("path", ""),
                raw=members.raw,
            )
            for members in listed
        ]
        return tuple(sorted(found, key=lambda file: (file.name, file.package)))

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

    async def _is_stored(self, name: str, content: bytes) -> bool:
        own = (file for file in await self.list() if not file.package)
        stored = next((file for file in own if file.name == name), None)
        if stored is None or stored.raw.get("fileSizeBytes", len(content)) != len(content):
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


def _is_json(name: str) -> bool:
    return name.endswith(".json")


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
