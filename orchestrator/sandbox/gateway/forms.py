"""Forms of the content routes, and the search domains that they name.

A search domain is a repository by its name; `all` and the other names of NG-SIEM stand for every
repository when a file is written, and for the first in all other cases.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from orchestrator.sandbox.answers import Refusal
from orchestrator.sandbox.state import Sandbox
from orchestrator.sandbox.storage.domains import Domain

_NAMED = {
    "all",
    "falcon",
    "falcon-for-it",
    "third-party",
    "dashboards",
    "parsers-repository",
    "query-audit",
}


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form, read whole; parameters of the query string count as its texts."""

    texts: dict[str, str]
    files: dict[str, tuple[str, bytes]]

    def file(self, name: str) -> tuple[str, bytes]:
        """Return a part's file name and content.

        Raises:
            Refusal: 400, there is no such part.
        """
        if name not in self.files:
            raise Refusal(400, f"a part named {name!r} with a file is expected")
        return self.files[name]

    def text(self, name: str) -> str:
        """Return a part's text, whether it came as a field or as a file; empty if it did not.

        Raises:
            Refusal: 400, it is not UTF-8.
        """
        if name not in self.files:
            return self.texts.get(name, "")
        try:
            return self.files[name][1].decode("utf-8")
        except UnicodeDecodeError as exc:
            raise Refusal(400, f"{name} is not UTF-8") from exc


async def form_of(request: Request) -> Form:
    """Return the request's form.

    Raises:
        Refusal: 400, it has none.
    """
    texts: dict[str, str] = dict(request.query_params)
    files: dict[str, tuple[str, bytes]] = {}
    try:
        async with request.form() as form:
            for name, part in form.multi_items():
                if isinstance(part, UploadFile):
                    files[name] = (part.filename or "", await part.read())
                else:
                    texts[name] = part
    except MultiPartException as exc:
        raise Refusal(400, "a multipart form is expected") from exc
    return Form(texts, files)


def domains_of(sandbox: Sandbox, name: str) -> list[Domain]:
    """Return the repositories that a search domain stands for; at least one.

    Raises:
        Refusal: 400, it is not known.
    """
    if name in sandbox.domains:
        return [sandbox.domains[name]]
    found = [domain for domain in sandbox.domains.values() if not domain.is_view]
    if name not in _NAMED or not found:
        raise Refusal(400, f"search_domain {name[:80]!r} is not known")
    return found


def domain_of(sandbox: Sandbox, name: str) -> Domain:
    """Return the repository that a search domain's assets are in.

    Raises:
        Refusal: 400, it is not known.
    """
    return domains_of(sandbox, name)[0]
