"""What deploying needs of a client; the LogScale client's `Assets` and `LookupFiles` fit."""

from __future__ import annotations

from typing import Protocol, TypeVar

from orchestrator.client.types import Asset, LookupFile

A = TypeVar("A", bound=Asset)


class AssetApi(Protocol):
    """Assets of one repository or tenant."""

    async def list(self, kind: type[A]) -> tuple[A, ...]:
        """Return all assets of a kind."""
        ...

    async def create(self, asset: A) -> A:
        """Create an asset and return it with its id."""
        ...

    async def update(self, asset: A, *, expected: A) -> A:
        """Replace `expected` by `asset`; refuses if it changed meanwhile."""
        ...

    async def delete(self, asset: A) -> None:
        """Delete an asset."""
        ...


class FileApi(Protocol):
    """Lookup files of one repository."""

    async def list(self) -> tuple[LookupFile, ...]:
        """Return all lookup files."""
        ...

    async def upload(self, name: str, content: bytes) -> bool:
        """Store a file; False if the same content was there already."""
        ...

    async def download(self, name: str) -> bytes:
        """Return a file's content."""
        ...
