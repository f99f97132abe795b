from __future__ import annotations

import pytest

from orchestrator.store import rows
from orchestrator.store.storable import Json, storable, storable_json
from tests.unit.store.making import NOON, RECEIPT, make_delivery, make_entry, make_finding


def test_finding_survives_its_document_whole() -> None:
    finding = make_finding()

    assert rows.finding_from_document(rows.finding_to_document(finding)) == finding


def test_finding_document_keeps_the_order_of_fields() -> None:
    finding = make_finding(fields={"z": "1", "a": "2", "m": "3"})

    stored = rows.finding_from_document(rows.finding_to_document(finding))

    assert list(stored.fields) == ["z", "a", "m"]


def test_notification_document_is_byte_equal_for_equal_values() -> None:
    """A second send renders from the stored value, so it must come back the same."""
    notification = make_entry(make_finding()).notification
    text = rows.notification_to_document(notification)

    assert rows.notification_from_document(text) == notification
    assert rows.notification_to_document(rows.notification_from_document(text)) == text


def test_receipt_survives_its_document_whole() -> None:
    assert rows.receipt_from_document(rows.receipt_to_document(RECEIPT)) == RECEIPT


def test_entry_and_delivery_survive_their_rows() -> None:
    entry = make_entry(make_finding())
    delivery = make_delivery(entry)

    assert rows.entry_from_row(rows.entry_to_row(entry)) == entry
    assert rows.delivery_from_row(rows.delivery_to_row(delivery)) == delivery


def test_finding_row_has_the_columns_that_queries_use() -> None:
    row = rows.finding_to_row(make_finding(), updated_at=NOON)

    assert (row["state"], row["severity"], row["score"]) == ("open", "high", 70)
    assert row["updated_at_ms"] == 1_773_144_000_000


def test_finding_of_an_unknown_state_is_refused() -> None:
    text = rows.finding_to_document(make_finding()).replace('"open"', '"ajar"')

    with pytest.raises(ValueError, match="ajar"):
        rows.finding_from_document(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("naïve \U0001f600 \u202e", "naïve \U0001f600 \u202e"),
        ("a\0b\0", "a\u2400b\u2400"),
        ("\ud83d", "\ufffd"),
        ("x\udfff\ud800y", "x\ufffd\ufffdy"),
    ],
)
def test_storable_replaces_only_what_cannot_be_stored(text: str, expected: str) -> None:
    assert storable(text) == expected
    assert storable(text).encode()


def test_storable_json_reaches_keys_and_depths() -> None:
    hostile: Json = {"k\0": [{"\ud800": "v\0"}, 1, None, True, 0.5]}

    assert storable_json(hostile) == {"k\u2400": [{"\ufffd": "v\u2400"}, 1, None, True, 0.5]}
