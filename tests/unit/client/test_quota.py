"""The gateway's quota: when requests slow down, by how much, and when nobody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.cassettes.scripted import ScriptedTransport, text_response
from orchestrator.client.http.quota import PacedTransport, Quota, QuotaPolicy
from orchestrator.client.http.transport import Request, Response
from orchestrator.clock import FrozenClock
from orchestrator.errors import RateLimited

REQUEST = Request(method="GET", path="x")
FINE = text_response("fine")


def left(remaining: object, *, limit: object = 6000) -> Response:
    return text_response(
        "fine",
        headers={"x-ratelimit-limit": str(limit), "x-ratelimit-remaining": str(remaining)},
    )


def refused(**headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return text_response("slow down", status=429, headers=named)


def paced(*steps: Response) -> tuple[PacedTransport, ScriptedTransport, FrozenClock]:
    clock = FrozenClock(datetime(2026, 3, 10, tzinfo=UTC))
    inner = ScriptedTransport(*steps)
    return PacedTransport(inner, clock=clock), inner, clock


@pytest.mark.parametrize(
    ("limit", "remaining", "expected_s"),
    [
        (6000, 6000, 0),
        (6000, 1200, 0),
        (6000, 1199, 60 / 1199),
        (6000, 600, 0.1),
        (6000, 60, 1),
        (6000, 12, 5),
        (6000, 1, 5),
        (6000, 0, 5),
        (10, 1, 5),
        (10, 2, 0),
        (0, 0, 0),
    ],
)
def test_spacing_by_what_is_left(limit: int, remaining: int, expected_s: float) -> None:
    spacing = QuotaPolicy().spacing(limit, remaining)

    assert spacing.total_seconds() == pytest.approx(expected_s, abs=1e-6)


def test_pace_never_spends_more_than_what_is_left_in_a_minute() -> None:
    policy, remaining, elapsed = QuotaPolicy(), 1199, timedelta(0)
    while elapsed < timedelta(minutes=1):
        remaining -= 1
        elapsed += policy.spacing(6000, remaining)

    assert remaining > 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-limit": "6000"},
        {"x-ratelimit-remaining": "0"},
        {"x-ratelimit-limit": "many", "x-ratelimit-remaining": "0"},
        {"x-ratelimit-limit": "6000", "x-ratelimit-remaining": "-1"},
    ],
)
def test_answer_that_does_not_say_both_numbers_changes_nothing(headers: Mapping[str, str]) -> None:
    quota = Quota()
    quota.sent(0.0)

    quota.told(headers)

    assert quota.wait(0.0) == timedelta(0)


async def test_requests_are_spaced_before_the_quota_is_used_up() -> None:
    transport, inner, clock = paced(left(6000), left(600), left(300), left(6000), FINE)

    waited = []
    for _ in range(5):
        began = clock.monotonic()
        await transport.send(REQUEST)
        waited.append(clock.monotonic() - began)

    assert waited == pytest.approx([0, 0, 0.1, 0.2, 0])
    assert inner.left == 0


async def test_time_that_passed_anyway_counts() -> None:
    transport, _, clock = paced(left(60), FINE)
    await transport.send(REQUEST)
    clock.advance(timedelta(seconds=0.75))

    await transport.send(REQUEST)

    assert clock.monotonic() == pytest.approx(1)


async def test_after_a_refusal_the_others_wait_as_long_as_was_said() -> None:
    transport, _, clock = paced(refused(retry_after="3"), FINE)

    assert (await transport.send(REQUEST)).status == 429
    assert (await transport.send(REQUEST)).status == 200
    assert clock.monotonic() == pytest.approx(3)


async def test_after_a_long_refusal_nobody_asks() -> None:
    until = str(int(datetime(2026, 3, 10, 0, 0, 40, tzinfo=UTC).timestamp()))
    transport, inner, clock = paced(refused(x_ratelimit_retryafter=until), FINE)
    await transport.send(REQUEST)

    with pytest.raises(RateLimited, match="GET x: the gateway's quota is used up") as caught:
        await transport.send(REQUEST)

    assert caught.value.retry_after == timedelta(seconds=40)
    assert len(inner.requests) == 1
    clock.advance(timedelta(seconds=40))
    assert (await transport.send(REQUEST)).status == 200


async def test_refusal_for_ever_ends_with_the_minute() -> None:
    transport, _, clock = paced(refused(retry_after="999999999"), FINE)
    await transport.send(REQUEST)

    clock.advance(timedelta(minutes=1))

    assert (await transport.send(REQUEST)).status == 200


async def test_opened_answers_are_paced_too() -> None:
    transport, inner, clock = paced(left(60), left(60))
    for _ in range(2):
        async with transport.open(REQUEST):
            pass
    await transport.close()

    assert clock.monotonic() == pytest.approx(1)
    assert inner.is_closed
