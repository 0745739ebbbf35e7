"""Pages and API of what stands still: who may stop what, what they are shown before, and what a purge leaves behind."""

from __future__ import annotations

import pytest

from connectors import circuits
from hub.sync import services
from hub.sync.models import Delivery, Standstill, Sync
from hub.sync.states import DeliveryState
from tests.sync import builders as build
from tests.sync import worlds
from tests.sync.test_api import client_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains):
    firm = worlds.make()
    firm.read(*(build.project_row(n) for n in range(3)))
    return firm


def text(response):
    return " ".join(response.content.decode().split())


class TestACircuit:
    def test_list_and_sync_say_in_words_what_waits(self, firm, browse, ada):
        circuits.note_failure(firm.outbound.stream.connection_id, "No answer.", trip=True)
        for path in ("/syncs/", "/syncs/erp-jobs/"):
            page = text(browse(ada).get(path))
            assert "</a> does not answer since <time" in page
            assert "1 sync waits, 3 deliveries are kept; tried again at <time" in page

    def test_other_syncs_say_nothing_of_it(self, firm, browse, ada):
        circuits.note_failure(firm.outbound.stream.connection_id, "No answer.", trip=True)
        assert "does not answer" not in text(browse(ada).get("/syncs/psa-projects/"))

    def test_a_person_of_another_domain_learns_nothing(self, firm, browse, make_person):
        circuits.note_failure(firm.outbound.stream.connection_id, "No answer.", trip=True)
        stranger = make_person("Bill", ("operator", "billing-gl"))
        assert "does not answer" not in text(browse(stranger).get("/syncs/"))


class TestPausingASync:
    def test_the_reason_and_who_it_was_stand_on_its_page_and_in_its_history(self, firm, browse, olga):
        browse(olga).post("/syncs/erp-jobs/pause/?paused=1", {"reason": "Wrong rates"})
        page = text(browse(olga).get("/syncs/erp-jobs/"))
        assert f"by {olga}: Wrong rates" in page
        assert "Wrong rates" in text(browse(olga).get("/syncs/erp-jobs/history/"))

    def test_a_program_gives_its_reason_too(self, firm, ada):
        found = client_of(ada).post("/api/v1/syncs/erp-jobs/pause/", {"reason": "Wrong rates"}).json()
        assert (found["is_paused"], found["pause_reason"]) == (True, "Wrong rates")


class TestEverything:
    def test_an_operator_of_all_domains_stops_it_and_lets_it_go_on(self, firm, browse, olga):
        client = browse(olga)
        client.post("/syncs/standstill/", {"paused": "1", "reason": "Backup"})
        assert "Everything is paused" in text(client.get("/syncs/"))
        assert f"by {olga}: Backup" in text(client.get("/syncs/standstill/"))
        client.post("/syncs/standstill/", {"paused": "0"})
        assert "Everything is paused" not in text(client.get("/syncs/"))

    def test_a_role_for_one_domain_is_not_enough(self, firm, browse, make_person):
        paula = make_person("Paula", ("operator", "project-wbs"))
        assert browse(paula).post("/syncs/standstill/", {"paused": "1", "reason": "x"}).status_code == 403
        assert client_of(paula).post("/api/v1/standstill/", {"is_paused": True, "reason": "x"}).status_code == 403
        assert browse(paula).get("/syncs/standstill/").status_code == 200
        assert not Standstill.objects.exists()

    def test_a_viewer_may_look(self, firm, browse, make_person):
        vera = browse(make_person("Vera", "viewer"))
        assert vera.get("/syncs/standstill/").status_code == 200
        assert vera.post("/syncs/standstill/", {"paused": "1", "reason": "x"}).status_code == 403

    def test_a_stop_without_a_reason_is_refused_with_a_sentence(self, firm, browse, olga):
        answer = browse(olga).post("/syncs/standstill/", {"paused": "1", "reason": ""}, follow=True)
        assert "Say why all work is paused." in text(answer)
        assert not Standstill.objects.exists()

    def test_programs_do_the_same(self, firm, ada):
        api = client_of(ada)
        assert api.get("/api/v1/standstill/").json()["is_paused"] is False
        found = api.post("/api/v1/standstill/", {"is_paused": True, "reason": "Backup"}).json()
        assert (found["is_paused"], found["by"]) == (True, ada.email)
        assert api.post("/api/v1/standstill/", {"is_paused": True}).status_code == 422


class TestPurging:
    def test_the_page_shows_number_amount_and_age_and_asks_for_a_pause_first(self, firm, browse, olga):
        page = text(browse(olga).get("/syncs/erp-jobs/purge/"))
        assert "<dt>Deliveries</dt><dd>3</dd>" in page
        assert "3,000" in page
        assert "Pause it first" in page

    def test_with_a_reason_it_is_done(self, firm, browse, olga):
        services.set_paused(sync=firm.outbound, is_paused=True)
        answer = browse(olga).post("/syncs/erp-jobs/purge/", {"reason": "Sent by hand"}, follow=True)
        assert "Discarded: 3." in text(answer)
        assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.DISCARDED}

    def test_for_a_whole_connection(self, firm, browse, olga):
        services.set_paused(sync=firm.outbound, is_paused=True)
        assert browse(olga).get("/syncs/connection/erp/purge/").status_code == 200
        browse(olga).post("/syncs/connection/erp/purge/", {"reason": "Sent by hand"})
        assert not Delivery.objects.filter(state=DeliveryState.PENDING).exists()

    def test_what_may_be_under_way_is_refused_with_a_sentence(self, firm, browse, olga):
        answer = browse(olga).post("/syncs/erp-jobs/purge/", {"reason": "Sent by hand"}, follow=True)
        assert "may be sending at this moment" in text(answer)
        assert not Delivery.objects.filter(state=DeliveryState.DISCARDED).exists()

    def test_it_takes_the_permission_to_decide(self, firm, browse, make_person):
        for person, status in (
            (make_person("Vera", "viewer"), 403),
            (make_person("B", ("operator", "billing-gl")), 404),
        ):
            for path in ("/syncs/erp-jobs/purge/", "/syncs/connection/erp/purge/"):
                assert browse(person).get(path).status_code == status
                assert browse(person).post(path, {"reason": "x"}).status_code == status

    def test_programs_count_first_too(self, firm, ada):
        api = client_of(ada)
        found = api.post("/api/v1/syncs/erp-jobs/purge/", {}).json()
        assert (found["number"], found["amounts"], found["is_done"]) == (3, {"EUR": "3000"}, False)
        assert api.post("/api/v1/syncs/erp-jobs/purge/", {"go": True, "reason": "x"}).status_code == 422
        services.set_paused(sync=Sync.objects.get(slug="erp-jobs"), is_paused=True)
        assert api.post("/api/v1/syncs/erp-jobs/purge/", {"go": True, "reason": "x"}).json()["is_done"] is True

    @pytest.mark.parametrize("slug", ["standstill", "connection"])
    def test_a_sync_cannot_hide_behind_these_addresses(self, firm, slug):
        from hub.sync import configure

        firm.outbound.slug = slug
        assert configure.problems(firm.outbound)
