"""A language server for CQL: what `orchestrator lint` knows, in the editor, while one types.

Everything but `server` and `wire` is pure: text and an offset in, a value out, so each answer is
tested without an editor. `server` keeps the documents and speaks the protocol; `wire` turns values
into its types. Both need the extra `lsp` (pygls); nothing else in the product does.
"""
