from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from governance.api import audit, changes, drifts, exchange, lifecycle, match_rules, rulesets, views
from governance.api.billing import BillingRuleViewSet
from governance.api.calendars import BusinessCalendarViewSet
from governance.api.ownership import OwnershipRuleViewSet

router = SimpleRouter()
router.register("entities", views.EntityViewSet, "entity")
router.register("contracts", views.ContractViewSet, "contract")
router.register("calendars", BusinessCalendarViewSet, "calendar")
router.register("billing-rules", BillingRuleViewSet, "billing-rule")
router.register("match-rules", match_rules.MatchRuleViewSet, "match_rule")
router.register("rulesets", rulesets.RulesetViewSet, "ruleset")
router.register("ownership-rules", OwnershipRuleViewSet)
router.register("changes", changes.ChangeViewSet, "change")

urlpatterns = [
    path("", include(router.urls)),
    path("contracts/<slug:slug>/versions/", views.VersionList.as_view(), name="contract-versions"),
    path("contracts/<slug:slug>/versions/<int:number>/", views.VersionDetail.as_view(), name="contract-version"),
    *(
        path(f"contracts/<slug:slug>/versions/<int:number>/{act}/", view.as_view(), name=f"contract-version-{act}")
        for act, view in lifecycle.ACTS.items()
    ),
    path(
        "contracts/<slug:slug>/versions/<int:number>/consumers/",
        lifecycle.VersionConsumers.as_view(),
        name="contract-version-consumers",
    ),
    path("drifts/", drifts.DriftList.as_view(), name="drifts"),
    path("drifts/<int:pk>/", drifts.DriftDetail.as_view(), name="drift"),
    path("contract-breaches/", lifecycle.BreachList.as_view(), name="contract-breaches"),
    path("contracts/<slug:slug>/diff/", views.VersionDiff.as_view(), name="contract-diff"),
    path("contracts/<slug:slug>/fields/", views.FieldList.as_view(), name="contract-fields"),
    path("contracts/<slug:slug>/fields/<str:name>/", views.FieldDetail.as_view(), name="contract-field"),
    path("audit/", audit.AuditList.as_view(), name="audit-list"),
    path("audit/<int:pk>/", audit.AuditDetail.as_view(), name="audit-detail"),
    path("contracts/<slug:slug>/export/<slug:format_>/", exchange.ContractExport.as_view(), name="contract-export"),
    path("contract-imports/", exchange.ContractImport.as_view(), name="contract-imports"),
    path("asyncapi/", exchange.EventsExport.as_view(), name="asyncapi"),
]
