"""Tokens with permissions of their own: what they open, for how long, and what is shown of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.sandbox.conftest import NOW_MS

CREATE_VIEW = (
    "mutation($i: CreateViewPermissionsTokenInput!) { createViewPermissionsToken(input: $i) }"
)
UPDATE_VIEW = """mutation($i: UpdateViewPermissionsTokenPermissionsInput!) {
  updateViewPermissionsTokenPermissions(input: $i) }"""
CREATE_SYSTEM = """mutation($i: CreateSystemPermissionTokenInput!) {
  createSystemPermissionsToken(input: $i) }"""
ROTATE = "mutation($i: RotateTokenInputData!) { rotateToken(input: $i) }"
DELETE = "mutation($i: InputData!) { deleteToken(input: $i) }"
TOKENS = """query($search: String, $type: [Tokens__Type!], $by: Tokens__SortBy!, $order: OrderBy,
  $skip: Int, $limit: Int) { tokens(searchFilter: $search, typeFilter: $type, sortBy: $by,
  orderBy: $order, skip: $skip, limit: $limit) { totalResults results { __typename id name expireAt
  createdAt ipFilter ipFilterV2 { name } ... on ViewPermissionsToken { permissions views { name } }
  ... on SystemPermissionsToken { permissions } } } }"""
LABEL = """mutation($name: String!) { newFile(fileName: "a.csv", name: $name) { limit } }"""


def data(answer: dict[str, Any]) -> Any:
    assert "errors" not in answer, answer["errors"]
    (found,) = answer["data"].values()
    return found


@pytest.fixture
async def client(open_client: Any) -> Any:
    """Return a client of a sandbox with three repositories."""
    async with open_client(repositories=("falcon", "west", "east")) as opened:
        yield opened


async def made(client: Any, *names: str, **given: Any) -> str:
    domains = data(await client.graphql("{ searchDomains { id name } }"))
    ids = {domain["name"]: domain["id"] for domain in domains}
    asked = {
        "name": "hunter",
        "permissions": ["ReadAccess"],
        "viewIds": [ids[name] for name in names or ("falcon",)],
        **given,
    }
    return str(data(await client.graphql(CREATE_VIEW, i=asked)))


async def reads(client: Any, token: str, repository: str = "falcon") -> int:
    answer = await client.call(
        "POST",
        f"/api/v1/repositories/{repository}/queryjobs",
        token=token,
        json={"queryString": "count()"},
    )
    return int(answer.status_code)


async def writes(client: Any, token: str) -> int:
    body = {"query": LABEL, "variables": {"name": "falcon"}}
    answer = await client.call("POST", "/graphql", token=token, json=body)
    return int(answer.status_code)


def id_of(token: str) -> str:
    return token.partition("~")[0]


async def test_token_opens_its_views_and_no_others(client: Any) -> None:
    token = await made(client, "falcon", "west")

    assert [await reads(client, token, name) for name in ("falcon", "west", "east")] == [
        200,
        200,
        403,
    ]
    body = {"query": "{ searchDomains { name } }"}
    listed = await client.call("POST", "/graphql", token=token, json=body)
    assert listed.json()["data"]["searchDomains"] == [{"name": "falcon"}, {"name": "west"}]


async def test_token_may_do_what_its_permissions_say_at_the_moment(client: Any) -> None:
    token = await made(client)
    assert await writes(client, token) == 403

    change = {"id": id_of(token), "permissions": ["ReadAccess", "ChangeFiles"]}
    assert data(await client.graphql(UPDATE_VIEW, i=change)) == id_of(token)
    assert await writes(client, token) == 200


async def test_rotated_token_has_another_secret(client: Any) -> None:
    old = await made(client)

    new = data(await client.graphql(ROTATE, i={"id": id_of(old)}))

    assert id_of(new) == id_of(old)
    assert [await reads(client, token) for token in (old, new)] == [401, 200]


async def test_deleted_token_is_refused(client: Any) -> None:
    token = await made(client)

    assert data(await client.graphql(DELETE, i={"id": id_of(token)})) is True

    assert await reads(client, token) == 401
    assert data(await client.graphql(TOKENS, by="Name")) == {"totalResults": 0, "results": []}


async def test_token_is_refused_once_it_has_expired(client: Any) -> None:
    token = await made(client, expireAt=NOW_MS + 60_000)
    assert await reads(client, token) == 200

    client.clock.advance(timedelta(minutes=1))

    assert await reads(client, token) == 401


async def test_token_ends_with_its_last_view_for_good(client: Any) -> None:
    one, both = await made(client, "west"), await made(client, "west", "east")
    again = 'mutation { createRepository(name: "west") { repository { id } } }'

    data(await client.graphql('mutation { deleteSearchDomain(name: "west") { result } }'))
    data(await client.graphql(again))

    assert await reads(client, one, "west") == 401
    assert [await reads(client, both, name) for name in ("west", "east")] == [403, 200]


async def test_tokens_are_found_by_name_id_and_kind_without_their_secrets(client: Any) -> None:
    address = data(
        await client.graphql(
            'mutation { createIPFilter(input: {name: "office", ipFilter: "allow all"}) { id } }'
        )
    )
    view = await made(client, "west", expireAt=NOW_MS + 1, ipFilterId=address["id"])
    given = {"name": "Cluster", "permissions": ["ManageCluster"]}
    system = str(data(await client.graphql(CREATE_SYSTEM, i=given)))

    everything = data(await client.graphql(TOKENS, by="Name"))
    assert [token["name"] for token in everything["results"]] == ["Cluster", "hunter"]
    found = data(
        await client.graphql(TOKENS, by="Name", search=id_of(view), type="ViewPermissionToken")
    )
    assert found == {
        "totalResults": 1,
        "results": [
            {
                "__typename": "ViewPermissionsToken",
                "id": id_of(view),
                "name": "hunter",
                "expireAt": NOW_MS + 1,
                "createdAt": NOW_MS,
                "ipFilter": "allow all",
                "ipFilterV2": {"name": "office"},
                "permissions": ["ReadAccess"],
                "views": [{"name": "west"}],
            }
        ],
    }
    assert view.partition("~")[2] not in str(everything)
    assert system.partition("~")[2] not in repr(client.sandbox.directory)
    latest = data(await client.graphql(TOKENS, by="ExpirationDate", order="DESC", limit=1))
    assert (latest["totalResults"], latest["results"][0]["name"]) == (2, "Cluster")


@pytest.mark.parametrize(
    ("document", "given", "message"),
    [
        (CREATE_VIEW, {"viewIds": []}, "There were errors in the input."),
        (CREATE_VIEW, {"viewIds": ["x"]}, "Could not find a search domain with the id 'x'"),
        (
            CREATE_VIEW,
            {"ipFilterId": "x", "viewIds": []},
            "Could not find an entry with the id 'x'",
        ),
        (ROTATE, {"id": "x"}, "Could not find an entry with the id 'x'"),
        (DELETE, {"id": "x"}, "Could not find an entry with the id 'x'"),
    ],
)
async def test_what_does_not_exist_is_refused(
    client: Any, document: str, given: dict[str, Any], message: str
) -> None:
    base = {"name": "t", "permissions": []} if document is CREATE_VIEW else {}

    answer = await client.graphql(document, i={**base, **given})

    assert answer["errors"][0]["message"] == message


async def test_permissions_of_another_kind_are_refused(client: Any) -> None:
    given = {"name": "Cluster", "permissions": ["ManageCluster"]}
    system = str(data(await client.graphql(CREATE_SYSTEM, i=given)))

    answer = await client.graphql(UPDATE_VIEW, i={"id": id_of(system), "permissions": []})

    assert answer["errors"][0]["message"] == "The token 'Cluster' is not of this kind"


async def test_tokens_are_for_administrators(client: Any) -> None:
    token = await made(client)

    for body in (
        {"query": TOKENS, "variables": {"by": "Name"}},
        {"query": ROTATE, "variables": {"i": {"id": id_of(token)}}},
    ):
        answer = await client.call("POST", "/graphql", token=token, json=body)
        assert answer.status_code == 403


async def test_tokens_survive_a_restart_with_views_and_end(open_client: Any, tmp_path: Any) -> None:
    names = ("falcon", "west")
    async with open_client(repositories=names, data_dir=tmp_path) as before:
        token = await made(before, *names, expireAt=NOW_MS + 60_000)

    async with open_client(repositories=names, data_dir=tmp_path) as after:
        assert [await reads(after, token, name) for name in names] == [200, 200]
        after.clock.advance(timedelta(minutes=1))
        assert await reads(after, token) == 401
