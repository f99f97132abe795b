"""Administration as Go clients call it: one document an operation, and null for what is not given.

The steps follow each other on one sandbox, as a deployment would: each shows that the ones before
it left their mark. `$NAME` in variables is what an earlier step kept under that name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from orchestrator.clock import FrozenClock
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import sandbox_settings
from tests.contract.clients.conftest import NOW, TOKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operation and the data of its answer."""

    document: str
    variables: Mapping[str, object] = field(default_factory=dict)
    answer: object = None
    """The whole value of the root field; None looks at nothing but success."""
    keep: tuple[str, Sequence[str]] | None = None
    """A name, and the path of the value in the root field that is kept under it."""


REPOSITORY = """query Q($r: String!) { repository(name: $r) { name description automaticSearch
  timeBasedRetention ingestSizeBasedRetention storageSizeBasedRetention
  s3ArchivingConfiguration { bucket region disabled format } } }"""
GROUP = (
    "groupByDisplayName(displayName: $n) { displayName lookupName roles { role { displayName } } }"
)

STEPS = (
    Step(document="query Q { viewer { username } }", answer={"username": "admin"}),
    Step(
        document="""query Q { installedLicense { ... on OnPremLicense { uid expiresAt } } }""",
        answer={"uid": "sandbox", "expiresAt": "2999-12-31T00:00:00Z"},
    ),
    Step(
        document="query Q { cluster { nodes { id zone uri isAvailable } } }",
        answer={
            "nodes": [{"id": 1, "zone": None, "uri": "http://127.0.0.1:8080", "isAvailable": True}]
        },
    ),
    # A repository, its retention by one setting a call, null taking one back.
    Step(
        document="""mutation M($r: String!, $ms: Long, $bytes: Long) { createRepository(name: $r,
          retentionInMillis: $ms, retentionInIngestSizeBytes: $bytes) { repository { name } } }""",
        variables={"r": "west", "ms": 2_592_000_000, "bytes": None},
        answer={"repository": {"name": "west"}},
    ),
    Step(
        document="""mutation M($r: String!, $gb: Float) { updateRetention(repositoryName: $r,
          storageSizeBasedRetention: $gb) { __typename } }""",
        variables={"r": "west", "gb": 12},
    ),
    Step(
        document="""mutation M($r: String!, $days: Float) { updateRetention(repositoryName: $r,
          timeBasedRetention: $days) { __typename } }""",
        variables={"r": "west", "days": None},
    ),
    Step(
        document="""mutation M($d: String!, $text: String!) { updateDescriptionForSearchDomain(
          name: $d, newDescription: $text) { __typename } }""",
        variables={"d": "west", "text": "logs of the west"},
    ),
    Step(
        document="""mutation M($d: String!, $on: Boolean!) { setAutomaticSearching(
          name: $d, automaticSearch: $on) { automaticSearch } }""",
        variables={"d": "west", "on": False},
        answer={"automaticSearch": False},
    ),
    Step(
        document=REPOSITORY,
        variables={"r": "west"},
        answer={
            "name": "west",
            "description": "logs of the west",
            "automaticSearch": False,
            "timeBasedRetention": None,
            "ingestSizeBasedRetention": None,
            "storageSizeBasedRetention": 12,
            "s3ArchivingConfiguration": None,
        },
    ),
    # A view over it, and its connections replaced.
    Step(
        document="""mutation M($v: String!, $text: String, $c: [ViewConnectionInput!]) {
          createView(name: $v, description: $text, connections: $c) { __typename } }""",
        variables={
            "v": "both",
            "text": None,
            "c": [{"repositoryName": "west", "filter": "*"}],
        },
    ),
    Step(
        document="""mutation M($v: String!, $c: [ViewConnectionInput!]!) {
          updateView(viewName: $v, connections: $c) { name } }""",
        variables={
            "v": "both",
            "c": [
                {"repositoryName": "west", "filter": "level=error"},
                {"repositoryName": "falcon", "filter": "*"},
            ],
        },
        answer={"name": "both"},
    ),
    Step(
        document="""query Q($v: String!) { searchDomain(name: $v) { id name ... on View {
          isFederated connections { repository { name } filter } } } }""",
        variables={"v": "both"},
        keep=("VIEW", ("id",)),
    ),
    # A parser, made and overwritten, and the tokens that use it.
    *(
        Step(
            document="""mutation M($r: RepoOrViewName!, $n: String!, $s: String!,
              $cases: [ParserTestCaseInput!]!, $tags: [String!]!, $gone: [String!]!,
              $over: Boolean!) { createParserV2(input: {repositoryName: $r, name: $n, script: $s,
              testCases: $cases, fieldsToTag: $tags, fieldsToBeRemovedBeforeParsing: $gone,
              allowOverwritingExistingParser: $over}) { id name script testCases {
              event { rawString } outputAssertions { __typename } } } }""",
            variables={
                "r": "west",
                "n": "pairs",
                "s": script,
                "cases": [{"event": {"rawString": "a=1"}, "outputAssertions": None}],
                "tags": ["host"],
                "gone": [],
                "over": True,
            },
            keep=("PARSER", ("id",)),
        )
        for script in ("parseJson()", "kvParse()")
    ),
    Step(
        document="""query Q($r: String!, $id: String!) { repository(name: $r) { parser(id: $id) {
          name script isBuiltIn fieldsToTag } } }""",
        variables={"r": "west", "id": "$PARSER"},
        answer={
            "parser": {
                "name": "pairs",
                "script": "kvParse()",
                "isBuiltIn": False,
                "fieldsToTag": ["host"],
            }
        },
    ),
    Step(
        document="""mutation M($r: String!, $n: String!, $p: String) { addIngestTokenV3(
          input: {repositoryName: $r, name: $n, parser: $p}) { name token parser { name } } }""",
        variables={"r": "west", "n": "shipper", "p": None},
        keep=("INGEST", ("token",)),
    ),
    Step(
        document="""mutation M($r: String!, $n: String!, $p: String!) {
          assignParserToIngestTokenV2(input: {repositoryName: $r, tokenName: $n, parser: $p}) {
          __typename } }""",
        variables={"r": "west", "n": "shipper", "p": "pairs"},
    ),
    Step(
        document="""query Q($r: String!) { repository(name: $r) { ingestTokens { name token
          parser { name } } } }""",
        variables={"r": "west"},
        answer={
            "ingestTokens": [{"name": "shipper", "token": "$INGEST", "parser": {"name": "pairs"}}]
        },
    ),
    # People: a role for a group in the view.
    Step(
        document="""mutation M($n: String!, $look: String) { addGroup(displayName: $n,
          lookupName: $look) { group { id } } }""",
        variables={"n": "hunters", "look": None},
        keep=("GROUP", ("group", "id")),
    ),
    Step(
        document="""mutation M($id: String!, $n: String, $look: String) { updateGroup(input: {
          groupId: $id, displayName: $n, lookupName: $look}) { group { displayName lookupName
          } } }""",
        variables={"id": "$GROUP", "n": None, "look": "cn=hunters"},
        answer={"group": {"displayName": "hunters", "lookupName": "cn=hunters"}},
    ),
    Step(
        document="""mutation M($n: String!, $v: [Permission!]!, $o: [OrganizationPermission!],
          $s: [SystemPermission!]) { createRole(input: {displayName: $n, viewPermissions: $v,
          organizationPermissions: $o, systemPermissions: $s}) { role { id } } }""",
        variables={"n": "reader", "v": ["ReadAccess"], "o": None, "s": None},
        keep=("ROLE", ("role", "id")),
    ),
    Step(
        document="""mutation M($role: String!, $g: String!, $v: String!) { assignRoleToGroup(
          input: {roleId: $role, groupId: $g, viewId: $v}) { __typename } }""",
        variables={"role": "$ROLE", "g": "$GROUP", "v": "$VIEW"},
    ),
    Step(
        document=f"query Q($n: String!) {{ {GROUP} }}",
        variables={"n": "hunters"},
        answer={
            "displayName": "hunters",
            "lookupName": "cn=hunters",
            "roles": [{"role": {"displayName": "reader"}}],
        },
    ),
    Step(
        document="""mutation M($u: String!, $c: String, $root: Boolean, $full: String) {
          addUserV2(input: {username: $u, company: $c, isRoot: $root, fullName: $full}) {
          ... on User { id isRoot company } } }""",
        variables={"u": "ann", "c": "ACME", "root": None, "full": None},
        keep=("USER", ("id",)),
    ),
    Step(
        document="""mutation M($u: String!, $c: String, $root: Boolean) { updateUser(input: {
          username: $u, company: $c, isRoot: $root}) { user { id isRoot company } } }""",
        variables={"u": "ann", "c": None, "root": True},
        answer={"user": {"id": "$USER", "isRoot": True, "company": "ACME"}},
    ),
    Step(
        document="""mutation M($g: String!, $u: String!) { addUsersToGroup(input: {groupId: $g,
          users: [$u]}) { group { users { username } } } }""",
        variables={"g": "$GROUP", "u": "$USER"},
        answer={"group": {"users": [{"username": "ann"}]}},
    ),
    Step(
        document="""query Q { groupsPage(pageNumber: 1, pageSize: 2147483647) { page { id
          displayName } } }""",
        answer={"page": [{"id": "$GROUP", "displayName": "hunters"}]},
    ),
    # A token for the view, found again by its id.
    Step(
        document="""mutation M($n: String!, $filter: String, $ends: Long, $v: [String!]!,
          $p: [Permission!]!) { createViewPermissionsToken(input: {name: $n, expireAt: $ends,
          ipFilterId: $filter, viewIds: $v, permissions: $p}) }""",
        variables={
            "n": "robot",
            "filter": None,
            "ends": None,
            "v": ["$VIEW"],
            "p": ["ReadAccess"],
        },
        keep=("TOKEN", ()),
    ),
    Step(
        document="""query Q { tokens(sortBy: Name, typeFilter: ViewPermissionToken) { results {
          name expireAt ... on ViewPermissionsToken { views { name } permissions } } } }""",
        answer={
            "results": [
                {
                    "name": "robot",
                    "expireAt": None,
                    "views": [{"name": "both"}],
                    "permissions": ["ReadAccess"],
                }
            ]
        },
    ),
    # Flags, by the type that clients generate from the schema.
    Step(
        document="mutation M($f: FeatureFlag!) { enableFeature(feature: $f) }",
        variables={"f": "LiveTables"},
        answer=True,
    ),
    Step(
        document="query Q($f: FeatureFlag!) { meta { isFeatureFlagEnabled(feature: $f) } }",
        variables={"f": "LiveTables"},
        answer={"isFeatureFlagEnabled": True},
    ),
    # And away with it.
    Step(
        document="""mutation M($r: String!, $n: String!) { unassignIngestToken(repositoryName: $r,
          tokenName: $n) { __typename } }""",
        variables={"r": "west", "n": "shipper"},
    ),
    Step(
        document="""mutation M($r: RepoOrViewName!, $id: String!) { deleteParser(input: {
          repositoryName: $r, id: $id}) { __typename } }""",
        variables={"r": "west", "id": "$PARSER"},
    ),
    Step(
        document="mutation M($id: String!) { removeRole(roleId: $id) { result } }",
        variables={"id": "$ROLE"},
        answer={"result": True},
    ),
    Step(
        document="mutation M($id: String!) { removeGroup(groupId: $id) { group { displayName } } }",
        variables={"id": "$GROUP"},
        answer={"group": {"displayName": "hunters"}},
    ),
    Step(
        document="""mutation M($d: String!, $why: String!) { deleteSearchDomain(name: $d,
          deleteMessage: $why) { __typename } }""",
        variables={"d": "west", "why": "done"},
    ),
    Step(
        document="query Q { searchDomains { name automaticSearch } }",
        answer=[
            {"name": "falcon", "automaticSearch": True},
            {"name": "both", "automaticSearch": True},
        ],
    ),
)


