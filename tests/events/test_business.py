"""Events of the firm: one for each transition, whoever subscribes, however the records arrive."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.common import facts, registry
from hub.common.errors import ConfigError
from hub.common.registry import Document
from hub.events import business, keeping
from hub.events.business import Rule
from hub.events.event_types import queries, services
from hub.events.models import Event, EventType, Notification
from hub.sync.plan import passing
from tests.events.conftest import Receiver, subscribe
from tests.sync import builders as build
from tests.sync import worlds

# Each read commits, as in a worker.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains: Any) -> worlds.Firm:
    business.forget()
    return worlds.make()


def define(name: str = "project.active", **given: Any) -> EventType:
    slug = name.replace(".", "-").replace("_", "-")
    document: Document = {"slug": slug, "name": name, "title": "It happened", "entity": "project", **given}
    document.setdefault("condition", {"status": ["active"]} if given.get("moment") != "changes" else {})
    if problems := registry.kind("EventType").validate({"kind": "EventType", **document}):
        raise ConfigError(problems[0].sentence, where=problems[0].path)
    services.save_event_type(document, by=None)
    business.forget()
    return EventType.objects.get(slug=slug)


def told() -> list[tuple[str, str, int]]:
    return [(e.type, e.subject, e.data["version"]) for e in Event.objects.order_by("pk")]


def test_coming_to_hold_is_an_event_once_each_time(firm: worlds.Firm) -> None:
    define()
    for status in ("draft", "active", "active", "closed", "active"):
        firm.read(build.project_row(1, status=status))
    assert told() == [("project.active", "project/P-0001", 2), ("project.active", "project/P-0001", 4)]


def test_a_record_that_is_new_and_meets_it_is_an_event(firm: worlds.Firm) -> None:
    define()
    firm.read(build.project_row(1), build.project_row(2, status="draft"))
    assert told() == [("project.active", "project/P-0001", 1)]


def test_holding_no_longer_is_an_event_of_its_own(firm: worlds.Firm) -> None:
    define("project.stopped", moment="ends")
    for status in ("active", "closed", "closed", "draft", "active", "draft"):
        firm.read(build.project_row(1, status=status))
    assert [version for _, _, version in told()] == [2, 5]


def test_a_watched_field_that_changes_is_an_event_while_the_condition_holds(firm: worlds.Firm) -> None:
    define("scope.changed", moment="changes", watched=["budget"], condition={"status": ["active"]})
    firm.read(build.project_row(1, budget="100.00", status="draft"))
    firm.read(build.project_row(1, budget="200.00", status="draft"))
    firm.read(build.project_row(1, budget="200.00", status="active"))
    firm.read(build.project_row(1, budget="300.00", status="active"))
    assert [version for _, _, version in told()] == [4]
    assert Event.objects.get().data["changed"] == ["budget"]


def test_it_carries_what_its_type_names_and_never_what_is_confidential(firm: worlds.Firm) -> None:
    define(carries=["code", "status"])
    firm.read(build.project_row(1))
    assert Event.objects.get().record == {"code": "P-0001", "status": "active"}


def test_a_subscription_is_told_and_others_are_not(firm: worlds.Firm, receiver: Receiver) -> None:
    define()
    mine = subscribe(receiver, event_types=["project.active"])
    subscribe(receiver, slug="other", event_types=["run.failed"])
    firm.read(build.project_row(1))
    assert [n.subscription for n in Notification.objects.all()] == [mine]


def test_parts_of_the_hub_hear_it_in_the_same_transaction(firm: worlds.Firm) -> None:
    define()
    heard: list[Any] = []

    def listen(*, cursor: Any, events: Any) -> None:
        heard.extend((each.name, each.key, each.version, Event.objects.filter(uid=each.uid).count()) for each in events)

    facts.subscribe("business_events", listen)
    try:
        firm.read(build.project_row(1))
    finally:
        facts._subscribers["business_events"].remove(listen)
    assert heard == [("project.active", "P-0001", 1, 1)]


def test_nothing_is_told_where_nobody_has_named_an_event(firm: worlds.Firm) -> None:
    firm.read(build.project_row(1))
    assert not Event.objects.exists()


class TestConfiguration:
    def test_what_is_wrong_is_said_in_a_sentence(self, firm: worlds.Firm) -> None:
        for wrong, sentence in (
            ({"name": "Active"}, "is not the name of an event"),
            ({"name": "record.good"}, "are the hub's own"),
            ({"condition": {"status": ["lost"]}}, "is never 'lost'"),
            ({"moment": "changes", "watched": []}, "Name the fields whose change is the event"),
            ({"watched": ["budget"]}, "Fields are watched only where"),
            ({"moment": "ends", "condition": {}}, "never ends"),
            ({"carries": ["colour"]}, "has no field 'colour'"),
        ):
            with pytest.raises(ConfigError, match=sentence):
                define(**{"name": "project.active", **wrong})
        assert not EventType.objects.exists()

    def test_telling_less_needs_a_new_version(self, firm: worlds.Firm) -> None:
        define(carries=["code", "status"])
        with pytest.raises(ConfigError, match=r"no longer tells status\. Make it 2"):
            define(carries=["code"])
        assert define(carries=["code"], version=2).version == 2
        firm.read(build.project_row(1))
        assert Event.objects.get().version == 2

    def test_one_that_somebody_is_told_of_stays(self, firm: worlds.Firm, receiver: Receiver) -> None:
        found = define()
        subscribe(receiver, slug="data-team", event_types=["project.active"])
        with pytest.raises(ConfigError, match="Subscription data-team"):
            services.delete_event_type(found, by=None)

    def test_exported_and_applied_again_nothing_changes(self, firm: worlds.Firm) -> None:
        define(carries=["code"], owner="Delivery")
        kind = registry.kind("EventType")
        document = kind.dump("project-active")
        assert document is not None
        kind.apply(document, by=None)
        assert kind.diff(document) == []

    def test_its_contract_is_the_part_of_the_record_that_it_tells(self, firm: worlds.Firm) -> None:
        schema = queries.schema_of(define(carries=["code", "status"]))
        assert set(schema["properties"]) == {"code", "status"}
        assert schema["title"] == "project.active v1"

    def test_what_has_happened_is_kept_longer_than_what_the_hub_says_of_itself(self, firm: worlds.Firm) -> None:
        define()
        firm.read(build.project_row(1))
        Event.objects.create(type="run.failed", subject="sync/x", data={})
        Event.objects.update(at=timezone.now() - timedelta(days=60))
        assert keeping.forget_old() == 1
        assert Event.objects.get().type == "project.active"
        Event.objects.update(at=timezone.now() - timedelta(days=500))
        assert keeping.forget_old() == 1


_numbers = count(1_000)
STATUSES = ("draft", "active", "closed")


@given(history=st.lists(st.sampled_from([None, *STATUSES]), max_size=12))
def test_events_are_the_transitions_of_any_history(history: list[str | None]) -> None:
    begins = Rule("a.b", 1, "begins", passing({"status": ["active"]}))
    ends = Rule("a.c", 1, "ends", passing({"status": ["active"]}))
    states: list[dict[str, Any] | None] = [None if status is None else {"status": status} for status in history]
    steps = list(zip([None, *states], states, strict=False))
    is_on = [status == "active" for status in history]
    assert sum(begins.happened(*step) for step in steps) == sum(
        now and not then for then, now in zip([False, *is_on], is_on, strict=False)
    )
    assert sum(ends.happened(*step) for step in steps) == sum(
        then and not now for then, now in zip([False, *is_on], is_on, strict=False)
    )


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pages=st.lists(st.lists(st.sampled_from(STATUSES), min_size=1, max_size=3), min_size=1, max_size=4))
def test_however_pages_are_cut_and_repeated_the_transitions_are_told_once(
    firm: worlds.Firm, pages: list[list[str]]
) -> None:
    """Each page shows the record in one or more states, of which the last one counts, and is read twice."""
    if not EventType.objects.exists():
        define()
    number = next(_numbers)
    seen: list[str] = []
    for page in pages:
        rows = [build.project_row(number, status=status) for status in page]
        firm.read(*rows)
        firm.read(rows[-1])
        seen.append(page[-1])
    wanted = sum(now == "active" and then != "active" for then, now in zip(["", *seen], seen, strict=False))
    assert Event.objects.filter(type="project.active", subject=f"project/P-{number:04d}").count() == wanted
