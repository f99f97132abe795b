"""Lookup files of NG-SIEM, through the gateway's content routes.

Source: CrowdStrike falconpy, ngsiem-content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.client.gateway.content import content_ids
from orchestrator.client.gateway.envelope import ask
from orchestrator.client.http.multipart import Part, multipart
from orchestrator.client.http.session import Session, json_request

_FILES = "ngsiem-content/entities/lookupfiles/v1"
_ENTRIES = "ngsiem-content/entities/lookupfiles-entries/v1"


class GatewayFiles:
    """The lookup files of one search domain."""

    def __init__(self, session: Session, *, search_domain: str) -> None:
        self._session, self._domain = session, search_domain

    async def list(self) -> tuple[str, ...]:
        """Return the names of all files, sorted.

        Raises:
            ClientError: The gateway could not be asked.
        """
        names = await content_ids(self._session, "lookupfiles", self._domain)
        return tuple(sorted(names))

    async def upload(self, name: str, content: bytes) -> bool:
        """Store a CSV or JSON file; return False if exactly this is stored already.

        Raises:
            RequestRejected: The gateway refused it.
            ClientError: The gateway could not be asked.
        """
        stored = None
        if name in await self.list():
            stored = await self.download(name)
        if stored == content:
            return False
        # A second creation would be refused, since the first one may have happened.
        await self._send(
            "POST" if stored is None else "PATCH",
            _FILES,
            name,
            content,
            idempotent=stored is not None,
        )
        return True

    async def append_rows(self, name: str, content: bytes) -> None:
        """Add the rows of a CSV file, with its header, to a stored one; columns may be new.

        Raises:
            NotFound: No such file.
            RequestRejected: The gateway refused it.
        """
        # Sent twice, the rows would be there twice.
        options = {"update_mode": "append"}
        await self._send("PATCH", _ENTRIES, name, content, options, idempotent=False)

    async def update_rows(
        self, name: str, content: bytes, *, key_columns: Sequence[str], ignore_case: bool = False
    ) -> None:
        """Put the rows of a CSV file in the place of those with the same keys; others are added.

        Args:
            name: The stored file.
            content: CSV with a header, the key columns among it.
            key_columns: Columns whose values tell rows apart; at least one.
            ignore_case: Whether keys are the same that differ in case alone.

        Raises:
            ValueError: No key column.
            NotFound: No such file.
            RequestRejected: The gateway refused it.
        """
        if not key_columns:
            raise ValueError("rows are told apart by at least one key column")
        options = {
            "update_mode": "update",
            "key_columns": ",".join(key_columns),
            "ignore_case": str(ignore_case).lower(),
        }
        await self._send("PATCH", _ENTRIES, name, content, options, idempotent=True)

    async def download(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            NotFound: No such file.
            UnexpectedResponse: A web page came back instead.
        """
        query = (("filename", name), ("search_domain", self._domain))
        request = json_request("GET", _FILES, query=query, idempotent=True)
        return (await self._session.call(request)).body

    async def delete(self, name: str) -> None:
        """Delete a file.

        Raises:
            NotFound: No such file.
        """
        query = (("filename", name), ("search_domain", self._domain))
        await ask(self._session, json_request("DELETE", _FILES, query=query))

    async def _send(
        self,
        method: str,
        path: str,
        name: str,
        content: bytes,
        options: Mapping[str, str] | None = None,
        *,
        idempotent: bool,
    ) -> None:
        texts = {"search_domain": self._domain, "filename": name, **(options or {})}
        kind = "application/json" if name.endswith(".json") else "text/csv"
        request = multipart(
            method,
            path,
            *(Part(name=member, content=text.encode()) for member, text in texts.items()),
            Part(name="file", content=content, filename=name, kind=kind),
            idempotent=idempotent,
        )
        await ask(self._session, request)
