"""The engine over event files against the same questions written by hand, on one generated file.

Run `python benchmarks/bench_engine.py [--events N] [--runs N] [--only NAME…]`. Every run is a
process of its own, contestants taking turns, so that caches and a busy machine are the same for
all; a file is read from the page cache. Prints one JSON object. `ratio` is the engine's best time
over the hand-written one's, `cpu_ratio` the same of processor time, which a busy machine disturbs
least. `--only memory` answers two queries over a gzip file of `--memory-events` and reports the
most memory each took.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import duckdb  # noqa: E402
import polars as pl  # noqa: E402

from benchmarks.engine_shapes import SHAPES, WINDOW, Row, Shape  # noqa: E402
from benchmarks.falcon_events import ensure_file  # noqa: E402
from orchestrator.engine.compile import compile_query  # noqa: E402
from orchestrator.engine.condition import compile_condition  # noqa: E402
from orchestrator.engine.context import Context  # noqa: E402
from orchestrator.engine.events import event_from_json  # noqa: E402
from orchestrator.engine.scan.run import scan_query  # noqa: E402
from orchestrator.engine.support import support_of  # noqa: E402

FOLDER = ROOT / "build" / "bench"
MEMORY_QUERIES = ("t1528", "count_by_field")


def engine(shape: Shape, path: str) -> list[Row]:
    """Answer with the engine."""
    context = Context(
        start_ms=WINDOW[0],
        end_ms=WINDOW[1],
        now_ms=WINDOW[1],
        lookups={name: make() for name, make in shape.lookups.items()},
    )
    rows = scan_query(shape.query, [path], context=context).result.rows
    return [tuple(row.get(name) for name in shape.columns) for row in rows]


def by_hand(shape: Shape, path: str) -> list[Row]:
    """Answer with the hand-written form."""
    frame = shape.by_hand(path).select(shape.columns)
    texts = frame.with_columns(pl.selectors.float().cast(pl.Int64)).cast(pl.String)
    return texts.rows()


def duck(shape: Shape, path: str) -> list[Row]:
    """Answer the T1528 query's first half, or the count, with DuckDB."""
    columns = {
        "event_simpleName": "VARCHAR", "timestamp": "VARCHAR", "ComputerName": "VARCHAR",
        "UserName": "VARCHAR", "ImageFileName": "VARCHAR", "TargetFileName": "VARCHAR",
        "RemoteAddressIP4": "VARCHAR",
    }  # fmt: skip
    if shape.name == "count_by_field":
        columns = {"ComputerName": "VARCHAR"}
    source = f"read_json('{path}', format='newline_delimited', columns={columns})"
    sql = _DUCK_SQL[shape.name].format(source=source)
    rows = duckdb.connect().execute(sql).fetchall()
    return [tuple(None if cell is None else str(cell) for cell in row) for row in rows]


# ruff: noqa: E501 - a regex is one word
_DUCK_SQL = {
    "count_by_field": "select ComputerName, count(*) from {source} "
    "where ComputerName is not null group by 1",
    "t1528": r"""
with hits as (
  select *, case
    when event_simpleName = 'NetworkConnectIP4' and RemoteAddressIP4 = '169.254.169.254'
      and not coalesce(regexp_matches(ImageFileName, '(waagent|WindowsAzureGuestAgent|WaAppAgent|MonAgentCore|HealthService|MMAExtensionHeartbeatService|AzureAttestService|azd|AzureCLI)\.exe', 'i'), false)
      then 'IMDS Token Request'
    when event_simpleName <> 'NetworkConnectIP4'
      and regexp_matches(TargetFileName, '/run/secrets/kubernetes\.io|/var/run/secrets/tokens')
      and not coalesce(regexp_matches(ImageFileName, 'kubelet|pause|containerd-shim|runc|cri-o|dockerd', 'i'), false)
      then 'Kubernetes Service Account Token'
    when event_simpleName <> 'NetworkConnectIP4'
      and regexp_matches(TargetFileName, 'msal_token_cache\.(json|bin)|(accessTokens|application_default_credentials|azureProfile)\.json|\.git-credentials|TokenCache\.dat|(\.config/gcloud|\.azure)/.+\.json', 'i')
      and not coalesce(regexp_matches(ImageFileName, '(gcloud|aws|az|gh|git|terraform|kubectl)(\.exe)?$|Code\.exe$|^code$', 'i'), false)
      then 'OAuth Token Cache Access'
  end as vector
  from {source}
  where event_simpleName in ('NetworkConnectIP4', 'FileOpenInfo', 'SuspiciousFileOpenInfo')
)
select coalesce(nullif(ComputerName, ''), '-'), coalesce(nullif(UserName, ''), '-'),
  coalesce(nullif(ImageFileName, ''), '-'), coalesce(nullif(TargetFileName, ''), '-'),
  coalesce(nullif(RemoteAddressIP4, ''), '-'), vector,
  case when vector like 'IMDS%' then 'Cloud IMDS' when vector like 'Kube%' then 'Kubernetes'
    when regexp_matches(TargetFileName, 'msal|\.azure', 'i') then 'Azure'
    when regexp_matches(TargetFileName, 'application_default|\.config/gcloud', 'i') then 'GCP'
    when regexp_matches(TargetFileName, '\.git-credentials') then 'GitHub/Git'
    else 'Multi-Cloud' end as platform,
  count(*), max(cast(timestamp as bigint)) as lastSeen, min(cast(timestamp as bigint)),
  case when vector like 'OAuth%' then 2 else 3 end
from hits where vector is not null group by all order by lastSeen desc limit 20000""",
}


def python_loop(shape: Shape, path: str) -> list[Row]:
    """Read every line with the standard library; count where that is the question."""
    found: Counter[str] = Counter()
    with Path(path).open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if shape.name == "count_by_field" and "ComputerName" in record:
                found[record["ComputerName"]] += 1
    return [(name, str(count)) for name, count in found.items()]


