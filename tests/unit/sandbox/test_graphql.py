"""GraphQL: every kind of asset through its life, the conditional rules, the envelope."""

from __future__ import annotations

import json
from typing import Any

import pytest

SCHEDULED_FIELDS = """id name description queryString start end searchIntervalSeconds
  searchIntervalOffsetSeconds maxWaitTimeSeconds timeZone schedule backfillLimit backfillLimitV2
  queryTimestampType enabled triggerOnEmptyResult actions actionsV2 { __typename id name }
  runAsUser { username } labels lastError lastWarnings packageId
  queryOwnership { __typename ... on UserOwnership { user { username } } }
  modifiedInfo { __typename modifiedAt } allowedActions resource timeOfNextPlannedExecution"""
CREATE_V2 = f"""mutation($input: CreateScheduledSearchV2!) {{
  createScheduledSearchV2(input: $input) {{ {SCHEDULED_FIELDS} }} }}"""
CREATE_V1 = f"""mutation($input: CreateScheduledSearch!) {{
  createScheduledSearch(input: $input) {{ {SCHEDULED_FIELDS} }} }}"""
UPDATE_V3 = f"""mutation($input: UpdateScheduledSearchV3!) {{
  updateScheduledSearchV3(input: $input) {{ {SCHEDULED_FIELDS} }} }}"""
LIST_SCHEDULED = f"""query($view: String!) {{ searchDomain(name: $view) {{ __typename
  scheduledSearches {{ {SCHEDULED_FIELDS} }} }} }}"""
CREATE_WEBHOOK = """mutation($input: CreateWebhookAction!) { createWebhookAction(input: $input) {
  __typename id name method url headers { header value } bodyTemplate ignoreSSL
  useProxy labels } }"""

EVENT_TIME = {
    "queryTimestampType": "EventTimestamp",
    "backfillLimit": 2,
    "searchIntervalOffsetSeconds": 60,
}
INGEST_TIME = {"queryTimestampType": "IngestTimestamp", "maxWaitTimeSeconds": 120}


def scheduled(**changes: Any) -> dict[str, Any]:
    base = {
        "viewName": "falcon",
        "name": "hourly",
        "queryString": "count()",
        "searchIntervalSeconds": 3600,
        "schedule": "5 * * * *",
        "timeZone": "UTC",
        "actionIdsOrNames": [],
        "queryOwnershipType": "Organization",
    }
    kept = (
        {**base, **changes}
        if "queryTimestampType" in changes
        else {**base, **EVENT_TIME, **changes}
    )
    return {name: value for name, value in kept.items() if value is not ...}


def webhook(**changes: Any) -> dict[str, Any]:
    return {
        "viewName": "falcon",
        "name": "hook",
        "url": "https://hooks.example.com/x",
        "method": "POST",
        "headers": [{"header": "X-A", "value": "1"}],
        "bodyTemplate": "{events}",
        "ignoreSSL": False,
        "useProxy": True,
        **changes,
    }


def data(answer: dict[str, Any]) -> dict[str, Any]:
    assert "errors" not in answer, answer["errors"]
    found: dict[str, Any] = answer["data"]
    return found


def state(answer: dict[str, Any]) -> dict[str, str]:
    [error] = answer["errors"]
    assert set(error) >= {"message", "path", "state"}
    found: dict[str, str] = error["state"]
    return found


async def created(client: Any, mutation: str, given: dict[str, Any]) -> dict[str, Any]:
    [node] = data(await client.graphql(mutation, input=given)).values()
    found: dict[str, Any] = node
    return found


# --- scheduled searches ---------------------------------------------------------------------


