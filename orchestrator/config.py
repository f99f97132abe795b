"""Settings: a TOML file under `ORCHESTRATOR_…` variables, checked whole before anything starts.

Secrets are never in the file: a secret setting holds a reference, `env:NAME` or `file:/path`, that
is resolved here into `SecretText`. Every problem of the file and the environment is reported in
one run, each with its key. Nothing below this layer reads settings or the environment.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from orchestrator.errors import ConfigError
from orchestrator.secret import SecretText, resolve_secret
from orchestrator.units import parse_duration

ENV_PREFIX = "ORCHESTRATOR_"
DEFAULT_PATH = Path("orchestrator.toml")


class ConfigProblems(ConfigError):
    """All problems of one configuration; `problems` holds a `ConfigError` each."""

    def __init__(self, problems: tuple[ConfigError, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _secret(value: object) -> SecretText:
    if isinstance(value, SecretText):
        return value
    return resolve_secret(value if isinstance(value, str) else "")


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Secret = Annotated[SecretText, BeforeValidator(_secret)]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


class RepoKind(StrEnum):
    """Which face of the server a repository is spoken to through."""

    LOGSCALE = "logscale"
    NGSIEM = "ngsiem"


class RepoSettings(_Section):
    """One LogScale repository or view, or one NG-SIEM tenant; its name is what `--repo` takes."""

    kind: RepoKind = RepoKind.LOGSCALE
    url: str
    """Base URL, such as `https://cloud.community.humio.com`; a proxy prefix is kept."""
    repository: str
    """Repository or view that rules search and deploy to; `search-all` and the like on NG-SIEM."""
    token: Secret | None = None
    """API token, for `logscale`."""
    client_id: str = ""
    client_secret: Secret | None = None
    """Falcon API client, for `ngsiem`."""
    customer_id: str = ""
    """The tenant's id, which correlation rules belong to, for `ngsiem`."""
    query_deadline: Duration = timedelta(minutes=10)
    """Longest a query job may take; then it is deleted and its window stays due."""
    timeout: Duration = timedelta(seconds=30)
    """Longest a single request may take, from first byte to last."""
    use_proxy: bool = False
    """Whether the proxies that the environment names (HTTPS_PROXY, NO_PROXY) are used."""


class RulesSettings(_Section):
    """Where the rules are."""

    path: Path = Path("queries")


class StoreSettings(_Section):
    """Where state is kept."""

    url: str = "orchestrator.db"
    """A SQLite file, or a `postgresql+psycopg://` URL when more than one replica runs."""


class ScheduleSettings(_Section):
    """How the service ticks and how hard it tries."""

    tick: Duration = timedelta(seconds=10)
    """How often due windows and deliveries are looked for; lateness, never loss, depends on it."""
    lease: Duration = timedelta(minutes=1)
    """How long a crashed run blocks its window; renewed while the run is alive."""
    max_attempts: int = Field(default=10, ge=1)
    """Tries at one window before it is given up as a gap, which is itself reported."""
    windows_per_tick: int = Field(default=50, ge=1)
    """Most windows started in one tick; the rest stay due, oldest first."""
    concurrency: int = Field(default=4, ge=1)
    """Query jobs in flight at once."""
    drain: Duration = timedelta(seconds=8)
    """How long a stop waits for what is in hand before it releases it."""


class TableSettings(_Section):
    """One inventory file."""

    path: Path
    """CSV or NDJSON."""
    max_age: Duration | None = None
    """Older than this it excuses nothing; None takes the inventory's own."""


class InventorySettings(_Section):
    """Who is who."""

    max_age: Duration = timedelta(hours=24)
    tables: dict[str, TableSettings] = {}
    """Fact table name to its file."""


class RouteSettings(_Section):
    """One branch of the route tree."""

    name: str
    when: str
    """A CQL filter over the finding's flat fields."""
    receivers: list[str]


class RoutingSettings(_Section):
    """Who is told what."""

    default: list[str] = ["console"]
    """Receivers of a finding that no route matches; never nobody."""
    routes: list[RouteSettings] = []


class LinkSettings(_Section):
    """Bases of the links in messages."""

    logscale_url: str = ""
    """Empty takes the repository's URL."""
    falcon_url: str = "https://falcon.crowdstrike.com"


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


class LogSettings(_Section):
    """What is logged, to standard error."""

    level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    format: LogFormat = LogFormat.TEXT


