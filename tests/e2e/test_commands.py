"""What each command answers, by exit code and text, against the sandbox on a socket."""

from __future__ import annotations

import json

import pytest

from orchestrator.client.types import ScheduledSearch, TimestampType, ViewConnection
from orchestrator.sandbox.receivers import Fault
from orchestrator.sandbox.settings import Right, TokenRole
from orchestrator.units import parse_duration
from tests.e2e.stage import REPO, RULE, Bench, connected, rows

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAME = "Steal application access token, followed by process"


async def test_deploy_applies_the_plan_and_the_second_plan_is_empty(bench: Bench) -> None:
    lookups = "labels: [t1528]\n  lookup_files: [aid_master_main.csv]"
    bench.edit(bench.rule / "rule.yaml", "labels: [t1528]", lookups)

    planned = await bench.invoke("plan", "--repo", "spare")
    applied = await bench.invoke("deploy", "--repo", "spare", "--yes")
    again = await bench.invoke("plan", "--repo", "spare")
    bench.edit(bench.rule / "rule.yaml", "{every: 1h,", "{every: 2h,")
    changed = await bench.invoke("plan", "--repo", "spare")
    read = json.loads((await bench.invoke("plan", "--repo", "spare", "--json")).out)

    assert (planned.code, applied.code, again.code, changed.code) == (1, 0, 0, 1)
    assert f"create  scheduled search '{NAME}'  ({RULE})" in planned.out
    assert planned.err.splitlines()[-1] == "2 to change, 0 refused"
    assert again.err.splitlines()[-1] == "0 to change, 0 refused"
    assert f"update  scheduled search '{NAME}'" in changed.out
    assert "create" not in changed.out
    assert {(c["kind"], c["what"]) for c in read["changes"]} == {
        ("update", f"scheduled search '{NAME}'"),
        ("none", "lookup file 'aid_master_main.csv'"),
    }
    assert [line for c in read["changes"] for line in c["diff"] if "*" in line] == [
        "    -0 * * * *",
        "    +0 */2 * * *",
    ]
    assert (read["pending"], read["refused"], read["orphans"]) == (1, 0, [])


async def test_deploy_that_is_not_confirmed_changes_nothing(bench: Bench) -> None:
    bench.edit(bench.rule / "rule.yaml", f"name: {NAME}", "name: Never deployed")

    refused = await bench.invoke("deploy", "--repo", "spare", answer="n\n")
    planned = await bench.invoke("plan", "--repo", "spare")

    assert refused.code == 1
    assert "Nothing was changed." in refused.err
    assert "Never deployed" in planned.out
    assert planned.code == 1


async def test_deploy_leaves_an_asset_of_somebody_else_alone(bench: Bench) -> None:
    async with connected(bench) as client:
        theirs = await client.assets("taken").create(
            ScheduledSearch(
                name=NAME,
                query="count()",
                enabled=True,
                schedule="0 * * * *",
                search_interval=parse_duration("1h"),
                max_wait=parse_duration("1m"),
                timestamp_type=TimestampType.INGEST,
            )
        )
        done = await bench.invoke("deploy", "--repo", "taken", "--yes")
        after = await client.assets("taken").list(ScheduledSearch)

    assert done.code == 1
    assert f"foreign scheduled search '{NAME}'" in done.out
    assert "exists and is not ours" in done.out
    assert after == (theirs,)


# Run


async def test_run_with_nothing_due_says_so(ran: Bench) -> None:
    done = await ran.invoke("run", "--repo", REPO, RULE)

    assert done.code == 0
    assert "No window is due." in done.err


async def test_run_of_an_unknown_rule_is_a_usage_error(ran: Bench) -> None:
    done = await ran.invoke("run", "--repo", REPO, "t1528_tokens")

    assert done.code == 2
    assert f"There is no usable rule 't1528_tokens'. Usable: {RULE}." in done.err


async def test_new_rule_begins_with_its_newest_window(bench: Bench) -> None:
    """A rule that never ran searches the last full hour and no past that nobody asked for."""
    done = await bench.invoke("run", "--repo", REPO)
    listed = await bench.invoke("runs", "list", "--format", "json")

    assert done.code == 0
    assert "1 windows" in done.err
    assert len(rows(listed)) == 1


# Findings, runs, outbox


async def test_findings_list_as_json_has_every_finding(ran: Bench) -> None:
    done = await ran.invoke("findings", "list", "--format", "json")

    found = {(row["state"], row["suppressed_by"], row["count"]) for row in rows(done)}
    assert done.code == 0
    assert found == {("open", "", 4), ("open", "", 3), ("suppressed", "cloud-agent", 1)}


async def test_findings_list_shows_only_the_state_asked_for(ran: Bench) -> None:
    done = await ran.invoke("findings", "list", "--state", "suppressed", "--format", "ndjson")

    assert [json.loads(line)["suppressed_by"] for line in done.out.splitlines()] == ["cloud-agent"]


