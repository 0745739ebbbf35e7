"""The ledger on pages: what is found, what a transaction tells, and what is masked until somebody reveals it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from governance.models import OwnershipRule
from hub.common import facts
from hub.records.models import Reveal
from hub.sync import ledger_search
from hub.sync.models import HeldRecord, Transaction
from hub.sync.states import Outcome
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = {**build.PROJECT, "properties": {**build.PROJECT["properties"]}}
SECRET["properties"]["budget"] = {**build.PROJECT["properties"]["budget"], "x-classification": "restricted"}


@pytest.fixture
def firm(domains):
    return worlds.make()


@pytest.fixture
def secret_firm(domains):
    return worlds.make(schema=SECRET)


def keys(client, query):
    return [row.key or row.external_id for row, _, _ in client.get(f"/transactions/?{query}").context["rows"]]


class TestTheList:
    def test_shows_the_newest_first_and_how_many_match(self, firm, browse, ada):
        firm.read(*(build.project_row(n) for n in range(3)))
        response = browse(ada).get("/transactions/")
        assert [row.key for row, _, _ in response.context["rows"]] == ["P-0002", "P-0001", "P-0000"]
        assert response.context["number"] == "3"

    def test_filters_by_sync_run_outcome_and_entity(self, firm, browse, ada):
        run = firm.read(build.project_row(1), build.project_row(2, currency="euro"))
        firm.deliver()
        client = browse(ada)
        assert keys(client, "sync=erp-jobs") == ["P-0001"]
        assert keys(client, f"run={run.pk}&outcome=created") == ["P-0001"]
        assert keys(client, "outcome=trouble") == ["2"]
        assert keys(client, "outcome=trouble&sync=psa-projects") == ["2"]
        assert len(keys(client, "entity=project")) == 3
        assert keys(client, "entity=nowhere") == []
        assert keys(client, "sync=nowhere") == []

    def test_finds_a_record_by_any_of_its_ids(self, firm, browse, ada):
        firm.read(build.project_row(1), build.project_row(2, currency="euro"))
        firm.deliver()
        client = browse(ada)
        for id_ in ("P-0001", "1", "ref-P-0001"):
            assert keys(client, f"key={id_}") == ["P-0001", "P-0001"]
            assert keys(client, f"q={id_}") == ["P-0001", "P-0001"]
        assert keys(client, "q=2") == ["2"]  # rejected: the source's id
        number = Transaction.objects.get(outcome=Outcome.QUARANTINED).pk
        assert keys(client, f"q=t-{number}") == ["2"]

    def test_filters_by_system_domain_error_and_amount(self, firm, browse, ada):
        firm.read(build.project_row(1, budget="90.00"), build.project_row(2, currency="euro"), build.project_row(3))
        firm.deliver()
        client = browse(ada)
        assert sorted(keys(client, "system=erp")) == ["P-0001", "P-0003"]
        assert sorted(keys(client, "system=psa")) == ["2", "P-0001", "P-0003"]
        assert len(keys(client, "domain=project-wbs")) == 5
        assert keys(client, "domain=billing-gl") == keys(client, "system=psa&domain=billing-gl") == []
        code = Transaction.objects.get(outcome=Outcome.QUARANTINED).error_code
        assert keys(client, f"error={code}") == keys(client, f"q=error:{code}") == ["2"]
        assert set(keys(client, "amount=90")) == {"P-0001"}
        assert set(keys(client, "amount=>=1,000")) == {"P-0003"}
        assert set(keys(client, "amount=50..100")) == {"P-0001"}
        assert len(keys(client, "amount=much")) == 5

    def test_an_amount_is_looked_for_among_the_newest_rows_and_the_page_says_so(self, firm, browse, ada, monkeypatch):
        monkeypatch.setattr(ledger_search, "LOOKED_AT", 1)
        firm.read(*(build.project_row(n) for n in range(3)))
        client = browse(ada)
        assert keys(client, "amount=1000") == ["P-0002"]
        assert "among the newest 1 rows" in client.get("/transactions/?amount=1000").content.decode()
        assert len(keys(client, "amount=1000&since=1h")) == 3

    def test_finds_words_of_an_error(self, firm, browse, ada):
        firm.read(build.project_row(1), build.project_row(2, currency="euro"))
        assert keys(browse(ada), "q=euro") == ["2"]
        assert keys(browse(ada), "q=nonsense") == []

    def test_time_limits_are_exact(self, firm, browse, ada):
        firm.read(build.project_row(1))
        client = browse(ada)
        assert keys(client, "since=1h") == ["P-0001"]
        assert keys(client, "until=2020-01-01") == []
        at = Transaction.objects.get().at
        assert keys(client, f"until={at.isoformat()}".replace("+", "%2B")) == []
        assert keys(client, f"since={at.isoformat()}".replace("+", "%2B")) == ["P-0001"]

    @pytest.mark.parametrize(
        "query", ["run=x", "since=soon", "outcome=odd", "after=x", "before=-1", "q=T-99999999999999999999"]
    )
    def test_nonsense_in_the_address_is_no_error(self, firm, browse, ada, query):
        firm.read(build.project_row(1))
        assert browse(ada).get(f"/transactions/?{query}").status_code == 200

    @pytest.mark.parametrize("query", ["", "sync=psa-projects", "outcome=created", "since=1h"])
    def test_pages_show_every_row_once_in_both_directions(self, firm, browse, ada, query):
        for start in (0, 70):
            firm.read(*(build.project_row(n) for n in range(start, start + 70)))
        client, seen, after = browse(ada), [], ""
        while True:
            page = client.get(f"/transactions/?{query}{after}").context["page"]
            seen += [row.pk for row in page]
            if not page.older:
                break
            after = f"&after={page.older}"
        assert seen == sorted(seen, reverse=True)
        assert len(set(seen)) == len(seen) == 140
        back = client.get(f"/transactions/?{query}&before={page.newer}").context["page"]
        assert [row.pk for row in back] == seen[50:100]

    def test_somebody_of_another_domain_sees_nothing(self, firm, browse, make_person):
        firm.read(build.project_row(1))
        other = browse(make_person("Bill", ("viewer", "billing-gl")))
        assert keys(other, "") == []
        assert keys(other, "key=P-0001") == []
        assert keys(other, "sync=psa-projects") == []
        assert other.get(f"/transactions/{Transaction.objects.get().pk}/").status_code == 404
        assert b"P-0001" not in b"".join(other.get("/transactions.json").streaming_content)

    def test_somebody_of_the_domain_sees_what_the_firm_sees(self, firm, browse, make_person):
        firm.read(build.project_row(1))
        firm.deliver()
        assert len(keys(browse(make_person("Pia", ("viewer", "project-wbs"))), "")) == 2

    @pytest.mark.parametrize("query", ["", "?sync=psa-projects", "?outcome=created"])
    def test_the_export_holds_every_row(self, firm, browse, ada, query, monkeypatch):
        monkeypatch.setattr("hub.sync.ledger_search.STREAMED", 10)
        firm.read(*(build.project_row(n) for n in range(25)))
        text = b"".join(browse(ada).get(f"/transactions.csv{query}").streaming_content).decode()
        assert text.count("P-00") == 25

    def test_a_search_that_takes_too_long_is_given_up_with_a_sentence(self, firm, browse, ada, monkeypatch):
        def slow(*args, **kwargs):
            with ledger_search.bounded(seconds=0.1), connection.cursor() as cursor:
                cursor.execute("select pg_sleep(5)")

        monkeypatch.setattr(ledger_search, "page", slow)
        page = browse(ada).get("/transactions/?q=anything").content.decode()
        assert "Name a sync, a run, a key or a time as well." in page


class TestOneTransaction:
    def test_tells_what_happened_and_where_it_went(self, firm, browse, ada):
        firm.read(build.project_row(1))
        firm.deliver()
        first, second = Transaction.objects.order_by("pk")
        for row in (first, second):
            context = browse(ada).get(f"/transactions/{row.pk}/").context
            assert [hop.row.pk for hop in context["hops"]] == [first.pk, second.pk]
        page = browse(ada).get(f"/transactions/{first.pk}/").content.decode()
        assert "P-0001 came from psa for the first time and was created as Project." in page
        assert "ref-P-0001" in page

    def test_draws_the_hops_with_their_answers_and_names_the_rules_of_that_time(self, firm, browse, ada):
        firm.read(build.project_row(1))
        firm.deliver()
        row = Transaction.objects.get(outcome=Outcome.CREATED, sync_id=firm.inbound.pk)
        rule = OwnershipRule(
            slug="names",
            entity=firm.inbound.entity,
            fields=["name"],
            systems=["psa"],
            status=OwnershipRule.Status.ACTIVE,
        )
        rule._history_date = row.at - timedelta(hours=1)
        rule.save()
        OwnershipRule.objects.create(
            slug="later",
            entity=firm.inbound.entity,
            fields=["budget"],
            systems=["erp"],
            status=OwnershipRule.Status.ACTIVE,
        )
        page = " ".join(browse(ada).get(f"/transactions/{row.pk}/").content.decode().split())
        assert 'aria-label="Waterfall: psa Created after 0 ms, erp Created after' in page
        assert "Answer:" in page
        assert "<code>ref-P-0001</code>" in page
        assert "name: psa" in page
        assert "budget: erp" not in page

    def test_shows_each_changed_field_before_and_after(self, firm, browse, ada):
        firm.read(build.project_row(1))
        firm.read(build.project_row(1, title="Renamed"))
        row = Transaction.objects.get(outcome=Outcome.UPDATED)
        (change,) = browse(ada).get(f"/transactions/{row.pk}/").context["changes"]
        assert (change.field, change.before, change.after) == ("name", "Project 1", "Renamed")

    def test_a_change_of_a_field_that_came_two_versions_ago_is_still_known(self, firm, browse, ada):
        firm.read(build.project_row(1))
        firm.read(build.project_row(1, status="closed"))
        firm.read(build.project_row(1, status="closed", title="Renamed"))
        row = Transaction.objects.filter(outcome=Outcome.UPDATED).latest("pk")
        (change,) = browse(ada).get(f"/transactions/{row.pk}/").context["changes"]
        assert (change.before, change.after) == ("Project 1", "Renamed")

    def test_a_delivery_shows_what_changed_at_the_target(self, firm, browse, ada):
        firm.read(build.project_row(1))
        firm.deliver()
        firm.read(build.project_row(1, title="Renamed"))
        firm.deliver()
        row = Transaction.objects.filter(sync_id=firm.outbound.pk).latest("pk")
        (change,) = browse(ada).get(f"/transactions/{row.pk}/").context["changes"]
        assert (change.field, change.before, change.after) == ("description", "Project 1", "Renamed")

    def test_what_is_not_delivered_yet_stands_at_the_end(self, firm, browse, ada):
        firm.kill_one()
        row = Transaction.objects.order_by("pk").first()
        page = browse(ada).get(f"/transactions/{row.pk}/").content.decode()
        assert "Dead letter" in page
        assert "No such account." not in page.split("Where it went")[0]

    def test_a_payload_that_is_gone_is_a_sentence(self, firm, browse, ada):
        firm.read(build.project_row(1))
        with connection.cursor() as cursor:
            cursor.execute("update sync_batch set payload = null")
        page = browse(ada).get(f"/transactions/{Transaction.objects.get().pk}/").content.decode()
        assert "The payload is not kept any more." in page

    def test_a_decision_of_a_person_says_so(self, firm, browse, ada, olga):
        from hub.sync import trouble

        trouble.discard_held(held=firm.hold_one(), reason="Test.", by=olga)
        row = Transaction.objects.get(outcome=Outcome.DISCARDED)
        page = browse(ada).get(f"/transactions/{row.pk}/").content.decode()
        assert "none: a person decided" in page
        assert "Discarded by Olga: Test." in page


class TestMasks:
    @pytest.fixture
    def row(self, secret_firm):
        secret_firm.read(build.project_row(1, budget="81234.50", iban="DE1234", access={"api_key": "k-777"}))
        secret_firm.deliver()
        return Transaction.objects.order_by("pk").first()

    @pytest.mark.parametrize("value", ["81234.50", "DE1234", "k-777"])
    def test_values_that_are_not_for_everybody_are_not_in_the_page(self, row, browse, finn, value):
        client = browse(finn)
        for each in Transaction.objects.all():
            assert value not in client.get(f"/transactions/{each.pk}/").content.decode()

    def test_who_may_not_reveal_does_not(self, row, browse, finn):
        assert browse(finn).post(f"/transactions/{row.pk}/reveal/").status_code == 403

    def test_a_reveal_shows_them_and_is_kept(self, row, browse, make_person):
        heard = []
        facts.subscribe("payload_revealed", lambda **details: heard.append(details))
        auditor = make_person("Otto", "auditor")
        page = browse(auditor).post(f"/transactions/{row.pk}/reveal/")
        assert "81234.50" in page.content.decode()
        assert page["Cache-Control"].count("no-store")
        assert Reveal.objects.get().by == auditor
        assert heard[-1]["by"] == auditor

    def test_the_sentence_of_an_error_does_not_tell_them_either(self, secret_firm, browse, finn, make_person):
        secret_firm.read(build.project_row(1, budget="81.234,50 secret"))
        held = HeldRecord.objects.get()
        client = browse(finn)
        from hub.sync.keys import held_key

        paths = ["/transactions/", "/held/", f"/held/{held_key(held)}/", "/transactions.csv", "/held.json"]
        paths += [f"/transactions/{held.transaction_id}/", f"/runs/{Transaction.objects.get().run_id}/"]
        for path in paths:
            response = client.get(path)
            body = b"".join(response.streaming_content) if response.streaming else response.content
            assert b"81.234,50" not in body, path
        auditor = browse(make_person("Otto", "auditor"))
        assert b"81.234,50" in auditor.post(f"/held/{held_key(held)}/reveal/").content
