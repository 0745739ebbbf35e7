"""Addresses that other programs call; first of all addresses, because nothing is asked for as often."""

from __future__ import annotations

from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from hub.gateway import serving

app_name = "gateway-calls"
AT = "gateway/{}/<slug:path>/v<int:version>/"
SYSTEM, PROCESS, EXPERIENCE = (AT.format(layer) for layer in ("system", "process", "experience"))

urlpatterns = [
    path(EXPERIENCE + "<path:key>/", serving.Experience.as_view(), name="experience"),
    path(SYSTEM, csrf_exempt(serving.SystemList.as_view()), name="system"),
    path(SYSTEM + "records/<path:key>/", serving.SystemRecord.as_view(), name="record"),
    path(SYSTEM + "lookup/<path:external_id>/", serving.SystemLookup.as_view(), name="lookup"),
    path(SYSTEM + "writes/<str:message_id>/", serving.SystemWrite.as_view(), name="write"),
    path(PROCESS, csrf_exempt(serving.ProcessStart.as_view()), name="start"),
    path(PROCESS + "<int:pk>/", serving.ProcessStatus.as_view(), name="status"),
    path(PROCESS + "<int:pk>/signal/", csrf_exempt(serving.ProcessSignal.as_view()), name="signal"),
]
