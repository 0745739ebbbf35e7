from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path
from django.views import View
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from hub.accounts.checks import check_permission_names
from hub.accounts.services import create_token
from hub.common.checks import check_patterns, check_views
from hub.common.permissions import HasHubPermission, declare, needed_for, public, requires, signed_in


def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse("bare")


@public
def for_anyone(request: HttpRequest) -> HttpResponse:
    return HttpResponse("anyone")


@signed_in
def for_people(request: HttpRequest) -> HttpResponse:
    return HttpResponse("people")


@requires(GET="connections.view", POST="connections.edit")
def connections(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.method or "")


@requires("mappings.edit")
class Editor(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("editor")


class BareClass(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("bare")


class Api(APIView):
    required_permission = {"GET": "connections.view", "POST": "connections.edit"}

    def get(self, request: Any) -> Response:
        return Response("read")

    def post(self, request: Any) -> Response:
        return Response("written")

    def delete(self, request: Any) -> Response:
        return Response("deleted")


class BareApi(APIView):
    def get(self, request: Any) -> Response:
        return Response("bare")


class ReplacedApi(APIView):
    required_permission = "connections.view"
    permission_classes = []


@requires("connections.fly")
def misspelt(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [
    path("", include("hub.accounts.urls")),
    path("", include("hub.common.urls")),
    path("bare/", bare),
    path("anyone/", for_anyone),
    path("people/", for_people),
    path("connections/", connections),
    path("editor/", Editor.as_view()),
    path("api/", Api.as_view()),
    path("bare-api/", BareApi.as_view()),
]

handler403 = "hub.common.pages.permission_denied"

here = override_settings(ROOT_URLCONF=__name__)


@pytest.mark.parametrize("view", [bare, BareClass.as_view(), BareApi.as_view()], ids=["function", "class", "api"])
def test_a_view_without_a_declaration_stops_the_start(view: Any) -> None:
    nested = [path("deep/", include([path("down/", view)]))]
    assert [problem.id for problem in check_patterns(nested)] == ["hub.E001"]


@pytest.mark.parametrize(
    "view", [for_anyone, for_people, connections, Editor.as_view(), Api.as_view()],
    ids=["public", "signed in", "by method", "class", "api"],
)  # fmt: skip
def test_a_declared_view_starts(view: Any) -> None:
    assert check_patterns([path("x/", view)]) == []


def test_an_api_view_that_replaced_the_permission_classes_stops_the_start() -> None:
    assert [problem.id for problem in check_patterns([path("x/", ReplacedApi.as_view())])] == ["hub.E002"]
    fixed = ReplacedApi.as_view(permission_classes=[HasHubPermission])
    assert check_patterns([path("x/", fixed)]) == []


def test_a_third_party_url_module_is_declared_where_it_is_included() -> None:
    patterns = [path("a/", BareClass.as_view()), path("b/", include([path("c/", BareClass.as_view())]))]
    assert check_patterns([path("x/", include((declare(patterns, "access.manage"), "third")))]) == []


@override_settings(ROOT_URLCONF=(path("x/", misspelt),))
def test_a_permission_that_no_role_can_hold_stops_the_start() -> None:
    assert [problem.id for problem in check_permission_names()] == ["accounts.E001"]


def test_every_view_of_the_product_is_declared() -> None:
    assert check_views() == []
    assert check_permission_names() == []


def test_the_checks_are_part_of_the_start() -> None:
    with override_settings(ROOT_URLCONF=(path("bare/", bare), path("x/", misspelt))):
        assert {"hub.E001", "accounts.E001"} <= {problem.id for problem in run_checks()}


def test_requires_takes_one_permission_or_one_by_method() -> None:
    with pytest.raises(TypeError):
        requires()
    with pytest.raises(TypeError):
        requires("connections.view", POST="connections.edit")


def test_head_and_options_need_what_get_needs() -> None:
    by_method = {"GET": "a.view", "POST": "a.edit"}
    assert needed_for(by_method, "HEAD") == needed_for(by_method, "OPTIONS") == "a.view"
    assert needed_for(by_method, "DELETE") is None


@here
def test_an_undeclared_view_is_refused_even_if_the_start_was_not_stopped(browse: Any, ada: Any) -> None:
    assert browse(ada).get("/bare/").status_code == 403


@here
def test_a_public_view_needs_no_account(client: Client, db: Any) -> None:
    assert client.get("/anyone/").content == b"anyone"


@here
def test_an_anonymous_visitor_is_sent_to_sign_in_and_back(client: Client, db: Any) -> None:
    answer = client.get("/people/?page=2")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in/?next=%2Fpeople%2F%3Fpage%3D2")


@here
def test_an_anonymous_htmx_request_redirects_the_whole_page(client: Client, db: Any) -> None:
    answer = client.get("/people/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/sign-in/")


@here
def test_a_permission_is_asked_for_by_method(browse: Any, ada: Any, olga: Any, mallory: Any) -> None:
    assert [browse(ada).get("/connections/").status_code, browse(ada).post("/connections/").status_code] == [200, 200]
    assert [browse(olga).get("/connections/").status_code, browse(olga).post("/connections/").status_code] == [200, 403]
    assert browse(mallory).get("/connections/").status_code == 403
    assert browse(ada).delete("/connections/").status_code == 403


@here
def test_a_refusal_names_the_permission(browse: Any, mallory: Any) -> None:
    answer = browse(mallory).get("/editor/")
    assert answer.status_code == 403
    assert "This needs the permission mappings.edit" in answer.content.decode()


@here
def test_the_api_refuses_by_default(browse: Any, ada: Any) -> None:
    assert browse(ada).get("/bare-api/").status_code == 403


@here
def test_the_api_asks_by_method_and_refuses_what_is_not_named(browse: Any, ada: Any, olga: Any) -> None:
    assert browse(ada).post("/api/").json() == "written"
    assert browse(olga).get("/api/").json() == "read"
    assert browse(olga).post("/api/").status_code == 403
    assert browse(ada).delete("/api/").status_code == 403


def bearer(secret: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@here
def test_a_token_acts_with_the_roles_of_its_owner(ada: Any, olga: Any) -> None:
    may_write = bearer(create_token(ada, name="t", days=1, by=ada)[1])
    may_read = bearer(create_token(olga, name="t", days=1, by=olga)[1])
    assert may_write.post("/api/").status_code == 200
    assert [may_read.get("/api/").status_code, may_read.post("/api/").status_code] == [200, 403]


@here
def test_a_read_only_token_cannot_write_whatever_the_roles(ada: Any) -> None:
    client = bearer(create_token(ada, name="t", days=1, by=ada, is_read_only=True)[1])
    assert client.get("/api/").status_code == 200
    refused = client.post("/api/")
    assert (refused.status_code, refused.json()["detail"]) == (403, "This token may only read.")


@here
def test_a_token_of_nobody_is_refused_with_401(db: Any) -> None:
    assert bearer("hub_pat_" + "0" * 64).get("/api/").status_code == 401
    assert APIClient().get("/api/").status_code == 401
