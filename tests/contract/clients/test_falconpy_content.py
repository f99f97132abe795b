"""falconpy's NGSIEM, unmodified: lookup files, saved queries, dashboards, parsers, labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from falconpy import NGSIEM

from tests.contract.clients.conftest import Service, body_of, message_of, resources

ERRORS = b"name: errors\nqueryString: |\n  level=error\n"
BOARD = b"name: board\nsections: {}\nwidgets: {}\n"
PARSER = b"name: mine\nscript: parseJson()\n"


@pytest.fixture
def siem(service: Service) -> Any:
    return service(NGSIEM)


# --- lookup files -----------------------------------------------------------------------------


def test_lookup_file_through_both_faces(siem: Any, tmp_path: Path) -> None:
    path = tmp_path / "owners.csv"
    path.write_text("host,owner\nh0,red\n", encoding="utf-8")

    uploaded = siem.upload_file(repository="falcon", lookup_file=str(path))
    assert uploaded["status_code"] == 200
    assert siem.get_file(repository="falcon", filename="owners.csv") == path.read_bytes()

    changed = siem.update_lookup_file(
        search_domain="all", filename="owners.csv", file=b"host,owner\nh0,blue\nh1,green\n"
    )
    assert resources(changed) == ["owners.csv"]
    added = siem.update_lookup_file_entries(
        search_domain="all",
        filename="owners.csv",
        file=b"host,owner\nH1,white\nh2,black\n",
        update_mode="update",
        key_columns="host",
        ignore_case="true",
    )
    assert resources(added) == ["owners.csv"]
    content = siem.get_lookup_file(search_domain="all", filename="owners.csv")
    assert content == b"host,owner\nh0,blue\nH1,white\nh2,black\n"

    made = siem.create_lookup_file(search_domain="all", filename="extra.csv", file=b"a,b\n1,2\n")
    assert resources(made) == ["extra.csv"]
    assert resources(siem.list_lookup_files(search_domain="all")) == ["extra.csv", "owners.csv"]
    named = siem.list_lookup_files(search_domain="all", filter="name:~'own'")
    assert resources(named) == ["owners.csv"]

    assert siem.delete_lookup_file(search_domain="all", filename="extra.csv")["status_code"] == 200
    assert resources(siem.list_lookup_files(search_domain="all")) == ["owners.csv"]
    missing = siem.get_lookup_file(search_domain="all", filename="extra.csv")
    assert message_of(missing, status=404) == "file 'extra.csv' not found"


def test_file_of_a_package_is_not_there(siem: Any) -> None:
    plain = siem.get_file_from_package(repository="falcon", package="p", filename="f.csv")
    named = siem.get_file_from_package_with_namespace(
        repository="falcon", namespace="n", package="p", filename="f.csv"
    )

    assert message_of(plain, status=404) == "The file 'p/f.csv' does not exist"
    assert message_of(named, status=404) == "The file 'n/p/f.csv' does not exist"


def test_file_of_the_tenants_view_and_of_all_domains_are_there_for_a_search_of_the_view(
    siem: Any, tmp_path: Path
) -> None:
    path = tmp_path / "owners.csv"
    path.write_text("host,owner\nh0,red\n", encoding="utf-8")

    assert siem.upload_file(repository="search-all", lookup_file=str(path))["status_code"] == 200
    siem.create_lookup_file(search_domain="all", filename="sites.csv", file=b"host,site\nh0,hq\n")
    query = (
        'createEvents(["host=h0"]) | kvParse() | match(file="owners.csv", field=host)'
        ' | match(file="sites.csv", field=host) | table([owner, site])'
    )
    job = siem.start_search(repository="search-all", query_string=query, start="1d")
    polled = body_of(siem.get_search_status(repository="search-all", id=job["resources"]["id"]))

    assert siem.get_file(repository="search-all", filename="owners.csv") == path.read_bytes()
    assert polled["events"] == [{"owner": "red", "site": "hq"}]


def test_files_in_bulk_stand_or_fail_alone(siem: Any) -> None:
    def files(*pairs: tuple[str, str]) -> list[dict[str, str]]:
        return [{"filename": name, "content": content} for name, content in pairs]

    made = body_of(
        siem.bulk_create_lookup_files(
            lookup_files=files(("a.csv", "k\n1\n"), ("b.csv", "k\n2\n"), ("a.csv", "k\n9\n")),
            search_domain="falcon",
        )
    )
    changed = body_of(
        siem.bulk_update_lookup_files(
            lookup_files=files(("b.csv", "k\n3\n"), ("no.csv", "k\n4\n")), search_domain="falcon"
        )
    )
    read = body_of(
        siem.bulk_get_lookup_files(filename=["a.csv", "b.csv", "no.csv"], search_domain="falcon")
    )

    assert made["resources"] == [
        {"filename": "a.csv", "success": True},
        {"filename": "b.csv", "success": True},
        {"filename": "a.csv", "success": False, "error": "file 'a.csv' exists already"},
    ]
    assert [(e["code"], e["id"]) for e in made["errors"]] == [(409, "a.csv")]
    assert made["meta"]["writes"] == {"resources_affected": 2}
    assert [file["success"] for file in changed["resources"]] == [True, False]
    assert changed["meta"]["writes"] == {"resources_affected": 1}
    assert [(e["code"], e["id"]) for e in changed["errors"]] == [(404, "no.csv")]
    assert [(f["filename"], f["content"]) for f in read["resources"]] == [
        ("a.csv", "k\n1\n"),
        ("b.csv", "k\n3\n"),
    ]
    assert [(e["code"], e["id"]) for e in read["errors"]] == [(404, "no.csv")]


# --- saved queries ----------------------------------------------------------------------------


def test_saved_query_through_its_whole_life(siem: Any) -> None:
    (made,) = resources(siem.create_saved_query(search_domain="falcon", yaml_template=ERRORS))
    (read,) = resources(siem.get_saved_query_template(ids=made, search_domain="falcon"))
    assert read["name"] == "errors"
    assert "level=error" in read["yaml_template"]

    (changed,) = resources(
        siem.update_saved_query_from_template(
            ids=made,
            search_domain="falcon",
            yaml_template=b"name: errors\nqueryString: level=fatal\n",
        )
    )
    assert changed != made
    assert resources(siem.list_saved_queries(search_domain="falcon")) == [changed]

    job = siem.start_search(repository="falcon", query_string="$errors() | count()", start="1d")
    (row,) = body_of(siem.get_search_status(repository="falcon", id=job["resources"]["id"]))[
        "events"
    ]
    assert row == {"_count": "0"}

    siem.delete_saved_query(ids=changed, search_domain="falcon")
    assert resources(siem.list_saved_queries(search_domain="falcon")) == []


def test_saved_queries_in_bulk_stand_or_fail_alone(siem: Any) -> None:
    made = body_of(
        siem.bulk_create_saved_queries_from_template(
            saved_query_items=[
                {"yaml_template": "name: a\nqueryString: x=1"},
                {"yaml_template": "name: a\nqueryString: x=2"},
                {"yaml_template": "name: b"},
                {"yaml_template": "{"},
            ],
            search_domain="falcon",
        )
    )
    query = made["resources"][0]
    changed = body_of(
        siem.bulk_update_saved_queries_from_template(
            saved_query_items=[
                {"id": query["id"], "yaml_template": "name: a\nqueryString: x=3"},
                {"id": "no", "yaml_template": "name: c\nqueryString: x=4"},
            ],
            search_domain="falcon",
        )
    )
    (read,) = resources(
        siem.get_saved_query_template(ids=changed["resources"][0]["id"], search_domain="falcon")
    )

    assert [(item["id"] != "", item["success"]) for item in made["resources"]] == [
        (True, True),
        (False, False),
        (False, False),
        (False, False),
    ]
    assert made["resources"][1]["error"] == "a saved query 'a' exists already"
    assert [error["code"] for error in made["errors"]] == [409, 400, 400]
    assert [(e["code"], e["id"]) for e in changed["errors"]] == [(404, "no")]
    assert "x=3" in read["yaml_template"]


# --- dashboards -------------------------------------------------------------------------------


def test_dashboard_through_its_whole_life(siem: Any) -> None:
    domain = {"search_domain": "falcon"}
    (made,) = resources(
        siem.create_dashboard_from_template(name="mine", yaml_template=BOARD, **domain)
    )
    (read,) = resources(siem.get_dashboard_template(ids=made, **domain))
    (changed,) = resources(
        siem.update_dashboard_from_template(
            ids=made, yaml_template=b"name: board two\nwidgets: {}\n", **domain
        )
    )
    found = resources(siem.list_dashboards(filter="name:~'two'", **domain))
    (again,) = resources(siem.get_dashboard_template(ids=made, **domain))
    siem.delete_dashboard(ids=made, **domain)

    assert (read["name"], read["yaml_template"]) == ("mine", BOARD.decode())
    assert (changed, again["name"]) == (made, "board two")
    assert found == [made]
    assert again["yaml_template"] == "name: board two\nwidgets: {}\n"
    assert resources(siem.list_dashboards(**domain)) == []
    gone = siem.get_dashboard_template(ids=made, **domain)
    assert message_of(gone, status=404) == f"dashboard '{made}' not found"


def test_dashboards_in_bulk_stand_or_fail_alone(siem: Any) -> None:
    made = body_of(
        siem.bulk_create_dashboards_from_template(
            dashboard_items=[
                {"name": "one", "yaml_template": "widgets: {}"},
                {"yaml_template": "widgets: {}"},
            ],
            search_domain="falcon",
        )
    )
    board, refused = made["resources"]
    changed = body_of(
        siem.bulk_update_dashboards_from_template(
            dashboard_items=[{"id": board["id"], "yaml_template": "name: uno"}],
            search_domain="falcon",
        )
    )

    (read,) = resources(siem.get_dashboard_template(ids=board["id"], search_domain="falcon"))
    assert (board["success"], read["name"]) == (True, "uno")
    assert (refused["id"], refused["success"]) == ("", False)
    assert [error["code"] for error in made["errors"]] == [400]
    assert changed["resources"] == [{"id": board["id"], "success": True}]


# --- parsers ----------------------------------------------------------------------------------


def test_parser_as_template(siem: Any) -> None:
    place = {"repository": "parsers-repository"}
    (made,) = resources(
        siem.create_parser_from_template(name="mine", yaml_template=PARSER, **place)
    )
    (template,) = resources(siem.get_parser_template(ids=made, **place))
    (changed,) = resources(
        siem.update_parser_from_template(
            ids=made, yaml_template=b"name: mine\nscript: kvParse()\n", **place
        )
    )
    renamed = siem.update_parser_from_template(
        ids=made, yaml_template=b"name: yours\nscript: kvParse()\n", **place
    )
    (read,) = resources(siem.get_parser(ids=made, **place))
    listed = resources(siem.list_parsers(filter="name:~'mi'", parser_type="custom", **place))
    foreign = resources(siem.list_parsers(parser_type="ootb", **place))
    fresh = resources(siem.list_parsers(update_available="true", **place))
    siem.delete_parser(ids=made, **place)

    assert template["yaml_template"] == PARSER.decode()
    assert changed == made
    assert message_of(renamed, status=400) == "the name of a parser cannot be changed"
    assert (read["name"], read["script"]) == ("mine", "kvParse()")
    assert (read["display_name"], read["is_built_in"]) == ("mine", False)
    assert listed == [
        {
            "ID": made,
            "Name": "mine",
            "built_by": "sandbox",
            "impacted_connections": False,
            "parser_type": "custom",
            "pass_through_alerts": False,
            "product": [],
            "update_available": False,
            "vendor": "",
            "version": "",
        }
    ]
    assert (foreign, fresh) == ([], [])
    assert resources(siem.list_parsers(**place)) == []


def test_parser_as_json_and_its_copy(siem: Any) -> None:
    (parser_id,) = resources(
        siem.create_parser(
            name="mine",
            repository="parsers-repository",
            script="parseJson()",
            fields_to_tag="a,b",
            test_cases=[{"event": {"raw_string": "{}"}}],
        )
    )
    place = {"repository": "parsers-repository"}
    (made,) = resources(siem.get_parser(ids=parser_id, **place))
    updated = resources(siem.update_parser(id=parser_id, script="kvParse()", **place))
    (changed,) = resources(siem.get_parser(ids=parser_id, **place))
    copied = body_of(siem.clone_parser(new_name="copy", source_id=parser_id))["resources"]
    (copy,) = resources(siem.get_parser(ids=copied["id"], **place))
    (template,) = resources(siem.get_parser_template(ids=copied["id"], **place))

    assert (updated, copied["name"]) == ([parser_id], "copy")
    assert made["fields_to_tag"] == ["a", "b"]
    assert (changed["name"], changed["script"]) == ("mine", "kvParse()")
    assert changed["test_cases"] == [{"event": {"raw_string": "{}"}}]
    assert (copy["name"], copy["script"], copy["fields_to_tag"]) == (
        "copy",
        "kvParse()",
        ["a", "b"],
    )
    assert "tagFields:\n- a\n- b\n" in template["yaml_template"]


# --- labels -----------------------------------------------------------------------------------

Make = Callable[[Any], str]


def a_file(siem: Any) -> str:
    siem.create_lookup_file(search_domain="falcon", filename="f.csv", file=b"k\n1\n")
    return "f.csv"


def a_query(siem: Any) -> str:
    made = siem.create_saved_query(search_domain="falcon", yaml_template=ERRORS)
    return str(resources(made)[0])


def a_board(siem: Any) -> str:
    made = siem.create_dashboard_from_template(
        search_domain="falcon", name="board", yaml_template=BOARD
    )
    return str(resources(made)[0])


LABELLED: list[tuple[str, Make, tuple[str, str, str]]] = [
    ("filename", a_file, ("add_file_labels", "update_file_labels", "remove_file_labels")),
    (
        "id",
        a_query,
        ("add_saved_query_labels", "update_saved_query_labels", "remove_saved_query_labels"),
    ),
    (
        "id",
        a_board,
        ("add_dashboard_labels", "update_dashboard_labels", "remove_dashboard_labels"),
    ),
]


@pytest.mark.parametrize(("key", "make", "methods"), LABELLED, ids=["file", "query", "board"])
def test_labels_of_one_thing(
    siem: Any, key: str, make: Make, methods: tuple[str, str, str]
) -> None:
    add, update, remove = (getattr(siem, method) for method in methods)
    where = {key: make(siem), "search_domain": "falcon"}

    added = resources(add(labels=["a", "b"], **where))
    more = resources(add(labels=["b", "c"], **where))
    fewer = resources(remove(parameters={"labels": ["a", "c"], **where}))
    other = resources(update(labels=["x"], **where))

    found = [answer[0]["labels"] for answer in (added, more, fewer, other)]
    assert found == [["a", "b"], ["a", "b", "c"], ["b"], ["x"]]
    too_many = add(labels=[str(number) for number in range(10)], **where)
    assert message_of(too_many, status=400) == "at most 10 labels"
    too_long = add(labels=["x" * 61], **where)
    assert message_of(too_long, status=400) == "a label must have 1 to 60 characters"


BULK: list[tuple[str, Make, tuple[str, str, str]]] = [
    (
        "filename",
        a_file,
        (
            "bulk_add_lookup_file_labels",
            "bulk_remove_lookup_file_labels",
            "bulk_update_lookup_file_labels",
        ),
    ),
    (
        "id",
        a_query,
        (
            "bulk_add_saved_query_labels",
            "bulk_remove_saved_query_labels",
            "bulk_update_saved_query_labels",
        ),
    ),
    (
        "id",
        a_board,
        (
            "bulk_add_dashboard_labels",
            "bulk_remove_dashboard_labels",
            "bulk_update_dashboard_labels",
        ),
    ),
]


@pytest.mark.parametrize(("key", "make", "methods"), BULK, ids=["file", "query", "board"])
def test_labels_in_bulk_stand_or_fail_alone(
    siem: Any, key: str, make: Make, methods: tuple[str, str, str]
) -> None:
    add, remove, update = (getattr(siem, method) for method in methods)
    name = make(siem)

    def items(*labels: str) -> dict[str, Any]:
        given = [{key: name, "labels": list(labels)}, {key: "no", "labels": ["z"]}]
        return {"items": given, "search_domain": "falcon"}

    answers = [body_of(add(**items("a", "b"))), body_of(remove(**items("a")))]
    answers.append(body_of(update(**items("c"))))

    assert [answer["resources"][0]["labels"] for answer in answers] == [["a", "b"], ["b"], ["c"]]
    assert all([r["success"] for r in answer["resources"]] == [True, False] for answer in answers)
    assert all(
        [(error["code"], error["id"]) for error in answer["errors"]] == [(404, "no")]
        for answer in answers
    )
