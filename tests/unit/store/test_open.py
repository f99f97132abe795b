"""Opening and losing a SQLite file: locks, modes, damage, full disks, schemas."""
# ruff: noqa: ASYNC240 -- a test has its loop to itself

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestrator.clock import FrozenClock
from orchestrator.errors import MigrationError, StoreBusy, StoreError, StoreFull
from orchestrator.model.finding import FindingState
from orchestrator.store import SqlStore, Store, database, open_store
from orchestrator.store.migrate import head_revision, migrate
from orchestrator.store.schema import METADATA
from tests.unit.store.making import (
    LEASE,
    NOON,
    RULE,
    claim,
    commit,
    make_finding,
    must_claim,
    window,
)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


async def filled(path: Path, clock: FrozenClock, *, count: int = 1) -> None:
    async with open_store(path, clock=clock) as store:
        findings = [make_finding(f"ci-{number}") for number in range(count)]
        await commit(store, await must_claim(store), *findings, receivers=("slack",))


def pragma(path: Path, name: str) -> object:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]
    finally:
        connection.close()


async def test_open_makes_a_private_file_in_wal_mode(path: Path, clock: FrozenClock) -> None:
    async with open_store(str(path), clock=clock):
        modes = {entry.name: entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()}

    assert set(modes) == {"state.db", "state.db-wal", "state.db-shm", "state.db.lock"}
    assert set(modes.values()) == {0o600}
    assert pragma(path, "journal_mode") == "wal"


async def test_open_narrows_the_mode_of_an_existing_file(path: Path, clock: FrozenClock) -> None:
    await filled(path, clock)
    path.chmod(0o644)

    async with open_store(path, clock=clock):
        assert path.stat().st_mode & 0o777 == 0o600


async def test_writer_waits_for_the_disk_at_each_commit(path: Path, clock: FrozenClock) -> None:
    async with open_store(path, clock=clock) as store:
        assert isinstance(store, SqlStore)
        assert store._writer is not None
        names = ("synchronous", "foreign_keys", "journal_mode")
        values = await store._writer.run(
            lambda c: [c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]
        )

    assert values == [2, 1, "wal"]


async def test_reader_cannot_write(path: Path, clock: FrozenClock) -> None:
    async with open_store(path, clock=clock) as store:
        assert isinstance(store, SqlStore)
        with pytest.raises(StoreError, match="cannot be written"):
            await store._reader.run(lambda c: c.exec_driver_sql("DELETE FROM run"))


async def test_open_again_finds_everything(path: Path, clock: FrozenClock) -> None:
    await filled(path, clock)

    async with open_store(path, clock=clock) as store:
        assert await store.findings() == [make_finding("ci-0")]
        assert await store.watermark(RULE) == window(0).end


async def test_open_of_a_held_file_is_busy_and_says_what_to_do(
    path: Path, clock: FrozenClock
) -> None:
    async with open_store(path, clock=clock):
        with pytest.raises(StoreBusy, match=rf"state.db: process {os.getpid()} holds.*Stop it"):
            async with open_store(path, clock=clock):
                pass


async def test_open_of_a_file_held_by_another_process_is_busy(
    path: Path, clock: FrozenClock
) -> None:
    program = (
        "import sys, pathlib\n"
        "from orchestrator.store.lockfile import LockFile\n"
        "lock = LockFile(pathlib.Path(sys.argv[1]))\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    arguments = [sys.executable, "-c", program, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe) as holder:  # noqa: ASYNC220
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreBusy, match=f"process {holder.pid} holds"):
            async with open_store(path, clock=clock):
                pass
        holder.kill()

    async with open_store(path, clock=clock) as store:
        assert await store.runs() == []


async def test_open_beside_a_foreign_write_lock_is_busy(
    path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(path, clock)
    monkeypatch.setattr("orchestrator.store.connection.BUSY_TIMEOUT_S", 0.0)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreBusy, match="another program"):
            async with open_store(path, clock=clock):
                pass
    finally:
        foreign.close()


async def test_open_for_reading_works_beside_the_owner(path: Path, clock: FrozenClock) -> None:
    async with open_store(path, clock=clock) as owner:
        await commit(owner, await must_claim(owner), make_finding())
        async with open_store(path, clock=clock, read_only=True) as store:
            assert await store.findings() == [make_finding()]
            with pytest.raises(StoreError, match="reading only"):
                await claim(store, 1)
        await commit(owner, await must_claim(owner, 1))

        assert await owner.check() == []


