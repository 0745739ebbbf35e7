"""One file a noun; what a package outside needs is imported from here."""

from governance.models.audit import AuditEntry, AuditHead, AuditPending, AuditSeal
from governance.models.breach import ContractBreach
from governance.models.consumer import ConsumerNotice, ContractUse, SunsetNotice
from governance.models.contract import Contract, ContractVersion, Entity
from governance.models.drift import Drift, SeenShape

__all__ = [
    "AuditEntry",
    "AuditHead",
    "AuditPending",
    "AuditSeal",
    "ConsumerNotice",
    "Contract",
    "ContractBreach",
    "ContractUse",
    "ContractVersion",
    "Drift",
    "Entity",
    "SeenShape",
    "SunsetNotice",
]
