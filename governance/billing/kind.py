"""BillingRule as a configuration document: it carries the table of the active version, none while there is only a draft."""

from __future__ import annotations

from typing import Any

from governance.billing import services
from governance.billing.analysis import faults
from governance.billing.table import parse_table, read_table
from governance.models import BillingRule
from hub.accounts.models import Domain
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem


class BillingRuleKind(ModelKind):
    def extra_dump(self, found: BillingRule) -> Document:
        version = found.active
        return {"table": version.table} if version else {}

    def extra_validate(self, document: Document) -> list[Problem]:
        if "table" not in document:
            return []
        table, problems = read_table(document["table"])
        if table is not None:
            problems = [("rows", sentence) for sentence in faults(table)]
        return [Problem(f"table.{path}", sentence) for path, sentence in problems]

    def normal(self, document: Document) -> Document:
        table = document.get("table")
        return super().normal({**document, "table": parse_table(table).as_data()} if table else document)

    def extra_apply(self, found: BillingRule, document: Document, *, by: Any) -> None:
        if "table" in document:
            services.activate_table(rule=found, table=document["table"], by=by)


def billing_rule_kind() -> Any:
    return BillingRuleKind(
        name=services.KIND,
        model=BillingRule,
        fields=[
            Attr("name", required=True),
            Attr("description"),
            Attr("purpose"),
            Ref("domain", lambda: Domain, required=True),
        ],
        extra=["table"],
    )
