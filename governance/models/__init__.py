"""One file a noun; what a package outside needs is imported from here."""

from governance.models.audit import AuditEntry, AuditHead, AuditPending, AuditSeal
from governance.models.billing_rule import BillingRule, BillingRuleVersion
from governance.models.breach import ContractBreach
from governance.models.calendar import BusinessCalendar
from governance.models.canary import ChangeCanary
from governance.models.change import ChangeComment, ChangeEdit, ChangeItem, ChangePacket, ChangeRequest, SealedSecrets
from governance.models.consumer import ConsumerNotice, ContractUse, SunsetNotice
from governance.models.contract import Contract, ContractVersion, Entity
from governance.models.delegation import Delegation
from governance.models.drift import Drift, SeenShape
from governance.models.firm import Firm
from governance.models.match_rule import MatchRule
from governance.models.ownership import OwnershipRule
from governance.models.review import Review, ReviewSeat
from governance.models.review_policy import ReviewGroup, ReviewPolicy
from governance.models.ruleset import Ruleset
from governance.models.service_level import ServiceLevel
from governance.models.term import Term

__all__ = [
    "AuditEntry",
    "AuditHead",
    "AuditPending",
    "AuditSeal",
    "BillingRule",
    "BillingRuleVersion",
    "BusinessCalendar",
    "ChangeCanary",
    "ChangeComment",
    "ChangeEdit",
    "ChangeItem",
    "ChangePacket",
    "ChangeRequest",
    "ConsumerNotice",
    "Contract",
    "ContractBreach",
    "ContractUse",
    "ContractVersion",
    "Delegation",
    "Drift",
    "Entity",
    "Firm",
    "MatchRule",
    "OwnershipRule",
    "Review",
    "ReviewGroup",
    "ReviewPolicy",
    "ReviewSeat",
    "Ruleset",
    "SealedSecrets",
    "SeenShape",
    "ServiceLevel",
    "SunsetNotice",
    "Term",
]
