from __future__ import annotations

from django.urls import path

from hub.common import nav
from hub.common.nav import Entry
from monitoring.control import views

app_name = "monitor"

urlpatterns = [path("monitor/", views.room, name="room")]

nav.register(Entry("Watch", "Control room", "monitor:room", icon="activity", permission="monitor.view", order=5))