async def test_event_time_search_reads_back_as_created(client: Any) -> None:
    await created(client, CREATE_WEBHOOK, webhook())

    node = await created(client, CREATE_V2, scheduled(actionIdsOrNames=["hook"], labels=["a"]))

    assert node["backfillLimit"] == node["backfillLimitV2"] == 2
    assert (node["searchIntervalOffsetSeconds"], node["maxWaitTimeSeconds"]) == (60, None)
    assert (node["start"], node["end"]) == ("3660s", "60s")
    assert node["enabled"] is True
    assert node["triggerOnEmptyResult"] is False
    assert node["actions"] == [node["actionsV2"][0]["id"]]
    assert node["actionsV2"][0]["__typename"] == "WebhookAction"
    assert node["queryOwnership"] == {"__typename": "OrganizationOwnership"}
    listed = data(await client.graphql(LIST_SCHEDULED, view="falcon"))["searchDomain"]
    assert listed == {"__typename": "Repository", "scheduledSearches": [node]}


async def test_ingest_time_search_has_no_offset_and_no_backfill(client: Any) -> None:
    node = await created(client, CREATE_V2, scheduled(**INGEST_TIME))

    assert (node["backfillLimit"], node["backfillLimitV2"]) == (0, None)
    assert (node["searchIntervalOffsetSeconds"], node["maxWaitTimeSeconds"]) == (None, 120)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({**EVENT_TIME, "backfillLimit": ...}, "backfillLimit"),
        ({**EVENT_TIME, "backfillLimit": -1}, "backfillLimit"),
        ({**EVENT_TIME, "backfillLimit": 6}, "backfillLimit"),
        ({**EVENT_TIME, "searchIntervalOffsetSeconds": ...}, "searchIntervalOffsetSeconds"),
        ({**EVENT_TIME, "maxWaitTimeSeconds": 0}, "maxWaitTimeSeconds"),
        ({**INGEST_TIME, "maxWaitTimeSeconds": ...}, "maxWaitTimeSeconds"),
        ({**INGEST_TIME, "backfillLimit": 0}, "backfillLimit"),
        ({**INGEST_TIME, "searchIntervalOffsetSeconds": 0}, "searchIntervalOffsetSeconds"),
        ({"schedule": "* * * *"}, "schedule"),
        ({"schedule": "61 * * * *"}, "schedule"),
        ({"schedule": "@hourly * * * *"}, "schedule"),
        ({"timeZone": "Europe/Copenhagen"}, "timeZone"),
        ({"queryString": "count("}, "queryString"),
        ({"searchIntervalSeconds": 0}, "searchIntervalSeconds"),
        ({"actionIdsOrNames": ["nothing"]}, "actionIdsOrNames"),
        ({"name": " "}, "name"),
    ],
)
async def test_broken_rule_is_refused_with_200_and_state(
    client: Any, changes: dict[str, Any], field: str
) -> None:
    answer = await client.graphql(CREATE_V2, input=scheduled(**changes))

    assert set(state(answer)) == {field}
    assert answer["errors"][0]["path"] == ["createScheduledSearchV2"]
    listed = data(await client.graphql(LIST_SCHEDULED, view="falcon"))["searchDomain"]
    assert listed["scheduledSearches"] == []


async def test_every_broken_rule_is_named_at_once(client: Any) -> None:
    given = scheduled(timeZone="CET", schedule="never", searchIntervalSeconds=-1)

    assert set(state(await client.graphql(CREATE_V2, input=given))) == {
        "timeZone",
        "schedule",
        "searchIntervalSeconds",
    }


async def test_name_is_taken_once(client: Any) -> None:
    await created(client, CREATE_V2, scheduled())

    answer = await client.graphql(CREATE_V2, input=scheduled())

    assert "already in use" in state(answer)["name"]


@pytest.mark.parametrize("schedule", ["H * * * *", "H 2 * * *", "*/5 0-6,22 1 1-3/2 0"])
async def test_schedule_forms_are_taken(client: Any, schedule: str) -> None:
    node = await created(client, CREATE_V2, scheduled(schedule=schedule))

    assert node["schedule"] == schedule


async def test_v1_window_becomes_interval_and_offset(client: Any) -> None:
    given = {
        "viewName": "falcon",
        "name": "old",
        "queryString": "count()",
        "queryStart": "2h",
        "queryEnd": "30m",
        "schedule": "0 * * * *",
        "timeZone": "UTC+01",
        "backfillLimit": 1,
        "actions": [],
    }

    node = await created(client, CREATE_V1, given)

    assert (node["searchIntervalSeconds"], node["searchIntervalOffsetSeconds"]) == (5400, 1800)
    assert node["queryTimestampType"] == "EventTimestamp"
    assert node["runAsUser"] == {"username": "admin"}


