"""Planning and applying against a far side in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.client.types import (
    QueryOwner,
    QueryOwnership,
    SavedQuery,
    ScheduledSearch,
    TriggerHealth,
)
from orchestrator.deploy.apply import apply_plan
from orchestrator.deploy.desired import desired_asset
from orchestrator.deploy.lookups import rule_lookups
from orchestrator.deploy.plan import Change, ChangeKind, Plan, make_plan
from orchestrator.errors import DeployError, RuleFileError
from orchestrator.model.rule import DeployKind, Rule, RuleStatus
from tests.unit.deploy.making import MemoryAssets, MemoryFiles, make_rule


async def test_new_rule_is_created_and_the_second_plan_is_empty() -> None:
    assets = MemoryAssets()
    rules = [make_rule(), make_rule(number=2, name="Other", kind=DeployKind.SAVED_SEARCH)]

    applied = await _deploy(rules, assets)
    again = await _plan(rules, assets)

    assert [c.what for c in applied] == ["scheduled search 'Sample'", "saved search 'Other'"]
    assert again.pending == ()
    assert [c.kind for c in again.changes] == [ChangeKind.NONE, ChangeKind.NONE]


async def test_every_kind_is_stable_after_its_creation() -> None:
    assets = MemoryAssets()
    rules = [
        make_rule(number=n, name=kind.value, kind=kind) for n, kind in enumerate(DeployKind, 1)
    ]

    await _deploy(rules, assets)

    assert len(assets.kept) == 4
    assert (await _plan(rules, assets)).pending == ()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": DeployKind.SAVED_SEARCH},
        {"kind": DeployKind.NONE},
        {"status": RuleStatus.DRAFT},
    ],
)
async def test_asset_that_its_rule_does_not_want_any_more_is_removed(
    change: dict[str, DeployKind | RuleStatus],
) -> None:
    assets = MemoryAssets()
    await _deploy([make_rule()], assets)

    await _deploy([make_rule(**change)], assets)  # type: ignore[arg-type]  # one key each

    assert await assets.list(ScheduledSearch) == ()


async def test_asset_of_a_rule_that_is_not_here_is_named_and_left_alone() -> None:
    assets = MemoryAssets()
    await _deploy([make_rule(number=1), make_rule(number=2, name="Other")], assets)

    plan = await _plan([make_rule(number=1)], assets)

    assert plan.orphans == ("scheduled search 'Other'",)
    assert plan.pending == ()


async def test_changed_query_is_an_update_with_its_lines() -> None:
    assets = MemoryAssets()
    await _deploy([make_rule()], assets)

    plan = await _plan([make_rule(query="a=2\n| count()")], assets)

    (change,) = plan.pending
    assert change.kind is ChangeKind.UPDATE
    assert "    -a=1" in change.lines
    assert "    +a=2" in change.lines
    assert "  query:" in change.lines
    assert "  name:" not in change.lines


async def test_order_of_labels_on_the_far_side_is_no_change() -> None:
    assets = MemoryAssets()
    await _deploy([make_rule()], assets)
    (asset,) = await assets.list(ScheduledSearch)
    assets.kept[asset.id] = replace(asset, labels=tuple(reversed(asset.labels)))

    assert (await _plan([make_rule()], assets)).pending == ()


async def test_what_a_server_fills_in_is_no_change() -> None:
    assets = MemoryAssets()
    rules = [make_rule(), make_rule(number=2, name="Other", kind=DeployKind.SAVED_SEARCH)]
    await _deploy(rules, assets)
    (search,) = await assets.list(ScheduledSearch)
    (query,) = await assets.list(SavedQuery)
    assets.kept[search.id] = replace(
        search,
        owner=QueryOwner(ownership=QueryOwnership.USER, user_id="u-1"),
        health=TriggerHealth(last_error="no such file"),
        modified_at=datetime(2026, 3, 10, tzinfo=UTC),
    )
    assets.kept[query.id] = replace(query, start="7d", widget_type="table-view")

    assert (await _plan(rules, assets)).pending == ()


async def test_asset_edited_by_hand_is_set_back() -> None:
    assets = MemoryAssets()
    await _deploy([make_rule()], assets)
    (asset,) = await assets.list(ScheduledSearch)
    assets.kept[asset.id] = replace(asset, enabled=False)

    (change,) = (await _plan([make_rule()], assets)).pending

    assert change.lines == ("  enabled:", "    -false", "    +true")


async def test_foreign_asset_of_the_name_is_refused_and_untouched() -> None:
    foreign = replace(_search(make_rule()), id="theirs", description="mine", query="x")
    assets, files = MemoryAssets(foreign), MemoryFiles()
    rules = [make_rule()]

    plan = await make_plan(rules, assets, files, lookups={"rule1": {"x.csv": b"a"}})
    await apply_plan(plan, assets, files)

    assert [c.before for c in plan.refused] == [foreign]
    assert assets.kept == {"theirs": foreign}
    assert (assets.calls, files.uploads) == ([], [])


async def test_deprecated_rule_loses_only_our_asset() -> None:
    foreign = SavedQuery(id="theirs", name="Theirs", query="x")
    assets = MemoryAssets(foreign)
    await _deploy([make_rule(kind=DeployKind.SAVED_SEARCH)], assets)

    await _deploy([make_rule(kind=DeployKind.SAVED_SEARCH, status=RuleStatus.DEPRECATED)], assets)

    assert assets.kept == {"theirs": foreign}


async def test_deprecated_rule_leaves_a_foreign_asset_of_its_name() -> None:
    foreign = SavedQuery(id="theirs", name="Sample", query="x")
    assets = MemoryAssets(foreign)
    rule = make_rule(kind=DeployKind.SAVED_SEARCH, status=RuleStatus.DEPRECATED)

    assert await _deploy([rule], assets) == []
    assert assets.kept == {"theirs": foreign}


async def test_draft_is_passed_over() -> None:
    plan = await _plan([make_rule(status=RuleStatus.DRAFT)], MemoryAssets())

    assert plan.changes == ()


async def test_renamed_rule_keeps_its_asset() -> None:
    assets = MemoryAssets()
    await _deploy([make_rule()], assets)
    (before,) = assets.kept

    await _deploy([make_rule(name="Renamed")], assets)

    assert {key: asset.name for key, asset in assets.kept.items()} == {before: "Renamed"}


async def test_copy_made_by_hand_is_not_taken_for_the_original() -> None:
    assets = MemoryAssets()
    await _deploy([make_rule()], assets)
    (asset,) = await assets.list(ScheduledSearch)
    assets.kept["copy"] = replace(asset, id="copy", name="A copy of it")

    assert (await _plan([make_rule()], assets)).pending == ()


async def test_lost_update_is_an_error_that_names_what_is_done_and_left() -> None:
    assets = MemoryAssets()
    rules = [make_rule(number=n, name=name) for n, name in enumerate(("A", "B", "C"), 1)]
    await _deploy(rules, assets)
    plan = await _plan([replace(rule, query="a=2") for rule in rules], assets)
    changed = replace(assets.kept["id-2"], query="by hand")
    assets.kept["id-2"] = changed

    with pytest.raises(DeployError) as caught:
        await apply_plan(plan, assets, None)

    assert "update scheduled search 'B' failed: B changed since it was read" in str(caught.value)
    assert "Done before it: 1" in str(caught.value)
    assert "not done: scheduled search 'B', scheduled search 'C'" in str(caught.value)
    assert assets.kept["id-2"] == changed
    assert assets.kept["id-1"].query == "a=2"


async def test_lookup_file_is_uploaded_before_its_asset_and_only_when_it_changed() -> None:
    assets, files = MemoryAssets(), MemoryFiles()
    rules = [make_rule(lookup_files=("x.csv",))]

    for content in (b"a", b"a", b"b"):
        plan = await make_plan(rules, assets, files, lookups={"rule1": {"x.csv": content}})
        await apply_plan(plan, assets, files)

    assert files.uploads == ["x.csv", "x.csv"]
    assert files.kept == {"x.csv": b"b"}
    # The asset vouches for the content that was stored with it, so it changes with the file.
    assert assets.calls == ["create Sample", "update Sample"]
    assert [c.what for c in plan.changes] == ["lookup file 'x.csv'", "scheduled search 'Sample'"]


@pytest.mark.parametrize("ours_first", [False, True])
async def test_lookup_file_of_somebody_else_is_refused_and_untouched(ours_first: bool) -> None:
    assets, files = MemoryAssets(), MemoryFiles()
    rules = [make_rule(lookup_files=("x.csv",))]
    if ours_first:
        plan = await make_plan(rules, assets, files, lookups={"rule1": {"x.csv": b"a"}})
        await apply_plan(plan, assets, files)
    files.kept["x.csv"] = b"theirs"

    plan = await make_plan(rules, assets, files, lookups={"rule1": {"x.csv": b"b"}})
    await apply_plan(plan, assets, files)

    assert [change.what for change in plan.refused] == ["lookup file 'x.csv'"]
    assert files.kept == {"x.csv": b"theirs"}
    again = await make_plan(rules, assets, files, lookups={"rule1": {"x.csv": b"b"}})
    assert again.pending == ()


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        (DeployKind.SCHEDULED_SEARCH, ["create correlation rule 'Sample'"]),
        (DeployKind.CORRELATION_RULE, ["create correlation rule 'Sample'"]),
        (DeployKind.SAVED_SEARCH, []),
        (DeployKind.NONE, []),
    ],
)
async def test_on_ngsiem_a_rule_becomes_a_correlation_rule(
    kind: DeployKind, made: list[str]
) -> None:
    rule = make_rule(kind=kind, actions=())

    plan = await make_plan([rule], MemoryAssets(), None, lookups={}, on_ngsiem=True)

    assert [f"{change.kind.value} {change.what}" for change in plan.changes] == made


def test_lookup_files_are_read_from_the_rule_folder(tmp_path: Path) -> None:
    _write(tmp_path, "rule1", b"a,b\n")

    found = rule_lookups([make_rule(lookup_files=("x.csv",)), make_rule(number=2)], tmp_path)

    assert found == {"rule1": {"x.csv": b"a,b\n"}}


def test_missing_lookup_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="the lookup file is missing") as caught:
        rule_lookups([make_rule(lookup_files=("x.csv",))], tmp_path)

    assert caught.value.path == tmp_path / "rule1" / "lookups" / "x.csv"


@pytest.mark.parametrize("name", ["../rule.yaml", "/etc/hostname", "link.csv"])
def test_lookup_file_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    _write(tmp_path, "rule1", b"a")
    (tmp_path / "rule1" / "rule.yaml").write_text("id: x\n")
    (tmp_path / "rule1" / "lookups" / "link.csv").symlink_to(tmp_path / "rule1" / "rule.yaml")

    with pytest.raises(RuleFileError, match="leads out of the rule's lookups folder"):
        rule_lookups([make_rule(lookup_files=(name,))], tmp_path)


def test_two_rules_with_one_file_name_and_two_contents_are_refused(tmp_path: Path) -> None:
    """Each would undo the other's upload, run after run."""
    _write(tmp_path, "rule1", b"a")
    _write(tmp_path, "rule2", b"b")
    rules = [make_rule(number=n, lookup_files=("x.csv",)) for n in (1, 2)]

    with pytest.raises(RuleFileError, match="rule1 brings a lookup file of this name"):
        rule_lookups(rules, tmp_path)


def _write(root: Path, slug: str, content: bytes) -> None:
    folder = root / slug / "lookups"
    folder.mkdir(parents=True)
    (folder / "x.csv").write_bytes(content)


def _search(rule: Rule) -> ScheduledSearch:
    made = desired_asset(rule)
    assert isinstance(made, ScheduledSearch)
    return made


async def _plan(rules: list[Rule], assets: MemoryAssets) -> Plan:
    return await make_plan(rules, assets, None, lookups={})


async def _deploy(rules: list[Rule], assets: MemoryAssets) -> list[Change]:
    applied = await apply_plan(await _plan(rules, assets), assets, None)
    return list(applied.done)
