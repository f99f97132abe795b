from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestrator.errors import ConfigError, CqlSyntaxError
from orchestrator.route.tree import Route, RouteTree


class Equals:
    """`field=value`, enough of a condition for a tree."""

    def __init__(self, text: str) -> None:
        if "=" not in text:
            raise CqlSyntaxError("expected =")
        self.field, _, self.value = text.partition("=")

    def holds(self, fields: Mapping[str, str]) -> bool:
        return fields.get(self.field) == self.value


def make_tree(*routes: Route, default: tuple[str, ...] = ("fallback",)) -> RouteTree:
    return RouteTree(routes, default, compiler=Equals)


K8S = Route(name="k8s", when="role=k8s", receivers=("platform", "on-call"))
HIGH = Route(name="high", when="severity=high", receivers=("on-call", "tickets"))


@pytest.mark.parametrize(
    ("fields", "receivers"),
    [
        ({"role": "k8s", "severity": "high"}, (("platform", "k8s"), ("on-call", "k8s"))),
        ({"severity": "high"}, (("on-call", "high"), ("tickets", "high"))),
        ({"severity": "low"}, (("fallback", "default"),)),
        ({}, (("fallback", "default"),)),
    ],
)
def test_first_match_decides_and_no_match_is_the_default(
    fields: Mapping[str, str], receivers: tuple[tuple[str, str], ...]
) -> None:
    assert make_tree(K8S, HIGH).receivers_for(fields) == receivers


def test_a_route_that_goes_on_adds_each_receiver_once() -> None:
    first = Route(name="k8s", when=K8S.when, receivers=K8S.receivers, goes_on=True)

    chosen = make_tree(first, HIGH).receivers_for({"role": "k8s", "severity": "high"})

    assert chosen == (("platform", "k8s"), ("on-call", "k8s"), ("tickets", "high"))


def test_all_receivers_are_known_beforehand() -> None:
    assert make_tree(K8S, HIGH).receivers == {"platform", "on-call", "tickets", "fallback"}


def test_a_tree_without_a_default_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"route\.default"):
        make_tree(K8S, default=())


def test_a_route_to_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match="would be lost"):
        make_tree(Route(name="quiet", when="a=b", receivers=()))


def test_a_condition_that_is_no_filter_names_its_route() -> None:
    with pytest.raises(ConfigError, match=r"route\.routes\.bad\.when"):
        make_tree(Route(name="bad", when="nonsense", receivers=("x",)))
