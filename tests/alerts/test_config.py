"""Rules and routes as configuration: what is exported is what is applied, and no secret leaves."""

from __future__ import annotations

from typing import Any

import pytest

from hub.common.registry import Document, kind
from monitoring.alerts import shipped
from monitoring.models import AlertRoute, AlertRule

pytestmark = pytest.mark.django_db
CHAT = "gotify://chat.example.com/AbCdEf123456789"
ROUTE: Document = {
    "kind": "AlertRoute",
    "slug": "finance",
    "name": "Finance",
    "position": 10,
    "amount_from": "1000.5",
    "mail": ["finn@firm.example"],
    "secrets": {"chat": CHAT},
}


def test_every_shipped_rule_is_valid_and_comes_out_as_it_went_in(domains: Any) -> None:
    shipped.ensure()
    for document in shipped.documents():
        assert kind("AlertRule").validate(dict(document)) == []
        assert kind("AlertRule").diff(dict(document)) == []
        assert kind("AlertRule").dump(document["slug"]) == kind("AlertRule").normal(dict(document))


def test_a_route_comes_out_without_its_secret_and_applying_that_changes_nothing(domains: Any) -> None:
    kind("AlertRoute").apply(dict(ROUTE), by=None)
    exported = kind("AlertRoute").dump("finance")
    assert exported is not None
    assert exported["secrets"] == {"chat": "${secret:finance.chat}"}
    assert CHAT not in str(exported)
    assert kind("AlertRoute").diff(exported) == []
    kind("AlertRoute").apply(exported, by=None)
    assert AlertRoute.objects.get().secrets == {"chat": CHAT}


def test_a_document_without_the_secret_keeps_it(domains: Any) -> None:
    kind("AlertRoute").apply(dict(ROUTE), by=None)
    rest = {name: value for name, value in ROUTE.items() if name != "secrets"}
    assert kind("AlertRoute").diff(rest) == []
    kind("AlertRoute").apply(rest, by=None)
    assert AlertRoute.objects.get().secrets == {"chat": CHAT}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"secrets": {"mail": "x"}}, "secrets.mail"),
        ({"secrets": {"chat": "json://x/y"}}, "secrets.chat"),
        ({"amount_from": "much"}, "amount_from"),
        ({"level": "ok"}, "level"),
        ({"webhook": "ftp://x"}, "webhook"),
    ],
)
def test_a_route_that_cannot_be_meant_is_refused(domains: Any, changes: Document, path: str) -> None:
    assert path in [problem.path for problem in kind("AlertRoute").validate({**ROUTE, **changes})]


def test_numbers_of_rules_are_exact(domains: Any) -> None:
    document = {"kind": "AlertRule", "slug": "r", "name": "R", "what": "quota", "warning": "0.1", "critical": "0.30"}
    kind("AlertRule").apply(document, by=None)
    assert kind("AlertRule").dump("r") == {**document, "critical": "0.3"}
    assert kind("AlertRule").diff(document) == []
    assert AlertRule.objects.get(slug="r").evaluations == 1
