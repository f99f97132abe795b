"""A configured repository, looked at one thing after the other: what `doctor` tells of a server.

Each thing has a row of its own, since each is somebody else's to put right: the way to the server,
the clocks, the server's version, the repository, and what the token may do there. Nothing is
changed on the server; on NG-SIEM, which tells no rights, a search for a second is made and deleted.
"""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from orchestrator.client.falcon import Falcon
from orchestrator.client.graphql.versions import SCHEDULED_SEARCH_V2, parse_version
from orchestrator.client.logscale import LogScale
from orchestrator.client.types import View
from orchestrator.clock import Clock
from orchestrator.config import RepoSettings
from orchestrator.errors import ClientError, OrchestratorError, UnknownRepository
from orchestrator.remote import Remote, connect

_SEARCH_DEADLINE = timedelta(seconds=30)
_SEARCH = "ReadEvents"
# What deploying changes, and the rights of which one is enough for it.
_DEPLOY = {
    "alerts and scheduled searches": ("ChangeTriggers", "CreateTriggers"),
    "saved queries": ("ChangeSavedQueries", "CreateSavedQueries"),
    "lookup files": ("ChangeFiles", "CreateFiles"),
}


class LookState(StrEnum):
    """How something was found."""

    OK = "ok"
    NOTE = "note"
    """It works, and somebody may want to know."""
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One thing that was looked at."""

    what: str
    state: LookState
    detail: str
    """What was found; where it is wrong, what to do."""
    code: str = ""
    """The error's, where it is wrong."""


def ok(what: str, detail: str) -> Look:
    """Return that something is as it should be."""
    return Look(what=what, state=LookState.OK, detail=detail)


def note(what: str, detail: str) -> Look:
    """Return that something works but not for everything."""
    return Look(what=what, state=LookState.NOTE, detail=detail)


def wrong(what: str, error: OrchestratorError) -> Look:
    """Return what is wrong, in the error's own words."""
    return Look(what=what, state=LookState.WRONG, detail=str(error), code=error.code)


async def look_at_repository(settings: RepoSettings, *, name: str, clock: Clock) -> list[Look]:
    """Return what is there to say of a repository and its server, in the order it was looked at.

    Where the server does not answer, that is all: the rest hangs on it.

    Args:
        settings: The repository's.
        name: Its name in the settings.
        clock: For pauses and deadlines, and to compare the server's with.
    """
    try:
        remote = connect(settings, name=name, clock=clock)
    except OrchestratorError as exc:
        return [wrong(f"repository {name}", exc)]
    async with remote:
        if isinstance(remote, Falcon):
            return [look async for look in _falcon(remote, settings, name, clock=clock)]
        return [look async for look in _logscale(remote, settings, name)]


async def _logscale(remote: LogScale, settings: RepoSettings, name: str) -> AsyncIterator[Look]:
    what = f"connection {name}"
    try:
        status = await remote.status()
    except ClientError as exc:
        yield wrong(what, exc)
        return
    yield ok(what, f"{remote.base_url} answers, state {status.status}")
    yield await _clocks(remote, name)
    yield _version(status.version, name)
    async for look in _domain(remote, settings.repository, name):
        yield look


async def _falcon(
    remote: Falcon, settings: RepoSettings, name: str, *, clock: Clock
) -> AsyncIterator[Look]:
    what = f"connection {name}"
    try:
        region = await remote.check()
    except ClientError as exc:
        yield wrong(what, exc)
        return
    yield ok(what, f"Falcon {region or 'gateway'} answers, API client accepted")
    yield await _clocks(remote, name)
    what = f"repository {name}"
    now = clock.now()
    try:
        await remote.search(
            settings.repository,
            "count()",
            start=now - timedelta(seconds=1),
            end=now,
            deadline=_SEARCH_DEADLINE,
        )
    except ClientError as exc:
        yield wrong(what, exc)
        return
    yield ok(what, f"{settings.repository} can be searched")


async def _clocks(remote: Remote, name: str) -> Look:
    what = f"clock {name}"
    try:
        reading = await remote.clocks()
        if reading is None:
            return note(what, "the server does not tell its time, so it cannot be compared")
        reading.check()
    except ClientError as exc:
        return wrong(what, exc)
    return ok(what, f"{abs(reading.ahead).total_seconds():.0f} s from the server's")


def _version(text: str, name: str) -> Look:
    what = f"version {name}"
    try:
        version = parse_version(text)
    except ClientError as exc:
        return wrong(what, exc)
    shown = ".".join(str(number) for number in version)
    if version < SCHEDULED_SEARCH_V2:
        least = ".".join(str(number) for number in SCHEDULED_SEARCH_V2)
        return note(
            what, f"LogScale {shown}: scheduled searches by ingest time need {least}; update it"
        )
    return ok(what, f"LogScale {shown}")


async def _domain(remote: LogScale, repository: str, name: str) -> AsyncIterator[Look]:
    """Yield what the repository or view is, and what the token may do there."""
    what = f"repository {name}"
    try:
        allowed = await remote.views().allowed_actions(repository)
    except UnknownRepository as exc:
        exc.advice = await _known_names(remote, repository) or exc.advice
        yield wrong(what, exc)
        return
    except ClientError as exc:
        yield wrong(what, exc)
        return
    yield await _kind(remote, repository, what)
    what = f"rights {name}"
    if _SEARCH not in allowed:
        yield Look(
            what=what,
            state=LookState.WRONG,
            detail=f"the token may not search {repository}. Grant its role ReadAccess there",
            code="forbidden",
        )
        return
    missing = [kind for kind, rights in _DEPLOY.items() if not allowed & set(rights)]
    if missing:
        yield note(
            what,
            f"may search, and not change {', '.join(missing)}: `deploy` needs a token that may",
        )
        return
    yield ok(what, "may search and deploy")


async def _kind(remote: LogScale, repository: str, what: str) -> Look:
    try:
        views = await remote.views().list()
    except ClientError as exc:
        return wrong(what, exc)
    found = next((view for view in views if view.name == repository), None)
    return ok(what, _described(found, repository))


def _described(view: View | None, name: str) -> str:
    if view is None:
        # An alias, such as that of one's own sandbox, is in no list.
        return f"{name} is known under another name"
    if view.is_repository:
        return f"{name} is a repository"
    behind = ", ".join(view.repositories) or "nothing"
    return f"{name} is a view over {behind}: searched like a repository, and takes no events"


async def _known_names(remote: LogScale, repository: str) -> str:
    """Return advice that holds the names there are; empty if they are not told."""
    try:
        names = [view.name for view in await remote.views().list()]
    except ClientError:
        return ""
    return _advice(repository, names)


def _advice(wanted: str, names: Iterable[str]) -> str:
    known = sorted(names)
    near = difflib.get_close_matches(wanted, known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"The token sees: {', '.join(known[:10]) or 'none'}"
