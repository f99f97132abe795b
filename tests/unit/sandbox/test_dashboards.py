"""Dashboards: made of YAML, read with their widgets, changed, and those that packages bring."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.package_files import MANIFEST, NAME, package

TEMPLATE = """\
name: Hosts
description: Who is there.
labels: [hosts]
sharedTimeInterval: {enabled: true, start: 7d}
sections:
  s2: {title: Below, collapsed: true, order: 2, widgetIds: [n]}
  s1: {title: Above, order: 1, widgetIds: [q], timeSelector: {start: 1h}}
widgets:
  q:
    {type: query, title: All, x: 0, y: 1, width: 4, height: 5, queryString: "groupBy([host])",
     start: 24h, visualization: table-view, options: {column-widths: 2}}
  n: {type: note, title: Read, x: 4, y: 1, width: 2, height: 5, text: Hello}
  p: {type: parameterPanel, title: Ask, x: 0, y: 0, width: 12, height: 1, parameterIds: [host]}
  o: {type: orbit, title: Odd, x: 6, y: 1, width: 1, height: 1}
$schema: https://schemas.humio.com/dashboard/v0.15.0
"""
CREATE = """mutation($view: RepoOrViewName!, $name: String, $text: YAML!) {
  createDashboardFromTemplateV2(input: {viewName: $view, name: $name, yamlTemplate: $text}) {
    id name displayName } }"""
READ = """query($id: String!) { searchDomain(name: "falcon") { dashboard(id: $id) { name description
  labels defaultSharedTimeStart defaultSharedTimeEnd defaultSharedTimeEnabled
  searchDomain { name } widgets { __typename title x y width height
    ... on QueryBasedWidget { queryString start end isLive widgetType options }
    ... on NoteWidget { text } ... on ParameterPanel { parameterIds } }
  sections { id title collapsed order widgetIds timeSelector { start end } } } } }"""
LIST = """{ searchDomain(name: "falcon") { dashboards { name displayName packageId
  widgets { title } } } }"""
EXPORT = """query($id: String!) { searchDomain(name: "falcon") {
  dashboard(id: $id) { yamlTemplate } } }"""

DELETE = 'deleteDashboard(input: {id: "%s"}) { dashboard { id } }'


def data(answer: dict[str, Any]) -> Any:
    assert "errors" not in answer, answer["errors"]
    (found,) = answer["data"].values()
    return found


def refusal(answer: dict[str, Any]) -> Any:
    (error,) = answer["errors"]
    return error.get("state") or error["message"]


async def made(client: Any, text: str = TEMPLATE, name: str | None = None) -> str:
    return str(data(await client.graphql(CREATE, view="falcon", name=name, text=text))["id"])


async def changed(client: Any, fields: str) -> Any:
    return data(await client.graphql(f"mutation {{ {fields} }}"))


async def test_dashboard_is_read_with_its_widgets_and_sections(client: Any) -> None:
    dashboard_id = await made(client)

    found = data(await client.graphql(READ, id=dashboard_id))["dashboard"]

    widgets = {widget.pop("title"): widget for widget in found.pop("widgets")}
    sections = found.pop("sections")
    assert found == {
        "name": "Hosts",
        "description": "Who is there.",
        "labels": ["hosts"],
        "defaultSharedTimeStart": "7d",
        "defaultSharedTimeEnd": "now",
        "defaultSharedTimeEnabled": True,
        "searchDomain": {"name": "falcon"},
    }
    assert widgets == {
        "All": {
            "__typename": "QueryBasedWidget",
            "x": 0,
            "y": 1,
            "width": 4,
            "height": 5,
            "queryString": "groupBy([host])",
            "start": "24h",
            "end": "now",
            "isLive": False,
            "widgetType": "table-view",
            "options": {"column-widths": 2},
        },
        "Read": {
            "__typename": "NoteWidget",
            "x": 4,
            "y": 1,
            "width": 2,
            "height": 5,
            "text": "Hello",
        },
        "Ask": {
            "__typename": "ParameterPanel",
            "x": 0,
            "y": 0,
            "width": 12,
            "height": 1,
            "parameterIds": ["host"],
        },
        "Odd": {"__typename": "UnknownWidget", "x": 6, "y": 1, "width": 1, "height": 1},
    }
    assert sections == [
        {
            "id": "s1",
            "title": "Above",
            "collapsed": False,
            "order": 1,
            "widgetIds": ["q"],
            "timeSelector": {"start": "1h", "end": "now"},
        },
        {
            "id": "s2",
            "title": "Below",
            "collapsed": True,
            "order": 2,
            "widgetIds": ["n"],
            "timeSelector": None,
        },
    ]


async def test_exported_dashboard_makes_itself_again(client: Any) -> None:
    """Clients replace a dashboard so: export, delete, create, and restore where that fails."""
    dashboard_id = await made(client, name="Mine")
    text = data(await client.graphql(EXPORT, id=dashboard_id))["dashboard"]["yamlTemplate"]
    await changed(
        client, f'deleteDashboard(input: {{id: "{dashboard_id}"}}) {{ dashboard {{ id }} }}'
    )

    again = await made(client, text)

    assert again != dashboard_id
    assert yaml.safe_load(text) == {**yaml.safe_load(TEMPLATE), "name": "Mine"}


async def test_name_description_and_labels_are_changed_and_exported(client: Any) -> None:
    dashboard_id = await made(client)
    shown = "{ name description labels }"

    updated = await changed(
        client,
        f"""updateDashboard(input: {{id: "{dashboard_id}", name: "New", labels: []}}) {{
          dashboard {shown} }}""",
    )
    labelled = await changed(client, f'addDashboardLabel(id: "{dashboard_id}", label: "l") {shown}')
    bare = await changed(client, f'removeDashboardLabel(id: "{dashboard_id}", label: "l") {shown}')
    renamed = await changed(client, f'renameDashboard(id: "{dashboard_id}", name: "Last") {shown}')
    text = data(await client.graphql(EXPORT, id=dashboard_id))["dashboard"]["yamlTemplate"]

    kept = {"name": "New", "description": "Who is there.", "labels": []}
    assert updated == {"dashboard": kept}
    assert labelled == {**kept, "labels": ["l"]}
    assert bare == kept
    assert renamed == {**kept, "name": "Last"}
    exported = yaml.safe_load(text)
    assert (exported["name"], "labels" in exported) == ("Last", False)


async def test_dashboard_survives_a_restart(open_client: Any, tmp_path: Any) -> None:
    async with open_client(data_dir=tmp_path) as before:
        dashboard_id = await made(before)

    async with open_client(data_dir=tmp_path) as after:
        found = data(await after.graphql(READ, id=dashboard_id))["dashboard"]
        assert (found["name"], len(found["widgets"])) == ("Hosts", 4)


async def test_dashboard_is_deleted_out_of_its_search_domain(client: Any) -> None:
    dashboard_id = await made(client)
    falcon = data(await client.graphql('{ searchDomain(name: "falcon") { id } }'))["id"]
    document = """mutation($view: String!, $id: String!) { deleteDashboardV2(input: {
      viewId: $view, dashboardId: $id}) { name dashboards { id } } }"""

    wrong = await client.graphql(document, view="x", id=dashboard_id)
    right = data(await client.graphql(document, view=falcon, id=dashboard_id))

    absent = f"Could not find an entry with the id '{dashboard_id}' in dashboards"
    assert refusal(wrong) == absent
    assert right == {"name": "falcon", "dashboards": []}
    assert refusal(await client.graphql(READ, id=dashboard_id)) == absent


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "not a mapping"),
        ("widgets: {}", "name is missing"),
        ("name: a\nwidgets: []\n", ""),
        ("name: a\nwidgets: {w: 1}\n", "widgets is not a mapping of mappings"),
        ("name: a\nwidgets: {w: {type: query, start: 1d}}\n", "queryString is missing"),
        ("name: a\nwidgets: {w: {type: note, text: t, x: 1.5}}\n", "x is not a whole number"),
        ("name: a\nsections: {s: {widgetIds: 7}}\n", "widgetIds is not a list of texts"),
        ("name: a\nsharedTimeInterval: 7\n", "sharedTimeInterval is not a mapping"),
    ],
)
async def test_text_that_is_no_dashboard_is_refused(client: Any, text: str, reason: str) -> None:
    answer = await client.graphql(CREATE, view="falcon", text=text)

    if reason:
        assert refusal(answer) == {"yamlTemplate": reason}
    else:
        # An empty list stands for none at all.
        assert data(answer)["name"] == "a"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("Hosts", "the name 'Hosts' is already in use"), (" ", "must not be empty")],
)
async def test_name_that_is_taken_or_empty_is_refused(client: Any, name: str, reason: str) -> None:
    await made(client)

    answer = await client.graphql(CREATE, view="falcon", name=name, text=TEMPLATE)

    assert refusal(answer) == {"name": reason}


async def test_dashboards_of_a_package_are_shown_and_stay(client: Any) -> None:
    content = package({"dashboards/overview.yaml": TEMPLATE})
    installed = await client.call(
        "POST",
        "/api/v1/packages/install",
        params={"view": "falcon", "overwrite": "false", "queryOwnershipType": "User"},
        content=content,
        headers={"Content-Type": "application/zip"},
    )
    assert installed.status_code == 200
    listed = data(await client.graphql(LIST))["dashboards"]
    ids = data(await client.graphql('{ searchDomain(name: "falcon") { dashboards { id } } }'))
    dashboard_id = ids["dashboards"][0]["id"]
    delete = (
        f'mutation {{ deleteDashboard(input: {{id: "{dashboard_id}"}}) {{ dashboard {{ id }} }} }}'
    )

    refused = await client.graphql(delete)

    assert listed == [
        {
            "name": "Hosts",
            "displayName": f"{NAME}:Hosts",
            "packageId": f"{NAME}@1.2.0",
            "widgets": [{"title": title} for title in ("All", "Read", "Ask", "Odd")],
        }
    ]
    assert refusal(refused) == (
        f"Could not find an entry with the id '{dashboard_id}' in dashboards"
    )


@pytest.mark.parametrize("text", ["name: Odd\nwidgets: {w: 1}\n", "name: Odd\nwidgets: 7\n"])
async def test_odd_dashboard_of_a_package_has_its_name_alone(client: Any, text: str) -> None:
    await client.call(
        "POST",
        "/api/v1/packages/install",
        params={"view": "falcon", "overwrite": "false", "queryOwnershipType": "User"},
        content=package({"dashboards/overview.yaml": text}),
        headers={"Content-Type": "application/zip"},
    )

    (found,) = data(await client.graphql(LIST))["dashboards"]

    assert (found["name"], found["widgets"]) == ("Odd", [])


async def test_dashboard_of_a_library_is_a_template(client: Any) -> None:
    library = MANIFEST.replace("type: application", "type: library")
    await client.call(
        "POST",
        "/api/v1/packages/install",
        params={"view": "falcon", "overwrite": "false", "queryOwnershipType": "User"},
        content=package({"manifest.yaml": library, "dashboards/overview.yaml": TEMPLATE}),
        headers={"Content-Type": "application/zip"},
    )
    assert data(await client.graphql(LIST))["dashboards"] == []

    used = data(
        await client.graphql(
            """mutation($id: VersionedPackageSpecifier!) { createDashboardFromPackageTemplate(
              viewName: "falcon", packageId: $id, dashboardTemplateName: "Hosts",
              overrideName: "Ours") { dashboard { name packageId } } }""",
            id=f"{NAME}@1.2.0",
        )
    )

    assert used == {"dashboard": {"name": "Ours", "packageId": None}}


async def test_dashboards_are_found_across_search_domains(open_client: Any) -> None:
    page = """{ dashboardsPage(search: "h", pageNumber: 1, pageSize: 5) {
      page { name searchDomain { name } } pageInfo { total } } }"""
    search = """{ entitiesSearch(input: {searchTerm: "host", entityTypes: [Dashboard]}) { data {
      ... on DashboardEntry { dashboard { name } } } } }"""
    async with open_client(repositories=("falcon", "west")) as client:
        await made(client)
        data(await client.graphql(CREATE, view="west", name="Other", text=TEMPLATE))
        found = data(await client.graphql(page))
        entries = data(await client.graphql(search))

    assert found == {
        "page": [
            {"name": "Hosts", "searchDomain": {"name": "falcon"}},
            {"name": "Other", "searchDomain": {"name": "west"}},
        ],
        "pageInfo": {"total": 1},
    }
    assert entries == {"data": [{"dashboard": {"name": "Hosts"}}]}
