"""The packaged schema, as a server of a given version has it.

The text is that of server 1.204, and what older ones had beside it. A sandbox lacks what came after
the server that it plays, so that a document for newer servers is refused as there, and what was
gone by then.
Source: library.humio.com, release notes; schemas of 1.154, 1.174, 1.180 and 1.204 compared.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache, partial
from typing import Any

from graphql import (
    REMOVE,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    GraphQLError,
    GraphQLScalarType,
    GraphQLSchema,
    InputValueDefinitionNode,
    Node,
    TypeDefinitionNode,
    TypeExtensionNode,
    ValueNode,
    Visitor,
    build_ast_schema,
    parse,
    value_from_ast_untyped,
    visit,
)

from orchestrator.sandbox.graphql.sdl import schema_text
from orchestrator.sandbox.packages.manifest import NAME, VERSION

_MAX_LONG = 2**63 - 1
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_NAMED = (
    TypeDefinitionNode,
    TypeExtensionNode,
    FieldDefinitionNode,
    InputValueDefinitionNode,
    EnumValueDefinitionNode,
)
Version = tuple[int, int, int]

# The first server that has a type, a member or an argument. Of the first and the last step only the
# two ends are known: not yet in 1.154, there in 1.174; not yet in 1.180, there in 1.204.
_SINCE: tuple[tuple[Version, tuple[str, ...]], ...] = (
    (
        (1, 174, 0),
        (
            "ModifiedInfo*",
            "FilterAlert.modifiedInfo",
            "AggregateAlert.modifiedInfo",
            "ScheduledSearch.modifiedInfo",
        ),
    ),
    (
        (1, 180, 0),
        (
            "*ScheduledSearchV2",
            "*ScheduledSearch.queryTimestampType",
            "*ScheduledSearch.searchInterval*Seconds",
            "*ScheduledSearch.maxWaitTimeSeconds",
            "*ScheduledSearch.backfillLimitV2",
            "SavedQuery.yamlTemplate",
        ),
    ),
    (
        (1, 204, 0),
        (
            "*pdateScheduledSearchV3",
            "*.triggerOnEmptyResult",
            "*.createdInfo",
            "Mutation.addFilterAlertLabel",
            "Mutation.removeFilterAlertLabel",
            "Mutation.addAggregateAlertLabel",
            "Mutation.removeAggregateAlertLabel",
            "*Action.labels",
            "*Action.modifiedInfo",
            "SavedQuery.modifiedInfo",
            "File.labels",
            "Mutation.newFile.labels",
            "Mutation.updateFile.labels",
            "SavedQuery.labels",
            "*SavedQueryInput.labels",
            "*SavedQueryInput.description",
            "*reateSavedQueryFromTemplate*",
            "AnalyzeQueryArguments.timeInterval",
            "AnalyzeQueryInfo.analysisResult",
            "QueryAnalysisResult",
        ),
    ),
    (
        # All of it came later, in versions that are not known, and is in the sandbox's own.
        (1, 204, 0),
        (
            "*AlertV2",
            "Mutation.*Labels",
            "Add*Labels",
            "Remove*Labels",
            "*ableScheduledSearchV2",
            "*eleteScheduledSearchV2",
            "EnableScheduledSearch",
            "DisableScheduledSearch",
            "*erunScheduledSearch",
            "*ancelScheduledSearchRerun",
            "*.throttleFields",
        ),
    ),
)

# The first server that has it no more. Of both steps only the two ends are known: there in a schema
# between 1.129 and 1.180 and not in that of 1.180, there in 1.180 and not in 1.204.
_UNTIL: tuple[tuple[Version, tuple[str, ...]], ...] = (
    (
        (1, 180, 0),
        (
            "Mutation.createParser",
            "Mutation.updateParser",
            "Mutation.removeParser",
            "CreateParserInput",
            "UpdateParserInput",
            "RemoveParserInput",
            "CreateParserMutation",
            "UpdateParserMutation",
            "RemoveParserMutation",
        ),
    ),
    (
        (1, 204, 0),
        (
            "Parser.sourceCode",
            "Parser.tagFields",
            "Parser.testData",
            "Alert.assetType",
            "SavedQuery.assetType",
            "ScheduledSearch.lastScheduledSearch",
            "ViewAction.ChangeTriggersAndActions",
        ),
    ),
)


@cache
def load_schema(version: str) -> GraphQLSchema:
    """Return the schema of a server of this version, its scalars checked; built once.

    Raises:
        ValueError: The version does not begin with numbers.
    """
    match = _VERSION.match(version)
    if match is None:
        raise ValueError(f"{version!r} is not a version such as 1.204.0")
    numbers = (int(match[1]), int(match[2]), int(match[3] or 0))
    schema = build_ast_schema(visit(parse(schema_text()), _Missing(numbers)))
    _check_scalar(schema, "Long", _whole)
    _check_scalar(schema, "RepoOrViewName", _text)
    _check_scalar(schema, "VersionedPackageSpecifier", partial(_package, versioned=True))
    _check_scalar(schema, "UnversionedPackageSpecifier", partial(_package, versioned=False))
    return schema


class _Missing(Visitor):
    """Takes out of a document what servers of a version do not have."""

    def __init__(self, version: Version) -> None:
        super().__init__()
        self._patterns = [
            *(p for since, patterns in _SINCE if version < since for p in patterns),
            *(p for until, patterns in _UNTIL if version >= until for p in patterns),
        ]

    def enter(
        self, node: Node, _key: object, _parent: object, _path: object, ancestors: list[Any]
    ) -> Any:
        """Remove a type, a member, a value or an argument that is not there."""
        if not isinstance(node, _NAMED):
            return None
        names = [above.name.value for above in ancestors if isinstance(above, _NAMED)]
        path = ".".join([*names, node.name.value])
        is_missing = any(fnmatchcase(path, pattern) for pattern in self._patterns)
        return REMOVE if is_missing else None


def _check_scalar(schema: GraphQLSchema, name: str, check: Any) -> None:
    scalar = schema.type_map[name]
    assert isinstance(scalar, GraphQLScalarType)  # noqa: S101 -- the schema text declares it so

    def literal(node: ValueNode, variables: dict[str, Any] | None = None) -> Any:
        return check(value_from_ast_untyped(node, variables))

    # Before and since version 3.3 of the library.
    for way in ("parse_value", "coerce_input_value"):
        setattr(scalar, way, check)
    scalar.parse_literal = literal  # type: ignore[method-assign]  # the library's own way to set it


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MAX_LONG:
        raise GraphQLError(f"Long cannot represent {value!r}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise GraphQLError(f"a name cannot be {value!r}")
    return value


def _package(value: object, *, versioned: bool) -> str:
    text = _text(value)
    name, at, version = text.partition("@")
    if not NAME.match(name) or (VERSION.match(version) is None if versioned else at):
        form = "scope/name@1.2.3" if versioned else "scope/name"
        raise GraphQLError(f"a package is named as {form}, not {text!r}")
    return text
