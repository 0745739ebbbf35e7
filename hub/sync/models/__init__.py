from hub.sync.models.config import Schedule, Standstill, Sync
from hub.sync.models.ledger import Batch, Transaction
from hub.sync.models.replay import DeadLetter, Replay, ReplayItem
from hub.sync.models.work import Delivery, HeldRecord, Run, ScheduleSlot, SyncState

__all__ = [
    "Batch",
    "DeadLetter",
    "Delivery",
    "HeldRecord",
    "Replay",
    "ReplayItem",
    "Run",
    "Schedule",
    "ScheduleSlot",
    "Standstill",
    "Sync",
    "SyncState",
    "Transaction",
]
