"""A configured repository as a client: LogScale by token, or Falcon NG-SIEM by API client.

Both search alike. On LogScale a rule becomes the asset that it names, with its lookup files; on
NG-SIEM a correlation rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.client.falcon import Falcon
from orchestrator.client.gateway.correlation_rules import CorrelationRules
from orchestrator.client.graphql.assets import Assets
from orchestrator.client.graphql.files import LookupFiles
from orchestrator.client.http.auth import ClientCredentials
from orchestrator.client.http.limits import Timeouts
from orchestrator.client.logscale import LogScale
from orchestrator.clock import Clock
from orchestrator.config import RepoKind, RepoSettings
from orchestrator.errors import AddressInvalid, ConfigError

Remote = LogScale | Falcon


def connect(settings: RepoSettings, *, name: str, clock: Clock) -> Remote:
    """Return the client for a repository, to be entered; nothing is opened yet.

    Args:
        settings: The repository's.
        name: Its name in the settings, for errors.
        clock: For pauses and deadlines of requests.

    Raises:
        ConfigError: The token, or the API client, is missing, or cannot be one, or the address.
    """
    if settings.kind is RepoKind.NGSIEM:
        if not settings.client_id or settings.client_secret is None:
            raise ConfigError(
                "an API client is needed",
                key=f"repos.{name}.client_id",
                advice='Write client_id and client_secret = "env:FALCON_CLIENT_SECRET"',
            )
        with _keyed(name, member="client_secret"):
            credentials = ClientCredentials(
                client_id=settings.client_id, client_secret=settings.client_secret
            )
            return Falcon(
                settings.url,
                credentials=credentials,
                clock=clock,
                timeouts=Timeouts(whole=settings.timeout),
                trust_env=settings.use_proxy,
            )
    return connect_logscale(settings, name=name, clock=clock)


def connect_logscale(settings: RepoSettings, *, name: str, clock: Clock) -> LogScale:
    """Return the client for a LogScale repository, to be entered.

    Raises:
        ConfigError: The token is missing, or it or the address cannot be one.
    """
    if settings.token is None:
        raise ConfigError(
            "a token is needed",
            key=f"repos.{name}.token",
            advice='Write token = "env:LOGSCALE_TOKEN" and set that variable',
        )
    with _keyed(name, member="token"):
        return LogScale(
            settings.url,
            token=settings.token,
            clock=clock,
            timeouts=Timeouts(whole=settings.timeout),
            trust_env=settings.use_proxy,
        )


@contextmanager
def _keyed(name: str, *, member: str) -> Iterator[None]:
    """Say which setting holds an address or a secret that the client refuses."""
    try:
        yield
    except ConfigError as exc:
        exc.key = f"repos.{name}.{'url' if isinstance(exc, AddressInvalid) else member}"
        raise


def assets_of(
    remote: Remote, settings: RepoSettings
) -> tuple[Assets | CorrelationRules, LookupFiles | None]:
    """Return where assets and lookup files are kept; NG-SIEM takes no files from here."""
    if isinstance(remote, Falcon):
        return remote.assets(settings.customer_id), None
    return remote.assets(settings.repository), remote.files(settings.repository)
