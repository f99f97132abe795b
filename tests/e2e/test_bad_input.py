"""Wrong files, wrong settings, and a world that does not answer.

Each of them ends with an exit code, a text that names the place and what to do, and nothing lost:
what could not be done stays due and is done once the cause is gone.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.model.finding import FindingState
from orchestrator.model.notification import DeliveryState
from orchestrator.model.run import RunState
from orchestrator.sandbox.faults.kinds import FOREVER, FaultKind
from orchestrator.sandbox.faults.kinds import Fault as SandboxFault
from orchestrator.sandbox.receivers import Fault
from tests.contract.sockets import http, listening, make_certificates, saying
from tests.e2e.stage import REPO, ROOT, RULE_ID, Bench, Done, ended, rows
from tests.e2e.test_crash import assert_everything_once

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVERY_RETRY = timedelta(minutes=20)
"""Longer than any wait before the next try."""
CLOSED = "http://127.0.0.1:1"


# Rule files


@pytest.mark.parametrize(
    ("file", "old", "new", "below", "texts"),
    [
        pytest.param(
            "rule.yaml",
            "severity: high\n",
            "severity: [high\n",
            1,
            ("error[yaml]", "not YAML: expected ',' or ']'"),
            id="broken-yaml",
        ),
        pytest.param(
            "rule.yaml",
            "severity: high\n",
            "severty: high\n",
            0,
            ("error[unknown-key]", "there is no key 'severty'", "Did you mean 'severity'?"),
            id="unknown-key",
        ),
        pytest.param(
            "rule.yaml",
            'when: vector="IMDS*" allowFact',
            'when: vectr="IMDS*" allowFact',
            0,
            ("error[unknown-field]", "has a field 'vectr'", "Did you mean 'vector'?"),
            id="unknown-field-in-a-suppression",
        ),
        pytest.param(
            "query.cql",
            "| falconPID :=",
            "| where x=1\n| falconPID :=",
            0,
            ("error[foreign-word]", "`where` is not CQL", "^^^^^", "= help: Delete it"),
            id="invalid-cql",
        ),
    ],
)
async def test_lint_of_a_broken_file_names_the_line_and_what_to_do(
    bench: Bench, file: str, old: str, new: str, below: int, texts: tuple[str, ...]
) -> None:
    path = bench.rule / file
    bench.edit(path, old, new)
    before, _, _ = path.read_text(encoding="utf-8").partition(new)
    line = before.count("\n") + 1 + below

    done = await bench.invoke("lint", str(bench.rule))

    assert done.code == 1
    assert f"--> {path}:{line}:" in done.out
    for text in texts:
        assert text in done.out


async def test_lint_of_a_rule_without_its_query_names_the_file(bench: Bench) -> None:
    (bench.rule / "query.cql").unlink()

    done = await bench.invoke("lint", str(bench.rule))

    assert done.code == 1
    assert "the file is missing" in done.out
    assert str(bench.rule / "query.cql") in done.out


async def test_lint_of_a_path_that_does_not_exist_is_a_usage_error(bench: Bench) -> None:
    done = await bench.invoke("lint", str(bench.folder / "no.cql"))

    assert done.code == 2
    assert f"{bench.folder / 'no.cql'} cannot be read" in done.err


async def test_broken_rule_is_left_out_by_name_and_stops_no_other(bench: Bench) -> None:
    other = bench.rule.with_name("t1528_illicit_consent")
    shutil.copytree(ROOT / "queries" / other.name, other)
    bench.edit(other / "rule.yaml", "severity:", "severity: [")
    await bench.begin()

    done = await bench.invoke("run", "--repo", REPO)

    assert f"{other / 'rule.yaml'}:" in done.err
    assert "(rule left out)" in done.err
    await assert_everything_once(bench)


# Settings


@pytest.mark.parametrize(
    ("old", "new", "texts"),
    [
        pytest.param(
            "[schedule]", "[schedul]", ("schedul: no setting", "mean 'schedule'?"), id="unknown-key"
        ),
        pytest.param("[rules]", "[rules", ("not TOML", "line 1, column 7"), id="not-toml"),
        pytest.param(
            '"200ms"', '"soon"', ("schedule.tick: 'soon' is not a duration", "write a"), id="value"
        ),
        pytest.param(
            "logscale.token",
            "nothing.token",
            ("repos.falcon.token: cannot read the secret file", "nothing.token"),
            id="secret-file",
        ),
        pytest.param(
            'kind = "slack"',
            'kind = "slak"',
            ("receivers.on-call.kind: there is no kind of receiver 'slak'", "mean 'slack'?"),
            id="receiver-kind",
        ),
        pytest.param(
            '["on-call", "tickets"]',
            '["oncall"]',
            ("route.default: there is no receiver 'oncall'", "Known: on-call, tickets"),
            id="route",
        ),
    ],
)
async def test_wrong_setting_is_named_with_what_to_do(
    bench: Bench, old: str, new: str, texts: tuple[str, ...]
) -> None:
    bench.edit(bench.config, old, new)

    done = await bench.invoke("run", "--repo", REPO)

    assert done.code == 3
    for text in texts:
        assert text in done.err
    assert "Traceback" not in done.err


async def test_missing_settings_file_is_named_with_the_example(bench: Bench) -> None:
    bench.config.unlink()

    done = await bench.invoke("runs", "list")

    assert done.code == 3
    assert f"{bench.config}: the file does not exist" in done.err
    assert "Copy config.example.toml" in done.err


async def test_unknown_repository_names_the_known_ones(bench: Bench) -> None:
    done = await bench.invoke("plan", "--repo", "falkon")

    assert done.code == 3
    assert "there is no repository 'falkon'. Known: falcon, spare, taken" in done.err


async def test_missing_rules_folder_is_named(bench: Bench) -> None:
    bench.edit(bench.config, 'path = "rules"', 'path = "rulez"')

    done = await bench.invoke("run", "--repo", REPO)

    assert done.code == 4
    assert f"{bench.folder / 'rulez'}: there is no such folder. Set rules.path" in done.err


# LogScale


@pytest.mark.parametrize(
    ("url", "exit_code", "code", "texts"),
    [
        pytest.param(
            "logscale.example.com",
            3,
            "address-invalid",
            ("repos.spare.url: the address has no scheme", "https://logscale.example.com"),
            id="no-scheme",
        ),
        pytest.param(
            "https://logscale.example.com/api/v1",
            3,
            "address-invalid",
            ("ends in /api/v1", "Write https://logscale.example.com"),
            id="api-path",
        ),
        pytest.param(
            "https://falcon.crowdstrike.com",
            3,
            "address-invalid",
            ("repos.spare.url: falcon.crowdstrike.com is Falcon's", 'kind = "ngsiem"'),
            id="console",
        ),
        pytest.param(
            "http://logscale.invalid",
            6,
            "name-not-resolved",
            ("the name logscale.invalid is not known", "Check the url"),
            id="unknown-name",
        ),
        pytest.param(
            CLOSED, 6, "connection-failed", ("refused the connection", "server runs"), id="closed"
        ),
    ],
)
async def test_wrong_address_is_told_with_what_to_do(
    bench: Bench, url: str, exit_code: int, code: str, texts: tuple[str, ...]
) -> None:
    bench.edit(bench.config, f'url = "{bench.sandbox.url}"', f'url = "{url}"')

    done = await bench.invoke("plan", "--repo", "spare")

    assert_told(done, exit_code, code, texts)


@pytest.mark.parametrize(
    ("kind", "code", "texts"),
    [
        (FaultKind.HTML, "not-the-api", ("a web page came back", "Check the url")),
        (FaultKind.LOGIN_REDIRECT, "not-the-api", ("a redirect to login.example.com/sso", "login")),
        (FaultKind.PROXY_PAGE, "server-failed", ("HTTP 502 with a web page", "proxy")),
        (FaultKind.BROKEN_JSON, "answer-cut-off", ("ends in the middle", "Try again")),
        (FaultKind.CUT_GZIP, "answer-cut-off", ("ends in the middle", "Try again")),
        (FaultKind.EMPTY, "answer-cut-off", ("is empty", "Try again")),
        (FaultKind.OTHER_SHAPE, "unexpected-response", ("should be an object", "Check the url")),
        (FaultKind.EXPIRED_TOKEN, "unauthorized", ("Check that the token is right",)),
        (FaultKind.FORBIDDEN, "forbidden", ("Grant the token's role the right",)),
    ],
)
async def test_answer_that_is_none_is_told_with_what_to_do(
    bench: Bench, kind: FaultKind, code: str, texts: tuple[str, ...]
) -> None:
    bench.sandbox.faults.set("*", [SandboxFault(kind=kind, count=FOREVER)])

    done = await bench.invoke("plan", "--repo", "spare")

    assert_told(done, 6, code, texts)


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ('"e2e-logscale"', "repos.spare.token: the token is in quotes"),
        ("Bearer e2e-logscale", "the token begins with the word Bearer"),
        ("e2e-\nlogscale", "the token holds a blank or a line break"),
    ],
    ids=["quotes", "bearer", "line-break"],
)
async def test_token_pasted_with_more_than_itself_is_told(
    bench: Bench, token: str, text: str
) -> None:
    (bench.folder / "logscale.token").write_text(token, encoding="utf-8")

    done = await bench.invoke("plan", "--repo", "spare")

    assert_told(done, 3, "token-invalid", (text, "Give the token alone, as it was made"))
    assert "logscale" not in done.err


async def test_certificate_that_nobody_vouches_for_is_told(bench: Bench, tmp_path: Path) -> None:
    server = make_certificates(tmp_path).server("self-signed")
    async with listening(saying(b""), tls=server) as port:
        url = f"https://127.0.0.1:{port}"
        bench.edit(bench.config, f'url = "{bench.sandbox.url}"', f'url = "{url}"')
        done = await bench.invoke("plan", "--repo", "spare")

    assert_told(done, 6, "tls-failed", ("not trusted: self-signed certificate", "SSL_CERT_FILE"))
    assert url in done.err


async def test_proxy_that_wants_a_login_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.edit(bench.config, 'timeout = "10s"', 'timeout = "10s"\nuse_proxy = true')
    async with listening(saying(http(407))) as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        bench.edit(bench.config, bench.sandbox.url, "http://logscale.invalid")
        done = await bench.invoke("plan", "--repo", "spare")

    assert_told(done, 6, "proxy-refused", ("HTTP 407", "HTTPS_PROXY", "use_proxy = true"))


def assert_told(done: Done, exit_code: int, code: str, texts: tuple[str, ...]) -> None:
    """Check that a command ended with one sentence, and the code that programs go by."""
    (line,) = [line for line in done.err.splitlines() if line.startswith("error")]
    assert done.code == exit_code
    assert line.startswith(f"error[{code}]: ")
    assert done.out == ""
    assert "Traceback" not in done.err
    for text in texts:
        assert text in line


async def test_wrong_token_is_refused_with_advice_and_without_the_token(bench: Bench) -> None:
    (bench.folder / "logscale.token").write_text("no-such-token", encoding="utf-8")

    done = await bench.invoke("plan", "--repo", "spare")

    assert done.code == 6
    assert "authentication is invalid" in done.err
    assert "Check that the token is right and has not expired" in done.err
    assert "no-such-token" not in done.err


async def test_repository_that_the_server_does_not_know_is_named(bench: Bench) -> None:
    bench.edit(bench.config, 'repository = "spare"', 'repository = "void"')

    done = await bench.invoke("plan", "--repo", "spare")

    assert_told(done, 6, "unknown-repository", ("no repository or view 'void'", "Check the name"))


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        pytest.param(
            "logscale.token", "e2e-logscale", "wrong", "released (unauthorized)", id="wrong-token"
        ),
        pytest.param("orchestrator.toml", "", CLOSED, "released (unreachable)", id="server-down"),
    ],
)
async def test_search_that_cannot_be_made_leaves_its_window_due(
    bench: Bench, file: str, old: str, new: str, told: str
) -> None:
    await bench.begin()
    path = bench.folder / file
    good = path.read_text(encoding="utf-8")
    bench.edit(path, old or bench.sandbox.url, new)

    failed = await bench.invoke("run", "--repo", REPO)
    async with bench.store() as store:
        watermark = await store.watermark(RULE_ID)
        states = [run.state for run in await store.runs()]
    path.write_text(good, encoding="utf-8")
    await bench.later(EVERY_RETRY)

    assert failed.code == 1
    assert told in " ".join(failed.err.split())
    assert watermark == bench.sandbox.start
    assert states == [RunState.DUE]
    await assert_everything_once(bench)


# Receivers


async def test_message_that_slack_refuses_is_kept_until_the_token_is_right(bench: Bench) -> None:
    await bench.begin()
    secret = bench.folder / "slack.token"
    good = secret.read_text(encoding="utf-8")
    secret.write_text("xoxb-revoked", encoding="utf-8")

    refused = await bench.invoke("run", "--repo", REPO)
    kept = rows(await bench.invoke("outbox", "list", "--state", "pending", "--format", "json"))
    secret.write_text(good, encoding="utf-8")
    await bench.later(EVERY_RETRY)

    assert "3 messages sent, 2 to be tried again, 0 given up" in refused.err
    assert [row["receiver"] for row in kept] == ["on-call"] * 3
    assert "unauthorized: Slack answered invalid_auth" in {row["reason"] for row in kept}
    assert "xoxb-revoked" not in refused.err
    await assert_everything_once(bench)


@pytest.mark.parametrize("code", ["is_archived", "channel_not_found", "not_in_channel"])
async def test_message_for_a_channel_that_is_closed_is_kept_until_it_is_open(
    bench: Bench, code: str
) -> None:
    """Fault C6. The other receiver is told meanwhile, and the outbox says why this one waits."""
    await bench.begin()
    body = f'{{"ok": false, "error": "{code}"}}'
    closed = Fault(status=200, body=body, media_type="application/json", path="postMessage")
    # The update waits behind its finding's first message and is not even tried.
    bench.slack.faults += [closed] * 2

    refused = await bench.invoke("run", "--repo", REPO)
    kept = rows(await bench.invoke("outbox", "list", "--state", "pending", "--format", "json"))
    tickets = len(bench.jira.store)
    await bench.later(EVERY_RETRY)

    assert refused.code == 0, refused.err
    assert {(row["receiver"], row["reason"]) for row in kept} == {
        ("on-call", f"not-found: Slack answered {code}"),
        ("on-call", ""),
    }
    assert tickets == 2
    await assert_everything_once(bench)


async def test_books_of_an_hour_ago_are_caught_up_and_lose_nothing(bench: Bench) -> None:
    """Fault E11. What was told since then is told once more: the older books know nothing of it."""
    await bench.begin()
    backup = bench.folder / "backup.db"
    shutil.copy(bench.database, backup)
    first = await bench.invoke("run", "--repo", REPO)
    for left in bench.folder.glob(f"{bench.database.name}*"):
        left.unlink()
    shutil.copy(backup, bench.database)

    again = await bench.invoke("run", "--repo", REPO)

    async with bench.store() as store:
        findings, entries = await store.findings(), await store.entries()
        watermark, runs = await store.watermark(RULE_ID), await store.runs()
    expected = {entry.id for entry in entries if entry.receiver == "on-call"}
    told = [message["metadata"]["event_payload"]["entry_id"] for message in bench.slack.store]
    assert (first.code, again.code) == (0, 0), again.err
    assert watermark == runs[0].window.end
    assert len(findings) == len({finding.fingerprint for finding in findings}) == 3
    assert {entry.state for entry in entries} == {DeliveryState.SENT}
    assert {name: told.count(name) for name in told} == dict.fromkeys(expected, 2)


@pytest.mark.parametrize("after_storing", [False, True], ids=["not-stored", "stored"])
async def test_message_whose_receiver_fails_arrives_once_in_the_end(
    bench: Bench, *, after_storing: bool
) -> None:
    """A proxy's 502 does not say whether the request took effect; the next try looks first."""
    await bench.begin()
    bench.slack.faults.append(Fault(status=502, after_storing=after_storing, path="postMessage"))
    bench.jira.faults.append(Fault(status=502, after_storing=after_storing, path="/issue"))

    await bench.invoke("run", "--repo", REPO)
    async with bench.store() as store:
        waiting = await store.entries(state=DeliveryState.PENDING)
    await bench.later(EVERY_RETRY)

    assert {entry.receiver for entry in waiting if entry.maybe_sent} == {"on-call", "tickets"}
    await assert_everything_once(bench)


