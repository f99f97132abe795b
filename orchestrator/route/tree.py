"""Which receivers hear of a finding. Pure: conditions in, names out.

Routes are tried in order. The first that matches decides, unless it says `goes_on`. A finding that
no route matches goes to the default receivers: there is no way to route a finding to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.engine.condition import compile_condition
from orchestrator.errors import ConfigError, CqlError
from orchestrator.route.ports import RouteCondition

DEFAULT_ROUTE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One branch: a CQL filter and who is told when it holds."""

    name: str
    when: str
    receivers: tuple[str, ...]
    goes_on: bool = False
    """Whether later routes are tried too after this one matched."""


class RouteTree:
    """The routes in order, compiled once.

    Args:
        routes: Tried from the first to the last.
        default: Receivers of what no route matches; at least one.
        compiler: Turns a filter's text into a condition; raises CqlError.

    Raises:
        ConfigError: A route or the default names nobody, or a filter is not CQL.
    """

    def __init__(
        self,
        routes: tuple[Route, ...],
        default: tuple[str, ...],
        *,
        compiler: Callable[[str], RouteCondition] = compile_condition,
    ) -> None:
        if not default:
            raise ConfigError(
                "somebody must hear of a finding that no route matches",
                key="route.default",
                advice="Name at least one receiver",
            )
        self._default = default
        self._routes = tuple((route, _compiled(route, compiler)) for route in routes)

    @property
    def receivers(self) -> frozenset[str]:
        """Return every receiver that some finding could go to."""
        named = {name for route, _ in self._routes for name in route.receivers}
        return frozenset(named | set(self._default))

    def receivers_for(self, fields: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return each receiver once, with the name of the route that chose it first.

        Never empty: without a match it holds the default receivers, under the route `default`.
        """
        chosen: dict[str, str] = {}
        for route, condition in self._routes:
            if condition.holds(fields):
                for receiver in route.receivers:
                    chosen.setdefault(receiver, route.name)
                if not route.goes_on:
                    break
        if not chosen:
            chosen = dict.fromkeys(self._default, DEFAULT_ROUTE)
        return tuple(chosen.items())


def _compiled(route: Route, compiler: Callable[[str], RouteCondition]) -> RouteCondition:
    if not route.receivers:
        raise ConfigError(
            "the route names no receiver, so its findings would be lost",
            key=f"route.routes.{route.name}.receivers",
            advice="Name at least one receiver, or remove the route",
        )
    try:
        return compiler(route.when)
    except CqlError as exc:
        raise ConfigError(
            f"the condition is not usable: {exc.problem}",
            key=f"route.routes.{route.name}.when",
            advice="Write a CQL filter over the finding's fields",
        ) from exc
