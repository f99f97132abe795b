"""The life of a query job: first the machine alone, then driven over a scripted transport."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.client.cassettes.scripted import ScriptedTransport, json_response, text_response
from orchestrator.client.http.auth import StaticToken
from orchestrator.client.http.limits import Lane
from orchestrator.client.http.retry import RetryPolicy
from orchestrator.client.http.session import Session
from orchestrator.client.http.transport import Request, Response
from orchestrator.client.search.job_machine import (
    HEARTBEAT_EVERY,
    LONGEST_PAUSE,
    Finish,
    Heartbeat,
    JobMachine,
    Pause,
    Poll,
    Submit,
)
from orchestrator.client.search.paging import ExportForm, Paging, export_parameters
from orchestrator.client.search.polls import PollAnswer, decode_poll
from orchestrator.client.search.query_jobs import QueryJobs
from orchestrator.client.search.spec import QuerySpec
from orchestrator.client.search.verdict import columns, verdict
from orchestrator.client.types import JobProgress, QueryResult
from orchestrator.clock import FrozenClock
from orchestrator.errors import (
    NotFound,
    NotTheApi,
    QueryIncomplete,
    QueryJobExpired,
    QueryRejected,
    RequestRejected,
    ServerFailed,
    UnexpectedResponse,
)
from orchestrator.secret import SecretText
from orchestrator.units import to_epoch_ms

START = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
END = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
SPEC = QuerySpec(query="count()", start_ms=to_epoch_ms(START), end_ms=to_epoch_ms(END))
ZERO = timedelta(0)
GONE = Response(status=204)
STARTED = json_response({"id": "1-a"})


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def wire_poll(
    *,
    done: bool = True,
    cancelled: bool = False,
    events: list[Mapping[str, object]] | None = None,
    warnings: list[object] | None = None,
    extra: Mapping[str, object] | None = None,
    **meta: object,
) -> dict[str, object]:
    rows = events if events is not None else [{"_count": "1"}]
    return {
        "done": done,
        "cancelled": cancelled,
        "events": rows,
        "warnings": warnings or [],
        "metaData": {
            "eventCount": len(rows),
            "isAggregate": True,
            "pollAfter": 2800,
            "queryStart": SPEC.start_ms,
            "queryEnd": SPEC.end_ms,
            "workDone": 2 if done else 1,
            "totalWork": 2,
            "warnings": [],
            "extraData": extra or {},
            **meta,
        },
    }


def polled(**changes: object) -> PollAnswer:
    return decode_poll(json_response(wire_poll(**changes)))  # type: ignore[arg-type]  # test shorthand


def make_jobs(transport: ScriptedTransport, *, attempts: int = 1) -> tuple[QueryJobs, FrozenClock]:
    clock = FrozenClock(START)
    session = Session(
        transport,
        auth=StaticToken(SecretText("t")),
        clock=clock,
        policy=RetryPolicy(attempts=attempts),
        jitter=lambda: 0.0,
    )
    return QueryJobs(session), clock


async def run(jobs: QueryJobs, *, deadline_s: float = 60) -> tuple[str, ...]:
    result = await jobs.run("fdr", SPEC, deadline=seconds(deadline_s))
    return result.completeness.reasons


# --- the machine


def test_machine_before_anything_submits() -> None:
    assert JobMachine(SPEC, deadline=seconds(60)).next_step(ZERO) == Submit(seconds(60))


def test_machine_after_submit_polls_at_once() -> None:
    machine = JobMachine(SPEC, deadline=seconds(60))
    machine.on_submitted("1-a", seconds(1))

    assert machine.next_step(seconds(1)) == Poll("1-a", within=seconds(59))


def test_machine_while_running_pauses_for_what_the_server_asks() -> None:
    machine = JobMachine(SPEC, deadline=seconds(60))
    machine.on_submitted("1-a", ZERO)
    machine.on_polled(polled(done=False, events=[]), ZERO)

    assert machine.next_step(ZERO) == Pause(timedelta(milliseconds=2800))
    assert machine.next_step(seconds(2.8)) == Poll("1-a", within=seconds(57.2))


def test_machine_with_a_long_pause_beats_before_the_job_is_dropped() -> None:
    machine = JobMachine(SPEC, deadline=seconds(600))
    machine.on_submitted("1-a", ZERO)
    machine.on_polled(polled(done=False, events=[], pollAfter=500_000), ZERO)

    assert machine.next_step(ZERO) == Pause(HEARTBEAT_EVERY)
    assert machine.next_step(HEARTBEAT_EVERY) == Heartbeat("1-a")
    machine.on_heartbeat(HEARTBEAT_EVERY)
    assert machine.next_step(LONGEST_PAUSE) == Poll("1-a", within=seconds(540))


def test_machine_never_pauses_past_its_deadline() -> None:
    machine = JobMachine(SPEC, deadline=seconds(2))
    machine.on_submitted("1-a", ZERO)
    machine.on_polled(polled(done=False, events=[]), seconds(1))

    assert machine.next_step(seconds(1)) == Pause(seconds(1))
    with pytest.raises(QueryIncomplete, match="not finished within 2 s"):
        machine.next_step(seconds(2))


def test_machine_done_on_the_deadline_still_finishes() -> None:
    machine = JobMachine(SPEC, deadline=seconds(2))
    machine.on_submitted("1-a", ZERO)
    machine.on_polled(polled(), seconds(2))

    step = machine.next_step(seconds(3))

    assert isinstance(step, Finish)
    assert step.result.rows == ({"_count": "1"},)


def test_machine_lost_job_is_submitted_once_more_and_no_further() -> None:
    machine = JobMachine(SPEC, deadline=seconds(60))
    machine.on_submitted("1-a", ZERO)
    machine.on_lost()

    assert machine.next_step(seconds(1)) == Submit(seconds(59))
    machine.on_submitted("1-b", seconds(1))
    with pytest.raises(QueryJobExpired, match="1-b is gone on the server, again"):
        machine.on_lost()


def test_machine_done_job_with_more_rows_asks_for_the_next_page() -> None:
    machine = JobMachine(SPEC, deadline=seconds(60))
    machine.on_submitted("1-a", ZERO)
    machine.on_polled(polled(events=[{"n": "1"}, {"n": "2"}], eventCount=3), ZERO)

    assert machine.next_step(ZERO) == Poll("1-a", offset=2, within=seconds(60))
    machine.on_polled(polled(events=[{"n": "3"}], eventCount=3), ZERO)
    step = machine.next_step(ZERO)
    assert isinstance(step, Finish)
    assert [row["n"] for row in step.result.rows] == ["1", "2", "3"]
    assert step.result.completeness.is_complete


def test_machine_lost_while_paging_starts_over_without_the_first_pages() -> None:
    machine = JobMachine(SPEC, deadline=seconds(60))
    machine.on_submitted("1-a", ZERO)
    machine.on_polled(polled(events=[{"n": "1"}], eventCount=2), ZERO)
    machine.on_lost()
    machine.on_submitted("1-b", ZERO)
    machine.on_polled(polled(events=[{"n": "8"}, {"n": "9"}], eventCount=2), ZERO)

    step = machine.next_step(ZERO)

    assert isinstance(step, Finish)
    assert [row["n"] for row in step.result.rows] == ["8", "9"]


def test_machine_an_empty_page_ends_paging_and_is_told() -> None:
    machine = JobMachine(SPEC, deadline=seconds(60))
    machine.on_submitted("1-a", ZERO)
    machine.on_polled(polled(events=[{"n": "1"}], eventCount=5), ZERO)
    machine.on_polled(polled(events=[], eventCount=5), ZERO)

    step = machine.next_step(ZERO)

    assert isinstance(step, Finish)
    assert step.result.completeness.reasons == ("1 of 5 rows were returned",)


def paged_machine(*pages: list[Mapping[str, object]], count: int) -> QueryResult:
    machine = JobMachine(SPEC, deadline=seconds(60))
    machine.on_submitted("1-a", ZERO)
    for page in pages:
        assert isinstance(machine.next_step(ZERO), Poll)
        machine.on_polled(polled(events=page, eventCount=count), ZERO)
    step = machine.next_step(ZERO)
    assert isinstance(step, Finish)
    return step.result


def test_machine_a_page_that_comes_again_ends_paging_and_is_told() -> None:
    first: list[Mapping[str, object]] = [{"n": "1"}, {"n": "2"}]

    result = paged_machine(first, first, count=4)

    assert [row["n"] for row in result.rows] == ["1", "2"]
    assert result.completeness.reasons == (
        "2 of 4 rows were returned",
        "the server sent its first rows again: it does not page",
    )


def test_machine_one_row_again_that_is_more_than_was_counted_is_told() -> None:
    result = paged_machine([{"n": "1"}, {"n": "1"}], [{"n": "1"}, {"n": "1"}], count=3)

    assert len(result.rows) == 2
    assert not result.completeness.is_complete


def test_machine_rows_that_are_all_alike_are_pages_of_their_own() -> None:
    result = paged_machine([{"n": "1"}, {"n": "1"}], [{"n": "1"}], count=3)

    assert len(result.rows) == 3
    assert result.completeness.is_complete


# --- completeness


def test_verdict_whole_answer_has_no_reasons() -> None:
    assert verdict(polled(), spec=SPEC, received_rows=1).reasons == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cancelled": True}, "the server cancelled the job"),
        ({"done": False}, "the job was not done"),
        (
            {"warnings": [{"code": "x", "message": "a node is missing"}]},
            "warning: a node is missing",
        ),
        ({"warnings": [{"code": "IngestDelay", "message": ""}]}, "warning: IngestDelay"),
        (
            {"extra": {"hasMoreEvents": "true"}},
            "more events matched than the result holds; add tail() with a higher limit",
        ),
        (
            {"extra": {"timeSettingsOverwrittenFromQuery": {"start": "1d"}}},
            "the query sets its own time span",
        ),
        (
            {"queryStart": SPEC.start_ms + 1000},
            (
                "the server searched [2026-03-10T02:00:01+00:00, 2026-03-10T03:00:00+00:00), "
                "not [2026-03-10T02:00:00+00:00, 2026-03-10T03:00:00+00:00)"
            ),
        ),
    ],
)
def test_verdict_each_signal_is_a_reason(changes: dict[str, object], reason: str) -> None:
    answer = polled(**changes)

    assert verdict(answer, spec=SPEC, received_rows=1).reasons == (reason,)


def test_verdict_old_servers_warnings_count_once() -> None:
    answer = polled(
        warnings=[{"code": "w", "message": "slow ingest"}],
        warning="slow ingest",
    )

    assert verdict(answer, spec=SPEC, received_rows=1).reasons == ("warning: slow ingest",)


def test_verdict_by_ingest_time_ignores_the_event_bounds() -> None:
    spec = QuerySpec(query="", start_ms=1, end_ms=2, use_ingest_time=True)

    assert verdict(polled(), spec=spec, received_rows=1).is_complete


def test_columns_follow_the_servers_order_and_then_appearance() -> None:
    rows = [{"b": "1", "c": "2"}, {"a": "3", "b": "4"}]

    assert columns(rows, order=("a", "gone")) == ("a", "b", "c")
    assert columns([], order=("a", "b")) == ("a", "b")


# --- driven


async def test_search_sends_absolute_times_and_deletes_the_job() -> None:
    transport = ScriptedTransport(
        STARTED,
        json_response(wire_poll(done=False, events=[])),
        json_response(wire_poll(events=[{"_count": "7"}])),
        GONE,
    )
    jobs, clock = make_jobs(transport)
    seen: list[JobProgress] = []

    result = await jobs.run("fdr/x", SPEC, deadline=seconds(60), on_progress=seen.append)

    assert result.rows == ({"_count": "7"},)
    assert result.stats.polls == 2
    assert [request.timeout for request in transport.requests] == [
        seconds(60),
        seconds(60),
        seconds(57.2),
        None,
    ]
    assert result.stats.elapsed == seconds(2.8)
    assert [(item.work_done, item.total_work) for item in seen] == [(1, 2), (2, 2)]
    assert [(request.method, request.path) for request in transport.requests] == [
        ("POST", "api/v1/repositories/fdr%2Fx/queryjobs"),
        ("GET", "api/v1/repositories/fdr%2Fx/queryjobs/1-a"),
        ("GET", "api/v1/repositories/fdr%2Fx/queryjobs/1-a"),
        ("DELETE", "api/v1/repositories/fdr%2Fx/queryjobs/1-a"),
    ]
    assert transport.requests[0].content == (
        b'{"queryString": "count()", "start": 1773108000000, "end": 1773111600000, "isLive": false}'
    )
    assert clock.monotonic() == pytest.approx(2.8)


async def test_search_of_a_lost_job_submits_the_same_body_again() -> None:
    transport = ScriptedTransport(
        STARTED,
        text_response("gone", status=404),
        json_response({"id": "1-b"}),
        json_response(wire_poll()),
        GONE,
    )
    jobs, _ = make_jobs(transport)

    reasons = await run(jobs)

    first, again = (request for request in transport.requests if request.method == "POST")
    assert first.content == again.content
    assert reasons == ()
    assert transport.requests[-1].path.endswith("/1-b")


async def test_search_of_a_job_lost_twice_fails_and_deletes_nothing() -> None:
    gone = text_response("gone", status=404)
    transport = ScriptedTransport(STARTED, gone, STARTED, gone)
    jobs, _ = make_jobs(transport)

    with pytest.raises(QueryJobExpired):
        await run(jobs)

    assert transport.left == 0


async def test_search_of_a_cancelled_job_is_incomplete_and_deleted() -> None:
    transport = ScriptedTransport(
        STARTED, json_response(wire_poll(cancelled=True, warnings=["quota"])), GONE
    )
    jobs, _ = make_jobs(transport)

    with pytest.raises(QueryIncomplete) as caught:
        await run(jobs)

    assert caught.value.reasons == ("the server cancelled the job", "quota")
    assert transport.requests[-1].method == "DELETE"


async def test_search_past_its_deadline_deletes_the_job() -> None:
    running = json_response(wire_poll(done=False, events=[]))
    transport = ScriptedTransport(STARTED, running, running, GONE)
    jobs, _ = make_jobs(transport)

    with pytest.raises(QueryIncomplete, match="not finished within 5 s"):
        await run(jobs, deadline_s=5)

    assert transport.requests[-1].method == "DELETE"


async def test_search_with_warnings_returns_rows_and_says_so() -> None:
    transport = ScriptedTransport(
        STARTED, json_response(wire_poll(warnings=[{"code": "c", "message": "node down"}])), GONE
    )
    jobs, _ = make_jobs(transport)

    assert await run(jobs) == ("warning: node down",)


async def test_search_refused_query_carries_the_servers_message() -> None:
    body = "parameter func is not supported in function timeChart\n```\n\n```"
    transport = ScriptedTransport(text_response(body, status=400))
    jobs, _ = make_jobs(transport)

    with pytest.raises(QueryRejected) as caught:
        await run(jobs)

    assert caught.value.problem == "parameter func is not supported in function timeChart"
    assert transport.left == 0


async def test_search_over_a_quota_does_not_blame_the_query() -> None:
    transport = ScriptedTransport(text_response("quota exceeded", status=402))
    jobs, _ = make_jobs(transport)

    with pytest.raises(RequestRejected, match="quota exceeded"):
        await run(jobs)


async def test_search_in_an_unknown_repository_is_not_a_lost_job() -> None:
    transport = ScriptedTransport(text_response("no such repository", status=404))
    jobs, _ = make_jobs(transport)

    with pytest.raises(NotFound):
        await run(jobs)


async def test_search_with_a_login_page_is_not_an_empty_result() -> None:
    page = text_response("<html>sign in</html>", content_type="text/html")
    transport = ScriptedTransport(STARTED, page, GONE)
    jobs, _ = make_jobs(transport)

    with pytest.raises(UnexpectedResponse) as caught:
        await run(jobs)

    assert "sign in" not in str(caught.value)
    assert transport.left == 0


async def test_search_failing_poll_still_deletes() -> None:
    transport = ScriptedTransport(STARTED, text_response("oops", status=500), GONE)
    jobs, _ = make_jobs(transport)

    with pytest.raises(ServerFailed):
        await run(jobs)

    assert transport.requests[-1].method == "DELETE"


async def test_search_survives_a_failing_delete() -> None:
    oops = text_response("oops", status=500)
    transport = ScriptedTransport(STARTED, json_response(wire_poll()), oops, oops, oops, oops)
    jobs, _ = make_jobs(transport)

    assert await run(jobs) == ()
    assert transport.left == 0


async def test_search_deletes_again_where_the_server_was_busy() -> None:
    busy = text_response("busy", status=503)
    transport = ScriptedTransport(STARTED, json_response(wire_poll()), busy, busy, GONE)
    jobs, _ = make_jobs(transport)

    assert await run(jobs) == ()
    assert [request.method for request in transport.requests[-3:]] == ["DELETE"] * 3
    assert transport.left == 0


async def test_job_that_stays_on_the_server_is_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = ScriptedTransport(
        STARTED, json_response(wire_poll()), text_response("no right", status=403)
    )
    jobs, _ = make_jobs(transport)

    await run(jobs)

    (record,) = caplog.records
    assert record.getMessage() == "query-job-left"
    assert (record.__dict__["repository"], record.__dict__["job_id"]) == ("fdr", "1-a")
    assert "no right" in record.__dict__["reason"]


async def test_search_retries_a_poll_that_failed() -> None:
    transport = ScriptedTransport(
        STARTED, text_response("busy", status=502), json_response(wire_poll()), GONE
    )
    jobs, _ = make_jobs(transport, attempts=2)

    assert await run(jobs) == ()


async def test_search_gives_each_attempt_what_is_left_of_the_deadline() -> None:
    busy = text_response("busy", status=503)
    transport = ScriptedTransport(STARTED, busy, busy, json_response(wire_poll()), GONE)
    jobs, _ = make_jobs(transport, attempts=3)

    await run(jobs, deadline_s=10)

    polls = [request for request in transport.requests if request.method == "GET"]
    assert [request.timeout for request in polls] == [seconds(10), seconds(9.75), seconds(9.25)]


async def test_requests_about_a_running_job_do_not_wait_behind_new_ones() -> None:
    transport = ScriptedTransport(STARTED, json_response(wire_poll()), GONE)
    jobs, _ = make_jobs(transport)

    await run(jobs)

    assert [request.lane for request in transport.requests] == [Lane.CALL, Lane.POLL, Lane.POLL]


async def test_search_cancelled_while_polling_deletes_the_job() -> None:
    asked = asyncio.Event()

    async def hang(_: Request) -> Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    transport = ScriptedTransport(STARTED, hang, GONE)
    jobs, _ = make_jobs(transport)
    task = asyncio.create_task(run(jobs))
    await asked.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert transport.requests[-1].method == "DELETE"
    assert transport.left == 0


async def test_search_cancelled_while_submitting_deletes_the_job_it_learns_of() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow_start(_: Request) -> Response:
        asked.set()
        await answer.wait()
        return STARTED

    transport = ScriptedTransport(slow_start, GONE)
    jobs, _ = make_jobs(transport)
    task = asyncio.create_task(run(jobs))
    await asked.wait()

    task.cancel()
    await asyncio.sleep(0)
    answer.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert transport.requests[-1].path.endswith("/1-a")
    assert transport.left == 0


async def test_search_cancelled_twice_still_deletes_in_the_background() -> None:
    asked, deleting, answer = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hang(_: Request) -> Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def slow_delete(_: Request) -> Response:
        deleting.set()
        await answer.wait()
        return GONE

    transport = ScriptedTransport(STARTED, hang, slow_delete)
    jobs, _ = make_jobs(transport)
    task = asyncio.create_task(run(jobs))
    await asked.wait()
    task.cancel()
    await deleting.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    answer.set()
    await jobs.drain()

    assert transport.left == 0


@pytest.mark.parametrize(
    ("paging", "offset", "query"),
    [
        (Paging(), 0, ()),
        (Paging(), 7, (("paginationOffset", "7"), ("paginationLimit", "5000"))),
        (Paging(rows=10), 0, (("paginationOffset", "0"), ("paginationLimit", "10"))),
        (Paging(sort_by="n"), 0, (("sortBy", "n"), ("sortOrder", "asc"))),
        (
            Paging(sort_by="n", descending=True, rows=2),
            4,
            (
                ("paginationOffset", "4"),
                ("paginationLimit", "2"),
                ("sortBy", "n"),
                ("sortOrder", "desc"),
            ),
        ),
    ],
)
def test_paging_says_in_the_address_what_is_wanted(
    paging: Paging, offset: int, query: tuple[tuple[str, str], ...]
) -> None:
    assert paging.parameters(offset) == query


async def test_search_reads_every_page_in_the_order_that_is_wanted() -> None:
    transport = ScriptedTransport(
        STARTED,
        json_response(wire_poll(events=[{"n": "3"}, {"n": "2"}], eventCount=3)),
        json_response(wire_poll(events=[{"n": "1"}], eventCount=3)),
        GONE,
    )
    jobs, _ = make_jobs(transport)
    paging = Paging(sort_by="n", descending=True, rows=2)

    result = await jobs.run("fdr", replace(SPEC, paging=paging), deadline=seconds(60))

    assert [row["n"] for row in result.rows] == ["3", "2", "1"]
    assert [request.query for request in transport.requests[1:3]] == [
        paging.parameters(0),
        paging.parameters(2),
    ]


async def test_search_without_its_rows_misses_none() -> None:
    transport = ScriptedTransport(STARTED, json_response(wire_poll(events=[], eventCount=9)), GONE)
    jobs, _ = make_jobs(transport)

    result = await jobs.run("fdr", replace(SPEC, paging=Paging(rows=0)), deadline=seconds(60))

    assert (result.rows, result.stats.event_count) == ((), 9)
    assert result.completeness.is_complete


@pytest.mark.parametrize(
    ("form", "fields", "query"),
    [
        (ExportForm.NDJSON, (), (("mimeType", "application/x-ndjson"),)),
        (
            ExportForm.CSV,
            ("a", "b,c", 'd"'),
            (("mimeType", "text/csv"), ("fieldsToExport", 'a,"b,c","d"""')),
        ),
    ],
)
def test_export_names_its_form_and_its_columns(
    form: ExportForm, fields: tuple[str, ...], query: tuple[tuple[str, str], ...]
) -> None:
    assert export_parameters(form, fields) == query


