"""A session of an editor: the language server started as editors start it, spoken to over stdio."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from orchestrator.lsp.positions import Units

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]
RULE = ROOT / "queries" / "t1528_token_access"
SOON = 30.0
"""Seconds until an answer counts as missing."""
BROKEN = '// 🦊\n#k="🦊" b in ("x", "y")\n| groupBy([aid], function=count(as=n), limit=max)\n'
FIXED = (
    '// 🦊\n#k="🦊" in(b, values=["x", "y"])\n| groupBy([aid], function=count(as=n), limit=max)\n'
)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Editor:
    """A client, and the diagnostics that were published to it."""

    def __init__(self, client: LanguageClient, workspace: Path) -> None:
        self.client, self.workspace = client, workspace
        self.answer: types.InitializeResult | None = None
        self.published: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()

        def published(params: types.PublishDiagnosticsParams) -> None:
            self.published.put_nowait(params)

        client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(published)

    def uri(self, name: str) -> str:
        return (self.workspace / name).as_uri()

    def document(self, name: str) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(self.uri(name))

    async def diagnostics(self, name: str, *, version: int | None) -> list[types.Diagnostic]:
        """Return the next diagnostics of this version of a document."""
        async with asyncio.timeout(SOON):
            while True:
                found = await self.published.get()
                if (found.uri, found.version) == (self.uri(name), version):
                    return list(found.diagnostics)

    async def open(self, name: str, text: str, language: str = "cql") -> list[types.Diagnostic]:
        item = types.TextDocumentItem(self.uri(name), language, 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return await self.diagnostics(name, version=1)

    def change(self, name: str, version: int, text: str) -> None:
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version, self.uri(name)),
                [types.TextDocumentContentChangeWholeDocument(text)],
            )
        )

    async def close(self, name: str) -> list[types.Diagnostic]:
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(self.document(name)))
        return await self.diagnostics(name, version=None)


@asynccontextmanager
async def editing(
    workspace: Path,
    *,
    encodings: Sequence[types.PositionEncodingKind | str] | None = None,
    snippets: bool = False,
) -> AsyncIterator[Editor]:
    """Start the server, say hello, and afterwards goodbye: it must end by itself and well."""
    client = LanguageClient("test", "1")
    editor = Editor(client, workspace)
    await client.start_io(sys.executable, "-m", "orchestrator", "lsp", env=ENVIRONMENT)
    item = types.ClientCompletionItemOptions(snippet_support=snippets)
    capabilities = types.ClientCapabilities(
        general=types.GeneralClientCapabilities(position_encodings=encodings),
        text_document=types.TextDocumentClientCapabilities(
            completion=types.CompletionClientCapabilities(completion_item=item)
        ),
    )
    folder = types.WorkspaceFolder(workspace.as_uri(), "workspace")
    async with asyncio.timeout(SOON):
        editor.answer = await client.initialize_async(
            types.InitializeParams(capabilities=capabilities, workspace_folders=[folder])
        )
    client.initialized(types.InitializedParams())
    try:
        yield editor
    finally:
        async with asyncio.timeout(SOON):
            await client.shutdown_async(None)
            client.exit(None)
            await stopped(client)
    assert client._server is not None
    assert client._server.returncode == 0


async def stopped(client: LanguageClient) -> None:
    stop: Callable[[], Awaitable[object]] = client.stop
    await stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def editor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Editor]:
    """One session for all tests that need no other: each has documents of its own."""
    async with editing(tmp_path_factory.mktemp("workspace"), snippets=True) as opened:
        yield opened


def at(line: int, start: int, end: int) -> types.Range:
    return types.Range(types.Position(line, start), types.Position(line, end))


def edits_of(action: object) -> list[types.TextEdit]:
    """Return the changes of a code action, which are to one document."""
    assert isinstance(action, types.CodeAction)
    assert action.edit is not None
    (edits,) = (action.edit.changes or {}).values()
    return list(edits)


def applied(text: str, edits: Sequence[object]) -> str:
    """Return an ASCII text after one edit on it."""
    (edit,) = edits
    assert isinstance(edit, types.TextEdit)
    lines = text.splitlines(keepends=True)
    start, end = (
        sum(map(len, lines[: place.line])) + place.character
        for place in (edit.range.start, edit.range.end)
    )
    return text[:start] + edit.new_text + text[end:]


async def test_session_from_a_broken_query_to_a_mended_one(editor: Editor) -> None:
    (found,) = await editor.open("broken.cql", BROKEN)
    actions = await editor.client.text_document_code_action_async(
        types.CodeActionParams(
            editor.document("broken.cql"), found.range, types.CodeActionContext([found])
        )
    )
    editor.change("broken.cql", 2, FIXED)
    mended = await editor.diagnostics("broken.cql", version=2)
    closed = await editor.close("broken.cql")

    # The fox is one character and two units of UTF-16.
    assert (found.code, found.range) == ("infix-in", at(1, 8, 23))
    assert (found.source, found.severity) == ("orchestrator", types.DiagnosticSeverity.Error)
    (fix,) = actions or ()
    assert fix.title == "Fix: write it as CQL"
    assert edits_of(fix) == [types.TextEdit(at(1, 8, 23), 'in(b, values=["x", "y"])')]
    assert (mended, closed) == ([], [])


@pytest.mark.parametrize(
    ("offered", "chosen", "columns"),
    [
        (None, Units.UTF_16, (8, 23)),
        (["utf-32", "utf-16"], Units.UTF_32, (7, 22)),
        (["utf-8", "utf-16"], Units.UTF_8, (10, 25)),
    ],
)
async def test_columns_count_what_was_agreed_on(
    tmp_path: Path, offered: list[str] | None, chosen: Units, columns: tuple[int, int]
) -> None:
    async with editing(tmp_path, encodings=offered) as editor:
        (found,) = await editor.open("hunt.cql", BROKEN)

    assert editor.answer is not None
    assert editor.answer.capabilities.position_encoding == chosen.value
    assert found.range == at(1, *columns)


async def test_questions_about_a_query_are_answered(editor: Editor) -> None:
    text = "a=1|$other()| groupBy(aid, )"
    (editor.workspace / "other.cql").write_text("b=1", encoding="utf-8")
    client, document = editor.client, editor.document("asked.cql")
    await editor.open("asked.cql", text)
    hover = await client.text_document_hover_async(
        types.HoverParams(document, types.Position(0, 16))
    )
    listed = await client.text_document_completion_async(
        types.CompletionParams(document, types.Position(0, 27))
    )
    steps = await client.text_document_completion_async(
        types.CompletionParams(document, types.Position(0, 13))
    )
    call = await client.text_document_signature_help_async(
        types.SignatureHelpParams(document, types.Position(0, 23))
    )
    target = await client.text_document_definition_async(
        types.DefinitionParams(document, types.Position(0, 6))
    )
    outline = await client.text_document_document_symbol_async(types.DocumentSymbolParams(document))
    folds = await client.text_document_folding_range_async(types.FoldingRangeParams(document))
    tokens = await client.text_document_semantic_tokens_full_async(
        types.SemanticTokensParams(document)
    )

    assert hover is not None
    assert hover.range == at(0, 14, 21)
    assert isinstance(hover.contents, types.MarkupContent)
    assert "functions-groupby.html" in hover.contents.value
    assert isinstance(listed, types.CompletionList)
    assert [item.label for item in listed.items] == ["function=", "limit="]
    assert isinstance(steps, types.CompletionList)
    case = next(item for item in steps.items if item.label == "case")
    assert case.text_edit == types.TextEdit(at(0, 13, 13), "case { $0 \\}")
    assert call is not None
    assert call.active_parameter == 0
    assert isinstance(target, types.Location)
    assert target.uri == (editor.workspace / "other.cql").as_uri()
    assert [symbol.name for symbol in outline or ()] == ["a=1", "$other()", "groupBy"]
    assert list(folds or ()) == []
    assert tokens is not None
    assert list(tokens.data[:10]) == [0, 0, 1, 4, 0, 0, 1, 1, 10, 0]


async def test_formatting_lays_the_query_out_and_leaves_a_broken_one(editor: Editor) -> None:
    text, broken = "a=1|b=2", "a=1|b=("
    options = types.FormattingOptions(tab_size=2, insert_spaces=True)
    client = editor.client
    await editor.open("wide.cql", text)
    await editor.open("half.cql", broken)
    edits = await client.text_document_formatting_async(
        types.DocumentFormattingParams(editor.document("wide.cql"), options)
    )
    left = await client.text_document_formatting_async(
        types.DocumentFormattingParams(editor.document("half.cql"), options)
    )

    assert applied(text, edits or ()) == "a=1\n| b=2\n"
    assert list(left or ()) == []


async def test_fix_all_on_save_mends_every_place(editor: Editor) -> None:
    await editor.open("fixed.cql", "a == 1 | b == 2")
    context = types.CodeActionContext([], only=[types.CodeActionKind.Source])
    actions = await editor.client.text_document_code_action_async(
        types.CodeActionParams(editor.document("fixed.cql"), at(0, 0, 0), context)
    )

    (action,) = actions or ()
    assert edits_of(action) == [
        types.TextEdit(at(0, 2, 4), "="),
        types.TextEdit(at(0, 11, 13), "="),
    ]


async def test_rule_folder_is_checked_as_one(tmp_path: Path) -> None:
    """The rule file, not open itself, is told what the edit of the query breaks in it."""
    for name in ("rule.yaml", "query.cql", "runbook.md"):
        (tmp_path / name).write_bytes((RULE / name).read_bytes())
    query = (tmp_path / "query.cql").read_text(encoding="utf-8")
    async with editing(tmp_path) as editor:
        await editor.open("query.cql", query)
        editor.change("query.cql", 2, "#k=1 | groupBy([aid], limit=max)")
        broken = await editor.diagnostics("rule.yaml", version=None)
        while not broken:
            broken = await editor.diagnostics("rule.yaml", version=None)
        opened = await editor.open("rule.yaml", (tmp_path / "rule.yaml").read_text(), "yaml")
        hover = await editor.client.text_document_hover_async(
            types.HoverParams(editor.document("rule.yaml"), types.Position(0, 1))
        )
        editor.change("query.cql", 3, query)
        mended = await editor.diagnostics("rule.yaml", version=1)

    assert {diagnostic.code for diagnostic in broken} == {"unknown-field"}
    assert opened == broken
    assert hover is None
    assert mended == []


async def test_only_the_newest_of_many_changes_counts(editor: Editor) -> None:
    await editor.open("changed.cql", "a=1")
    for version in range(2, 40):
        editor.change("changed.cql", version, f"a == {version}")
    editor.change("changed.cql", 40, "#k=40")
    found = await editor.diagnostics("changed.cql", version=40)

    assert found == []


async def test_document_that_is_not_open_is_answered_with_nothing(editor: Editor) -> None:
    hover = await editor.client.text_document_hover_async(
        types.HoverParams(editor.document("never.cql"), types.Position(0, 1))
    )

    assert hover is None


async def test_server_on_a_loopback_address_serves_one_editor(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "orchestrator", "lsp", "--tcp", address, env=ENVIRONMENT
    )
    client = LanguageClient("test", "1")
    async with asyncio.timeout(SOON):
        await connected(client, address)
        answer = await client.initialize_async(
            types.InitializeParams(capabilities=types.ClientCapabilities(), root_path=str(tmp_path))
        )
        await client.shutdown_async(None)
        client.exit(None)
        code = await server.wait()
        await stopped(client)

    assert answer.server_info is not None
    assert answer.server_info.name == "orchestrator"
    assert code == 0


async def connected(client: LanguageClient, address: str) -> None:
    """Connect as soon as the server listens."""
    host, _, port = address.partition(":")
    while True:
        try:
            await client.start_tcp(host, int(port))
        except ConnectionRefusedError:
            await asyncio.sleep(0)
        else:
            return
