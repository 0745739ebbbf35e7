"""First loads show records of two systems: what is masked elsewhere is masked here, under either system's names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub.accounts.models import User
from hub.common.display import MASK
from hub.sync import doubles, payloads
from hub.sync.adopt import judging
from hub.sync.models import Adoption, StagedRecord
from hub.sync.plan import SyncPlan, load_plan


def may_reveal(adoption: Adoption, user: Any) -> bool:
    return isinstance(user, User) and user.has_hub_perm("payloads.reveal", adoption.entity.domain_id)


def secret_names(plan: SyncPlan) -> frozenset[str]:
    """Contract fields, and paths at the target, whose values are not for everybody."""
    schema = plan.contract_version.schema
    secret = payloads.classified(schema) | payloads.masked_names(set(plan.contract.markers.fields), schema)
    paths = {rule.target for rule in plan.rules if judging.canonical_field(plan, rule.target) in secret}
    return frozenset(secret | paths | payloads.masked_names({rule.target for rule in plan.rules}, schema))


def shown(rows: Iterable[StagedRecord], adoption: Adoption, user: Any) -> list[StagedRecord]:
    """The rows as this person may see them: never saved, because masked values stand in them."""
    found = list(rows)
    if may_reveal(adoption, user):
        return found
    plan = load_plan(adoption.target)
    secret = secret_names(plan)
    hides_label = doubles.name_field(plan.contract.markers) in secret
    for row in found:
        _mask(row, secret, hides_label)
        if row.partner:
            _mask(row.partner, secret, hides_label)
    return found


def _mask(row: StagedRecord, secret: frozenset[str], hides_label: bool) -> None:
    row.body = {name: _hidden(value) if name in secret else value for name, value in row.body.items()}
    row.differences = [
        one | {"there": _hidden(one["there"]), "here": _hidden(one["here"])} if one["field"] in secret else one
        for one in row.differences
    ]
    row.why = payloads.masked_sentence(row.why, secret)
    if hides_label and row.label:
        row.label = MASK


def _hidden(value: Any) -> Any:
    return value if value in judging.EMPTY else MASK