def test_export_of_csv_needs_columns() -> None:
    with pytest.raises(ValueError, match="names of its columns"):
        export_parameters(ExportForm.CSV, ())


async def test_rows_of_a_server_that_exports_nothing_are_no_file() -> None:
    jobs, _ = make_jobs(ScriptedTransport(json_response(wire_poll())))

    with pytest.raises(NotTheApi, match="export should be text/plain, is application/json"):
        async with jobs.rows("fdr", "1-a", form=ExportForm.TEXT):
            pass


async def test_delete_of_a_job_that_is_gone_is_fine() -> None:
    jobs, _ = make_jobs(ScriptedTransport(text_response("gone", status=404)))

    await jobs.delete("fdr", "1-a")


async def test_delete_that_fails_says_so_to_its_caller() -> None:
    jobs, _ = make_jobs(ScriptedTransport(*[text_response("oops", status=500)] * 4))

    with pytest.raises(ServerFailed):
        await jobs.delete("fdr", "1-a")


async def test_heartbeat_asks_for_no_rows() -> None:
    transport = ScriptedTransport(json_response({}))
    jobs, _ = make_jobs(transport)

    await jobs.heartbeat("fdr", "1-a")

    assert transport.requests[0].query == (("onlyHeartbeat", "true"),)
    assert transport.requests[0].lane is Lane.POLL
