from hub.sync.models.adopt import Adoption, MatchDefinition, StagedRecord
from hub.sync.models.backfill import Backfill
from hub.sync.models.config import Schedule, Standstill, Sync
from hub.sync.models.duplicate import Duplicate, LinkedKey, MatchBlock, MatchIndex
from hub.sync.models.ledger import Batch, Transaction
from hub.sync.models.likeness import Likeness, LikenessPosition
from hub.sync.models.merge import Merge
from hub.sync.models.ownership import BlockedValue
from hub.sync.models.poison import Suspect
from hub.sync.models.removal import Crawl, RemovalSettings
from hub.sync.models.replay import DeadLetter, Replay, ReplayItem
from hub.sync.models.twin import Twin
from hub.sync.models.work import Delivery, HeldRecord, Run, ScheduleSlot, SyncState

__all__ = [
    "Adoption",
    "Backfill",
    "Batch",
    "BlockedValue",
    "Crawl",
    "DeadLetter",
    "Delivery",
    "Duplicate",
    "HeldRecord",
    "Likeness",
    "LikenessPosition",
    "LinkedKey",
    "MatchBlock",
    "MatchDefinition",
    "MatchIndex",
    "Merge",
    "RemovalSettings",
    "Replay",
    "ReplayItem",
    "Run",
    "Schedule",
    "ScheduleSlot",
    "StagedRecord",
    "Standstill",
    "Suspect",
    "Sync",
    "SyncState",
    "Transaction",
    "Twin",
]
