from __future__ import annotations

from django.urls import path

from hub.config.api.views import ConfigApply, ConfigExport, ConfigPlan

urlpatterns = [
    path("config/export/", ConfigExport.as_view(), name="config-export"),
    path("config/plan/", ConfigPlan.as_view(), name="config-plan"),
    path("config/apply/", ConfigApply.as_view(), name="config-apply"),
]
