"""Addresses of what people do about exceptions; monitoring.exceptions.urls includes them."""

from __future__ import annotations

from django.urls import path, re_path

from hub.common.lists import list_urls
from monitoring.exceptions import act_views, fix_views, lesson_views, write_off_views

_ACTS = "assign|comment|tag|snooze|wake|reclassify"
_BULK = f"{_ACTS}|settle|retry"

urlpatterns = [
    re_path(rf"^(?P<pk>[0-9]+)/(?P<action>{_ACTS})/$", act_views.item_act, name="item_act"),
    path("act/", act_views.bulk, name="bulk"),
    re_path(rf"^act/(?P<action>{_BULK})/$", act_views.bulk_act, name="bulk_act"),
    path("fix/", fix_views.fix, name="fix"),
    path("rule/", lesson_views.rule, name="rule"),
    *list_urls("overrides/", fix_views.override_list, "override_list"),
    *list_urls("jobs/", act_views.job_list, "job_list"),
    path("jobs/<int:pk>/", act_views.job, {"fmt": ""}, name="job"),
    re_path(r"^jobs/(?P<pk>[0-9]+)\.(?P<fmt>csv|json)$", act_views.job, name="job_export"),
    path("jobs/<int:pk>/live/", act_views.job_live, name="job_live"),
    path("jobs/<int:pk>/cancel/", act_views.job_cancel, name="job_cancel"),
    path("jobs/<int:pk>/undo/", act_views.job_undo, name="job_undo"),
    path("jobs/<int:pk>/retry-failed/", act_views.job_retry_failed, name="job_retry_failed"),
    *list_urls("write-offs/", write_off_views.write_off_list, "write_off_list"),
    path("write-offs/new/", write_off_views.write_off_new, name="write_off_new"),
    path("write-offs/<int:pk>/", write_off_views.write_off, name="write_off"),
    re_path(
        r"^write-offs/(?P<pk>[0-9]+)/(?P<verdict>approve|decline)/$",
        write_off_views.write_off_decide,
        name="write_off_decide",
    ),
    path("write-offs/<int:pk>/withdraw/", write_off_views.write_off_withdraw, name="write_off_withdraw"),
]
