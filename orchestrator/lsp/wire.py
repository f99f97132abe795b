"""Values of this package as types of the protocol. With `server`, all that knows the protocol."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from orchestrator.cql.diagnostics import Diagnostic, Level
from orchestrator.cql.span import Span
from orchestrator.lsp.completion import Item, ItemKind
from orchestrator.lsp.edits import Action, Edit
from orchestrator.lsp.highlight import Tone
from orchestrator.lsp.hover import Hover
from orchestrator.lsp.links import link
from orchestrator.lsp.outline import Fold, Symbol, SymbolKind
from orchestrator.lsp.positions import Place, Positions
from orchestrator.lsp.signature import Signature

SOURCE = "orchestrator"
TONES = tuple(tone.value for tone in Tone)
"""The legend of highlighting: a tone is its index here."""
_SEVERITIES = {
    Level.ERROR: types.DiagnosticSeverity.Error,
    Level.WARNING: types.DiagnosticSeverity.Warning,
    # The protocol's own hints are three dots that few editors list.
    Level.HINT: types.DiagnosticSeverity.Information,
}
_TAGS = {
    "deprecated-parameter": types.DiagnosticTag.Deprecated,
    "unreachable-clause": types.DiagnosticTag.Unnecessary,
}
"""Checks whose place is better struck through, or faded."""
_ITEMS = {
    ItemKind.FUNCTION: types.CompletionItemKind.Function,
    ItemKind.PARAMETER: types.CompletionItemKind.Property,
    ItemKind.FIELD: types.CompletionItemKind.Field,
    ItemKind.EVENT: types.CompletionItemKind.Event,
    ItemKind.VALUE: types.CompletionItemKind.EnumMember,
    ItemKind.KEYWORD: types.CompletionItemKind.Keyword,
    ItemKind.SAVED_QUERY: types.CompletionItemKind.File,
    ItemKind.TABLE: types.CompletionItemKind.Struct,
}
_SYMBOLS = {
    SymbolKind.FILTER: types.SymbolKind.Boolean,
    SymbolKind.CALL: types.SymbolKind.Function,
    SymbolKind.TABLE: types.SymbolKind.Struct,
    SymbolKind.ASSIGNMENT: types.SymbolKind.Field,
    SymbolKind.BRANCHES: types.SymbolKind.Enum,
    SymbolKind.SAVED_QUERY: types.SymbolKind.File,
}


def place_of(position: types.Position) -> Place:
    """Return a place as the client gave it."""
    return Place(position.line, position.character)


def span_of(found: types.Range, positions: Positions) -> Span:
    """Return the characters of a range."""
    start, end = positions.offset(place_of(found.start)), positions.offset(place_of(found.end))
    return Span(start, max(start, end))


def range_of(span: Span, positions: Positions) -> types.Range:
    """Return the range of some characters."""
    return types.Range(_position(span.start, positions), _position(span.end, positions))


def diagnostic(found: Diagnostic, positions: Positions) -> types.Diagnostic:
    """Return a diagnostic with its code, the page that explains it, and what to write instead."""
    href, tag = link(found.code), _TAGS.get(found.code)
    return types.Diagnostic(
        range=range_of(found.span, positions),
        message=f"{found.message} {found.help}".strip(),
        severity=_SEVERITIES[found.level],
        code=found.code,
        code_description=types.CodeDescription(href) if href else None,
        source=SOURCE,
        tags=[tag] if tag is not None else None,
    )


def completion_list(
    items: Sequence[Item], positions: Positions, *, snippets: bool
) -> types.CompletionList:
    """Return offers in their order; `snippets` says whether the client can place its cursor."""
    return types.CompletionList(
        is_incomplete=False,
        items=[
            _completion_item(item, number, positions, snippets=snippets)
            for number, item in enumerate(items)
        ],
    )


def _completion_item(
    item: Item, number: int, positions: Positions, *, snippets: bool
) -> types.CompletionItem:
    text, style = item.text, types.InsertTextFormat.PlainText
    if snippets and item.caret is not None:
        before, after = _escaped(text[: item.caret]), _escaped(text[item.caret :])
        text, style = f"{before}$0{after}", types.InsertTextFormat.Snippet
    return types.CompletionItem(
        label=item.label,
        kind=_ITEMS[item.kind],
        detail=item.detail or None,
        documentation=_markdown(item.about) if item.about else None,
        tags=[types.CompletionItemTag.Deprecated] if item.is_deprecated else None,
        # Clients sort by text, so the order is spelled out.
        sort_text=f"{number:05}",
        filter_text=item.label,
        insert_text_format=style,
        text_edit=types.TextEdit(range_of(item.span, positions), text),
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("$", "\\$").replace("}", "\\}")


def hover(found: Hover, positions: Positions) -> types.Hover:
    """Return what to show under the pointer."""
    return types.Hover(contents=_markdown(found.markdown), range=range_of(found.span, positions))


def signature_help(found: Signature) -> types.SignatureHelp:
    """Return a call's signature; the places in it are in UTF-16, whatever else was agreed on."""
    return types.SignatureHelp(
        signatures=[
            types.SignatureInformation(
                label=found.label,
                documentation=_markdown(found.about),
                parameters=[
                    types.ParameterInformation(
                        label=(parameter.span.start, parameter.span.end),
                        documentation=_markdown(parameter.about),
                    )
                    for parameter in found.parameters
                ],
            )
        ],
        active_signature=0,
        # An index behind the last one marks none; leaving it out would mark the first.
        active_parameter=len(found.parameters) if found.active is None else found.active,
    )


