"""The pages and the API of possible duplicates and of match rules: what they show, who may decide, what follows."""

from __future__ import annotations

from typing import Any

import pytest

from connectors import record_urls
from governance.models import AuditEntry, MatchRule
from hub.records.models import CanonicalRecord
from hub.sync.duplicates import services as duplicates
from hub.sync.keys import held_key
from hub.sync.models import Duplicate
from tests.sync import builders as build
from tests.sync.test_api import client_of
from tests.sync.test_duplicates import Firm, keys, row, work

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains: Any) -> Firm:
    made = Firm()
    made.by_name()
    target = build.stream(build.connection("bi"), "customers")
    build.sync("bi-out", "out", target, made.entity, [{"target": "number", "source": "code"}])
    made.show(made.crm, row("A-1", name="Northgate Logistics Ltd", phone="030 1"), row("A-2", name="Beta Holding"))
    made.show(
        made.erp,
        row("E-1", name="Northgate Logistics", phone="030 2", budget="900.00", currency="EUR"),
        row("E-2", name="Beta Holdings"),
    )
    return made


def of(key: str) -> Duplicate:
    return Duplicate.objects.get(key=key)


class TestPages:
    def test_the_list_says_what_it_may_be_how_sure_why_and_how_much(self, firm: Firm, browse: Any, ada: Any) -> None:
        response = browse(ada).get("/duplicates/")
        page = response.content.decode()
        assert [one.key for one in response.context["page"]] == ["E-1", "E-2"]
        for text in ("A-1", "100", "name", "900.00"):
            assert text in page

    def test_the_list_is_filtered_and_exported(self, firm: Firm, browse: Any, ada: Any) -> None:
        client = browse(ada)
        shown = lambda query: [one.key for one in client.get(f"/duplicates/?{query}").context["page"]]  # noqa: E731
        assert shown("q=E-2") == ["E-2"]
        assert shown("q=A-1") == ["E-1"]
        assert shown("state=done") == []
        assert shown(f"run={of('E-1').run_id}") == ["E-1", "E-2"]
        assert shown("sync=crm-in") == []
        assert shown("sort=age") == ["E-1", "E-2"]
        assert "E-1" in b"".join(client.get("/duplicates.csv").streaming_content).decode()

    def test_without_rules_the_list_says_what_to_do(self, domains: Any, browse: Any, ada: Any) -> None:
        assert "Write a match rule" in browse(ada).get("/duplicates/").content.decode()

    def test_side_by_side_says_what_differs_and_who_says_what(self, firm: Firm, browse: Any, ada: Any) -> None:
        response = browse(ada).get(of("E-1").get_absolute_url())
        rows = {one.name: one.cells[0] for one in response.context["rows"]}
        assert (rows["name"].state, rows["name"].score) == ("alike", 100)
        assert (rows["phone"].state, rows["phone"].source) == ("differs", "crm")
        assert rows["budget"].state == "only_new"
        page = response.content.decode()
        assert "leads to the record that you choose" in page
        assert "is created at bi" in page

    def test_deciding_leads_to_the_next_one_and_then_to_the_list(self, firm: Firm, browse: Any, olga: Any) -> None:
        client, first, second = browse(olga), of("E-1"), of("E-2")
        sent = {"decision": "link", "record": first.record_id, "reason": "Same firm."}
        response = client.post(f"/duplicates/{first.pk}/decide/", sent)
        assert response.url == second.get_absolute_url()
        response = client.post(f"/duplicates/{second.pk}/decide/", {"decision": "new", "reason": "Other firm."})
        assert response.url == "/duplicates/"
        work()
        assert keys() == ["A-1", "A-2", "E-2"]
        assert AuditEntry.objects.filter(act="duplicate.decided", actor_id=olga.pk).count() == 2

    def test_a_decision_without_a_reason_is_shown_again_with_what_was_chosen(
        self, firm: Firm, browse: Any, olga: Any
    ) -> None:
        response = browse(olga).post(f"/duplicates/{of('E-1').pk}/decide/", {"decision": "new", "reason": ""})
        assert response.status_code == 422
        assert response.context["form"]["decision"].value() == "new"
        assert of("E-1").is_open

    def test_who_only_looks_decides_nothing_and_another_domain_sees_nothing(
        self, firm: Firm, browse: Any, make_person: Any
    ) -> None:
        pk = of("E-1").pk
        looks = browse(make_person("Vera", "viewer"))
        assert "Your roles do not let you decide" in looks.get(f"/duplicates/{pk}/").content.decode()
        assert looks.post(f"/duplicates/{pk}/decide/", {"decision": "new", "reason": "x"}).status_code == 403
        other = browse(make_person("Otto", ("operator", "resource")))
        assert other.get(f"/duplicates/{pk}/").status_code == 404
        assert list(other.get("/duplicates/").context["page"]) == []

    def test_the_run_tells_how_many_it_holds(self, firm: Firm, browse: Any, ada: Any) -> None:
        page = browse(ada).get(f"/runs/{of('E-1').run_id}/").content.decode()
        assert "2 records are held as possible duplicates" in page

    def test_the_held_record_leads_to_the_comparison(self, firm: Firm, browse: Any, ada: Any) -> None:
        client = browse(ada)
        held = client.get("/held/").context["rows"][0]
        assert "Compare and decide" in client.get(f"/held/{held_key(held)}/").content.decode()

    def test_a_merge_says_before_what_it_does_at_each_target(self, firm: Firm, browse: Any, ada: Any) -> None:
        record = CanonicalRecord.objects.get(key="A-1")
        page = browse(ada).get(f"/merges/new/customer/{record.pk}/").content.decode()
        assert "Was never there, and is not sent any more." in page


