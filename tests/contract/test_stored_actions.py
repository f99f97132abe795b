"""Actions of every kind through their whole life: our client against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.client.graphql.action_kinds import ACTION_KINDS
from orchestrator.client.types import (
    ActionContent,
    EmailContent,
    UploadFileContent,
    WebhookContent,
)
from orchestrator.errors import NotFound, RequestRejected
from orchestrator.secret import SecretText
from tests.contract.objects_stage import (
    ADDRESS,
    EXAMPLES,
    KEY,
    client_of,
    sandbox,
)


@pytest.fixture
def app() -> Iterator[Any]:
    with sandbox() as made:
        yield made


def test_every_kind_of_action_has_an_example() -> None:
    assert {type(content) for content in EXAMPLES} == {kind.type for kind in ACTION_KINDS}


@pytest.mark.parametrize("content", EXAMPLES, ids=lambda content: content.kind)
async def test_action_of_each_kind_is_made_and_deleted(app: Any, content: ActionContent) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")

        made = await actions.create("mine", content)

        assert (made.name, made.kind) == ("mine", content.kind)
        assert made.content == content
        assert await actions.list() == (made,)
        assert KEY.reveal() not in repr(made)
        await actions.delete(made)
        assert await actions.list() == ()


@pytest.mark.parametrize("content", EXAMPLES, ids=lambda content: content.kind)
async def test_action_of_each_kind_is_replaced(app: Any, content: ActionContent) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        made = await actions.create("mine", content, labels=["l"])
        domain = app.state.sandbox.domains["falcon"]
        (before,) = domain.assets["actions"].values()

        renamed = await actions.update(made, content, name="renamed")

        (after,) = domain.assets["actions"].values()
        assert renamed == replace(made, name="renamed")
        touched = {"name": "renamed", "modifiedAt": after["modifiedAt"]}
        assert after == {**before, **touched}
        other = EXAMPLES[0] if content.kind != "WebhookAction" else EXAMPLES[1]
        with pytest.raises(RequestRejected, match=f"is a {content.kind} and cannot become"):
            await actions.update(renamed, other)
        with pytest.raises(RequestRejected, match="changed since it was read"):
            await actions.update(made, content)
        await actions.delete(renamed)
        with pytest.raises(NotFound, match="renamed is gone from falcon"):
            await actions.update(renamed, content)


async def test_update_of_an_action_replaces_all_of_it(app: Any) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        first = WebhookContent(url=ADDRESS, body_template="{events}", headers={"X-Key": KEY})
        made = await actions.create("mine", first)

        second = WebhookContent(
            url=SecretText("https://b.example/c"), body_template="{url}", method="PUT"
        )
        same = await actions.update(made, second)

    (stored,) = app.state.sandbox.domains["falcon"].assets["actions"].values()
    assert same == replace(made, content=second)
    members = ("url", "bodyTemplate", "method", "headers")
    assert [stored[name] for name in members] == ["https://b.example/c", "{url}", "PUT", []]


async def test_update_of_one_member_keeps_the_others(app: Any) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        await actions.create("mine", EXAMPLES[0], labels=["l"])
        (found,) = await actions.list()
        assert isinstance(found.content, WebhookContent)

        moved = replace(found.content, url=SecretText("https://b.example/c"))
        await actions.update(found, moved)
        (after,) = await actions.list()

    assert after == replace(found, content=moved)
    assert (moved.use_proxy, moved.ignore_tls, after.labels) == (True, True, ("l",))


async def test_update_of_labels_alone_keeps_the_content(app: Any) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        made = await actions.create("mine", EXAMPLES[0], labels=["l"])

        await actions.update(made, EXAMPLES[0], labels=["m", "n"])
        (after,) = await actions.list()
        await actions.update(after, EXAMPLES[0], labels=[])
        (bare,) = await actions.list()

    assert after == replace(made, labels=("m", "n"))
    assert bare == replace(made, labels=())


@pytest.mark.parametrize(
    "theirs",
    [
        {"url": "https://elsewhere.example/y"},
        {"useProxy": False},
        {"ignoreSSL": False},
        {"bodyTemplate": "{url}"},
        {"headers": []},
        {"labels": []},
    ],
    ids=lambda theirs: next(iter(theirs)),
)
async def test_update_of_an_action_that_a_colleague_changed_is_refused(
    app: Any, theirs: dict[str, Any]
) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        made = await actions.create("mine", EXAMPLES[0], labels=["l"])
        (stored,) = app.state.sandbox.domains["falcon"].assets["actions"].values()
        stored |= theirs

        with pytest.raises(RequestRejected, match="mine in falcon changed since it was read") as e:
            await actions.update(made, EXAMPLES[0])

    assert "elsewhere.example" not in str(e.value)
    assert {name: stored[name] for name in theirs} == theirs


async def test_change_of_an_action_that_was_undone_is_told_by_its_time(app: Any) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")
        await actions.create("mine", EXAMPLES[-1])
        (seen,) = await actions.list()
        there = await actions.update(seen, UploadFileContent(file_name="other.csv"))
        await actions.update(there, EXAMPLES[-1])

        with pytest.raises(RequestRejected, match="changed since it was read"):
            await actions.update(seen, EXAMPLES[-1])


@pytest.mark.parametrize("content", EXAMPLES, ids=lambda content: content.kind)
async def test_action_of_each_kind_is_tested(app: Any, content: ActionContent) -> None:
    async with client_of(app) as scale:
        actions = scale.actions("falcon")

        tested = await actions.test("mine", content, trigger="t", events=[{"host": "a", "n": 1}])

        # Mails and files stay inside; nothing else is let out to other machines.
        stays = isinstance(content, EmailContent | UploadFileContent)
        assert tested.is_sent is stays
        assert tested.message != ""
        assert KEY.reveal() not in tested.message
        assert await actions.list() == ()
    (record,) = app.state.sandbox.triggers.book.invocations
    assert (record["trigger"], record["kind"], record["event_count"]) == ("t", content.kind, 1)