class Config(BaseSettings):
    """The whole configuration; see config.example.toml for each key in use."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )

    rules: RulesSettings = RulesSettings()
    store: StoreSettings = StoreSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    repos: dict[str, RepoSettings] = {}
    inventory: InventorySettings = InventorySettings()
    receivers: dict[str, dict[str, Any]] = {}
    """Receiver name to its sink's own settings; `kind` picks the sink."""
    route: RoutingSettings = RoutingSettings()
    links: LinkSettings = LinkSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Rank the environment above the file, which comes in as the init values."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)

    def repo(self, name: str) -> RepoSettings:
        """Return the repository that `--repo` names.

        Raises:
            ConfigError: No such repository; the advice lists those there are.
        """
        if name not in self.repos:
            known = ", ".join(sorted(self.repos)) or "none are configured"
            raise ConfigError(
                f"there is no repository {name!r}",
                key=f"repos.{name}",
                advice=f"Known: {known}. Add a [repos.{name}] table",
            )
        return self.repos[name]


def load_config(path: Path | None, *, required: bool = False) -> Config:
    """Read, merge and check the configuration.

    Args:
        path: TOML file; None takes `orchestrator.toml` where it exists.
        required: Whether a missing file is an error; it always is for a path that was given.

    Raises:
        ConfigProblems: Everything that is wrong, each with its key and what to do.
    """
    given = path is not None
    path = path or DEFAULT_PATH
    values: dict[str, Any] = {}
    if path.exists():
        values = _read_toml(path)
    elif given or required:
        raise ConfigProblems(
            (ConfigError("the file does not exist", path=path, advice=_EXAMPLE_ADVICE),)
        )
    problems = [*_unknown_variables(os.environ)]
    try:
        config = Config(**values)
    except ValidationError as exc:
        problems.extend(_problem(error, path) for error in exc.errors(include_input=False))
    except SettingsError as exc:
        # The text names field and source and holds no value.
        problems.append(ConfigError(str(exc), advice="Write JSON into that variable"))
    else:
        if not problems:
            return _anchored(config, path.parent)
    raise ConfigProblems(tuple(problems))


_EXAMPLE_ADVICE = "Copy config.example.toml there and edit it"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as exc:
        raise ConfigProblems((ConfigError(f"not TOML: {exc}", path=path),)) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigProblems((ConfigError(f"cannot be read: {exc}", path=path),)) from exc


def _anchored(config: Config, base: Path) -> Config:
    """Return `config` with its relative paths counted from the file's own folder."""

    def at(path: Path) -> Path:
        return path if path.is_absolute() else base / path

    tables = {
        name: table.model_copy(update={"path": at(table.path)})
        for name, table in config.inventory.tables.items()
    }
    store = config.store
    if "://" not in store.url:
        store = store.model_copy(update={"url": str(at(Path(store.url)))})
    return config.model_copy(
        update={
            "rules": config.rules.model_copy(update={"path": at(config.rules.path)}),
            "inventory": config.inventory.model_copy(update={"tables": tables}),
            "store": store,
        }
    )


def _unknown_variables(environ: Mapping[str, str]) -> list[ConfigError]:
    """Return a problem for each variable with our prefix that no setting reads."""
    known = {name.upper() for name in Config.model_fields}
    problems = []
    for variable in sorted(environ):
        if not variable.upper().startswith(ENV_PREFIX):
            continue
        section = variable.upper().removeprefix(ENV_PREFIX).split("__")[0]
        if section not in known and variable not in _NOT_SETTINGS:
            near = difflib.get_close_matches(section, known, n=1)
            advice = f"Did you mean {ENV_PREFIX}{near[0]}?" if near else "Unset it"
            problems.append(ConfigError("no setting has this name", key=variable, advice=advice))
    return problems


# Variables with our prefix that are read elsewhere, on purpose.
_NOT_SETTINGS = frozenset({"ORCHESTRATOR_TEST_POSTGRES", "ORCHESTRATOR_KILL_AT"})


def _problem(error: Any, path: Path) -> ConfigError:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(error["loc"][-1]), _known_keys(error["loc"]), n=1)
        advice = f"Did you mean {near[0]!r}?" if near else "Remove it"
        return ConfigError("no setting has this name", key=key, path=path, advice=advice)
    message = str(error["msg"]).removeprefix("Value error, ")
    return ConfigError(message, key=key, path=path)


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the section around `location` takes."""
    model: type[BaseModel] = Config
    for part in location[:-1]:
        field = model.model_fields.get(str(part))
        step = _model_in(field.annotation) if field is not None else None
        model = step or model
    return list(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