class TestApi:
    def test_a_duplicate_is_listed_read_and_decided(self, firm: Firm, olga: Any) -> None:
        api = client_of(olga)
        (first, _) = api.get("/api/v1/duplicates/").json()["results"][::-1]
        assert (first["key"], first["candidates"][0]["key"], first["amount"]) == ("E-1", "A-1", "900")
        sent = {"decision": "merge", "reason": "Entered twice."}
        done = api.post(f"/api/v1/duplicates/{first['id']}/decide/", sent, format="json")
        assert (done.status_code, done.json()["status"], done.json()["chosen"]) == (200, "decided", "A-1")
        again = api.post(f"/api/v1/duplicates/{first['id']}/decide/", sent, format="json")
        assert again.status_code == 422

    def test_only_a_candidate_can_be_meant(self, firm: Firm, olga: Any) -> None:
        sent = {"decision": "link", "record": 10**9, "reason": "x"}
        answer = client_of(olga).post(f"/api/v1/duplicates/{of('E-1').pk}/decide/", sent, format="json")
        assert answer.status_code == 400

    def test_a_rule_is_made_read_and_changed(self, firm: Firm, ada: Any, olga: Any) -> None:
        sent = {
            "slug": "by-tax", "entity": "customer", "name": "Same tax number", "outcome": "link",
            "comparisons": [{"field": "tax_id", "form": "tax_id"}],
        }  # fmt: skip
        api = client_of(ada)
        assert client_of(olga).post("/api/v1/match-rules/", sent, format="json").status_code == 403
        assert api.post("/api/v1/match-rules/", sent, format="json").status_code == 201
        assert api.post("/api/v1/match-rules/", sent, format="json").status_code == 400
        changed = api.patch("/api/v1/match-rules/by-tax/", {"is_active": False, "reason": "Too early."}, format="json")
        assert (changed.status_code, changed.json()["is_active"], changed.json()["outcome"]) == (200, False, "link")
        wrong = api.patch("/api/v1/match-rules/by-tax/", {"comparisons": [{"field": "nobody"}]}, format="json")
        assert wrong.status_code == 422
        assert api.get("/api/v1/match-rules/").json()["results"][0]["slug"] == "by-tax"


