"""The rules of one tree, and what was wrong with those that are left out."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.cql.diagnostics import Level
from orchestrator.model.rule import Rule
from orchestrator.rules.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Usable rules by folder name, and every problem of every file, by place."""

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Return whether no rule was left out."""
        return all(problem.level is not Level.ERROR for problem in self.problems)
