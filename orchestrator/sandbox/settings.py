"""What a sandbox is made of: repositories, tokens and their rights, poll times, faults.

Values only; nothing here reads a file, the environment or a clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from orchestrator.sandbox.faults.kinds import Fault
from orchestrator.sandbox.quotas import QuotaInterval

DEFAULT_TOKEN = "sandbox-token"  # noqa: S105 -- a documented default of a local tool
DEFAULT_REPOSITORY = "falcon"
VERSION = "1.204.0--build-1--sha-0000000000"
"""The server whose schema is served."""


class Right(StrEnum):
    """What a token may do: what something in the sandbox asks for, and no more."""

    READ = "read"
    """Search, and read assets and files."""
    INGEST = "ingest"
    CHANGE_TRIGGERS = "change-triggers"
    """Alerts of all kinds and scheduled searches."""
    CREATE_TRIGGERS = "create-triggers"
    UPDATE_TRIGGERS = "update-triggers"
    DELETE_TRIGGERS = "delete-triggers"
    CHANGE_ACTIONS = "change-actions"
    CREATE_ACTIONS = "create-actions"
    UPDATE_ACTIONS = "update-actions"
    DELETE_ACTIONS = "delete-actions"
    TEST_ACTIONS = "test-actions"
    CHANGE_SAVED_QUERIES = "change-saved-queries"
    CREATE_SAVED_QUERIES = "create-saved-queries"
    UPDATE_SAVED_QUERIES = "update-saved-queries"
    DELETE_SAVED_QUERIES = "delete-saved-queries"
    CREATE_DASHBOARDS = "create-dashboards"
    UPDATE_DASHBOARDS = "update-dashboards"
    DELETE_DASHBOARDS = "delete-dashboards"
    CHANGE_FILES = "change-files"
    CHANGE_PACKAGES = "change-packages"
    CHANGE_PARSERS = "change-parsers"
    CHANGE_INGEST_TOKENS = "change-ingest-tokens"
    """Make, change, delete and see a repository's ingest tokens."""
    CHANGE_RETENTION = "change-retention"
    CHANGE_ARCHIVING = "change-archiving"
    CHANGE_DEFAULT_SEARCH = "change-default-search"
    CHANGE_DESCRIPTION = "change-description"
    CHANGE_CONNECTIONS = "change-connections"
    CREATE_DOMAINS = "create-domains"
    """Make repositories and views."""
    DELETE_REPOSITORIES = "delete-repositories"
    DELETE_VIEWS = "delete-views"
    ASSIGN_ROLES = "assign-roles"
    """Give groups a role in a search domain."""
    MANAGE_USERS = "manage-users"
    """Users, groups and roles."""
    CHANGE_IP_FILTERS = "change-ip-filters"
    CHANGE_POLICIES = "change-policies"
    """What tokens of each kind may be."""
    MONITOR_QUERIES = "monitor-queries"
    """See and end the queries of others."""
    CHANGE_FLAGS = "change-flags"
    MANAGE_CLUSTER = "manage-cluster"
    READ_HEALTH = "read-health"
    ADMIN = "admin"
    """Everything but events and most assets of search domains: the tokens of others and the
    sandbox's own control routes, and each right that is not among `_OF_USERS` or part of one.
    """


ALL_RIGHTS = frozenset(Right)
_TRIGGERS = (Right.CREATE_TRIGGERS, Right.UPDATE_TRIGGERS, Right.DELETE_TRIGGERS)
_ACTIONS = (
    Right.CREATE_ACTIONS,
    Right.UPDATE_ACTIONS,
    Right.DELETE_ACTIONS,
    Right.TEST_ACTIONS,
)
_SAVED_QUERIES = (
    Right.CREATE_SAVED_QUERIES,
    Right.UPDATE_SAVED_QUERIES,
    Right.DELETE_SAVED_QUERIES,
)
_OF_USERS = (
    Right.READ,
    Right.INGEST,
    Right.CHANGE_TRIGGERS,
    Right.CHANGE_ACTIONS,
    Right.CHANGE_SAVED_QUERIES,
    Right.CHANGE_FILES,
    Right.CHANGE_PACKAGES,
)
_INCLUDED: Mapping[Right, frozenset[Right]] = {
    Right.CHANGE_TRIGGERS: frozenset(_TRIGGERS),
    Right.CHANGE_ACTIONS: frozenset(_ACTIONS),
    Right.CHANGE_SAVED_QUERIES: frozenset(_SAVED_QUERIES),
    Right.ADMIN: ALL_RIGHTS.difference(_OF_USERS, _TRIGGERS, _ACTIONS, _SAVED_QUERIES),
}
"""The rights that come with another, be the role made here or read from an older folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRole:
    """What stands behind a token's text."""

    name: str
    rights: frozenset[Right] = ALL_RIGHTS
    repository: str | None = None
    """An ingest token's own repository; None reaches all of them."""
    parser: str | None = None
    """Parser that an ingest token imposes on unstructured text."""
    others: tuple[str, ...] = ()
    """Repositories and views that it reaches beside `repository`."""
    expires_ms: int | None = None
    """When it is refused, in epoch ms; None is never."""

    def may(self, right: Right) -> bool:
        """Return whether the token has the right, or one that includes it."""
        return right in self.rights or any(right in _INCLUDED.get(held, ()) for held in self.rights)

    def reaches(self, name: str) -> bool:
        """Return whether the token may be used in this repository or view."""
        return self.repository is None or name == self.repository or name in self.others

    @property
    def is_person(self) -> bool:
        """Return whether a user stands behind the token, and not a sender or some views alone."""
        return self.repository is None


