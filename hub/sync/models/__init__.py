from hub.sync.models.backfill import Backfill
from hub.sync.models.config import Schedule, Standstill, Sync
from hub.sync.models.ledger import Batch, Transaction
from hub.sync.models.work import Delivery, HeldRecord, Run, ScheduleSlot, SyncState

__all__ = [
    "Backfill",
    "Batch",
    "Delivery",
    "HeldRecord",
    "Run",
    "Schedule",
    "ScheduleSlot",
    "Standstill",
    "Sync",
    "SyncState",
    "Transaction",
]
