"""Diagnostics of the open documents, published whenever one of them opens, changes or closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path
from pygls.workspace import TextDocument

from orchestrator.cql.diagnostics import Diagnostic
from orchestrator.lsp import wire
from orchestrator.lsp.checks import check_query, check_rule_folder, rule_folder
from orchestrator.lsp.positions import Positions, Units
from orchestrator.rules.load import QUERY_FILE, RULE_FILE

_LOG = logging.getLogger(__name__)


class Checking:
    """Publishes diagnostics: one check of a subject at a time, and always of its newest text.

    A subject is a rule folder, whose two files are checked together, or the one document.
    """

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._waiting: set[Path | str] = set()
        self._running: dict[Path | str, asyncio.Task[None]] = {}

    def request(self, uri: str) -> None:
        """Check the document's subject, after the check that is running if one is."""
        path = path_of(uri)
        folder = None if path is None else rule_folder(path, unsaved=unsaved_of(self._server))
        subject: Path | str = uri if folder is None else folder
        self._waiting.add(subject)
        if subject not in self._running:
            self._running[subject] = asyncio.create_task(self._run(subject))

    async def _run(self, subject: Path | str) -> None:
        try:
            while subject in self._waiting:
                self._waiting.discard(subject)
                if isinstance(subject, Path):
                    await self._check_folder(subject)
                else:
                    await self._check_document(subject)
        # The outer edge, as for answers: the next change is checked all the same.
        except Exception:  # noqa: BLE001
            _LOG.exception("%s was not checked", subject)
        finally:
            del self._running[subject]

    async def _check_document(self, uri: str) -> None:
        document = self._server.workspace.text_documents.get(uri)
        if document is None:
            self._publish(uri, "", [], version=None)
        elif not is_yaml(document):
            text, version = document.source, document.version
            found = await asyncio.to_thread(
                check_query, text, path=path_of(uri), unsaved=unsaved_of(self._server)
            )
            if uri not in self._waiting:
                self._publish(uri, text, found, version=version)

    async def _check_folder(self, folder: Path) -> None:
        documents = {
            path_of(uri): doc for uri, doc in self._server.workspace.text_documents.items()
        }
        files = (folder / RULE_FILE, folder / QUERY_FILE)
        versions = {path: documents[path].version for path in files if path in documents}
        uris = {
            path: documents[path].uri if path in documents else from_fs_path(str(path)) or ""
            for path in files
        }
        if not versions:
            for uri in uris.values():
                self._publish(uri, "", [], version=None)
            return
        unsaved = unsaved_of(self._server)
        checked = await asyncio.to_thread(check_rule_folder, folder, unsaved=unsaved)
        if folder not in self._waiting:
            for file in checked:
                version = versions.get(file.path)
                self._publish(uris[file.path], file.text, file.found, version=version)

    def _publish(
        self, uri: str, text: str, found: Sequence[Diagnostic], *, version: int | None
    ) -> None:
        positions = Positions(text, units_of(self._server))
        self._server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(
                uri=uri,
                version=version,
                diagnostics=[wire.diagnostic(one, positions) for one in found],
            )
        )


def units_of(server: LanguageServer) -> Units:
    """Return what the client's columns count."""
    return Units(server.workspace.position_encoding or Units.UTF_16)


def unsaved_of(server: LanguageServer) -> dict[Path, str]:
    """Return the text of every open file."""
    open_files = ((path_of(uri), doc) for uri, doc in server.workspace.text_documents.items())
    return {path: document.source for path, document in open_files if path is not None}


def path_of(uri: str) -> Path | None:
    """Return the file of a document; None for one that has none."""
    path = to_fs_path(uri)
    return None if path is None else Path(path)


def is_yaml(document: TextDocument) -> bool:
    """Say whether a document is no query."""
    return document.language_id == "yaml" or document.path.endswith((".yaml", ".yml"))
