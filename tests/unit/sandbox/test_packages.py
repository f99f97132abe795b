"""Packages: archives read without trust, put into a search domain as one and taken out as one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.clock import FrozenClock
from orchestrator.sandbox.packages import archive as archives
from orchestrator.sandbox.packages.archive import ArchiveRefused, read_archive
from orchestrator.sandbox.packages.content import PackageUnreadable, read_package
from orchestrator.sandbox.packages.installing import PackageRefused, Wish, install, uninstall
from orchestrator.sandbox.settings import SandboxSettings
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import AssetKind, Domain
from tests.package_files import (
    ACTION,
    ALERT,
    MANIFEST,
    NAME,
    OWNERS,
    PARSER,
    QUERY,
    SCHEDULED,
    files,
    package,
    version,
    zipped,
)
from tests.unit.sandbox.conftest import NOW, NOW_MS

LIBRARY = MANIFEST.replace("type: application", "type: library")
BY_ME = Wish(by="me")
AGAIN = Wish(by="me", overwrite=True)
Files = Mapping[str, "str | bytes | None"]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def sandbox(clock: FrozenClock) -> Sandbox:
    return Sandbox(SandboxSettings(), clock=clock)


def content_of(domain: Domain) -> dict[str, Any]:
    """Return everything of a domain that is kept, but for the moments of its making."""
    return domain.to_json()


def names(domain: Domain, kind: AssetKind) -> list[str]:
    return [record["name"] for record in domain.assets[kind].values()]


# --- archives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "acme-edge-proxy-0a1b2c/"])
def test_files_are_found_with_a_folder_around_them_or_without(below: str) -> None:
    found = read_archive(zipped(files(), below=below))

    assert found == files()
    assert list(found) == sorted(found)


def test_what_is_hidden_or_beside_the_package_is_left_out() -> None:
    held = {f"p/{path}": content for path, content in files().items()}
    held |= {"p/.git/config": b"", "p/queries/_old.yaml": b"x", "__MACOSX/p/junk": b"", "x": b""}

    assert read_archive(zipped(held)) == files()


def test_path_that_leads_out_of_the_archive_is_no_file_of_the_package() -> None:
    held = files({"../../etc/passwd": "x", "queries/../../out.yaml": QUERY, "/abs.yaml": QUERY})

    found = read_package(zipped(held)).templates["queries"]

    assert [template.path for template in found] == ["queries/denied.yaml"]


def encrypted() -> bytes:
    made = bytearray(package())
    # The flag of the first entry, in its own head and in the directory.
    made[6] |= 1
    made[made.rindex(b"PK\x01\x02", 0, made.index(b"PK\x01\x02") + 4) + 8] |= 1
    return bytes(made)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a readable zip: File is not a zip file"),
        (b"name: acme/edge-proxy", "not a readable zip: File is not a zip file"),
        (package()[:-10], "not a readable zip: File is not a zip file"),
        (
            package().replace(b"verdict=denied\n", b"verdict=DENIED\n", 1),
            "not a readable zip: Bad CRC-32",
        ),
        (encrypted(), "manifest.yaml is encrypted"),
        (zipped({"a/b/manifest.yaml": b""}), "no manifest.yaml in it"),
        (zipped({}), "no manifest.yaml in it"),
    ],
    ids=["empty", "yaml", "cut", "broken", "encrypted", "too-deep", "no-files"],
)
def test_what_is_no_archive_of_a_package_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ArchiveRefused) as caught:
        read_archive(content)

    assert str(caught.value).startswith(reason)


def test_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archives, "MAX_BYTES", 10_000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("manifest.yaml", MANIFEST)
        bomb.writestr("data/zeros.csv", b"0" * 1_000_000)

    with pytest.raises(ArchiveRefused, match="more than 10000 bytes unpacked"):
        read_archive(buffer.getvalue())


def test_archive_of_too_many_files_is_refused() -> None:
    held = {f"data/{n}.csv": b"" for n in range(archives.MAX_FILES)}

    with pytest.raises(ArchiveRefused, match="2001 files, more than 2000"):
        read_archive(zipped({"manifest.yaml": b"", **held}))


# --- what is in a package ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("name: acme/edge-proxy\n", "", "name is missing"),
        ("name: acme/edge-proxy", "name: edge-proxy", "name 'edge-proxy' is not scope/name"),
        ("name: acme/edge-proxy", "name: a/b/c", "name 'a/b/c' is not scope/name"),
        ("name: acme/edge-proxy", "name: ../b", "name '../b' is not scope/name"),
        ("1.2.0", "newest", "version 'newest' is not a version such as 1.2.3"),
        ("version: 1.2.0", "version: 1.2", "version is not text"),
        ("1.100.0", "new", "minHumioVersion 'new' is not a version such as 1.2.3"),
        ("type: application", "type: app", "type 'app' is neither application nor library"),
        ("author:\n  name: Acme\n  email: proxies@example.com\n", "", "author is missing"),
        ("  name: Acme\n", "", "name is missing"),
        ("licenseUrl: https", "license: https", "licenseUrl is missing"),
        (MANIFEST, "- a list\n", "not a mapping"),
        (MANIFEST, "a: [\n", "not YAML"),
    ],
)
def test_manifest_that_is_wrong_is_told(old: str, new: str, reason: str) -> None:
    with pytest.raises(PackageUnreadable) as caught:
        read_package(package({"manifest.yaml": MANIFEST.replace(old, new, 1)}))

    assert caught.value.problems == (f"manifest.yaml: {reason}",)


def test_every_problem_of_every_file_is_told_at_once() -> None:
    content = package(
        {
            "manifest.yaml": MANIFEST.replace("type: application", "type: app"),
            "queries/denied.yaml": QUERY.replace("queryString", "query"),
            "queries/again.yaml": "name: A\nqueryString: '*'\n",
            "queries/and-again.yaml": "name: A\nqueryString: '*'\n",
            "actions/owners.yaml": ACTION.replace("upload-file", "email"),
            "aggregate-alerts/a.yaml": "name: A\n",
            "parsers/edge-proxy.yaml": b"\xff\xfe",
            "dashboards/overview.yaml": "sections: {}\n",
            "somewhere/else.yaml": "not: [looked at",
        }
    )

    with pytest.raises(PackageUnreadable) as caught:
        read_package(content)

    assert caught.value.problems == (
        "manifest.yaml: type 'app' is neither application nor library",
        "actions/owners.yaml: type email has no published form: only upload-file is read",
        "queries/and-again.yaml: the name 'A' is that of queries/again.yaml too",
        "queries/denied.yaml: queryString is missing",
        "aggregate-alerts/a.yaml: no form of this kind of asset is published",
        "parsers/edge-proxy.yaml: not UTF-8",
        "dashboards/overview.yaml: name is missing",
    )


# --- installing -------------------------------------------------------------------------------


def test_application_brings_its_assets_under_its_own_name(sandbox: Sandbox) -> None:
    domain = sandbox.domain("falcon")

    stored = install(sandbox, domain, package(), BY_ME)

    assert (stored.id, stored.source, stored.installed_by) == (f"{NAME}@1.2.0", "ZipFile", "me")
    assert {kind: names(domain, kind) for kind in AssetKind} == {
        AssetKind.SAVED_QUERY: ["Denied"],
        AssetKind.SCHEDULED_SEARCH: ["Owners"],
        AssetKind.FILTER_ALERT: ["Denied at night"],
        AssetKind.AGGREGATE_ALERT: [],
        AssetKind.LEGACY_ALERT: ["Many denials"],
        AssetKind.ACTION: ["Keep owners"],
    }
    (action,) = domain.assets[AssetKind.ACTION]
    (scheduled,) = domain.assets[AssetKind.SCHEDULED_SEARCH].values()
    assert scheduled["actionIds"] == [action]
    assert (scheduled["queryOwnershipType"], scheduled["by"]) == ("User", "me")
    assert [parser["name"] for parser in domain.parsers.values()] == ["edge-proxy"]
    assert domain.files[f"{NAME}/owners.csv"].content == OWNERS
    assert sandbox.saved_queries(domain) == {f"{NAME}:Denied": "verdict=denied"}
    assert list(sandbox.lookups(domain)) == [f"{NAME}/owners.csv"]


def test_library_brings_templates_alone(sandbox: Sandbox) -> None:
    domain = sandbox.domain("falcon")

    install(sandbox, domain, package({"manifest.yaml": LIBRARY}), BY_ME)

    assert list(domain.packages) == [NAME]
    assert not any(domain.assets.values())
    assert (domain.parsers, domain.files) == ({}, {})


def test_name_of_a_package_asset_is_free_for_one_of_the_own(sandbox: Sandbox) -> None:
    domain = sandbox.domain("falcon")
    own = {"name": "Denied", "queryString": "*", "id": "own"}
    domain.assets[AssetKind.SAVED_QUERY]["own"] = own
    sandbox.put_file(domain, "owners.csv", b"k\n", by="me")

    install(sandbox, domain, package(), BY_ME)
    uninstall(sandbox, domain, NAME)

    assert domain.assets[AssetKind.SAVED_QUERY] == {"own": own}
    assert list(domain.files) == ["owners.csv"]


def test_action_of_the_search_domain_is_found_where_the_package_has_none(sandbox: Sandbox) -> None:
    domain = sandbox.domain("falcon")
    domain.assets[AssetKind.ACTION]["a1"] = {"id": "a1", "name": "Page", "labels": []}

    install(
        sandbox,
        domain,
        package({"alerts/denials.yaml": ALERT.replace("References: []", "References: [Page]")}),
        BY_ME,
    )

    (alert,) = domain.assets[AssetKind.LEGACY_ALERT].values()
    assert alert["actionIds"] == ["a1"]


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        (
            {"manifest.yaml": MANIFEST.replace("1.100.0", "1.300.0")},
            [f"{NAME}@1.2.0 needs LogScale 1.300.0, this is 1.204.0--build-1--sha-0000000000"],
        ),
        (
            {
                "alerts/denials.yaml": ALERT.replace("References: []", "References: [Nobody]"),
                "queries/denied.yaml": QUERY.replace("verdict=denied", "count("),
                "scheduled-searches/owners.yaml": SCHEDULED.replace("H 2 * * *", "H 25 * * *"),
                "parsers/edge-proxy.yaml": PARSER.replace("kvParse()", "count()"),
            },
            [
                "queries/denied.yaml: queryString: ",
                "alerts/denials.yaml: actionNameReferences: no action has the id or name 'Nobody'",
                "scheduled-searches/owners.yaml: schedule: '25' is outside 0 to 23",
                "parsers/edge-proxy.yaml: script: a parser must not aggregate",
            ],
        ),
    ],
    ids=["server-too-old", "assets"],
)
def test_package_that_does_not_fit_changes_nothing_and_says_all_that_is_wrong(
    sandbox: Sandbox, changes: Files, reasons: list[str]
) -> None:
    domain = sandbox.domain("falcon")
    before = content_of(domain)

    with pytest.raises(PackageRefused) as caught:
        install(sandbox, domain, package(changes), BY_ME)

    told = caught.value.installation_errors
    assert len(told) == len(reasons)
    assert all(text.startswith(reason) for text, reason in zip(told, reasons, strict=True))
    assert content_of(domain) == before


def test_parsers_are_not_for_a_view(sandbox: Sandbox) -> None:
    view = sandbox.domains["all"] = Domain(name="all", connections=())

    with pytest.raises(PackageRefused, match="has parsers, and all is a view, which has none"):
        install(sandbox, view, package(), BY_ME)
    install(sandbox, view, package({"parsers/edge-proxy.yaml": None}), BY_ME)

    assert list(view.packages) == [NAME]


# --- updates ----------------------------------------------------------------------------------


def test_package_that_is_there_stays_unless_it_may_be_overwritten(sandbox: Sandbox) -> None:
    domain = sandbox.domain("falcon")
    install(sandbox, domain, package(), BY_ME)

    with pytest.raises(PackageRefused, match=f"{NAME}@1.2.0 is installed already"):
        install(sandbox, domain, version("1.3.0"), BY_ME)


def test_update_keeps_what_an_asset_is_known_by(sandbox: Sandbox, clock: FrozenClock) -> None:
    domain = sandbox.domain("falcon")
    install(sandbox, domain, package(), BY_ME)
    (old,) = domain.assets[AssetKind.SAVED_QUERY].values()
    clock.advance(timedelta(minutes=1))

    stored = install(
        sandbox,
        domain,
        version(
            "1.3.0",
            {
                "queries/denied.yaml": QUERY.replace("verdict=denied", "verdict=refused"),
                "queries/new.yaml": "name: New\nqueryString: '*'\n",
                "alerts/denials.yaml": None,
                "data/owners.csv": None,
            },
        ),
        Wish(by="you", overwrite=True),
    )

    made = {record["name"]: record for record in domain.assets[AssetKind.SAVED_QUERY].values()}
    assert sorted(made) == ["Denied", "New"]
    assert made["Denied"]["queryString"] == "verdict=refused"
    assert made["Denied"]["id"] == old["id"]
    assert (made["Denied"]["createdAt"], made["Denied"]["modifiedAt"]) == (NOW_MS, NOW_MS + 60_000)
    assert (domain.assets[AssetKind.LEGACY_ALERT], domain.files) == ({}, {})
    assert (stored.version, stored.installed_by, stored.updated_by) == ("1.3.0", "me", "you")
    assert (stored.installed_ms, stored.updated_ms) == (NOW_MS, NOW_MS + 60_000)


def changed_here(sandbox: Sandbox) -> Domain:
    """Return a domain whose package has a saved query and a file that somebody changed."""
    domain = sandbox.domain("falcon")
    install(sandbox, domain, package(), BY_ME)
    (query,) = domain.assets[AssetKind.SAVED_QUERY].values()
    query |= {"queryString": "mine", "modifiedAt": query["modifiedAt"] + 1}
    sandbox.put_file(domain, f"{NAME}/owners.csv", b"mine\n", by="me")
    return domain


def test_change_that_an_update_does_not_speak_of_stops_it(sandbox: Sandbox) -> None:
    domain = changed_here(sandbox)
    before = content_of(domain)

    with pytest.raises(PackageRefused) as caught:
        install(sandbox, domain, version("1.3.0"), Wish(by="me", overwrite=True, resolutions={}))

    assert caught.value.installation_errors == (
        "SavedQuery 'Denied' was changed here: say in conflictResolutions whose it shall be",
        "File 'owners.csv' was changed here: say in conflictResolutions whose it shall be",
    )
    assert content_of(domain) == before


@pytest.mark.parametrize(
    ("resolutions", "query", "content"),
    [
        ({("SavedQuery", "Denied"): False, ("File", "owners.csv"): True}, "mine", OWNERS),
        (
            {("SavedQuery", "Denied"): True, ("File", "owners.csv"): False},
            "verdict=denied",
            b"mine\n",
        ),
        (None, "verdict=denied", OWNERS),
    ],
    ids=["keep-query", "keep-file", "overwrite-all"],
)
def test_update_leaves_or_replaces_what_was_changed_as_it_is_told(
    sandbox: Sandbox,
    resolutions: Mapping[tuple[str, str], bool] | None,
    query: str,
    content: bytes,
) -> None:
    domain = changed_here(sandbox)

    install(
        sandbox,
        domain,
        version("1.3.0"),
        Wish(by="me", overwrite=True, resolutions=resolutions),
    )

    (record,) = domain.assets[AssetKind.SAVED_QUERY].values()
    assert record["queryString"] == query
    assert domain.files[f"{NAME}/owners.csv"].content == content


PARTS = sorted(path for path in files() if path not in {"manifest.yaml", "actions/owners.yaml"})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.sets(st.sampled_from(PARTS)), second=st.sets(st.sampled_from(PARTS)))
def test_package_leaves_no_trace_and_an_update_is_a_fresh_installation(
    first: set[str], second: set[str]
) -> None:
    sandbox = Sandbox(SandboxSettings(), clock=FrozenClock(NOW))
    domain, other = sandbox.domain("falcon"), Domain(name="falcon")
    empty = content_of(domain)
    left_out = [dict.fromkeys(parts) for parts in (first, second)]

    install(sandbox, domain, package(left_out[0]), BY_ME)
    install(sandbox, domain, package(left_out[1]), AGAIN)
    install(sandbox, other, package(left_out[1]), BY_ME)

    assert without_ids(domain) == without_ids(other)
    uninstall(sandbox, domain, NAME)
    assert content_of(domain) == empty


def without_ids(domain: Domain) -> dict[str, Any]:
    raw = content_of(domain)
    for records in (*raw["assets"].values(), raw["parsers"]):
        for record in records:
            record["id"] = ""
            record["actionIds"] = len(record.get("actionIds", ()))
    return raw


# --- over the wire ----------------------------------------------------------------------------


async def send(
    client: Any, verb: str, content: bytes, *, token: str = "admin", **query: str
) -> Any:
    return await client.call(
        "POST",
        f"/api/v1/packages/{verb}",
        token=token,
        params={"view": "falcon", **query},
        content=content,
        headers={"Content-Type": "application/zip"},
    )


async def test_zip_is_checked_and_then_installed(client: Any) -> None:
    broken = package({"queries/denied.yaml": QUERY.replace("verdict=denied", "count(")})

    checked = await send(client, "analyze", package())
    refused = await send(client, "analyze", broken)
    installed = await send(client, "install", package(), queryOwnershipType="organization")
    again = await send(client, "install", package())
    over = await send(client, "install", package(), overwrite="true")

    assert checked.json() == {"installationErrors": [], "parseErrors": [], "responseType": "valid"}
    (reason,) = refused.json()["installationErrors"]
    assert (refused.status_code, reason[:34]) == (200, "queries/denied.yaml: queryString: ")
    assert (installed.status_code, installed.json()["installationErrors"]) == (200, [])
    assert (again.status_code, again.json()) == (
        400,
        {
            "installationErrors": [
                f"{NAME}@1.2.0 is installed already, and may not be overwritten"
            ],
            "parseErrors": [],
            "responseType": "failure",
        },
    )
    assert over.status_code == 200
    (scheduled,) = client.sandbox.domain("falcon").assets[AssetKind.SCHEDULED_SEARCH].values()
    assert scheduled["queryOwnershipType"] == "User"


@pytest.mark.parametrize(
    ("query", "token", "status", "text"),
    [
        ({"view": ""}, "admin", 400, "missing the required query parameter 'view'"),
        ({"view": "nowhere"}, "admin", 404, "'nowhere' does not exist"),
        ({}, "reader", 403, "not authorized"),
        ({"queryOwnershipType": "nobody"}, "admin", 400, "must be User or Organization"),
    ],
)
async def test_request_for_a_package_that_is_wrong_is_refused_as_others_are(
    client: Any, query: dict[str, str], token: str, status: int, text: str
) -> None:
    answer = await send(client, "install", package(), token=token, **query)

    assert answer.status_code == status
    assert text in answer.text


async def test_archive_that_is_none_is_a_parse_error(client: Any) -> None:
    answer = await send(client, "install", b"nothing")

    assert answer.status_code == 400
    assert answer.json()["parseErrors"] == ["not a readable zip: File is not a zip file"]


async def test_queries_reach_into_a_package_by_its_name(client: Any) -> None:
    await client.ingest({"verdict": "denied", "host": "a"}, {"verdict": "let", "host": "b"})
    await send(client, "install", package())

    found = await client.search(
        f'$"{NAME}:Denied"() | match(file="{NAME}/owners.csv", field=host) | table([host, owner])'
    )

    assert [(row["host"], row["owner"]) for row in found["events"]] == [("a", "web")]


async def test_file_of_a_package_is_downloaded_below_its_package(client: Any) -> None:
    await send(client, "install", package())

    answer = await client.call("GET", f"/api/v1/repositories/falcon/files/{NAME}/owners.csv")

    assert answer.content == OWNERS


async def test_parser_of_a_package_reads_what_its_token_sends(client: Any) -> None:
    await send(client, "install", package())
    made = await client.graphql(
        """mutation { addIngestTokenV3(input: {repositoryName: "falcon", name: "edge",
             parser: "edge-proxy", customToken: "edge-token"}) { parser { displayName } } }"""
    )
    await client.call("POST", "/api/v1/ingest/raw", token="edge-token", content=b"verdict=denied")
    client.clock.advance(timedelta(seconds=1))

    (event,) = (await client.search("*"))["events"]

    assert made["data"]["addIngestTokenV3"]["parser"]["displayName"] == f"{NAME}:edge-proxy"
    assert (event["#type"], event["#verdict"]) == ("edge-proxy", "denied")


PACKAGE = """{ searchDomain(name: "falcon") {
  installedPackages { id source availableUpdate installedBy { username timestamp }
    updatedBy { username timestamp }
    package { scope name version type description author { name email } readme minHumioVersion
      savedQueryTemplates { name displayName } alertTemplates { name } parserTemplates { name }
      filterAlertTemplates { name labels } scheduledSearchTemplates { name }
      actionTemplates { name type } lookupFileTemplates { displayName content }
      dashboardTemplates { name labels } viewInteractionTemplates { name }
      aggregateAlertTemplates { name } versionsOnMarketplace { version } } }
  savedQueries { name displayName packageId package { id } }
  files { nameAndPath { name path } packageId } } }"""


async def test_package_is_read_with_all_that_is_in_it(client: Any) -> None:
    await send(client, "install", package())

    found = (await client.graphql(PACKAGE))["data"]["searchDomain"]

    moment = {"username": "admin", "timestamp": "2026-03-10T02:00:00Z"}
    assert found["installedPackages"] == [
        {
            "id": f"{NAME}@1.2.0",
            "source": "ZipFile",
            "availableUpdate": None,
            "installedBy": moment,
            "updatedBy": moment,
            "package": {
                "scope": "acme",
                "name": "edge-proxy",
                "version": "1.2.0",
                "type": "application",
                "description": "What the edge proxies say.",
                "author": {"name": "Acme", "email": "proxies@example.com"},
                "readme": "# Edge proxies\n",
                "minHumioVersion": "1.100.0",
                "savedQueryTemplates": [{"name": "Denied", "displayName": f"{NAME}:Denied"}],
                "alertTemplates": [{"name": "Many denials"}],
                "parserTemplates": [{"name": "edge-proxy"}],
                "filterAlertTemplates": [{"name": "Denied at night", "labels": []}],
                "scheduledSearchTemplates": [{"name": "Owners"}],
                "actionTemplates": [{"name": "Keep owners", "type": "UploadFile"}],
                "lookupFileTemplates": [
                    {"displayName": f"{NAME}/owners.csv", "content": OWNERS.decode()}
                ],
                "dashboardTemplates": [{"name": "Overview", "labels": []}],
                "viewInteractionTemplates": [{"name": "Search the host"}],
                "aggregateAlertTemplates": [],
                "versionsOnMarketplace": [],
            },
        }
    ]
    assert found["savedQueries"] == [
        {
            "name": "Denied",
            "displayName": f"{NAME}:Denied",
            "packageId": f"{NAME}@1.2.0",
            "package": {"id": f"{NAME}@1.2.0"},
        }
    ]
    assert found["files"] == [
        {"nameAndPath": {"name": "owners.csv", "path": NAME}, "packageId": f"{NAME}@1.2.0"}
    ]


INSTALL = """mutation($id: VersionedPackageSpecifier!) {
  installPackageFromRegistryV2(InstallPackageFromRegistryInput: {viewName: "falcon",
    packageId: $id, queryOwnershipType: Organization}) { package { id } } }"""
UPDATE = """mutation($id: VersionedPackageSpecifier!, $r: [ConflictResolutionConfiguration!]!) {
  updatePackageFromRegistryV2(UpdatePackageFromRegistryInput: {viewName: "falcon",
    packageId: $id, conflictResolutions: $r}) { package { id } } }"""
UNINSTALL = """mutation($id: UnversionedPackageSpecifier!) {
  uninstallPackage(viewName: "falcon", packageId: $id) { result } }"""
EDIT = """mutation($id: String!) { updateSavedQuery(input: {viewName: "falcon", id: $id,
  queryString: "mine"}) { savedQuery { id } } }"""


@pytest.fixture
def market(tmp_path: Path) -> Path:
    (tmp_path / "a.zip").write_bytes(package())
    (tmp_path / "b.zip").write_bytes(version("1.10.0"))
    (tmp_path / "c.zip").write_bytes(version("1.9.0"))
    (tmp_path / "broken.zip").write_bytes(b"none")
    return tmp_path


async def test_package_comes_from_the_marketplace_and_is_updated(
    open_client: Any, market: Path
) -> None:
    async with open_client(marketplace=market) as client:
        installed = await client.graphql(INSTALL, id=f"{NAME}@1.2.0")
        (before,) = (await client.graphql(PACKAGE))["data"]["searchDomain"]["installedPackages"]
        (query,) = client.sandbox.domain("falcon").assets[AssetKind.SAVED_QUERY]
        await client.graphql(EDIT, id=query)
        unsaid = await client.graphql(UPDATE, id=f"{NAME}@1.10.0", r=[])
        ours = {"entityType": "SavedQuery", "entityName": "Denied", "conflictResolution": "Ours"}
        updated = await client.graphql(UPDATE, id=f"{NAME}@1.10.0", r=[ours])
        (after,) = (await client.graphql(PACKAGE))["data"]["searchDomain"]["installedPackages"]
        kept = client.sandbox.domain("falcon").assets[AssetKind.SAVED_QUERY][query]

    assert installed == {
        "data": {"installPackageFromRegistryV2": {"package": {"id": f"{NAME}@1.2.0"}}}
    }
    assert (before["source"], before["availableUpdate"]) == ("HumioHub", "1.10.0")
    versions = before["package"]["versionsOnMarketplace"]
    assert [found["version"] for found in versions] == ["1.10.0", "1.9.0", "1.2.0"]
    (error,) = unsaid["errors"]
    assert error["state"] == {
        "packageId": "SavedQuery 'Denied' was changed here: say in conflictResolutions whose it "
        "shall be"
    }
    assert updated["data"]["updatePackageFromRegistryV2"]["package"]["id"] == f"{NAME}@1.10.0"
    assert (after["id"], after["availableUpdate"]) == (f"{NAME}@1.10.0", None)
    assert kept["queryString"] == "mine"


async def test_package_is_taken_out_with_all_that_it_brought(client: Any) -> None:
    await send(client, "install", package())

    gone = await client.graphql(UNINSTALL, id=NAME)
    again = await client.graphql(UNINSTALL, id=NAME)

    assert gone == {"data": {"uninstallPackage": {"result": True}}}
    assert again["errors"][0]["message"] == f"The package '{NAME}' is not installed in 'falcon'"
    domain = client.sandbox.domain("falcon")
    assert not any((*domain.assets.values(), domain.parsers, domain.files, domain.packages))


@pytest.mark.parametrize(
    ("document", "package_id"),
    [(INSTALL, NAME), (INSTALL, "edge-proxy@1.2.0"), (UNINSTALL, f"{NAME}@1.2.0")],
)
async def test_package_that_is_named_wrongly_is_refused(
    client: Any, document: str, package_id: str
) -> None:
    answer = await client.graphql(document, id=package_id)

    assert "a package is named as scope/name" in answer["errors"][0]["message"]


async def test_reader_may_look_at_packages_and_not_touch_them(client: Any) -> None:
    await send(client, "install", package())

    listed = await client.graphql(PACKAGE, token="reader")
    refused = await client.call(
        "POST",
        "/graphql",
        token="reader",
        json={"query": UNINSTALL, "variables": {"id": NAME}},
    )

    assert len(listed["data"]["searchDomain"]["installedPackages"]) == 1
    assert refused.status_code == 403


FROM_TEMPLATES = f"""mutation {{
  query: createSavedQueryFromPackageTemplate(viewName: "falcon", packageId: "{NAME}@1.2.0",
    savedQueryTemplateName: "Denied", overrideName: "Mine") {{ savedQuery {{ displayName }} }}
  action: createActionFromPackageTemplate(viewName: "falcon", packageId: "{NAME}@1.2.0",
    actionTemplateName: "Keep owners") {{ action {{ __typename name packageId }} }}
  parser: createParserFromPackageTemplate(viewName: "falcon", packageId: "{NAME}@1.2.0",
    parserTemplateName: "edge-proxy") {{ parser {{ displayName fieldsToTag
      testCases {{ event {{ rawString }} }} }} }}
  file: createLookupFileFromPackageTemplate(viewName: "falcon", packageId: "{NAME}@1.2.0",
    lookupFileTemplateName: "owners.csv", overrideName: "mine.csv") {{ name path }} }}"""
GENERATED = f"""{{
  alert: generateAlertFromPackageTemplate(input: {{viewName: "falcon",
    packageId: "{NAME}@1.2.0", templateName: "Many denials"}}) {{ name queryStart }}
  filter: generateFilterAlertFromPackageTemplate(input: {{viewName: "falcon",
    packageId: "{NAME}@1.2.0", templateName: "Quiet"}}) {{ name enabled }}
  none: installedPackage(viewName: "falcon", packageId: "{NAME}@9.9.9") {{ id }}
  one: installedPackage(viewName: "falcon", packageId: "{NAME}@1.2.0") {{ id }} }}"""


async def test_templates_of_a_library_become_assets_of_the_own(client: Any) -> None:
    quiet = "name: Quiet\nqueryString: '*'\nenabled: false\n"
    content = package({"manifest.yaml": LIBRARY, "filter-alerts/quiet.yaml": quiet})
    await send(client, "install", content)

    made = (await client.graphql(FROM_TEMPLATES))["data"]
    generated = (await client.graphql(GENERATED))["data"]

    assert made == {
        "query": {"savedQuery": {"displayName": "Mine"}},
        "action": {
            "action": {
                "__typename": "UploadFileAction",
                "name": "Keep owners",
                "packageId": None,
            }
        },
        "parser": {
            "parser": {
                "displayName": "edge-proxy",
                "fieldsToTag": ["verdict"],
                "testCases": [{"event": {"rawString": "verdict=denied host=a"}}],
            }
        },
        "file": {"name": "mine.csv", "path": None},
    }
    assert generated == {
        "alert": {"name": "Many denials", "queryStart": "1h"},
        "filter": {"name": "Quiet", "enabled": False},
        "none": None,
        "one": {"id": f"{NAME}@1.2.0"},
    }
    assert client.sandbox.domain("falcon").files["mine.csv"].content == OWNERS


async def test_overview_shows_what_is_installed(client: Any) -> None:
    await send(client, "install", package())

    (domain,) = (await client.call("GET", "/_sandbox/overview")).json()["domains"]

    assert domain["packages"] == [
        {
            "id": f"{NAME}@1.2.0",
            "source": "ZipFile",
            "modified_at": "2026-03-10T02:00:00Z",
            "modified_by": "admin",
        }
    ]
    assert {asset["name"] for asset in domain["assets"]} >= {f"{NAME}:Denied"}
    assert [file["name"] for file in domain["files"]] == [f"{NAME}/owners.csv"]


async def test_packages_survive_a_restart(open_client: Any, tmp_path: Path) -> None:
    async with open_client(data_dir=tmp_path) as client:
        await send(client, "install", package())
        before = await client.graphql(PACKAGE)

    async with open_client(data_dir=tmp_path) as client:
        assert await client.graphql(PACKAGE) == before
        uninstall(client.sandbox, client.sandbox.domain("falcon"), NAME)

    async with open_client(data_dir=tmp_path) as client:
        assert client.sandbox.domain("falcon").packages == {}