async def test_v1_window_that_is_not_relative_is_refused(client: Any) -> None:
    given = {
        "viewName": "falcon",
        "name": "old",
        "queryString": "count()",
        "queryStart": "yesterday",
        "queryEnd": "now",
        "schedule": "0 * * * *",
        "timeZone": "UTC",
        "backfillLimit": 1,
        "actions": [],
    }

    assert set(state(await client.graphql(CREATE_V1, input=given))) == {"queryStart"}


async def test_update_replaces_everything_and_moves_modified_at(client: Any) -> None:
    node = await created(client, CREATE_V2, scheduled(description="old", labels=["a"]))
    given = scheduled(
        id=node["id"], name="renamed", enabled=False, triggerOnEmptyResult=True, labels=[]
    )

    after = await created(client, UPDATE_V3, given)

    assert (after["name"], after["description"], after["labels"]) == ("renamed", None, [])
    assert (after["enabled"], after["triggerOnEmptyResult"]) == (False, True)
    assert after["modifiedInfo"]["modifiedAt"] > node["modifiedInfo"]["modifiedAt"]


async def test_refused_update_leaves_the_search_as_it_was(client: Any) -> None:
    node = await created(client, CREATE_V2, scheduled())
    given = scheduled(
        id=node["id"], enabled=True, triggerOnEmptyResult=True, labels=[], timeZone="CET"
    )

    assert set(state(await client.graphql(UPDATE_V3, input=given))) == {"timeZone"}
    listed = data(await client.graphql(LIST_SCHEDULED, view="falcon"))["searchDomain"]
    assert listed["scheduledSearches"] == [node]


async def test_switch_and_labels_answer_with_the_search(client: Any) -> None:
    node = await created(client, CREATE_V2, scheduled())
    target = f'viewName: "falcon", id: "{node["id"]}"'

    off = await client.graphql(
        f"mutation {{ disableScheduledSearch(input: {{ {target} }}) {{ enabled }} }}"
    )
    labelled = await client.graphql(
        f'mutation {{ addScheduledSearchLabel(input: {{ {target}, label: "x" }}) {{ labels }} }}'
    )
    bare = await client.graphql(
        f'mutation {{ removeScheduledSearchLabel(input: {{ {target}, label: "x" }}) {{ labels }} }}'
    )

    assert data(off)["disableScheduledSearch"] == {"enabled": False}
    assert data(labelled)["addScheduledSearchLabel"] == {"labels": ["x"]}
    assert data(bare)["removeScheduledSearchLabel"] == {"labels": []}


async def test_delete_answers_true_once(client: Any) -> None:
    node = await created(client, CREATE_V2, scheduled())
    mutation = f"""mutation {{ deleteScheduledSearch(input: {{ viewName: "falcon",
      id: "{node["id"]}" }}) }}"""

    first, second = await client.graphql(mutation), await client.graphql(mutation)

    assert data(first) == {"deleteScheduledSearch": True}
    assert "Could not find" in second["errors"][0]["message"]


async def test_saved_query_is_made_from_the_yaml_of_another(client: Any) -> None:
    create = """mutation($yaml: YAML!, $name: String) { createSavedQueryFromTemplate(
      input: {viewName: "falcon", yamlTemplate: $yaml, name: $name}) {
      name yamlTemplate query { queryString start isLive } } }"""
    text = "name: one\nqueryString: a=b\ntimeInterval: {isLive: false, start: 7d}\n"

    one = data(await client.graphql(create, yaml=text))["createSavedQueryFromTemplate"]
    two = data(await client.graphql(create, yaml=one["yamlTemplate"], name="two"))
    taken = await client.graphql(create, yaml=text)

    query = {"queryString": "a=b", "start": "7d", "isLive": False}
    assert (one["name"], one["query"]) == ("one", query)
    assert two["createSavedQueryFromTemplate"]["name"] == "two"
    assert two["createSavedQueryFromTemplate"]["query"] == query
    assert set(state(taken)) == {"name"}


