"""Falcon Next-Gen SIEM through its API gateway: search and correlation rules.

Query jobs are LogScale's own protocol under another prefix. Everything else differs: OAuth2 tokens,
a JSON envelope whose `errors` may accompany a 2xx, and correlation rules in the place of alerts.
GraphQL is not offered. A rule's `rule_id` is stable, its `id` changes with every update.
Source: CrowdStrike gofalcon (correlationrulesapi models) and falconpy.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Self, TypeVar

from orchestrator.client.auth import ClientCredentials, CredentialsFlow, OAuth2
from orchestrator.client.decode import Members, json_object
from orchestrator.client.problems import excerpt, request_id_of
from orchestrator.client.query_jobs import QueryJobs
from orchestrator.client.retry import RetryPolicy
from orchestrator.client.session import Session, json_request
from orchestrator.client.transport import (
    DEFAULT_TIMEOUT,
    AsgiApp,
    HttpTransport,
    Request,
    Transport,
)
from orchestrator.client.types import Asset, CorrelationRule, JobProgress, QueryResult
from orchestrator.clock import Clock
from orchestrator.errors import NotFound, RequestRejected, UnexpectedResponse

A = TypeVar("A", bound=Asset)
CLOUDS: Mapping[str, str] = {
    "us-1": "https://api.crowdstrike.com",
    "us-2": "https://api.us-2.crowdstrike.com",
    "us-3": "https://api.us-3.crowdstrike.com",
    "eu-1": "https://api.eu-1.crowdstrike.com",
    "us-gov-1": "https://api.laggar.gcw.crowdstrike.com",
    "us-gov-2": "https://api.us-gov-2.crowdstrike.mil",
}
"""API base addresses by the region name that the token answer carries."""
PAGE_RULES = 100
_RULES = "correlation-rules/entities/rules/v1"
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\Z")


class Falcon:
    """A Falcon tenant.

    Args:
        base_url: API base of the tenant's cloud, see `CLOUDS`.
        credentials: An API client with the NGSIEM and correlation-rule scopes.
        clock: For pauses, deadlines and token lives.
        timeout: Whole length of one HTTP exchange, not of a search.
        transport: Carries the requests instead of HTTP; closed with this object.
        asgi_app: An in-process server instead of the network.
        tls: Trust settings; None trusts the system's authorities.
        trust_env: Whether proxy settings come from the environment.
        retry: Short retries inside one call.
    """

    def __init__(
        self,
        base_url: str,
        *,
        credentials: ClientCredentials,
        clock: Clock,
        timeout: timedelta = DEFAULT_TIMEOUT,
        transport: Transport | None = None,
        asgi_app: AsgiApp | None = None,
        tls: ssl.SSLContext | None = None,
        trust_env: bool = False,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        policy = retry or RetryPolicy()
        self._transport = transport or HttpTransport(
            base_url, timeout=timeout, asgi_app=asgi_app, tls=tls, trust_env=trust_env
        )
        auth = OAuth2(
            CredentialsFlow(credentials),
            transport=self._transport,
            clock=clock,
            secret=credentials.client_secret,
            policy=policy,
        )
        self._auth = auth
        self._session = Session(self._transport, auth=auth, clock=clock, policy=policy)
        self._jobs = QueryJobs(self._session, prefix="humio/api/v1")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait shortly for jobs that are being deleted, then free the connections."""
        await self._jobs.drain()
        await self._transport.close()

    async def check(self) -> str:
        """Fetch a token and return the region the tenant lives in, empty if not named.

        Raises:
            UnexpectedResponse: The tenant lives in another cloud than the base address.
            Unauthorized: The API client is not known there.
            ClientError: The gateway could not be asked.
        """
        await self._auth.token()
        region = self._auth.region
        wanted = CLOUDS.get(region)
        if wanted is not None and self.base_url in CLOUDS.values() and wanted != self.base_url:
            raise UnexpectedResponse(
                f"the tenant lives in {region}", advice=f"Set the base address to {wanted}."
            )
        return region

    async def search(
        self,
        repository: str,
        query: str,
        *,
        start: datetime,
        end: datetime,
        deadline: timedelta,
        use_ingest_time: bool = False,
        arguments: Mapping[str, str] | None = None,
        on_progress: Callable[[JobProgress], None] | None = None,
    ) -> QueryResult:
        """Return the result of `query` over `[start, end)`; see `QueryJobs.search`.

        Repositories are `search-all`, `investigate_view`, `third-party` and a few more.

        Raises:
            QueryRejected: The server refused the query.
            QueryIncomplete: The deadline passed or the job was cancelled.
            QueryJobExpired: The job was lost twice.
            ClientError: The server could not be asked.
        """
        return await self._jobs.search(
            repository,
            query,
            start=start,
            end=end,
            deadline=deadline,
            use_ingest_time=use_ingest_time,
            arguments=arguments,
            on_progress=on_progress,
        )

    def assets(self, customer_id: str) -> CorrelationRules:
        """Return the tenant's correlation rules.

        Args:
            customer_id: 32 hex digits; a checksum suffix `-NN` is cut off.
        """
        return CorrelationRules(self._session, customer_id=customer_id)


