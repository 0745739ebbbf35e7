"""One file a noun; what a package outside needs is imported from here."""

from governance.models.audit import AuditEntry, AuditHead, AuditPending, AuditSeal
from governance.models.contract import Contract, ContractVersion, Entity
from governance.models.ownership import OwnershipRule

__all__ = [
    "AuditEntry",
    "AuditHead",
    "AuditPending",
    "AuditSeal",
    "Contract",
    "ContractVersion",
    "Entity",
    "OwnershipRule",
]
