"""falconpy's CorrelationRules and CorrelationRulesAdmin, unmodified."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from falconpy import CorrelationRules, CorrelationRulesAdmin

from tests.contract.clients.conftest import Service, body_of, message_of, resources

RULE: dict[str, Any] = {
    "name": "IMDS from a script",
    "customer_id": "0123456789abcdef0123456789abcdef",
    "severity": 50,
    "status": "active",
    "template_id": "",
    "search": {
        "filter": "#event_simpleName=NetworkConnectIP4 | count()",
        "lookback": "1h15m",
        "outcome": "detection",
        "trigger_mode": "summary",
        "execution_mode": "scheduled",
        "use_ingest_time": True,
    },
    "operation": {"schedule": {"definition": "@every 1h0m"}},
}


CHANNELS = "email, slack, pagerduty, webhook, ms_teams"


@pytest.fixture
def rules(service: Service) -> Any:
    return service(CorrelationRules)


def test_rule_through_its_whole_life(rules: Any) -> None:
    created = rules.create_rule(body=RULE)
    (made,) = resources(created)
    assert created["body"]["meta"]["writes"] == {"resources_affected": 1}
    assert (made["version"], made["state"], made["status"]) == (1, "published", "active")
    (changed,) = resources(rules.update_rule(body=[{"id": made["rule_id"], "severity": 70}]))

    assert changed["rule_id"] == made["rule_id"]
    assert changed["id"] != made["id"]
    assert (changed["severity"], changed["version"]) == (70, 2)
    assert changed["search"] == RULE["search"]
    assert resources(rules.query_rules()) == [changed["id"]]
    (listed,) = resources(rules.get_rules_combined(filter="name:'imds*'+status:'active'"))
    assert listed["severity"] == 70
    assert resources(rules.get_rules_combined(filter="status:'inactive'")) == []

    assert resources(rules.delete_rules(ids=made["rule_id"])) == [made["rule_id"]]
    assert resources(rules.query_rules()) == []
    assert resources(rules.query_rules_v2()) == []
    assert "not found" in message_of(rules.get_rules(ids=made["rule_id"]), status=404)


def test_list_that_is_null_is_left_as_it_is(rules: Any) -> None:
    note = {"type": "email", "config": {"recipients": ["soc@mail.example"]}}
    given = {**RULE, "mitre_attack": None, "notifications": [note]}

    (made,) = resources(rules.create_rule(body=given))
    patch = {"id": made["rule_id"], "severity": 70, "notifications": None}
    (changed,) = resources(rules.update_rule(body=[patch]))

    assert (made["mitre_attack"], made["notifications"]) == ([], [note])
    assert (changed["severity"], changed["notifications"]) == (70, [note])


def test_versions_are_listed_published_and_deleted(rules: Any) -> None:
    (first,) = resources(rules.create_rule(body=RULE))
    (second,) = resources(rules.update_rule(body=[{"id": first["id"], "severity": 70}]))

    assert resources(rules.query_rules_v2(sort="version")) == [first["id"], second["id"]]
    both = resources(rules.get_rules_combined_v2(sort="version|desc"))
    assert [(v["version"], v["state"]) for v in both] == [(2, "published"), (1, "unpublished")]
    (only,) = resources(rules.get_rules_combined_v2(filter="state:'unpublished'"))
    assert only["id"] == first["id"]
    (older,) = resources(rules.get_rules_v2(ids=first["id"]))
    assert older["severity"] == 50

    (published,) = resources(rules.publish_rule_version(id=first["id"]))
    assert (published["id"], published["state"]) == (first["id"], "published")
    (back,) = resources(rules.get_rules(ids=first["rule_id"]))
    assert (back["severity"], back["state"]) == (50, "published")
    (latest,) = resources(rules.get_latest_rule_versions(rule_ids=first["rule_id"]))
    assert (latest["id"], latest["state"]) == (second["id"], "unpublished")

    refused = rules.delete_rule_versions(ids=first["id"])
    assert message_of(refused, status=400) == f"version {first['id']} is published"
    assert resources(rules.delete_rule_versions(ids=second["id"])) == [second["id"]]
    # A number that was there and is gone is still followed, not used again.
    (third,) = resources(rules.update_rule(body=[{"id": first["rule_id"], "severity": 90}]))
    assert third["version"] == 2
    assert third["id"] != second["id"]


def test_rules_are_paged_and_sorted(rules: Any) -> None:
    for number in (1, 3, 2):
        resources(rules.create_rule(body={**RULE, "name": f"r{number}"}))

    first = body_of(rules.get_rules_combined(sort="name|desc", limit=2))
    rest = body_of(rules.get_rules_combined(sort="name|desc", limit=2, offset=2))

    assert [rule["name"] for rule in first["resources"] + rest["resources"]] == ["r3", "r2", "r1"]
    assert rest["meta"]["pagination"] == {"offset": 2, "limit": 2, "total": 3}
    (named,) = resources(rules.get_rules_combined(q="R2"))
    assert named["name"] == "r2"


def test_several_rules_change_together_or_not_at_all(rules: Any) -> None:
    made = [resources(rules.create_rule(body={**RULE, "name": n}))[0] for n in "ab"]
    good, bad = (
        {"id": rule["rule_id"], "severity": s} for rule, s in zip(made, (90, 91), strict=True)
    )

    refused = rules.update_rule(body=[good, bad])
    (kept,) = resources(rules.get_rules(ids=made[0]["rule_id"]))
    both = resources(rules.update_rule(body=[good, {**bad, "severity": 90}]))

    assert message_of(refused, status=400) == "severity must be 10, 30, 50, 70 or 90"
    assert kept["severity"] == 50
    assert [rule["severity"] for rule in both] == [90, 90]


def test_export_is_fetched_and_imported(rules: Any, sandbox_url: str) -> None:
    (made,) = resources(rules.create_rule(body=RULE))
    resources(rules.update_rule(body=[{"id": made["id"], "severity": 70}]))
    (job,) = resources(
        rules.export_rule(get_latest=True, report_format="json", filter="name:'IMDS*'", sort="name")
    )
    token = rules.auth_object.token_value
    exported = requests.get(
        f"{sandbox_url}{job['href']}", headers={"Authorization": f"Bearer {token}"}, timeout=10
    ).json()
    (again,) = resources(rules.import_rule(rule=exported[0]))
    resources(rules.delete_rules(ids=made["rule_id"]))
    (anew,) = resources(rules.import_rule(rule=exported[0]))

    assert [(v["severity"], v["version"]) for v in exported] == [(70, 2)]
    assert (again["rule_id"], again["version"], again["state"]) == (
        made["rule_id"],
        3,
        "unpublished",
    )
    assert anew["rule_id"] != made["rule_id"]
    assert (anew["version"], anew["severity"], anew["state"]) == (1, 70, "published")


def test_versions_are_counted_by_a_field(rules: Any) -> None:
    for name, severity in (("a", 50), ("b", 50), ("c", 90)):
        resources(rules.create_rule(body={**RULE, "name": name, "severity": severity}))
    spec = {"field": "severity", "name": "by severity", "type": "terms", "size": 1}

    (counted,) = resources(rules.aggregate_rule_versions(body=[spec], filter="name:!'x'"))

    assert counted == {
        "name": "by severity",
        "buckets": [{"label": "50", "count": 2}],
        "sum_other_doc_count": 1,
    }
    refused = rules.aggregate_rule_versions(body=[{"field": "severity", "type": "range"}])
    assert "terms alone" in message_of(refused, status=400)


def test_rule_is_made_of_a_template(rules: Any) -> None:
    ids = resources(rules.search_rule_template_ids(filter="vendors:'Sandbox'"))
    (template,) = resources(rules.get_rule_templates_by_id(ids=ids[1]))
    given = {
        "template_id": template["id"],
        "status": "inactive",
        **{name: template[name] for name in ("name", "operation", "search", "severity")},
    }

    (made,) = resources(
        rules.create_rule_from_template(
            customer_id=RULE["customer_id"], templates=[{**given, "severity": 90}]
        )
    )

    assert ids == [f"{number:032x}" for number in (1, 2, 3)]
    assert template["name"] == "Sandbox: many failed logons on one host"
    assert (template["author"], template["license_details"]) == ("sandbox", {"name": "", "url": ""})
    assert (made["template_id"], made["search"]) == (template["id"], template["search"])
    assert (made["severity"], made["status"], made["version"]) == (90, "inactive", 1)
    assert resources(rules.query_rules()) == [made["id"]]


def test_templates_that_are_not_there_make_nothing(rules: Any) -> None:
    found = resources(rules.search_rule_template_ids(filter="vendors:'x'"))
    refused = rules.get_rule_templates_by_id(ids="t1")
    (known,) = resources(rules.search_rule_template_ids(limit=1))
    customer = RULE["customer_id"]
    deployed = rules.create_rule_from_template(
        customer_id=customer,
        templates=[{**RULE, "template_id": known}, {**RULE, "template_id": "t1"}],
    )
    bare = rules.create_rule_from_template(customer_id=customer, templates=[{"template_id": known}])

    assert found == []
    assert message_of(refused, status=404) == "template 't1' not found"
    assert message_of(deployed, status=404) == "template 't1' not found"
    missing = "name, severity, status, search, operation"
    assert message_of(bare, status=400) == f"missing required field(s): {missing}"
    assert resources(rules.query_rules()) == []


def test_owner_of_a_rule_is_another(rules: Any, service: Service) -> None:
    admin = service(CorrelationRulesAdmin)
    (first,) = resources(rules.create_rule(body=RULE))
    (second,) = resources(rules.update_rule(body=[{"id": first["id"], "severity": 70}]))

    (owned,) = resources(
        admin.change_correlation_rule_owner(id=first["rule_id"], user_id="u-1", user_uuid="uu-1")
    )
    both = resources(rules.get_rules_combined_v2(sort="version"))

    assert (owned["user_id"], owned["user_uuid"], owned["api_client_id"]) == ("u-1", "uu-1", "")
    assert (owned["id"], owned["version"], owned["severity"]) == (second["id"], 2, 70)
    assert [version["user_id"] for version in both] == ["u-1", "u-1"]


def test_owner_of_several_rules_is_another(rules: Any, service: Service) -> None:
    admin = service(CorrelationRulesAdmin)
    made = [resources(rules.create_rule(body={**RULE, "name": n}))[0] for n in "abc"]
    ids = [rule["rule_id"] for rule in made]

    changed = resources(admin.entities_rules_ownership_put_v2(ids=ids[:2], api_client_id="c-1"))
    unknown = admin.entities_rules_ownership_put_v2(ids=[ids[2], "no"], user_id="u-1")
    nobody = admin.entities_rules_ownership_put_v1(id=ids[2])
    after = resources(rules.get_rules(ids=ids))

    assert changed == ids[:2]
    assert [(rule["user_id"], rule["api_client_id"]) for rule in after] == [
        ("", "c-1"),
        ("", "c-1"),
        ("sandbox", ""),
    ]
    assert message_of(unknown, status=404) == "rule no not found"
    assert message_of(nobody, status=400).startswith("an owner is needed")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"severity": 42}, "severity must be 10, 30, 50, 70 or 90"),
        ({"status": "on"}, "status must be active or inactive"),
        ({"search": {**RULE["search"], "filter": ""}}, "search.filter must not be empty"),
        ({"name": ""}, "name must not be empty"),
        ({"customer_id": "AB-01"}, "customer_id must be 32 lower-case hex digits"),
        ({"mitre_attack": [{}] * 11}, "mitre_attack must be an array of at most 10"),
        ({"template_id": None}, "template_id must be a text"),
        ({"comment": 1}, "comment must be a text"),
        ({"notifications": {}}, "notifications must be an array of objects"),
        ({"notifications": [{"type": "email"}]}, "notifications: config is required"),
        (
            {"guardrail_notifications": [{"type": "fax"}]},
            f"guardrail_notifications: type must be one of {CHANNELS}",
        ),
    ],
)
def test_rule_that_is_wrong_is_refused(rules: Any, change: dict[str, Any], message: str) -> None:
    assert message_of(rules.create_rule(body={**RULE, **change}), status=400) == message
