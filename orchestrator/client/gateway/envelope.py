"""The Falcon gateway's JSON envelope: `resources`, `errors` that may accompany a 2xx, `meta`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from orchestrator.client.http.members import Members, json_object
from orchestrator.client.http.problems import excerpt, request_id_of
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.http.transport import Request
from orchestrator.errors import RequestRejected, UnexpectedResponse

T = TypeVar("T")


class Page:
    """One answer of the gateway without errors."""

    def __init__(self, envelope: Members) -> None:
        self._envelope = envelope
        self._pagination = envelope.optional_member("meta").optional_member("pagination")

    @property
    def objects(self) -> tuple[Members, ...]:
        """Return the resources, where they are objects."""
        return self._envelope.members("resources")

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the resources, where they are ids."""
        return self._envelope.texts("resources")

    @property
    def total(self) -> int | None:
        """Return how many there are on all pages, None where the gateway does not say."""
        return self._pagination.optional_number("total")

    def following(self, member: str) -> str:
        """Return the opaque offset of the next page from a member of `pagination`; empty at the
        end.
        """
        return self._pagination.text(member, "")


async def ask(session: Session, request: Request) -> Page:
    """Return the gateway's answer.

    Raises:
        RequestRejected: The envelope carries errors.
        ClientError: The gateway could not be asked.
    """
    response = await session.call(request)
    envelope = json_object(response, where=request.path)
    errors = envelope.members("errors")
    if errors:
        # A 2xx may still carry errors; nothing can then be trusted.
        raise RequestRejected(
            excerpt(errors[0].text("message", "an error without a message")),
            method=request.method,
            path=request.path,
            request_id=request_id_of(response),
        )
    return Page(envelope)


def criteria(**given: str) -> tuple[tuple[str, str], ...]:
    """Return the members of a query that narrow a listing; empty ones are left out."""
    return tuple((name, value) for name, value in given.items() if value)


async def list_all(
    session: Session,
    path: str,
    read: Callable[[Page], Iterable[tuple[str, T]]],
    *,
    limit: int,
    query: tuple[tuple[str, str], ...] = (),
) -> dict[str, T]:
    """Return everything that a listing with numeric offsets has, by id, in the gateway's order.

    Args:
        session: Who asks.
        path: The listing.
        read: A page's resources, each with its id.
        limit: Resources per page.
        query: Further parameters.

    Raises:
        UnexpectedResponse: The pages stop before the total that the gateway itself names.
        RequestRejected: The envelope carries errors.
        ClientError: The gateway could not be asked.
    """
    found: dict[str, T] = {}
    tally = Tally(path)
    offset = 0
    while True:
        paging = (("offset", str(offset)), ("limit", str(limit)))
        page = await ask(session, json_request("GET", path, query=query + paging, idempotent=True))
        resources = list(read(page))
        offset += len(resources)
        known = len(found)
        found.update(resources)
        tally.note(page)
        if page.total is not None and len(found) >= page.total:
            return found
        if len(found) == known:
            tally.check(len(found))
            return found


class Tally:
    """How many there are at least, by the pages of one listing.

    A listing that stops before is refused: what it leaves out would look deleted. Totals move while
    pages are read, so that only the smallest one is held against it.

    Args:
        path: The listing, for the message.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._least: int | None = None

    def note(self, page: Page) -> None:
        """Take the total that a page names, if it names one."""
        if page.total is not None:
            self._least = page.total if self._least is None else min(self._least, page.total)

    def check(self, count: int) -> None:
        """Let a listing end at `count`.

        Raises:
            UnexpectedResponse: There are more.
        """
        if self._least is not None and count < self._least:
            raise UnexpectedResponse(
                f"the listing ended at {count} of {self._least}",
                method="GET",
                path=self._path,
                advice="It may have changed while it was read: ask again.",
            )
