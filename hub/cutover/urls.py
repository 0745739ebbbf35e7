from __future__ import annotations

from django.urls import path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from hub.cutover import views

app_name = "cutover"

urlpatterns = [
    *list_urls("cutovers/", views.cutover_list, "cutover_list"),
    path("cutovers/new/", views.cutover_new, name="cutover_new"),
    path("cutovers/<slug:slug>/", views.cutover, name="cutover"),
    path("cutovers/<slug:slug>/change/", views.cutover_edit, name="cutover_edit"),
    path("cutovers/<slug:slug>/delete/", views.cutover_delete, name="cutover_delete"),
    path("cutovers/<slug:slug>/advance/", views.advance, name="advance"),
    path("cutovers/<slug:slug>/rollback/", views.rollback, name="rollback"),
    path("cutovers/<slug:slug>/explain/", views.explain, name="explain"),
]

nav.register(
    Entry("Watch", "Cut-overs", "cutover:cutover_list", icon="git-compare", permission="cutovers.view", order=28)
)
