"""The queries that the engine is measured by, each beside the same thing written by hand in Polars.

The hand-written form is what someone fluent writes for the one question: a lazy scan with a schema
of the columns that it needs, streamed. It takes the file for what the generator made it: it checks
no line, knows no nested value and no number but those that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from benchmarks.falcon_events import START_MS
from orchestrator.engine.sources.lookups import Lookup

ROOT = Path(__file__).parents[1]
Row = tuple[str | None, ...]
KIND = pl.col("event_simpleName")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One question: in CQL, and by hand."""

    name: str
    query: str
    columns: tuple[str, ...]
    """Columns of the result that are compared."""
    by_hand: Callable[[str], pl.DataFrame]
    """Answers it over an NDJSON file, in `columns`."""
    limit: float = 1.5
    """The engine may take this many times as long."""
    is_ordered: bool = False
    lookups: Mapping[str, Callable[[], Lookup]] = field(default_factory=dict)
    functions: tuple[str, ...] = ()
    """Functions without which the shape is left out."""


def scan(path: str, *names: str) -> pl.LazyFrame:
    """Return a lazy scan of some keys, as text."""
    return pl.scan_ndjson(path, schema=dict.fromkeys(names, pl.String()))


def _lacks(name: str, regex: str) -> pl.Expr:
    return ~pl.col(name).str.contains(regex).fill_null(value=False)


def _t1528(path: str) -> pl.DataFrame:
    kind, address, target = KIND, pl.col("RemoteAddressIP4"), pl.col("TargetFileName")
    metadata = (
        (kind == "NetworkConnectIP4")
        & (address == "169.254.169.254")
        & _lacks(
            "ImageFileName",
            r"(?i)(?:waagent|WindowsAzureGuestAgent|WaAppAgent|MonAgentCore|HealthService"
            r"|MMAExtensionHeartbeatService|AzureAttestService|azd|AzureCLI)\.exe",
        )
    )
    kubernetes = (
        (kind != "NetworkConnectIP4")
        & target.str.contains(r"/run/secrets/kubernetes\.io|/var/run/secrets/tokens")
        & _lacks("ImageFileName", "(?i)kubelet|pause|containerd-shim|runc|cri-o|dockerd")
    )
    cache = (
        (kind != "NetworkConnectIP4")
        & target.str.contains(
            r"(?i)msal_token_cache\.(?:json|bin)"
            r"|(?:accessTokens|application_default_credentials|azureProfile)\.json"
            r"|\.git-credentials|TokenCache\.dat|(?:\.config/gcloud|\.azure)/.+\.json"
        )
        & _lacks(
            "ImageFileName",
            r"(?i)(?:gcloud|aws|az|gh|git|terraform|kubectl)(?:\.exe)?$|Code\.exe$|^code$",
        )
    )
    vector = (
        pl.when(metadata)
        .then(pl.lit("IMDS Token Request"))
        .when(kubernetes)
        .then(pl.lit("Kubernetes Service Account Token"))
        .when(cache)
        .then(pl.lit("OAuth Token Cache Access"))
    )
    platform = (
        pl.when(vector_is("IMDS Token Request"))
        .then(pl.lit("Cloud IMDS"))
        .when(vector_is("Kubernetes Service Account Token"))
        .then(pl.lit("Kubernetes"))
        .when(target.str.contains(r"(?i)msal|\.azure"))
        .then(pl.lit("Azure"))
        .when(target.str.contains(r"(?i)application_default|\.config/gcloud"))
        .then(pl.lit("GCP"))
        .when(target.str.contains(r"\.git-credentials"))
        .then(pl.lit("GitHub/Git"))
        .otherwise(pl.lit("Multi-Cloud"))
    )
    keys = ["ComputerName", "UserName", "ImageFileName", "TargetFileName", "RemoteAddressIP4"]
    score = pl.when(vector_is("OAuth Token Cache Access")).then(pl.lit("2")).otherwise(pl.lit("3"))
    return (
        scan(path, "event_simpleName", "timestamp", "CommandLine", *keys)
        .filter(kind.is_in(["NetworkConnectIP4", "FileOpenInfo", "SuspiciousFileOpenInfo"]))
        .with_columns(vector.alias("vector"))
        .filter(pl.col("vector").is_not_null())
        .with_columns(platform.alias("tokenPlatform"))
        .with_columns(pl.col(name).replace("", None).fill_null("-") for name in keys)
        .group_by([*keys, "vector", "tokenPlatform"])
        .agg(
            pl.len().alias("eventCount"),
            pl.col("timestamp").cast(pl.Int64).max().alias("lastSeen"),
            pl.col("timestamp").cast(pl.Int64).min().alias("firstSeen"),
        )
        .with_columns(score.alias("suspicionScore"))
        .sort("lastSeen", descending=True)
        .head(20_000)
        .collect(engine="streaming")
    )


def vector_is(text: str) -> pl.Expr:
    """Return whether the row was put down to this way of stealing a token."""
    return pl.col("vector") == text


