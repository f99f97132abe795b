"""Small GraphQL objects that many others hold: language, organization, user, author."""

from __future__ import annotations

from typing import Any

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
    }


def author_node(name: str) -> Node:
    """Return who made or changed an asset."""
    return {"__typename": "UserCommitAuthor", "displayString": name, "user": user_node(name)}
