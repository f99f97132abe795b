"""Every driver failure becomes one of ours, by its code."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from orchestrator.errors import StoreBusy, StoreConflict, StoreError, StoreFull
from orchestrator.store.failures import is_retryable, translate


class DriverError(Exception):
    """Carries what the drivers' exceptions carry."""

    def __init__(self, *, sqlite_errorcode: int | None = None, sqlstate: str | None = None) -> None:
        super().__init__("the driver's words\nand a hint with the row's values")
        self.sqlite_errorcode, self.sqlstate = sqlite_errorcode, sqlstate


def failure(*, code: int | None = None, state: str | None = None) -> OperationalError:
    return OperationalError("", {}, DriverError(sqlite_errorcode=code, sqlstate=state))


@pytest.mark.parametrize(
    ("exc", "expected", "text"),
    [
        (failure(code=sqlite3.SQLITE_FULL), StoreFull, "disk is full"),
        (failure(code=sqlite3.SQLITE_IOERR_WRITE), StoreFull, "disk is full"),
        (failure(code=sqlite3.SQLITE_IOERR_SHMSIZE), StoreFull, "disk is full"),
        (failure(code=sqlite3.SQLITE_CORRUPT), StoreError, "damaged"),
        (failure(code=sqlite3.SQLITE_CORRUPT_INDEX), StoreError, "damaged"),
        (failure(code=sqlite3.SQLITE_NOTADB), StoreError, "damaged"),
        (failure(code=sqlite3.SQLITE_BUSY), StoreBusy, "another program"),
        (failure(code=sqlite3.SQLITE_BUSY_SNAPSHOT), StoreBusy, "another program"),
        (failure(code=sqlite3.SQLITE_READONLY), StoreError, "cannot be written"),
        (failure(code=sqlite3.SQLITE_READONLY_DBMOVED), StoreError, "cannot be written"),
        (failure(code=sqlite3.SQLITE_IOERR_READ), StoreError, "the driver's words"),
        (failure(code=sqlite3.SQLITE_CONSTRAINT_UNIQUE), StoreConflict, "same row"),
        (failure(state="53100"), StoreFull, "disk is full"),
        (failure(state="23505"), StoreConflict, "same row"),
        (failure(state="28P01"), StoreError, "the driver's words"),
        (
            IntegrityError("", {}, DriverError(sqlstate="23503")),
            StoreError,
            "breaks a rule of the schema",
        ),
    ],
)
def test_translate_decides_by_code(
    exc: OperationalError, expected: type[StoreError], text: str
) -> None:
    translated = translate(exc, path="state.db")

    assert type(translated) is expected
    assert str(translated).startswith("state.db: ")
    assert text in str(translated)


def test_translate_leaves_out_what_the_driver_adds_below_its_first_line() -> None:
    assert "hint" not in str(translate(failure(state="XX000"), path="x"))


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (failure(state="40001"), True),
        (failure(state="40P01"), True),
        (failure(state="55P03"), True),
        (failure(state="08006"), True),
        (failure(state="57P01"), True),
        (failure(state="57014"), False),
        (failure(state="53100"), False),
        (failure(code=sqlite3.SQLITE_BUSY), False),
    ],
)
def test_is_retryable_holds_for_what_a_fresh_transaction_may_mend(
    exc: OperationalError, expected: bool
) -> None:
    assert is_retryable(exc) is expected
