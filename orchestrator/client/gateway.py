"""The Falcon gateway's JSON envelope: `resources`, `errors` that may accompany a 2xx, `meta`."""

from __future__ import annotations

from orchestrator.client.decode import Members, json_object
from orchestrator.client.problems import excerpt, request_id_of
from orchestrator.client.session import Session
from orchestrator.client.transport import Request
from orchestrator.errors import RequestRejected


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
