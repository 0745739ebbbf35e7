from django.urls import path

from hub.common import nav, pages
from hub.common.nav import Entry

urlpatterns = [
    path("", pages.home, name="home"),
    path("search/", pages.search, name="search"),
]

nav.register(Entry("Work", "My work", "home", icon="home", order=0))
