"""One file a noun; what a package outside needs is imported from here."""

from governance.models.audit import AuditEntry, AuditHead, AuditPending, AuditSeal
from governance.models.change import ChangeComment, ChangeEdit, ChangeItem, ChangePacket, ChangeRequest
from governance.models.contract import Contract, ContractVersion, Entity
from governance.models.delegation import Delegation
from governance.models.review import Review, ReviewSeat
from governance.models.review_policy import ReviewGroup, ReviewPolicy

__all__ = [
    "AuditEntry",
    "AuditHead",
    "AuditPending",
    "AuditSeal",
    "ChangeComment",
    "ChangeEdit",
    "ChangeItem",
    "ChangePacket",
    "ChangeRequest",
    "Contract",
    "ContractVersion",
    "Delegation",
    "Entity",
    "Review",
    "ReviewGroup",
    "ReviewPolicy",
    "ReviewSeat",
]
