"""Pages of held records and deliveries in trouble: what they show, who may decide, and that a click counts once."""

from __future__ import annotations

import pytest

from hub.sync.keys import delivery_key, held_key
from hub.sync.models import Delivery, HeldRecord, Run, Transaction
from hub.sync.states import DeliveryState, HeldState, Outcome
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains):
    return worlds.make()


def messages_of(response):
    return " ".join(str(message) for message in response.context["messages"])


class TestHeldRecords:
    def test_the_list_tells_why_since_when_and_how_much(self, firm, browse, ada):
        firm.read(build.project_row(2, currency="euro"), build.project_row(3, status="odd"))
        response = browse(ada).get("/held/")
        page = response.content.decode()
        assert response.context["number"] == 2
        assert "euro" in page
        assert "1,000.00" in page
        assert dict(response.context["amounts"]) == {"euro": 1000, "EUR": 1000}

    def test_filters_by_sync_state_field_and_text(self, firm, browse, ada):
        firm.read(build.project_row(2, currency="euro"), build.project_row(3, status="odd"))
        client = browse(ada)
        ids = lambda query: sorted(h.external_id for h in client.get(f"/held/?{query}").context["rows"])  # noqa: E731
        assert ids("state=quarantined") == ["2", "3"]
        assert ids("state=waiting") == []
        assert ids("field=currency") == ["2"]
        assert ids("q=3") == ["3"]
        assert ids("q=euro") == ["2"]
        assert ids("sync=nowhere") == []

    def test_one_record_shows_its_payload_and_its_reason(self, firm, browse, ada):
        held = firm.hold_one()
        page = browse(ada).get(f"/held/{held_key(held)}/").content.decode()
        assert "&quot;currency&quot;: &quot;euro&quot;" in page
        assert f"T-{held.transaction_id}" in page

    def test_a_record_that_waits_names_what_it_waits_for(self, firm, browse, ada):
        held = firm.hold_one()
        HeldRecord.objects.update(
            state=HeldState.WAITING, missing_entity_id=firm.inbound.entity.pk, missing_key="P-9", field=""
        )
        page = browse(ada).get(f"/held/{held_key(held)}/").content.decode()
        assert "<code>P-9</code>" in page
        assert "Project" in page

    def test_try_again_leads_back_to_the_list(self, firm, browse, olga):
        held = firm.hold_one()
        client = browse(olga)
        response = client.post(f"/held/{held_key(held)}/retry/", follow=True)
        assert response.redirect_chain[0][0] == "/held/"
        assert "1 record is tried again" in messages_of(response)
        again = client.post(f"/held/{held_key(held)}/retry/", follow=True)
        assert "Nothing was left" in messages_of(again)

    def test_a_record_without_an_id_says_what_to_do_instead(self, firm, browse, olga):
        firm.read(build.project_row(1, id=""))
        held = HeldRecord.objects.get()
        response = browse(olga).post(f"/held/{held_key(held)}/retry/", follow=True)
        assert "no id" in messages_of(response)

    def test_try_all_again_leads_to_the_plan_of_what_matches(self, firm, browse, olga):
        firm.read(build.project_row(2, currency="euro"), build.project_row(3, status="odd"))
        page = browse(olga).get("/held/?field=status").content.decode()
        assert "/dead-letters/plan/?leg=in&amp;field=status" in page

    def test_a_discard_asks_for_a_reason(self, firm, browse, olga):
        held = firm.hold_one()
        client = browse(olga)
        response = client.post(f"/held/{held_key(held)}/discard/", {"reason": " "}, follow=True)
        assert "Say why" in messages_of(response)
        response = client.post(f"/held/{held_key(held)}/discard/", {"reason": "A test."}, follow=True)
        assert "is discarded" in messages_of(response)
        assert client.post(f"/held/{held_key(held)}/discard/", {"reason": "A test."}).status_code == 404

    def test_ids_of_any_shape_have_an_address(self, firm, browse, ada):
        odd = "a/b?c=d&e#f ü%2F../x"
        firm.read(build.project_row(2, id=odd, currency="euro"))
        held = HeldRecord.objects.get()
        assert browse(ada).get(f"/held/{held_key(held)}/").status_code == 200

    @pytest.mark.parametrize("fmt", ["csv", "json"])
    def test_the_export_has_the_filter(self, firm, browse, ada, fmt):
        firm.read(build.project_row(2, currency="euro"), build.project_row(3, status="odd"))
        text = b"".join(browse(ada).get(f"/held.{fmt}?field=status").streaming_content).decode()
        assert "odd" in text
        assert "euro" not in text

    def test_an_empty_list_is_good_news(self, firm, browse, ada):
        assert "Nothing is held" in browse(ada).get("/held/").content.decode()
        assert "No held record matches" in browse(ada).get("/held/?q=x").content.decode()


