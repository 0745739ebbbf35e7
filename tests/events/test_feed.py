"""Whoever asks for events one after the other misses none and gets none twice, whenever their transactions end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from hub.common.db import plain_cursor
from hub.common.errors import ConfigError
from hub.events import business, feed, keeping, outbox
from hub.events.models import Event, EventType
from hub.events.outbox import Draft
from tests.events.test_business import define
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "project.active"


def write(*subjects: str) -> None:
    with transaction.atomic(), plain_cursor() as cursor:
        outbox.write(cursor, [Draft(NAME, subject, {"key": subject}, []) for subject in subjects])


def read_on(cursor: str, limit: int = 2) -> tuple[list[str], str]:
    """Everything that there is behind the cursor, page by page."""
    seen: list[str] = []
    while True:
        events, following = feed.after(cursor, [NAME], limit=limit)
        if not events:
            return seen, following
        seen += [event.subject for event in events]
        cursor = following


def test_pages_follow_each_other_without_a_gap_or_a_double() -> None:
    write("a", "b", "c")
    write("d")
    seen, cursor = read_on("")
    assert seen == ["a", "b", "c", "d"]
    assert read_on(cursor)[0] == []
    write("e")
    assert read_on(cursor)[0] == ["e"]


def test_an_event_whose_transaction_ends_late_is_not_passed_over() -> None:
    """Its id is lower than that of the event that was there first."""
    begun, may_end = threading.Event(), threading.Event()

    def late() -> None:
        try:
            with transaction.atomic(), plain_cursor() as cursor:
                outbox.write(cursor, [Draft(NAME, "late", {"key": "late"}, [])])
                begun.set()
                assert may_end.wait(30)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(late)
        assert begun.wait(30)
        write("early")
        seen, cursor = read_on("")
        may_end.set()
        work.result(timeout=30)
    more, _ = read_on(cursor)
    assert Event.objects.get(subject="late").pk < Event.objects.get(subject="early").pk
    assert sorted(seen + more) == ["early", "late"]


def test_now_is_behind_what_was_and_before_what_comes() -> None:
    write("before")
    _, cursor = feed.after(feed.NOW, [NAME])
    write("after")
    assert read_on(cursor)[0] == ["after"]


def test_what_waits_is_told_by_an_event_that_was_begun_before_and_ends_after() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def late() -> None:
        try:
            with transaction.atomic(), plain_cursor() as cursor:
                outbox.write(cursor, [Draft(NAME, "x", {"key": "x"}, [])])
                begun.set()
                assert may_end.wait(30)
        finally:
            connection.close()

    write("x")
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(late)
        assert begun.wait(30)
        since = feed.snapshot()
        assert feed.first_since(since, NAME, "x") is None
        may_end.set()
        work.result(timeout=30)
    found = feed.first_since(since, NAME, "x")
    assert found == Event.objects.latest("pk")
    assert feed.first_since(since, NAME, "y") is None


@pytest.mark.parametrize("cursor", ["x", "1", "1-", "-1-2", "1-2-3", "9" * 30 + "-1"])
def test_a_cursor_that_is_none_is_said(cursor: str) -> None:
    with pytest.raises(ConfigError, match="is no cursor of this feed"):
        feed.after(cursor, [NAME])


def test_programs_read_it_over_the_api_in_their_domains(domains: Any, ada: Any, client: Any) -> None:
    business.forget()
    firm = worlds.make()
    define()
    firm.read(build.project_row(1))
    client.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get("/api/v1/events/?limit=1").json()
    assert [(each["type"], each["subject"]) for each in page["data"]] == [
        ("syncline.project.active.v1", "project/P-0001")
    ]
    assert client.get(f"/api/v1/events/?cursor={page['next']}").json() == {"data": [], "next": page["next"]}
    assert client.get("/api/v1/events/?type=time.approved").json()["data"] == []
    assert client.get("/api/v1/events/?limit=0").status_code == 400
    assert client.get("/api/v1/events/?cursor=x").status_code == 422


def test_the_history_of_an_event_stays_when_its_type_is_deleted(domains: Any) -> None:
    business.forget()
    firm = worlds.make()
    define()
    firm.read(build.project_row(1))
    Event.objects.update(at=timezone.now() - timedelta(days=100))
    EventType.objects.all().delete()
    assert keeping.forget_old() == 0
    Event.objects.update(at=timezone.now() - timedelta(days=401))
    assert keeping.forget_old() == 1
