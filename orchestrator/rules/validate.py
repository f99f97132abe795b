"""What a readable rule may still get wrong: query, conditions, and the fields that both name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from orchestrator.cql.diagnostics import Diagnostic, Level
from orchestrator.cql.fields import fields_out, fields_read
from orchestrator.cql.lint import QueryKind, Waiver, lint
from orchestrator.cql.lint.codes import codes
from orchestrator.cql.parser import parse
from orchestrator.cql.span import LineIndex
from orchestrator.cron import validate_cron
from orchestrator.model.inventory import FactTable
from orchestrator.model.rule import DeployKind, Rule, TimestampField
from orchestrator.rules.problems import Problem
from orchestrator.rules.yaml import Place, Value

KINDS = {
    DeployKind.SAVED_SEARCH: QueryKind.SEARCH,
    DeployKind.SCHEDULED_SEARCH: QueryKind.SCHEDULED_SEARCH,
    DeployKind.AGGREGATE_ALERT: QueryKind.AGGREGATE_ALERT,
    DeployKind.FILTER_ALERT: QueryKind.FILTER_ALERT,
    DeployKind.CORRELATION_RULE: QueryKind.CORRELATION_RULE,
    DeployKind.NONE: QueryKind.SEARCH,
}
FACT_FIELDS = ("state", "known", "active", "matches", "missing", "ambiguous")
"""Fields that enrichment adds for each table, besides its parts and attributes."""
LOOKUP_FOLDER = "lookups"
_NEVER_WAIVED = ("grammar", "waivers")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


def check_rule(
    rule: Rule, folder: Path, document: Value, *, tables: Sequence[FactTable]
) -> list[Problem]:
    """Return what is wrong with the rule's query, conditions, fields and schedule."""
    checks = _Checks(rule, folder, document, tables)
    return [
        *checks.query(),
        *checks.waivers(),
        *checks.finding(),
        *checks.title(),
        *checks.triage(),
        *checks.schedule(),
        *checks.lookups(),
    ]


def lookup_names(rule: Rule) -> list[str]:
    """Return the rule's lookup files that are plain names, sorted: others could lead anywhere."""
    return sorted(name for name in rule.deploy.lookup_files if Path(name).name == name)


def waivers_of(rule: Rule) -> tuple[Waiver, ...]:
    """Return the rule's waivers that are whole; what is wrong with others is told elsewhere."""
    known = codes()
    return tuple(
        Waiver(code=allowed.code, reason=allowed.reason)
        for allowed in rule.lint.allow
        if allowed.reason
        and allowed.code in known
        and known[allowed.code].topic not in _NEVER_WAIVED
    )