class TestDeliveries:
    def test_the_list_tells_why_and_how_much(self, firm, browse, ada):
        firm.kill_one()
        response = browse(ada).get("/deliveries/")
        page = response.content.decode()
        assert "No such account." in page
        assert response.context["amounts"] == [("EUR", 1000)]

    def test_filters_by_sync_state_and_any_id(self, firm, browse, ada):
        firm.kill_one()
        client = browse(ada)
        keys = lambda query: [d.record.key for d in client.get(f"/deliveries/?{query}").context["rows"]]  # noqa: E731
        assert keys("state=dead&sync=erp-jobs") == ["P-0001"]
        assert keys("state=unsure") == []
        assert keys("q=1") == ["P-0001"]
        assert keys("q=account") == ["P-0001"]
        assert keys("q=nothing") == []
        assert keys("code=PERMANENT") == ["P-0001"]

    def test_what_was_delivered_is_not_in_trouble(self, firm, browse, ada):
        firm.read(build.project_row(1))
        firm.deliver()
        assert "Every delivery has arrived" in browse(ada).get("/deliveries/").content.decode()

    def test_one_delivery_shows_each_attempt(self, firm, browse, ada):
        delivery = firm.kill_one()
        page = browse(ada).get(f"/deliveries/{delivery_key(delivery)}/").content.decode()
        assert "No such account." in page
        assert f"T-{delivery.cause_id}" in page

    def test_send_again(self, firm, browse, olga):
        delivery = firm.kill_one()
        response = browse(olga).post(f"/deliveries/{delivery_key(delivery)}/retry/", follow=True)
        assert "1 delivery is due now" in messages_of(response)
        assert Delivery.objects.get().state == DeliveryState.PENDING

    def test_send_all_again_leads_to_the_plan_of_what_matches(self, firm, browse, olga):
        firm.kill_one()
        page = browse(olga).get("/deliveries/?state=dead").content.decode()
        assert "/dead-letters/plan/?leg=out&amp;state=dead" in page

    def test_one_delivery_shows_what_its_last_attempt_sent(self, firm, browse, olga):
        page = browse(olga).get(f"/deliveries/{delivery_key(firm.kill_one())}/").content.decode()
        assert "&quot;description&quot;: &quot;Project 1&quot;" in page

    def test_a_lost_answer_asks_whether_it_arrived(self, firm, browse, olga):
        delivery = firm.lose_one()
        client, path = browse(olga), f"/deliveries/{delivery_key(delivery)}/"
        assert "Did it arrive?" in client.get(path).content.decode()
        response = client.post(f"{path}there/", {"ref": "J-9"}, follow=True)
        assert "counts as delivered" in messages_of(response)
        again = client.post(f"{path}resend/", follow=True)
        assert "was settled already" in messages_of(again)
        assert Delivery.objects.get().target_ref == "J-9"

    def test_discarding_needs_a_reason_and_happens_once(self, firm, browse, olga):
        delivery = firm.kill_one()
        client, path = browse(olga), f"/deliveries/{delivery_key(delivery)}/discard/"
        assert "Say why" in messages_of(client.post(path, {}, follow=True))
        assert "is discarded" in messages_of(client.post(path, {"reason": "Closed."}, follow=True))
        assert "settled already" in messages_of(client.post(path, {"reason": "Closed."}, follow=True))
        assert Transaction.objects.filter(outcome=Outcome.DISCARDED).count() == 1


class TestWhoMayDecide:
    @pytest.fixture
    def paths(self, firm):
        held, dead = firm.hold_one(), None
        firm.read(build.project_row(7, currency="euro"))
        firm.erp.refuse["P-0001"] = worlds.PermanentError("No.")
        firm.deliver()
        dead = Delivery.objects.get()
        return [
            f"/held/{held_key(held)}/retry/",
            f"/held/{held_key(held)}/discard/",
            f"/deliveries/{delivery_key(dead)}/retry/",
            f"/deliveries/{delivery_key(dead)}/discard/",
            f"/deliveries/{delivery_key(dead)}/there/",
            f"/deliveries/{delivery_key(dead)}/resend/",
        ]

    def test_a_viewer_decides_nothing(self, paths, browse, make_person):
        before = list(HeldRecord.objects.values()), list(Delivery.objects.values())
        client = browse(make_person("Vera", "viewer"))
        for path in paths:
            assert client.post(path, {"reason": "x", "ref": "x"}).status_code == 403, path
        assert (list(HeldRecord.objects.values()), list(Delivery.objects.values())) == before

    def test_an_operator_of_another_domain_decides_nothing(self, paths, browse, make_person):
        before = list(HeldRecord.objects.values()), list(Delivery.objects.values()), Run.objects.count()
        client = browse(make_person("Bill", ("operator", "billing-gl")))
        for path in paths:
            assert client.post(path, {"reason": "x", "ref": "x"}).status_code == 404, path
        assert (list(HeldRecord.objects.values()), list(Delivery.objects.values()), Run.objects.count()) == before

    def test_nothing_is_decided_by_a_link(self, paths, browse, olga):
        client = browse(olga)
        for path in paths:
            assert client.get(path).status_code in (404, 405), path
