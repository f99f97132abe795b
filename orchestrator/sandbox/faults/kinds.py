"""Faults on demand: what goes wrong, on which route, how many times or how often.

A plan maps a route pattern, `METHOD /path/with/*` (either part may be `*`), to faults met in
order, each `count` times; `every` and `probability` let requests pass in between. Faults of the
transport (`RATE_LIMITED`, `HTML`, …) replace the answer before the route is reached; faults of a
query job (`LOST`, `SLOW`, …) match the job's poll path and bend the answer. Faults are set from
`SandboxSettings.faults`, by `--fault` and by `POST /_sandbox/faults`. Chance has a fixed seed: the
same requests in the same order meet the same faults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random

FOREVER = -1
"""A count that never runs out."""
_SEED = 1528


class FaultKind(StrEnum):
    """What goes wrong."""

    RATE_LIMITED = "rate-limited"
    """429 with Retry-After (`retry_after_s`)."""
    UNAVAILABLE = "unavailable"
    """503 with a text body."""
    SERVER_ERROR = "server-error"
    """500 with a text body."""
    EXPIRED_TOKEN = "expired-token"  # noqa: S105 -- names a fault
    """401, as if the token had just expired."""
    FORBIDDEN = "forbidden"
    """403, as if a right had just been taken away."""
    HTML = "html"
    """200 with a login page instead of JSON."""
    BROKEN_JSON = "broken-json"
    """200 with a JSON text that ends in the middle."""
    CUT_GZIP = "cut-gzip"
    """200 with compressed JSON that ends in the middle, though as long as its head says."""
    EMPTY = "empty"
    """200 with no body at all."""
    OTHER_SHAPE = "other-shape"
    """200 with JSON that is not the answer's."""
    WRONG_ENCODING = "wrong-encoding"
    """200 with JSON in Latin-1."""
    LOGIN_REDIRECT = "login-redirect"
    """302 to another host's login page."""
    PROXY_PAGE = "proxy-page"
    """502 with a page of HTML, as a proxy sends it that does not reach the server."""
    CLOCK_AHEAD = "clock-ahead"
    """The answer as it is, with a `Date` ten minutes in the future."""
    CLOCK_BEHIND = "clock-behind"
    """The answer as it is, with a `Date` ten minutes in the past."""
    RESET = "reset"
    """The connection breaks without an answer, before the request is handled."""
    RESET_AFTER = "reset-after"
    """The request is handled, then the connection breaks: the caller cannot know."""
    GRAPHQL_ERROR = "graphql-error"
    """200 with an error whose reasons stand in `state` only."""
    LOST = "lost"
    """Poll: the job is gone, 404."""
    SLOW = "slow"
    """Poll: `done: false`, though the work may be finished."""
    CANCELLED = "cancelled"
    """Poll: `cancelled: true`, with no rows."""
    WARNINGS = "warnings"
    """Poll: done, with a warning that makes the result incomplete."""
    PARTIAL = "partial"
    """Poll: done, half of the rows, `workDone` short of `totalWork`, and a warning."""


