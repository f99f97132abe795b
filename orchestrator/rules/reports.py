"""Problems in the forms that other programs read: SARIF 2.1.0 and GitHub's workflow commands."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from orchestrator.cql.diagnostics import Level
from orchestrator.cql.lint.codes import Explained
from orchestrator.cql.width import visible
from orchestrator.rules.problems import Problem

_SARIF_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.HINT: "note"}
_GITHUB_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.HINT: "notice"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

Json = dict[str, object]


def sarif(
    problems: Sequence[Problem], *, codes: Mapping[str, Explained], base: Path, version: str
) -> Json:
    """Return one SARIF log with one run.

    Args:
        problems: What was found; each becomes a result.
        codes: What is known of each code; becomes the rules' help.
        base: Absolute folder that paths are relative to; a file outside it gets its full URI.
        version: The product's version.
    """
    used = sorted({problem.code for problem in problems})
    driver: Json = {
        "name": "orchestrator",
        "version": version,
        "rules": [_rule(code, codes.get(code)) for code in used],
    }
    run: Json = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, used, base) for problem in problems],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def github(problems: Sequence[Problem], *, base: Path) -> list[str]:
    """Return one workflow command a problem; what they hold cannot begin another one.

    Source: GitHub Actions, workflow commands.
    """
    return [_command(problem, base) for problem in problems]


def _rule(code: str, known: Explained | None) -> Json:
    if known is None:
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": code.replace("-", " ").capitalize()},
        "fullDescription": {"text": known.about},
        "help": {"text": f"{known.about}\n\nSource: {known.source}"},
        "defaultConfiguration": {"level": _SARIF_LEVELS[known.level]},
        "properties": {"tags": [known.topic]},
    }


def _result(problem: Problem, used: Sequence[str], base: Path) -> Json:
    artifact = _artifact(problem.path, base)
    place = problem.to_json()
    result: Json = {
        "ruleId": problem.code,
        "ruleIndex": used.index(problem.code),
        "level": _SARIF_LEVELS[problem.level],
        "message": {"text": f"{problem.message} {problem.help}".strip()},
        "locations": [
            {"physicalLocation": {"artifactLocation": artifact, "region": _region(place)}}
        ],
    }
    edits = problem.edits()
    if edits:
        replacements = [
            {"deletedRegion": _region(edit), "insertedContent": {"text": edit["text"]}}
            for edit in edits
        ]
        change: Json = {"artifactLocation": artifact, "replacements": replacements}
        label = {"text": problem.fix_label}
        result["fixes"] = [{"description": label, "artifactChanges": [change]}]
    return result


def _region(place: Mapping[str, object]) -> Json:
    return {
        "startLine": place["line"],
        "startColumn": place["column"],
        "endLine": place["end_line"],
        "endColumn": place["end_column"],
    }


def _artifact(path: Path, base: Path) -> Json:
    whole = base / path
    if str(path) == "-":
        return {"uri": "stdin"}
    if whole.is_relative_to(base) and ".." not in whole.parts:
        uri = quote(os.fsencode(whole.relative_to(base).as_posix()))
        return {"uri": uri, "uriBaseId": "%SRCROOT%"}
    return {"uri": whole.resolve().as_uri()}


def _command(problem: Problem, base: Path) -> str:
    place = problem.to_json()
    whole = base / problem.path
    inside = whole.is_relative_to(base)
    properties = {
        "file": (whole.relative_to(base) if inside else whole).as_posix(),
        "line": place["line"],
        "endLine": place["end_line"],
        "col": place["column"],
        "endColumn": place["end_column"],
        "title": problem.code,
    }
    shown = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    message = visible(f"{problem.message} {problem.help}".strip())
    return f"::{_GITHUB_LEVELS[problem.level]} {shown}::{_data(message)}"


def _data(text: str) -> str:
    # A file name need not be UTF-8; what cannot be written is shown as a question mark.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
