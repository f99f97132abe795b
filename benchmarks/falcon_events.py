"""Falcon-shaped events for the benchmarks: the same bytes from the same size, every time.

One event a 20 milliseconds of a fleet of 2,000 hosts. The mix of types is that of an ordinary fleet
in round numbers; about one event in 400 touches a token source, most of them expected readers.
Every value is a text, as Falcon Data Replicator writes them, and an event has only its own fields,
25 of them in a process event.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import polars as pl

START_MS = 1_773_100_800_000
STEP_MS = 20
HOSTS = 2_000
PROCESSES_PER_HOST = 400
_BATCH = 100_000
# Type and its share in thousandths; the order is the order of the shares' sums.
SHARES = (
    ("ProcessRollup2", 120),
    ("EndOfProcess", 130),
    ("NetworkConnectIP4", 160),
    ("NetworkReceiveAcceptIP4", 60),
    ("DnsRequest", 150),
    ("FileOpenInfo", 40),
    ("NewExecutableWritten", 30),
    ("AsepValueUpdate", 60),
    ("ImageHash", 150),
    ("UserLogon", 10),
    ("SensorHeartbeat", 40),
    ("PeFileWritten", 50),
)
_IMAGES = (
    "\\Device\\HarddiskVolume3\\Windows\\System32\\svchost.exe",
    "\\Device\\HarddiskVolume3\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
    "\\Device\\HarddiskVolume3\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
    "\\Device\\HarddiskVolume3\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe",
    "\\Device\\HarddiskVolume3\\WindowsAzure\\GuestAgent_2.7\\WaAppAgent.exe",
    "/usr/bin/python3.11",
    "/usr/bin/curl",
    "/usr/lib/systemd/systemd",
    "/usr/bin/containerd-shim-runc-v2",
    "/usr/local/bin/node",
    "/usr/sbin/sshd",
)
_ARGUMENTS = (
    "-k netsvcs -p -s Schedule",
    "--type=renderer --lang=en-US --device-scale-factor=1.5 --enable-features=Sandbox",
    '-NoProfile -ExecutionPolicy Bypass -File "C:\\Program Files\\App\\run.ps1"',
    "-m http.server 8080 --bind 127.0.0.1",
    "--config /etc/app/config.yaml --log-level info",
)
_FILES = (
    "\\Device\\HarddiskVolume3\\Users\\user\\Documents\\report.docx",
    "/var/lib/app/data/file.db",
    "/home/dev/project/src/main.py",
)
_TOKEN_FILES = (
    "/home/dev/.azure/msal_token_cache.json",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "/home/dev/.config/gcloud/application_default_credentials.json",
    "/home/dev/.git-credentials",
)
_DOMAINS = ("example.com", "update.example.net", "api.example.org", "cdn.example.io")


def _hashed(number: pl.Expr, salt: int) -> pl.Expr:
    """Return a well-mixed 26-bit number, the same on every machine and version."""
    mixed = (number * 2_654_435_761 + salt * 40_503) % 4_294_967_296
    mixed = (mixed // 65_536 + mixed * 69_069) % 4_294_967_296
    mixed = (mixed * 1_103_515_245 + 12_345) % 4_294_967_296
    # The low bits of such a product hardly vary.
    return mixed // 64


def _choice(number: pl.Expr, salt: int, texts: tuple[str, ...]) -> pl.Expr:
    index = _hashed(number, salt) % len(texts)
    return index.replace_strict(dict(enumerate(texts)), return_dtype=pl.String)


def _text(expr: pl.Expr) -> pl.Expr:
    return expr.cast(pl.String)


def events(first: int, count: int) -> pl.DataFrame:
    """Return `count` events from number `first` on, in FDR's names; null where a type lacks one."""
    n = pl.int_range(first, first + count, dtype=pl.Int64)
    frame = pl.select(n.alias("n")).with_columns(
        (_hashed(pl.col("n"), 1) % 1_000).alias("share"),
        (_hashed(pl.col("n"), 2) % HOSTS).alias("host"),
        (_hashed(pl.col("n"), 3) % PROCESSES_PER_HOST).alias("process"),
        (_hashed(pl.col("n"), 4) % 1_000).alias("luck"),
    )
    kind: pl.Expr = pl.lit(SHARES[-1][0])
    reached = sum(share for _, share in SHARES)
    for name, share in reversed(SHARES):
        kind = pl.when(pl.col("share") < reached).then(pl.lit(name)).otherwise(kind)
        reached -= share
    frame = frame.with_columns(kind.alias("kind"))
    kind, host, process = pl.col("kind"), pl.col("host"), pl.col("process")
    identity = host * PROCESSES_PER_HOST + process
    number = pl.col("n")
    stamp = number * STEP_MS + START_MS
    starts = kind == "ProcessRollup2"
    connects = kind.is_in(["NetworkConnectIP4", "NetworkReceiveAcceptIP4"])
    opens = kind.is_in(["FileOpenInfo", "NewExecutableWritten", "PeFileWritten"])
    hashes = kind.is_in(["ProcessRollup2", "ImageHash", "PeFileWritten"])
    image = _choice(identity, 5, _IMAGES)
    seconds = _text(stamp // 1_000) + "." + _text(stamp % 1_000).str.zfill(3)
    token = pl.col("luck") < 15
    return frame.select(
        kind.alias("event_simpleName"),
        _text(stamp).alias("timestamp"),
        (_text(_hashed(host, 6)).str.zfill(10) + "a1b2c3d4e5f6" + _text(host).str.zfill(10)).alias(
            "aid"
        ),
        pl.lit("0123456789abcdef0123456789abcdef").alias("cid"),
        pl.concat_str(pl.lit("host-"), _text(host)).alias("ComputerName"),
        (_text(_hashed(number, 7)) + "-" + _text(_hashed(number, 8)) + "-4c1f").alias("id"),
        pl.concat_str(kind, pl.lit("V7")).alias("name"),
        pl.when(host % 3 == 0).then(pl.lit("Lin")).otherwise(pl.lit("Win")).alias("event_platform"),
        ("203.0." + _text(host // 250) + "." + _text(host % 250)).alias("aip"),
        pl.lit("1007.3.0018601.11").alias("ConfigBuild"),
        _text(_hashed(host % 7, 9)).alias("ConfigStateHash"),
        pl.lit("72057594037927936").alias("EffectiveTransmissionClass"),
        pl.lit("1").alias("Entitlements"),
        seconds.alias("ContextTimeStamp"),
        pl.when(~starts).then(_text(identity + 1_000_000)).alias("ContextProcessId"),
        pl.when(starts | (kind == "EndOfProcess"))
        .then(_text(identity + 1_000_000))
        .alias("TargetProcessId"),
        pl.when(starts)
        .then(_text(_hashed(identity, 10) % 100_000 + 1_000_000))
        .alias("ParentProcessId"),
        pl.when(starts).then(seconds).alias("ProcessStartTime"),
        pl.when(starts)
        .then(_choice(identity, 11, _IMAGES).str.extract(r"([^\\/]+)$"))
        .alias("ParentBaseFileName"),
        pl.when(starts | connects | opens).then(image).alias("ImageFileName"),
        pl.when(starts)
        .then(
            pl.concat_str(
                image,
                pl.lit(" "),
                pl.when(pl.col("luck") < 3)
                .then(pl.lit("-s http://169.254.169.254/metadata/identity/oauth2/token"))
                .otherwise(_choice(number, 12, _ARGUMENTS)),
                pl.lit(" --job "),
                _text(number),
            )
        )
        .alias("CommandLine"),
        pl.when(starts | opens | (kind == "UserLogon"))
        .then(pl.concat_str(pl.lit("user"), _text(_hashed(identity, 13) % 500)))
        .alias("UserName"),
        pl.when(starts | (kind == "UserLogon"))
        .then(
            pl.concat_str(
                pl.lit("S-1-5-21-1004336348-1177238915-682003330-"),
                _text(_hashed(identity, 13) % 500 + 1_000),
            )
        )
        .alias("UserSid"),
        pl.when(hashes)
        .then(
            pl.concat_str(
                [_text(_hashed(identity, salt)).str.zfill(10) for salt in range(20, 26)]
                + [pl.lit("beef")]
            )
        )
        .alias("SHA256HashData"),
        pl.when(connects)
        .then(
            pl.when(token)
            .then(pl.lit("169.254.169.254"))
            .otherwise(
                pl.concat_str(
                    pl.lit("198.51."),
                    _text(_hashed(number, 14) % 100),
                    pl.lit("."),
                    _text(_hashed(number, 15) % 250),
                )
            )
        )
        .alias("RemoteAddressIP4"),
        pl.when(connects)
        .then(_text((_hashed(number, 16) % 4).replace_strict({0: 80, 1: 443, 2: 443, 3: 8443})))
        .alias("RemotePort"),
        pl.when(connects)
        .then("10.0." + _text(host // 250) + "." + _text(host % 250))
        .alias("LocalAddressIP4"),
        pl.when(connects).then(_text(_hashed(number, 17) % 16_384 + 49_152)).alias("LocalPort"),
        pl.when(kind == "DnsRequest")
        .then(
            pl.concat_str(
                pl.lit("w"),
                _text(_hashed(number, 18) % 5_000),
                pl.lit("."),
                _choice(number, 19, _DOMAINS),
            )
        )
        .alias("DomainName"),
        pl.when(opens)
        .then(
            pl.when(token)
            .then(_choice(number, 20, _TOKEN_FILES))
            .otherwise(_choice(number, 21, _FILES))
        )
        .alias("TargetFileName"),
        pl.when(kind == "AsepValueUpdate")
        .then(pl.lit("\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"))
        .alias("RegObjectName"),
        _text(_hashed(number, 22) % 100_000).alias("Duration"),
        pl.concat_str(
            pl.lit("AAAA"), *[_text(_hashed(number, salt)).str.zfill(10) for salt in range(30, 34)]
        ).alias("RawBlob"),
        pl.lit("v17,17209,51234,pool-eu-1,tenant-0042,production,site-amsterdam-2").alias("Tags"),
    )


def lines(first: int, count: int) -> str:
    """Return the events as NDJSON text, without spaces, ending in a newline."""
    frame = events(first, count)
    pieces = []
    for name in frame.columns:
        value = pl.col(name).str.replace_all("\\", "\\\\", literal=True)
        value = value.str.replace_all('"', '\\"', literal=True)
        pieces.append(pl.concat_str(pl.lit(f'"{name}":"'), value, pl.lit('",')))
    joined = pl.concat_str(pieces, ignore_nulls=True).str.strip_chars_end(",")
    made = frame.select(pl.concat_str(pl.lit("{"), joined, pl.lit("}\n")).str.join(""))
    return str(made.item())


def batches(count: int) -> Iterator[str]:
    """Return NDJSON text of `count` events in pieces."""
    for first in range(0, count, _BATCH):
        yield lines(first, min(_BATCH, count - first))


def ensure_file(folder: Path, count: int, *, suffix: str = ".ndjson") -> Path:
    """Return the file of `count` events, `.ndjson` or `.ndjson.gz`; made if it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events-{count}{suffix}"
    if path.exists():
        return path
    # Under another name until it is whole: an interrupted run leaves no half file behind.
    part = path.with_name(path.name + ".part")
    packed = suffix.endswith(".gz")
    with gzip.open(part, "wb", compresslevel=1) if packed else part.open("wb") as out:
        for text in batches(count):
            out.write(text.encode())
    part.rename(path)
    return path