def filled(value: Any, kept: Mapping[str, object]) -> Any:
    """Return `value` with what was kept in the place of each `$NAME`."""
    match value:
        case str() if value.startswith("$"):
            return kept[value[1:]]
        case dict():
            return {name: filled(item, kept) for name, item in value.items()}
        case list():
            return [filled(item, kept) for item in value]
        case _:
            return value


async def test_deployment_is_made_seen_and_taken_away_step_by_step() -> None:
    app = create_app(sandbox_settings(token=TOKEN), clock=FrozenClock(NOW))
    kept: dict[str, object] = {}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://sandbox",
        headers={"Authorization": f"Bearer {TOKEN}"},
    ) as http:
        for step in STEPS:
            body = {
                "operationName": step.document.lstrip().split()[1].partition("(")[0],
                "query": step.document,
                "variables": filled(dict(step.variables), kept) or None,
            }
            answer = (await http.post("/graphql?id=x", json=body)).json()
            assert "errors" not in answer, (step.document, answer["errors"])
            (found,) = answer["data"].values()
            if step.answer is not None:
                assert found == filled(step.answer, kept), step.document
            if step.keep is not None:
                name, path = step.keep
                for part in path:
                    found = found[part]
                kept[name] = found
    app.state.sandbox.close()

    assert set(kept) == {"VIEW", "PARSER", "INGEST", "GROUP", "ROLE", "USER", "TOKEN"}
