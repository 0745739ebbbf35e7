"""The page of a service level: budget, burn, breaches, and times that do not count."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governance.models import AuditEntry
from monitoring.models import Exclusion
from monitoring.service_levels.exclusion_views import exclusions_to_decide
from monitoring.service_levels.standing import burn_down, burns, standing
from tests.expectations.builders import DAY, HOUR, NOW, Watched, sweep

pytestmark = pytest.mark.django_db
URL = "/service-levels/approved-time/"
ASK = {"starts_at": "2026-11-18T11:00", "ends_at": "2026-11-18T15:00", "reason": "Upgrade of the ERP"}


@pytest.fixture
def world(domains):
    return Watched()


@pytest.fixture
def level(world):
    """Two days ago one record was late, a day ago one was in time."""
    made = world.keep()
    world.arrived(NOW - 2 * DAY, 9 * HOUR)
    world.arrived(NOW - DAY, HOUR)
    sweep()
    return made


def text(response):
    return " ".join(response.content.decode().split())


def test_the_page_shows_budget_burn_and_the_breach_with_its_expectation(level, ada, browse):
    page = text(browse(ada).get(URL))
    assert "Error budget left, by day: -4900.0 % on 2026-11-19" in page
    assert "50.0 ×" in page
    row = level.__class__.objects.get().pk
    assert row == level.pk
    assert "/expectations/" in page
    assert "Arrived late" in page


def test_the_list_asks_as_little_for_many_levels_and_rows_as_for_few(world, level, ada, browse):
    client = browse(ada)
    client.get("/service-levels/")
    with CaptureQueriesContext(connection) as few:
        client.get("/service-levels/")
    for number in range(8):
        world.keep(slug=f"level-{number}", name=f"Level {number}")
    sweep()
    with CaptureQueriesContext(connection) as many:
        client.get("/service-levels/")
    assert len(many) == len(few)


def test_a_time_does_not_count_once_another_person_has_agreed(level, ada, grace, browse, rf):
    browse(ada).post(f"{URL}exclusions/", ASK)
    asked = Exclusion.objects.get()
    assert (asked.state, asked.requested_by) == ("requested", ada)
    assert standing([level])[0].tally.breached == 1
    request = rf.get("/")
    request.user = grace
    assert [need.detail for need in exclusions_to_decide(request)] == ["Upgrade of the ERP"]
    browse(grace).post(f"{URL}exclusions/{asked.pk}/", {"do": "approve"})
    (found,) = standing([level])
    assert (found.tally.breached, found.tally.met, found.excluded) == (0, 1, 1)
    assert AuditEntry.objects.filter(act="exclusion.approved", actor_id=grace.pk).exists()
    sweep()
    assert standing([level])[0].excluded == 1
    assert exclusions_to_decide(request) == []


def test_nobody_agrees_to_their_own_request(level, make_person, browse):
    both = make_person("Bo", "integration_admin", "approver")
    browse(both).post(f"{URL}exclusions/", ASK)
    asked = Exclusion.objects.get()
    answer = browse(both).post(f"{URL}exclusions/{asked.pk}/", {"do": "approve"}, follow=True)
    asked.refresh_from_db()
    assert asked.state == "requested"
    assert "Nobody agrees to what they asked for themselves" in text(answer)


def test_what_was_decided_is_not_decided_again(level, ada, grace, browse):
    browse(ada).post(f"{URL}exclusions/", ASK)
    asked = Exclusion.objects.get()
    browse(grace).post(f"{URL}exclusions/{asked.pk}/", {"do": "reject"})
    answer = browse(grace).post(f"{URL}exclusions/{asked.pk}/", {"do": "approve"}, follow=True)
    asked.refresh_from_db()
    assert asked.state == "rejected"
    assert "decided already" in text(answer)
    assert standing([level])[0].tally.breached == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ends_at": "2026-11-18T10:00"}, "The end is not after the start."),
        ({"ends_at": "2027-11-18T10:00"}, "more than 31 days"),
        ({"reason": ""}, "Reason: This field is required."),
        ({"starts_at": "soon"}, "From: Enter a valid date/time."),
    ],
)
def test_a_wrong_time_is_answered_with_a_sentence(level, ada, browse, change, words):
    assert words in text(browse(ada).post(f"{URL}exclusions/", {**ASK, **change}, follow=True))
    assert not Exclusion.objects.exists()


def test_who_may_not_ask_or_decide_is_refused(level, finn, ada, browse):
    assert browse(finn).post(f"{URL}exclusions/", ASK).status_code == 403
    browse(ada).post(f"{URL}exclusions/", ASK)
    asked = Exclusion.objects.get()
    assert browse(ada).post(f"{URL}exclusions/{asked.pk}/", {"do": "approve"}).status_code == 403


def test_the_budget_goes_down_with_each_breach(world):
    level = world.keep(objective_percent=50)
    for days in (5, 4, 3, 2):
        world.arrived(NOW - days * DAY, (9 if days in (5, 3) else 1) * HOUR)
    sweep()
    (found,) = standing([level])
    points = [(day.day, str(left)) for day, left in burn_down(level, found.period)]
    assert points == [(15, "50.0"), (16, "50.0"), (17, "0.0"), (18, "0.0")]


def test_freshness_burns_by_the_clock(world, ada, browse):
    level = world.keep(
        measure="freshness", source=world.psa, target=None, condition={}, since=NOW - DAY, objective_percent=90
    )
    world.run(world.reads, NOW - 6 * HOUR, timedelta())
    sweep()
    found = {each.label: (each.decided, each.breached, str(each.rate)) for each in burns(level)}
    assert found["1 h"] == (3600, 3600, "10.0")
    assert found["6 h"] == (6 * 3600, 2 * 3600, "3.3")
    assert "hours fresh" in text(browse(ada).get(URL))
