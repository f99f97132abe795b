"""What most commands open first: settings, and the state database for as long as it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator.clock import SystemClock
from orchestrator.config import Config, load_config
from orchestrator.logs import configure_logging
from orchestrator.store import Store, open_store

T = TypeVar("T")


def config_of(ctx: click.Context) -> Config:
    """Return the settings that the root command was pointed at, and set logging up by them.

    Raises:
        ConfigError: Every problem of the file and the environment.
    """
    path: Path | None = ctx.find_root().obj
    config = load_config(path)
    configure_logging(config.log)
    return config


def store_of(config: Config, *, writing: bool = False) -> AbstractAsyncContextManager[Store]:
    """Return the state database, to be entered; only for reading unless it says `writing`.

    Reading goes on beside a running service, which holds the database for itself otherwise.
    """
    return open_store(config.store.url, clock=SystemClock(), read_only=not writing)


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end."""
    return asyncio.run(main)
