from __future__ import annotations

from django.urls import path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from monitoring.glossary import editing, views

app_name = "monitoring"

urlpatterns = [
    *list_urls("glossary/drift/", views.drift_list, "drift_list"),
    *list_urls("glossary/", views.term_list, "term_list"),
    path("glossary/new/", editing.term_new, name="term_new"),
    path("glossary/load/", editing.load_shipped, name="load_terms"),
    path("glossary/<slug:slug>/", views.term_detail, name="term"),
    path("glossary/<slug:slug>/measure/", views.term_measure, name="term_measure"),
    path("glossary/<slug:slug>/edit/", editing.term_edit, name="term_edit"),
    path("glossary/<slug:slug>/remove/", editing.term_remove, name="term_remove"),
]

nav.register(Entry("Govern", "Glossary", "monitoring:term_list", icon="bulb", permission="contracts.view", order=30))
nav.register(
    Entry("Watch", "Semantic drift", "monitoring:drift_list", icon="scale", permission="contracts.view", order=70)
)
