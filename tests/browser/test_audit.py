"""The audit, empty and full, its filter, and one entry in its place in the chain."""

from __future__ import annotations

from typing import Any

from governance.audit import writing
from hub.accounts import services
from hub.accounts.models import Domain, User


def fill(ada: User, mallory: User) -> None:
    services.set_roles(mallory, {("finance", Domain.objects.get(slug="billing-gl"))}, by=ada)
    services.create_token(ada, name="nightly export", days=90, by=ada)
    services.set_roles(mallory, {("finance", Domain.objects.get(slug="billing-gl")), ("viewer", None)}, by=ada)
    writing.seal()


def test_pages_of_the_audit(visit: Any, ada: User, mallory: User) -> None:
    fill(ada, mallory)
    here = visit(ada)
    here.inspect("/audit/", "audit")
    here.inspect("/audit/?q=nothing-of-this-name", "audit_filtered")
    here.go("/audit/")
    here.page.locator("table.dt tbody a.t1").first.click()
    here.inspect(here.path, "audit_entry")
    assert here.page.get_by_text("Place in the chain").count()
