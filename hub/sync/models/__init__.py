from hub.sync.models.config import Schedule, Sync
from hub.sync.models.ledger import Batch, Transaction
from hub.sync.models.work import Delivery, HeldRecord, Run, ScheduleSlot, SyncState

__all__ = [
    "Batch",
    "Delivery",
    "HeldRecord",
    "Run",
    "Schedule",
    "ScheduleSlot",
    "Sync",
    "SyncState",
    "Transaction",
]
