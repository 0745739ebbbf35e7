"""Domain as a configuration document."""

from __future__ import annotations

from hub.accounts.models import Domain
from hub.common import registry
from hub.common.kinds import Attr, ModelKind


def register() -> None:
    registry.register(
        ModelKind(
            name="Domain",
            model=Domain,
            fields=[Attr("name", required=True), Attr("description"), Attr("order")],
        )
    )
