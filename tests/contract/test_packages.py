"""Packages: our client against the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.client import (
    ConflictResolution,
    InstalledPackage,
    LogScale,
    SavedQuery,
    archive_of,
)
from orchestrator.clock import FrozenClock
from orchestrator.errors import Forbidden, GraphqlError, RequestRejected, UnknownRepository
from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.settings import Right, SandboxSettings, TokenRole
from orchestrator.secret import SecretText
from tests.package_files import NAME, OWNERS, QUERY, files, package, version

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
TOKENS = {
    "admin-token": TokenRole(name="admin"),
    "reader-token": TokenRole(name="reader", rights=frozenset({Right.READ})),
}


@pytest.fixture
async def clients(tmp_path: Path) -> AsyncIterator[tuple[LogScale, LogScale]]:
    """Yield an administrator's and a reader's client of one sandbox with a marketplace."""
    (tmp_path / "old.zip").write_bytes(package())
    (tmp_path / "new.zip").write_bytes(version("2.0.0"))
    clock = FrozenClock(NOW)
    app = create_app(SandboxSettings(tokens=TOKENS, marketplace=tmp_path), clock=clock)
    admin, reader = (
        LogScale("http://sandbox", token=SecretText(token), clock=clock, asgi_app=app)
        for token in TOKENS
    )
    async with admin, reader:
        yield admin, reader
    app.state.sandbox.close()


async def test_package_is_installed_used_and_taken_out(clients: tuple[LogScale, LogScale]) -> None:
    scale, _ = clients
    packages = scale.packages("falcon")
    archive = archive_of(files())

    assert await packages.check(archive) == ()
    await packages.install(archive)

    (installed,) = await packages.list()
    assert installed == InstalledPackage(
        id=f"{NAME}@1.2.0",
        source="ZipFile",
        available_update="2.0.0",
        installed_by="admin",
        installed_at=NOW,
        updated_by="admin",
        updated_at=NOW,
    )
    assert (installed.name, installed.version) == (NAME, "1.2.0")
    (file,) = await scale.files("falcon").list()
    assert (file.name, file.package) == ("owners.csv", NAME)
    assert await scale.files("falcon").download(file.name, package=file.package) == OWNERS

    await packages.uninstall(NAME)

    assert await packages.list() == ()
    assert await scale.files("falcon").list() == ()
    with pytest.raises(GraphqlError, match=f"'{NAME}' is not installed in 'falcon'"):
        await packages.uninstall(NAME)


async def test_file_of_the_own_is_not_taken_for_that_of_a_package(
    clients: tuple[LogScale, LogScale],
) -> None:
    scale, _ = clients
    await scale.packages("falcon").install(package())

    assert await scale.files("falcon").upload("owners.csv", OWNERS) is True
    assert await scale.files("falcon").upload("owners.csv", OWNERS) is False

    listed = await scale.files("falcon").list()
    assert [file.package for file in listed] == ["", NAME]


async def test_package_that_does_not_fit_is_told_whole(clients: tuple[LogScale, LogScale]) -> None:
    scale, _ = clients
    broken = package(
        {
            "queries/denied.yaml": QUERY.replace("verdict=denied", "count("),
            "queries/other.yaml": "name: Other\nqueryString: 'x = | '\n",
        }
    )

    told = await scale.packages("falcon").check(broken)
    with pytest.raises(RequestRejected) as caught:
        await scale.packages("falcon").install(broken)

    assert [text.split(": ")[0] for text in told] == ["queries/denied.yaml", "queries/other.yaml"]
    assert caught.value.problems == told
    assert await scale.packages("falcon").list() == ()


async def test_package_is_there_once_unless_it_is_overwritten(
    clients: tuple[LogScale, LogScale],
) -> None:
    scale, _ = clients
    packages = scale.packages("falcon")
    await packages.install(package())

    with pytest.raises(RequestRejected, match="is installed already"):
        await packages.install(version("1.3.0"))
    await packages.install(version("1.3.0"), overwrite=True)

    assert [found.version for found in await packages.list()] == ["1.3.0"]


async def test_update_keeps_what_was_changed_here_where_it_is_told_to(
    clients: tuple[LogScale, LogScale],
) -> None:
    scale, _ = clients
    packages, assets = scale.packages("falcon"), scale.assets("falcon")
    await packages.install_from_marketplace(f"{NAME}@1.2.0")
    (query,) = await assets.list(SavedQuery)
    await assets.update(replace(query, query="mine"), expected=query)

    with pytest.raises(GraphqlError, match="SavedQuery 'Denied' was changed here"):
        await packages.update_from_marketplace(f"{NAME}@2.0.0")
    kept = ConflictResolution(kind="SavedQuery", name="Denied", keep=True)
    await packages.update_from_marketplace(f"{NAME}@2.0.0", [kept])

    assert [found.id for found in await packages.list()] == [f"{NAME}@2.0.0"]
    assert [found.query for found in await assets.list(SavedQuery)] == ["mine"]


@pytest.mark.parametrize("package_id", ["acme/none@1.0.0", f"{NAME}@9.9.9"])
async def test_package_that_the_marketplace_does_not_have(
    clients: tuple[LogScale, LogScale], package_id: str
) -> None:
    scale, _ = clients

    with pytest.raises(GraphqlError, match=f"Could not find the package '{package_id}'"):
        await scale.packages("falcon").install_from_marketplace(package_id)


async def test_package_is_not_updated_where_it_is_not_installed(
    clients: tuple[LogScale, LogScale],
) -> None:
    scale, _ = clients

    with pytest.raises(GraphqlError, match="is not installed"):
        await scale.packages("falcon").update_from_marketplace(f"{NAME}@2.0.0")


async def test_packages_need_a_right_of_their_own(clients: tuple[LogScale, LogScale]) -> None:
    scale, reader = clients
    packages = reader.packages("falcon")
    await scale.packages("falcon").install(package())

    assert len(await packages.list()) == 1
    for refused in (
        packages.check(package()),
        packages.install(package()),
        packages.uninstall(NAME),
        packages.install_from_marketplace(f"{NAME}@1.2.0"),
    ):
        with pytest.raises(Forbidden):
            await refused
    with pytest.raises(UnknownRepository):
        await scale.packages("nowhere").list()
