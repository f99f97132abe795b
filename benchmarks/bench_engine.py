"""A token-access query over a million events in memory: through the engine, and written by hand.

Run `python benchmarks/engine_t1528.py [events]`. Prints one JSON object; times are the best of
three, in milliseconds, after one run to warm up. The hand-written form is what the compiler is
measured against: same filters, same regexes, same grouping, same result.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable

import polars as pl

from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, run_query

QUERY = r"""
in(field="#event_simpleName", values=["NetworkConnectIP4", "FileOpenInfo"])
| case {
    #event_simpleName="NetworkConnectIP4" RemoteAddressIP4="169.254.169.254"
    | ImageFileName!=/(waagent|MonAgentCore|HealthService)\.exe/i
    | vector := "metadata" ;
    #event_simpleName="FileOpenInfo" TargetFileName=/\/run\/secrets\/kubernetes\.io/
    | ImageFileName!=/kubelet|runc|containerd-shim/i
    | vector := "kubernetes" ;
    #event_simpleName="FileOpenInfo" TargetFileName=/msal_token_cache\.(json|bin)|\.git-credent/i
    | ImageFileName!=/(az|gh|git)(\.exe)?$/i
    | vector := "cache"
  }
| default(value="-", field=[ImageFileName, TargetFileName, RemoteAddressIP4], replaceEmpty=true)
| groupBy([ComputerName, ImageFileName, TargetFileName, RemoteAddressIP4, vector],
    function=[count(as=n), max(@timestamp, as=last), collect([CommandLine], limit=5)], limit=max)
| sort(last, limit=20000)
"""
KEYS = ["ComputerName", "ImageFileName", "TargetFileName", "RemoteAddressIP4", "vector"]
START_MS = 1_773_100_800_000


def frame(count: int) -> pl.DataFrame:
    """Return Falcon-shaped events, one a millisecond; one network event in fifty is a hit."""
    number = pl.int_range(count, dtype=pl.Int64)

    def pick(every: int, rare: str, usual: str) -> pl.Expr:
        return pl.when(number // 5 % every == 0).then(pl.lit(rare)).otherwise(pl.lit(usual))

    kind = number % 5
    network, opened = kind == 1, kind == 3
    return pl.select(
        (number + START_MS).cast(pl.String).alias("@timestamp"),
        (number + START_MS).cast(pl.String).alias("@ingesttimestamp"),
        number.cast(pl.String).alias("@id"),
        pl.lit("{}").alias("@rawstring"),
        pl.when(network)
        .then(pl.lit("NetworkConnectIP4"))
        .when(opened)
        .then(pl.lit("FileOpenInfo"))
        .otherwise(pl.lit("ProcessRollup2"))
        .alias("#event_simpleName"),
        pl.concat_str(pl.lit("host-"), (number * 7 % 500).cast(pl.String)).alias("ComputerName"),
        pl.concat_str(pl.lit("/usr/bin/tool"), (number % 97).cast(pl.String)).alias(
            "ImageFileName"
        ),
        pl.when(network).then(pick(50, "169.254.169.254", "10.1.2.3")).alias("RemoteAddressIP4"),
        pl.when(opened)
        .then(pick(80, "/home/u/.git-credentials", "/var/lib/app/data/file.db"))
        .alias("TargetFileName"),
        pl.when(kind == 0)
        .then(pl.concat_str(pl.lit("tool --job "), number.cast(pl.String)))
        .alias("CommandLine"),
    )


def by_hand(events: pl.DataFrame) -> pl.DataFrame:
    """Return the query's rows as someone fluent in Polars would ask for them."""
    kind, image = pl.col("#event_simpleName"), pl.col("ImageFileName")
    target, address = pl.col("TargetFileName"), pl.col("RemoteAddressIP4")

    def by_other(regex: str) -> pl.Expr:
        return ~image.str.contains(regex).fill_null(value=False)

    vector = (
        pl.when(
            (kind == "NetworkConnectIP4")
            & (address == "169.254.169.254")
            & by_other(r"(?i)(?:waagent|MonAgentCore|HealthService)\.exe")
        )
        .then(pl.lit("metadata"))
        .when(
            (kind == "FileOpenInfo")
            & target.str.contains(r"/run/secrets/kubernetes\.io")
            & by_other("(?i)kubelet|runc|containerd-shim")
        )
        .then(pl.lit("kubernetes"))
        .when(
            (kind == "FileOpenInfo")
            & target.str.contains(r"(?i)msal_token_cache\.(?:json|bin)|\.git-credent")
            & by_other(r"(?i)(?:az|gh|git)(?:\.exe)?$")
        )
        .then(pl.lit("cache"))
    )
    return (
        events.lazy()
        .filter(kind.is_in(["NetworkConnectIP4", "FileOpenInfo"]))
        .with_columns(vector.alias("vector"))
        .filter(pl.col("vector").is_not_null())
        .with_columns(pl.col(name).replace("", None).fill_null("-") for name in KEYS[1:4])
        .group_by(KEYS, maintain_order=True)
        .agg(
            pl.len().alias("n"),
            pl.col("@timestamp").cast(pl.Int64).max().alias("last"),
            pl.col("CommandLine").drop_nulls().unique(maintain_order=True).head(5).str.join("\n"),
        )
        .sort("last", descending=True, maintain_order=True)
        .head(20_000)
        .collect()
    )


def best_ms(run: Callable[[], object]) -> float:
    """Return the best of three after a warm-up, in milliseconds."""
    run()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1000)
    return round(min(times), 1)


def main() -> None:
    """Measure both and print the result."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    made = frame(count)
    events = Events.from_frame(made)
    context = Context(start_ms=START_MS, end_ms=START_MS + count, now_ms=START_MS + count)
    rows = run_query(QUERY, events, context=context).rows
    expected = by_hand(made)
    same = [row["n"] for row in rows] == [str(n) for n in expected.get_column("n").to_list()]
    print(
        json.dumps(
            {
                "benchmark": "engine_t1528",
                "events": count,
                "rows": len(rows),
                "same_rows": same,
                "engine_ms": best_ms(lambda: run_query(QUERY, events, context=context)),
                "by_hand_ms": best_ms(lambda: by_hand(made)),
                "polars": pl.__version__,
                "python": platform.python_version(),
            }
        )
    )


if __name__ == "__main__":
    main()
