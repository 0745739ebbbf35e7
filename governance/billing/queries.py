"""Reads of billing rules."""

from __future__ import annotations

from django.db.models import Prefetch, Q, QuerySet

from governance.billing.table import Table, parse_table
from governance.models import BillingRule, BillingRuleVersion
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains

SEE, EDIT = "billing.view", "billing.edit"


def rules_for(user: User, permission: str = SEE) -> QuerySet[BillingRule]:
    """Those of the domains in which the person holds the permission, with `newest_first` versions read at once."""
    versions = BillingRuleVersion.objects.select_related("created_by").order_by("-number")
    rows = BillingRule.objects.select_related("domain")
    rows = rows.prefetch_related(Prefetch("versions", queryset=versions, to_attr="newest_first"))
    return scope_to_domains(rows, user, permission)


def search(rows: QuerySet[BillingRule], text: str) -> QuerySet[BillingRule]:
    for word in text.split():
        rows = rows.filter(Q(name__icontains=word) | Q(slug__icontains=word) | Q(description__icontains=word))
    return rows


def active_table(slug: str) -> Table:
    """The table that decides now, for whoever bills by it. DoesNotExist without one."""
    version = BillingRuleVersion.objects.get(rule__slug=slug, status=BillingRuleVersion.Status.ACTIVE)
    return parse_table(version.table)
