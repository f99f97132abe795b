"""Assets as YAML: what is written is read back, what others published is read, the rest refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sandbox.answers import InputRefused
from orchestrator.sandbox.assets.yaml_forms import MAX_CHARS, input_of, yaml_of
from orchestrator.sandbox.storage.domains import AssetKind, Domain, Record

DOMAIN = Domain(name="falcon")
DOMAIN.assets[AssetKind.ACTION] = {"id-1": {"id": "id-1", "name": "on: call"}}
TRIGGER: Record = {
    "name": "a: [name]",
    "description": None,
    "enabled": False,
    "queryString": "a=b\n| count() // what: {it} is",
    "labels": ["x", "- y"],
    "actionIds": ["id-1"],
}
READ = {
    "name": "a: [name]",
    "description": None,
    "enabled": False,
    "queryString": "a=b\n| count() // what: {it} is",
    "labels": ["x", "- y"],
    "actions": ["on: call"],
}
SCHEDULED: Record = {
    **TRIGGER,
    "queryTimestampType": "EventTimestamp",
    "searchIntervalSeconds": 3600,
    "searchIntervalOffsetSeconds": 60,
    "schedule": "H 2 * * *",
    "timeZone": "UTC+00:00",
    "backfillLimit": 3,
}
QUERY: Record = {
    "name": "q",
    "queryString": "*",
    "start": "7d",
    "end": "now",
    "isLive": False,
    "widgetType": "table-view",
}


@pytest.mark.parametrize(
    ("kind", "record", "read", "schema"),
    [
        (AssetKind.SAVED_QUERY, QUERY, QUERY, "query/v0.3.0"),
        (
            AssetKind.LEGACY_ALERT,
            {**TRIGGER, "queryStart": "24h", "throttleTimeMillis": 90_000, "throttleField": "aid"},
            {**READ, "queryStart": "24h", "throttleTimeMillis": 90_000, "throttleField": "aid"},
            "alert/v0.3.0",
        ),
        (
            AssetKind.SCHEDULED_SEARCH,
            SCHEDULED,
            {
                **READ,
                "queryStart": "3660s",
                "queryEnd": "60s",
                "schedule": "H 2 * * *",
                "timeZone": "UTC+00:00",
                "backfillLimit": 3,
            },
            "scheduledsearch/v0.1.0",
        ),
        (
            AssetKind.FILTER_ALERT,
            {**TRIGGER, "throttleTimeSeconds": None},
            READ,
            "filteralert/v0.1.0",
        ),
    ],
    ids=["query", "legacy", "scheduled", "filter"],
)
def test_asset_is_read_back_from_its_yaml(
    kind: AssetKind, record: Record, read: dict[str, Any], schema: str
) -> None:
    text = yaml_of(kind, record, DOMAIN)

    assert yaml.safe_load(text)["$schema"] == f"https://schemas.humio.com/{schema}"
    assert input_of(kind, text) == read


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        (AssetKind.SCHEDULED_SEARCH, {**SCHEDULED, "queryTimestampType": "IngestTimestamp"}),
        (AssetKind.FILTER_ALERT, {**TRIGGER, "throttleTimeSeconds": 60}),
        (AssetKind.AGGREGATE_ALERT, TRIGGER),
        (AssetKind.ACTION, {"name": "a: [name]", "url": "https://x.example/secret"}),
    ],
)
def test_asset_of_no_published_form_tells_its_name_alone(kind: AssetKind, record: Record) -> None:
    assert yaml.safe_load(yaml_of(kind, record, DOMAIN)) == {"name": "a: [name]"}


def test_legacy_alert_as_packages_have_it() -> None:
    text = """\
name: High severity
description: Fires on "High"
  or "Critical".
enabled: true
$schema: https://schemas.humio.com/alert/v0.3.0
throttleTime: 1h
timeInterval: 30m
queryString: |-
  #kind=detection
  | SeverityName=/(High|Critical)/
throttleField: aid
actionNameReferences: []
"""
    assert input_of(AssetKind.LEGACY_ALERT, text) == {
        "name": "High severity",
        "description": 'Fires on "High" or "Critical".',
        "enabled": True,
        "queryString": "#kind=detection\n| SeverityName=/(High|Critical)/",
        "labels": [],
        "actions": [],
        "queryStart": "30m",
        "throttleTimeMillis": 3_600_000,
        "throttleField": "aid",
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not a mapping"),
        ("- a", "not a mapping"),
        ("a: [", "not YAML"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        ("[" * 50_000, "not YAML"),
        ("x" * (MAX_CHARS + 1), "longer than 200000 characters"),
        ("name: a", "queryString is missing"),
        ("name: [a]\nqueryString: b", "name is not text"),
        ("name: a\nqueryString: b\nlabels: x", "labels is not a list of texts"),
        ("name: a\nqueryString: b\nlabels: [1]", "labels is not a list of texts"),
        ("name: a\nqueryString: b\ntimeInterval: 1h", "throttleTime is missing"),
        (
            "name: a\nqueryString: b\ntimeInterval: 1h\nthrottleTime: soon",
            "'soon' is not a duration",
        ),
    ],
    ids=lambda value: value[:20] if len(value) < 200 else "long",
)
def test_text_that_is_no_alert_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InputRefused) as caught:
        input_of(AssetKind.LEGACY_ALERT, text)

    assert caught.value.state["yamlTemplate"].startswith(problem)


@given(st.text(), st.sampled_from(["timeInterval: ", "visualization: ", "name: ", ""]))
def test_any_text_is_read_or_refused(text: str, before: str) -> None:
    for kind in (AssetKind.SAVED_QUERY, AssetKind.LEGACY_ALERT, AssetKind.SCHEDULED_SEARCH):
        found, state = outcome_of(kind, f"name: a\nqueryString: b\n{before}{text}")
        assert state == {} or list(state) == ["yamlTemplate"]
        assert found is None or isinstance(found["name"], str)


def outcome_of(kind: AssetKind, text: str) -> tuple[dict[str, Any] | None, dict[str, str]]:
    try:
        return input_of(kind, text), {}
    except InputRefused as refused:
        return None, refused.state
