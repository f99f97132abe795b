"""The server: open documents, the protocol's methods, and a thread for whatever takes time.

An answer is computed from a snapshot of the documents, off the loop, so that typing goes on while a
large query is read. What fails inside is logged on standard error and answered with nothing: an
editor has no use for our mistakes. Documents arrive whole with each change: a query is small, and
applying parts would need the client's idea of a line to be the library's, which also breaks lines
at form feeds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path

import orchestrator
from orchestrator.cql.diagnostics import Diagnostic
from orchestrator.lsp import wire
from orchestrator.lsp.checking import Checking, is_yaml, path_of, units_of, unsaved_of
from orchestrator.lsp.checks import check_query
from orchestrator.lsp.completion import completion
from orchestrator.lsp.definition import definition
from orchestrator.lsp.edits import actions, all_fixes, formatting
from orchestrator.lsp.highlight import highlights
from orchestrator.lsp.hover import hover
from orchestrator.lsp.outline import folds, symbols
from orchestrator.lsp.positions import Positions
from orchestrator.lsp.saved import SavedText, find_saved, saved_queries
from orchestrator.lsp.signature import signature

TRIGGERS = ("(", ",", "|", "$", "#", "[", "=", '"')
"""Characters that open the list of completions by themselves."""
_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One document as it is now, and what its answers may look at."""

    uri: str
    path: Path | None
    text: str
    positions: Positions
    roots: tuple[Path, ...]
    """Where saved queries are looked for."""
    unsaved: dict[Path, str]
    """The text of every open file."""
    snippets: bool
    """Whether the client can place its cursor in a completion."""

    def offset(self, position: types.Position) -> int:
        """Return the offset of a position of the client's."""
        return self.positions.offset(wire.place_of(position))

    def diagnostics(self) -> list[Diagnostic]:
        """Return what is wrong with the query."""
        return check_query(self.text, path=self.path, unsaved=self.unsaved)

    def find_saved(self, name: str) -> SavedText | None:
        """Return the saved query of this name, if there is one."""
        return find_saved(name, roots=self.roots, unsaved=self.unsaved)


class _OnDocument(Protocol):
    @property
    def text_document(self) -> types.TextDocumentIdentifier: ...


_P = TypeVar("_P", bound=_OnDocument)


def make_server() -> LanguageServer:
    """Return a server with every method registered; it runs with `start_io` or `start_tcp`."""
    server = LanguageServer(
        "orchestrator",
        orchestrator.__version__,
        text_document_sync_kind=types.TextDocumentSyncKind.Full,
    )
    checking = Checking(server)
    _register_documents(server, checking)
    _register_answers(server)
    return server


def serve_stdio() -> None:
    """Serve one client on standard input and output until it says `exit`."""
    out = sys.stdout.buffer
    # Whatever else prints must not get between two messages.
    with contextlib.redirect_stdout(sys.stderr):
        make_server().start_io(sys.stdin.buffer, out)


def serve_tcp(host: str, port: int) -> None:
    """Serve one client that connects to this address, until it says `exit`."""
    make_server().start_tcp(host, port)


