"""Alerts and scheduled searches fire: when, over what, how often, and what they say of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.clock import FrozenClock
from tests.unit.sandbox.conftest import NOW, NOW_MS, OpenClient
from tests.unit.sandbox.triggers_stage import Stage, open_stage

TICK, MINUTE, HOUR = timedelta(milliseconds=1), timedelta(minutes=1), timedelta(hours=1)
SECOND_MS, MINUTE_MS = 1_000, 60_000


@pytest.fixture
async def stage(open_client: OpenClient) -> Any:
    async with open_stage(open_client) as opened:
        yield opened


# --- filter alerts ------------------------------------------------------------------------------


async def test_filter_alert_fires_once_for_each_event_it_finds(stage: Stage) -> None:
    await stage.trigger("FilterAlert", "kind=bad")

    await stage.client.ingest(
        {"kind": "bad", "n": "1"}, {"kind": "good"}, {"kind": "bad", "n": "2"}
    )
    await stage.run()
    await stage.run()

    assert sorted(stage.fields("n")) == [["1"], ["2"]]
    assert {body["n"] for body in stage.bodies()} == {1}
    status = await stage.status("FilterAlert")
    assert (status["lastTriggered"], status["lastSuccessfulPoll"]) == (NOW_MS, NOW_MS)


async def test_filter_alert_leaves_what_arrived_before_it(stage: Stage) -> None:
    await stage.client.ingest({"n": "old"})
    await stage.trigger("FilterAlert", "*")

    await stage.client.ingest({"n": "new"})
    await stage.run()

    assert stage.fields("n") == [["new"]]


async def test_filter_alert_finds_an_event_however_old_its_own_time_is(stage: Stage) -> None:
    await stage.trigger("FilterAlert", "*")

    await stage.client.ingest({"n": "late", "ms": -90 * 86_400_000})
    await stage.run()

    assert stage.fields("n") == [["late"]]


async def test_filter_alert_reads_only_events_that_it_has_not_seen(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an ingest costs must not depend on what is stored."""
    read: list[int] = []
    finished = stage.client.sandbox.jobs.finished

    async def counted(search: Any, snapshots: Any) -> Any:
        read.append(sum(snapshot.count for snapshot in snapshots()))
        return await finished(search, snapshots)

    monkeypatch.setattr(stage.client.sandbox.jobs, "finished", counted)
    await stage.client.ingest(*[{"n": "before"}] * 500)
    await stage.trigger("FilterAlert", "n=x")

    for size in (3, 1, 2):
        await stage.client.ingest(*[{"n": "new"}] * size)
        await stage.run()

    assert read == [3, 1, 2]


async def test_filter_alert_is_silent_while_it_is_throttled(stage: Stage) -> None:
    await stage.trigger("FilterAlert", "*", throttleTimeSeconds=60)

    for number in ("1", "2", "3"):
        await stage.client.ingest({"n": number})
        await stage.run(after=30 * timedelta(seconds=1))

    assert stage.fields("n") == [["1"], ["3"]]


async def test_filter_alert_throttles_each_value_of_its_field_alone(stage: Stage) -> None:
    await stage.trigger("FilterAlert", "*", throttleTimeSeconds=60, throttleField="host")

    for number, host in (("1", "a"), ("2", "b"), ("3", "a"), ("4", "")):
        await stage.client.ingest({"n": number, "host": host} if host else {"n": number})
    await stage.run()
    await stage.client.ingest({"n": "5", "host": "a"}, {"n": "6"})
    await stage.run(after=MINUTE)

    assert sorted(stage.fields("n")) == [["1"], ["2"], ["4"], ["5"], ["6"]]


async def test_filter_alert_fires_at_most_a_hundred_times_in_a_minute(stage: Stage) -> None:
    await stage.trigger("FilterAlert", "*")

    await stage.client.ingest(*[{"n": str(n)} for n in range(103)])
    await stage.run()
    status = await stage.status("FilterAlert")
    await stage.client.ingest({"n": "later"})
    await stage.run(after=MINUTE)

    assert len(stage.inbox.store) == 101
    assert status["lastWarnings"] == ["3 events fired nothing: too many in one minute"]


