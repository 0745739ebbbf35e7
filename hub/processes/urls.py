from __future__ import annotations

from django.urls import path

from hub.common import nav
from hub.common.lists import list_urls
from hub.common.nav import Entry
from hub.processes import panels, views

app_name = "processes"

urlpatterns = [
    *list_urls("processes/", views.process_list, "process_list"),
    path("processes/new/", views.process_new, name="process_new"),
    *list_urls("processes/runs/", views.run_list, "run_list"),
    path("processes/<slug:slug>/", views.process, name="process"),
    path("processes/<slug:slug>/change/", views.process_edit, name="process_edit"),
    path("processes/<slug:slug>/delete/", views.process_delete, name="process_delete"),
    path("processes/<slug:slug>/start/", views.start, name="start"),
    path("processes/<slug:slug>/rehearsal/", views.process_rehearsal, name="process_rehearsal"),
    path("processes/<slug:slug>/steps/new/<slug:kind_name>/", views.step_new, name="step_new"),
    path("processes/<slug:slug>/steps/<slug:name>/", views.step_edit, name="step_edit"),
    path("processes/<slug:slug>/steps/<slug:name>/delete/", views.step_delete, name="step_delete"),
    path("processes/<slug:slug>/<int:pk>/", views.instance, name="instance"),
    path("processes/<slug:slug>/<int:pk>/retry/", views.retry, name="retry"),
    path("processes/<slug:slug>/<int:pk>/cancel/", views.cancel, name="cancel"),
    path("processes/<slug:slug>/<int:pk>/messages/<int:message>/seen/", views.seen, name="seen"),
    path("processes/<slug:slug>/<int:pk>/steps/<slug:step>/answer/", views.answer, name="answer"),
    path("processes/<slug:slug>/<int:pk>/steps/<slug:step>/settle/", views.settle, name="settle"),
    path("processes/<slug:slug>/<int:pk>/steps/<slug:step>/undone/", views.undone, name="undone"),
]

nav.register(Entry("Build", "Processes", "processes:process_list", icon="route", permission="processes.view", order=54))
nav.register(
    Entry("Watch", "Process runs", "processes:run_list", icon="timeline", permission="processes.view", order=25,
          badge=panels.stopped)
)  # fmt: skip
