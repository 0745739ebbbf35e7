from __future__ import annotations

from django.urls import path

from governance.changes import panels, queries, setting_up, views
from hub.common import home, nav
from hub.common.lists import list_urls
from hub.common.nav import Entry

urlpatterns = [
    *list_urls("changes/", views.change_list, "change_list"),
    path("changes/policies/", setting_up.policy_list, name="review_policies"),
    path("changes/policies/new/", setting_up.policy_edit, {"what": "policy"}, name="review_policy_new"),
    path("changes/policies/<slug:slug>/", setting_up.policy_edit, {"what": "policy"}, name="review_policy"),
    path("changes/policies/<slug:slug>/delete/", setting_up.policy_delete, name="review_policy_delete"),
    path("changes/groups/new/", setting_up.policy_edit, {"what": "group"}, name="review_group_new"),
    path("changes/groups/<slug:slug>/", setting_up.policy_edit, {"what": "group"}, name="review_group"),
    path("changes/delegations/", setting_up.delegation_list, name="delegations"),
    path("changes/delegations/<int:pk>/end/", setting_up.delegation_end, name="delegation_end"),
    path("changes/<int:pk>.record.json", views.change_record, name="change_record"),
    path("changes/<int:pk>/", views.change_detail, name="change"),
    path("changes/approve/", views.change_approve_all, name="change_approve_all"),
    path("changes/<int:pk>/items/<int:item>/", views.change_item, name="change_item"),
    path("changes/<int:pk>/packet/", views.change_packet, name="change_packet"),
    path("changes/<int:pk>/decide/", views.change_decide, name="change_decide"),
    path("changes/<int:pk>/act/", views.change_act, name="change_act"),
    path("changes/<int:pk>/comment/", views.change_comment, name="change_comment"),
]

home.needs("approvals.view")(panels.changes_waiting)
nav.register(
    Entry(
        "Work",
        "Approvals",
        "governance:change_list",
        icon="git-pull-request",
        permission="approvals.view",
        order=40,
        badge=queries.turn_badge,
    )
)