CONTESTANTS: dict[str, Callable[[Shape, str], list[Row]]] = {
    "engine": engine,
    "by_hand": by_hand,
    "duckdb": duck,
    "python": python_loop,
}


def child(shape: Shape, contestant: str, path: str) -> None:
    """Answer once and print how it went."""
    cpu, start = time.process_time(), time.perf_counter()
    rows = CONTESTANTS[contestant](shape, path)
    wall_ms = (time.perf_counter() - start) * 1000
    cpu_ms = (time.process_time() - cpu) * 1000
    ordered = rows if shape.is_ordered else sorted(rows, key=str)
    print(
        json.dumps(
            {
                "wall_ms": round(wall_ms, 1),
                "cpu_ms": round(cpu_ms, 1),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "rows": ordered,
            }
        )
    )


def spawn(shape: Shape, contestant: str, path: Path) -> dict[str, object]:
    """Answer in a process of its own."""
    command = [sys.executable, __file__, "--child", shape.name, contestant, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{shape.name}, {contestant}: {done.stderr[-2000:]}")
    found: dict[str, object] = json.loads(done.stdout)
    return found


def measure(shape: Shape, path: Path, runs: int) -> dict[str, object]:
    """Let the contestants take turns and compare them."""
    missing = [name for name in shape.functions if not support_of(name).supported]
    if missing:
        return {"left_out": f"the engine does not run {', '.join(missing)}() yet"}
    contestants = ["engine", "by_hand"]
    found: dict[str, list[dict[str, object]]] = {name: [] for name in contestants}
    for _ in range(runs):
        for name in contestants:
            found[name].append(spawn(shape, name, path))
    if shape.name in _DUCK_SQL:
        found["duckdb"] = [spawn(shape, "duckdb", path)]
        found["python"] = [spawn(shape, "python", path)]
    times = {name: _summary(results) for name, results in found.items()}
    rows = {name: results[0]["rows"] for name, results in found.items()}
    ratio = times["engine"]["wall_ms"] / times["by_hand"]["wall_ms"]
    return {
        "ratio": round(ratio, 2),
        "cpu_ratio": round(times["engine"]["cpu_ms"] / times["by_hand"]["cpu_ms"], 2),
        "limit": shape.limit,
        "same_rows": rows["engine"] == rows["by_hand"],
        "duckdb_same_rows": rows["engine"] == rows["duckdb"] if "duckdb" in rows else None,
        "rows": len(rows["engine"]) if isinstance(rows["engine"], list) else 0,
        **times,
    }


def _summary(results: Iterable[dict[str, object]]) -> dict[str, float]:
    found = [{k: float(str(v)) for k, v in one.items() if k != "rows"} for one in results]
    return {
        "wall_ms": min(one["wall_ms"] for one in found),
        "median_ms": round(statistics.median(one["wall_ms"] for one in found), 1),
        "cpu_ms": min(one["cpu_ms"] for one in found),
        "peak_mb": max(one["peak_mb"] for one in found),
    }


def small_things() -> dict[str, object]:
    """Measure what must be fast because it happens often: compiling, one condition, one event."""
    ladder = "\n".join(f'    a{n}="x{n}" b=/y{n}/i | kind := "k{n}" ;' for n in range(95))
    text = f"case {{\n{ladder}\n    * }}\n| groupBy(kind)\n| sort(_count)\n"
    condition = compile_condition('host.role="k8s-node" vector="IMDS*" score>=3')
    row = {"host.role": "k8s-node", "vector": "IMDS Token Request", "score": "4"}
    line = json.dumps({f"field{n}": f"value {n}" for n in range(25)})
    return {
        "compile_100_lines_ms": _best_ms(lambda: compile_query(text)),
        "condition_1_row_ms": _best_ms(lambda: condition.holds(row)),
        "condition_100_rows_ms": _best_ms(lambda: [condition.holds(row) for _ in range(100)]),
        "event_from_json_ms": _best_ms(lambda: event_from_json(line)),
    }


def _best_ms(run: Callable[[], object]) -> float:
    run()
    times = []
    for _ in range(7):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1000)
    return round(min(times), 4)


def memory(count: int) -> dict[str, object]:
    """Answer two queries over a gzip file too large for memory and report the peaks."""
    path = ensure_file(FOLDER, count, suffix=".ndjson.gz")
    shapes = [shape for shape in SHAPES if shape.name in MEMORY_QUERIES]
    found: dict[str, object] = {"events": count, "packed_mb": path.stat().st_size // 10**6}
    for shape in shapes:
        result = spawn(shape, "engine", path)
        rows = result.pop("rows")
        found[shape.name] = {**result, "rows": len(rows) if isinstance(rows, list) else 0}
    return found


def main() -> None:
    """Measure what is asked for and print one JSON object."""
    names = [shape.name for shape in SHAPES]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--memory-events", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=[*names, "small", "memory"])
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, contestant, path = given.child
        child(next(shape for shape in SHAPES if shape.name == name), contestant, path)
        return
    wanted = given.only or [*names, "small"]
    report: dict[str, object] = {
        "benchmark": "engine",
        "polars": pl.__version__,
        "duckdb": duckdb.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    shapes = [shape for shape in SHAPES if shape.name in wanted]
    if shapes:
        path = ensure_file(FOLDER, given.events)
        report["file"] = {"events": given.events, "mb": path.stat().st_size // 10**6}
        report["shapes"] = {s.name: measure(s, path, given.runs) for s in shapes}
    if "small" in wanted:
        report["small"] = small_things()
    if "memory" in wanted:
        report["memory"] = memory(given.memory_events)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
