"""The client of one LogScale server, as one object.

    async with LogScale("https://logscale.example.com", token=token, clock=SystemClock()) as scale:
        result = await scale.search("fdr", query, start=start, end=end, deadline=deadline)

It only joins the parts; each part can be used alone. Entering it opens nothing: connections are
made by the first request.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Self

from orchestrator.client.graphql.actions import Actions
from orchestrator.client.graphql.assets import Assets
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.graphql.files import LookupFiles
from orchestrator.client.graphql.ingest_tokens import IngestTokens
from orchestrator.client.graphql.packages import Packages
from orchestrator.client.graphql.running import RunningQueries
from orchestrator.client.graphql.server import read_facts, read_feature
from orchestrator.client.graphql.tokens import Tokens
from orchestrator.client.graphql.versions import ServerVersion, parse_version
from orchestrator.client.graphql.views import Views
from orchestrator.client.http.addresses import check_logscale_address
from orchestrator.client.http.auth import Auth, StaticToken
from orchestrator.client.http.breaker import GuardedTransport
from orchestrator.client.http.carrier import AsgiApp
from orchestrator.client.http.limits import Timeouts
from orchestrator.client.http.retry import RetryPolicy
from orchestrator.client.http.session import Session
from orchestrator.client.http.skew import ClockReading, read_clock
from orchestrator.client.http.transport import HttpTransport, Transport
from orchestrator.client.ingest import BatchSize, Ingest
from orchestrator.client.rest import (
    STATUS_PATH,
    STREAM_SILENCE,
    StreamProgress,
    fetch_health,
    fetch_status,
    stream_rows,
)
from orchestrator.client.search.options import PLAIN, SearchOptions
from orchestrator.client.search.paging import Export, ExportForm, Paging, export_parameters
from orchestrator.client.search.query_jobs import QueryJobs
from orchestrator.client.search.searching import Searching
from orchestrator.client.search.spec import QuerySpec
from orchestrator.client.types import QueryOwnership, ServerFacts, ServerHealth, ServerStatus
from orchestrator.clock import Clock
from orchestrator.secret import SecretText
from orchestrator.units import to_epoch_ms


class LogScale(Searching):
    """A LogScale server, self-managed or the vendor's cloud.

    Args:
        base_url: Address of the web interface; a path prefix is kept.
        token: A user, view or organization token; ingest tokens go to `ingest`.
        clock: For pauses and deadlines.
        timeouts: The longest that each phase of one HTTP exchange may take, not a search.
        transport: Carries the requests instead of HTTP; closed with this object.
        asgi_app: An in-process server instead of the network.
        tls: Trust settings; None trusts the system's authorities.
        trust_env: Whether proxy settings come from the environment.
        retry: Short retries inside one call.
        ownership: Who new alerts and scheduled searches run as.

    Raises:
        AddressInvalid: The address cannot be that of a LogScale server.
        TokenInvalid: The token holds more than a token.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: SecretText,
        clock: Clock,
        timeouts: Timeouts | None = None,
        transport: Transport | None = None,
        asgi_app: AsgiApp | None = None,
        tls: ssl.SSLContext | None = None,
        trust_env: bool = False,
        retry: RetryPolicy | None = None,
        ownership: QueryOwnership = QueryOwnership.ORGANIZATION,
    ) -> None:
        check_logscale_address(base_url)
        self.base_url = base_url.rstrip("/")
        self._clock, self._ownership = clock, ownership
        self._policy = retry or RetryPolicy()
        carrier = transport or HttpTransport(
            base_url, timeouts=timeouts, asgi_app=asgi_app, tls=tls, trust_env=trust_env
        )
        self._transport = GuardedTransport(carrier, clock=clock)
        self._session = self._session_as(StaticToken(token))
        super().__init__(QueryJobs(self._session), clock=clock)
        self._version: ServerVersion | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait shortly for jobs that are being deleted, then free the connections."""
        await self._jobs.drain()
        await self._transport.close()

    async def status(self) -> ServerStatus:
        """Return the server's state and version; proves nothing about the token.

        Raises:
            ServerDown: The server answers that it is down.
            ClientError: It could not be asked.
        """
        return await fetch_status(self._session)

    async def health(self) -> ServerHealth:
        """Return what the server says about itself, check by check, also where it is down.

        Raises:
            ClientError: It could not be asked, or the token is no administrator's.
        """
        return await fetch_health(self._session)

    async def facts(self) -> ServerFacts:
        """Return how the server is set up, and how much it takes.

        Raises:
            ClientError: The server could not be asked.
        """
        return await read_facts(self.graphql())

    async def has_feature(self, name: str) -> bool:
        """Return whether a feature of the server is on for this client, such as `FlightControl`.

        Raises:
            GraphqlError: The server has no feature of this name.
        """
        return await read_feature(self.graphql(), name)

    async def clocks(self) -> ClockReading | None:
        """Return the server's time beside this machine's, None if the server does not tell it.

        Raises:
            ClientError: The server could not be reached.
        """
        return await read_clock(self._transport, STATUS_PATH, clock=self._clock)

    @asynccontextmanager
    async def export(
        self,
        repository: str,
        query: str,
        *,
        start: datetime,
        end: datetime,
        deadline: timedelta,
        form: ExportForm = ExportForm.NDJSON,
        fields: Sequence[str] = (),
        use_ingest_time: bool = False,
        arguments: Mapping[str, str] | None = None,
        options: SearchOptions = PLAIN,
    ) -> AsyncIterator[Export]:
        """Search over `[start, end)`, and yield the rows as a file would hold them.

        Unlike a stream it knows whether they are the whole answer. Read them without long pauses:
        the server drops a job that nobody asks for.

        Args:
            repository: Repository or view.
            query: CQL; a filter's rows are the newest 200 unless it ends in `tail()`.
            start: Aware, inclusive, cut to the millisecond.
            end: Aware, exclusive, cut to the millisecond.
            deadline: Longest time until the search is done.
            form: CSV, NDJSON or another.
            fields: Columns in their order; CSV needs them.
            use_ingest_time: Bound the ingest time rather than the event time.
            arguments: Values of the query's `?name` parameters.
            options: What else the job is asked.

        Raises:
            ValueError: CSV without its columns.
            NotTheApi: The server exports nothing, or not in this form.
            NotFound: The job was gone before its rows were read.
            ClientError: As in `search`.
        """
        # Refused before the search rather than after it.
        export_parameters(form, fields)
        spec = QuerySpec(
            query=query,
            start_ms=to_epoch_ms(start),
            end_ms=to_epoch_ms(end),
            use_ingest_time=use_ingest_time,
            arguments=arguments or {},
            options=options,
            paging=Paging(rows=0),
        )
        jobs = self._jobs
        async with (
            jobs.finished(repository, spec, deadline=deadline) as result,
            jobs.rows(repository, result.stats.job_id, form=form, fields=fields) as chunks,
        ):
            yield Export(result=result, chunks=chunks)

    def stream(
        self,
        repository: str,
        query: str,
        *,
        start: datetime,
        end: datetime,
        use_ingest_time: bool = False,
        arguments: Mapping[str, str] | None = None,
        options: SearchOptions = PLAIN,
        silence: timedelta = STREAM_SILENCE,
        on_progress: Callable[[StreamProgress], None] | None = None,
    ) -> AsyncGenerator[dict[str, str]]:
        """Yield rows without any word on completeness; see `rest.stream_rows`.

        Raises:
            QueryRejected: The server refused the query.
            RequestTimedOut: No row came for `silence`.
            ClientError: The server could not be asked, or the connection broke on the way.
        """
        return stream_rows(
            self._session,
            repository,
            query=query,
            start=start,
            end=end,
            use_ingest_time=use_ingest_time,
            arguments=arguments,
            options=options,
            silence=silence,
            on_progress=on_progress,
        )

    def ingest(self, token: SecretText | None = None, *, batch: BatchSize | None = None) -> Ingest:
        """Return the ingest endpoints.

        Args:
            token: An ingest token; None sends this client's own.
            batch: How much goes into one request; None is what suits a server that is far away.
        """
        size = batch or BatchSize()
        if token is not None:
            return Ingest(self._session_as(StaticToken(token)), batch=size)
        return Ingest(self._session, views=self.views(), batch=size)

    def assets(self, view: str) -> Assets:
        """Return the alerts, scheduled searches and saved queries of a view or repository."""
        return Assets(self.graphql(), view=view, version=self.version, ownership=self._ownership)

    def files(self, view: str) -> LookupFiles:
        """Return the lookup files of a view or repository."""
        return LookupFiles(self._session, graphql=self.graphql(), view=view, version=self.version)

    def packages(self, view: str) -> Packages:
        """Return the packages of a view or repository."""
        return Packages(self._session, graphql=self.graphql(), view=view, ownership=self._ownership)

    def actions(self, view: str) -> Actions:
        """Return what alerts and scheduled searches of a view or repository can invoke."""
        return Actions(self.graphql(), view=view, version=self.version)

    def views(self) -> Views:
        """Return the server's repositories and views, and what the token may do there."""
        return Views(self.graphql())

    def tokens(self) -> Tokens:
        """Return the server's API tokens; `ingest_tokens` are none of them."""
        return Tokens(self.graphql())

    def ingest_tokens(self, repository: str) -> IngestTokens:
        """Return the ingest tokens of a repository."""
        return IngestTokens(self.graphql(), repository=repository)

    def running(self) -> RunningQueries:
        """Return the queries that the server is busy with."""
        return RunningQueries(self.graphql())

    def graphql(self) -> Graphql:
        """Return the GraphQL endpoint, for documents that this client has no method for."""
        return Graphql(self._session)

    async def version(self) -> ServerVersion:
        """Return the server's version, asked for once.

        Raises:
            ClientError: The server could not be asked, or names no version.
        """
        if self._version is None:
            self._version = parse_version((await self.status()).version)
        return self._version

    def _session_as(self, auth: Auth) -> Session:
        return Session(
            self._transport,
            auth=auth,
            clock=self._clock,
            policy=self._policy,
            server=self.base_url,
        )