@dataclass(frozen=True, slots=True, kw_only=True)
class FalconClient:
    """An API client of the Falcon gateway face."""

    client_id: str
    client_secret: str = field(repr=False)
    rights: frozenset[Right] = ALL_RIGHTS
    """What stands for the client's scopes."""
    region: str = "us-1"
    """The cloud that token answers name as the tenant's own; empty names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """A whole sandbox. The defaults suit tests: nothing on disk, short poll times."""

    tokens: Mapping[str, TokenRole] = field(
        default_factory=lambda: {DEFAULT_TOKEN: TokenRole(name="admin")}, repr=False
    )
    repositories: Sequence[str] = (DEFAULT_REPOSITORY,)
    data_dir: Path | None = None
    """Where events and assets are kept; None keeps them in memory only."""
    marketplace: Path | None = None
    """Folder of zips that GraphQL installs packages from by name; None is an empty marketplace."""
    version: str = VERSION
    """What /status and `meta{version}` say. An older one than the default takes out of GraphQL what
    came later and puts in what was there then; a newer one adds nothing.
    """
    poll_after_running_ms: int = 50
    """`pollAfter` while a job runs. LogScale's own is about 2800 ms."""
    poll_after_done_ms: int = 1_000
    """`pollAfter` of a done static job. LogScale's own is about 19700 ms."""
    poll_after_live_ms: int = 500
    """`pollAfter` of a done live job. LogScale's own is 2200 to 2850 ms."""
    first_poll_done: bool = True
    """False answers a job's first poll with `done: false`, as a loaded server does."""
    poll_patience: timedelta = timedelta(seconds=2)
    """How long a poll waits for a running job to end before it answers `done: false`."""
    static_job_life: timedelta = timedelta(seconds=90)
    """How long an unpolled static job lives."""
    live_job_life: timedelta = timedelta(hours=1)
    most_jobs: int = 6_000
    """Query jobs alive at once; one more is refused. The number is NG-SIEM's."""
    query_quotas: Mapping[QuotaInterval, int] = field(default_factory=dict)
    """The most queries that a role may start in each interval; without an entry, any number."""
    concurrent_queries: int = 4
    """Queries that run at once; more of them queue."""
    filter_limit: int = 200
    """The implied `tail()` of a filter query."""
    aggregate_limit: int = 200_000
    """Most rows that a job holds."""
    trust_ingest_timestamp: bool = False
    """Take `@ingesttimestamp` from an event's attributes; LogScale never does. For simulations."""
    recorded_metadata_only: bool = False
    """Send the 14 metaData members of a 2020 server and no more."""
    run_triggers: bool = False
    """Run alerts, scheduled searches and correlation rules; without it they are kept and read."""
    allow_outbound: bool = False
    """Let actions send HTTP to other machines; by default to loopback addresses alone."""
    public_url: str = "http://127.0.0.1:8080"
    """Where the links in messages lead."""
    slack_api_url: str = "https://slack.com/api/"
    """Where actions post Slack messages."""
    pagerduty_url: str = "https://events.pagerduty.com/v2/enqueue"
    """Where actions send PagerDuty events."""
    falcon_clients: Sequence[FalconClient] = ()
    """API clients that the gateway face accepts at /oauth2/token."""
    gateway_requests_per_minute: int = 6_000
    """Requests that the gateway face answers in one minute; more of them get a 429."""
    faults: Mapping[str, Sequence[Fault]] = field(default_factory=dict)
    """Route pattern to the faults its next requests meet."""


def ingest_token(repository: str, *, token: str = DEFAULT_TOKEN) -> str:
    """Return the text of the ingest token that `sandbox_settings` makes for `repository`."""
    return f"{token}-ingest-{repository}"


def sandbox_settings(
    *,
    token: str = DEFAULT_TOKEN,
    repositories: Sequence[str] = (DEFAULT_REPOSITORY,),
    data_dir: Path | None = None,
    ingest_tokens: Mapping[str, str] | None = None,
) -> SandboxSettings:
    """Return settings for people: an all-powerful token and an ingest token per repository.

    A Falcon API client is made too: id `sandbox`, and the token as its secret.

    Args:
        token: The all-powerful one's text.
        repositories: Names of those that are made.
        data_dir: Where everything is kept; None is in memory only.
        ingest_tokens: Repository to its token's text, for clients that take a certain form alone;
            others have that of `ingest_token`.

    Raises:
        ValueError: One is for no repository, is empty, or is another token's text.
    """
    named = dict(ingest_tokens or {})
    if strangers := sorted(named.keys() - set(repositories)):
        raise ValueError(f"there is no repository {strangers[0]!r} to ingest into")
    tokens = {token: TokenRole(name="admin")}
    for repository in dict.fromkeys(repositories):
        text = named.get(repository, ingest_token(repository, token=token))
        if not text or text in tokens:
            raise ValueError(f"the ingest token of {repository!r} must be a text of its own")
        tokens[text] = TokenRole(
            name=f"ingest-{repository}",
            rights=frozenset({Right.INGEST}),
            repository=repository,
        )
    return SandboxSettings(
        tokens=tokens,
        repositories=tuple(repositories),
        data_dir=data_dir,
        falcon_clients=(FalconClient(client_id="sandbox", client_secret=token),),
    )


def recorded_pace(settings: SandboxSettings) -> SandboxSettings:
    """Return the settings with LogScale's own times between polls, and an unfinished first poll.

    Source: recordings of a 1.9.2 server.
    """
    return replace(
        settings,
        poll_after_running_ms=2_800,
        poll_after_done_ms=19_700,
        poll_after_live_ms=2_550,
        first_poll_done=False,
    )
