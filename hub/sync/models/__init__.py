from hub.sync.models.adopt import Adoption, MatchDefinition, StagedRecord
from hub.sync.models.config import Schedule, Standstill, Sync
from hub.sync.models.ledger import Batch, Transaction
from hub.sync.models.work import Delivery, HeldRecord, Run, ScheduleSlot, SyncState

__all__ = [
    "Adoption",
    "Batch",
    "Delivery",
    "HeldRecord",
    "MatchDefinition",
    "Run",
    "Schedule",
    "ScheduleSlot",
    "StagedRecord",
    "Standstill",
    "Sync",
    "SyncState",
    "Transaction",
]
