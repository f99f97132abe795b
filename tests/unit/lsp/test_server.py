"""The server's edges: what fails inside, and what the protocol packs."""

from __future__ import annotations

import logging

import pytest
from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.workspace import Workspace

from orchestrator.lsp import server as served
from orchestrator.lsp.highlight import highlights
from orchestrator.lsp.positions import Positions, Units
from orchestrator.lsp.server import make_server
from orchestrator.lsp.wire import TONES, semantic_tokens

URI = "file:///hunt.cql"


def opened(text: str) -> LanguageServer:
    """A server with one document, as if an editor had opened it."""
    server = make_server()
    server.protocol.client_capabilities = types.ClientCapabilities()
    server.protocol._workspace = Workspace(None)
    server.workspace.put_text_document(types.TextDocumentItem(URI, "cql", 1, text))
    return server


async def test_answer_that_fails_is_logged_and_empty(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(served, "hover", failing)
    server = opened("a=1")
    handler = server.protocol.fm.features[types.TEXT_DOCUMENT_HOVER]

    with caplog.at_level(logging.ERROR):
        answer = await handler(
            types.HoverParams(types.TextDocumentIdentifier(URI), types.Position(0, 0))
        )

    assert answer is None
    assert "textDocument/hover was answered with nothing" in caplog.text
    assert "a mistake of ours" in caplog.text


def test_semantic_tokens_are_relative_one_a_line_and_in_units() -> None:
    text = 'é="😀"\r\n/* a\n😀 */ x:=1'
    packed = semantic_tokens(highlights(text), Positions(text, Units.UTF_16)).data

    rows = [tuple(packed[i : i + 5]) for i in range(0, len(packed), 5)]
    shown = [(line, column, length, TONES[tone]) for line, column, length, tone, _ in rows]
    assert shown == [
        (0, 0, 1, "property"),
        (0, 1, 1, "operator"),
        (0, 1, 4, "string"),
        (1, 0, 4, "comment"),
        (1, 0, 5, "comment"),
        (0, 6, 1, "property"),
        (0, 1, 2, "operator"),
        (0, 2, 1, "number"),
    ]