# --- alerts ---------------------------------------------------------------------------------

CREATE_FILTER = """mutation($input: CreateFilterAlert!) { createFilterAlert(input: $input) {
  id name queryString enabled throttleTimeSeconds throttleField actions { __typename name } labels
  queryOwnership { __typename } modifiedInfo { modifiedAt } } }"""
CREATE_AGGREGATE = """mutation($input: CreateAggregateAlert!) {
  createAggregateAlert(input: $input) { id name queryString enabled throttleTimeSeconds
  searchIntervalSeconds queryTimestampType triggerMode actions { name } labels } }"""


def alert(**changes: Any) -> dict[str, Any]:
    base = {
        "viewName": "falcon",
        "name": "alert",
        "queryString": "a=b",
        "actionIdsOrNames": [],
        "queryOwnershipType": "User",
    }
    return {**base, **changes}


def aggregate(**changes: Any) -> dict[str, Any]:
    base = {
        "queryString": "count()",
        "throttleTimeSeconds": 300,
        "searchIntervalSeconds": 3600,
        "queryTimestampType": "IngestTimestamp",
    }
    return alert(**{**base, **changes})


async def test_filter_alert_reads_its_actions_as_objects(client: Any) -> None:
    await created(client, CREATE_WEBHOOK, webhook())

    node = await created(client, CREATE_FILTER, alert(actionIdsOrNames=["hook"]))

    assert node["actions"] == [{"__typename": "WebhookAction", "name": "hook"}]
    assert node["throttleTimeSeconds"] is None
    assert node["queryOwnership"] == {"__typename": "UserOwnership"}


async def test_aggregate_alert_completes_its_window_by_default(client: Any) -> None:
    node = await created(client, CREATE_AGGREGATE, aggregate())

    assert node["triggerMode"] == "CompleteMode"
    assert node["searchIntervalSeconds"] == 3600


@pytest.mark.parametrize(
    ("mutation", "given", "field"),
    [
        (CREATE_FILTER, alert(queryString="count()"), "queryString"),
        (CREATE_FILTER, alert(throttleTimeSeconds=5), "throttleTimeSeconds"),
        (CREATE_AGGREGATE, aggregate(queryString="a=b"), "queryString"),
        (CREATE_AGGREGATE, aggregate(searchIntervalSeconds=90), "searchIntervalSeconds"),
        (CREATE_AGGREGATE, aggregate(throttleTimeSeconds=0), "throttleTimeSeconds"),
    ],
)
async def test_alert_outside_its_limits_is_refused(
    client: Any, mutation: str, given: dict[str, Any], field: str
) -> None:
    assert set(state(await client.graphql(mutation, input=given))) == {field}


CREATE_LEGACY = """mutation($input: CreateAlert!) { createAlert(input: $input) {
  id name queryString queryStart throttleTimeMillis throttleField enabled labels timeOfLastTrigger
  actions actionsV2 { name } runAsUser { username } queryOwnership { __typename } } }"""


def legacy(**changes: Any) -> dict[str, Any]:
    base = {
        "viewName": "falcon",
        "name": "older",
        "queryString": "count()",
        "queryStart": "1h",
        "throttleTimeMillis": 60_000,
        "actions": [],
    }
    return {**base, **changes}