JOB_FAULTS = frozenset(
    {FaultKind.LOST, FaultKind.SLOW, FaultKind.CANCELLED, FaultKind.WARNINGS, FaultKind.PARTIAL}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong `count` times, in a row unless `every` or `probability` is set."""

    kind: FaultKind
    count: int = 1
    """Requests that meet it; `FOREVER` for all of them."""
    skip: int = 0
    """Requests that pass before the first one meets it."""
    every: int = 1
    """Each of so many requests meets it, the last of them: 3 lets two pass, then one not."""
    probability: float = 1.0
    """The chance of a request whose turn it is, above 0 and up to 1."""
    retry_after_s: int = 1
    """For RATE_LIMITED: the header's value."""
    message: str = ""
    """Text of the error or warning; empty takes the kind's own."""

    def __post_init__(self) -> None:
        if self.count < FOREVER or self.count == 0:
            raise ValueError("count must be 1 or more, or -1 for ever")
        if self.skip < 0 or self.retry_after_s < 0:
            raise ValueError("skip and retry_after_s must not be negative")
        if self.every < 1:
            raise ValueError("every must be 1 or more")
        if not 0 < self.probability <= 1:
            raise ValueError("probability must be above 0 and no more than 1")


_FIELDS = frozenset(field.name for field in fields(Fault))


class FaultPlan:
    """The faults still to come, per route pattern, tried in the order they were set."""

    def __init__(self, faults: Mapping[str, Sequence[Fault]] | None = None) -> None:
        self._pending: dict[str, list[Fault]] = {}
        self._seen: dict[str, int] = {}
        """By pattern: requests that fitted since the first of its faults was reached."""
        self._chance = Random(_SEED)  # noqa: S311 -- no secret, and the same each time
        for pattern, queue in (faults or {}).items():
            self.set(pattern, queue)

    def set(self, pattern: str, faults: Sequence[Fault]) -> None:
        """Replace what `pattern` meets; an empty sequence clears it."""
        self._seen.pop(pattern, None)
        if faults:
            self._pending[pattern] = list(faults)
        else:
            self._pending.pop(pattern, None)

    def clear(self) -> None:
        """Let everything pass from now on."""
        self._pending.clear()
        self._seen.clear()

    def pending(self) -> dict[str, list[Fault]]:
        """Return what is still to come, by pattern."""
        return {pattern: list(queue) for pattern, queue in self._pending.items()}

    def take(self, method: str, path: str, *, job: bool = False) -> Fault | None:
        """Return the fault that this request meets, and count it as met.

        Args:
            method: HTTP method, upper case.
            path: Path without the query string.
            job: Whether to look at query-job faults rather than at transport faults.
        """
        for pattern, queue in self._pending.items():
            if not queue or not matches(pattern, method, path):
                continue
            first = queue[0]
            if (first.kind in JOB_FAULTS) is not job:
                continue
            if first.skip:
                queue[0] = replace(first, skip=first.skip - 1)
                return None
            if not self._is_met(pattern, first):
                return None
            self._count(pattern, queue)
            return first
        return None

    def _is_met(self, pattern: str, fault: Fault) -> bool:
        self._seen[pattern] = self._seen.get(pattern, 0) + 1
        if self._seen[pattern] % fault.every:
            return False
        return fault.probability >= 1 or self._chance.random() < fault.probability

    def _count(self, pattern: str, queue: list[Fault]) -> None:
        first = queue[0]
        if first.count == FOREVER:
            return
        if first.count > 1:
            queue[0] = replace(first, count=first.count - 1)
            return
        del queue[0]
        self._seen.pop(pattern, None)
        if not queue:
            del self._pending[pattern]


def matches(pattern: str, method: str, path: str) -> bool:
    """Return whether `METHOD /path*` (or `/path*` for any method) fits the request."""
    verb, _, rest = pattern.partition(" ")
    if not rest:
        verb, rest = "*", pattern
    return fnmatchcase(method, verb.upper()) and fnmatchcase(path, rest)


def fault_from_json(raw: object) -> Fault:
    """Return the fault that a JSON object describes: `kind` and any of the other fields.

    A fault with `every` or `probability` and no `count` has no end.

    Raises:
        ValueError: Not an object, an unknown member or kind, or a value out of range.
    """
    if not isinstance(raw, Mapping):
        # One kind of error for all that can be wrong with the text.
        problem = 'a fault is an object such as {"kind": "unavailable", "count": 2}'
        raise ValueError(problem)  # noqa: TRY004 -- a wrong value, like the others here
    unknown = sorted(set(raw) - _FIELDS)
    if unknown:
        raise ValueError(f"unknown member {unknown[0]!r}")
    is_rate = "every" in raw or "probability" in raw
    return Fault(
        kind=FaultKind(str(raw.get("kind", ""))),
        count=_whole(raw, "count", FOREVER if is_rate else 1),
        skip=_whole(raw, "skip", 0),
        every=_whole(raw, "every", 1),
        probability=_number(raw, "probability", 1.0),
        retry_after_s=_whole(raw, "retry_after_s", 1),
        message=str(raw.get("message", "")),
    )


def fault_to_json(fault: Fault) -> dict[str, object]:
    """Return the JSON object that `fault_from_json` reads back."""
    return {
        "kind": fault.kind.value,
        "count": fault.count,
        "skip": fault.skip,
        "every": fault.every,
        "probability": fault.probability,
        "retry_after_s": fault.retry_after_s,
        "message": fault.message,
    }


def faults_from_texts(texts: Sequence[str]) -> dict[str, list[Fault]]:
    """Return a plan's faults from texts such as `POST */queryjobs=unavailable,count=2`.

    Behind the pattern and `=` stands the kind, behind it any of the other fields as `name=value`.
    Faults of one pattern are met in the order of the texts.

    Raises:
        ValueError: A text is not of this form; the message quotes it.
    """
    plan: dict[str, list[Fault]] = {}
    for text in texts:
        pattern, _, rest = text.partition("=")
        kind, *settings = rest.split(",")
        raw: dict[str, object] = {"kind": kind.strip()}
        for setting in settings:
            name, _, value = setting.partition("=")
            raw[name.strip()] = _value(value.strip())
        try:
            plan.setdefault(pattern.strip(), []).append(fault_from_json(raw))
        except ValueError as exc:
            known = ", ".join(kind.value for kind in FaultKind)
            raise ValueError(
                f"{text!r} is not PATTERN=KIND[,NAME=VALUE]: {exc}; kinds: {known}"
            ) from exc
    return plan


def _value(text: str) -> object:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _number(raw: Mapping[object, object], name: str, default: float) -> float:
    value = raw.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number")  # noqa: TRY004 -- as above
    return float(value)


def _whole(raw: Mapping[object, object], name: str, default: int) -> int:
    value = raw.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} must be a whole number")  # noqa: TRY004 -- as above
    return value
