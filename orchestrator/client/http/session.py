"""One authenticated conversation with one server: token, retries, errors by status.

`Session.call` is what every API module uses; it returns a success or raises a `ClientError`, and
nothing above it looks at a status, or meets a web page. A 401 renews the token once where it can
be renewed.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from random import SystemRandom
from typing import TypeVar

from orchestrator.client.http.auth import Auth
from orchestrator.client.http.problems import error_for, refuse_page
from orchestrator.client.http.retry import RetryPolicy, call_with_retries
from orchestrator.client.http.transport import OpenResponse, Request, Response, Transport
from orchestrator.clock import Clock
from orchestrator.errors import ClientError, QueryRejected, RequestRejected, Unauthorized

T = TypeVar("T")
_ERROR_BYTES = 64 * 1024


def _is_success(response: Response) -> bool:
    return 200 <= response.status < 300


class Session:
    """Sends requests as one identity.

    Args:
        transport: Carries the requests; closed by whoever made it.
        auth: Gives the token.
        clock: For pauses and dates in headers.
        policy: Retries of one call.
        jitter: Random numbers from 0 to 1 for the pauses.
        server: Base address that the transport leads to, for errors.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        auth: Auth,
        clock: Clock,
        policy: RetryPolicy,
        jitter: Callable[[], float] | None = None,
        server: str = "",
    ) -> None:
        self._transport, self._auth, self._clock, self._policy = transport, auth, clock, policy
        # Spreads retries; nothing secret depends on it.
        self._jitter = jitter or SystemRandom().random
        self._server = server

    @property
    def clock(self) -> Clock:
        """Return the clock that pauses run on."""
        return self._clock

    async def call(
        self,
        request: Request,
        *,
        policy: RetryPolicy | None = None,
        bad_request: type[RequestRejected | QueryRejected] = RequestRejected,
        is_answer: Callable[[Response], bool] = _is_success,
    ) -> Response:
        """Return the answer to `request`.

        Args:
            request: What to send; its token is put in here. Its `timeout` limits all attempts.
            policy: Other retries than the session's own.
            bad_request: What a 400 means for this request.
            is_answer: What is returned rather than raised; the default is 2xx.

        Raises:
            ClientError: The subclass that the status or the failure calls for.
        """
        began = self._clock.monotonic()

        def left() -> timedelta | None:
            if request.timeout is None:
                return None
            spent = timedelta(seconds=self._clock.monotonic() - began)
            return max(request.timeout - spent, timedelta(0))

        policy = policy or self._policy
        if request.is_upload:
            policy = replace(policy, repeats_late=False)
        return await call_with_retries(
            lambda: self._once(
                request, within=left(), bad_request=bad_request, is_answer=is_answer
            ),
            policy=policy,
            idempotent=request.idempotent,
            clock=self._clock,
            jitter=self._jitter,
            within=request.timeout,
        )

    @asynccontextmanager
    async def open(
        self,
        request: Request,
        *,
        bad_request: type[RequestRejected | QueryRejected] = RequestRejected,
    ) -> AsyncIterator[OpenResponse]:
        """Yield the 2xx answer to `request` while it arrives; leaving the block ends it.

        Until its head is there the call is repeated as others are, though not because the head
        stayed out; after that never.

        Args:
            request: What to send; its token is put in here.
            bad_request: What a 400 means for this request.

        Raises:
            ClientError: The subclass that the status or the failure calls for.
        """
        async with AsyncExitStack() as stack:

            async def opened() -> OpenResponse:
                return await self._with_token(
                    request,
                    lambda signed: self._head(signed, stack, bad_request=bad_request),
                    within=request.timeout,
                )

            yield await call_with_retries(
                opened,
                policy=replace(self._policy, repeats_late=False),
                idempotent=request.idempotent,
                clock=self._clock,
                jitter=self._jitter,
            )

    async def _head(
        self,
        request: Request,
        stack: AsyncExitStack,
        *,
        bad_request: type[RequestRejected | QueryRejected],
    ) -> OpenResponse:
        async with AsyncExitStack() as own:
            response = await own.enter_async_context(self._transport.open(request))
            if 200 <= response.status < 300:
                refuse_page(Response(status=response.status, headers=response.headers), request)
                stack.push_async_exit(own.pop_all())
                return response
            refused = await response.read(_ERROR_BYTES)
            raise self._error(request, refused, bad_request=bad_request)

    async def _once(
        self,
        request: Request,
        *,
        within: timedelta | None,
        bad_request: type[RequestRejected | QueryRejected],
        is_answer: Callable[[Response], bool],
    ) -> Response:
        async def exchange(signed: Request) -> Response:
            response = await self._transport.send(signed)
            if is_answer(response):
                refuse_page(response, signed)
                return response
            raise self._error(signed, response, bad_request=bad_request)

        return await self._with_token(request, exchange, within=within)

    async def _with_token(
        self,
        request: Request,
        exchange: Callable[[Request], Awaitable[T]],
        *,
        within: timedelta | None,
    ) -> T:
        """Send with the token in hand; refused, once more with a new one where there can be one."""
        try:
            token = await self._auth.token()
            try:
                return await exchange(replace(request, bearer=token or None, timeout=within))
            except Unauthorized:
                if not await self._auth.renew(token):
                    raise
            token = await self._auth.token()
            return await exchange(replace(request, bearer=token or None, timeout=within))
        except ClientError as exc:
            exc.server = self._server
            raise

    def _error(
        self,
        request: Request,
        response: Response,
        *,
        bad_request: type[RequestRejected | QueryRejected],
    ) -> ClientError:
        return error_for(
            request,
            response,
            now=self._clock.now(),
            secrets=(request.bearer,) if request.bearer is not None else (),
            bad_request=bad_request,
        )


def json_request(
    method: str,
    path: str,
    content: object = None,
    *,
    query: tuple[tuple[str, str], ...] = (),
    headers: Mapping[str, str] | None = None,
    idempotent: bool = False,
) -> Request:
    """Return a request with a JSON body, or without a body if `content` is None."""
    body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode()
    return Request(
        method=method,
        path=path,
        query=query,
        headers={**({"Content-Type": "application/json"} if body else {}), **(headers or {})},
        content=body,
        idempotent=idempotent,
    )