async def test_legacy_alert_reads_its_actions_as_ids(client: Any) -> None:
    hook = await created(client, CREATE_WEBHOOK, webhook())

    by_name = await created(client, CREATE_LEGACY, legacy(actions=["hook"]))
    by_id = await created(client, CREATE_LEGACY, legacy(name="by id", actions=[hook["id"]]))

    assert by_name["actions"] == by_id["actions"] == [hook["id"]]
    assert by_name["actionsV2"] == [{"name": "hook"}]
    # Whose rights it has is optional, and its maker's by default.
    assert by_name["queryOwnership"] == {"__typename": "UserOwnership"}
    assert by_name["runAsUser"] == {"username": "admin"}
    assert (by_name["enabled"], by_name["queryStart"], by_name["labels"]) == (True, "1h", [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"queryStart": "now"}, "queryStart"),
        ({"queryStart": "yesterday"}, "queryStart"),
        ({"queryStart": "1500ms"}, "queryStart"),
        ({"throttleTimeMillis": 0}, "throttleTimeMillis"),
        ({"queryString": "count("}, "queryString"),
        ({"actions": ["nowhere"]}, "actions"),
    ],
)
async def test_legacy_alert_outside_its_limits_is_refused(
    client: Any, changes: dict[str, Any], field: str
) -> None:
    assert set(state(await client.graphql(CREATE_LEGACY, input=legacy(**changes)))) == {field}


async def test_legacy_alert_verbs_answer_as_each_of_them_does(client: Any) -> None:
    node = await created(client, CREATE_LEGACY, legacy())
    target = f'viewName: "falcon", id: "{node["id"]}"'

    answers = [
        data(await client.graphql(f"mutation {{ {verb}(input: {{ {target} {rest} }}) {shown} }}"))
        for verb, rest, shown in (
            ("disableAlert", "", ""),
            ("addAlertLabelV2", 'label: "x"', "{ enabled labels }"),
            ("removeAlertLabelV2", 'label: "x"', "{ labels }"),
            ("clearErrorOnAlert", "", "{ lastError }"),
            ("enableAlert", "", ""),
            ("deleteAlert", "", ""),
        )
    ]

    assert answers == [
        {"disableAlert": True},
        {"addAlertLabelV2": {"enabled": False, "labels": ["x"]}},
        {"removeAlertLabelV2": {"labels": []}},
        {"clearErrorOnAlert": {"lastError": None}},
        {"enableAlert": True},
        {"deleteAlert": True},
    ]


@pytest.mark.parametrize(
    ("kind", "listing", "given"),
    [
        ("FilterAlert", "filterAlerts", alert()),
        ("AggregateAlert", "aggregateAlerts", aggregate()),
    ],
)
async def test_alert_verbs_answer_with_booleans(
    client: Any, kind: str, listing: str, given: dict[str, Any]
) -> None:
    create = CREATE_FILTER if kind == "FilterAlert" else CREATE_AGGREGATE
    node = await created(client, create, given)
    target = f'viewName: "falcon", id: "{node["id"]}"'

    answers = [
        data(await client.graphql(f"mutation {{ {verb}(input: {{ {target} {rest} }}) }}"))
        for verb, rest in (
            (f"disable{kind}", ""),
            (f"add{kind}Label", 'label: "x"'),
        )
    ]
    listed = await client.graphql(
        f'{{ searchDomain(name: "falcon") {{ {listing} {{ enabled labels }} }} }}'
    )
    deleted = await client.graphql(f"mutation {{ delete{kind}(input: {{ {target} }}) }}")

    assert answers == [{f"disable{kind}": True}, {f"add{kind}Label": True}]
    assert data(listed)["searchDomain"][listing] == [{"enabled": False, "labels": ["x"]}]
    assert data(deleted) == {f"delete{kind}": True}


# --- actions, saved queries, files ----------------------------------------------------------


async def test_actions_are_listed_with_their_own_fields(client: Any) -> None:
    await created(client, CREATE_WEBHOOK, webhook())
    await created(
        client,
        """mutation($input: CreateEmailAction!) { createEmailAction(input: $input) { id } }""",
        {"viewName": "falcon", "name": "mail", "recipients": ["a@example.com"], "useProxy": False},
    )
    await created(
        client,
        """mutation($input: CreateSlackAction!) { createSlackAction(input: $input) { id } }""",
        {
            "viewName": "falcon",
            "name": "slack",
            "url": "https://hooks.slack.example/x",
            "fields": [{"fieldName": "a", "value": "b"}],
            "useProxy": False,
        },
    )

    listed = await client.graphql("""{ searchDomain(name: "falcon") { actions { __typename name
      ... on EmailAction { recipients attachCsv mailBody: bodyTemplate }
      ... on SlackAction { fields { fieldName value } }
      ... on WebhookAction { method headers { header value } hookBody: bodyTemplate } } } }""")

    hook, mail, slack = data(listed)["searchDomain"]["actions"]
    assert hook["headers"] == [{"header": "X-A", "value": "1"}]
    assert mail == {
        "__typename": "EmailAction",
        "name": "mail",
        "recipients": ["a@example.com"],
        "attachCsv": False,
        "mailBody": None,
    }
    assert slack["fields"] == [{"fieldName": "a", "value": "b"}]