async def test_filter_alert_that_joins_is_refused(stage: Stage) -> None:
    answer = await stage.client.graphql(
        """mutation { createFilterAlert(input: {viewName: "falcon", name: "a",
        queryString: "join({n=1}, field=n, include=m)", actionIdsOrNames: [],
        queryOwnershipType: User}) { id } }"""
    )

    assert answer["errors"][0]["state"] == {"queryString": "a filter alert's query must not join"}


async def test_filter_alert_of_a_view_sees_its_repositories_through_their_filters(
    open_client: OpenClient,
) -> None:
    async with open_stage(open_client, repositories=("falcon", "other")) as stage:
        await stage.mutate(
            """mutation { createView(name: "both", connections: [
            {repositoryName: "falcon", filter: "keep=yes"}, {repositoryName: "other", filter: "*"}
            ]) { name } }"""
        )
        hook = await stage.action(viewName="both")
        await stage.trigger("FilterAlert", "*", hook, viewName="both")

        await stage.client.ingest({"n": "1", "keep": "yes"}, {"n": "2", "keep": "no"})
        await stage.client.ingest({"n": "3"}, repository="other")
        await stage.run()

        assert sorted(stage.fields("n")) == [["1"], ["3"]]


# --- aggregate alerts ---------------------------------------------------------------------------


async def test_aggregate_alert_fires_as_soon_as_its_window_has_a_result(stage: Stage) -> None:
    await stage.trigger("AggregateAlert", "count() | _count > 2")

    await stage.client.ingest({"n": "1"}, {"n": "2"})
    await stage.run(after=TICK)
    assert stage.bodies() == []
    await stage.client.ingest({"n": "3"})
    await stage.run(after=timedelta(seconds=10))

    assert stage.fields("_count") == [["3"]]
    assert (await stage.status("AggregateAlert"))["lastTriggered"] == NOW_MS + 10 * SECOND_MS + 1


async def test_aggregate_alert_throttled_for_its_interval_looks_at_each_event_once(
    stage: Stage,
) -> None:
    await stage.trigger(
        "AggregateAlert", "count() | _count > 0", searchIntervalSeconds=60, throttleTimeSeconds=60
    )

    await stage.client.ingest({"n": "1"})
    await stage.run(after=TICK)
    # Stamped in the very millisecond at which the first window ended.
    await stage.client.ingest({"n": "2"})
    await stage.run(after=timedelta(seconds=30))
    await stage.client.ingest({"n": "3"})
    await stage.run(after=timedelta(seconds=29))
    assert stage.fields("_count") == [["1"]]
    await stage.minutes(3)

    assert stage.fields("_count") == [["1"], ["2"]]


async def test_aggregate_alert_looks_at_a_millisecond_only_once_it_is_over(stage: Stage) -> None:
    await stage.trigger("AggregateAlert", "count() | _count > 0", searchIntervalSeconds=60)

    await stage.client.ingest({"n": "1"})
    await stage.run()
    assert (stage.bodies(), stage.triggers.next_due_ms()) == ([], NOW_MS + 1)
    await stage.client.ingest({"n": "2"})
    await stage.run(after=TICK)

    assert stage.fields("_count") == [["2"]]


async def test_aggregate_alert_throttles_rows_by_its_field(stage: Stage) -> None:
    await stage.trigger(
        "AggregateAlert",
        "groupBy(host)",
        throttleField="host",
        throttleTimeSeconds=3600,
        searchIntervalSeconds=600,
    )

    await stage.client.ingest({"host": "a"})
    await stage.run(after=TICK)
    await stage.client.ingest({"host": "a"}, {"host": "b"})
    await stage.run(after=MINUTE)
    await stage.minutes(3)

    assert stage.fields("host") == [["a"], ["b"]]


async def test_aggregate_alert_on_absence_fires_without_any_event(stage: Stage) -> None:
    await stage.trigger("AggregateAlert", "count() | _count = 0", throttleTimeSeconds=300)

    await stage.minutes(3)

    assert stage.fields("_count") == [["0"]]


async def test_aggregate_alert_that_fell_behind_steps_over_every_window(stage: Stage) -> None:
    await stage.trigger("AggregateAlert", "groupBy(n)", searchIntervalSeconds=60, throttleField="n")

    for number in ("1", "2", "3"):
        await stage.client.ingest({"n": number})
        stage.client.clock.advance(2 * MINUTE)
    await stage.run()

    assert stage.fields("n") == [["1"], ["2"], ["3"]]


# --- legacy alerts ------------------------------------------------------------------------------