def _count_by_field(path: str) -> pl.DataFrame:
    return (
        scan(path, "ComputerName")
        .filter(pl.col("ComputerName").is_not_null())
        .group_by("ComputerName")
        .agg(pl.len().alias("_count"))
        .collect(engine="streaming")
    )


def _top(path: str) -> pl.DataFrame:
    return (
        scan(path, "event_simpleName", "DomainName")
        .filter(KIND == "DnsRequest", pl.col("DomainName").is_not_null())
        .group_by("DomainName")
        .agg(pl.len().alias("_count"))
        .sort("_count", descending=True)
        .head(20)
        .select("_count")
        .collect(engine="streaming")
    )


def _extract(path: str) -> pl.DataFrame:
    return (
        scan(path, "CommandLine")
        .with_columns(pl.col("CommandLine").str.extract(r"([^\\/ ]+) -+([a-zA-Z]+)", 1).alias("x"))
        .filter(pl.col("x").is_not_null())
        .group_by("x")
        .agg(pl.len().alias("_count"))
        .collect(engine="streaming")
    )


def _ladder(path: str) -> pl.DataFrame:
    image = pl.col("ImageFileName")
    kind = (
        pl.when(image.str.contains("(?i)powershell|pwsh|cmd\\.exe$"))
        .then(pl.lit("shell"))
        .when(image.str.contains("(?i)chrome|msedge|firefox"))
        .then(pl.lit("browser"))
        .when(image.str.contains("^/usr/s?bin/"))
        .then(pl.lit("system"))
        .when(image.str.ends_with(".exe"))
        .then(pl.lit("windows"))
        .otherwise(pl.lit("other"))
    )
    return (
        scan(path, "event_simpleName", "ImageFileName")
        .filter(KIND == "ProcessRollup2")
        .group_by(kind.alias("program"))
        .agg(pl.len().alias("_count"))
        .collect(engine="streaming")
    )


def _time_chart(path: str) -> pl.DataFrame:
    bucket = pl.col("timestamp").cast(pl.Int64) // 300_000 * 300_000
    frame = (
        scan(path, "event_simpleName", "timestamp")
        .group_by(bucket.alias("_bucket"), KIND.alias("#event_simpleName"))
        .agg(pl.len().alias("_count"))
        .collect(engine="streaming")
    )
    totals = frame.group_by("#event_simpleName").agg(pl.col("_count").sum().alias("total"))
    largest = totals.sort("total", descending=True).head(10)
    return frame.join(largest, on="#event_simpleName", how="semi")


def _join(path: str) -> pl.DataFrame:
    events = scan(
        path, "event_simpleName", "aid", "TargetProcessId", "ContextProcessId",
        "ParentBaseFileName", "RemotePort",
    )  # fmt: skip
    started = (
        events.filter(KIND == "ProcessRollup2")
        .select("aid", pl.col("TargetProcessId").alias("ContextProcessId"), "ParentBaseFileName")
        .unique(["aid", "ContextProcessId"])
    )
    return (
        events.filter(KIND == "NetworkConnectIP4", pl.col("RemotePort") == "8443")
        .drop("ParentBaseFileName")
        .join(started, on=["aid", "ContextProcessId"])
        .group_by("ParentBaseFileName")
        .agg(pl.len().alias("_count"))
        .collect(engine="streaming")
    )


def _self_join(path: str) -> pl.DataFrame:
    wanted = scan(
        path, "event_simpleName", "aid", "RemoteAddressIP4", "RemotePort", "DomainName"
    ).filter(KIND.is_in(["NetworkConnectIP4", "DnsRequest"]))
    keys = ["aid"]
    is_token_source = pl.col("RemoteAddressIP4") == "169.254.169.254"
    touched = wanted.filter(is_token_source & (pl.col("RemotePort") == "8443")).select(keys)
    domain = pl.col("DomainName")
    asked = wanted.filter(domain.str.starts_with("w1") & domain.str.ends_with(".example.org"))
    touched, asked = touched.unique(), asked.select(keys).unique()
    return (
        wanted.join(touched, on=keys, how="semi")
        .join(asked, on=keys, how="semi")
        .group_by("aid")
        .agg(pl.len().alias("_count"))
        .collect(engine="streaming")
    )


LOOKUP_ROWS = 100_000


