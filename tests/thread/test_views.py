"""The pages of threads: every id leads there, people see their domains, figures lead to rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from hub.common.times import set_business_clock
from hub.records.models import CanonicalRecord
from hub.sync.states import DeliveryState
from monitoring.models import ThreadVisit
from monitoring.thread import services
from tests.thread.builders import Engagement

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def world(domains):
    set_business_clock(NOW)
    made = Engagement()
    made.won(NOW - 60 * DAY)
    made.delivered(made.time("T-1", NOW - DAY), "time_entry-to-erp", NOW - DAY, HOUR)
    made.open(
        made.time("T-2", NOW - DAY), "time_entry-to-erp", NOW - DAY, DeliveryState.DEAD, error_detail="Period closed."
    )
    return made


def text(response):
    return " ".join(response.content.decode().split())


def test_every_record_of_an_engagement_leads_to_its_thread(world, ada, browse):
    client = browse(ada)
    world.invoice("INV-1", NOW)
    members = (
        ("opportunity", "OPP-1"), ("contract", "CT-1"), ("customer", "C-1"), ("time_entry", "T-1"), ("invoice", "INV-1"),
    )  # fmt: skip
    for entity, key in members:
        assert client.get(f"/thread/{entity}/{key}/")["Location"] == "/thread/project/P-1/", entity
    page = text(client.get("/thread/project/P-1/"))
    assert "Meridian Rail · Depot modernisation" in page
    assert "Period closed." in page
    assert '<svg class="chart wide"' in page


def test_any_systems_id_leads_there_in_one_step(world, ada, browse):
    client = browse(ada)
    assert client.get("/thread/?q=crm:OPP-1")["Location"] == "/thread/opportunity/OPP-1/"
    hits = text(client.get("/search/?q=psa:T-1", headers={"HX-Request": "true"}))
    assert hits.index("/thread/time_entry/T-1/") < hits.index("/records/time_entry/")


def test_a_customer_with_several_projects_offers_them(world, ada, browse):
    world.arrives("psa", "project", "P-2", NOW, name="Signals", customer="C-1")
    page = text(browse(ada).get("/thread/customer/C-1/"))
    assert "belongs to 2 engagements" in page
    assert "/thread/project/P-2/" in page


def test_a_record_without_a_project_says_so(world, ada, browse):
    world.arrives("crm", "opportunity", "OPP-7", NOW, customer="C-1", status="open")
    assert "No project yet" in text(browse(ada).get("/thread/opportunity/OPP-7/"))


def test_hidden_legs_are_counted_and_nothing_of_them_is_shown(world, make_person, browse):
    world.invoice("INV-1", NOW)
    client = browse(make_person("Fay", ("finance", "billing-gl")))
    page = text(client.get("/thread/project/P-1/"))
    assert "10 legs are in domains that you may not see." in page
    for secret in ("Meridian", "Depot", "Period closed", "OPP-1"):
        assert secret not in page
    assert client.get("/thread/time_entry/T-1/").status_code == 404
    assert client.get("/thread/project/P-1/legs/time-erp/").status_code == 404
    assert client.get("/thread/?q=T-1").status_code == 200


def test_the_rows_of_a_leg_are_a_list_and_a_file(world, ada, browse):
    client = browse(ada)
    page = text(client.get("/thread/project/P-1/legs/time-erp/?state=missing"))
    assert "T-2" in page
    assert "T-1<" not in page
    rows = json.loads(b"".join(client.get("/thread/project/P-1/legs/time-erp.json?state=missing").streaming_content))
    assert [(row["key"], row["state"], row["amount"]) for row in rows] == [("T-2", "failed", "1000.0000")]


def test_the_download_says_what_the_page_says(world, ada, browse):
    found = json.loads(browse(ada).get("/thread/project/P-1/bundle.json").content)
    time = next(leg for leg in found["legs"] if leg["leg"] == "time-erp")
    assert (time["records"], time["done"], time["missing"], time["missing_amounts"]) == (2, 1, 1, {"GBP": "1000.0000"})
    assert found["missing_legs"] == ["customer-erp", "project-erp", "time-erp"]


def test_the_list_is_searched_by_the_beginning_of_a_key(world, ada, browse):
    world.arrives("psa", "project", "P-2", NOW, name="Signals")
    page = text(browse(ada).get("/thread/?q=P-"))
    assert "Depot modernisation" in page
    assert "Signals" in page
    assert "Nothing is called so" in text(browse(ada).get("/thread/?q=nothing"))


def test_without_a_role_there_is_nothing(world, mallory, browse):
    assert browse(mallory).get("/thread/").status_code == 403
    assert browse(mallory).get("/thread/project/P-1/").status_code == 403


def test_an_unknown_key_is_not_found(world, ada, browse):
    assert browse(ada).get("/thread/project/NOPE/").status_code == 404
    assert browse(ada).get("/thread/nothing/P-1/").status_code == 404


def test_keys_may_hold_any_sign(world, ada, browse):
    CanonicalRecord.objects.filter(key="P-1").update(key="P/1|x")
    assert browse(ada).get("/thread/project/P%2F1%7Cx/").status_code == 200


def test_a_thread_takes_the_same_number_of_queries_for_any_number_of_entries(
    world, ada, browse, django_assert_max_num_queries
):
    for number in range(30):
        world.delivered(world.time(f"T-{number:04}", NOW - DAY), "time_entry-to-erp", NOW - DAY, HOUR)
    client = browse(ada)
    client.get("/thread/project/P-1/")
    with django_assert_max_num_queries(90):
        assert client.get("/thread/project/P-1/").status_code == 200


def test_the_first_page_shows_the_threads_that_a_person_looked_at(world, ada, grace, browse):
    world.arrives("psa", "project", "P-2", NOW, name="Signals")
    client = browse(ada)
    assert "Recent engagements" not in text(client.get("/"))
    for key in ("P-1", "P-2", "P-1"):
        client.get(f"/thread/project/{key}/")
    page = text(client.get("/"))
    assert page.index("Depot modernisation") < page.index("Signals")
    assert "Recent engagements" not in text(browse(grace).get("/"))


def test_only_so_many_recent_ones_are_kept(world, ada, monkeypatch):
    monkeypatch.setattr(services, "KEPT", 2)
    for number in range(4):
        services.note_visit(ada, world.record("project", f"P-1{number}", NOW))
    kept = ThreadVisit.objects.filter(user=ada).order_by("-at").values_list("record__key", flat=True)
    assert list(kept) == ["P-13", "P-12"]


def test_the_api_gives_the_thread_of_any_record(world, ada, make_person, browse):
    client = browse(ada)
    found = client.get("/api/v1/threads/time_entry/T-2/").json()
    assert (found["entity"], found["key"], found["hidden_legs"]) == ("project", "P-1", 0)
    assert next(leg for leg in found["legs"] if leg["leg"] == "time-erp")["state"] == "failed"
    assert client.get("/api/v1/threads/?q=psa:T-1").json() == [
        {"entity": "project", "key": "P-1", "through_entity": "time_entry", "through_key": "T-1"}
    ]
    world.arrives("psa", "project", "P-2", NOW, customer="C-1")
    answer = client.get("/api/v1/threads/customer/C-1/")
    assert answer.status_code == 422
    assert "belongs to 2 engagements" in answer.content.decode()
    stranger = browse(make_person("Sten", ("viewer", "billing-gl")))
    assert stranger.get("/api/v1/threads/project/P-1/").status_code == 404
