"""A Jira Cloud site with one project: issues, comments, search, and what REST v3 demands of them.

Source: developer.atlassian.com, cloud/jira/platform/rest/v3 and apis/document/structure.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.sandbox.receivers.faults import Receiver

_API = "/rest/api/3"
_BLOCKS = frozenset({"paragraph", "heading", "codeBlock", "bulletList", "orderedList"})
_MARKS = frozenset({"strong", "link", "code"})
_TEXT_LIMIT = 32_767
_JQL = re.compile(r'project = "([A-Z]+)" AND labels = "([\w-]+)" ORDER BY created ASC')


class JiraReceiver(Receiver):
    """Plays the REST API.

    Attributes:
        store: Issues by key: their `fields`, and `comments` in order.
        hidden: Keys that the search does not see yet, as while the index lags.
    """

    def __init__(self, *, email: str, token: str, project: str, required: tuple[str, ...]) -> None:
        self.store: dict[str, dict[str, Any]] = {}
        self.hidden: set[str] = set()
        self._project, self._required = project, required
        self._basic = "Basic " + base64.b64encode(f"{email}:{token}".encode()).decode()
        super().__init__(
            [
                ("GET", f"{_API}/myself", self._myself),
                ("GET", f"{_API}/project/{{key}}", self._get_project),
                ("POST", f"{_API}/issue", self._create),
                ("POST", f"{_API}/issue/{{key}}/comment", self._comment),
                ("GET", f"{_API}/issue/{{key}}/comment", self._comments),
                ("POST", f"{_API}/search/jql", self._search),
            ]
        )

    async def _myself(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse({"displayName": "Sandbox Bot"})

    async def _get_project(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if request.path_params["key"] != self._project:
            return _errors(404, "No project could be found with that key.")
        return JSONResponse({"key": self._project})

    async def _create(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        fields = json.loads(await request.body()).get("fields", {})
        wrong = dict(self._field_problems(fields))
        if wrong:
            return JSONResponse({"errorMessages": [], "errors": wrong}, 400)
        labels = set(fields.get("labels", []))
        ours = {label for label in labels if label.startswith("orchestrator-")}
        if not ours:
            self.violate("an issue without the label by which it is found again")
        for key, issue in self.store.items():
            if ours & set(issue["fields"]["labels"]):
                self.violate(f"a second issue for the finding of {key}")
        key = f"{self._project}-{len(self.store) + 1}"
        self.store[key] = {"fields": fields, "comments": []}
        return JSONResponse({"id": str(10_000 + len(self.store)), "key": key}, 201)

    async def _comment(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        issue = self.store.get(request.path_params["key"])
        if issue is None:
            return _errors(404, "Issue does not exist or you do not have permission to see it.")
        body = json.loads(await request.body()).get("body")
        problems = list(document_problems(body))
        if problems:
            return JSONResponse({"errorMessages": [], "errors": {"comment": problems[0]}}, 400)
        if body in issue["comments"]:
            self.violate("the same comment twice")
        issue["comments"].append(body)
        return JSONResponse({"id": str(len(issue["comments"]))}, 201)

    async def _comments(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        issue = self.store.get(request.path_params["key"])
        if issue is None:
            return _errors(404, "Issue does not exist or you do not have permission to see it.")
        return JSONResponse({"comments": [{"body": body} for body in reversed(issue["comments"])]})

    async def _search(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        jql = json.loads(await request.body()).get("jql", "")
        match = _JQL.fullmatch(jql)
        if match is None:
            self.violate(f"an unexpected JQL: {jql!r}")
            return _errors(400, "Error in the JQL Query.")
        found = [
            {"key": key}
            for key, issue in self.store.items()
            if match[2] in issue["fields"]["labels"] and key not in self.hidden
        ]
        return JSONResponse({"issues": found, "isLast": True})

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == self._basic:
            return None
        return _errors(401, "Client must be authenticated to access this resource.")

    def _field_problems(self, fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if fields.get("project") != {"key": self._project}:
            yield "project", "valid project is required"
        if not fields.get("issuetype"):
            yield "issuetype", "Specify an issue type"
        summary = fields.get("summary", "")
        if not summary or len(summary) > 255 or "\n" in summary:
            yield "summary", "Summary must be one line of 1 to 255 characters."
        if any(" " in label for label in fields.get("labels", [])):
            yield "labels", "The label contains spaces which is invalid."
        for name in self._required:
            if name not in fields:
                yield name, f"{name} is required."
        problems = list(document_problems(fields.get("description")))
        if problems:
            yield "description", problems[0]


def jira_app(
    *,
    email: str = "bot@example.com",
    token: str = "sandbox-token",  # noqa: S107 -- the stand-in's own token, no secret
    project: str = "SEC",
    required: tuple[str, ...] = (),
) -> JiraReceiver:
    """Return a site with one project; `required` names fields that it demands besides its own."""
    return JiraReceiver(email=email, token=token, project=project, required=required)


def document_problems(document: Any) -> Iterator[str]:
    """Yield what makes Jira refuse a document in Atlassian Document Format."""
    if not isinstance(document, dict) or document.get("type") != "doc":
        yield "Operation value must be an Atlassian Document"
        return
    if document.get("version") != 1 or not document.get("content"):
        yield "a document has version 1 and content"
    if len(json.dumps(document, ensure_ascii=False)) > _TEXT_LIMIT:
        yield "the entered text is too long. It exceeds the allowed limit of 32,767 characters."
    for block in document.get("content", []):
        if block.get("type") not in _BLOCKS:
            yield f"{block.get('type')} is no block node"
        yield from _node_problems(block)


def _node_problems(node: dict[str, Any]) -> Iterator[str]:
    kind = node.get("type")
    if kind == "text":
        value = node.get("text", "")
        if not value:
            yield "a text node must not be empty"
        if any(not char.isprintable() for char in value):
            yield "an invisible character in a text node"
        for mark in node.get("marks", []):
            if mark["type"] not in _MARKS:
                yield f"{mark['type']} is no mark that we know"
            href = mark.get("attrs", {}).get("href", "https://")
            if not href.startswith("https://"):
                yield "a link that is not https"
    elif kind in ("bulletList", "orderedList"):
        if any(item.get("type") != "listItem" for item in node["content"]):
            yield "a list holds list items"
    elif kind == "codeBlock" and any("marks" in item for item in node["content"]):
        yield "a code block holds plain text"
    for item in node.get("content", []):
        yield from _node_problems(item)


def _errors(status: int, message: str) -> Response:
    return JSONResponse({"errorMessages": [message], "errors": {}}, status)
