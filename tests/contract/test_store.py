"""One suite for every store: memory, SQLite, and PostgreSQL where a server is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.clock import FrozenClock
from orchestrator.errors import LeaseLost, StoreConflict, StoreError
from orchestrator.ids import EntryId, RuleId
from orchestrator.model.finding import FindingState
from orchestrator.model.notification import DeliveryReason, DeliveryState
from orchestrator.model.run import RunState
from orchestrator.model.window import Window
from orchestrator.store import Store
from tests.unit.store.backends import KINDS, opened
from tests.unit.store.making import (
    LEASE,
    NOON,
    OTHER_RULE,
    RECEIPT,
    RULE,
    claim,
    commit,
    make_delivery,
    make_entry,
    make_finding,
    must_claim,
    window,
)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON + timedelta(hours=1))


@pytest.fixture(params=KINDS)
async def store(
    request: pytest.FixtureRequest, clock: FrozenClock, tmp_path: Path
) -> AsyncIterator[Store]:
    async with opened(request.param, clock=clock, folder=tmp_path) as opened_store:
        yield opened_store


# Watermarks and claims


async def test_watermark_of_a_new_rule_is_none(store: Store) -> None:
    assert await store.watermark(RULE) is None


async def test_start_watermark_twice_keeps_the_first(store: Store) -> None:
    await store.start_watermark(RULE, NOON)
    await store.start_watermark(RULE, NOON + timedelta(hours=1))

    assert await store.watermark(RULE) == NOON


async def test_claim_returns_the_running_claim(store: Store, clock: FrozenClock) -> None:
    run = await must_claim(store)

    assert run.state is RunState.RUNNING
    assert (run.attempt, run.epoch, run.owner) == (1, 1, "a")
    assert run.window == window(0)
    assert run.lease_until == clock.now() + LEASE
    assert await store.watermark(RULE) == window(0).start


async def test_claim_of_a_held_window_is_refused(store: Store) -> None:
    await must_claim(store)

    assert await claim(store, owner="b") is None


async def test_claim_after_the_lease_ended_takes_over(store: Store, clock: FrozenClock) -> None:
    await must_claim(store)
    clock.advance(LEASE)

    run = await must_claim(store, owner="b")

    assert (run.owner, run.epoch, run.attempt) == ("b", 2, 2)


async def test_claim_of_a_later_window_would_leave_a_hole_and_is_refused(store: Store) -> None:
    await store.start_watermark(RULE, window(0).start)

    assert await claim(store, 1) is None


async def test_claim_of_a_finished_window_is_refused(store: Store) -> None:
    await commit(store, await must_claim(store))

    assert await claim(store) is None


async def test_claim_of_an_earlier_window_is_refused(store: Store) -> None:
    await commit(store, await must_claim(store))

    assert await claim(store, -1) is None


async def test_claims_of_two_rules_do_not_touch(store: Store) -> None:
    await must_claim(store)

    other = await must_claim(store, rule_id=OTHER_RULE)

    assert other.epoch == 1


async def test_claim_on_a_new_grid_waits_for_the_old_lease(
    store: Store, clock: FrozenClock
) -> None:
    """A changed schedule: the same start, another end. The old claim is fenced, not doubled."""
    old = await must_claim(store)
    longer = Window(window(0).start, window(2).end)

    async def claim_longer() -> object:
        return await store.claim(RULE, longer, rule_version="v2", owner="b", lease=LEASE)

    assert await claim_longer() is None
    clock.advance(LEASE)
    assert await claim_longer() is not None
    with pytest.raises(LeaseLost):
        await commit(store, old, make_finding())


async def test_commit_on_a_new_grid_forgets_the_attempts_on_the_old(
    store: Store, clock: FrozenClock
) -> None:
    await must_claim(store)
    clock.advance(LEASE)
    longer = Window(window(0).start, window(2).end)
    run = await store.claim(RULE, longer, rule_version="v2", owner="b", lease=LEASE)
    assert run is not None

    await commit(store, run)

    assert [stored.window for stored in await store.runs()] == [longer]
    assert await store.check() == []


# Renewal, release, gap


async def test_renew_moves_the_end_of_the_lease(store: Store, clock: FrozenClock) -> None:
    run = await must_claim(store)
    clock.advance(LEASE / 2)

    renewed = await store.renew(run, lease=LEASE)

    assert renewed.lease_until == clock.now() + LEASE
    clock.advance(LEASE / 2)
    assert await claim(store, owner="b") is None


async def test_renew_after_a_take_over_is_lost(store: Store, clock: FrozenClock) -> None:
    run = await must_claim(store)
    clock.advance(LEASE)
    await must_claim(store, owner="b")

    with pytest.raises(LeaseLost, match="epoch 1"):
        await store.renew(run, lease=LEASE)


async def test_release_keeps_the_watermark_and_the_reason(store: Store, clock: FrozenClock) -> None:
    run = await must_claim(store)
    await store.release(run, reason="away", retry_at=clock.now() + timedelta(minutes=3))

    [stored] = await store.runs()

    assert (stored.state, stored.reason) == (RunState.DUE, "away")
    assert stored.retry_at == clock.now() + timedelta(minutes=3)
    assert await store.watermark(RULE) == window(0).start


async def test_claim_of_a_released_window_waits_for_its_retry(
    store: Store, clock: FrozenClock
) -> None:
    run = await must_claim(store)
    await store.release(run, reason="away", retry_at=clock.now() + timedelta(minutes=3))

    assert await claim(store) is None
    clock.advance(timedelta(minutes=3))
    again = await must_claim(store)
    assert (again.attempt, again.epoch, again.reason, again.retry_at) == (2, 2, "", None)


async def test_release_without_counting_gives_the_attempt_back(
    store: Store, clock: FrozenClock
) -> None:
    run = await must_claim(store)
    await store.release(run, reason="away", retry_at=clock.now(), count_attempt=False)

    again = await must_claim(store)

    assert (again.attempt, again.epoch) == (1, 2)


async def test_release_repeated_is_harmless(store: Store, clock: FrozenClock) -> None:
    run = await must_claim(store)
    for _ in range(2):
        await store.release(run, reason="away", retry_at=clock.now(), count_attempt=False)

    assert (await must_claim(store)).attempt == 1


async def test_release_after_a_take_over_is_lost(store: Store, clock: FrozenClock) -> None:
    run = await must_claim(store)
    clock.advance(LEASE)
    await must_claim(store, owner="b")

    with pytest.raises(LeaseLost):
        await store.release(run, reason="late", retry_at=clock.now())


async def test_give_up_records_a_gap_and_moves_on(store: Store, clock: FrozenClock) -> None:
    run = await must_claim(store)
    gap = make_finding("gap")
    await store.give_up(run, reason="incomplete", findings=[gap], entries=[make_entry(gap)])

    [stored] = await store.runs()

    assert (stored.state, stored.reason) == (RunState.GAP, "incomplete")
    assert stored.finished_at == clock.now()
    assert await store.watermark(RULE) == window(0).end
    assert await store.findings() == [gap]
    assert [entry.receiver for entry in await store.entries()] == ["slack"]


async def test_give_up_without_a_reason_is_refused(store: Store) -> None:
    run = await must_claim(store)

    with pytest.raises(ValueError, match="reason"):
        await store.give_up(run, reason="")


# Commit


async def test_commit_stores_everything_and_moves_the_watermark(
    store: Store, clock: FrozenClock
) -> None:
    run = await must_claim(store)
    finding = make_finding()
    await commit(store, run, finding, receivers=("slack", "jira"))

    [stored] = await store.runs()

    assert (stored.state, stored.receipt) == (RunState.DONE, RECEIPT)
    assert stored.finished_at == clock.now()
    assert await store.watermark(RULE) == window(0).end
    assert await store.finding(finding.id) == finding
    assert {entry.receiver for entry in await store.entries()} == {"slack", "jira"}


async def test_commit_by_a_fenced_zombie_writes_nothing(store: Store, clock: FrozenClock) -> None:
    zombie = await must_claim(store)
    clock.advance(LEASE)
    await must_claim(store, owner="b")

    with pytest.raises(LeaseLost):
        await commit(store, zombie, make_finding(), receivers=("slack",))

    assert await store.findings() == []
    assert await store.entries() == []
    assert await store.watermark(RULE) == window(0).start


async def test_commit_repeated_by_the_same_claim_is_harmless(store: Store) -> None:
    run = await must_claim(store)
    for _ in range(2):
        await commit(store, run, make_finding(), receivers=("slack",))

    assert len(await store.findings()) == 1
    assert len(await store.entries()) == 1


async def test_commit_after_the_lease_ended_but_before_a_take_over_is_taken(
    store: Store, clock: FrozenClock
) -> None:
    run = await must_claim(store)
    clock.advance(LEASE * 2)
    await commit(store, run)

    assert await store.watermark(RULE) == window(0).end


async def test_commit_of_the_same_window_by_two_owners_yields_one_set(
    store: Store, clock: FrozenClock
) -> None:
    first = await must_claim(store)
    clock.advance(LEASE)
    second = await must_claim(store, owner="b")
    findings = [make_finding("ci-1"), make_finding("ci-2")]
    await commit(store, second, *findings, receivers=("slack",))

    with pytest.raises(LeaseLost):
        await commit(store, first, *findings, receivers=("slack",))

    assert {finding.id for finding in await store.findings()} == {f.id for f in findings}
    assert len(await store.entries()) == 2


@pytest.mark.parametrize("revision", [1, 2])
async def test_commit_of_the_same_or_next_revision_replaces(store: Store, revision: int) -> None:
    await commit(store, await must_claim(store), make_finding())
    seen_again = make_finding(revision=revision, event_count=9)
    await commit(store, await must_claim(store, 1), seen_again)

    assert await store.findings() == [seen_again]


@pytest.mark.parametrize(("stored", "given"), [(0, 2), (1, 3), (2, 1)])
async def test_commit_of_a_revision_not_made_from_the_stored_one_conflicts(
    store: Store, stored: int, given: int
) -> None:
    for revision in range(1, stored + 1):
        run = await must_claim(store, revision)
        await commit(store, run, make_finding(revision=revision))
    run = await must_claim(store, stored + 1)

    with pytest.raises(StoreConflict, match=f"revision {given} is not made from it"):
        await commit(store, run, make_finding("other"), make_finding(revision=given))

    assert len(await store.findings()) == min(stored, 1)
    await store.renew(run, lease=LEASE)  # Nothing was written: the claim still stands.


async def test_commit_of_an_entry_without_its_finding_is_refused(store: Store) -> None:
    run = await must_claim(store)

    with pytest.raises(StoreError, match="not stored"):
        await store.commit(run, findings=[], entries=[make_entry(make_finding())], receipt=RECEIPT)

    assert await store.entries() == []
    assert await store.watermark(RULE) == window(0).start


async def test_commit_of_many_findings_stores_them_all(store: Store) -> None:
    findings = [make_finding(f"ci-{number}") for number in range(1_201)]
    await commit(store, await must_claim(store), *findings)

    latest = await store.latest_findings([finding.fingerprint for finding in findings])

    assert len(latest) == 1_201


async def test_hostile_text_is_stored_visibly_replaced(store: Store) -> None:
    """Neither database takes NUL and lone surrogates as they are; the JSON escapes stay out too."""
    hostile = make_finding(title="a\0b\ud800c", fields={"k\0": "\udfff'); DROP TABLE run;--"})
    await commit(store, await must_claim(store), hostile)

    [stored] = await store.findings()

    assert stored.title == "a\u2400b\ufffdc"
    assert stored.fields == {"k\u2400": "\ufffd'); DROP TABLE run;--"}


# Reading


async def test_latest_findings_are_of_the_newest_generation(store: Store) -> None:
    first = make_finding(state=FindingState.CLOSED)
    second = make_finding(generation=2)
    await commit(store, await must_claim(store), first, second)

    assert await store.latest_findings([first.fingerprint]) == {first.fingerprint: second}


async def test_findings_are_filtered_and_last_seen_first(store: Store) -> None:
    old = make_finding("old", last_seen=NOON + timedelta(minutes=2))
    new = make_finding("new", last_seen=NOON + timedelta(minutes=9))
    hidden = make_finding(
        "hidden", state=FindingState.SUPPRESSED, suppressed_by="ci", last_seen=NOON
    )
    await commit(store, await must_claim(store), old, hidden, new)

    assert await store.findings() == [new, old, hidden]
    assert await store.findings(limit=1) == [new]
    assert await store.findings(state=FindingState.SUPPRESSED) == [hidden]
    assert await store.findings(since=NOON + timedelta(minutes=2)) == [new, old]
    assert await store.findings(rule_id=OTHER_RULE) == []


async def test_finding_by_the_beginning_of_its_id(store: Store) -> None:
    finding = make_finding()
    await commit(store, await must_claim(store), finding)

    assert await store.finding(finding.id[:8]) == finding
    assert await store.finding("") is None
    assert await store.finding("f" * 32) is None


async def test_finding_by_an_ambiguous_beginning_is_refused(store: Store) -> None:
    findings = [make_finding(f"ci-{number}") for number in range(40)]
    await commit(store, await must_claim(store), *findings)
    initials = [finding.id[0] for finding in findings]
    twice = next(initial for initial in initials if initials.count(initial) > 1)

    with pytest.raises(StoreError, match="several findings"):
        await store.finding(twice)


async def test_runs_are_listed_latest_window_first(store: Store) -> None:
    for index in range(3):
        await commit(store, await must_claim(store, index))
    await commit(store, await must_claim(store, 5, rule_id=OTHER_RULE))

    windows = [run.window for run in await store.runs(rule_id=RULE, limit=2)]

    assert windows == [window(2), window(1)]
    assert len(await store.runs()) == 4


# The outbox


async def filled(store: Store, *receivers: str, finding_key: str = "ci-1") -> None:
    run = await must_claim(store, 0, rule_id=RuleId(finding_key))
    await commit(store, run, make_finding(finding_key), receivers=receivers or ("slack",))


async def test_claim_entries_takes_what_is_due(store: Store, clock: FrozenClock) -> None:
    await filled(store)

    [entry] = await store.claim_entries(owner="a", lease=LEASE, limit=10)

    assert (entry.state, entry.attempts, entry.epoch) == (DeliveryState.SENDING, 1, 1)
    assert entry.lease_until == clock.now() + LEASE
    assert entry.maybe_sent is False
    assert entry.notification == make_entry(make_finding()).notification
    assert await store.claim_entries(owner="b", lease=LEASE, limit=10) == []


async def test_claim_entries_keeps_to_its_limit_and_to_the_oldest(store: Store) -> None:
    run = await must_claim(store)
    findings = [make_finding(f"ci-{number}") for number in range(3)]
    entries = [
        make_entry(finding, next_attempt_at=NOON - timedelta(minutes=number))
        for number, finding in enumerate(findings)
    ]
    await store.commit(run, findings=findings, entries=entries, receipt=RECEIPT)

    taken = await store.claim_entries(owner="a", lease=LEASE, limit=2)

    assert {entry.id for entry in taken} == {entries[1].id, entries[2].id}


async def test_claim_entries_after_the_lease_ended_says_maybe_sent(
    store: Store, clock: FrozenClock
) -> None:
    await filled(store)
    [first] = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    clock.advance(LEASE)

    [second] = await store.claim_entries(owner="b", lease=LEASE, limit=10)

    assert (second.maybe_sent, second.attempts, second.epoch) == (True, 2, 2)
    with pytest.raises(LeaseLost):
        await store.mark_sent(first, make_delivery(first))
    assert await store.deliveries(first.id) == []


async def two_revisions(store: Store) -> tuple[EntryId, EntryId]:
    first, second = make_finding(), make_finding(revision=2)
    await commit(store, await must_claim(store, 0), first, receivers=("slack",))
    await commit(store, await must_claim(store, 1), second, receivers=("slack",))
    return make_entry(first).id, make_entry(second).id


async def test_claim_entries_of_one_finding_go_one_by_one_in_order(store: Store) -> None:
    first, second = await two_revisions(store)

    [taken] = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    assert taken.id == first
    assert await store.claim_entries(owner="b", lease=LEASE, limit=10) == []
    await store.mark_sent(taken, make_delivery(taken))
    [taken] = await store.claim_entries(owner="b", lease=LEASE, limit=10)
    assert taken.id == second


async def test_claim_entries_waits_behind_an_earlier_revision_that_backs_off(
    store: Store, clock: FrozenClock
) -> None:
    first, _ = await two_revisions(store)
    [taken] = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    later = clock.now() + timedelta(hours=1)
    failed = make_delivery(taken, reason=DeliveryReason.SERVER_FAILED)
    await store.mark_failed(taken, failed, next_attempt_at=later)

    assert await store.claim_entries(owner="a", lease=LEASE, limit=10) == []
    clock.move_to(later)
    [again] = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    assert again.id == first


async def test_claim_entries_goes_on_past_a_dead_revision(store: Store) -> None:
    first, second = await two_revisions(store)
    [taken] = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    failed = make_delivery(taken, reason=DeliveryReason.REFUSED)
    await store.mark_failed(taken, failed, next_attempt_at=None)

    [next_taken] = await store.claim_entries(owner="a", lease=LEASE, limit=10)

    assert next_taken.id == second
    assert await store.retry_entries([first]) == 1
    assert await store.claim_entries(owner="b", lease=LEASE, limit=10) == []


async def test_claim_entries_of_two_receivers_do_not_wait_for_each_other(store: Store) -> None:
    await filled(store, "slack", "jira")

    taken = await store.claim_entries(owner="a", lease=LEASE, limit=10)

    assert {entry.receiver for entry in taken} == {"slack", "jira"}


async def test_mark_sent_keeps_reference_and_attempt(store: Store) -> None:
    await filled(store)
    [entry] = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    delivery = make_delivery(entry, reference="C1:42")
    for _ in range(2):
        await store.mark_sent(entry, delivery)

    stored = await store.entry(entry.id[:10])

    assert stored is not None
    assert (stored.state, stored.reason, stored.lease_until) == (DeliveryState.SENT, "", None)
    assert await store.deliveries(entry.id) == [delivery]
    assert await store.reference(entry.notification.finding_id, "slack") == "C1:42"
    assert await store.reference(entry.notification.finding_id, "jira") == ""


async def test_mark_failed_backs_off_and_says_why(store: Store, clock: FrozenClock) -> None:
    await filled(store)
    [entry] = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    later = clock.now() + timedelta(minutes=2)
    failed = make_delivery(entry, reason=DeliveryReason.RATE_LIMITED)
    await store.mark_failed(entry, failed, next_attempt_at=later)

    [stored] = await store.entries(state=DeliveryState.PENDING)

    assert (stored.reason, stored.attempts) == ("rate-limited: no answer", 1)
    assert stored.next_attempt_at == later
    assert stored.maybe_sent is False
    assert await store.next_attempt_at() == later
    assert await store.claim_entries(owner="a", lease=LEASE, limit=10) == []


async def test_mark_failed_without_an_answer_stays_maybe_sent(
    store: Store, clock: FrozenClock
) -> None:
    await filled(store)
    [entry] = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    failed = make_delivery(entry, reason=DeliveryReason.UNCERTAIN)
    await store.mark_failed(entry, failed, next_attempt_at=clock.now())

    [again] = await store.claim_entries(owner="a", lease=LEASE, limit=10)

    assert again.maybe_sent is True


async def test_mark_failed_for_good_is_dead_until_it_is_put_back(store: Store) -> None:
    await filled(store)
    [entry] = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    failed = make_delivery(entry, reason=DeliveryReason.REFUSED)
    await store.mark_failed(entry, failed, next_attempt_at=None)

    assert [dead.id for dead in await store.entries(state=DeliveryState.DEAD)] == [entry.id]
    assert await store.next_attempt_at() is None
    assert await store.retry_entries([EntryId("0" * 12)]) == 0
    assert await store.retry_entries([EntryId(entry.id[:12])]) == 1
    [again] = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    assert again.attempts == 1


async def test_retry_entries_without_ids_puts_back_every_dead_one(store: Store) -> None:
    await filled(store, "slack", "jira")
    for entry in await store.claim_entries(owner="a", lease=LEASE, limit=10):
        failed = make_delivery(entry, reason=DeliveryReason.REFUSED)
        await store.mark_failed(entry, failed, next_attempt_at=None)

    assert await store.retry_entries([]) == 0
    assert await store.retry_entries() == 2
    assert await store.entries(state=DeliveryState.DEAD) == []


async def test_release_entries_gives_them_back_untried(store: Store) -> None:
    await filled(store)
    taken = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    await store.release_entries(taken)

    [again] = await store.claim_entries(owner="b", lease=LEASE, limit=10)

    assert (again.attempts, again.maybe_sent, again.epoch) == (1, False, 2)


async def test_release_entries_leaves_alone_what_was_taken_over(
    store: Store, clock: FrozenClock
) -> None:
    await filled(store)
    stale = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    clock.advance(LEASE)
    [held] = await store.claim_entries(owner="b", lease=LEASE, limit=10)
    await store.release_entries(stale)

    await store.mark_sent(held, make_delivery(held))

    assert [entry.state for entry in await store.entries()] == [DeliveryState.SENT]


async def test_reference_is_the_latest_sent_one(store: Store) -> None:
    await two_revisions(store)
    for reference in ("C1:1", "C1:2"):
        [entry] = await store.claim_entries(owner="a", lease=LEASE, limit=10)
        await store.mark_sent(entry, make_delivery(entry, reference=reference))

    assert await store.reference(make_finding().id, "slack") == "C1:2"


async def test_entries_are_listed_newest_first(store: Store) -> None:
    first, second = await two_revisions(store)

    assert [entry.id for entry in await store.entries()] == [second, first]
    assert [entry.id for entry in await store.entries(limit=1)] == [second]
    assert await store.entries(receiver="jira") == []


async def test_entry_that_does_not_exist_is_none(store: Store) -> None:
    assert await store.entry("abc") is None


async def test_commit_leaves_an_existing_entry_as_it_is(store: Store) -> None:
    await filled(store)
    [entry] = await store.claim_entries(owner="a", lease=LEASE, limit=10)
    await store.mark_sent(entry, make_delivery(entry))
    await commit(store, await must_claim(store, 0), make_finding(), receivers=("slack",))

    assert [stored.state for stored in await store.entries()] == [DeliveryState.SENT]


# Health


async def test_check_of_a_sound_store_finds_nothing(store: Store) -> None:
    for index in range(3):
        await commit(store, await must_claim(store, index), receivers=())
    run = await must_claim(store, 3)
    await store.give_up(run, reason="incomplete")

    assert await store.check() == []


async def test_info_counts(store: Store) -> None:
    await filled(store, "slack", "jira")
    [entry] = await store.claim_entries(owner="a", lease=LEASE, limit=1)
    failed = make_delivery(entry, reason=DeliveryReason.REFUSED)
    await store.mark_failed(entry, failed, next_attempt_at=None)

    info = await store.info()

    assert (info.runs, info.findings, info.entries_waiting, info.entries_dead) == (1, 1, 1, 1)


async def test_times_are_kept_to_the_millisecond(store: Store, clock: FrozenClock) -> None:
    clock.advance(timedelta(microseconds=1_999))

    run = await must_claim(store)

    assert run.lease_until == NOON + timedelta(hours=1, milliseconds=1) + LEASE
    assert replace(run, owner="b") != run
