"""Typed ids and how derived ids are derived.

Derived ids are hashes of what they stand for, so that doing the same work twice gives the same
ids: a window run again yields the same findings, a notification sent again the same key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import NewType

RuleId = NewType("RuleId", str)
"""A rule's UUID, from its file; never changes."""
RunId = NewType("RunId", str)
"""One rule over one window."""
Fingerprint = NewType("Fingerprint", str)
"""Identity of "the same thing again" across windows: rule and key fields."""
FindingId = NewType("FindingId", str)
"""One open-to-closed life of a fingerprint; reopened, it has a new generation and a new id."""
EntryId = NewType("EntryId", str)
"""One outbox row: a finding's revision for one receiver; also its idempotency key."""


def derive(*parts: str | int | Sequence[str]) -> str:
    """Return 32 hex digits that depend on every part and on where one part ends."""
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def derive_run_id(rule: RuleId, *, start_ms: int, end_ms: int) -> RunId:
    """Return the id of `rule` over the window `[start_ms, end_ms)`."""
    return RunId(derive("run", rule, start_ms, end_ms))


def derive_fingerprint(rule: RuleId, key: Sequence[tuple[str, str]]) -> Fingerprint:
    """Return the identity of a finding: the rule and its key fields with their values, in order."""
    return Fingerprint(derive("fingerprint", rule, [part for pair in key for part in pair]))


def derive_finding_id(fingerprint: Fingerprint, *, generation: int) -> FindingId:
    """Return the id of the `generation`-th life (from 1) of a fingerprint."""
    return FindingId(derive("finding", fingerprint, generation))


def derive_entry_id(finding: FindingId, *, receiver: str, revision: int) -> EntryId:
    """Return the id, and idempotency key, of one message to one receiver."""
    return EntryId(derive("entry", finding, receiver, revision))