# Disk and inventory


FULL_DISK = """\
import resource, runpy, sys

limit = int(sys.argv.pop(1))
# The limit would also cut the byte code of a first import short, for every later process.
sys.dont_write_bytecode = True
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
runpy.run_module("orchestrator", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("spare_bytes", [None, 8_000], ids=["at-the-claim", "later"])
async def test_full_disk_is_said_and_loses_nothing(
    bench: Bench, tmp_path: Path, spare_bytes: int | None
) -> None:
    """A limit on the size of files stands for the disk; the shared index needs 32 KiB of it."""
    await bench.begin()
    size = 0 if spare_bytes is None else bench.database.stat().st_size
    limit = size + spare_bytes if spare_bytes is not None else 33_000
    program = tmp_path / "full_disk.py"
    program.write_text(FULL_DISK, encoding="utf-8")

    async with bench.started("run", "--repo", REPO, program=(str(program), str(limit))) as process:
        full = await ended(process)
    again = await bench.invoke("run", "--repo", REPO)

    assert full.code == 7
    assert f"{bench.database}: the disk is full. Free space" in " ".join(full.err.split())
    assert again.code == 0, again.err
    await assert_everything_once(bench)


async def test_damaged_database_is_left_as_it_is(bench: Bench) -> None:
    garbage = b"not a database, " * 1_000
    bench.database.write_bytes(garbage)

    done = await bench.invoke("run", "--repo", REPO)

    assert done.code == 7
    assert f"{bench.database}: the database is damaged. It was left as it is" in done.err
    assert "restore the newest backup" in done.err
    assert bench.database.read_bytes() == garbage


async def test_broken_inventory_file_excuses_nothing(bench: Bench) -> None:
    (bench.folder / "inventory" / "cloud_agent.csv").write_text("nonsense\n1\n", encoding="utf-8")
    await bench.begin()

    status = await bench.invoke("inventory", "status", "--format", "json")
    done = await bench.invoke("run", "--repo", REPO)
    async with bench.store() as store:
        states = {finding.state for finding in await store.findings()}

    (wrong,) = [row for row in rows(status) if row["state"] != "fresh"]
    assert status.code == 1
    assert "cloud_agent.csv" in str(wrong["detail"])
    assert done.code == 0
    assert states == {FindingState.OPEN}


# The clock


async def test_clock_of_1970_runs_nothing_and_begins_no_rule(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault G-7: a rule begun there would have half a century to catch up with once it is set."""
    monkeypatch.setattr(SystemClock, "now", lambda _self: datetime(1970, 1, 1, 0, 5, tzinfo=UTC))

    done = await bench.invoke("run", "--repo", REPO)
    looked = await bench.invoke("doctor", "--format", "json")
    monkeypatch.undo()
    async with bench.store() as store:
        watermark, runs = await store.watermark(RULE_ID), await store.runs()

    assert_told(done, 3, "clock-wrong", ("clock says 1970-01-01T00:05:00Z", "Set the clock"))
    (clock,) = [row for row in rows(looked) if row["what"] == "clock"]
    assert (clock["state"], clock["code"]) == ("WRONG", "clock-wrong")
    assert (watermark, runs) == (None, [])


