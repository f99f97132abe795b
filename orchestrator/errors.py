"""Every exception of the product, grouped by who can act on it.

    OrchestratorError
    ├─ ConfigError                 the operator edits a file or the environment      exit 3
    │  ├─ AddressInvalid           a server's address cannot be one
    │  ├─ TokenInvalid             a token or secret holds what none can hold
    │  └─ ClockWrong               this machine's clock cannot be right
    ├─ RuleError                   the rule author edits a rule                      exit 4
    │  ├─ RuleFileError            a file is missing, unreadable or not YAML
    │  ├─ RuleInvalid              a file is readable and says something wrong
    │  └─ DuplicateRule            two files claim one id
    ├─ CqlError                    the query author edits a query                    exit 5
    │  ├─ CqlSyntaxError  CqlSemanticError
    │  └─ CqlUnsupported           valid CQL that the local engine cannot run
    ├─ ClientError                 the remote or the way to it                       exit 6
    │  ├─ ConnectionFailed         NameNotResolved  RequestTimedOut
    │  ├─ TlsFailed  ProxyRefused
    │  ├─ Unauthorized  Forbidden  RateLimited
    │  ├─ ServerFailed             ServerDown
    │  ├─ NotFound                 UnknownRepository
    │  ├─ RequestRejected          NotARepository
    │  ├─ UnexpectedResponse       the shape is not one that we know
    │  │  ├─ NotTheApi             a page or a redirect: what answers is something else
    │  │  ├─ AnswerCutOff          it ends in the middle
    │  │  └─ AnswerTooLarge        it holds more than is read
    │  ├─ ClockSkewed              the server's clock and ours differ
    │  ├─ GraphqlError             200 with errors in the envelope
    │  └─ QueryJobError            QueryRejected  QueryJobExpired  QueryIncomplete
    ├─ StoreError                  the state database or its disk                    exit 7
    │  ├─ StoreBusy                another process holds this database
    │  ├─ StoreFull  StoreConflict  LeaseLost  MigrationError
    ├─ DeliveryError               a destination refused a message                   exit 8
    ├─ InventoryError              an inventory file or source cannot be read        exit 9
    └─ DeployError                 the plan cannot be applied as it stands           exit 10

An exception is for "cannot go on". Diagnostics, decisions and refused deliveries are values.
Exit codes are fixed here and nowhere else; 0 is done, 1 is "the answer is no", 2 is usage. What a
program may react to besides has a class of its own, and `code` names it: `error[not-the-api]`.
No message holds a secret or a raw response body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

BODY_EXCERPT_CHARS = 256
_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


class OrchestratorError(Exception):
    """The root: catch this at the outer edge of a command, nowhere else."""

    exit_code: ClassVar[int] = 70

    @property
    def code(self) -> str:
        """Return the word for this error that programs go by; docs/errors.md lists them all."""
        return code_of(type(self))


def code_of(error: type[OrchestratorError]) -> str:
    """Return the class's name in lower case, a dash before each word."""
    return _WORD_START.sub("-", error.__name__).lower()


class ConfigError(OrchestratorError):
    """A setting is wrong, unknown or missing.

    Args:
        problem: What is wrong, in one sentence.
        key: Dotted key, such as `store.path`.
        path: File that holds the key, where one does.
        advice: What to do next.
    """

    exit_code = 3

    def __init__(
        self,
        problem: str,
        *,
        key: str | None = None,
        path: Path | None = None,
        advice: str | None = None,
    ) -> None:
        self.problem, self.key, self.path, self.advice = problem, key, path, advice
        super().__init__(problem)

    def __str__(self) -> str:
        where = " ".join(str(part) for part in (self.path, self.key) if part is not None)
        return _sentence(where, self.problem, self.advice)


class AddressInvalid(ConfigError):
    """A server's address has no scheme, points to a page, or belongs to another product."""


class TokenInvalid(ConfigError):
    """A token or secret holds what none can hold, such as the line break it was pasted with."""


class ClockWrong(ConfigError):
    """This machine's clock cannot be right, so that no window can be told to be due."""


class RuleError(OrchestratorError):
    """Something in a rule folder stops it from being used; line and column count from 1."""

    exit_code = 4

    def __init__(
        self,
        problem: str,
        *,
        path: Path | None = None,
        line: int | None = None,
        column: int | None = None,
        advice: str | None = None,
    ) -> None:
        self.problem, self.path, self.line, self.column = problem, path, line, column
        self.advice = advice
        super().__init__(problem)

    def __str__(self) -> str:
        parts = (self.path, self.line, self.column)
        where = ":".join(str(part) for part in parts if part is not None)
        return _sentence(where, self.problem, self.advice)