async def test_action_keeps_its_kind(client: Any) -> None:
    hook = await created(client, CREATE_WEBHOOK, webhook())
    given = {
        "viewName": "falcon",
        "id": hook["id"],
        "name": "hook",
        "recipients": ["a@example.com"],
        "useProxy": False,
    }

    answer = await client.graphql(
        "mutation($input: UpdateEmailAction!) { updateEmailAction(input: $input) { id } }",
        input=given,
    )

    assert "WebhookAction" in answer["errors"][0]["message"]


@pytest.mark.parametrize(
    ("changes", "field"), [({"method": "BREW"}, "method"), ({"url": "ftp://x"}, "url")]
)
async def test_wrong_webhook_is_refused(client: Any, changes: dict[str, Any], field: str) -> None:
    answer = await client.graphql(CREATE_WEBHOOK, input=webhook(**changes))

    assert set(state(answer)) == {field}


async def test_saved_query_update_keeps_what_it_leaves_out(client: Any) -> None:
    first = await client.graphql("""mutation { createSavedQuery(input: {viewName: "falcon",
      name: "s", queryString: "a=b", description: "d", start: "7d", labels: ["l"]})
      { savedQuery { id } } }""")
    saved_id = data(first)["createSavedQuery"]["savedQuery"]["id"]

    after = await client.graphql(f"""mutation {{ updateSavedQuery(input: {{viewName: "falcon",
      id: "{saved_id}", queryString: "a=c"}}) {{ savedQuery {{ name description labels
      query {{ queryString start end isLive }} }} }} }}""")
    gone = await client.graphql(f"""mutation {{ deleteSavedQuery(input: {{viewName: "falcon",
      id: "{saved_id}"}}) {{ result }} }}""")

    assert data(after)["updateSavedQuery"]["savedQuery"] == {
        "name": "s",
        "description": "d",
        "labels": ["l"],
        "query": {"queryString": "a=c", "start": "7d", "end": "now", "isLive": False},
    }
    assert data(gone)["deleteSavedQuery"] == {"result": True}


async def upload(client: Any, name: str, content: bytes) -> Any:
    return await client.call(
        "POST", "/api/v1/repositories/falcon/files", files={"file": (name, content)}
    )


async def test_file_goes_up_comes_down_and_is_listed(client: Any) -> None:
    answer = await upload(client, "hosts.csv", b'name,role\na,"x,y"\nb,z\n')
    raw = await client.call("GET", "/api/v1/repositories/falcon/files/hosts.csv")
    listed = await client.graphql("""{ searchDomain(name: "falcon") { files { nameAndPath { name }
      fileSizeBytes modifiedAt } } }""")
    content = await client.graphql("""{ getFileContent(name: "falcon", fileName: "hosts.csv",
      offset: 1, limit: 5) { headers lines totalLinesCount } }""")

    assert answer.status_code == 200
    assert raw.content == b'name,role\na,"x,y"\nb,z\n'
    [file] = data(listed)["searchDomain"]["files"]
    assert file["nameAndPath"] == {"name": "hosts.csv"}
    assert file["modifiedAt"] == "2026-03-10T02:00:00Z"
    assert data(content)["getFileContent"] == {
        "headers": ["name", "role"],
        "lines": [["b", "z"]],
        "totalLinesCount": 2,
    }


async def test_upload_replaces_and_changes_the_hash(client: Any) -> None:
    query = '{ searchDomain(name: "falcon") { files { contentHash } } }'
    await upload(client, "a.csv", b"k\n1\n")
    before = data(await client.graphql(query))["searchDomain"]["files"]
    await upload(client, "a.csv", b"k\n2\n")
    after = data(await client.graphql(query))["searchDomain"]["files"]

    assert len(before) == len(after) == 1
    assert before != after


