"""Where the commands are played: a sandbox for all tests, a bench with its own receivers for each.

Everything runs on loopback in the test's own event loop but the command, which is a process of its
own. The sandbox holds some of the rules' sample events, moved into the last three whole hours, so
that windows on the real clock are due:

    hour 0   PowerShell asks for a managed identity token    a finding
    hour 1   curl in a web pod reads the node's credentials  another
             a known cloud agent does its work               one that is suppressed
    hour 2   PowerShell does it again                        the first one, updated
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import shutil
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.app import TickReport, known_tables, open_app
from orchestrator.cli.main import main
from orchestrator.client.logscale import LogScale
from orchestrator.client.wire import WireStructuredBatch
from orchestrator.clock import FrozenClock, SystemClock
from orchestrator.config import load_config
from orchestrator.engine.events import event_from_json
from orchestrator.ids import RuleId
from orchestrator.rules.load import load_rules
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.faults.kinds import FaultPlan
from orchestrator.sandbox.receivers import (
    JiraReceiver,
    SlackReceiver,
    jira_app,
    serve_on_loopback,
    slack_app,
)
from orchestrator.sandbox.settings import SandboxSettings, TokenRole
from orchestrator.secret import SecretText
from orchestrator.store import Store, open_store

ROOT = Path(__file__).parents[2]
REPO = "falcon"
SPARE_REPOS = ("spare", "taken")
"""Empty; for what is deployed."""
RULE = "t1528_token_access"
RULE_ID = RuleId("6d0a3f0e-3c0b-4c8e-9d55-7f1a52c0e1b2")
CHANNEL = "C0E2E000001"
PERIOD = timedelta(hours=1)
WINDOWS = 3
"""Windows that hold the events; one more may become due while the tests run."""
_TOKENS = {"logscale": "e2e-logscale", "slack": "xoxb-e2e-slack", "jira": "e2e-jira"}
_PATIENCE_S = 30.0
"""A command that takes longer than this hangs."""


_MOMENTS: Sequence[tuple[float, tuple[str, ...]]] = (
    (0.2, ("1", "2")),
    (1.2, ("7", "8", "9")),
    (1.4, ("3", "4")),
    (2.2, ("1", "2")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def was_killed(self) -> bool:
        """Return whether SIGKILL ended it."""
        return self.code == -signal.SIGKILL


class Switchboard:
    """One server for the receivers of all tests: `/<number>/…` reaches the one plugged in there."""

    def __init__(self) -> None:
        self._apps: list[ASGIApp] = []

    def plug(self, app: ASGIApp) -> str:
        """Return the path below which `app` is reached from now on."""
        self._apps.append(app)
        return f"/{len(self._apps) - 1}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, as ASGI wants it."""
        _, number, rest = scope["path"].split("/", 2)
        await self._apps[int(number)]({**scope, "path": f"/{rest}"}, receive, send)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """The LogScale of all tests, and the server of their receivers."""

    url: str
    receivers_url: str
    switchboard: Switchboard
    faults: FaultPlan
    start: datetime
    """Beginning of hour 0."""
    tokens: dict[str, TokenRole] = field(default_factory=dict)
    """What its tokens may do; a test may add its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Settings, rules, state and receivers of one test."""

    folder: Path
    sandbox: Sandbox
    slack: SlackReceiver
    jira: JiraReceiver

    @property
    def config(self) -> Path:
        """Return the settings file."""
        return self.folder / "orchestrator.toml"

    @property
    def rule(self) -> Path:
        """Return the folder of the one rule."""
        return self.folder / "rules" / RULE

    @property
    def database(self) -> Path:
        """Return the state database."""
        return self.folder / "orchestrator.db"

    async def invoke(self, *arguments: str, answer: str = "") -> Done:
        """Run `orchestrator -c … arguments` in a thread: whole, and cheaper than a process.

        Args:
            arguments: As on the command line.
            answer: What is typed where the command asks.
        """
        return await asyncio.to_thread(
            _invoked, ["orchestrator", "-c", str(self.config), *arguments], answer
        )

    @asynccontextmanager
    async def started(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "orchestrator"),
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start the same as a process; whatever is left of it at the end is killed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *program,
            "-c",
            str(self.config),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "COLUMNS": "200",
                **(env or {}),
            },
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def run(self, *, kill_at: str) -> Done:
        """Run the due windows as a process that is killed at a point."""
        env = {"ORCHESTRATOR_KILL_AT": kill_at}
        async with self.started("run", "--repo", REPO, env=env) as process:
            return await ended(process)

    async def later(self, by: timedelta) -> TickReport:
        """Run what is due `by` from now, when every retry is."""
        config = load_config(self.config)
        rules = load_rules(config.rules.path, tables=known_tables())
        clock = FrozenClock(SystemClock().now() + by)
        async with open_app(config, repo=REPO, rules=rules, clock=clock) as app:
            return await app.tick()

    async def begin(self) -> None:
        """Let the rule begin at hour 0, so that three windows are due."""
        async with self.store() as store:
            await store.start_watermark(RULE_ID, self.sandbox.start)

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """Open the state database; no command may run meanwhile."""
        async with open_store(self.database, clock=SystemClock()) as store:
            yield store

    def edit(self, path: Path, old: str, new: str) -> None:
        """Replace `old`, which must be there, in a file of the bench."""
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


