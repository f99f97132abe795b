"""Correlation rules of Falcon NG-SIEM: what stands there for alerts and scheduled searches.

A rule's `rule_id` is stable, its `id` changes with every update.
Source: CrowdStrike gofalcon (correlationrulesapi models) and falconpy.
"""

from __future__ import annotations

from typing import TypeVar

from orchestrator.client.gateway.envelope import ask, criteria, list_all
from orchestrator.client.gateway.rule_reading import read_rule
from orchestrator.client.gateway.rule_writing import INACTIVE, create_body, customer_of, patch_of
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.http.transport import Request
from orchestrator.client.types import Asset, CorrelationRule
from orchestrator.errors import NotFound, RequestRejected, UnexpectedResponse

A = TypeVar("A", bound=Asset)
PAGE_RULES = 100
_RULES = "correlation-rules/entities/rules/v1"


class CorrelationRules:
    """The correlation rules of one tenant, with the same methods as `Assets`.

    Args:
        session: Who asks.
        customer_id: The tenant; upper case and a checksum suffix are normalised.
    """

    def __init__(self, session: Session, *, customer_id: str) -> None:
        self._session = session
        self._customer_id = customer_of(customer_id)

    async def list(self, kind: type[A]) -> tuple[A, ...]:
        """Return all correlation rules, sorted by name; none of any other kind.

        Raises:
            ClientError: The gateway could not be asked.
        """
        if not issubclass(kind, CorrelationRule):
            return ()
        rules = sorted(await self.find(), key=lambda rule: rule.name)
        return tuple(rule for rule in rules if isinstance(rule, kind))

    async def find(
        self, *, filter_text: str = "", text: str = "", sort: str = ""
    ) -> tuple[CorrelationRule, ...]:
        """Return the rules that are searched for, in the order of the sort.

        Args:
            filter_text: FQL, such as `status:'active'`; empty finds all.
            text: A text that is looked for in what a filter can name.
            sort: `created_on` or `last_updated_on`; empty is the first.

        Raises:
            RequestRejected: The filter is not FQL, or there is no such sort.
            ClientError: The gateway could not be asked.
        """
        found = await list_all(
            self._session,
            "correlation-rules/combined/rules/v1",
            lambda page: ((rule.id, rule) for rule in map(read_rule, page.objects)),
            limit=PAGE_RULES,
            query=criteria(filter=filter_text, q=text, sort=sort),
        )
        return tuple(found.values())

    async def ids(
        self, *, filter_text: str = "", text: str = "", sort: str = ""
    ) -> tuple[str, ...]:
        """Return the ids of the rules that are searched for, as the gateway lists them.

        They may be those of the newest versions; `get` takes either. The rest is as in `find`.

        Raises:
            RequestRejected: The filter is not FQL, or there is no such sort.
            ClientError: The gateway could not be asked.
        """
        found = await list_all(
            self._session,
            "correlation-rules/queries/rules/v1",
            lambda page: ((rule_id, rule_id) for rule_id in page.ids),
            limit=PAGE_RULES,
            query=criteria(filter=filter_text, q=text, sort=sort),
        )
        return tuple(found)

    async def get(self, rule_id: str) -> CorrelationRule:
        """Return a rule by its stable id, or by that of its published version.

        Raises:
            NotFound: No such rule.
        """
        query = (("ids", rule_id),)
        page = await ask(self._session, json_request("GET", _RULES, query=query, idempotent=True))
        if not page.objects:
            raise NotFound(f"rule {rule_id} is gone from the tenant")
        return read_rule(page.objects[0])

    async def create(self, asset: A, *, trigger_on_create: bool = False) -> A:
        """Create a rule and return it as the gateway has it; its `id` is ignored.

        Args:
            asset: The rule; no new rule comes of what a rule's `raw` or `state` says.
            trigger_on_create: Whether it runs at once, and not only when its schedule says so.

        Raises:
            ValueError: It has no schedule or no lookback.
            RequestRejected: An action has no notification, or the gateway refused the rule.
        """
        body = create_body(
            _rule(asset), customer_id=self._customer_id, trigger_on_create=trigger_on_create
        )
        return await self._written(json_request("POST", _RULES, body), asset)

    async def update(self, asset: A, *, expected: A) -> A:
        """Change a rule, if it still is as `expected`, and return it as the gateway has it.

        Only what differs is sent, so that what is not known here stays as it is; nothing is sent
        where nothing differs.

        Raises:
            NotFound: The rule is gone.
            RequestRejected: It changed since it was read, an action has no notification, its end
                is to be taken away, or the gateway refused the content.
        """
        current = await self._unchanged(_rule(expected))
        patch = patch_of(_rule(asset), current, customer_id=self._customer_id)
        patches = [patch] if patch else []
        if patch.get("status") == INACTIVE and "operation" in patch:
            # The gateway refuses the two together.
            patches = [patch, {"status": patch.pop("status")}]
        written = self._same_kind(current, asset)
        for members in patches:
            body = [{"id": current.id, **members}]
            written = await self._written(json_request("PATCH", _RULES, body), asset)
        return written

    async def delete(self, asset: A) -> None:
        """Delete a rule by its stable id.

        Raises:
            ValueError: The rule has no id: it was never read from the gateway.
            NotFound: No such rule.
        """
        if not asset.id:
            raise ValueError(f"{asset.name} has no id")
        query = (("ids", asset.id),)
        await ask(self._session, json_request("DELETE", _RULES, query=query))

    async def enable(self, asset: A) -> None:
        """Switch a rule on; nothing else of it changes.

        Raises:
            ValueError: The rule has no id: it was never read from the gateway.
            NotFound: No such rule.
        """
        await self._switch(asset, "active")

    async def disable(self, asset: A) -> None:
        """Switch a rule off; nothing else of it changes.

        Raises:
            ValueError: The rule has no id: it was never read from the gateway.
            NotFound: No such rule.
        """
        await self._switch(asset, INACTIVE)

    async def _switch(self, asset: A, status: str) -> None:
        if not asset.id:
            raise ValueError(f"{asset.name} has no id")
        patch = [{"id": asset.id, "status": status}]
        await self._written(json_request("PATCH", _RULES, patch), asset)

    async def _unchanged(self, expected: CorrelationRule) -> CorrelationRule:
        """Return the rule as the gateway has it now, which is as `expected`.

        Raises:
            NotFound: It is gone.
            RequestRejected: It changed since it was read.
        """
        current = await self.get(expected.id)
        # The version tells of changes to members that are not read here; it may not be known.
        states = (rule.state for rule in (current, expected) if rule.state is not None)
        versions = {state.version_id for state in states} - {""}
        if current != expected or len(versions) > 1:
            raise RequestRejected(
                f"{expected.name} changed since it was read", advice="Make the plan again."
            )
        return current

    async def _written(self, request: Request, asset: A) -> A:
        page = await ask(self._session, request)
        if not page.objects:
            raise UnexpectedResponse("no rule came back", method=request.method, path=request.path)
        return self._same_kind(read_rule(page.objects[0]), asset)

    @staticmethod
    def _same_kind(rule: CorrelationRule, asset: A) -> A:
        if not isinstance(rule, type(asset)):
            raise TypeError(f"{type(asset).__name__} is not managed by the gateway")
        return rule


def _rule(asset: Asset) -> CorrelationRule:
    if not isinstance(asset, CorrelationRule):
        raise TypeError(f"{type(asset).__name__} is not managed by the gateway")
    return asset
