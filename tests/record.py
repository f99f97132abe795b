"""Records cassettes from a real LogScale: `make record URL=… TOKEN_FILE=… REPOSITORY=…`.

It reads, and it makes and deletes assets under the name `orchestrator-recording`; it sends no
event. What comes out is scrubbed, and stands in build/cassettes for a person to read before it
replaces what is in cassettes/.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.client import (
    AggregateAlert,
    EmailContent,
    FilterAlert,
    HttpTransport,
    LogScale,
    Origin,
    SavedQuery,
    ScheduledSearch,
    TimestampType,
    Transport,
)
from orchestrator.client.cassettes.recording import RecordingTransport, Scrubber, dump_cassette
from orchestrator.client.cassettes.replay import Cassette
from orchestrator.clock import Clock, SystemClock
from orchestrator.errors import OrchestratorError, QueryRejected
from orchestrator.secret import SecretText

NAME = "orchestrator-recording"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a scene plays on."""

    scale: LogScale
    repository: str
    end: datetime

    async def search(self, query: str) -> None:
        await self.scale.search(
            self.repository, query, start=self.end - HOUR, end=self.end, deadline=MINUTE
        )


Scene = Callable[[Stage], Awaitable[None]]


async def status(stage: Stage) -> None:
    await stage.scale.status()


async def aggregate(stage: Stage) -> None:
    await stage.search("count()")


async def filter_query(stage: Stage) -> None:
    await stage.search("* | tail(2)")


async def refused(stage: Stage) -> None:
    try:
        await stage.search("x = | count(")
    except QueryRejected:
        return


async def saved_queries(stage: Stage) -> None:
    assets = stage.scale.assets(stage.repository)
    made = await assets.create(SavedQuery(name=NAME, query="*"))
    changed = await assets.update(replace(made, query="a=b"), expected=made)
    await assets.delete(changed)


async def scheduled_searches(stage: Stage) -> None:
    action = await stage.scale.actions(stage.repository).create(
        NAME, EmailContent(recipients=["user@example.com"])
    )
    assets = stage.scale.assets(stage.repository)
    made = await assets.create(
        ScheduledSearch(
            name=NAME,
            query="count()",
            enabled=False,
            schedule="0 0 1 1 *",
            search_interval=HOUR,
            timestamp_type=TimestampType.EVENT,
            actions=(NAME,),
        )
    )
    await assets.delete(made)
    await stage.scale.actions(stage.repository).delete(action)


async def alerts(stage: Stage) -> None:
    action = await stage.scale.actions(stage.repository).create(
        NAME, EmailContent(recipients=["user@example.com"])
    )
    assets = stage.scale.assets(stage.repository)
    for alert in (
        FilterAlert(name=NAME, query="a=b", enabled=False, throttle=HOUR, actions=(NAME,)),
        AggregateAlert(
            name=NAME,
            query="count()",
            enabled=False,
            search_interval=HOUR,
            throttle=HOUR,
            actions=(NAME,),
        ),
    ):
        await assets.delete(await assets.create(alert))
    await stage.scale.actions(stage.repository).delete(action)


async def files(stage: Stage) -> None:
    found = stage.scale.files(stage.repository)
    await found.upload(f"{NAME}.csv", b"k,v\n1,2\n")
    await found.download(f"{NAME}.csv")
    await found.delete(f"{NAME}.csv")


SCENES: dict[str, Scene] = {
    "status/ok": status,
    "query_jobs/aggregate": aggregate,
    "query_jobs/filter": filter_query,
    "query_jobs/refused": refused,
    "graphql/saved_queries": saved_queries,
    "graphql/scheduled_searches": scheduled_searches,
    "graphql/alerts": alerts,
    "files/life": files,
}


async def record(
    url: str,
    token: SecretText,
    repository: str,
    *,
    out: Path,
    clock: Clock,
    connect: Callable[[], Transport],
) -> dict[str, str]:
    """Play every scene and write its cassette; return what went wrong, by scene."""
    failed: dict[str, str] = {}
    end = clock.now().replace(minute=0, second=0, microsecond=0)
    for name, scene in SCENES.items():
        recorder = RecordingTransport(connect())
        async with LogScale(url, token=token, clock=clock, transport=recorder) as scale:
            try:
                version = (await scale.status()).version
                recorder.exchanges.clear()
                await scene(Stage(scale=scale, repository=repository, end=end))
            except OrchestratorError as exc:
                failed[name] = str(exc)
                continue
        # One scrubber a cassette: its placeholders begin anew.
        scrubber = Scrubber(base_url=url, secrets=(token,))
        cassette = Cassette(
            origin=Origin.RECORDED,
            source=f"LogScale {version}, {end:%B %Y}; host, ids and names replaced.",
            exchanges=tuple(scrubber.exchange(exchange) for exchange in recorder.exchanges),
        )
        path = out / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dump_cassette(cassette), encoding="utf-8")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--repository", required=True)
    parser.add_argument("--out", type=Path, default=Path("build/cassettes"))
    options = parser.parse_args()
    token = SecretText(options.token_file.read_text(encoding="utf-8").strip())
    failed = asyncio.run(
        record(
            options.url,
            token,
            options.repository,
            out=options.out,
            clock=SystemClock(),
            connect=lambda: HttpTransport(options.url),
        )
    )
    for name, problem in failed.items():
        sys.stderr.write(f"{name}: {problem}\n")
    sys.stderr.write(
        f"{len(SCENES) - len(failed)} cassettes in {options.out}: read them before they are kept\n"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