def text_edits(edits: Sequence[Edit], positions: Positions) -> list[types.TextEdit]:
    """Return changes to one document."""
    return [types.TextEdit(range_of(edit.span, positions), edit.text) for edit in edits]


def code_action(action: Action, *, uri: str, positions: Positions) -> types.CodeAction:
    """Return a change that answers a diagnostic."""
    return types.CodeAction(
        title=action.title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[diagnostic(action.diagnostic, positions)],
        is_preferred=action.is_fix,
        edit=types.WorkspaceEdit(changes={uri: text_edits([action.edit], positions)}),
    )


def fix_all(edits: Sequence[Edit], *, uri: str, positions: Positions) -> types.CodeAction:
    """Return the change that makes every fix at once."""
    return types.CodeAction(
        title="Fix all that has a fix",
        kind=types.CodeActionKind.SourceFixAll,
        edit=types.WorkspaceEdit(changes={uri: text_edits(edits, positions)}),
    )


def document_symbol(symbol: Symbol, positions: Positions) -> types.DocumentSymbol:
    """Return an entry of the outline with those inside it."""
    return types.DocumentSymbol(
        name=symbol.name,
        kind=_SYMBOLS[symbol.kind],
        range=range_of(symbol.span, positions),
        selection_range=range_of(symbol.name_span, positions),
        children=[document_symbol(child, positions) for child in symbol.children],
    )


def folding_range(fold: Fold, positions: Positions) -> types.FoldingRange:
    """Return lines that fold; a bracket's last line stays in sight."""
    first, last = positions.place(fold.span.start).line, positions.place(fold.span.end).line
    return types.FoldingRange(
        start_line=first,
        end_line=last if fold.is_comment else max(first, last - 1),
        kind=types.FoldingRangeKind.Comment if fold.is_comment else types.FoldingRangeKind.Region,
    )


def location(uri: str, span: Span, positions: Positions) -> types.Location:
    """Return a place in a document."""
    return types.Location(uri=uri, range=range_of(span, positions))


def semantic_tokens(
    found: Sequence[tuple[Span, Tone]], positions: Positions
) -> types.SemanticTokens:
    """Return highlighting as the protocol packs it: five numbers a piece, relative to the last.

    A piece that spans lines becomes one a line: few clients take longer ones.
    """
    data: list[int] = []
    line, column = 0, 0
    for span, tone in found:
        for start, end in positions.lines(span.start, span.end):
            place = positions.place(start)
            length = positions.place(end).column - place.column
            from_column = place.column - (column if place.line == line else 0)
            data += (place.line - line, from_column, length, TONES.index(tone.value), 0)
            line, column = place.line, place.column
    return types.SemanticTokens(data=data)


def _position(offset: int, positions: Positions) -> types.Position:
    place = positions.place(offset)
    return types.Position(line=place.line, character=place.column)


def _markdown(text: str) -> types.MarkupContent:
    return types.MarkupContent(kind=types.MarkupKind.Markdown, value=text)