async def test_clock_behind_what_was_searched_runs_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault G-7: a clock that lost its battery may say last year, which is no less wrong."""
    await bench.begin()
    await bench.invoke("run", "--repo", REPO)
    before = bench.sandbox.start - timedelta(days=300)
    monkeypatch.setattr(SystemClock, "now", lambda _self: before)

    done = await bench.invoke("run", "--repo", REPO)

    assert_told(done, 3, "clock-wrong", ("is searched already", "Set the clock"))


async def test_server_whose_clock_differs_is_told_by_doctor_and_by_run(bench: Bench) -> None:
    """Fault A16: windows are instants of this machine, so they are searched all the same."""
    await bench.begin()
    bench.sandbox.faults.set(
        "GET /api/v1/status", [SandboxFault(kind=FaultKind.CLOCK_AHEAD, count=FOREVER)]
    )

    looked = await bench.invoke("doctor", "--format", "json")
    done = await bench.invoke("run", "--repo", REPO)

    found = {row["what"]: row for row in rows(looked)}
    assert looked.code == 1
    assert (found["clock falcon"]["state"], found["clock falcon"]["code"]) == (
        "WRONG",
        "clock-skewed",
    )
    assert "clock is 10m behind the server's" in str(found["clock falcon"]["detail"])
    assert found["clock"]["state"] == "ok"
    assert done.code == 0
    assert "clock is 10m behind the server's" in done.err
    await assert_everything_once(bench)