async def test_file_rows_are_edited_and_the_file_removed(client: Any) -> None:
    await upload(client, "a.csv", b"k,v\n1,a\n2,b\n3,c\n")

    await client.graphql("""mutation { updateFile(name: "falcon", fileName: "a.csv", offset: 1,
      limit: 1, headers: ["k", "v"], changedRows: [["2", "B"]], columnChanges: []) { lines } }""")
    raw = await client.call("GET", "/api/v1/repositories/falcon/files/a.csv")
    gone = await client.graphql(
        'mutation { removeFile(name: "falcon", fileName: "a.csv") { result } }'
    )
    after = await client.call("GET", "/api/v1/repositories/falcon/files/a.csv")

    assert raw.content == b"k,v\n1,a\n2,B\n3,c\n"
    assert data(gone) == {"removeFile": {"result": True}}
    assert after.status_code == 404


@pytest.mark.parametrize("content", [b"", b"a,a\n1,2\n", b"a,b\n1\n", b"\xff\xfe"])
async def test_file_that_is_no_csv_is_refused(client: Any, content: bytes) -> None:
    answer = await upload(client, "a.csv", content)

    assert answer.status_code == 400


async def test_upload_without_the_part_is_refused(client: Any) -> None:
    answer = await client.call(
        "POST", "/api/v1/repositories/falcon/files", files={"other": ("a.csv", b"k\n")}
    )

    assert answer.status_code == 400


# --- domains, server, checks ----------------------------------------------------------------


async def test_view_searches_its_filtered_repositories(client: Any) -> None:
    await client.graphql("""mutation { createView(name: "view", connections:
      [{repositoryName: "falcon", filter: "kind=a"}]) { name } }""")
    await client.ingest({"kind": "a", "n": "1"}, {"kind": "b", "n": "2", "ms": -5})

    found = await client.poll(await client.start("*", repository="view"), repository="view")
    listed = await client.graphql("""{ searchDomains { __typename name
      ... on View { connections { filter repository { name } } } } }""")

    assert [event["n"] for event in found["events"]] == ["1"]
    assert data(listed)["searchDomains"][1] == {
        "__typename": "View",
        "name": "view",
        "connections": [{"filter": "kind=a", "repository": {"name": "falcon"}}],
    }


async def test_unknown_domain_is_an_error_and_no_data(client: Any) -> None:
    answer = await client.graphql('{ searchDomain(name: "nowhere") { id } }')

    assert answer["data"] is None
    assert answer["errors"][0]["path"] == ["searchDomain"]


async def test_meta_and_viewer_answer(client: Any) -> None:
    answer = await client.graphql(
        """{ meta { version scheduledSearchMaxBackfillLimit }
      viewer { username isRoot } }""",
        token="reader",
    )

    assert data(answer)["viewer"] == {"username": "reader", "isRoot": False}
    assert data(answer)["meta"]["version"].partition("-")[0].count(".") == 2


async def test_allowed_actions_follow_the_token(client: Any) -> None:
    query = """{ searchDomain(name: "falcon") { mayRead: isActionAllowed(action: ReadEvents)
      mayChange: isActionAllowed(action: ChangeTriggers) } }"""

    answer = await client.graphql(query, token="reader")

    assert data(answer)["searchDomain"] == {"mayRead": True, "mayChange": False}


async def test_analyze_says_what_kind_of_alert_a_query_suits(client: Any) -> None:
    query = """query($q: String!) { analyzeQuery(input: {queryString: $q,
      version: {name: "legacy"}, viewName: "falcon"}) { validateQuery { isValid
      diagnostics { message code severity } } suggestedAlertType { alertType } } }"""

    kinds = [
        data(await client.graphql(query, q=text))["analyzeQuery"]["suggestedAlertType"]
        for text in ("a=b", "count()")
    ]
    broken = data(await client.graphql(query, q="count("))["analyzeQuery"]

    assert kinds == [{"alertType": "FilterAlert"}, {"alertType": "AggregateAlert"}]
    assert broken["validateQuery"]["isValid"] is False
    assert broken["validateQuery"]["diagnostics"][0]["severity"] == "Error"
    assert broken["suggestedAlertType"] is None


