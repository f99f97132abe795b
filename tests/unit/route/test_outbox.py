from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.model.notification import DeliveryReason
from orchestrator.route.outbox import RetryPolicy, full_jitter, lease_suffices, next_attempt
from tests.unit.route.making import NOW, make_entry

POLICY = RetryPolicy()


@pytest.mark.parametrize(("attempts", "upper"), [(1, 5), (2, 10), (5, 80), (9, 900), (10_000, 900)])
def test_full_jitter_doubles_up_to_the_cap(attempts: int, upper: int) -> None:
    assert full_jitter(attempts, fraction=0.5) == timedelta(seconds=upper) * 0.5


def test_full_jitter_never_hammers() -> None:
    assert full_jitter(1, fraction=0.0) == POLICY.least


@pytest.mark.parametrize(("asked", "waits"), [(30, 30), (-1, 1), (86_400, 3_600), (0, 1)], ids=str)
def test_retry_after_is_honoured_and_clamped(asked: int, waits: int) -> None:
    at = next_attempt(1, DeliveryReason.RATE_LIMITED, timedelta(seconds=asked), NOW, fraction=0.0)

    assert at == NOW + timedelta(seconds=waits)


def test_refused_is_dead_at_once() -> None:
    assert next_attempt(1, DeliveryReason.REFUSED, None, NOW, fraction=0.5) is None


@pytest.mark.parametrize("reason", [DeliveryReason.SERVER_FAILED, DeliveryReason.UNCERTAIN])
def test_poison_ends_after_its_attempts(reason: DeliveryReason) -> None:
    last = POLICY.max_attempts

    assert next_attempt(last - 1, reason, None, NOW, fraction=0.5) is not None
    assert next_attempt(last, reason, None, NOW, fraction=0.5) is None


@pytest.mark.parametrize("reason", [DeliveryReason.RATE_LIMITED, DeliveryReason.UNREACHABLE])
def test_an_outage_ends_by_age_only(reason: DeliveryReason) -> None:
    young, old = NOW - timedelta(days=1), NOW - timedelta(days=4)

    assert next_attempt(500, reason, None, NOW, fraction=0.5, created_at=young) is not None
    assert next_attempt(500, reason, None, NOW, fraction=0.5, created_at=old) is None


@pytest.mark.parametrize(
    "reason",
    [DeliveryReason.UNAUTHORIZED, DeliveryReason.NOT_FOUND, DeliveryReason.MISCONFIGURED],
)
def test_what_a_person_must_mend_is_parked(reason: DeliveryReason) -> None:
    assert next_attempt(1, reason, None, NOW, fraction=0.9) == NOW + POLICY.parked


@pytest.mark.parametrize("reason", DeliveryReason)
def test_every_reason_has_a_fate(reason: DeliveryReason) -> None:
    at = next_attempt(1, reason, None, NOW, fraction=0.5)

    assert (at is None) == (reason is DeliveryReason.REFUSED)


def test_lease_must_outlive_the_send() -> None:
    entry = make_entry(lease_until=NOW + timedelta(seconds=30))

    assert lease_suffices(entry, now=NOW, needed=timedelta(seconds=30))
    assert not lease_suffices(entry, now=NOW, needed=timedelta(seconds=31))