def _lookup_frame() -> pl.DataFrame:
    number = pl.int_range(LOOKUP_ROWS, dtype=pl.Int64)
    return pl.select(
        pl.concat_str(
            pl.lit("198."), (number // 25_000 + 49).cast(pl.String), pl.lit("."),
            (number % 25_000 // 250).cast(pl.String), pl.lit("."),
            (number % 250).cast(pl.String),
        ).alias("address"),
        pl.concat_str(pl.lit("owner-"), (number % 40).cast(pl.String)).alias("owner"),
    )  # fmt: skip


def _lookup() -> Lookup:
    return Lookup(frame=_lookup_frame())


def _match(path: str) -> pl.DataFrame:
    table = _lookup_frame().lazy()
    return (
        scan(path, "RemoteAddressIP4")
        .filter(pl.col("RemoteAddressIP4").is_not_null())
        .join(table, left_on="RemoteAddressIP4", right_on="address")
        .group_by("owner")
        .agg(pl.len().alias("_count"))
        .collect(engine="streaming")
    )


def _session(path: str) -> pl.DataFrame:
    time = pl.col("timestamp").cast(pl.Int64)
    frame = (
        scan(path, "event_simpleName", "timestamp", "aid")
        .filter(KIND == "UserLogon")
        .select("aid", time.alias("time"))
        .collect(engine="streaming")
        .sort("aid", "time")
    )
    starts = (pl.col("time").diff() > 600_000).fill_null(value=True).over("aid")
    return (
        frame.with_columns(starts.cum_sum().over("aid").alias("number"))
        .group_by("aid", "number")
        .agg(pl.len().alias("n"))
        .select("aid", "n")
    )


def _percentile(path: str) -> pl.DataFrame:
    number = pl.col("Duration").cast(pl.Float64, strict=False)
    return (
        scan(path, "event_simpleName", "Duration")
        .filter(KIND.is_not_null())
        .group_by(KIND.alias("#event_simpleName"))
        .agg(
            number.quantile(part / 100, interpolation="nearest").alias(f"_{part}")
            for part in (50, 90, 99)
        )
        .collect(engine="streaming")
    )


SHAPES: Sequence[Shape] = (
    Shape(
        name="t1528",
        query=(ROOT / "queries" / "t1528_published_corrected" / "query.cql").read_text("utf-8"),
        columns=(
            "ComputerName",
            "UserName",
            "ImageFileName",
            "TargetFileName",
            "RemoteAddressIP4",
            "vector",
            "tokenPlatform",
            "eventCount",
            "lastSeen",
            "firstSeen",
            "suspicionScore",
        ),
        by_hand=_t1528,
        limit=1.25,
    ),
    Shape(
        name="count_by_field",
        query="groupBy(ComputerName)",
        columns=("ComputerName", "_count"),
        by_hand=_count_by_field,
    ),
    Shape(
        name="top",
        query='#event_simpleName="DnsRequest" | top(DomainName, limit=20)',
        # Values of equal count may stand in any order.
        columns=("_count",),
        by_hand=_top,
        is_ordered=True,
    ),
    Shape(
        name="regex_extract",
        query=r'regex("(?<x>[^\\\\/ ]+) -+[a-zA-Z]+", field=CommandLine) | groupBy(x)',
        columns=("x", "_count"),
        by_hand=_extract,
    ),
    Shape(
        name="case_ladder",
        query=r"""#event_simpleName="ProcessRollup2"
| case {
    ImageFileName=/powershell|pwsh|cmd\.exe$/i | program := "shell" ;
    ImageFileName=/chrome|msedge|firefox/i | program := "browser" ;
    ImageFileName=/^\/usr\/s?bin\// | program := "system" ;
    ImageFileName="*.exe" | program := "windows" ;
    * | program := "other"
  }
| groupBy(program)""",
        columns=("program", "_count"),
        by_hand=_ladder,
    ),
    Shape(
        name="time_chart",
        query="timeChart(#event_simpleName, span=5m)",
        columns=("_bucket", "#event_simpleName", "_count"),
        by_hand=_time_chart,
    ),
    Shape(
        name="join_by_process",
        query="""#event_simpleName="NetworkConnectIP4" RemotePort="8443"
| join(query={#event_simpleName="ProcessRollup2"}, field=[aid, ContextProcessId],
    key=[aid, TargetProcessId], include=[ParentBaseFileName], limit=200000)
| groupBy(ParentBaseFileName)""",
        columns=("ParentBaseFileName", "_count"),
        by_hand=_join,
    ),
    Shape(
        name="self_join_filter",
        query="""in(field="#event_simpleName", values=["NetworkConnectIP4", "DnsRequest"])
| selfJoinFilter([aid], where=[
    {RemoteAddressIP4="169.254.169.254" RemotePort="8443"}, {DomainName="w1*.example.org"}])
| groupBy(aid)""",
        columns=("aid", "_count"),
        by_hand=_self_join,
    ),
    Shape(
        name="match_lookup",
        query="match(file=addresses.csv, field=RemoteAddressIP4, column=address) | groupBy(owner)",
        columns=("owner", "_count"),
        by_hand=_match,
        lookups={"addresses.csv": _lookup},
    ),
    Shape(
        name="session",
        query='#event_simpleName="UserLogon" '
        "| groupBy(aid, function=session(function=count(as=n), maxpause=10m))",
        columns=("aid", "n"),
        by_hand=_session,
        functions=("session",),
    ),
    Shape(
        name="percentile",
        query="groupBy(#event_simpleName, function=percentile(Duration, percentiles=[50, 90, 99]))",
        columns=("#event_simpleName", "_50", "_90", "_99"),
        by_hand=_percentile,
    ),
)
WINDOW = (START_MS, START_MS + 10**11)
