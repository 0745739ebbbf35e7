"""Writes of billing rules. A table is never changed: each edit is a new version, and one of them is active."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from governance.billing.analysis import refuse_faults
from governance.billing.table import parse_table
from governance.models import BillingRule, BillingRuleVersion
from governance.saving import save
from hub.accounts.models import Domain
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document

KIND = "BillingRule"
Status = BillingRuleVersion.Status


def activate(document: Document, *, by: Any, note: str = "", seen: int | None = None) -> Put:
    """Make the document's table the one that decides. ConfigError names the rows that overlap or leave a gap.

    `seen` is the newest version that the person looked at; another one meanwhile is refused.
    """
    _refuse_unseen(document["slug"], seen)
    refuse_faults(parse_table(document["table"]), where=document["slug"])
    return save({"kind": KIND, **document}, act="billing_rule.saved", by=by, reason=note, domain=_domain(document))


@transaction.atomic
def save_draft(document: Document, *, by: Any, note: str = "", seen: int | None = None) -> BillingRuleVersion:
    """A new version that decides nothing yet; faults are allowed. A rule that is not there yet is made without a table."""
    _refuse_unseen(document["slug"], seen)
    table = parse_table(document["table"]).as_data()
    rule = BillingRule.objects.filter(slug=document["slug"]).first()
    if rule is None:
        head = {name: value for name, value in document.items() if name != "table"}
        save({"kind": KIND, **head}, act="billing_rule.saved", by=by, domain=_domain(document))
        rule = BillingRule.objects.filter(slug=document["slug"]).first()
        if rule is None:
            raise ConfigError("The rule waits for its reviewers.", fix="Save the draft once it is approved.")
    version = _append(rule, table, note=note, by=by)
    details = {"version": version.number}
    tell(
        Act(
            "billing_rule.drafted",
            KIND,
            rule.slug,
            by=by,
            reason=note,
            after=table,
            details=details,
            domain=rule.domain,
        )
    )
    return version


@transaction.atomic
def activate_table(*, rule: BillingRule, table: Any, by: Any, note: str = "") -> BillingRuleVersion:
    """Make a table the active one: the version that holds it where the newest does, else a new one."""
    parsed = parse_table(table)
    refuse_faults(parsed, where=rule.slug)
    BillingRule.objects.select_for_update().get(pk=rule.pk)
    data, active, newest = parsed.as_data(), rule.active, rule.versions.order_by("-number").first()
    if active and active.table == data:
        return active
    if active:
        active.status = Status.RETIRED
        active.save(update_fields=["status"])
    holds_it = newest is not None and newest.status == Status.DRAFT and newest.table == data
    version = newest if holds_it and newest else _append(rule, data, note=note, by=by)
    version.status, version.activated_at = Status.ACTIVE, timezone.now()
    version.save(update_fields=["status", "activated_at"])
    return version


def _append(rule: BillingRule, table: Any, *, note: str, by: Any) -> BillingRuleVersion:
    BillingRule.objects.select_for_update().get(pk=rule.pk)
    newest = rule.versions.order_by("-number").values_list("number", flat=True).first() or 0
    return rule.versions.create(number=newest + 1, table=table, note=note, created_by=by)


def _refuse_unseen(slug: str, seen: int | None) -> None:
    newest = BillingRuleVersion.objects.filter(rule__slug=slug).order_by("-number").first()
    if seen is not None and newest is not None and newest.number != seen:
        raise ConfigError(
            f"Somebody else has changed this rule: version {newest.number} is the newest now, you saw version {seen}.",
            where=slug,
            fix="Look at that version, then save again.",
            code="CHANGED_MEANWHILE",
        )


def _domain(document: Document) -> Domain | None:
    return Domain.objects.filter(slug=document.get("domain")).first()
