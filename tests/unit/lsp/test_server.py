"""The server's edges: what fails inside, and what the protocol packs."""

from __future__ import annotations

import logging

import pytest
from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.workspace import Workspace

from orchestrator.cql import Diagnostic, Level
from orchestrator.cql.span import Span
from orchestrator.lsp import server as served
from orchestrator.lsp.completion import Item, completion
from orchestrator.lsp.highlight import highlights
from orchestrator.lsp.positions import Positions, Units
from orchestrator.lsp.server import make_server
from orchestrator.lsp.wire import TONES, completion_list, diagnostic, semantic_tokens

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


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (Level.ERROR, types.DiagnosticSeverity.Error),
        (Level.WARNING, types.DiagnosticSeverity.Warning),
        (Level.HINT, types.DiagnosticSeverity.Information),
    ],
)
def test_diagnostic_carries_code_page_and_what_to_write(
    level: Level, severity: types.DiagnosticSeverity
) -> None:
    found = Diagnostic(
        code="unreachable-clause", level=level, message="No.", span=Span(2, 3), help="Yes."
    )

    made = diagnostic(found, Positions("a\nb", Units.UTF_16))

    assert made == types.Diagnostic(
        range=types.Range(types.Position(1, 0), types.Position(1, 1)),
        message="No. Yes.",
        severity=severity,
        code="unreachable-clause",
        code_description=types.CodeDescription(
            "https://library.humio.com/data-analysis/syntax-conditional.html"
        ),
        source="orchestrator",
        tags=[types.DiagnosticTag.Unnecessary],
    )


@pytest.mark.parametrize(
    ("snippets", "text", "style"),
    [
        (True, "count($0)", types.InsertTextFormat.Snippet),
        (False, "count()", types.InsertTextFormat.PlainText),
    ],
)
def test_function_is_inserted_with_the_cursor_inside_where_the_client_can(
    snippets: bool, text: str, style: types.InsertTextFormat
) -> None:
    item = offered("coun", "count")

    (made,) = completion_list([item], Positions("coun", Units.UTF_16), snippets=snippets).items

    place = types.Range(types.Position(0, 0), types.Position(0, 4))
    assert made.text_edit == types.TextEdit(place, text)
    assert (made.insert_text_format, made.sort_text) == (style, "00000")


def test_deprecated_function_is_struck_through_and_last() -> None:
    items = completion("", 0, saved=list)

    made = completion_list(items, Positions("", Units.UTF_16), snippets=False).items

    assert (made[-1].label, made[-1].tags) == ("lowercase", [types.CompletionItemTag.Deprecated])


def offered(text: str, label: str) -> Item:
    return next(i for i in completion(text, len(text), saved=list) if i.label == label)
