"""Pages and API of systems of record: who sees what, what a click does, and what is refused with which sentence."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from governance.models import AuditEntry, OwnershipRule
from hub.records.reading import sources_of
from hub.sync.models import BlockedValue, Transaction
from tests import memory
from tests.ownership import builders as build
from tests.ownership.builders import Firm, row

pytestmark = pytest.mark.django_db(transaction=True)
State = BlockedValue.State


@pytest.fixture
def firm(domains: Any) -> Firm:
    """The CRM owns projects, the ERP their budget; the CRM has offered another budget."""
    found = build.firm()
    budget = build.document(
        "erp-budget",
        "erp",
        group="Money",
        fields=["budget", "currency"],
        policy="review",
        phase_field="",
        note="Finance",
    )
    build.active(found.entity, build.document("crm-rest", "crm"), budget)
    found.read("crm", row(name="Alpha"))
    found.read("erp", row(budget="100.00", currency="EUR"))
    found.read("crm", row(name="Alpha", budget="999.00", secret="s3cret"))
    return found


PAGES = [
    "/ownership/",
    "/ownership.csv",
    "/ownership/entity/project/",
    "/ownership/rules/erp-budget/",
    "/ownership/blocked/",
    "/ownership/blocked.json",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_reads_every_page_and_somebody_without_a_role_none(
    firm: Firm, browse: Any, make_person: Any, mallory: Any, path: str
) -> None:
    assert browse(make_person("Vera", "viewer")).get(path).status_code == 200
    assert browse(mallory).get(path).status_code == 403


def test_what_is_of_another_domain_does_not_exist(firm: Firm, browse: Any, make_person: Any) -> None:
    stranger = browse(make_person("Bill", ("integration_admin", "billing-gl")))
    pk = firm.blocked().pk
    for path in ("/ownership/entity/project/", "/ownership/rules/erp-budget/", f"/ownership/blocked/{pk}/"):
        assert stranger.get(path).status_code == 404
    assert b"erp-budget" not in stranger.get("/ownership.csv").getvalue()
    assert b"P-1" not in stranger.get("/ownership/blocked/").content


def test_the_matrix_says_who_owns_who_sends_and_what_was_stopped(firm: Firm, browse: Any, ada: Any) -> None:
    page = browse(ada).get("/ownership/entity/project/")
    matrix = page.context["matrix"]
    groups = {name: [line.field.name for line in lines] for name, lines in matrix.groups}
    assert groups["Money"] == ["budget", "currency"]
    crm, erp = (cell for cell in matrix.groups[0][1][0].cells)
    assert (crm.roles, crm.sends, crm.stopped) == ([], True, 1)
    assert [role.word for role in erp.roles] == ["Owner"]
    assert "1 stopped" in page.content.decode()
    assert not matrix.coverage.cells


def test_a_new_field_is_a_gap_that_the_matrix_marks(firm: Firm, browse: Any, ada: Any) -> None:
    from governance.services import activate_schema

    schema = {**build.PROJECT, "properties": {**build.PROJECT["properties"], "city": {"type": "string"}}}
    OwnershipRule.objects.filter(slug="crm-rest").update(fields=["name", "status", "company", "changed", "secret"])
    activate_schema(contract=firm.entity.contract, schema=schema, by=None)
    assert "city: no rule says who owns it" in browse(ada).get("/ownership/entity/project/").content.decode()
    assert "Gap" in browse(ada).get("/ownership/").content.decode()


FORM = {"decide": "owner", "system_0": "erp", "policy": "ignore", "fields_named": ["name"], "phases": "won, (empty)"}


def test_a_draft_is_written_by_form_and_put_in_force(firm: Firm, browse: Any, ada: Any) -> None:
    given = {**FORM, "phase_field": "status", "group": "Names"}
    client = browse(ada)
    assert client.post("/ownership/entity/project/new/", given).status_code == 302
    rule = OwnershipRule.objects.get(group="Names")
    assert (rule.slug, rule.status, rule.phases) == ("project-names-erp", "draft", ["won", ""])
    assert b"Each field has one rule" in client.get("/ownership/entity/project/activate/").content
    assert client.post("/ownership/entity/project/activate/", {"reason": "ERP knows better"}).status_code == 302
    rule.refresh_from_db()
    assert rule.status == "active"
    kept = AuditEntry.objects.get(act="ownership_rule.activated", name=rule.slug, actor_id=ada.pk)
    assert kept.reason == "ERP knows better"


def test_a_draft_that_overlaps_is_refused_on_the_page(firm: Firm, browse: Any, ada: Any) -> None:
    build.draft("crm-budget", "crm", fields=["budget"])
    client = browse(ada)
    assert b"budget: crm-budget and erp-budget both say" in client.get("/ownership/entity/project/activate/").content
    assert client.post("/ownership/entity/project/activate/").status_code == 422
    replacement = "/ownership/entity/project/new/?replaces=erp-budget"
    assert b'value="budget"' in client.get(replacement).content


def test_what_the_form_refuses_stands_at_its_field(firm: Firm, browse: Any, ada: Any) -> None:
    page = browse(ada).post("/ownership/entity/project/new/", {**FORM, "system_0": "", "phase_field": "status"})
    assert page.status_code == 422
    assert "Name the one system" in str(page.context["form"].errors["system_0"])


def test_a_change_to_a_rule_in_force_is_checked(firm: Firm, browse: Any, ada: Any) -> None:
    given = {"decide": "owner", "system_0": "erp", "policy": "ignore", "fields_named": ["budget", "currency", "name"]}
    assert browse(ada).post("/ownership/rules/erp-budget/", given).status_code == 302
    page = browse(ada).post("/ownership/rules/crm-rest/", {**given, "system_0": "crm", "fields_named": ["name"]})
    assert page.status_code == 422
    assert "name: crm-rest and erp-budget both" in page.content.decode()


def test_only_who_may_edit_contracts_changes_rules(firm: Firm, browse: Any, olga: Any) -> None:
    for path in ("new/", "activate/", "release/", "whatif/"):
        assert browse(olga).post(f"/ownership/entity/project/{path}").status_code == 403
    assert browse(olga).post("/ownership/rules/erp-budget/", FORM).status_code == 403
    assert browse(olga).post("/ownership/rules/erp-budget/retire/").status_code == 403


# Stopped values ----------------------------------------------------------------------------------------------


def test_a_list_of_stopped_values_is_filtered_and_exported(firm: Firm, browse: Any, finn: Any) -> None:
    client = browse(finn)
    assert "999.00" in client.get("/ownership/blocked/?state=open&field=budget&q=P-1").content.decode()
    assert "999.00" not in client.get("/ownership/blocked/?state=kept").content.decode()
    text = client.get("/ownership/blocked.csv").getvalue().decode()
    [told] = csv.DictReader(io.StringIO(text))
    assert (told["Record"], told["Field"], told["Offered"], told["Kept"]) == ("P-1", "budget", "999.00", "100.00")
    assert (told["Amount"], told["Currency"], told["State"]) == ("100", "EUR", "Waits for a decision")


def test_a_masked_value_stays_masked(firm: Firm, browse: Any, finn: Any) -> None:
    firm.read("erp", row(secret="other"))
    kept = firm.blocked(field="secret")
    client = browse(finn)
    for path in (f"/ownership/blocked/{kept.pk}/", "/ownership/blocked/", f"/api/v1/blocked-values/{kept.pk}/"):
        content = client.get(path).content.decode()
        assert "other" not in content.replace("other systems", "").replace("another", "")
        assert "s3cret" not in content


def test_a_person_takes_an_offered_value_once(firm: Firm, browse: Any, finn: Any) -> None:
    kept = firm.blocked()
    done = browse(finn).post(f"/ownership/blocked/{kept.pk}/accept/", {"reason": "The ERP is late."}, follow=True)
    assert "is what crm said" in done.content.decode()
    record = firm.record()
    assert (record.body["budget"], record.amount) == ("999.00", 999)
    assert sources_of(record, "slug")["budget"] == "crm"
    kept.refresh_from_db()
    assert (kept.state, kept.decided_by, kept.reason) == (State.ACCEPTED, finn, "The ERP is late.")
    assert AuditEntry.objects.get(act="blocked_value.accepted").name == "project/P-1"
    firm.deliver()
    assert memory.system("erp").targets["projects"]["P-1"]["budget"] == "999.00"
    page = browse(finn).get(record.get_absolute_url()).content.decode()
    assert f"/transactions/{kept.transaction_id}/" in page
    assert "by Finn" in page
    firm.read("erp", row(budget="101.00", currency="EUR"))
    assert firm.record().body["budget"] == "101.00"


def test_a_person_keeps_the_hubs_value_and_is_not_asked_again(firm: Firm, browse: Any, finn: Any) -> None:
    kept = firm.blocked()
    browse(finn).post(f"/ownership/blocked/{kept.pk}/keep/", {"reason": "Wrong there."})
    firm.read("crm", row(name="Beta", budget="999.00"))
    kept.refresh_from_db()
    assert (kept.state, kept.times, kept.decided_by) == (State.KEPT, 2, finn)
    firm.read("crm", row(name="Beta", budget="998.00"))
    kept.refresh_from_db()
    assert (kept.state, kept.decided_by) == (State.OPEN, None)


def test_the_first_page_says_that_a_person_is_asked(firm: Firm, browse: Any, finn: Any) -> None:
    assert "1 record with a value that another system owns" in browse(finn).get("/").content.decode()


def test_what_was_settled_is_not_decided_again(firm: Firm, browse: Any, finn: Any) -> None:
    kept = firm.blocked()
    client = browse(finn)
    client.post(f"/ownership/blocked/{kept.pk}/accept/", {"reason": "Right."})
    again = client.post(f"/ownership/blocked/{kept.pk}/keep/", {"reason": "No."}, follow=True)
    assert "settled meanwhile" in again.content.decode()


def test_a_value_that_breaks_the_contract_is_not_taken(firm: Firm, browse: Any, finn: Any) -> None:
    firm.read("erp", row(status="won"))
    kept = firm.blocked(field="status")
    BlockedValue.objects.filter(pk=kept.pk).update(offered="lost")
    answer = browse(finn).post(f"/ownership/blocked/{kept.pk}/accept/", {"reason": "Yes."}, follow=True)
    assert "would break its contract" in answer.content.decode()
    assert "status" not in firm.record().body


def test_deciding_needs_the_right_to_resolve(firm: Firm, browse: Any, olga: Any) -> None:
    assert browse(olga).post(f"/ownership/blocked/{firm.blocked().pk}/accept/", {"reason": "x"}).status_code == 403


def test_the_record_page_says_who_set_each_field_when_and_by_which_transaction(
    firm: Firm, browse: Any, finn: Any
) -> None:
    page = browse(finn).get(firm.record().get_absolute_url()).content.decode()
    first = Transaction.objects.filter(outcome=1, record_id=firm.record().pk, run_id__gt=0).earliest("pk")
    budget = Transaction.objects.get(changed__contains=["budget"])
    assert f"/transactions/{first.pk}/" in page
    assert f"/transactions/{budget.pk}/" in page
    assert "waits for a decision" in page


# API ---------------------------------------------------------------------------------------------------------


def test_rules_are_written_and_put_in_force_over_the_api(firm: Firm, browse: Any, ada: Any) -> None:
    client = browse(ada)
    given = {"slug": "erp-name", "entity": "project", "fields": ["name"], "systems": ["erp"], "to_date": "2030-01-31"}
    made = client.post("/api/v1/ownership-rules/", given, "application/json")
    assert made.status_code == 201, made.content
    assert made.json() == {**made.json(), "status": "draft", "to_date": "2030-01-31"}
    changed = client.put("/api/v1/ownership-rules/erp-name/", {"policy": "revert"}, "application/json")
    assert (changed.status_code, changed.json()["policy"], changed.json()["fields"]) == (200, "revert", ["name"])
    done = client.post("/api/v1/ownership-rules/activate/", {"entity": "project"}, "application/json")
    assert (done.status_code, done.json()["is_applied"]) == (200, True)
    refused = client.put("/api/v1/ownership-rules/erp-name/", {"fields": ["budget"]}, "application/json")
    assert refused.status_code >= 400
    assert "budget: erp-budget and erp-name" in refused.content.decode()
    assert {rule["slug"] for rule in client.get("/api/v1/ownership-rules/?entity=project").json()["results"]} == {
        "crm-rest",
        "erp-budget",
        "erp-name",
    }


def test_stopped_values_are_decided_over_the_api(firm: Firm, browse: Any, finn: Any) -> None:
    client = browse(finn)
    [one] = client.get("/api/v1/blocked-values/?state=open&system=crm").json()["results"]
    assert (one["record"], one["field"], one["offered"], one["kept"]) == ("P-1", "budget", "999.00", "100.00")
    done = client.post(f"/api/v1/blocked-values/{one['id']}/keep/", {"reason": "Right here."}, "application/json")
    assert (done.status_code, done.json()["state"]) == (200, "kept")
