from __future__ import annotations

from django.urls import path

from governance import drift_views, editing, version_views, views
from governance.audit import views as audit
from governance.billing import views as billing
from governance.calendars import views as calendars
from governance.changes.urls import urlpatterns as changes
from governance.exchange import views as exchange
from governance.firm import views as firm
from governance.match_rules import views as match_rules
from governance.ownership import views as ownership
from governance.rulesets import views as rulesets
from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry

app_name = "governance"

urlpatterns = [
    *list_urls("audit/", audit.audit_list, "audit_list"),
    path("audit/<int:pk>/", audit.audit_entry, name="audit_entry"),
    *list_urls("drifts/", drift_views.drift_list, "drift_list"),
    path("drifts/<int:pk>/", drift_views.drift_detail, name="drift_detail"),
    path("drifts/<int:pk>/<slug:act>/", drift_views.drift_decide, name="drift_decide"),
    *list_urls("contracts/", views.contract_list, "contract_list"),
    path("contracts/new/", editing.entity_new, name="entity_new"),
    path("contracts/import/", exchange.contract_import, name="contract_import"),
    path("contracts.asyncapi.yaml", exchange.events_file, name="events_file"),
    path("contracts/<slug:slug>.odcs.yaml", exchange.contract_file, {"format_": "odcs"}, name="odcs_file"),
    path("contracts/<slug:slug>.asyncapi.yaml", exchange.contract_file, {"format_": "asyncapi"}, name="asyncapi_file"),
    *list_urls("contracts/breaches/", version_views.breach_list, "breach_list"),
    path("contracts/<slug:slug>.schema.json", views.schema_file, name="schema_file"),
    path("contracts/<slug:slug>/", views.contract_fields, name="contract_fields"),
    path("contracts/<slug:slug>/versions/", views.contract_versions, name="contract_versions"),
    path("contracts/<slug:slug>/versions/new/", version_views.version_new, name="version_new"),
    path("contracts/<slug:slug>/versions/<int:number>/", version_views.version_detail, name="version_detail"),
    path("contracts/<slug:slug>/versions/<int:number>/<slug:act>/", version_views.version_act, name="version_act"),
    path("contracts/<slug:slug>/schema/", views.contract_schema, name="contract_schema"),
    path("contracts/<slug:slug>/history/", views.contract_history, name="contract_history"),
    path("contracts/<slug:slug>/settings/", editing.entity_settings, name="entity_settings"),
    path("contracts/<slug:slug>/fields/new/", editing.field_new, name="field_new"),
    path("contracts/<slug:slug>/fields/<str:name>/", editing.field_edit, name="field_edit"),
    path("contracts/<slug:slug>/fields/<str:name>/remove/", editing.field_remove, name="field_remove"),
    path("firm/", firm.firm, name="firm"),
    *list_urls("calendars/", calendars.calendar_list, "calendar_list"),
    path("calendars/new/", calendars.calendar_new, name="calendar_new"),
    path("calendars/<slug:slug>/", calendars.calendar, name="calendar"),
    path("calendars/<slug:slug>/edit/", calendars.calendar_edit, name="calendar_edit"),
    path("calendars/<slug:slug>/delete/", calendars.calendar_delete, name="calendar_delete"),
    *list_urls("billing-rules/", billing.billing_rule_list, "billing_rule_list"),
    path("billing-rules/new/", billing.billing_rule_new, name="billing_rule_new"),
    path("billing-rules/<slug:slug>/", billing.billing_rule, name="billing_rule"),
    path("billing-rules/<slug:slug>/edit/", billing.billing_rule_edit, name="billing_rule_edit"),
    *list_urls("match-rules/", match_rules.match_rule_list, "match_rule_list"),
    path("match-rules/new/", match_rules.match_rule_new, name="match_rule_new"),
    path("match-rules/<slug:slug>/", match_rules.match_rule_edit, name="match_rule_edit"),
    path("contracts/<slug:slug>/agreement/", editing.contract_agreement, name="contract_agreement"),
    *list_urls("rulesets/", rulesets.ruleset_list, "ruleset_list"),
    path("rulesets/new/", rulesets.ruleset_new, name="ruleset_new"),
    path("rulesets/<slug:slug>/", rulesets.ruleset, name="ruleset"),
    *list_urls("ownership/", ownership.ownership_list, "ownership_list"),
    path("ownership/entity/<slug:slug>/new/", ownership.rule_new, name="ownership_rule_new"),
    path("ownership/entity/<slug:slug>/activate/", ownership.activate, name="ownership_activate"),
    path("ownership/entity/<slug:slug>/release/", ownership.release, name="ownership_release"),
    path("ownership/rules/<slug:slug>/", ownership.rule_edit, name="ownership_rule"),
    path("ownership/rules/<slug:slug>/retire/", ownership.rule_retire, name="ownership_retire"),
    path("ownership/rules/<slug:slug>/remove/", ownership.rule_remove, name="ownership_remove"),
    *changes,
]

SEE = "contracts.view"
nav.register(Entry("Govern", "Contracts", "governance:contract_list", icon="file-check", permission=SEE, order=10))
nav.register(Entry("Govern", "Systems of record", "governance:ownership_list", icon="table", permission=SEE, order=20))
nav.register(Entry("Govern", "Match rules", "governance:match_rule_list", icon="equal", permission=SEE, order=25))
nav.register(Entry("Govern", "Rulesets", "governance:ruleset_list", icon="shield-check", permission=SEE, order=35))
nav.register(
    Entry(
        "Govern", "Billing rules", "governance:billing_rule_list", icon="receipt", permission="billing.view", order=40
    )
)
nav.register(
    Entry("Govern", "Calendars", "governance:calendar_list", icon="calendar", permission="monitor.view", order=45)
)
nav.register(Entry("Govern", "Firm", "governance:firm", icon="cube", permission="monitor.view", order=47))
nav.register(Entry("Govern", "Audit", "governance:audit_list", icon="list", permission="audit.view", order=90))
nav.register(Entry("Watch", "Contract breaches", "governance:breach_list", icon="ban", permission=SEE, order=60))
nav.register(
    Entry("Watch", "Shape drift", "governance:drift_list", icon="git-compare", permission="connections.view", order=65)
)