async def test_open_for_reading_works_with_nobody_there(path: Path, clock: FrozenClock) -> None:
    await filled(path, clock)

    async with open_store(path, clock=clock, read_only=True) as store:
        assert len(await store.findings()) == 1


async def test_open_for_reading_of_nothing_is_refused(path: Path, clock: FrozenClock) -> None:
    with pytest.raises(StoreError, match="no database yet"):
        async with open_store(path, clock=clock, read_only=True):
            pass

    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("missing/state.db", "no such folder"),
        ("mysql://host/db", "not a known database"),
        (".", "cannot be written"),
    ],
)
async def test_open_of_an_impossible_place_is_refused(
    tmp_path: Path,
    clock: FrozenClock,
    location: str,
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    place = "here" if location == "." else location

    with pytest.raises(StoreError, match=problem):
        async with open_store(place, clock=clock):
            pass


async def test_open_of_something_else_is_refused_and_left_alone(
    path: Path, clock: FrozenClock
) -> None:
    path.write_text("not a database, but somebody's notes\n" * 100)
    before = path.read_bytes()

    with pytest.raises(StoreError, match=r"damaged.*\.recover"):
        async with open_store(path, clock=clock):
            pass

    assert path.read_bytes() == before


async def test_open_of_a_damaged_file_is_refused_and_left_alone(
    path: Path, clock: FrozenClock
) -> None:
    await filled(path, clock, count=300)
    damaged = bytearray(path.read_bytes())
    for offset in range(8 * 4096, len(damaged), 4096):
        damaged[offset : offset + 64] = b"\xff" * 64
    path.write_bytes(damaged)

    with pytest.raises(StoreError, match=r"damaged. It was left as it is.*newest backup"):
        async with open_store(path, clock=clock):
            pass

    assert path.read_bytes() == bytes(damaged)


async def test_write_on_a_full_disk_rolls_back_and_the_store_goes_on(
    path: Path, clock: FrozenClock
) -> None:
    async with open_store(path, clock=clock) as store:
        run = await must_claim(store)
        await set_pages(store, limit=30)
        findings = [make_finding(f"ci-{number}") for number in range(500)]

        with pytest.raises(StoreFull, match="disk is full"):
            await commit(store, run, *findings, receivers=("slack",))

        assert await store.findings() == []
        assert await store.watermark(RULE) == window(0).start
        await set_pages(store, limit=1_000_000)
        await commit(store, run, *findings, receivers=("slack",))
        assert len(await store.findings(limit=1_000)) == 500
        assert await store.check() == []


async def set_pages(store: Store, *, limit: int) -> None:
    """Make the file unable to grow past `limit` pages: SQLite then says that the disk is full."""
    assert isinstance(store, SqlStore)
    assert store._writer is not None
    await store._writer.run(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {limit}"))


async def test_write_to_a_replaced_file_is_refused(path: Path, clock: FrozenClock) -> None:
    """Fault E4."""
    async with open_store(path, clock=clock) as store:
        path.rename(path.with_name("moved.db"))
        with pytest.raises(StoreError, match="is gone"):
            await claim(store)
        path.write_bytes(b"")
        with pytest.raises(StoreError, match="was replaced"):
            await claim(store)


# Schemas


async def test_migrated_schema_is_the_one_that_queries_use(path: Path, clock: FrozenClock) -> None:
    await filled(path, clock)
    migrated = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(path))
    declared = sa.create_engine("sqlite://")
    METADATA.create_all(declared)

    assert described(migrated) == described(declared)
    migrated.dispose()
    declared.dispose()


def described(engine: sa.Engine) -> dict[str, object]:
    inspector = sa.inspect(engine)
    return {
        table: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)],
            inspector.get_pk_constraint(table)["constrained_columns"],
            sorted(str(u["column_names"]) for u in inspector.get_unique_constraints(table)),
            sorted(str(f["referred_table"]) for f in inspector.get_foreign_keys(table)),
            sorted(
                (str(i["name"]), str(i["column_names"]), bool(i["unique"]))
                for i in inspector.get_indexes(table)
            ),
            sorted(str(c["name"]) for c in inspector.get_check_constraints(table)),
        )
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


