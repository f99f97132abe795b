"""Event files and their chunks: packings, damage, marks, long lines, what a path names."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from orchestrator.engine.sources import files
from orchestrator.engine.sources.files import Chunk, Packing, Skipped, find_files, read_chunks


def chunks_of(path: Path) -> tuple[list[Chunk], Skipped]:
    skipped = Skipped()
    (file,) = find_files([path])
    return list(read_chunks(file, skipped=skipped)), skipped


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize(
    ("name", "data", "packing"),
    [
        ("a", b"one\ntwo\n", Packing.PLAIN),
        (
            "part-0000",
            gzip.compress(b"one\n", mtime=0) + gzip.compress(b"two\n", mtime=0),
            Packing.GZIP,
        ),
        ("padded", gzip.compress(b"one\ntwo\n", mtime=0) + b"\0" * 100, Packing.GZIP),
        ("b.bin", zstd(b"one\n") + zstd(b"two\n"), Packing.ZSTD),
    ],
)
def test_packing_is_told_by_content_and_all_members_are_read(
    tmp_path: Path, name: str, data: bytes, packing: Packing
) -> None:
    path = written(tmp_path / name, data)

    found, skipped = chunks_of(path)

    assert find_files([path])[0].packing is packing
    assert b"".join(chunk.data for chunk in found) == b"one\ntwo\n"
    assert (skipped.lines, skipped.problems) == (0, [])


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (gzip.compress(b"line\n" * 100, mtime=0)[:-9], "the gzip data breaks off after"),
        (
            gzip.compress(b"line\n" * 100, mtime=0) + b"garbage",
            "the gzip data is damaged after 500 bytes",
        ),
        (zstd(b"line\n" * 100)[:-1], "the zstd data breaks off after"),
        (zstd(b"line\n" * 100) + b"garbage", "the zstd data is damaged after 500 bytes"),
    ],
)
def test_damaged_file_is_named_and_gives_what_came_before(
    tmp_path: Path, data: bytes, problem: str
) -> None:
    _, skipped = chunks_of(written(tmp_path / "e.gz", data))

    assert skipped.lines == 0
    assert skipped.problems[0].startswith(f"e.gz: {problem}")


def test_truncated_gzip_keeps_the_lines_before_the_end(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b"line %d\n" % n for n in range(5000)))

    found, _ = chunks_of(written(tmp_path / "e.gz", packed[: len(packed) // 2]))

    assert b"".join(c.data for c in found).startswith(b"line 0\nline 1\n")


def test_utf8_mark_is_dropped_and_utf16_is_named(tmp_path: Path) -> None:
    marked, _ = chunks_of(written(tmp_path / "a", b"\xef\xbb\xbf{}\n"))
    nothing, skipped = chunks_of(written(tmp_path / "b", "{}\n".encode("utf-16")))

    assert [chunk.data for chunk in marked] == [b"{}\n"]
    assert nothing == []
    assert "UTF-16" in skipped.problems[0]


def test_chunks_hold_whole_lines_and_count_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK_BYTES", 10)

    found, _ = chunks_of(written(tmp_path / "a", b"aaaa\nbbbb\ncccccccc\nd"))

    assert [(c.data, c.first_line) for c in found] == [
        (b"aaaa\nbbbb\n", 0), (b"cccccccc\n", 2), (b"d", 3),
    ]  # fmt: skip


def test_line_longer_than_an_event_is_given_as_such_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK_BYTES", 10)
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 25)

    found, _ = chunks_of(written(tmp_path / "a", b"a\n" + b"x" * 100 + b"\nb\n"))

    shown = [(c.data, c.first_line, c.is_overlong) for c in found]
    assert shown[0][0].startswith(b"a\n")
    assert (b"", 1, True) in shown
    assert shown[-1] == (b"b\n", 2, False)


def test_empty_file_has_no_chunks(tmp_path: Path) -> None:
    assert chunks_of(written(tmp_path / "a", b"")) == ([], Skipped())


def test_folders_and_patterns_name_files_once_in_order(tmp_path: Path) -> None:
    (tmp_path / "in" / ".hidden").mkdir(parents=True)
    for name in ("b.ndjson", "a.json.gz", "notes.txt", "in/c.jsonl", "in/.hidden/d.ndjson"):
        written(tmp_path / name, b"")

    by_folder = [file.name for file in find_files([tmp_path])]
    by_pattern = [file.name for file in find_files([f"{tmp_path}/*.ndjson", tmp_path / "b.ndjson"])]

    assert by_folder == ["a.json.gz", "b.ndjson", "c.jsonl"]
    assert by_pattern == ["b.ndjson"]


@pytest.mark.parametrize("name", ["none.ndjson", "none/*.ndjson", "empty"])
def test_path_that_names_nothing_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(FileNotFoundError):
        find_files([tmp_path / name])


def test_only_the_first_problems_are_named() -> None:
    skipped = Skipped()
    for number in range(50):
        skipped.note(f"f:{number}", "bad")

    assert (skipped.lines, len(skipped.problems)) == (50, files.NAMED_PROBLEMS)
