"""The benchmark of pages: which pages it finds, and what it counts as failed."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.urls import get_resolver

from hub.accounts.models import User
from hub.common.db import plain_cursor
from monitoring.bench import pages
from monitoring.bench.pages import Page, named_patterns

pytestmark = pytest.mark.django_db


class Answers:
    """Stands for a client; answers with each status in turn."""

    def __init__(self, *statuses: int, body: bytes = b"ok") -> None:
        self.statuses, self.body = list(statuses), body

    def get(self, url: str, **more: object) -> HttpResponse:
        return HttpResponse(self.body, status=self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])


def test_lists_of_every_package_are_found_by_their_names():
    names = {name for name, _ in named_patterns(get_resolver())}
    assert {"sync:transaction_list", "thread:thread_list", "governance:audit_list", "home"} <= names
    assert not [name for name in names if name.startswith("api")]


def test_people_are_asked_for_what_they_may_see(ada, finn, mallory):
    of_admin, of_finance = set(pages._registered(ada)), set(pages._registered(finn))
    assert "/transactions/" in of_admin & of_finance
    assert "/thread/" in of_admin
    assert of_finance < of_admin
    assert list(pages._registered(mallory)) == []


def test_a_page_that_does_not_answer_is_no_fast_page():
    found = pages._measured(Page("/x/", "admin"), Answers(500))
    assert (found.passed, found.problem) == (False, "answered 500")


def test_a_part_that_could_not_be_read_is_no_fast_page():
    found = pages._measured(Page("/x/", "admin"), Answers(200, body=b"This part could not be read."))
    assert not found.passed


def test_every_request_is_counted_but_the_first(monkeypatch):
    found = pages._measured(Page("/x/", "admin"), Answers(200))
    assert len(found.times) == pages.REPEATS
    assert found.as_data()["queries"] == 0


def test_statements_of_the_orm_and_of_plain_cursors_are_counted(ada):
    with pages._counting() as counted:
        User.objects.count()
        with plain_cursor() as cursor:
            cursor.execute("select 1")
    assert counted.number == 2


def test_the_slowest_requests_decide():
    quick, slow = [10.0] * 20, [10.0] * 15 + [400.0] * 5
    assert Page("/x/", "admin", times=quick).passed
    assert not Page("/x/", "admin", times=slow).passed