class CorrelationRules:
    """The correlation rules of one tenant, with the same methods as `Assets`.

    Args:
        session: Who asks.
        customer_id: The tenant; upper case and a checksum suffix are normalised.
    """

    def __init__(self, session: Session, *, customer_id: str) -> None:
        self._session = session
        self._customer_id = customer_id.partition("-")[0].lower()

    async def list(self, kind: type[A]) -> tuple[A, ...]:
        """Return all correlation rules, sorted by name; none of any other kind.

        Raises:
            ClientError: The gateway could not be asked.
        """
        if not issubclass(kind, CorrelationRule):
            return ()
        found: list[CorrelationRule] = []
        while True:
            query = (("offset", str(len(found))), ("limit", str(PAGE_RULES)))
            request = json_request(
                "GET", "correlation-rules/combined/rules/v1", query=query, idempotent=True
            )
            page, total = await self._resources(request)
            found += [_read(members) for members in page]
            if not page or len(found) >= total:
                break
        found.sort(key=lambda rule: rule.name)
        return tuple(rule for rule in found if isinstance(rule, kind))

    async def create(self, asset: A) -> A:
        """Create a rule and return it as the gateway has it; its `id` is ignored.

        Raises:
            RequestRejected: The gateway refused it.
        """
        body = {
            **_write(_rule(asset)),
            "customer_id": self._customer_id,
            "template_id": "",
            "trigger_on_create": False,
        }
        return await self._written(json_request("POST", _RULES, body), asset)

    async def update(self, asset: A, *, expected: A) -> A:
        """Replace a rule, if it still is as `expected`, and return it as the gateway has it.

        Raises:
            NotFound: The rule is gone.
            RequestRejected: It changed since it was read, or the gateway refused the content.
        """
        listed = await self.list(type(asset))
        current = next((found for found in listed if found.id == expected.id), None)
        if current is None:
            raise NotFound(f"{expected.name} is gone from the tenant")
        if current != expected:
            raise RequestRejected(
                f"{expected.name} changed since it was read", advice="Make the plan again."
            )
        wanted, before = _rule(asset), _rule(expected)
        patch = {**_write(wanted), "id": current.id}
        # The execution mode is fixed at creation.
        patch["search"] = {**_search(wanted, before.raw)}
        if wanted.enabled or wanted.schedule == before.schedule:
            if not wanted.enabled:
                # Refused together with a switch to inactive; it did not change either.
                del patch["operation"]
            return await self._written(json_request("PATCH", _RULES, [patch]), asset)
        switched = {"id": current.id, "status": patch.pop("status")}
        await self._written(json_request("PATCH", _RULES, [patch]), asset)
        return await self._written(json_request("PATCH", _RULES, [switched]), asset)

    async def delete(self, asset: A) -> None:
        """Delete a rule by its stable id.

        Raises:
            ValueError: The rule has no id: it was never read from the gateway.
            NotFound: No such rule.
        """
        if not asset.id:
            raise ValueError(f"{asset.name} has no id")
        query = (("ids", asset.id),)
        await self._resources(json_request("DELETE", _RULES, query=query), objects=False)

    async def _written(self, request: Request, asset: A) -> A:
        resources, _ = await self._resources(request)
        if not resources:
            raise UnexpectedResponse("no rule came back", method=request.method, path=request.path)
        written = _read(resources[0])
        if not isinstance(written, type(asset)):
            raise TypeError(f"{type(asset).__name__} is not managed by the gateway")
        return written

    async def _resources(
        self, request: Request, *, objects: bool = True
    ) -> tuple[tuple[Members, ...], int]:
        """Return the envelope's resources and the total that its pagination names."""
        response = await self._session.call(request)
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
        resources = envelope.members("resources") if objects else ()
        meta = envelope.optional_member("meta").optional_member("pagination")
        return resources, meta.number("total", len(resources))


