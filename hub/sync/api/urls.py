from __future__ import annotations

from rest_framework.routers import SimpleRouter

from hub.sync.api.ledger import DeliveryViewSet, HeldViewSet, TransactionViewSet
from hub.sync.api.syncs import RunViewSet, ScheduleViewSet, SyncViewSet

router = SimpleRouter()
router.register("syncs", SyncViewSet)
router.register("schedules", ScheduleViewSet)
router.register("runs", RunViewSet)
router.register("transactions", TransactionViewSet)
router.register("held-records", HeldViewSet)
router.register("deliveries", DeliveryViewSet)

urlpatterns = router.urls
