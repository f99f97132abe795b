"""Templates of correlation rules: the vendor's own, of which a tenant makes rules.

Source: CrowdStrike gofalcon, correlationrulesapi_template_v1 and _deploy_template_request_v1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.client.gateway.correlation_rules import PAGE_RULES
from orchestrator.client.gateway.envelope import ask, criteria, list_all
from orchestrator.client.gateway.rule_reading import read_rule
from orchestrator.client.gateway.rule_writing import create_body, customer_of
from orchestrator.client.http.members import Members
from orchestrator.client.http.session import Session, json_request
from orchestrator.client.types import CorrelationRule
from orchestrator.errors import NotFound, UnexpectedResponse

_TEMPLATES = "correlation-rules/entities/templates"
# A template gives no single tactic and technique; ATT&CK mappings stand for them.
_NOT_TAKEN = ("customer_id", "tactic", "technique")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTemplate:
    """What rules can be made of."""

    id: str
    rule: CorrelationRule
    """The rule that it makes: with the template's id, without its own, and switched off."""
    author: str = ""
    vendors: tuple[str, ...] = ()
    """Whose events it looks at."""
    created_at: str = ""
    """ISO 8601, UTC; as the gateway writes it."""
    updated_at: str = ""
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """The whole of it, also what is not known here, such as its licence."""


class RuleTemplates:
    """The templates that a tenant can use.

    Args:
        session: Who asks.
        customer_id: The tenant; upper case and a checksum suffix are normalised.
    """

    def __init__(self, session: Session, *, customer_id: str) -> None:
        self._session, self._customer_id = session, customer_of(customer_id)

    async def ids(self, *, filter_text: str = "", sort: str = "") -> tuple[str, ...]:
        """Return the ids of the templates that are searched for, in the order of the sort.

        Args:
            filter_text: FQL, such as `vendors:'Microsoft'`; empty finds all.
            sort: `created_on` and others; empty is the gateway's.

        Raises:
            RequestRejected: The filter is not FQL, or there is no such sort.
            ClientError: The gateway could not be asked.
        """
        found = await list_all(
            self._session,
            "correlation-rules/queries/templates/v1",
            lambda page: ((template_id, template_id) for template_id in page.ids),
            limit=PAGE_RULES,
            query=criteria(filter=filter_text, sort=sort),
        )
        return tuple(found)

    async def find(self, *, filter_text: str = "", sort: str = "") -> tuple[RuleTemplate, ...]:
        """Return the templates that are searched for, whole; the rest is as in `ids`.

        Raises:
            RequestRejected: The filter is not FQL, or there is no such sort.
            ClientError: The gateway could not be asked.
        """
        ids = await self.ids(filter_text=filter_text, sort=sort)
        found: list[RuleTemplate] = []
        for first in range(0, len(ids), PAGE_RULES):
            found += await self._read(ids[first : first + PAGE_RULES])
        return tuple(found)

    async def get(self, template_id: str) -> RuleTemplate:
        """Return a template.

        Raises:
            NotFound: No such template.
        """
        found = await self._read([template_id])
        if not found:
            raise NotFound(f"template {template_id} is not there")
        return found[0]

    async def create_rule(
        self, rule: CorrelationRule, *, trigger_on_create: bool = False
    ) -> CorrelationRule:
        """Make the rule of a template and return it as the gateway has it.

        Args:
            rule: A template's `rule`, with what is to be other in it; its `tactic` and `technique`
                are not sent.
            trigger_on_create: Whether it runs at once, and not only when its schedule says so.

        Raises:
            ValueError: It names no template, or has no schedule or no lookback.
            RequestRejected: An action has no notification, or the gateway refused the rule.
            NotFound: No such template.
        """
        if not rule.template_id:
            raise ValueError(f"{rule.name} names no template")
        body = create_body(rule, customer_id=self._customer_id, trigger_on_create=trigger_on_create)
        template = {name: value for name, value in body.items() if name not in _NOT_TAKEN}
        deployed = [{"customer_id": self._customer_id, "templates": [template]}]
        request = json_request("POST", f"{_TEMPLATES}/rules/v1", deployed)
        page = await ask(self._session, request)
        if not page.objects:
            raise UnexpectedResponse("no rule came back", method="POST", path=request.path)
        return read_rule(page.objects[0])

    async def _read(self, ids: Sequence[str]) -> list[RuleTemplate]:
        query = tuple(("ids", template_id) for template_id in ids)
        request = json_request("GET", f"{_TEMPLATES}/v1", query=query, idempotent=True)
        return [_template(members) for members in (await ask(self._session, request)).objects]


def _template(members: Members) -> RuleTemplate:
    template_id = members.text("id")
    as_rule = {**members.raw, "rule_id": "", "template_id": template_id, "status": "inactive"}
    rule = read_rule(Members(as_rule, where="template"))
    return RuleTemplate(
        id=template_id,
        # What a rule's state and raw say is of the gateway's own rules.
        rule=replace(rule, state=None, raw={}),
        author=members.text("author", ""),
        vendors=members.texts("vendors"),
        created_at=members.text("created_on", ""),
        updated_at=members.text("last_updated_on", ""),
        raw=members.raw,
    )
