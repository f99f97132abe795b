"""The direction of imports: read from every module, deferred and typing-only ones included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "orchestrator"

# Low to high. Units in one row must not know each other, except along ALLOWED.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "clock", "units", "ids", "secret", "killpoints"),
    ("cql", "model"),
    ("engine", "client", "store", "cron"),
    ("rules", "schedule", "triage", "route", "deploy", "inventory"),
    ("pipeline", "config", "casework", "terminal"),
    ("remote", "sandbox", "logs", "lsp"),
    ("app", "checkup"),
    ("demo",),
    ("cli",),
    ("__init__", "__main__"),
)
ALLOWED = {("ids", "errors"), ("units", "errors")}
# The client is a library of its own: whoever takes the folder needs only the floor.
CLIENT_MAY_USE = set(LAYERS[0])
# One file (or folder) knows each third-party library.
OWNERS = {
    "httpx": {"client/http/carrier.py", "route/sinks/http.py"},
    "httpcore": {"client/http/connections.py", "client/http/network.py"},
    "slack_sdk": {"route/sinks/slack.py"},
    "sqlalchemy": {"store/"},
    "alembic": {"store/"},
    "polars": {"engine/", "sandbox/"},
    "click": {"cli/"},
    "rich": {"terminal.py", "demo/"},
    "apscheduler": {"app.py"},
    "tenacity": {"client/http/retry.py"},
    "cronsim": {"cron.py"},
    "yaml": {
        "rules/yaml.py",
        "sandbox/assets/yaml_forms.py",
        "client/cassettes/replay.py",
        "client/cassettes/recording.py",
        "client/gateway/saved_queries.py",
        "sandbox/gateway/templates.py",
    },
    "pygls": {"lsp/"},
    "lsprotocol": {"lsp/"},
    "maxminddb": {"engine/sources/geoip.py"},
}
PURE = {"cql", "model"}
FORBIDDEN_IN_PURE = {"os", "socket", "subprocess", "logging", "time", "asyncio", "urllib"}


def rank_of(unit: str) -> int:
    return next(i for i, row in enumerate(LAYERS) if unit in row)


def unit_of(path: Path) -> str:
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


def is_module(name: str) -> bool:
    place = ROOT.joinpath(*name.split("."))
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if is_module(inner) else node.module or ""


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_module_imports_only_downwards(path: Path) -> None:
    unit = unit_of(path)
    if unit in {"__init__", "__main__"}:
        return
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "orchestrator" or len(parts) < 2:
            continue
        target = parts[1]
        if target in {unit, "__version__"}:
            continue
        below = rank_of(target) < rank_of(unit)
        assert below or (unit, target) in ALLOWED, f"{unit} must not import {target}"
        if unit == "client":
            assert target in CLIENT_MAY_USE, f"client must not import {target}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_third_party_library_stays_in_its_file(path: Path) -> None:
    where = str(path.relative_to(PACKAGE))
    for name in imports_of(path):
        owners = OWNERS.get(name.split(".")[0])
        if owners is not None:
            assert any(where == o or where.startswith(o) for o in owners if o), (
                f"{where} must not import {name}"
            )
        if unit_of(path) in PURE:
            assert name.split(".")[0] not in FORBIDDEN_IN_PURE, f"{where} must stay pure: {name}"


def test_sandbox_shares_no_code_with_the_client() -> None:
    edges = {
        (str(path.relative_to(PACKAGE)), name)
        for path in (PACKAGE / "sandbox").rglob("*.py")
        for name in imports_of(path)
        if name.startswith("orchestrator.client")
    }

    assert edges == set()


def test_no_import_cycle_between_modules() -> None:
    graph = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): {
            name for name in imports_of(path) if name.startswith("orchestrator.")
        }
        for path in MODULES
    }
    done: set[str] = set()
    for start, edges in graph.items():
        stack = [(start, iter(sorted(edges & graph.keys())))]
        on_path = [start]
        while stack:
            node, targets = stack[-1]
            nxt = next((t for t in targets if t not in done), None)
            if nxt is None:
                done.add(node)
                stack.pop()
                on_path.pop()
                continue
            assert nxt not in on_path, f"cycle: {' -> '.join([*on_path, nxt])}"
            on_path.append(nxt)
            stack.append((nxt, iter(sorted(graph[nxt] & graph.keys()))))
