"""ServiceLevel as a configuration document; the objective travels as a decimal text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.models import System
from governance.models import BusinessCalendar, Entity, ServiceLevel
from governance.service_levels import services
from governance.service_levels.words import percent_text, problems
from hub.accounts.models import Domain
from hub.common.errors import HubError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.money import parse_decimal
from hub.common.registry import Document, Problem

OBJECTIVE = "objective_percent"


class ServiceLevelKind(ModelKind):
    def extra_dump(self, found: ServiceLevel) -> Document:
        return {OBJECTIVE: percent_text(found.objective_percent)}

    def extra_validate(self, document: Document) -> list[Problem]:
        try:
            objective = parse_decimal(document.get(OBJECTIVE, "99"))
        except HubError as error:
            return [Problem(OBJECTIVE, str(error))]
        return [Problem(*found) for found in problems({**document, OBJECTIVE: objective})]

    def normal(self, document: Document) -> Document:
        return super().normal({**document, OBJECTIVE: percent_text(_objective(document))})

    def before_save(self, found: ServiceLevel, document: Document) -> None:
        found.objective_percent = _objective(document)
        services.check_scope(found)


def _objective(document: Document) -> Decimal:
    return parse_decimal(document.get(OBJECTIVE, "99"))


def service_level_kind() -> Any:
    return ServiceLevelKind(
        name=services.KIND,
        model=ServiceLevel,
        after=["BusinessCalendar", "Contract", "System"],
        fields=[
            Attr("name", required=True),
            Attr("description"),
            Attr("owner"),
            Attr("measure", required=True),
            Ref("domain", lambda: Domain, required=True),
            Ref("entity", lambda: Entity, "Entity"),
            Ref("source", lambda: System, "System"),
            Ref("target", lambda: System, "System"),
            Attr("condition"),
            Ref("calendar", lambda: BusinessCalendar, "BusinessCalendar"),
            Attr("warn_seconds"),
            Attr("breach_seconds"),
            Attr("due_time"),
            Attr("window"),
        ],
        extra=[OBJECTIVE],
        is_removable=True,
    )
