from __future__ import annotations

from django.urls import path

from governance import editing, views
from governance.audit import views as audit
from governance.changes.urls import urlpatterns as changes
from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry

app_name = "governance"

urlpatterns = [
    *list_urls("audit/", audit.audit_list, "audit_list"),
    path("audit/<int:pk>/", audit.audit_entry, name="audit_entry"),
    *list_urls("contracts/", views.contract_list, "contract_list"),
    path("contracts/new/", editing.entity_new, name="entity_new"),
    path("contracts/<slug:slug>.schema.json", views.schema_file, name="schema_file"),
    path("contracts/<slug:slug>/", views.contract_fields, name="contract_fields"),
    path("contracts/<slug:slug>/versions/", views.contract_versions, name="contract_versions"),
    path("contracts/<slug:slug>/schema/", views.contract_schema, name="contract_schema"),
    path("contracts/<slug:slug>/history/", views.contract_history, name="contract_history"),
    path("contracts/<slug:slug>/settings/", editing.entity_settings, name="entity_settings"),
    path("contracts/<slug:slug>/fields/new/", editing.field_new, name="field_new"),
    path("contracts/<slug:slug>/fields/<str:name>/", editing.field_edit, name="field_edit"),
    path("contracts/<slug:slug>/fields/<str:name>/remove/", editing.field_remove, name="field_remove"),
    *changes,
]

nav.register(
    Entry(
        "Build",
        "Entities & contracts",
        "governance:contract_list",
        icon="file-check",
        permission="contracts.view",
        order=30,
    )
)
nav.register(Entry("Build", "Audit", "governance:audit_list", icon="list", permission="audit.view", order=90))