def _rule(asset: Asset) -> CorrelationRule:
    if not isinstance(asset, CorrelationRule):
        raise TypeError(f"{type(asset).__name__} is not managed by the gateway")
    return asset


def _read(members: Members) -> CorrelationRule:
    search, operation = members.member("search"), members.member("operation")
    channels = {note.text("type", "") for note in members.members("notifications")}
    return CorrelationRule(
        id=members.text("rule_id"),
        name=members.text("name"),
        description=members.text("description", ""),
        query=search.text("filter"),
        # Transient states count by where they lead; an unknown one counts as off.
        enabled=members.text("status") in {"active", "creating", "updating"},
        severity=members.number("severity"),
        tactic=members.text("tactic", ""),
        technique=members.text("technique", ""),
        schedule=_read_every(operation.member("schedule")),
        lookback=_read_duration(search, "lookback", search.text("lookback")),
        actions=tuple(sorted(channels - {""})),
        raw=members.raw,
    )


def _write(rule: CorrelationRule) -> dict[str, object]:
    return {
        "name": rule.name,
        "description": rule.description,
        "severity": rule.severity,
        "status": "active" if rule.enabled else "inactive",
        "tactic": rule.tactic,
        "technique": rule.technique,
        "search": {**_search(rule, rule.raw), "execution_mode": "scheduled"},
        "operation": {"schedule": {"definition": f"@every {format_go_duration(rule.schedule)}"}},
    }


def _search(rule: CorrelationRule, raw: Mapping[str, object]) -> dict[str, object]:
    """Return the search; what an existing rule makes of its hits is kept."""
    before = raw.get("search")
    kept = before if isinstance(before, dict) else {}
    return {
        "filter": rule.query,
        "lookback": format_go_duration(rule.lookback),
        "outcome": kept.get("outcome") or "detection",
        "trigger_mode": kept.get("trigger_mode") or "summary",
        "use_ingest_time": bool(kept.get("use_ingest_time", False)),
    }


def _read_every(schedule: Members) -> timedelta:
    definition = schedule.text("definition")
    if not definition.startswith("@every "):
        raise schedule.wrong("definition", "@every and a duration")
    return _read_duration(schedule, "definition", definition.removeprefix("@every "))


def _read_duration(members: Members, name: str, text: str) -> timedelta:
    try:
        return parse_go_duration(text)
    except ValueError as exc:
        raise members.wrong(name, "a duration such as 1h15m") from exc


def parse_go_duration(text: str) -> timedelta:
    """Return the length of a Go duration of whole hours, minutes and seconds, such as `1h15m`.

    Raises:
        ValueError: Another form.
    """
    match = _DURATION.match(text.strip())
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is not a duration; write 1h15m")
    hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def format_go_duration(duration: timedelta) -> str:
    """Return a Go duration of hours and minutes, and seconds where there are some: `1h0m`."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m" + (f"{seconds}s" if seconds else "")
