"""Compressed answers, unpacked piece by piece, and told apart from those that end too early.

The HTTP library takes a compressed body that stops in the middle for a whole one, as long as it has
the length that its head names; half a lookup file would then look like a file. And it unpacks what
arrived at once, so that a small answer may fill the memory before anybody counts: here no piece
is larger than `PIECE_BYTES`.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, AsyncIterator

from orchestrator.errors import AnswerCutOff, UnexpectedResponse

PIECE_BYTES = 1024 * 1024
KNOWN = frozenset({"gzip", "x-gzip"})
"""Encodings that are unpacked here; the library has others."""
_GZIP_WINDOW = zlib.MAX_WBITS | 16
_ADVICE = "Try again; if it stays, something between here and the server cuts answers off"


async def unpacked(pieces: AsyncIterable[bytes], *, method: str, path: str) -> AsyncIterator[bytes]:
    """Yield a gzipped body unpacked, in pieces of at most `PIECE_BYTES`.

    Args:
        pieces: The body as it arrives.
        method: Of the request, for errors.
        path: Of the same.

    Raises:
        AnswerCutOff: The body ends in the middle.
        UnexpectedResponse: It is not gzip.
    """
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    is_empty = True
    async for piece in pieces:
        rest = piece
        while rest:
            is_empty = False
            if unpacker.eof:
                # Several gzip files behind each other are one.
                unpacker = zlib.decompressobj(_GZIP_WINDOW)
            try:
                content = unpacker.decompress(rest, PIECE_BYTES)
            except zlib.error as exc:
                problem = "the answer's compression is broken"
                raise UnexpectedResponse(problem, method=method, path=path) from exc
            rest = unpacker.unconsumed_tail or unpacker.unused_data
            if content:
                yield content
    # Nothing at all is what an answer without a body holds, such as one to HEAD.
    if not is_empty and not unpacker.eof:
        problem = "the compressed answer ends in the middle"
        raise AnswerCutOff(problem, method=method, path=path, advice=_ADVICE)
