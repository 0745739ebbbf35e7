from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from hub.sync.api.adoptions import AdoptionViewSet
from hub.sync.api.backfills import BackfillViewSet
from hub.sync.api.blocked import BlockedValueViewSet
from hub.sync.api.duplicates import DuplicateViewSet
from hub.sync.api.identities import IdentityList
from hub.sync.api.ledger import DeliveryViewSet, HeldViewSet, TransactionViewSet
from hub.sync.api.merges import MergeViewSet
from hub.sync.api.replays import DeadLetterViewSet, ReplayViewSet
from hub.sync.api.switches import StandstillView
from hub.sync.api.syncs import RunViewSet, ScheduleViewSet, SyncViewSet

router = SimpleRouter()
router.register("adoptions", AdoptionViewSet)
router.register("syncs", SyncViewSet)
router.register("schedules", ScheduleViewSet)
router.register("runs", RunViewSet)
router.register("backfills", BackfillViewSet)
router.register("transactions", TransactionViewSet)
router.register("held-records", HeldViewSet)
router.register("deliveries", DeliveryViewSet)
router.register("merges", MergeViewSet)
router.register("dead-letters", DeadLetterViewSet)
router.register("replays", ReplayViewSet)
router.register("duplicates", DuplicateViewSet)
router.register("blocked-values", BlockedValueViewSet)

urlpatterns = [
    *router.urls,
    path("standstill/", StandstillView.as_view(), name="standstill"),
    path("identities/", IdentityList.as_view(), name="identities"),
]
