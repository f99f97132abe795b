"""What a query job may be asked besides its query and its span; all of it optional.

Source: LogScale Query API 1.1.0, QueryJobInput.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.client.wire import WireDoneCriteria, WireNextRun, WireQueryJobInput
from orchestrator.units import to_epoch_ms

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneCriteria:
    """When a job may stop early; its result is then incomplete, and says so."""

    scanned_fraction: float | None = None
    """Of the data, above 0 and at most 1."""
    matched_events: int | None = None
    result_rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """The members of a query job that are left out unless they are set."""

    ingest_start: datetime | None = None
    """Bounds on the ingest time, in addition to the span; inclusive."""
    ingest_end: datetime | None = None
    """Exclusive."""
    time_zone: str | None = None
    """IANA name; where days of buckets begin. UTC unless said."""
    time_zone_offset: timedelta | None = None
    """Whole minutes, positive east of UTC; in place of `time_zone`."""
    bucket_count: int | None = None
    """Wanted number of buckets, where the query gives no span."""
    wants_automatic_buckets: bool = False
    allows_skipping: bool = False
    """Let `head()` and `tail()` stop early; counts then cover only what was read."""
    no_rows_until_done: bool = False
    wants_distribution: bool = False
    """Ask for `QueryResult.distribution`."""
    wants_field_stats: bool = False
    """Ask for `QueryResult.field_stats`."""
    done: DoneCriteria | None = None
    language: str | None = None
    """The CQL dialect's name, such as `legacy`."""
    is_interactive: bool = False
    is_alert_query: bool = False
    includes_deleted_events: bool = False
    is_repeating_subquery: bool = False
    dashboard_filter: str | None = None
    """CQL that is put in front of the query."""
    dashboard_filter_version: str | None = None
    next_run: tuple[datetime, datetime] | None = None
    """The span of the next planned run, as a hint."""
    log_fields: Mapping[str, str] = field(default_factory=dict)
    """Labels for the server's own log of queries."""

    def write(self, body: WireQueryJobInput) -> None:
        """Add to a job's body what is set."""
        if self.ingest_start is not None:
            body["ingestStart"] = to_epoch_ms(self.ingest_start)
        if self.ingest_end is not None:
            body["ingestEnd"] = to_epoch_ms(self.ingest_end)
        if self.time_zone is not None:
            body["timeZone"] = self.time_zone
        if self.time_zone_offset is not None:
            body["timeZoneOffsetMinutes"] = self.time_zone_offset // _MINUTE
        if self.bucket_count is not None:
            body["autobucketCount"] = self.bucket_count
        if self.done is not None:
            body["doneCriteria"] = _criteria(self.done)
        if self.language is not None:
            body["languageVersion"] = self.language
        if self.dashboard_filter is not None:
            body["dashboardFilter"] = self.dashboard_filter
        if self.dashboard_filter_version is not None:
            body["dashboardFilterVersion"] = self.dashboard_filter_version
        if self.next_run is not None:
            start, end = self.next_run
            body["nextRunInterval"] = WireNextRun(start=to_epoch_ms(start), end=to_epoch_ms(end))
        if self.log_fields:
            body["extraLogFields"] = dict(self.log_fields)
        self._write_flags(body)

    def _write_flags(self, body: WireQueryJobInput) -> None:
        if self.wants_automatic_buckets:
            body["wantsAutoBucketing"] = True
        if self.allows_skipping:
            body["allowEventSkipping"] = True
        if self.no_rows_until_done:
            body["noResultUntilDone"] = True
        if self.wants_distribution:
            body["showQueryEventDistribution"] = True
        if self.wants_field_stats:
            body["computeFieldStats"] = True
        if self.is_interactive:
            body["isInteractive"] = True
        if self.is_alert_query:
            body["isAlertQuery"] = True
        if self.includes_deleted_events:
            body["includeDeletedEvents"] = True
        if self.is_repeating_subquery:
            body["isRepeatingSubquery"] = True


PLAIN = SearchOptions()


def _criteria(done: DoneCriteria) -> WireDoneCriteria:
    body = WireDoneCriteria()
    if done.scanned_fraction is not None:
        body["fractionOfDataScanned"] = done.scanned_fraction
    if done.matched_events is not None:
        body["minimumMatchedEvents"] = done.matched_events
    if done.result_rows is not None:
        body["minimumResultRows"] = done.result_rows
    return body
