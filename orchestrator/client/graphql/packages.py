"""Packages of one view: list, check, install from a zip or the marketplace, update, uninstall.

An archive is checked and installed as a whole: it is there afterwards, or nothing of it is.
Source: humio/cli internal/api/packages.go; GraphQL schema of server 1.204.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping

from orchestrator.client.graphql.assets import was_done
from orchestrator.client.graphql.client import Graphql
from orchestrator.client.http.members import Members, json_object
from orchestrator.client.http.problems import package_problems
from orchestrator.client.http.session import Session
from orchestrator.client.http.transport import Request
from orchestrator.client.types import ConflictResolution, InstalledPackage, QueryOwnership
from orchestrator.errors import RequestRejected

_PATH = "api/v1/packages"


class Packages:
    """The packages of one view or repository.

    Args:
        session: For archives.
        graphql: For the list, the marketplace and removals.
        view: Name of the view or repository.
        ownership: Who the alerts and scheduled searches of a package run as.
    """

    def __init__(
        self, session: Session, *, graphql: Graphql, view: str, ownership: QueryOwnership
    ) -> None:
        self._session, self._graphql = session, graphql
        self._view, self._ownership = view, ownership

    async def list(self) -> tuple[InstalledPackage, ...]:
        """Return what is installed, sorted by id.

        Raises:
            UnknownRepository: No such repository or view, or no right to see it.
        """
        data = await self._graphql.execute("ListPackages", {"view": self._view})
        found = map(_read, data.member("searchDomain").members("installedPackages"))
        return tuple(sorted(found, key=lambda package: package.id))

    async def check(self, archive: bytes) -> tuple[str, ...]:
        """Return all that keeps a package from being installed; empty if nothing does.

        Args:
            archive: A zip, such as `archive_of` makes.

        Raises:
            ClientError: The server could not be asked, or no right.
        """
        return await self._post("analyze", archive, idempotent=True)

    async def install(self, archive: bytes, *, overwrite: bool = False) -> None:
        """Install a package.

        Args:
            archive: A zip, such as `archive_of` makes.
            overwrite: Put it in the place of the version that is there, local changes of its
                assets included. Without it a package that is there already is an error.

        Raises:
            RequestRejected: The server refused it; `problems` has all that it names.
            ClientError: The server could not be asked, or no right.
        """
        query = (
            ("overwrite", "true" if overwrite else "false"),
            # In lower case, as the vendor's command line sends it.
            ("queryOwnershipType", self._ownership.value.lower()),
        )
        # The same package twice is once: only where it may not be there does a repetition harm.
        problems = await self._post("install", archive, query=query, idempotent=overwrite)
        if problems:
            where = f"{_PATH}/install"
            text = "; ".join(problems)
            raise RequestRejected(text, method="POST", path=where, problems=problems)

    async def install_from_marketplace(self, package_id: str) -> None:
        """Install a package of the server's marketplace.

        Args:
            package_id: With its version, `scope/name@1.2.3`.

        Raises:
            GraphqlError: No such package, it is installed already, or no right.
        """
        given = self._given(package_id)
        await self._graphql.execute("InstallPackage", {"input": given})

    async def update_from_marketplace(
        self, package_id: str, resolutions: Collection[ConflictResolution] = ()
    ) -> None:
        """Put another version of a package in the place of the one that is there.

        Args:
            package_id: With the new version, `scope/name@1.2.3`.
            resolutions: What becomes of its assets that were changed here.

        Raises:
            GraphqlError: No such package, it is not installed, a change was not spoken of, or no
                right.
        """
        given = self._given(package_id)
        given["conflictResolutions"] = [
            {
                "entityType": resolution.kind,
                "entityName": resolution.name,
                "conflictResolution": "Ours" if resolution.keep else "Theirs",
            }
            for resolution in resolutions
        ]
        await self._graphql.execute("UpdatePackage", {"input": given})

    async def uninstall(self, name: str) -> None:
        """Take a package out, with the assets that it brought.

        Args:
            name: Without the version, `scope/name`.

        Raises:
            GraphqlError: It is not installed, or no right.
        """
        given = {"view": self._view, "name": name}
        data = await self._graphql.execute("UninstallPackage", given)
        if not was_done(data):
            raise RequestRejected(f"{name} was not uninstalled from {self._view}")

    def _given(self, package_id: str) -> dict[str, object]:
        return {
            "viewName": self._view,
            "packageId": package_id,
            "queryOwnershipType": self._ownership.value,
        }

    async def _post(
        self,
        verb: str,
        archive: bytes,
        *,
        query: tuple[tuple[str, str], ...] = (),
        idempotent: bool,
    ) -> tuple[str, ...]:
        request = Request(
            method="POST",
            path=f"{_PATH}/{verb}",
            query=(("view", self._view), *query),
            headers={"Content-Type": "application/zip"},
            content=archive,
            idempotent=idempotent,
        )
        response = await self._session.call(request)
        json_object(response, where="the server's report on a package")
        return package_problems(response)


def archive_of(files: Mapping[str, bytes]) -> bytes:
    """Return a package's zip; the same files are the same bytes.

    Args:
        files: Contents by path below the package's folder, `manifest.yaml` among them. Parts of a
            path that begin with a dot or an underscore are left out, as the vendor's tool does.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            if not any(part.startswith((".", "_")) for part in path.split("/")):
                archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _read(members: Members) -> InstalledPackage:
    installed, updated = members.member("installedBy"), members.member("updatedBy")
    return InstalledPackage(
        id=members.text("id"),
        source=members.text("source"),
        available_update=members.text("availableUpdate", ""),
        installed_by=installed.text("username"),
        installed_at=installed.instant("timestamp"),
        updated_by=updated.text("username"),
        updated_at=updated.instant("timestamp"),
    )
