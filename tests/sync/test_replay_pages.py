"""Dead letters and replays on pages, over the API and on the command line: who may do what, and that a click counts once."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.db import connection
from rest_framework.test import APIClient

from hub.accounts.services import create_token
from hub.common.errors import PermanentError
from hub.sync.models import DeadLetter, Delivery, HeldRecord, Replay, Transaction
from hub.sync.replays import acts, causes, jobs, letters, work
from hub.sync.replays.plan import Wanted
from hub.sync.states import DeliveryState, Outcome
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains):
    """Project 1 is refused by the ERP, project 2 is held."""
    firm = worlds.make()
    firm.erp.refuse["P-0001"] = PermanentError("No such account.")
    firm.hold_one()
    firm.deliver()
    return firm


@pytest.fixture
def elsewhere(make_person):
    return make_person("Bill", ("operator", "billing-gl"))


def messages_of(response):
    return " ".join(str(message) for message in response.context["messages"])


def start(client, **values):
    return client.post("/replays/start/", values, follow=True)


class TestTheList:
    def test_both_legs_stand_in_it_with_reason_next_step_and_safety(self, firm, browse, olga):
        page = browse(olga).get("/dead-letters/").content.decode()
        for words in (
            "P-0001",
            "No such account.",
            "Wrong content.",
            "Correct the record",
            "the same key as before",
            "euro",
        ):
            assert words in page

    def test_filters_narrow_it(self, firm, browse, olga):
        client = browse(olga)
        names = lambda query: [line.letter.name for line in client.get(f"/dead-letters/?{query}").context["rows"]]  # noqa: E731
        assert names("q=P-0001") == ["P-0001"]
        assert names("q=leg:in") == ["2"]
        assert names("class=reference") == []

    def test_a_filter_that_is_not_understood_shows_nothing_and_says_so(self, firm, browse, olga):
        response = browse(olga).get("/dead-letters/?q=amount:much")
        assert response.context["rows"] == []
        assert "is no amount" in messages_of(response)

    def test_pages_follow_each_other_without_gap_or_double(self, firm, browse, olga):
        firm.read(*(build.project_row(n, currency="euro") for n in range(100, 170)))
        client, seen, url = browse(olga), [], "/dead-letters/?"
        while True:
            page = client.get(url).context["page"]
            seen += [letter.pk for letter in page]
            if not page.older:
                break
            url = f"/dead-letters/?after={page.older}"
        assert len(seen) == len(set(seen)) == DeadLetter.objects.count() == 72

    @pytest.mark.parametrize("fmt", ["csv", "json"])
    def test_the_export_has_the_filter(self, firm, browse, olga, fmt):
        text = b"".join(browse(olga).get(f"/dead-letters.{fmt}?leg=out").streaming_content).decode()
        assert "No such account." in text
        assert "euro" not in text

    def test_other_domains_do_not_exist(self, firm, browse, elsewhere):
        assert browse(elsewhere).get("/dead-letters/").context["rows"] == []

    def test_every_letter_has_a_class_a_cause_and_a_next_step(self, firm):
        """Whatever the state and the code."""
        for state in (DeliveryState.UNSURE, DeliveryState.WAITING, DeliveryState.HELD, DeliveryState.DEAD):
            for code in ("PERMANENT", "TRANSIENT", "UNSURE", "CONFIG", "NEVER_SEEN", None):
                Delivery.objects.update(state=state, error_code=code)
                letter = acts.of_retry(letters.parse("leg=out").rows(None)).get()
                found = causes.explain(letter, letter.act)
                assert found.word
                assert found.cause
                assert found.next_step
                classes = [
                    word for word in causes.CLASSES if DeadLetter.objects.filter(causes.in_class(word), leg="out")
                ]
                assert classes == [causes.class_of(letter)]


class TestThePlan:
    def test_counts_with_amounts_and_does_nothing(self, firm, browse, olga):
        response = browse(olga).get("/dead-letters/plan/?leg=out")
        assert response.context["plan"].number == 1
        assert "1,000.00" in response.content.decode()
        assert not Replay.objects.exists()

    def test_a_recovery_asks_since_when(self, firm, browse, olga):
        assert "since when" in browse(olga).get("/dead-letters/plan/?action=recover").content.decode()

    def test_versions_that_contradict_the_start_are_refused(self, firm, browse, olga):
        page = browse(olga).get("/dead-letters/plan/?versions=as_ran&scope=start").content.decode()
        assert "what is here already" in page

    def test_a_start_leads_to_the_job_and_a_second_click_to_the_same(self, firm, browse, olga):
        client = browse(olga)
        first = start(client, leg="out", expect="1", token="t")
        assert first.redirect_chain[-1][0] == f"/replays/{Replay.objects.get().pk}/"
        again = start(client, leg="out", expect="1", token="t")
        assert "nothing was started twice" in messages_of(again)
        assert Replay.objects.count() == 1

    def test_a_plan_that_has_changed_is_shown_again(self, firm, browse, olga):
        response = start(browse(olga), leg="out", expect="7")
        assert "There are 1 now, not 7." in messages_of(response)
        assert not Replay.objects.exists()

    def test_a_discard_needs_a_reason(self, firm, browse, olga):
        assert "Say why" in messages_of(start(browse(olga), leg="out", action="discard"))
        start(browse(olga), leg="out", action="discard", reason="Closed there")
        assert Replay.objects.get().reason == "Closed there"


class TestTheJob:
    def test_its_page_tells_what_became_of_each(self, firm, browse, olga):
        replay, _ = jobs.go(Wanted(letters.parse("")), by=olga)
        work.execute(replay.pk)
        client = browse(olga)
        page = client.get(f"/replays/{replay.pk}/").content.decode()
        assert "P-0001" in page
        assert client.get(f"/replays/{replay.pk}/live/").status_code == 200
        assert [item.name for item in client.get(f"/replays/{replay.pk}/?q=P-").context["page"]] == ["P-0001"]
        assert str(replay) in client.get("/replays/").content.decode()

    def test_who_does_not_see_all_of_its_syncs_does_not_see_it(self, firm, browse, olga, elsewhere):
        replay, _ = jobs.go(Wanted(letters.parse("")), by=olga)
        client = browse(elsewhere)
        assert client.get(f"/replays/{replay.pk}/").status_code == 404
        assert client.post(f"/replays/{replay.pk}/cancel/").status_code == 404
        assert client.get("/replays/").context["rows"] == []

    def test_a_second_person_approves_or_declines(self, firm, browse, olga, grace, settings):
        settings.HUB_REPLAY_RECORDS = 0
        for way, state in (("decline", Replay.State.CANCELLED), ("approve", Replay.State.RUNNING)):
            start(browse(olga), leg="out")
            replay = Replay.objects.latest("pk")
            assert "second person" in browse(grace).get(f"/replays/{replay.pk}/").content.decode()
            assert browse(olga).post(f"/replays/{replay.pk}/{way}/").status_code == 403
            browse(grace).post(f"/replays/{replay.pk}/{way}/")
            replay.refresh_from_db()
            assert replay.state == state

    def test_cancel(self, firm, browse, olga):
        replay, _ = jobs.go(Wanted(letters.parse("leg=out")), by=olga)
        response = browse(olga).post(f"/replays/{replay.pk}/cancel/", follow=True)
        assert "is cancelled" in messages_of(response)

    @pytest.mark.parametrize("person", ["viewer", "approver"])
    def test_who_may_only_look_starts_and_stops_nothing(self, firm, browse, olga, make_person, person):
        replay, _ = jobs.go(Wanted(letters.parse("leg=out")), by=olga)
        client = browse(make_person("Vera", person))
        assert client.get("/dead-letters/").status_code == 200
        assert client.get("/dead-letters/plan/").status_code == 403
        assert client.post("/replays/start/").status_code == 403
        assert client.post(f"/replays/{replay.pk}/cancel/").status_code == 403


class TestTheWebProcess:
    def test_it_may_plan_start_and_cancel(self, firm, browse, olga):
        with connection.cursor() as cursor:
            cursor.execute("set role syncline_web")
        try:
            replay, made = jobs.go(Wanted(letters.parse("")), by=olga)
            assert made
            assert browse(olga).get(f"/replays/{replay.pk}/").status_code == 200
            assert browse(olga).get("/dead-letters/").status_code == 200
            assert jobs.cancel(replay=replay, by=olga)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("reset role")

    def test_what_the_engine_does_it_may_do(self, firm, olga):
        replay, _ = jobs.go(Wanted(letters.parse(""), action="discard"), by=olga, reason="Test")
        with connection.cursor() as cursor:
            cursor.execute("set role syncline_engine")
        try:
            work.execute(replay.pk)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("reset role")
        assert Transaction.objects.filter(outcome=Outcome.DISCARDED).count() == 2
        assert not HeldRecord.objects.exists()


def api(user, *, read_only=False):
    _, secret = create_token(user, name="test", days=1, by=user, is_read_only=read_only)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


class TestTheApi:
    def test_letters_are_listed_with_their_filters(self, firm, olga):
        (found,) = api(olga).get("/api/v1/dead-letters/?leg=out").json()["results"]
        assert (found["name"], found["letter_class"], found["is_safe"], found["amount"]) == (
            "P-0001",
            "record",
            True,
            "1000",
        )
        assert api(olga).get("/api/v1/dead-letters/?state=odd").status_code == 422

    def test_plan_go_items_and_cancel(self, firm, olga):
        client = api(olga)
        planned = client.post("/api/v1/replays/plan/", {"filter": "leg=out"}).json()
        assert (planned["number"], planned["amounts"]) == (1, {"EUR": "1000"})
        started = client.post("/api/v1/replays/", {"filter": "leg=out", "expect": 1, "token": "t"})
        assert started.status_code == 202
        assert started.json()["made"]
        again = client.post("/api/v1/replays/", {"filter": "leg=out", "token": "t"}).json()
        assert not again["made"]
        number = started.json()["replay"]["id"]
        assert again["replay"]["id"] == number
        (item,) = client.get(f"/api/v1/replays/{number}/items/").json()["results"]
        assert (item["name"], item["was"], item["status"]) == ("P-0001", "dead", "planned")
        assert client.get("/api/v1/replays/").json()["results"][0]["counts"]["planned"] == 1
        assert client.post(f"/api/v1/replays/{number}/cancel/").json() == {"done": True}

    def test_a_filter_that_is_not_understood_is_refused(self, firm, olga):
        response = api(olga).post("/api/v1/replays/", {"filter": "stat=dead"})
        assert response.status_code == 422
        assert "There is no filter" in response.content.decode()

    def test_a_token_that_may_only_read_starts_nothing(self, firm, olga):
        assert api(olga, read_only=True).post("/api/v1/replays/", {"filter": ""}).status_code == 403

    def test_a_person_of_another_domain_puts_nothing(self, firm, elsewhere):
        assert api(elsewhere).post("/api/v1/replays/", {"filter": ""}).json() == {"replay": None, "made": False}


class TestTheCommand:
    def run(self, capsys, *words):
        """(exit code, document on stdout)"""
        try:
            call_command("replay", *words, "--json")
            code = 0
        except SystemExit as left:
            code = int(left.code or 0)
        return code, json.loads(capsys.readouterr().out)

    def test_plan_go_and_a_second_go(self, firm, capsys):
        code, found = self.run(capsys, "--filter", "state=dead sync=erp-jobs since=2h", "--plan")
        assert (code, found["number"], found["amounts"], found["is_done"]) == (0, 1, {"EUR": "1000"}, False)
        code, found = self.run(capsys, "--filter", "state=dead", "--go")
        assert (code, found["made"], found["counts"]["put"]) == (0, True, 1)
        assert Delivery.objects.get().state == DeliveryState.PENDING
        code, again = self.run(capsys, "--filter", "state=dead", "--go")
        assert (code, again["made"], again["replay"]) == (0, False, found["replay"])

    def test_nothing_left_is_no_error(self, firm, capsys):
        assert self.run(capsys, "--filter", "state=waiting", "--go")[1]["replay"] is None

    def test_what_is_not_understood_is_an_error(self, firm, capsys):
        code, found = self.run(capsys, "--filter", "state=odd", "--go")
        assert (code, found["code"]) == (1, "FILTER")

    def test_a_large_one_waits_for_a_second_person(self, firm, capsys, settings):
        settings.HUB_REPLAY_RECORDS = 0
        code, found = self.run(capsys, "--filter", "state=dead", "--go")
        assert (code, found["state"]) == (1, "needs_approval")
        assert Delivery.objects.get().state == DeliveryState.DEAD

    def test_words_for_people(self, firm, capsys):
        call_command("replay", "--filter", "state=dead", "--plan")
        assert capsys.readouterr().out.startswith("1 would be put again (1000 EUR): 1 send.")