async def test_findings_show_and_explain_tell_the_story(ran: Bench) -> None:
    listed = await ran.invoke("findings", "list", "--state", "suppressed", "--format", "json")
    name = str(rows(listed)[0]["id"])
    shown = await ran.invoke("findings", "show", name, "--json")
    explained = await ran.invoke("findings", "explain", name)

    document = json.loads(shown.out)
    assert document["id"].startswith(name)
    assert document["fields"]["cloud_agent.matches"] == "true"
    assert {decision["stage"] for decision in document["decisions"]} >= {"enrich", "suppress"}
    assert "AZ-WEB-07  [suppressed]" in explained.out
    assert "suppressed cloud-agent" in explained.out
    assert "cloud_agent.csv" in explained.out


async def test_findings_show_of_an_unknown_id_is_no(ran: Bench) -> None:
    done = await ran.invoke("findings", "show", "ffffffffffff")

    assert done.code == 1
    assert "no finding, or more than one, starts with 'ffffffffffff'" in done.err


async def test_runs_list_holds_the_receipt_of_every_hour(ran: Bench) -> None:
    listed = await ran.invoke("runs", "list", "--format", "json")
    table = await ran.invoke("runs", "list")

    newest_first = [
        (row["state"], row["rows"], row["new"], row["suppressed"], row["notified"])
        for row in rows(listed)
    ]
    assert newest_first[-3:] == [("done", 1, 0, 0, 2), ("done", 3, 1, 1, 2), ("done", 1, 1, 0, 2)]
    assert table.out.count("done") == len(newest_first)


async def test_outbox_list_holds_every_message(ran: Bench) -> None:
    done = await ran.invoke("outbox", "list", "--format", "json")

    assert sorted((row["receiver"], row["kind"], row["state"]) for row in rows(done)) == [
        ("on-call", "opened", "sent"),
        ("on-call", "opened", "sent"),
        ("on-call", "updated", "sent"),
        ("tickets", "opened", "sent"),
        ("tickets", "opened", "sent"),
        ("tickets", "updated", "sent"),
    ]


async def test_outbox_retry_brings_a_dead_message_through(bench: Bench) -> None:
    await bench.begin()
    too_long = '{"ok": false, "error": "msg_too_long"}'
    # Refused with its blocks, then as plain text: that message is given up.
    refusal = Fault(status=200, body=too_long, media_type="application/json", path="postMessage")
    bench.slack.faults += [refusal, refusal]

    first = await bench.invoke("run", "--repo", REPO)
    dead = rows(await bench.invoke("outbox", "list", "--state", "dead", "--format", "json"))
    unsaid = await bench.invoke("outbox", "retry")
    back = await bench.invoke("outbox", "retry", "--all")
    again = await bench.invoke("run", "--repo", REPO)

    assert first.code == 1
    assert "1 given up" in first.err
    assert [(row["receiver"], row["reason"]) for row in dead] == [
        ("on-call", "refused: Slack answered msg_too_long")
    ]
    assert unsaid.code == 2
    assert back.out == "1 message put back.\n"
    assert again.code == 0, again.err
    assert len(bench.slack.store) == 3


# Inventory, doctor, rules


async def test_inventory_who_names_the_facts_of_a_host(ran: Bench) -> None:
    known = await ran.invoke("inventory", "who", "AZ-WEB-07", "--format", "json")
    unknown = await ran.invoke("inventory", "who", "NOBODY-1")

    assert known.code == 0
    assert {row["table"] for row in rows(known)} >= {"host"}
    assert unknown.code == 1
    assert "Nothing is known of 'NOBODY-1'" in unknown.err


async def test_inventory_status_says_no_where_a_table_is_missing(bench: Bench) -> None:
    whole = await bench.invoke("inventory", "status", "--format", "json")
    (bench.folder / "inventory" / "host.csv").unlink()
    less = await bench.invoke("inventory", "status", "--format", "json")

    assert whole.code == 0
    assert {row["state"] for row in rows(whole)} == {"fresh"}
    assert less.code == 1
    assert {row["table"] for row in rows(less) if row["state"] != "fresh"} == {"host"}


async def test_doctor_finds_everything_in_order(ran: Bench) -> None:
    done = await ran.invoke("doctor", "--format", "json")

    assert done.code == 0, done.out
    assert {row["state"] for row in rows(done)} == {"ok"}
    assert {"repository falcon", "receiver on-call", "receiver tickets", "store"} <= {
        str(row["what"]) for row in rows(done)
    }


