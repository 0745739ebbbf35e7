from __future__ import annotations

from django.urls import path

from hub.common import nav
from hub.common.nav import Entry
from hub.spreadsheets import views

app_name = "spreadsheets"

urlpatterns = [
    path("spreadsheets/", views.upload_list, name="upload_list"),
    path("spreadsheets/sources/", views.source_new, name="source_new"),
    path("spreadsheets/templates/<slug:slug>.xlsx", views.template, name="template"),
    path("spreadsheets/uploads/<int:pk>/", views.upload_detail, name="upload_detail"),
    path("spreadsheets/uploads/<int:pk>/confirm/", views.confirm, name="confirm"),
    path("spreadsheets/uploads/<int:pk>/discard/", views.discard, name="discard"),
    path("spreadsheets/uploads/<int:pk>/refused.xlsx", views.refused, name="refused"),
    path("spreadsheets/<slug:slug>/", views.upload_new, name="upload_new"),
]

nav.register(
    Entry("Build", "Spreadsheets", "spreadsheets:upload_list", icon="table", permission="syncs.view", order=57)
)