async def test_legacy_alert_on_events_fires_for_those_of_its_window_together(stage: Stage) -> None:
    await stage.trigger("Alert", "a=b", queryStart="2m")

    await stage.client.ingest(
        {"a": "b", "n": "1", "ms": -180_000}, {"a": "b", "n": "2"}, {"n": "3"}
    )
    await stage.client.ingest({"a": "b", "n": "4"})
    await stage.run(after=TICK)

    assert [sorted(names) for names in stage.fields("n")] == [["2", "4"]]
    assert (await stage.status("Alert"))["timeOfLastTrigger"] == NOW_MS + 1


async def test_legacy_alert_fires_again_after_its_silence_while_its_window_has_a_result(
    stage: Stage,
) -> None:
    await stage.trigger("Alert", "count() | _count > 0", queryStart="3m", throttleTimeMillis=90_000)

    await stage.client.ingest({"n": "1"})
    await stage.run(after=TICK)
    await stage.run(after=timedelta(seconds=89))
    assert stage.fields("_count") == [["1"]]
    await stage.run(after=timedelta(seconds=1))
    await stage.minutes(5)

    assert stage.fields("_count") == [["1"], ["1"]]


async def test_legacy_alert_throttles_each_value_of_its_field_alone(stage: Stage) -> None:
    await stage.trigger("Alert", "host=*", throttleField="host", throttleTimeMillis=3_600_000)

    await stage.client.ingest({"host": "a"})
    await stage.run(after=TICK)
    await stage.client.ingest({"host": "a"}, {"host": "b"})
    await stage.run(after=MINUTE)
    await stage.minutes(3)

    assert stage.fields("host") == [["a"], ["b"]]


