"""The catalogue of permissions and which role holds which: the one table to read, and to change."""

from __future__ import annotations

from dataclasses import dataclass

PERMISSIONS: dict[str, str] = {
    "connections.view": "See connections, their health and their streams",
    "connections.edit": "Add, test, change and pause connections",
    "contracts.view": "See entities and their contracts",
    "contracts.edit": "Draft and submit contract versions",
    "mappings.view": "See mappings and their versions",
    "mappings.edit": "Draft and submit mapping versions",
    "valuemaps.view": "See value maps",
    "valuemaps.edit": "Change value maps",
    "syncs.view": "See syncs, schedules and runs",
    "syncs.edit": "Add and change syncs and schedules",
    "syncs.run": "Start, pause and stop syncs",
    "subscriptions.view": "See subscriptions and the events that were sent",
    "subscriptions.edit": "Add and change subscriptions, and rotate their secrets",
    "subscriptions.send": "Send test events, and events again",
    "processes.view": "See processes and what runs",
    "processes.edit": "Make and change processes",
    "processes.run": "Start, retry and cancel processes",
    "apis.view": "See APIs, who calls them, and how much",
    "apis.edit": "Make and change APIs and consumers, and make tokens for them",
    "cutovers.view": "See cut-overs and what the shadow shows",
    "cutovers.edit": "Make and change cut-overs, and explain differences",
    "cutovers.switch": "Switch legal entities forward and back",
    "ledger.view": "See transactions and their history",
    "ledger.replay": "Send failed and held records again",
    "payloads.reveal": "Reveal masked values in records (each reveal is recorded)",
    "exceptions.view": "See exceptions and reconciliation",
    "exceptions.resolve": "Assign, resolve and write off exceptions",
    "approvals.view": "See what waits for approval",
    "approvals.decide": "Approve or reject what others submitted",
    "monitor.view": "See the control room and its alerts",
    "monitor.edit": "Change alert rules and service levels",
    "config.view": "Export the configuration and plan changes",
    "config.apply": "Apply an exported configuration",
    "access.view": "See people, roles and tokens",
    "audit.view": "See and export who did what, and check that nobody changed it",
    "access.manage": "Invite people, give and take roles, make tokens for services",
    "billing.view": "See billing rules, and try examples on them",
    "billing.edit": "Change billing rules",
}

# These reach beyond any one domain, so a role that is limited to a domain does not bring them.
FIRM_WIDE = frozenset({"config.view", "config.apply", "access.view", "access.manage", "audit.view"})

_VIEW = frozenset(name for name in PERMISSIONS if name.endswith(".view"))
_VIEW_WORK = _VIEW - FIRM_WIDE


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of permissions; given to a person for one domain or for all."""

    slug: str
    label: str
    summary: str
    permissions: frozenset[str]


ROLES: dict[str, Role] = {
    role.slug: role
    for role in (
        Role(
            "integration_admin",
            "Integration admin",
            "Builds connections, contracts, mappings and syncs, and manages access. Does not approve.",
            frozenset(PERMISSIONS) - {"approvals.decide"},
        ),
        Role(
            "approver",
            "Approver",
            "Approves or rejects what others submitted.",
            _VIEW_WORK | {"approvals.decide"},
        ),
        Role(
            "finance",
            "Finance",
            "Clears exceptions and keeps billing rules and value maps such as rates and cost centres.",
            _VIEW_WORK | {"valuemaps.edit", "exceptions.resolve", "billing.edit"},
        ),
        Role(
            "operator",
            "Operator",
            "Runs syncs and sends failed records again.",
            _VIEW_WORK | {"syncs.run", "processes.run", "cutovers.switch", "ledger.replay", "subscriptions.send"},
        ),
        Role("auditor", "Auditor", "Sees everything, including access and masked values. Changes nothing.",
             _VIEW | {"payloads.reveal"}),
        Role("viewer", "Viewer", "Sees the work of the hub. Changes nothing.", _VIEW_WORK),
    )
}  # fmt: skip

ROLE_CHOICES = [(role.slug, role.label) for role in ROLES.values()]


def grants(role: str, permission: str, *, firm_wide: bool) -> bool:
    """Whether a role brings a permission; `firm_wide` is False for an assignment that is limited to one domain."""
    known = ROLES.get(role)
    return known is not None and permission in known.permissions and (firm_wide or permission not in FIRM_WIDE)
