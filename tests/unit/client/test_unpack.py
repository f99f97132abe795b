"""Gzipped bodies: whole ones come out whole however they arrive, cut ones are told."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.client.http.unpack import PIECE_BYTES, unpacked
from orchestrator.errors import AnswerCutOff, UnexpectedResponse


async def arriving(body: bytes, *, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, *, size: int = 7) -> list[bytes]:
    pieces = unpacked(arriving(body, size=size), method="GET", path="p")
    return [piece async for piece in pieces]


@given(content=st.binary(max_size=300), size=st.integers(1, 40))
async def test_whole_body_comes_out_however_it_is_cut_on_the_way(content: bytes, size: int) -> None:
    assert b"".join(await read(gzip.compress(content), size=size)) == content


async def test_several_bodies_behind_each_other_are_one() -> None:
    assert b"".join(await read(gzip.compress(b"one ") + gzip.compress(b"two"))) == b"one two"


async def test_no_body_is_no_body() -> None:
    assert await read(b"") == []


@pytest.mark.parametrize("missing", [1, 8, 9, 20])
async def test_body_that_ends_in_the_middle_is_told(missing: int) -> None:
    with pytest.raises(AnswerCutOff, match="GET p: the compressed answer ends in the middle"):
        await read(gzip.compress(b"a row of a lookup file")[:-missing])


@pytest.mark.parametrize("body", [b"plain text", gzip.compress(b"x", mtime=0) + b"and more"])
async def test_body_that_is_not_gzip_is_told(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse, match="compression is broken"):
        await read(body)


async def test_small_body_that_unpacks_to_much_comes_in_small_pieces() -> None:
    pieces = await read(gzip.compress(b"0" * (3 * PIECE_BYTES)), size=1_000_000)

    assert max(len(piece) for piece in pieces) == PIECE_BYTES
    assert sum(len(piece) for piece in pieces) == 3 * PIECE_BYTES