@pytest.mark.parametrize(
    ("query", "usage"),
    [
        ("a=b | count()", None),
        (
            "correlate(first: {a=b}, second: {c=d | x <=> first.x}, sequence=true, within=1h)",
            {"isSequenced": True, "isFormatPreservedInOutput": True},
        ),
        (
            "correlate(first: {a=b}, second: {c=d | x <=> first.x}, within=1h) | count()",
            {"isSequenced": False, "isFormatPreservedInOutput": False},
        ),
    ],
)
async def test_analyze_tells_of_correlation(client: Any, query: str, usage: Any) -> None:
    answer = await client.graphql(
        """query($q: String!) { analyzeQuery(input: {queryString: $q, version: {name: "legacy"}}) {
          validateQuery { diagnostics { message } } analysisResult { correlateUsageInfo {
          isSequenced isFormatPreservedInOutput queryNames } } } }""",
        q=query,
    )

    found = data(answer)["analyzeQuery"]
    assert found["validateQuery"] == {"diagnostics": []}
    wanted = usage and {**usage, "queryNames": ["first", "second"]}
    assert found["analysisResult"] == {"correlateUsageInfo": wanted}


async def test_analyze_refuses_a_language_that_it_does_not_know(client: Any) -> None:
    answer = await client.graphql(
        """{ analyzeQuery(input: {queryString: "*", version: {name: "sql"}}) {
          validateQuery { isValid } } }"""
    )

    assert answer["errors"][0]["message"] == "There is no language version 'sql'"


async def test_validate_accepts_a_good_query(client: Any) -> None:
    answer = await client.graphql(
        '{ validateQuery(queryString: "a=b", version: legacy) { isValid diagnostics { code } } }'
    )

    assert data(answer)["validateQuery"] == {"isValid": True, "diagnostics": []}


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ nothing }", {}),
        ("{ searchDomain(name: ", {}),
        ("query($v: String!) { searchDomain(name: $v) { id } }", {}),
        (
            # A newer input takes RepoOrViewName, and the variable's type must be exactly that.
            """mutation($v: String!) { deleteFilterAlert(input: {viewName: $v, id: "x"}) }""",
            {"v": "falcon"},
        ),
        (CREATE_V2, {"input": {**scheduled(), "searchIntervalSeconds": "3600"}}),
    ],
)
async def test_wrong_operation_is_200_with_errors(
    client: Any, query: str, variables: dict[str, Any]
) -> None:
    answer = await client.graphql(query, **variables)

    assert answer["data"] is None
    assert answer["errors"][0]["message"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"query": 5}', b'{"query": "{a}", "variables": 1}']
)
async def test_body_that_is_no_operation_is_400(client: Any, content: bytes) -> None:
    answer = await client.call("POST", "/graphql", content=content)

    assert answer.status_code == 400


@pytest.mark.parametrize("value", ["60", 60.5, True, 2**63, [60], {}])
async def test_long_is_a_whole_number_in_variables_and_in_the_text(client: Any, value: Any) -> None:
    mutation = "mutation { createPersonalUserToken(input: {expireAt: %s}) }"
    given = json.dumps(value).replace("{}", "{a: 1}")

    by_variable = await client.graphql(
        "mutation($at: Long) { createPersonalUserToken(input: {expireAt: $at}) }", at=value
    )
    by_text = await client.graphql(mutation % given)

    assert "Long cannot represent" in by_variable["errors"][0]["message"]
    assert "Long cannot represent" in by_text["errors"][0]["message"]


async def test_address_may_end_in_a_slash(client: Any) -> None:
    answer = await client.call("POST", "/graphql/", json={"query": "{ meta { version } }"})

    assert answer.json()["data"]["meta"]["version"].startswith("1.204.0")