class _Checks:
    def __init__(
        self, rule: Rule, folder: Path, document: Value, tables: Sequence[FactTable]
    ) -> None:
        self.rule, self.folder, self.document = rule, folder, document
        self.tables = {table.name: table for table in tables}
        parsed = parse(rule.query)
        # None too where the query is broken: what it would return is a guess then.
        self.columns = fields_out(parsed.query) if parsed.ok else None

    def query(self) -> Iterable[Problem]:
        if not self.rule.query:
            # Missing or empty, which the loader has told.
            return
        path = self.folder / "query.cql"
        index = LineIndex(self.rule.query)
        for diagnostic in lint(
            self.rule.query, kind=KINDS[self.rule.deploy.kind], waivers=waivers_of(self.rule)
        ):
            waiver = self._stale(diagnostic)
            if waiver is not None:
                yield waiver
                continue
            at = index.position(diagnostic.span.start)
            yield Problem(
                path=path,
                line=at.line,
                column=at.column,
                level=diagnostic.level,
                code=diagnostic.code,
                message=diagnostic.message,
                help=diagnostic.help,
                text=self.rule.query,
                diagnostic=diagnostic,
            )

    def _stale(self, diagnostic: Diagnostic) -> Problem | None:
        """Return a stale waiver of rule.yaml where it is written; None for anything else."""
        if diagnostic.code != "stale-waiver" or diagnostic.span.end:
            return None
        for number, allowed in enumerate(self.rule.lint.allow):
            if allowed.code in diagnostic.message:
                return self._error(
                    ("lint", "allow", number),
                    diagnostic.code,
                    f"the waiver of {allowed.code!r} silences nothing in this query.",
                    "Delete it.",
                    level=diagnostic.level,
                )
        return None

    def waivers(self) -> Iterable[Problem]:
        """Tell waivers of codes that do not exist, or that nobody may waive."""
        known = codes()
        for number, allowed in enumerate(self.rule.lint.allow):
            at = ("lint", "allow", number, "code")
            found = known.get(allowed.code)
            if found is not None and found.topic in _NEVER_WAIVED:
                yield self._error(
                    at,
                    "not-waivable",
                    f"{allowed.code!r} cannot be waived.",
                    "Mend what it points at; only checks can be waived.",
                )
            elif found is None and allowed.code:
                yield self._error(
                    at,
                    "unknown-check",
                    f"there is no check {allowed.code!r}.",
                    _nearest(allowed.code, known),
                )

    def finding(self) -> Iterable[Problem]:
        spec = self.rule.finding
        if self.columns is None:
            return
        named = {
            "key": spec.key,
            "score": (spec.score,),
            "count": (spec.count,),
            "first_seen": (spec.first_seen,),
            "last_seen": (spec.last_seen,),
            "severity_from": (spec.severity_from.field if spec.severity_from else "",),
            # Only those written out: the defaults are names that a query may well not return.
            "entities": self._written_entities(),
        }
        for key, fields in named.items():
            for field in fields:
                if field and field not in self.columns:
                    yield self._error(
                        ("finding", key),
                        "unknown-field",
                        f"the query returns no field {field!r}.",
                        _nearest(field, self.columns),
                    )

    def title(self) -> Iterable[Problem]:
        """Tell the placeholders that neither a row nor a looked-up fact fills."""
        at = ("finding", "title")
        for field in _PLACEHOLDER.findall(self.rule.finding.title):
            yield from self._known_field(field, at)

    def _written_entities(self) -> tuple[str, ...]:
        finding = _child(self.document, "finding")
        written = _child(finding, "entities") if finding else None
        if written is None or not isinstance(written.data, dict):
            return ()
        return tuple(value.written for value in written.data.values())

    def triage(self) -> Iterable[Problem]:
        for name in self.rule.triage.enrich:
            if name not in self.tables:
                yield self._error(
                    ("triage", "enrich"),
                    "unknown-table",
                    f"there is no fact table {name!r}.",
                    _nearest(name, self.tables),
                )
        seen: set[str] = set()
        for number, suppression in enumerate(self.rule.triage.suppress):
            at = ("triage", "suppress", number)
            if suppression.name in seen:
                yield self._error(
                    (*at, "name"),
                    "duplicate-suppression",
                    f"two suppressions are named {suppression.name!r}.",
                )
            seen.add(suppression.name)
            yield from self._condition(suppression.when, (*at, "when"))

    def _condition(self, text: str, at: tuple[str | int, ...]) -> Iterable[Problem]:
        problems = lint(text, kind=QueryKind.CONDITION)
        for diagnostic in problems:
            yield self._error(
                at, diagnostic.code, diagnostic.message, diagnostic.help, level=diagnostic.level
            )
        if any(d.level is Level.ERROR for d in problems):
            return
        fields = fields_read(parse(text).query)
        if not fields:
            yield self._error(
                at,
                "broad-suppression",
                "the condition names no field, so it would suppress everything.",
            )
        elif not any(self._asks_a_fact(field) for field in fields):
            yield self._error(
                at,
                "suppression-without-fact",
                "the condition reads the event alone: who writes the event decides about it.",
                "Ask a looked-up table as well, such as runner.matches=true.",
                level=Level.WARNING,
            )
        for field in sorted(fields):
            yield from self._known_field(field, at)

    def _asks_a_fact(self, field: str) -> bool:
        table, _, part = field.partition(".")
        return table in self.tables and part not in ("", "state")

    def _known_field(self, field: str, at: tuple[str | int, ...]) -> Iterable[Problem]:
        table, _, part = field.partition(".")
        if table in self.tables and part:
            yield from self._fact_field(field, table, part, at)
        elif self.columns is not None and field not in self.columns:
            yield self._error(
                at,
                "unknown-field",
                f"no finding of this rule has a field {field!r}.",
                _nearest(field, self.columns),
            )

    def _fact_field(
        self, field: str, table: str, part: str, at: tuple[str | int, ...]
    ) -> Iterable[Problem]:
        if table not in self.rule.triage.enrich:
            yield self._error(
                at,
                "not-enriched",
                f"{field!r} is asked for and {table!r} is not looked up.",
                f"Add {table} to triage.enrich.",
            )
        known = [
            *FACT_FIELDS,
            *(f"{p.column}_matches" for p in self.tables[table].parts),
            *self.tables[table].attributes,
        ]
        if part not in known:
            yield self._error(
                at,
                "unknown-field",
                f"the table {table} gives no field {field!r}.",
                _nearest(field, [f"{table}.{name}" for name in known]),
            )

    def schedule(self) -> Iterable[Problem]:
        schedule = self.rule.schedule
        if schedule.cron is not None:
            told = _cron_problem(schedule.cron)
            if told:
                yield self._error(("schedule", "cron"), "schedule", told)
        if schedule.timestamp is TimestampField.INGEST and schedule.lookback:
            yield self._error(
                ("schedule", "lookback"),
                "schedule",
                "by ingest time each event is in exactly one window: a lookback "
                "would only repeat them.",
                "Remove it, or take timestamp: event.",
            )

    def lookups(self) -> Iterable[Problem]:
        folder = (self.folder / LOOKUP_FOLDER).resolve()
        plain = lookup_names(self.rule)
        for name in self.rule.deploy.lookup_files:
            path = self.folder / LOOKUP_FOLDER / name
            if name not in plain or path.resolve().parent != folder:
                told = f"the lookup file {name!r} leads out of the rule's lookups folder."
            elif not path.is_file():
                told = f"there is no lookup file {name!r} in the rule's lookups folder."
            else:
                continue
            yield self._error(("deploy", "lookup_files"), "lookup-file", told)

    def _error(
        self,
        keys: tuple[str | int, ...],
        code: str,
        message: str,
        advice: str = "",
        level: Level = Level.ERROR,
    ) -> Problem:
        place = _place(self.document, keys)
        return Problem(
            path=self.folder / "rule.yaml",
            line=place.line,
            column=place.column,
            level=level,
            code=code,
            message=message,
            help=advice,
        )


def _cron_problem(cron: str) -> str:
    """Return what is wrong with a cron, empty if nothing is."""
    try:
        validate_cron(cron)
    except ValueError as exc:
        return f"{exc}."
    return ""


def _place(value: Value, keys: tuple[str | int, ...]) -> Place:
    """Return where the node under `keys` stands, or the nearest one above it."""
    for key in keys:
        inner = _child(value, key)
        if inner is None:
            break
        value = inner
    return value.place


def _child(value: Value, key: str | int) -> Value | None:
    if isinstance(value.data, dict) and isinstance(key, str):
        return value.data.get(key)
    if isinstance(value.data, list) and isinstance(key, int) and key < len(value.data):
        return value.data[key]
    return None


def _nearest(text: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(text, names, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names)}."
