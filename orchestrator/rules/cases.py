"""A rule's own cases: events, and what must become of each of them.

cases.yaml names one or more feeds (event files) and, by event number, whether the query matches the
event, with which values, and whether a finding of it goes out or which suppression keeps it. Events
not named must not match. The query runs on the local engine; judging is given by the caller, since
rules know nothing of inventories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.cql.parser import parse_or_raise
from orchestrator.engine.events import Events
from orchestrator.engine.run import Context, run_query
from orchestrator.engine.sources.lookups import Lookup
from orchestrator.errors import CqlError, RuleFileError, RuleInvalid
from orchestrator.model.rule import Rule
from orchestrator.rules.reading import Problems, Section
from orchestrator.rules.trace import EVENT_ID, with_event_ids
from orchestrator.rules.yaml import YamlProblem, parse_yaml
from orchestrator.units import parse_instant, to_epoch_ms

CASES_FILE = "cases.yaml"
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What became of one row: the suppression that keeps it, empty where it goes out."""

    suppressed_by: str


Judge = Callable[[Rule, Sequence[Row]], Sequence[Judgement]]
"""Judges rows in order, one judgement each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a case says of some events of one feed."""

    case: str
    what: str
    malicious: bool
    events: tuple[str, ...]
    fields: Mapping[str, str] = field(default_factory=dict)
    """Row fields and their values."""
    suppressed_by: str = ""
    """Name of the suppression that must keep it; empty: it must go out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One event file and what is expected of its events."""

    name: str
    path: Path
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """cases.yaml, read."""

    start_ms: int
    end_ms: int
    lookups: Mapping[str, Path]
    inventory: Path | None
    feeds: tuple[Feed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """One expectation and how it went; `problems` is empty if it holds."""

    rule: str
    feed: str
    case: str
    what: str
    events: tuple[str, ...]
    outcome: str
    """`routed`, or `suppressed by NAME`, as it is."""
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Return whether the expectation holds."""
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReport:
    """All results of one rule."""

    rule: str
    results: tuple[CaseResult, ...]
    events: int
    """Events in all feeds together."""

    @property
    def passed(self) -> bool:
        """Return whether every expectation holds."""
        return all(result.passed for result in self.results)


def read_cases(folder: Path) -> CaseFile:
    """Return what `folder/cases.yaml` says.

    Raises:
        RuleFileError: It is missing or no YAML.
        RuleInvalid: It says something that cannot be; the first problem.
    """
    path = folder / CASES_FILE
    try:
        document = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise RuleFileError(
            "the rule has no cases",
            path=path,
            advice="Write cases.yaml: a rule without cases proves nothing",
        ) from exc
    except YamlProblem as exc:
        raise RuleFileError(
            exc.message, path=path, line=exc.place.line, column=exc.place.column
        ) from exc
    problems = Problems(path)
    root = Section(document, "", problems)
    window = root.section("window")
    lookups = root.mapping("lookups")
    inventory = root.text("inventory", default="")
    feeds = tuple(_feed(section, folder) for section in root.sections("feeds"))
    bounds = _instant(window, "start"), _instant(window, "end")
    window.close()
    root.close()
    if problems.found:
        first = problems.found[0]
        raise RuleInvalid(
            f"{first.message} {first.help}".strip(), path=path, line=first.line, column=first.column
        )
    return CaseFile(
        start_ms=bounds[0],
        end_ms=bounds[1],
        lookups={name: folder / where for name, where in lookups.items()},
        inventory=folder / inventory if inventory else None,
        feeds=feeds,
    )


def _instant(section: Section, key: str) -> int:
    text = section.text(key)
    try:
        return to_epoch_ms(parse_instant(text)) if text else 0
    except ValueError as exc:
        section.wrong(key, f"{exc}.")
        return 0


def _feed(section: Section, folder: Path) -> Feed:
    made = Feed(
        name=section.text("name"),
        path=folder / section.text("events"),
        expectations=tuple(_expectation(item) for item in section.sections("matched")),
    )
    section.close()
    return made


def _expectation(section: Section) -> Expectation:
    numbers = section.take("events")
    events: list[str] = []
    if numbers is not None and isinstance(numbers.data, list):
        events = [str(item.data) for item in numbers.data]
    if not events:
        section.wrong("events", "a case names the numbers of its events.")
    made = Expectation(
        case=section.text("case"),
        what=section.text("what", default=""),
        malicious=section.flag("malicious", default=False),
        events=tuple(events),
        fields=section.mapping("fields"),
        suppressed_by=section.text("suppressed_by", default=""),
    )
    section.close()
    return made


def load_lookups(case_file: CaseFile) -> dict[str, Lookup]:
    """Return the lookup files that the cases bring.

    Raises:
        RuleFileError: One cannot be read.
    """
    made = {}
    for name, path in case_file.lookups.items():
        try:
            made[name] = Lookup.from_file(path)
        except (OSError, CqlError) as exc:
            raise RuleFileError(f"the lookup file cannot be used: {exc}", path=path) from exc
    return made


def run_cases(rule: Rule, folder: Path, *, judge: Judge) -> CaseReport:
    """Run every feed of the rule and hold the rows against what is expected of each event.

    Args:
        rule: The rule, valid.
        folder: Its folder.
        judge: Says what becomes of result rows under the cases' inventory.

    Raises:
        RuleError: The cases cannot be read.
        CqlError: The engine cannot run the query.
    """
    case_file = read_cases(folder)
    results: list[CaseResult] = []
    count = 0
    for feed in case_file.feeds:
        events = read_feed(feed)
        count += events.frame.height
        rows = _rows(rule, case_file, events)
        judged = judge(rule, [_plain(row) for row in rows])
        results += _compare(rule, feed, rows, judged)
    return CaseReport(rule=rule.slug, results=tuple(results), events=count)


def attributed_rows(rule: Rule, case_file: CaseFile) -> list[tuple[tuple[str, ...], Row]]:
    """Return the rows over the first feed, each with the numbers of the events it was made of.

    Raises:
        RuleError: The feed cannot be read.
        CqlError: The engine cannot run the query.
    """
    rows = _rows(rule, case_file, read_feed(case_file.feeds[0]))
    return [(tuple(row.get(EVENT_ID, "").split("\n")), _plain(row)) for row in rows]


def read_feed(feed: Feed) -> Events:
    """Return a feed's events.

    Raises:
        RuleFileError: The file is missing, or a line of it is no event.
    """
    try:
        events = Events.scan([feed.path])
    except OSError as exc:
        raise RuleFileError(f"the events cannot be read: {exc.strerror}", path=feed.path) from exc
    if events.problems:
        raise RuleFileError(f"the events cannot be read: {events.problems[0]}", path=feed.path)
    return events


def _rows(rule: Rule, case_file: CaseFile, events: Events) -> list[dict[str, str]]:
    context = Context(
        start_ms=case_file.start_ms,
        end_ms=case_file.end_ms,
        now_ms=case_file.end_ms,
        lookups=load_lookups(case_file),
    )
    return run_query(with_event_ids(parse_or_raise(rule.query)), events, context=context).rows


def _plain(row: Row) -> dict[str, str]:
    return {name: value for name, value in row.items() if name != EVENT_ID}


def _compare(
    rule: Rule, feed: Feed, rows: Sequence[Row], judged: Sequence[Judgement]
) -> list[CaseResult]:
    found: dict[str, tuple[Row, Judgement]] = {
        event: (row, judgement)
        for row, judgement in zip(rows, judged, strict=True)
        for event in row.get(EVENT_ID, "").split("\n")
    }
    results = [_result(rule, feed, expected, found) for expected in feed.expectations]
    named = {event for expected in feed.expectations for event in expected.events}
    stray = sorted(set(found) - named, key=lambda n: (len(n), n))
    if stray:
        results.append(
            CaseResult(
                rule=rule.slug,
                feed=feed.name,
                case="(no case)",
                what="events that no case names must not match",
                events=tuple(stray),
                outcome="matched",
                problems=("the query matches them",),
            )
        )
    return results


def _result(
    rule: Rule,
    feed: Feed,
    expected: Expectation,
    found: Mapping[str, tuple[Row, Judgement]],
) -> CaseResult:
    problems: list[str] = []
    outcomes: set[str] = set()
    for event in expected.events:
        if event not in found:
            problems.append(f"event {event} is not matched")
            continue
        row, judgement = found[event]
        by = judgement.suppressed_by
        outcomes.add(f"suppressed by {by}" if by else "routed")
        for name, value in expected.fields.items():
            if row.get(name) != value:
                problems.append(f"event {event}: {name} is {row.get(name)!r}, not {value!r}")
        if expected.malicious and by:
            problems.append(f"event {event}: it is malicious, and {by} hides it")
        elif by != expected.suppressed_by:
            wanted = expected.suppressed_by or "nothing"
            problems.append(f"event {event}: suppressed by {by or 'nothing'}, not by {wanted}")
    return CaseResult(
        rule=rule.slug,
        feed=feed.name,
        case=expected.case,
        what=expected.what,
        events=expected.events,
        outcome=", ".join(sorted(outcomes)) or "not matched",
        problems=tuple(problems),
    )
