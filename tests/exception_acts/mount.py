"""hub.urls, with the addresses of exceptions beside them where the hub does not mount them yet."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from hub.common.permissions import signed_in
from hub.urls import handler400, handler403, handler404, handler500
from hub.urls import urlpatterns as mounted

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


@signed_in
def _elsewhere(request: HttpRequest, **_: object) -> HttpResponse:
    return HttpResponse("<title>Elsewhere</title>")


def _is_mounted() -> bool:
    return any(getattr(pattern, "app_name", None) == "exceptions" for pattern in mounted)


_stubs = [
    path("", _elsewhere, name="list"),
    path("<int:pk>/", _elsewhere, name="item"),
    path("groups/<int:pk>/", _elsewhere, name="group"),
]
urlpatterns = list(mounted)
if not _is_mounted():
    urlpatterns += [
        path("exceptions/", include(([*_stubs, path("", include("monitoring.exceptions.act_urls"))], "exceptions"))),
    ]