async def ended(process: asyncio.subprocess.Process, *, within_s: float = _PATIENCE_S) -> Done:
    """Wait for a process and return how it ended."""
    async with asyncio.timeout(within_s):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Done(code=process.returncode, out=out.decode(), err=err.decode())


def _invoked(arguments: list[str], answer: str) -> Done:
    out, err = io.StringIO(), io.StringIO()
    real_arguments, real_input = sys.argv, sys.stdin
    sys.argv, sys.stdin = arguments, io.StringIO(answer)
    code: object = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as exc:
        code = exc.code
    finally:
        sys.argv, sys.stdin = real_arguments, real_input
    assert code is None or isinstance(code, int)
    return Done(code=code or 0, out=out.getvalue(), err=err.getvalue())


@asynccontextmanager
async def open_sandbox() -> AsyncIterator[Sandbox]:
    """Serve a LogScale with the events in it."""
    app = create_app(
        SandboxSettings(
            tokens={_TOKENS["logscale"]: TokenRole(name="e2e")},
            repositories=(REPO, *SPARE_REPOS),
            poll_after_running_ms=5,
            trust_ingest_timestamp=True,
        ),
        clock=SystemClock(),
    )
    now = datetime.now(UTC)
    newest = datetime.fromtimestamp(now.timestamp() // PERIOD.seconds * PERIOD.seconds, UTC)
    start = newest - WINDOWS * PERIOD
    switchboard = Switchboard()
    async with serve_on_loopback(app) as url, serve_on_loopback(switchboard) as receivers_url:
        token = SecretText(_TOKENS["logscale"])
        async with LogScale(url, token=token, clock=SystemClock()) as client:
            await client.ingest().structured(sample_batches(start), repository=REPO)
            for lookup in sorted((ROOT / "queries" / RULE / "lookups").glob("*.csv")):
                await client.files(REPO).upload(lookup.name, lookup.read_bytes())
        yield Sandbox(
            url=url,
            receivers_url=receivers_url,
            switchboard=switchboard,
            faults=app.state.sandbox.faults,
            tokens=app.state.sandbox.tokens,
            start=start,
        )
    app.state.sandbox.close()


def connected(bench: Bench) -> LogScale:
    """Return a client of the sandbox, to be entered."""
    token = SecretText(_TOKENS["logscale"])
    return LogScale(bench.sandbox.url, token=token, clock=SystemClock())


def make_bench(folder: Path, sandbox: Sandbox) -> Bench:
    """Make settings, rules and inventory in `folder`, and a Slack and a Jira of its own."""
    slack = slack_app(token=_TOKENS["slack"], channels=(CHANNEL,))
    jira = jira_app(token=_TOKENS["jira"])
    bench = Bench(folder=folder, sandbox=sandbox, slack=slack, jira=jira)
    shutil.copytree(ROOT / "queries" / RULE, bench.rule)
    for name in ("_samples", "_inventory"):
        (folder / "rules" / name).symlink_to(ROOT / "queries" / name)
    inventory = shutil.copytree(ROOT / "queries" / "_inventory", folder / "inventory")
    bench.edit(bench.rule / "rule.yaml", "{every: 15m, delay: 2m,", "{every: 1h, delay: 0s,")
    # A return after an hour of silence is worth telling: a quarter of this.
    bench.edit(bench.rule / "rule.yaml", "reopen_after: 24h", "reopen_after: 4h")
    for name, token in _TOKENS.items():
        secret = folder / f"{name}.token"
        secret.touch(mode=0o600)
        secret.write_text(token, encoding="utf-8")
    urls = {
        "logscale": sandbox.url,
        "slack": sandbox.receivers_url + sandbox.switchboard.plug(slack),
        "jira": sandbox.receivers_url + sandbox.switchboard.plug(jira),
    }
    bench.config.write_text(_settings(folder, urls, inventory), encoding="utf-8")
    return bench


def sample_batches(
    start: datetime, *, moments: Sequence[tuple[float, tuple[str, ...]]] = _MOMENTS
) -> list[WireStructuredBatch]:
    """Return sample events by their ids, each group moved to so many periods behind `start`."""
    samples = {
        event["@id"]: event
        for line in (ROOT / "queries/_samples/t1528-events.ndjson").read_text("utf-8").splitlines()
        if isinstance(event := event_from_json(line), dict)
    }
    return [
        _batch(samples[name], at=start + moment * PERIOD, first=samples[names[0]])
        for moment, names in moments
        for name in names
    ]


def _batch(
    event: Mapping[str, str], *, at: datetime, first: Mapping[str, str]
) -> WireStructuredBatch:
    """Return `event` moved so that `first` happened at `at`."""
    offset = int(event["@timestamp"]) - int(first["@timestamp"])
    at_ms = int(at.timestamp() * 1000) + offset
    attributes = {
        key: value
        for key, value in event.items()
        if not key.startswith("#") and key not in ("@timestamp", "@rawstring", "@id")
    }
    attributes["@ingesttimestamp"] = str(at_ms + 4_000)
    return {
        "tags": {key[1:]: value for key, value in event.items() if key.startswith("#")},
        "events": [{"timestamp": at_ms, "attributes": attributes}],
    }


def _settings(folder: Path, urls: Mapping[str, str], inventory: Path) -> str:
    repos = "\n".join(
        f'[repos.{name}]\nurl = "{urls["logscale"]}"\nrepository = "{name}"\n'
        f'token = "file:{folder}/logscale.token"\ntimeout = "10s"\n'
        for name in (REPO, *SPARE_REPOS)
    )
    tables = "\n".join(
        f'{path.stem} = {{ path = "{path}" }}' for path in sorted(inventory.glob("*.csv"))
    )
    return f"""\
[rules]
path = "rules"

[schedule]
tick = "200ms"

{repos}
[inventory]
max_age = "36500d"                  # the samples are of a fixed day

[inventory.tables]
{tables}

[route]
default = ["on-call", "tickets"]

[receivers.on-call]
kind = "slack"
token = "file:{folder}/slack.token"
channel = "{CHANNEL}"
base_url = "{urls["slack"]}"
pace = "0s"

[receivers.tickets]
kind = "jira"
url = "{urls["jira"]}"
email = "bot@example.com"
token = "file:{folder}/jira.token"
project = "SEC"
pace = "0s"
index_lag = "0s"

[links]
logscale_url = "https://logscale.example.com"
"""


def rows(done: Done) -> list[dict[str, object]]:
    """Return what a listing printed as JSON."""
    found: list[dict[str, object]] = json.loads(done.out)
    return found


async def until(condition: Callable[[], bool], *, process: asyncio.subprocess.Process) -> None:
    """Wait for something that `process` brings about; it fails if that ends or takes too long."""
    end = asyncio.get_running_loop().time() + _PATIENCE_S
    while not condition():
        if process.returncode is not None or asyncio.get_running_loop().time() > end:
            if process.returncode is None:
                process.kill()
            raise AssertionError(f"it did not happen: {await ended(process)}")
        await asyncio.sleep(0.02)


CERTIFICATE = ROOT / "tests/data/tls/localhost.pem"
"""One that `localhost` signed itself, and its key."""


@asynccontextmanager
async def sandbox_process(
    bench: Bench, data: Path, *, is_tls: bool = False
) -> AsyncIterator[tuple[LogScale, asyncio.subprocess.Process]]:
    """Run `orchestrator sandbox` as a process of its own, with a client on it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["sandbox", "--port", str(port), "--data", str(data / "data"), "--token", "tok"]
    if is_tls:
        arguments += ["--tls-cert", str(CERTIFICATE)]

    def is_up() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    async with bench.started(*arguments) as process:
        await until(is_up, process=process)
        url = f"https://localhost:{port}" if is_tls else f"http://127.0.0.1:{port}"
        trust = ssl.create_default_context(cafile=str(CERTIFICATE)) if is_tls else None
        async with LogScale(url, token=SecretText("tok"), tls=trust, clock=SystemClock()) as client:
            yield client, process