async def test_info_names_schema_and_library(path: Path, clock: FrozenClock) -> None:
    async with open_store(path, clock=clock) as store:
        info = await store.info()

    assert (info.path, info.schema) == (str(path), head_revision())
    assert info.engine == f"SQLite {sqlite3.sqlite_version}"
    assert info.size_bytes > 0
    assert bool(info.warnings) == (sqlite3.sqlite_version_info < (3, 51, 3))


async def test_open_of_a_newer_schema_is_refused(path: Path, clock: FrozenClock) -> None:
    await filled(path, clock)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()

    for read_only in (False, True):
        with pytest.raises(MigrationError, match="9999 is newer than this program"):
            async with open_store(path, clock=clock, read_only=read_only):
                pass


async def test_migrate_of_a_newer_schema_is_refused(path: Path, clock: FrozenClock) -> None:
    await filled(path, clock)
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(path))
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
            with pytest.raises(MigrationError, match="9999 is newer"):
                migrate(connection, path="state.db")
    finally:
        engine.dispose()


STEP = '''
"""A later step."""
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("run", sa.Column("note", sa.Text))
    {after}
'''


@pytest.fixture
def later_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the scripts of a program one schema on; its last step is a file to be written."""
    scripts = tmp_path / "program" / "migrations"
    (scripts / "versions").mkdir(parents=True)
    source = Path(database.__file__).parent / "migrations"
    for name in ("env.py", "versions/r0001_first_schema.py"):
        (scripts / name).write_text((source / name).read_text(encoding="utf-8"), encoding="utf-8")
    return scripts


async def test_migration_adds_to_what_is_there(
    path: Path, clock: FrozenClock, later_program: Path
) -> None:
    await filled(path, clock)
    step = later_program / "versions" / "r0002.py"
    step.write_text(STEP.format(after="pass"), encoding="utf-8")
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(path))

    with engine.begin() as connection:
        reached = migrate(connection, path="state.db", scripts=later_program)
    with engine.begin() as connection:
        columns = {column["name"] for column in sa.inspect(connection).get_columns("run")}
        rows = connection.exec_driver_sql("SELECT count(*) FROM run").scalar()
    engine.dispose()

    assert (reached, "note" in columns, rows) == ("0002", True, 1)


async def test_migration_that_fails_leaves_nothing_behind(
    path: Path, clock: FrozenClock, later_program: Path
) -> None:
    await filled(path, clock)
    step = later_program / "versions" / "r0002.py"
    step.write_text(STEP.format(after='op.execute("INSERT INTO nowhere VALUES (1)")'))
    engine = sa.create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(path, isolation_level=None)
    )

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with (
        pytest.raises(MigrationError, match=r"from 0001 to 0002 failed and was\s+rolled back"),
        engine.begin() as connection,
    ):
        migrate(connection, path="state.db", scripts=later_program)
    engine.dispose()

    async with open_store(path, clock=clock) as store:
        assert len(await store.runs()) == 1


async def test_backup_before_a_migration_is_private_and_whole(
    path: Path, clock: FrozenClock
) -> None:
    await filled(path, clock)
    target = path.with_name("copy.db")
    database._back_up(path, target)

    assert target.stat().st_mode & 0o777 == 0o600
    async with open_store(target, clock=clock) as store:
        assert await store.findings() == [make_finding("ci-0")]


async def test_check_names_holes_and_watermarks_out_of_step(path: Path, clock: FrozenClock) -> None:
    async with open_store(path, clock=clock) as store:
        for index in range(3):
            await commit(store, await must_claim(store, index))
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM run WHERE start_ms = ?", [window(1).start.timestamp() * 1000])
    connection.execute("UPDATE watermark SET at_ms = at_ms + 300000")
    connection.commit()
    connection.close()

    async with open_store(path, clock=clock) as store:
        hole, mark = await store.check()

    assert "hole between 2026-03-10T12:05:00Z and 2026-03-10T12:10:00Z" in hole
    assert "the watermark 2026-03-10T12:20:00Z is not the end" in mark


async def test_no_open_transaction_survives_a_refused_write(path: Path, clock: FrozenClock) -> None:
    async with open_store(path, clock=clock) as store:
        run = await must_claim(store)
        bad = make_finding(revision=7, state=FindingState.OPEN)
        with pytest.raises(StoreError):
            await commit(store, run, bad)

        renewed = await store.renew(run, lease=LEASE + timedelta(minutes=1))

    assert renewed.epoch == 1
