"""Shapes that we send, as the servers spell them.

Numbers carry their unit in the vendor's own name (`start` and `end` are epoch milliseconds).
Answers are not described here: `decode.py` reads them member by member and keeps what it does not
know.
Source: LogScale Query API 1.1.0; GraphQL schema of server 1.204.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict


class WireAround(TypedDict):
    """The event that a page of a filter query lies around; times in epoch milliseconds."""

    eventId: str
    timestamp: int
    numberOfEventsBefore: int
    numberOfEventsAfter: int


class WireDoneCriteria(TypedDict):
    """When a query job may stop early."""

    fractionOfDataScanned: NotRequired[float]
    minimumMatchedEvents: NotRequired[int]
    minimumResultRows: NotRequired[int]


class WireNextRun(TypedDict):
    """The span of the next planned run of a query, in epoch milliseconds."""

    start: int
    end: int


class WireQueryJobInput(TypedDict):
    """Body of a query job or a streaming search; absent members are left out, never null."""

    queryString: str
    start: NotRequired[int | str]
    end: NotRequired[int | str]
    isLive: NotRequired[bool]
    useIngestTime: NotRequired[bool]
    ingestStart: NotRequired[int | str]
    ingestEnd: NotRequired[int | str]
    timeZone: NotRequired[str]
    timeZoneOffsetMinutes: NotRequired[int]
    arguments: NotRequired[Mapping[str, str]]
    around: NotRequired[WireAround]
    autobucketCount: NotRequired[int]
    wantsAutoBucketing: NotRequired[bool]
    allowEventSkipping: NotRequired[bool]
    noResultUntilDone: NotRequired[bool]
    showQueryEventDistribution: NotRequired[bool]
    computeFieldStats: NotRequired[bool]
    doneCriteria: NotRequired[WireDoneCriteria]
    languageVersion: NotRequired[str]
    isInteractive: NotRequired[bool]
    isAlertQuery: NotRequired[bool]
    includeDeletedEvents: NotRequired[bool]
    isRepeatingSubquery: NotRequired[bool]
    dashboardFilter: NotRequired[str]
    dashboardFilterVersion: NotRequired[str]
    nextRunInterval: NotRequired[WireNextRun]
    extraLogFields: NotRequired[Mapping[str, str]]


class WireStructuredEvent(TypedDict):
    """One event of structured ingest; `timestamp` is ISO 8601 or epoch milliseconds."""

    timestamp: str | int
    attributes: NotRequired[Mapping[str, object]]
    rawstring: NotRequired[str]
    timezone: NotRequired[str]


class WireStructuredBatch(TypedDict):
    """Events that share their tags."""

    tags: Mapping[str, str]
    events: Sequence[WireStructuredEvent]


class WireMessages(TypedDict):
    """Text lines for a parser to read."""

    messages: Sequence[str]
    type: NotRequired[str]
    fields: NotRequired[Mapping[str, str]]
    tags: NotRequired[Mapping[str, str]]


class WireHecEvent(TypedDict):
    """One event of HEC ingest; `time` is epoch seconds, with a fraction."""

    event: str | Mapping[str, object]
    time: NotRequired[float]
    timezone: NotRequired[str]
    sourcetype: NotRequired[str]
    source: NotRequired[str]
    host: NotRequired[str]
    index: NotRequired[str]
    fields: NotRequired[Mapping[str, object]]


class WireGraphqlRequest(TypedDict):
    """Body of a GraphQL call."""

    query: str
    operationName: NotRequired[str]
    variables: Mapping[str, object]
