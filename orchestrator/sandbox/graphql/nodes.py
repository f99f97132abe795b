"""Small GraphQL objects that many others hold: language, organization, user, author, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.sandbox.answers import InputRefused

Node = dict[str, Any]

ORGANIZATION: Node = {"id": "sandbox", "name": "sandbox", "cid": None}


def language_node(name: str) -> Node:
    """Return a version of the query language, one of the schema's own."""
    return {"name": name, "futureName": None, "version": {"name": name}, "isKnown": True}


LEGACY = language_node("legacy")


def user_node(name: str) -> Node:
    """Return the user behind a token, who is none of the directory's."""
    profile = dict.fromkeys(
        (
            "fullName",
            "firstName",
            "lastName",
            "phoneNumber",
            "email",
            "picture",
            "countryCode",
            "stateCode",
            "company",
        )
    )
    return {
        **profile,
        "id": name,
        "username": name,
        "displayName": name,
        "isRoot": True,
        "isOrgRoot": True,
        "createdAt": "1970-01-01T00:00:00Z",
        "groups": [],
        "permissions": [],
    }


def author_node(name: str) -> Node:
    """Return who made or changed an asset."""
    return {"__typename": "UserCommitAuthor", "displayString": name, "user": user_node(name)}


def page_node(nodes: Sequence[Node], page: Mapping[str, Any]) -> Node:
    """Return one page of nodes, as `pageNumber` and `pageSize` ask; the first has the number 1.

    Raises:
        InputRefused: One of the two is below 1.
    """
    number, size = page["pageNumber"], page["pageSize"]
    if number < 1 or size < 1:
        raise InputRefused("pageNumber and pageSize must be at least 1")
    return {
        "page": nodes[(number - 1) * size : number * size],
        "pageInfo": {
            "number": number,
            "totalNumberOfRows": len(nodes),
            "total": -(-len(nodes) // size),
        },
    }
