from __future__ import annotations

from django.urls import re_path

from hub.publishing import views

urlpatterns = [
    re_path(r"^feeds/(?P<entity>[-\w]+)/?$", views.Feed.as_view(), name="feed"),
    # OData clients put addresses together by themselves, without a slash at the end.
    re_path(r"^odata/?$", views.Service.as_view(), name="odata"),
    re_path(r"^odata/\$metadata$", views.Metadata.as_view()),
    re_path(r"^odata/(?P<entity>[a-z][a-z0-9_]*)/?$", views.EntitySetView.as_view(), name="odata_set"),
    re_path(r"^odata/(?P<entity>[a-z][a-z0-9_]*)/\$count$", views.Count.as_view()),
    re_path(r"^odata/(?P<entity>[a-z][a-z0-9_]*)\('(?P<key>(?:[^']|'')*)'\)$", views.One.as_view()),
]
