from django.urls import path

from hub.accounts import people, queries, views
from hub.common import home, nav
from hub.common.home import Step
from hub.common.lists import list_urls
from hub.common.nav import Entry

app_name = "accounts"

urlpatterns = [
    path("setup/", views.setup, name="setup"),
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("welcome/<uid>/<token>/", views.welcome, name="welcome"),
    path("settings/", views.settings_index, name="settings"),
    path("settings/profile/", views.profile, name="profile"),
    path("settings/profile/password/", views.password, name="password"),
    path("settings/profile/theme/", views.theme, name="theme"),
    path("settings/profile/time-style/", views.time_style, name="time_style"),
    path("settings/tokens/", views.tokens, name="tokens"),
    path("settings/tokens/<uuid:uid>/revoke/", views.revoke_token, name="token_revoke"),
    *list_urls("settings/people/", people.people_list, "people"),
    path("settings/people/new/", people.person_new, name="person_new"),
    path("settings/people/<int:pk>/", people.person, name="person"),
    path("settings/people/<int:pk>/active/", people.person_active, name="person_active"),
    path("settings/people/<int:pk>/link/", people.person_link, name="person_link"),
    path("settings/people/<int:pk>/tokens/", people.person_token, name="person_token"),
]

nav.register(Entry("Build", "Settings", "accounts:settings", icon="settings", order=90))
home.step(
    Step(
        order=80,
        title="Invite your colleagues",
        detail="An approver first: nobody approves their own changes.",
        url_name="accounts:person_new",
        action="Invite a person",
        permission="access.manage",
        is_done=lambda request: queries.is_more_than_one(),
    )
)