class RuleFileError(RuleError):
    """A rule file is missing, unreadable or not YAML."""


class RuleInvalid(RuleError):
    """A rule file is readable and says something that cannot be."""


class DuplicateRule(RuleError):
    """Two rule folders claim one id or one name."""


class CqlError(OrchestratorError):
    """A query is wrong; `start` and `end` are character offsets, half-open, into the text."""

    exit_code = 5

    def __init__(self, problem: str, *, start: int = 0, end: int = 0) -> None:
        self.problem, self.start, self.end = problem, start, end
        super().__init__(problem)

    def __str__(self) -> str:
        return self.problem


class CqlSyntaxError(CqlError):
    """The text is not CQL."""


class CqlSemanticError(CqlError):
    """The text is CQL and means something LogScale refuses."""


class CqlUnsupported(CqlError):
    """Valid CQL that the local engine cannot run: not the author's fault.

    Args:
        name: The construct or function, as written.
        reason: Why the engine refuses rather than approximates.
    """

    def __init__(self, name: str, reason: str, *, start: int = 0, end: int = 0) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"the local engine cannot run {name}: {reason}", start=start, end=end)


class ClientError(OrchestratorError):
    """A remote refused, failed or could not be reached.

    Args:
        problem: What went wrong, without secrets and without a raw body.
        method: HTTP method of the request, where there was one.
        path: Path of the request, never its query string.
        request_id: The remote's own id for the request, for its support.
        advice: What to do next.
    """

    exit_code = 6
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        problem: str,
        *,
        method: str = "",
        path: str = "",
        request_id: str | None = None,
        advice: str | None = None,
    ) -> None:
        self.problem, self.method, self.path = problem, method, path
        self.request_id, self.advice = request_id, advice
        self.server = ""
        """Base address of the server, once somebody knows it who may name it."""
        self.events_taken = 0
        """Of events sent in several requests: how many the server took before this happened."""
        super().__init__(problem)

    def __str__(self) -> str:
        place = f"{self.server}/{self.path}" if self.server else self.path
        where = " ".join(part for part in (self.method, place) if part)
        tail = f" (request {self.request_id})" if self.request_id else ""
        taken = f"; {self.events_taken} events before were taken" if self.events_taken else ""
        return _sentence(where, self.problem + tail + taken, self.advice)


class ConnectionFailed(ClientError):
    """No answer began; `sent` says whether the request may have reached the other side."""

    retryable = True

    def __init__(
        self,
        problem: str,
        *,
        sent: bool,
        method: str = "",
        path: str = "",
        advice: str | None = None,
    ) -> None:
        self.sent = sent
        super().__init__(problem, method=method, path=path, advice=advice)


class NameNotResolved(ConnectionFailed):
    """The server's name is not known to DNS, or DNS does not answer; nothing was sent."""


class TlsFailed(ClientError):
    """TLS was not agreed: the certificate is not trusted, or only one side speaks it."""


class ProxyRefused(ClientError):
    """A proxy on the way let nothing through: it wants a login, or forbids the server."""


class RequestTimedOut(ClientError):
    """The deadline passed after the request was sent: the outcome is unknown."""

    retryable = True


class Unauthorized(ClientError):
    """401: the token is missing, wrong or expired."""


class Forbidden(ClientError):
    """403: the token is known and lacks a right."""


class NotFound(ClientError):
    """404: no such repository, asset or job, or no right to see it."""


class UnknownRepository(NotFound):
    """No repository or view has this name, or the token may not see it."""


class RateLimited(ClientError):
    """429: too many requests; `retry_after` is None where the remote named no delay."""

    retryable = True

    def __init__(
        self,
        problem: str,
        *,
        retry_after: timedelta | None = None,
        method: str = "",
        path: str = "",
        request_id: str | None = None,
        advice: str | None = None,
    ) -> None:
        self.retry_after = retry_after
        super().__init__(problem, method=method, path=path, request_id=request_id, advice=advice)


class ServerFailed(ClientError):
    """5xx: the remote failed; `status` holds the code."""

    retryable = True

    def __init__(
        self,
        problem: str,
        *,
        status: int,
        method: str = "",
        path: str = "",
        request_id: str | None = None,
        advice: str | None = None,
    ) -> None:
        self.status = status
        super().__init__(problem, method=method, path=path, request_id=request_id, advice=advice)