class TestRulePages:
    def sent(self, **changes: Any) -> dict[str, Any]:
        values = {
            "entity": "customer", "name": "Same phone", "outcome": "hold", "position": "3", "is_active": "on",
            "compare-rows": "2", "compare-0-field": "phone", "compare-0-compare": "normalised",
            "compare-0-form": "phone", "compare-0-threshold": "90", "compare-1-field": "",
        }  # fmt: skip
        return values | changes

    def test_a_rule_is_written_by_form(self, firm: Firm, browse: Any, ada: Any) -> None:
        client = browse(ada)
        assert "compare-0-field" in client.get("/match-rules/new/?entity=customer").content.decode()
        assert client.post("/match-rules/new/", self.sent()).status_code == 302
        rule = MatchRule.objects.get(slug="customer-same-phone")
        assert (rule.position, rule.fields[0]["form"], rule.is_active) == (3, "phone", True)
        page = client.get("/match-rules/").content.decode()
        assert page.index("Same phone") < page.index(">name<")
        sent = self.sent(outcome="link")
        assert client.post("/match-rules/customer-same-phone/", sent).status_code == 302
        rule.refresh_from_db()
        assert rule.outcome == "link"

    def test_a_rule_that_compares_nothing_is_refused(self, firm: Firm, browse: Any, ada: Any) -> None:
        response = browse(ada).post("/match-rules/new/", self.sent(**{"compare-0-field": ""}))
        assert response.status_code == 422
        assert "Name at least one field" in response.content.decode()

    def test_who_may_not_edit_sees_rules_only(self, firm: Firm, browse: Any, olga: Any) -> None:
        client = browse(olga)
        assert client.get("/match-rules/").status_code == 200
        assert client.get("/match-rules/new/").status_code == 403


class TestIdentities:
    """E-1 of the ERP is linked to A-1 of the CRM."""

    @pytest.fixture(autouse=True)
    def linked(self, firm: Firm, olga: Any) -> None:
        duplicates.decide(duplicate=of("E-1"), decision="link", reason="Same.", by=olga)
        work()
        firm.erp.stream.options = {"record_url": "https://erp.example.com/debtors/{id}"}
        firm.erp.stream.save()

    @pytest.mark.parametrize("text", ["A-1", "id-A-1", "E-1", "id-E-1", " id-E-1 "])
    def test_any_id_leads_straight_to_the_record(self, firm: Firm, browse: Any, ada: Any, text: str) -> None:
        response = browse(ada).get("/identities/", {"q": text})
        assert response.url == CanonicalRecord.objects.get(key="A-1").get_absolute_url()

    def test_the_record_shows_all_its_ids_with_the_way_to_each(self, firm: Firm, browse: Any, ada: Any) -> None:
        page = browse(ada).get(CanonicalRecord.objects.get(key="A-1").get_absolute_url()).content.decode()
        assert "id-A-1" in page
        assert 'href="https://erp.example.com/debtors/id-E-1"' in page

    def test_the_beginning_of_a_key_gives_a_list_and_nothing_an_empty_one(
        self, firm: Firm, browse: Any, ada: Any
    ) -> None:
        client = browse(ada)
        found = client.get("/identities/?q=A-").context["found"]
        assert [(one.record.key, one.found_by) for one in found] == [("A-1", ""), ("A-2", "")]
        assert "No system calls a record so" in client.get("/identities/?q=Z-9").content.decode()
        assert client.get("/identities/").status_code == 200
        assert "id-E-1" in b"".join(client.get("/identities.csv?q=E-1").streaming_content).decode()

    def test_an_id_that_is_held_leads_to_its_comparison(self, firm: Firm, browse: Any, ada: Any) -> None:
        page = browse(ada).get("/identities/?q=id-E-2").content.decode()
        assert of("E-2").get_absolute_url() in page

    def test_the_api_gives_all_ids(self, firm: Firm, ada: Any) -> None:
        (found,) = client_of(ada).get("/api/v1/identities/?q=id-E-1").json()
        assert (found["key"], found["found_by"]) == ("A-1", "id at erp")
        assert [(one["system"], one["external_id"], one["url"]) for one in found["known_as"]] == [
            ("crm", "id-A-1", ""),
            ("erp", "id-E-1", "https://erp.example.com/debtors/id-E-1"),
            ("bi", "ref-A-1", ""),
        ]
        assert client_of(ada).get("/api/v1/identities/").status_code == 400

    def test_another_domain_finds_nothing(self, firm: Firm, browse: Any, make_person: Any) -> None:
        client = browse(make_person("Otto", ("operator", "resource")))
        assert client.get("/identities/?q=E-1").context["found"] == []

    @pytest.mark.parametrize(
        "wrong", ["javascript:alert({id})", "https://erp.example.com/", "https://{id}.example.com/"]
    )
    def test_an_address_that_leads_elsewhere_is_refused(self, wrong: str) -> None:
        assert record_urls.problem(wrong)
