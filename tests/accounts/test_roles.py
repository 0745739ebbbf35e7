from __future__ import annotations

from typing import Any

import pytest

from hub.accounts.models import Domain, RoleAssignment
from hub.accounts.queries import domains_for, scope_to_domains
from hub.accounts.roles import FIRM_WIDE, PERMISSIONS, ROLES, grants

VIEW_WORK = {
    "connections.view", "contracts.view", "mappings.view", "valuemaps.view", "syncs.view", "subscriptions.view",
    "apis.view", "processes.view", "cutovers.view", "ledger.view", "exceptions.view", "approvals.view", "monitor.view",
    "billing.view",
}  # fmt: skip

TABLE = {
    "integration_admin": set(PERMISSIONS) - {"approvals.decide"},
    "approver": VIEW_WORK | {"approvals.decide"},
    "finance": VIEW_WORK | {"valuemaps.edit", "exceptions.resolve", "billing.edit"},
    "operator": VIEW_WORK | {"syncs.run", "processes.run", "cutovers.switch", "ledger.replay", "subscriptions.send"},
    "auditor": VIEW_WORK | {"config.view", "access.view", "audit.view", "payloads.reveal"},
    "viewer": VIEW_WORK,
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("permission", PERMISSIONS)
def test_each_role_holds_exactly_what_the_table_says(role: str, permission: str) -> None:
    assert grants(role, permission, firm_wide=True) == (permission in TABLE[role])


def test_nobody_who_edits_can_approve_by_the_same_role() -> None:
    edits = {name for name in PERMISSIONS if name.endswith(".edit")}
    assert not [role.slug for role in ROLES.values() if "approvals.decide" in role.permissions & PERMISSIONS.keys()
                and role.permissions & (edits - {"valuemaps.edit"})]  # fmt: skip


def test_an_auditor_changes_nothing() -> None:
    assert all(name.endswith(".view") or name == "payloads.reveal" for name in ROLES["auditor"].permissions)


def test_a_role_in_one_domain_reaches_only_that_domain(make_person: Any, domains: dict[str, Domain]) -> None:
    rita = make_person("Rita", ("integration_admin", "resource"))
    assert rita.has_hub_perm("mappings.edit")
    assert rita.has_hub_perm("mappings.edit", domains["resource"])
    assert not rita.has_hub_perm("mappings.edit", domains["billing-gl"])
    assert [domain.slug for domain in domains_for(rita, "mappings.edit")] == ["resource"]


@pytest.mark.parametrize("permission", sorted(FIRM_WIDE))
def test_a_role_in_one_domain_brings_nothing_that_reaches_the_whole_firm(make_person: Any, permission: str) -> None:
    rita = make_person("Rita", ("integration_admin", "resource"))
    assert not rita.has_hub_perm(permission)


def test_a_role_in_all_domains_reaches_every_domain(ada: Any, domains: dict[str, Domain]) -> None:
    assert all(ada.has_hub_perm("mappings.edit", domain) for domain in domains.values())
    assert domains_for(ada, "mappings.edit").count() == len(domains) == 6


def test_no_role_no_permission(mallory: Any, domains: dict[str, Domain]) -> None:
    assert not any(mallory.has_hub_perm(name) for name in PERMISSIONS)
    assert not domains_for(mallory, "mappings.view").exists()


def test_a_person_who_is_switched_off_holds_nothing(ada: Any) -> None:
    ada.is_active = False
    ada.forget_grants()
    assert not ada.has_hub_perm("connections.view")


def test_rows_are_limited_to_the_domains_of_the_person(make_person: Any, ada: Any, mallory: Any) -> None:
    rita = make_person("Rita", ("viewer", "resource"), ("finance", "billing-gl"))
    rows = RoleAssignment.objects.all()
    seen = scope_to_domains(rows, rita, "mappings.view")
    assert {row.domain.slug for row in seen if row.domain} == {"resource", "billing-gl"}
    assert not seen.filter(domain=None).exists(), "what belongs to no domain needs the permission for all"
    assert scope_to_domains(rows, ada, "mappings.view").count() == rows.count()
    assert not scope_to_domains(rows, mallory, "mappings.view").exists()
    assert {row.domain.slug for row in scope_to_domains(rows, rita, "valuemaps.edit") if row.domain} == {"billing-gl"}


def test_the_six_domains_are_shipped_in_order(domains: dict[str, Domain]) -> None:
    assert list(domains) == [
        "customer-contract", "project-wbs", "resource", "time-expense", "billing-gl", "organisation",
    ]  # fmt: skip


def test_the_roles_of_a_request_are_read_once(ada: Any, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert ada.has_hub_perm("mappings.edit")
        assert ada.has_hub_perm("syncs.run")