async def test_legacy_alert_that_was_away_looks_at_its_window_and_no_further_back(
    stage: Stage,
) -> None:
    await stage.trigger("Alert", "n=*", queryStart="1m")

    for number in ("1", "2", "3"):
        # Ingest stamps events by their distance from the stage's first instant.
        away = stage.client.clock.now() - NOW
        await stage.client.ingest({"n": number, "ms": away // timedelta(milliseconds=1)})
        stage.client.clock.advance(2 * MINUTE)
    await stage.run()
    assert stage.bodies() == []
    await stage.client.ingest({"n": "4", "ms": 6 * 60_000})
    await stage.run(after=timedelta(seconds=10))

    assert stage.fields("n") == [["4"]]


async def test_legacy_alert_fires_nothing_on_a_result_with_warnings(stage: Stage) -> None:
    # More groups than the limit lets through warn.
    await stage.trigger("Alert", "groupBy(n, limit=1)")

    await stage.client.ingest({"n": "1"}, {"n": "2"})
    await stage.run(after=TICK)

    status = await stage.status("Alert")
    assert stage.bodies() == []
    assert status["lastWarnings"] != []


# --- scheduled searches -------------------------------------------------------------------------


async def test_scheduled_search_fires_at_its_time_with_its_window(stage: Stage) -> None:
    await stage.trigger("ScheduledSearch", "*", searchIntervalOffsetSeconds=60)

    await stage.client.ingest(
        {"n": "too old", "ms": -MINUTE_MS - 1},
        {"n": "in", "ms": -MINUTE_MS},
        {"n": "too new", "ms": 4 * MINUTE_MS},
    )
    await stage.minutes(4)
    assert stage.bodies() == []
    await stage.minutes(1)

    assert stage.fields("n") == [["in"]]
    status = await stage.status("ScheduledSearch")
    assert status["lastExecuted"] == status["lastTriggered"] == NOW_MS + 4 * MINUTE_MS
    assert status["timeOfNextPlannedExecution"] == NOW_MS + 10 * MINUTE_MS


async def test_scheduled_search_with_nothing_found_fires_only_if_told_to(stage: Stage) -> None:
    quiet = await stage.trigger("ScheduledSearch", "n=x", name="quiet")
    told = await stage.trigger("ScheduledSearch", "n=xy", name="told", triggerOnEmptyResult=True)

    await stage.run(after=5 * MINUTE)

    assert [(body["alert"], body["events"]) for body in stage.bodies()] == [("told", [])]
    assert quiet != told


@pytest.mark.parametrize(
    ("limit", "expected"), [(0, ["6"]), (2, ["4", "5", "6"]), (5, ["1", "2", "3", "4", "5", "6"])]
)
async def test_scheduled_search_backfills_as_many_missed_runs_as_it_may(
    stage: Stage, limit: int, expected: list[str]
) -> None:
    await stage.trigger("ScheduledSearch", "*", backfillLimit=limit)
    for number in range(1, 7):
        await stage.client.ingest({"n": str(number), "ms": (number * 5 - 1) * MINUTE_MS})

    await stage.run(after=32 * MINUTE)
    await stage.run()

    assert stage.fields("n") == [[number] for number in expected]


async def test_scheduled_search_by_ingest_time_goes_on_where_it_was(stage: Stage) -> None:
    by_ingest = {
        "queryTimestampType": "IngestTimestamp",
        "searchIntervalOffsetSeconds": None,
        "backfillLimit": None,
        "maxWaitTimeSeconds": 60,
    }
    await stage.trigger("ScheduledSearch", "*", **by_ingest)

    for number in ("1", "2", "3"):
        await stage.client.ingest({"n": number, "ms": -HOUR // timedelta(milliseconds=1)})
        stage.client.clock.advance(7 * MINUTE)
    await stage.run()
    await stage.minutes(15)

    assert sorted(stage.fields("n")[0]) == ["1", "2", "3"]
    assert len(stage.bodies()) == 1


async def test_scheduled_search_by_ingest_time_waits_for_events_that_are_being_stored(
    stage: Stage,
) -> None:
    """Stamped before the window's end and readable after it: such a batch must not fall between."""
    await stage.trigger(
        "ScheduledSearch",
        "*",
        queryTimestampType="IngestTimestamp",
        searchIntervalOffsetSeconds=None,
        backfillLimit=None,
        maxWaitTimeSeconds=30,
    )
    stage.client.clock.advance(4 * MINUTE)

    with stage.triggers.ingesting():
        await stage.run(after=MINUTE)
        waiting = await stage.status("ScheduledSearch")
    await stage.run()
    done = await stage.status("ScheduledSearch")

    assert waiting["lastExecuted"] is None
    assert waiting["timeOfNextPlannedExecution"] == NOW_MS + 5 * MINUTE_MS + 30 * SECOND_MS
    assert done["lastExecuted"] == NOW_MS + 5 * MINUTE_MS


async def test_scheduled_search_waits_no_longer_than_it_may(stage: Stage) -> None:
    await stage.trigger(
        "ScheduledSearch",
        "*",
        queryTimestampType="IngestTimestamp",
        searchIntervalOffsetSeconds=None,
        backfillLimit=None,
        maxWaitTimeSeconds=30,
    )

    with stage.triggers.ingesting():
        await stage.run(after=5 * MINUTE + timedelta(seconds=30))

    assert (await stage.status("ScheduledSearch"))["lastExecuted"] == NOW_MS + 5 * MINUTE_MS


async def test_scheduled_search_keeps_the_time_of_its_zone(open_client: OpenClient) -> None:
    clock = FrozenClock(datetime(2026, 3, 10, 6, 0, tzinfo=UTC))
    async with open_stage(open_client, clock=clock) as stage:
        await stage.trigger("ScheduledSearch", "*", schedule="30 9 * * *", timeZone="UTC+03:15")

        planned = (await stage.status("ScheduledSearch"))["timeOfNextPlannedExecution"]

    assert datetime.fromtimestamp(planned / 1000, UTC) == datetime(2026, 3, 10, 6, 15, tzinfo=UTC)


async def test_older_form_of_scheduled_search_runs_too(stage: Stage) -> None:
    hook = await stage.action()
    await stage.mutate(
        """mutation($hook: String!) { createScheduledSearch(input: {viewName: "falcon", name: "v1",
        queryString: "*", queryStart: "10m", queryEnd: "5m", schedule: "*/5 * * * *",
        timeZone: "UTC", backfillLimit: 0, actions: [$hook]}) { id } }""",
        hook=hook,
    )
    await stage.client.ingest({"n": "in", "ms": -4 * MINUTE_MS}, {"n": "out", "ms": MINUTE_MS})

    await stage.run(after=5 * MINUTE)

    assert stage.fields("n") == [["in"]]


# --- what runs, and what goes wrong -------------------------------------------------------------


async def test_trigger_without_an_action_is_not_run(stage: Stage) -> None:
    await stage.mutate(
        """mutation { createScheduledSearchV2(input: {viewName: "falcon", name: "bare",
        queryString: "*", schedule: "* * * * *", timeZone: "UTC", searchIntervalSeconds: 60,
        queryTimestampType: EventTimestamp, searchIntervalOffsetSeconds: 0, backfillLimit: 0,
        actionIdsOrNames: [], queryOwnershipType: User}) { id } }"""
    )

    await stage.minutes(2)

    status = await stage.status("ScheduledSearch")
    assert (status["lastExecuted"], status["timeOfNextPlannedExecution"]) == (None, None)


async def test_disabled_trigger_is_silent_and_begins_anew_when_enabled(stage: Stage) -> None:
    alert = await stage.trigger("FilterAlert", "*")
    await stage.switch("FilterAlert", alert, on=False)
    await stage.client.ingest({"n": "while off"})
    await stage.run()
    await stage.switch("FilterAlert", alert, on=True)

    await stage.client.ingest({"n": "on"})
    await stage.run()

    assert stage.fields("n") == [["on"]]


async def test_enabled_scheduled_search_does_not_run_the_time_it_was_off(stage: Stage) -> None:
    search = await stage.trigger("ScheduledSearch", "*", backfillLimit=5, enabled=False)
    await stage.client.ingest({"n": "1", "ms": MINUTE_MS}, {"n": "2", "ms": 31 * MINUTE_MS})
    await stage.run(after=31 * MINUTE)
    await stage.switch("ScheduledSearch", search, on=True)

    await stage.minutes(5)

    assert stage.fields("n") == [["2"]]


UPDATE_ALERT = """mutation($id: String!, $hook: String!, $cql: String!) {
updateFilterAlert(input: {viewName: "falcon", id: $id, name: "edited", queryString: $cql,
actionIdsOrNames: [$hook], labels: [], enabled: true, queryOwnershipType: User}) { id } }"""


async def test_edited_alert_goes_on_where_it_was_with_its_new_query(stage: Stage) -> None:
    hook = await stage.action()
    alert = await stage.trigger("FilterAlert", "kind=a", hook)
    await stage.client.ingest({"n": "1", "kind": "a"}, {"n": "2", "kind": "b"})
    await stage.run()

    await stage.mutate(UPDATE_ALERT, id=alert, hook=hook, cql="kind=b")
    await stage.client.ingest({"n": "3", "kind": "a"}, {"n": "4", "kind": "b"})
    await stage.run()

    assert [(body["alert"], body["events"][0]["n"]) for body in stage.bodies()] == [
        ("the FilterAlert", "1"),
        ("edited", "4"),
    ]


async def test_new_query_removes_the_error_of_the_old_one(stage: Stage) -> None:
    hook = await stage.action()
    alert = await stage.trigger("FilterAlert", 'match("hosts.csv", field=n)', hook)
    await stage.client.ingest({"n": "1"})
    await stage.run()

    await stage.mutate(UPDATE_ALERT, id=alert, hook=hook, cql="n=1")
    mended = await stage.status("FilterAlert")
    await stage.run()

    assert mended["lastError"] is None
    assert stage.fields("n") == [["1"]]


async def test_edit_while_a_search_runs_voids_its_outcome(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result belongs to a query that is no more; the event is looked at with the new one."""
    hook = await stage.action()
    alert = await stage.trigger("FilterAlert", "kind=a", hook)
    await stage.client.ingest({"n": "1", "kind": "a"})
    finished = stage.client.sandbox.jobs.finished

    async def edited(search: Any, snapshots: Any) -> Any:
        answer = await finished(search, snapshots)
        if "kind=a" in search.checked.text:
            await stage.mutate(UPDATE_ALERT, id=alert, hook=hook, cql="kind=b")
        return answer

    monkeypatch.setattr(stage.client.sandbox.jobs, "finished", edited)
    await stage.run()

    assert stage.bodies() == []
    status = await stage.status("FilterAlert")
    assert (status["lastError"], status["lastTriggered"]) == (None, None)
    assert status["lastSuccessfulPoll"] == NOW_MS


async def test_edited_schedule_repeats_no_window(stage: Stage) -> None:
    hook = await stage.action()
    search = await stage.trigger("ScheduledSearch", "*", hook, backfillLimit=5)
    await stage.client.ingest({"n": "1", "ms": 1})
    await stage.run(after=5 * MINUTE)

    await stage.mutate(
        """mutation($id: String!, $hook: String!) { updateScheduledSearchV3(input: {
        viewName: "falcon", id: $id, name: "s", queryString: "*", schedule: "*/1 * * * *",
        timeZone: "UTC", searchIntervalSeconds: 300, queryTimestampType: EventTimestamp,
        searchIntervalOffsetSeconds: 0, backfillLimit: 5, enabled: true,
        triggerOnEmptyResult: false, actionIdsOrNames: [$hook], labels: [],
        queryOwnershipType: User}) { id } }""",
        id=search,
        hook=hook,
    )
    await stage.run()
    await stage.minutes(1)

    assert len(stage.bodies()) == 1
    status = await stage.status("ScheduledSearch")
    assert status["lastExecuted"] == NOW_MS + 6 * MINUTE_MS


async def test_deleted_trigger_fires_no_more(stage: Stage) -> None:
    alert = await stage.trigger("FilterAlert", "*")
    await stage.client.ingest({"n": "1"})

    await stage.mutate(
        f'mutation {{ deleteFilterAlert(input: {{viewName: "falcon", id: "{alert}"}}) }}'
    )
    await stage.run()

    assert stage.bodies() == []
    assert stage.triggers.book.states == {}


async def test_broken_query_shows_its_error_until_it_is_cleared(stage: Stage) -> None:
    alert = await stage.trigger("FilterAlert", 'match("hosts.csv", field=n)')
    await stage.client.ingest({"n": "1"})
    await stage.run()
    broken = await stage.status("FilterAlert")
    hosts = {"file": ("hosts.csv", b"n,owner\n1,ann\n")}
    await stage.client.call("POST", "/api/v1/repositories/falcon/files", files=hosts)
    clear = f'clearErrorOnFilterAlert(input: {{viewName: "falcon", id: "{alert}"}})'
    await stage.mutate(f"mutation {{ {clear} {{ id }} }}")
    cleared = await stage.status("FilterAlert")
    await stage.run()

    assert "hosts.csv" in broken["lastError"]
    assert broken["lastErrorTime"] == NOW_MS
    assert (cleared["lastError"], cleared["lastErrorTime"]) == (None, None)
    # The event that it could not look at was not lost.
    assert stage.fields("owner") == [["ann"]]


async def test_broken_alert_tries_again_by_itself_and_keeps_its_last_error(stage: Stage) -> None:
    await stage.trigger("FilterAlert", 'match("hosts.csv", field=n)')
    await stage.client.ingest({"n": "1"})
    await stage.run()
    hosts = {"file": ("hosts.csv", b"n,owner\n1,ann\n")}
    await stage.client.call("POST", "/api/v1/repositories/falcon/files", files=hosts)

    await stage.run(after=timedelta(seconds=59))
    assert stage.bodies() == []
    await stage.run(after=timedelta(seconds=1))

    assert stage.fields("owner") == [["ann"]]
    assert "hosts.csv" in (await stage.status("FilterAlert"))["lastError"]


async def test_failed_run_of_a_scheduled_search_is_backfilled(stage: Stage) -> None:
    await stage.trigger("ScheduledSearch", 'match("hosts.csv", field=n)', backfillLimit=1)
    await stage.client.ingest({"n": "1", "ms": MINUTE_MS}, {"n": "1", "ms": 6 * MINUTE_MS})
    await stage.run(after=5 * MINUTE)
    hosts = {"file": ("hosts.csv", b"n,owner\n1,ann\n")}
    await stage.client.call("POST", "/api/v1/repositories/falcon/files", files=hosts)

    await stage.minutes(5)

    assert stage.fields("owner") == [["ann"], ["ann"]]


async def test_schedule_that_never_comes_is_the_last_error(stage: Stage) -> None:
    await stage.trigger("ScheduledSearch", "*", schedule="0 0 31 2 *")

    await stage.minutes(1)

    assert "cannot be read" in (await stage.status("ScheduledSearch"))["lastError"]


async def test_result_with_warnings_fires_nothing(stage: Stage) -> None:
    await stage.trigger("ScheduledSearch", "groupBy(n, limit=1)")
    await stage.client.ingest({"n": "1", "ms": 1}, {"n": "2", "ms": 1}, {"n": "3", "ms": 1})

    await stage.run(after=5 * MINUTE)

    assert stage.bodies() == []
    status = await stage.status("ScheduledSearch")
    assert len(status["lastWarnings"]) == 1
    assert (status["lastExecuted"], status["lastTriggered"]) == (NOW_MS + 5 * MINUTE_MS, None)


async def test_triggers_are_left_alone_unless_the_settings_let_them_run(
    open_client: OpenClient,
) -> None:
    async with open_client() as client:
        stage = Stage(client, inbox=None)  # type: ignore[arg-type]  # nothing may be sent
        await stage.trigger("FilterAlert", "*")
        await client.ingest({"n": "1"})
        await stage.run()

        assert await stage.invocations() == []
        assert (await stage.status("FilterAlert"))["lastSuccessfulPoll"] is None


# --- correlation rules --------------------------------------------------------------------------

RULES = "/correlation-rules/entities/rules/v1"
RULE = {
    "customer_id": "0123456789abcdef0123456789abcdef",
    "name": "tokens",
    "severity": 50,
    "status": "active",
    "template_id": "",
    "search": {
        "filter": "kind=bad",
        "lookback": "1h15m",
        "outcome": "detection",
        "trigger_mode": "verbose",
        "execution_mode": "scheduled",
    },
    "operation": {"schedule": {"definition": "@every 1h0m"}},
}


async def test_correlation_rule_runs_at_its_pace_and_shows_how_it_went(stage: Stage) -> None:
    made = (await stage.client.call("POST", RULES, json=RULE)).json()["resources"][0]
    await stage.client.ingest(
        {"kind": "bad"}, {"kind": "bad", "ms": -16 * MINUTE_MS}, {"kind": "x"}
    )

    await stage.run(after=59 * MINUTE)
    before = (await stage.client.call("GET", f"{RULES}?ids={made['rule_id']}")).json()
    await stage.run(after=MINUTE)
    after = (await stage.client.call("GET", f"{RULES}?ids={made['rule_id']}")).json()

    assert "last_execution" not in before["resources"][0]
    assert before["resources"][0]["next_execution_on"] == "2026-03-10T03:00:00Z"
    execution = after["resources"][0]["last_execution"]
    assert (execution["status_display"], execution["errors"]) == ("succeeded", [])
    assert execution["result_metadata"]["result_count"] == 1
    assert execution["result_metadata"]["search_window_end"] == "2026-03-10T03:00:00Z"
    assert after["resources"][0]["next_execution_on"] == "2026-03-10T04:00:00Z"
    assert [(i["kind"], i["event_count"]) for i in await stage.invocations()] == [("detection", 1)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"operation": {"schedule": {"definition": "hourly"}}}, "not '@every 1h0m'"),
        ({"operation": "none"}, "not '@every 1h0m'"),
        ({"search": {**RULE["search"], "lookback": "soon"}}, "not a duration"),  # type: ignore[dict-item]  # the members differ in type
        ({"search": {**RULE["search"], "filter": "groupBy("}}, ""),  # type: ignore[dict-item]  # the members differ in type
    ],
)
async def test_correlation_rule_that_cannot_run_says_so(
    stage: Stage, change: dict[str, Any], expected: str
) -> None:
    await stage.client.call("POST", RULES, json={**RULE, **change})

    await stage.run(after=HOUR)

    (rule,) = (await stage.client.call("GET", "/correlation-rules/combined/rules/v1")).json()[
        "resources"
    ]
    assert rule["last_execution"]["status_display"] == "failed"
    assert expected in rule["last_execution"]["errors"][0]


async def test_inactive_correlation_rule_is_not_run(stage: Stage) -> None:
    made = (await stage.client.call("POST", RULES, json={**RULE, "status": "inactive"})).json()

    await stage.run(after=5 * HOUR)

    rule = (await stage.client.call("GET", f"{RULES}?ids={made['resources'][0]['id']}")).json()
    assert "last_execution" not in rule["resources"][0]


async def test_correlation_rule_that_runs_on_creation_runs_at_once(stage: Stage) -> None:
    await stage.client.ingest({"kind": "bad"})
    await stage.client.call("POST", RULES, json={**RULE, "trigger_on_create": True})

    await stage.run()
    await stage.run(after=MINUTE)

    assert len(await stage.invocations()) == 1
    assert NOW.minute == 0