class ServerDown(ServerFailed):
    """503 with the server's own word that it is down, and not a proxy's that it is not there."""


class RequestRejected(ClientError):
    """Another 4xx: the request itself is wrong and will stay wrong.

    `problems` has each reason by itself, where the server lists several.
    """

    def __init__(
        self,
        problem: str,
        *,
        method: str = "",
        path: str = "",
        request_id: str | None = None,
        advice: str | None = None,
        problems: tuple[str, ...] = (),
    ) -> None:
        self.problems = problems
        super().__init__(problem, method=method, path=path, request_id=request_id, advice=advice)


class NotARepository(RequestRejected):
    """Events were sent to a view, which stores none."""


class UnexpectedResponse(ClientError):
    """The answer has a shape that we do not know."""


class NotTheApi(UnexpectedResponse):
    """Something else answers: a login page, a proxy's page, a redirect, or no HTTP at all."""


class AnswerCutOff(UnexpectedResponse):
    """The answer is empty or ends in the middle, though the exchange ended well."""

    retryable = True


class AnswerTooLarge(UnexpectedResponse):
    """The answer holds more than is read, so that no answer fills the memory."""


class ClockSkewed(ClientError):
    """The server's clock and this machine's differ: windows would cover another time than meant.

    Args:
        ahead: How far this machine is ahead of the server; negative if it is behind.
        problem: The same in words.
        advice: What to do next.
    """

    def __init__(self, problem: str, *, ahead: timedelta, advice: str | None = None) -> None:
        self.ahead = ahead
        super().__init__(problem, advice=advice)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphqlProblem:
    """One entry of `errors` in a GraphQL answer; texts are on one line and cut."""

    message: str
    state: Mapping[str, str] = field(default_factory=dict)
    """LogScale's reasons, by the member of the input that each is about."""
    path: tuple[str | int, ...] = ()
    """Where in the answer's data it happened: names, and places in lists."""

    def __str__(self) -> str:
        at = (f"at {'.'.join(map(str, self.path))}",) if self.path else ()
        return "; ".join((self.message, *map(": ".join, self.state.items()), *at))


class GraphqlError(ClientError):
    """GraphQL answered 200 with `errors`; `problems` has each of them by itself."""

    def __init__(
        self,
        problem: str,
        *,
        problems: tuple[GraphqlProblem, ...] = (),
        method: str = "",
        path: str = "",
        request_id: str | None = None,
        advice: str | None = None,
    ) -> None:
        self.problems = problems
        super().__init__(problem, method=method, path=path, request_id=request_id, advice=advice)


class QueryJobError(ClientError):
    """A query job did not give a usable result."""


class QueryRejected(QueryJobError):
    """The server refused the query text; its own message is the problem."""


class QueryJobExpired(QueryJobError):
    """The job is gone on the server: not polled in time, or the server restarted."""

    retryable = True


class QueryIncomplete(QueryJobError):
    """The job ended without the whole answer; `reasons` says why."""

    retryable = True

    def __init__(self, reasons: tuple[str, ...], *, path: str = "") -> None:
        self.reasons = reasons
        super().__init__("the result is incomplete: " + "; ".join(reasons), path=path)


class StoreError(OrchestratorError):
    """The state database cannot do what was asked."""

    exit_code = 7


class StoreBusy(StoreError):
    """Another process holds this database."""


class StoreFull(StoreError):
    """The disk is full; the transaction was rolled back and nothing is half written."""


class StoreConflict(StoreError):
    """Someone else changed the same row first; read again and retry."""


class LeaseLost(StoreError):
    """The claim was taken over by someone else; this attempt must stop."""


class MigrationError(StoreError):
    """The database's schema is newer than this program, or a migration failed."""


class DeliveryError(OrchestratorError):
    """A destination cannot be set up; a refused message is an outcome, not an exception."""

    exit_code = 8


class InventoryError(OrchestratorError):
    """An inventory file cannot be read or says something that cannot be; line counts from 1."""

    exit_code = 9

    def __init__(self, problem: str, *, path: Path | None = None, line: int | None = None) -> None:
        self.problem, self.path, self.line = problem, path, line
        super().__init__(problem)

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.path, self.line) if part is not None)
        return _sentence(where, self.problem, None)


class DeployError(OrchestratorError):
    """The plan cannot be applied: an asset is not ours, or it changed since it was read."""

    exit_code = 10


def _sentence(where: str, problem: str, advice: str | None) -> str:
    text = f"{where}: {problem}" if where else problem
    return f"{text}. {advice}" if advice else text
