"""Alerts, scheduled searches, saved queries through their whole life: client and sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import pytest

from orchestrator.client.types import (
    AggregateAlert,
    Asset,
    FilterAlert,
    LegacyAlert,
    QueryOwner,
    QueryOwnership,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
    Trigger,
    TriggerHealth,
)
from orchestrator.errors import GraphqlError, RequestRejected
from orchestrator.sandbox.storage.states import RunState
from tests.contract.objects_stage import (
    EXAMPLES,
    HOUR,
    MOMENT,
    MS,
    SWITCHED,
    client_of,
    sandbox,
)


@pytest.fixture
def app() -> Iterator[Any]:
    with sandbox() as made:
        yield made


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_asset_is_switched_off_and_on(app: Any, asset: Trigger) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        made = await assets.create(asset)

        await assets.disable(made)
        (off,) = await assets.list(type(asset))
        await assets.enable(off)
        (on,) = await assets.list(type(asset))

    assert getattr(off, "enabled", None) is False
    assert on == made


async def test_saved_query_has_no_switch(app: Any) -> None:
    async with client_of(app) as scale:
        assets = scale.assets("falcon")
        made = await assets.create(SavedQuery(name="q", query="*"))
        for touch in (assets.disable(made), assets.clear_error(made), assets.add_label(made, "x")):
            with pytest.raises(TypeError, match="SavedQuery cannot be switched, labelled"):
                await touch


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_asset_reads_back_as_it_was_written(app: Any, asset: Trigger) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")

        made = await assets.create(asset)
        # What a server fills in is part of what it returned; all else is as it was given.
        told = {n: v for n, v in given(asset).items() if v is not None}
        first = {name: given(made)[name] for name in told}
        wanted = replace(made, description="of a colleague", labels=("x",))
        changed = await assets.update(wanted, expected=made)
        with pytest.raises(RequestRejected, match="changed since it was read"):
            await assets.update(made, expected=made)
        listed = await assets.list(type(asset))
        await assets.delete(changed)
        left = await assets.list(type(asset))

    assert first == told
    assert changed == wanted
    assert listed == (wanted,)
    assert left == ()


def given(asset: Asset) -> dict[str, object]:
    names = {field.name for field in fields(asset) if field.compare} - {"id"}
    return {name: getattr(asset, name) for name in names}


READ_FROM_YAML: tuple[Trigger, ...] = (
    ScheduledSearch(
        name="s",
        query="count()",
        labels=("l",),
        enabled=True,
        schedule="H 2 * * *",
        search_interval=HOUR,
        search_interval_offset=2 * HOUR,
        backfill_limit_runs=3,
        timestamp_type=TimestampType.EVENT,
        actions=("hook",),
    ),
    FilterAlert(name="f", query="a=b", enabled=False, actions=("hook",)),
    SWITCHED[3],
)


@pytest.mark.parametrize("asset", READ_FROM_YAML, ids=lambda asset: type(asset).__name__)
async def test_asset_is_made_anew_from_its_yaml(app: Any, asset: Trigger) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        made = await assets.create(asset)

        text = await assets.to_template(made)
        read = await assets.from_template(type(asset), text)
        await assets.delete(made)
        again = await assets.create(read)

    assert read == replace(made, id="")
    assert again == replace(made, id=again.id)


async def test_template_that_cannot_be_read_is_refused(app: Any) -> None:
    async with client_of(app) as scale:
        assets = scale.assets("falcon")
        with pytest.raises(GraphqlError, match="yamlTemplate: not a mapping"):
            await assets.from_template(LegacyAlert, "- a")
        with pytest.raises(GraphqlError, match="no action has the id or name 'gone'"):
            await assets.from_template(
                FilterAlert, "name: a\nqueryString: a=b\nactionNameReferences: [gone]"
            )
        with pytest.raises(GraphqlError, match="no form of this kind of asset is published"):
            await assets.from_template(AggregateAlert, "name: a")
        with pytest.raises(TypeError, match="SavedQuery is not read from a template"):
            await assets.from_template(SavedQuery, "name: a")
        assert await assets.list(FilterAlert) == ()


async def test_asset_that_is_gone_has_no_template(app: Any) -> None:
    async with client_of(app) as scale:
        assets = scale.assets("falcon")
        made = await assets.create(SavedQuery(name="q", query="a=b", start="7d"))
        text = await assets.to_template(made)
        await assets.delete(made)
        with pytest.raises(GraphqlError, match="Could not find an entry"):
            await assets.to_template(made)
        with pytest.raises(ValueError, match="q has no id"):
            await assets.to_template(replace(made, id=""))
        again = await assets.create_from_template(text)

    assert again == replace(made, id=again.id)
    assert again.start == "7d"


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_labels_come_and_go_one_by_one(app: Any, asset: Trigger) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        made = await assets.create(asset)

        seen = []
        for touch in (
            assets.add_label(made, "a"),
            assets.add_label(made, "b"),
            assets.add_label(made, "a"),
            assets.remove_label(made, "b"),
            assets.remove_label(made, "never there"),
        ):
            await touch
            (found,) = await assets.list(type(asset))
            seen.append(sorted(found.labels))

    assert seen == [["a"], ["a", "b"], ["a", "b"], ["a"], ["a"]]


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_last_error_is_cleared(app: Any, asset: Trigger) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        made = await assets.create(asset)
        domain = app.state.sandbox.domains["falcon"]
        domain.runs[made.id] = RunState(error="no such file", warnings=["slow"])

        (broken,) = await assets.list(type(asset))
        await assets.clear_error(made)
        (cleared,) = await assets.list(type(asset))

    assert (broken.raw["lastError"], cleared.raw["lastError"]) == ("no such file", None)
    assert (broken.health.last_error, cleared.health.last_error) == ("no such file", "")
    assert (broken.health.last_warnings, cleared.health.last_warnings) == (("slow",), ())


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_health_of_a_trigger_is_told_and_no_part_of_it(app: Any, asset: Trigger) -> None:
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        made = await assets.create(asset)
        app.state.sandbox.domains["falcon"].runs[made.id] = RunState(
            error="e",
            error_ms=1,
            last_poll_ms=2,
            last_triggered_ms=3,
            last_executed_ms=4,
            next_ms=5,
        )

        (found,) = await assets.list(type(asset))
        changed = await assets.update(replace(found, description="d"), expected=made)

    told = {
        field.name: value
        for field in fields(TriggerHealth)
        if isinstance(value := getattr(found.health, field.name), datetime)
    }
    both = {"last_triggered_at": MOMENT + 3 * MS}
    only = {
        ScheduledSearch: {"searched_until": MOMENT + 4 * MS, "next_run_at": MOMENT + 5 * MS},
        AggregateAlert: {"last_poll_at": MOMENT + 2 * MS},
        FilterAlert: {"last_poll_at": MOMENT + 2 * MS, "last_error_at": MOMENT + MS},
        LegacyAlert: {},
    }
    assert told == both | only[type(asset)]
    assert found == made
    assert changed == replace(made, description="d")


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_owner_stays_through_an_update_by_another_and_can_be_changed(
    app: Any, asset: Trigger
) -> None:
    organization = QueryOwner(ownership=QueryOwnership.ORGANIZATION)
    mine = QueryOwner(ownership=QueryOwnership.USER)
    user, other = (replace(mine, user_id=name) for name in ("admin", "deputy"))
    async with client_of(app) as scale, client_of(app, "deputy-token") as colleague:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        theirs = colleague.assets("falcon")
        steps = [await scale.assets("falcon").create(replace(asset, owner=mine))]
        for wanted in (
            # Read and changed, then written anew by somebody who knows nothing of an owner.
            replace(steps[0], description="by the deputy"),
            replace(steps[0], description="again", owner=None),
            replace(steps[0], owner=organization),
            replace(steps[0], owner=None),
            replace(steps[0], owner=mine),
        ):
            steps.append(await theirs.update(wanted, expected=steps[-1]))

    owners = [step.owner for step in steps]
    assert owners == [user, user, user, organization, organization, other]


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_change_of_owner_meanwhile_is_a_change(app: Any, asset: Trigger) -> None:
    organization = QueryOwner(ownership=QueryOwnership.ORGANIZATION)
    async with client_of(app) as scale:
        await scale.actions("falcon").create("hook", EXAMPLES[0])
        assets = scale.assets("falcon")
        user = QueryOwner(ownership=QueryOwnership.USER)
        made = await assets.create(replace(asset, owner=user))
        await assets.update(replace(made, owner=organization), expected=made)

        seen = made if isinstance(made, LegacyAlert) else replace(made, modified_at=None)
        with pytest.raises(RequestRejected, match="changed since it was read"):
            await assets.update(made, expected=seen)


@pytest.mark.parametrize("asset", SWITCHED, ids=lambda asset: type(asset).__name__)
async def test_actions_of_packages_are_named_with_their_package(app: Any, asset: Trigger) -> None:
    """Two actions of one name, of which a package brought one, are not taken for each other."""
    async with client_of(app) as scale:
        actions, assets = scale.actions("falcon"), scale.assets("falcon")
        own = await actions.create("hook", EXAMPLES[0])
        packaged = await actions.create("theirs", EXAMPLES[-1])
        stored = app.state.sandbox.domains["falcon"].assets["actions"]
        stored[packaged.id] |= {"name": "hook", "package": "falcon/base"}

        made = await assets.create(replace(asset, actions=("falcon/base:hook",)))
        changed = await assets.update(replace(made, description="d"), expected=made)
        both = await assets.update(
            replace(changed, actions=("falcon/base:hook", "hook")), expected=changed
        )
        listed = {action.display_name: action.id for action in await actions.list()}

    (record,) = next(
        found.values()
        for kind, found in app.state.sandbox.domains["falcon"].assets.items()
        if kind != "actions" and found
    )
    assert changed.actions == ("falcon/base:hook",)
    assert both.actions == ("falcon/base:hook", "hook")
    assert record["actionIds"] == [packaged.id, own.id]
    assert listed == {"hook": own.id, "falcon/base:hook": packaged.id}


async def test_change_of_what_a_saved_query_shows_is_a_change(app: Any) -> None:
    async with client_of(app) as scale:
        assets = scale.assets("falcon")
        made = await assets.create(SavedQuery(name="q", query="a=b", options={"a": 1}))
        for changes in (
            {"start": "1d"},
            {"end": "1h"},
            {"is_live": True},
            {"widget_type": "table-view"},
            {"options": {"a": 2}},
        ):
            there = await assets.update(replace(made, **changes), expected=made)
            with pytest.raises(RequestRejected, match="q in falcon changed since it was read"):
                await assets.update(made, expected=replace(made, modified_at=None))
            made = await assets.update(made, expected=there)

    assert made.options == {"a": 1}


async def test_asset_without_an_id_is_not_touched(app: Any) -> None:
    async with client_of(app) as scale:
        with pytest.raises(ValueError, match="l has no id"):
            await scale.assets("falcon").clear_error(SWITCHED[-1])
