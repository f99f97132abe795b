"""How the demo prints: steps for people, progress on a terminal only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress
from rich.text import Text

from orchestrator.model.finding import Finding
from orchestrator.model.notification import NotificationKind, OutboxEntry
from orchestrator.model.rule import Rule
from orchestrator.model.run import Run
from orchestrator.route.sinks.console import render
from orchestrator.route.text import telemetry
from orchestrator.terminal import console, table


class Show:
    """Prints to standard output; colours and progress only where that is a terminal."""

    def __init__(self) -> None:
        self._console = console()

    def title(self, text: str) -> None:
        """Print the heading of all."""
        self._console.print(Text(text, style="bold"))

    def step(self, number: str, text: str) -> None:
        """Print the heading of a step."""
        self._console.print()
        self._console.print(Text(f"{number}. {text}", style="bold"))

    def line(self, text: str) -> None:
        """Print one line under a step."""
        self._console.print(Text(f"   {text}"))

    def check(self, name: str, *, held: bool) -> None:
        """Print one expectation and whether it held."""
        mark = Text("ok    ", style="green") if held else Text("FAILED", style="bold red")
        self._console.print(Text("   "), mark, Text(f" {name}"), sep="")

    @contextmanager
    def progress(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show how far a long step is; on a pipe, nothing."""
        if not self._console.is_terminal:
            yield lambda _: None
            return
        with Progress(console=self._console, transient=True) as bars:
            task = bars.add_task(f"   {name}", total=total)
            yield lambda done: bars.advance(task, done)

    def messages(self, entries: Sequence[OutboxEntry]) -> None:
        """Print each opened finding's message, as on-call reads it."""
        opened = [
            entry
            for entry in sorted(entries, key=lambda entry: (entry.created_at, entry.id))
            if entry.receiver == "on-call" and entry.notification.kind is NotificationKind.OPENED
        ]
        for entry in opened:
            text = render(entry.notification, colour=self._console.is_terminal)
            self._console.print(Text.from_ansi(text))

    def suppressed(self, findings: Sequence[Finding]) -> None:
        """Print each suppressed finding with the fact that excused it."""
        rows = []
        for finding in sorted(findings, key=lambda finding: finding.last_seen):
            decision = next(d for d in finding.decisions if d.verdict.value == "suppressed")
            facts = ", ".join(value for key, value in decision.evidence if key.endswith("fact"))
            rows.append((finding.suppressed_by, telemetry(finding.title, 90), facts))
        self._table(("SUPPRESSION", "FINDING", "FACTS"), rows)

    def receipts(self, runs: Sequence[Run], rules: Sequence[Rule]) -> None:
        """Print one line a rule: how many windows, in which state, with what result."""
        rows = []
        for rule in rules:
            mine = [run for run in runs if run.rule_id == rule.id]
            states = Counter(run.state.value for run in mine)
            receipts = [run.receipt for run in mine if run.receipt is not None]
            rows.append(
                (
                    rule.slug,
                    ", ".join(f"{count} {state}" for state, count in sorted(states.items())),
                    str(sum(receipt.search.rows for receipt in receipts)),
                    str(sum(receipt.findings_new for receipt in receipts)),
                    str(sum(receipt.suppressed for receipt in receipts)),
                    str(sum(receipt.notified for receipt in receipts)),
                )
            )
        self._table(("RULE", "WINDOWS", "ROWS", "NEW", "SUPPRESSED", "MESSAGES"), rows)

    def places(self, folder: Path, config: Path) -> None:
        """Print where everything is kept, and how to look at it."""
        self.line(f"state           {folder / 'orchestrator.db'}")
        self.line(f"messages        {folder / 'messages.ndjson'}")
        self.line(f"sandbox data    {folder / 'logscale'}")
        self.line(f"settings        {config}")
        self.line(f"look further:   orchestrator -c {config} findings list")
        self.line(f"                orchestrator -c {config} findings explain ID")

    def _table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if rows:
            columns = {heading: heading for heading in headings}
            named = [dict(zip(headings, row, strict=True)) for row in rows]
            self._console.print(table(named, columns=columns))