async def test_doctor_has_a_row_for_each_thing_about_a_server(ran: Bench) -> None:
    done = await ran.invoke("doctor", "--format", "json")

    told = {row["what"]: row["detail"] for row in rows(done)}
    assert told["connection falcon"] == f"{ran.sandbox.url} answers, state OK"
    assert told["version falcon"] == "LogScale 1.204.0"
    assert told["repository falcon"] == "falcon is a repository"
    assert told["rights falcon"] == "may search and deploy"
    assert str(told["clock falcon"]).endswith("s from the server's")
    assert str(told["clock"]).startswith("it is 20")


async def test_doctor_tells_a_view_from_a_repository(bench: Bench) -> None:
    await bench.begin()
    async with connected(bench) as client:
        await client.views().create_view(
            "both", [ViewConnection(repository=REPO), ViewConnection(repository="spare")]
        )
        bench.edit(bench.config, 'repository = "spare"', 'repository = "both"')
        done = await bench.invoke("doctor", "--format", "json")
        await client.views().delete("both", reason="over")

    told = {row["what"]: row["detail"] for row in rows(done)}
    assert done.code == 0
    assert told["repository spare"] == (
        "both is a view over falcon, spare: searched like a repository, and takes no events"
    )


@pytest.mark.parametrize(
    ("name", "advice"),
    [("flacon", "Did you mean 'falcon'?"), ("zzz", "The token sees: falcon, spare, taken")],
)
async def test_doctor_offers_the_repositories_there_are(
    bench: Bench, name: str, advice: str
) -> None:
    await bench.begin()
    bench.edit(bench.config, 'repository = "spare"', f'repository = "{name}"')

    done = await bench.invoke("doctor", "--format", "json")

    (wrong,) = [row for row in rows(done) if row["state"] == "WRONG"]
    assert done.code == 1
    assert (wrong["what"], wrong["code"]) == ("repository spare", "unknown-repository")
    assert f"no repository or view '{name}'" in str(wrong["detail"])
    assert advice in str(wrong["detail"])


@pytest.mark.parametrize(
    ("rights", "state", "code", "detail"),
    [
        (
            {Right.READ},
            "note",
            0,
            "may search, and not change alerts and scheduled searches, saved queries, lookup files",
        ),
        ({Right.INGEST}, None, 1, "An ingest token can send events and nothing else"),
    ],
    ids=["reads", "sends"],
)
async def test_doctor_says_what_the_token_may_not_do(
    bench: Bench, rights: set[Right], state: str | None, code: int, detail: str
) -> None:
    await bench.begin()
    bench.sandbox.tokens["lesser"] = TokenRole(name="lesser", rights=frozenset(rights))
    (bench.folder / "logscale.token").write_text("lesser", encoding="utf-8")

    done = await bench.invoke("doctor", "--format", "json")

    found = {row["what"]: row for row in rows(done)}
    row = found.get("rights spare") or found["repository spare"]
    assert done.code == code
    assert row["state"] == (state or "WRONG")
    assert detail in str(row["detail"])


async def test_doctor_of_a_server_that_is_away_looks_no_further(bench: Bench) -> None:
    bench.edit(bench.config, f'url = "{bench.sandbox.url}"', 'url = "http://127.0.0.1:1"')

    done = await bench.invoke("doctor", "--format", "json")

    about = [row for row in rows(done) if str(row["what"]).endswith(" spare")]
    assert done.code == 1
    assert [(row["what"], row["code"]) for row in about] == [
        ("connection spare", "connection-failed")
    ]


async def test_doctor_names_the_receiver_whose_token_is_refused(bench: Bench) -> None:
    await bench.begin()
    (bench.folder / "jira.token").write_text("expired", encoding="utf-8")

    done = await bench.invoke("doctor", "--format", "json")

    wrong = [row for row in rows(done) if row["state"] == "WRONG"]
    assert done.code == 1
    assert [row["what"] for row in wrong] == ["receiver tickets"]
    assert "Jira refuses the account" in str(wrong[0]["detail"])
    assert "expired" not in done.out


async def test_lint_and_test_of_good_rules_say_yes(ran: Bench) -> None:
    linted = await ran.invoke("lint", str(ran.rule.parent))
    tested = await ran.invoke("test", str(ran.rule.parent), "--format", "json")

    assert linted.code == 0
    assert "0 errors" in linted.err
    assert tested.code == 0, tested.err
    assert {row["result"] for row in rows(tested)} == {"ok"}


async def test_test_of_a_case_that_does_not_hold_says_no(bench: Bench) -> None:
    path = bench.rule / "cases.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('suspicionScore: "4"', 'suspicionScore: "5"', 1), encoding="utf-8")

    done = await bench.invoke("test", str(bench.rule), "--format", "json")

    failed = [row for row in rows(done) if row["result"] != "ok"]
    assert done.code == 1
    assert [(row["case"], row["events"]) for row in failed] == [("T1-M1", "1")]
    assert "suspicionScore" in str(failed[0]["problems"])