def _register_documents(server: LanguageServer, checking: Checking) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def _opened(params: types.DidOpenTextDocumentParams) -> None:
        checking.request(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def _changed(params: types.DidChangeTextDocumentParams) -> None:
        checking.request(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def _saved(params: types.DidSaveTextDocumentParams) -> None:
        checking.request(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def _closed(params: types.DidCloseTextDocumentParams) -> None:
        checking.request(params.text_document.uri)


def _register_answers(server: LanguageServer) -> None:
    def answer(
        method: str, answers: Callable[[Snapshot, _P], _T | None], options: object = None
    ) -> None:
        async def handler(params: _P) -> _T | None:
            try:
                snapshot = _snapshot(server, params.text_document.uri)
                if snapshot is None:
                    return None
                return await asyncio.to_thread(answers, snapshot, params)
            # The outer edge: any text may come, and no answer of ours may end the session.
            except Exception:  # noqa: BLE001
                _LOG.exception("%s was answered with nothing", method)
                return None

        server.feature(method, options)(handler)

    answer(
        types.TEXT_DOCUMENT_COMPLETION,
        _completion,
        types.CompletionOptions(trigger_characters=TRIGGERS),
    )
    answer(types.TEXT_DOCUMENT_HOVER, _hover)
    answer(
        types.TEXT_DOCUMENT_SIGNATURE_HELP,
        _signature,
        types.SignatureHelpOptions(trigger_characters=("(", ",")),
    )
    answer(types.TEXT_DOCUMENT_FORMATTING, _formatting)
    answer(
        types.TEXT_DOCUMENT_CODE_ACTION,
        _code_actions,
        types.CodeActionOptions(
            code_action_kinds=(types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll)
        ),
    )
    answer(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, _symbols)
    answer(types.TEXT_DOCUMENT_DEFINITION, _definition)
    answer(types.TEXT_DOCUMENT_FOLDING_RANGE, _folding)
    answer(
        types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL,
        _semantic_tokens,
        types.SemanticTokensLegend(token_types=wire.TONES, token_modifiers=()),
    )


def _completion(at: Snapshot, params: types.CompletionParams) -> types.CompletionList:
    offset = at.offset(params.position)
    items = completion(at.text, offset, saved=lambda: sorted(saved_queries(at.roots)))
    return wire.completion_list(items, at.positions, snippets=at.snippets)


def _hover(at: Snapshot, params: types.HoverParams) -> types.Hover | None:
    found = hover(at.text, at.offset(params.position), saved=at.find_saved)
    return wire.hover(found, at.positions) if found is not None else None


def _signature(at: Snapshot, params: types.SignatureHelpParams) -> types.SignatureHelp | None:
    found = signature(at.text, at.offset(params.position))
    return wire.signature_help(found) if found is not None else None


def _formatting(at: Snapshot, params: types.DocumentFormattingParams) -> list[types.TextEdit]:
    del params
    return wire.text_edits(formatting(at.text), at.positions)


def _code_actions(at: Snapshot, params: types.CodeActionParams) -> list[types.CodeAction]:
    wanted = params.context.only
    found = at.diagnostics()
    shown: list[types.CodeAction] = []
    if _wants(wanted, types.CodeActionKind.QuickFix):
        near = actions(at.text, wire.span_of(params.range, at.positions), found=found)
        shown += [wire.code_action(a, uri=at.uri, positions=at.positions) for a in near]
    # Asked for by name only: on save, or from a menu of its own.
    if wanted and _wants(wanted, types.CodeActionKind.SourceFixAll):
        edits = all_fixes(found)
        shown += [wire.fix_all(edits, uri=at.uri, positions=at.positions)] if edits else []
    return shown


def _wants(wanted: Sequence[types.CodeActionKind | str] | None, kind: types.CodeActionKind) -> bool:
    """Say whether a kind is asked for: none named means all, and `source` means `source.fixAll`."""
    return not wanted or any(f"{kind.value}.".startswith(f"{_name(w)}.") for w in wanted)


def _name(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind


def _symbols(at: Snapshot, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
    del params
    return [wire.document_symbol(symbol, at.positions) for symbol in symbols(at.text)]


def _definition(at: Snapshot, params: types.DefinitionParams) -> types.Location | None:
    found = definition(
        at.text, at.offset(params.position), saved=lambda name: saved_queries(at.roots).get(name)
    )
    if found is None:
        return None
    uri = at.uri if found.path is None else from_fs_path(str(found.path))
    return None if uri is None else wire.location(uri, found.span, at.positions)


def _folding(at: Snapshot, params: types.FoldingRangeParams) -> list[types.FoldingRange]:
    del params
    return [wire.folding_range(fold, at.positions) for fold in folds(at.text)]


def _semantic_tokens(at: Snapshot, params: types.SemanticTokensParams) -> types.SemanticTokens:
    del params
    return wire.semantic_tokens(highlights(at.text), at.positions)


def _snapshot(server: LanguageServer, uri: str) -> Snapshot | None:
    """Return an open query; None for what is not open, and for rule files, which are YAML."""
    document = server.workspace.text_documents.get(uri)
    if document is None or is_yaml(document):
        return None
    path = path_of(uri)
    folders = [path_of(folder.uri) for folder in server.workspace.folders.values()]
    roots = [folder for folder in folders if folder is not None]
    if not roots and path is not None:
        roots = [path.parent]
    capabilities = server.client_capabilities.text_document
    offered = capabilities.completion if capabilities is not None else None
    item = offered.completion_item if offered is not None else None
    return Snapshot(
        uri=uri,
        path=path,
        text=document.source,
        positions=Positions(document.source, units_of(server)),
        roots=tuple(roots),
        unsaved=unsaved_of(server),
        snippets=item is not None and item.snippet_support is True,
    )
