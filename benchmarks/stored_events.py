"""Events as the sandbox stores them, made in memory, and a token-access query over them."""

from __future__ import annotations

import polars as pl

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
