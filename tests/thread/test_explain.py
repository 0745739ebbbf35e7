"""Where a record comes from: payloads without masked values, versions with their approvers, edits, and a hash over it all."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.http import Http404

from governance.models import AuditEntry, ChangeEdit, ChangeItem, ChangeRequest, Review
from governance.services import activate_schema
from hub.common.times import set_business_clock
from hub.records.models import CanonicalRecord
from hub.sync import ledger
from hub.sync.models import Batch, BlockedValue
from mappings.models import MappingVersion
from monitoring.models import ExceptionEvent, ExceptionGroup, ExceptionItem
from monitoring.thread.explaining import content_hash, explain
from tests.thread.builders import MODEL, Engagement

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def world(domains):
    set_business_clock(NOW)
    return Engagement()


@pytest.fixture
def invoice(world):
    """An invoice that the ERP sent with a bank account, read with the first version of its mapping."""
    world.won(NOW - 60 * DAY)
    made = world.record(
        "invoice", "INV-1", NOW, project="P-1", customer="C-1", status="issued", amount="900.00", currency="GBP"
    )
    sync = world.syncs["erp-invoice"]
    version = MappingVersion.objects.get(mapping=sync.mapping)
    contract = world.entities["invoice"].contract.versions.get(status="active")
    batch = Batch.objects.create(
        run_id=0, sync_id=sync.pk, page_no=1, at=NOW, mapping_version_id=version.pk, contract_version_id=contract.pk,
        payload=ledger.pack([b'{"number":"INV-1","total":"900.00","iban":"GB29"}']),
    )  # fmt: skip
    world.ledger(sync, made, NOW, batch_id=batch.pk)
    return made


def approved(kind, key, at, reviewer, author=None):
    change = ChangeRequest.objects.create(title="Map the invoice", author=author)
    ChangeItem.objects.create(change=change, kind=kind, key=key, proposed={"kind": kind})
    change.refresh_from_db()
    ChangeEdit.objects.create(change=change, by=author, content_hash=change.content_hash)
    Review.objects.create(
        change=change, reviewer=reviewer, decision="approve", content_hash=change.content_hash, comment="Checked."
    )
    for state in ("approved", "applied"):
        ChangeRequest.objects.filter(pk=change.pk).update(state=state)
    ChangeRequest.objects.filter(pk=change.pk).update(applied_at=at)
    return change


def test_it_leads_back_to_the_source_without_what_is_masked(world, invoice):
    pack = explain(None, "invoice", "INV-1")
    (step,) = pack["steps"]
    assert step["payload"] == {"number": "INV-1", "total": "900.00", "iban": "•••••"}
    assert step["masked_paths"] == ["iban"]
    assert (step["direction"], step["system"], step["outcome"]) == ("in", "erp", "Created")
    assert "GB29" not in json.dumps(pack)


def test_classified_fields_stay_masked(world, invoice):
    schema = {
        "type": "object",
        "properties": {**MODEL["invoice"][1], "status": {"type": ["string", "null"], "x-classification": "restricted"}},
    }
    activate_schema(contract=world.entities["invoice"].contract, schema=schema, by=None)
    (field,) = [field for field in explain(None, "invoice", "INV-1")["fields"] if field["field"] == "status"]
    assert (field["value"], field["is_masked"]) == ("•••••", True)


def test_versions_name_who_approved_them(world, invoice, ada, grace):
    version = MappingVersion.objects.get(mapping=world.syncs["erp-invoice"].mapping)
    change = approved("Mapping", version.mapping.slug, version.activated_at, grace, author=ada)
    found = {(one["kind"], one["name"]): one for one in explain(None, "invoice", "INV-1")["versions"]}
    mapping = found["Mapping", "erp-invoice"]
    assert (mapping["version"], mapping["change"], mapping["author"]) == (1, change.pk, "Ada")
    assert [(one["name"], one["comment"]) for one in mapping["approved_by"]] == [("Grace", "Checked.")]
    assert found["Contract", "invoice"]["approved_by"] == []


def test_a_version_without_a_review_names_who_put_it_in_force(world, invoice, ada):
    AuditEntry.objects.create(
        act="mapping.saved", kind="Mapping", name="erp-invoice", actor="Ada", actor_id=ada.pk, at=NOW - 365 * DAY
    )
    found = {(one["kind"], one["name"]): one for one in explain(None, "invoice", "INV-1")["versions"]}
    assert found["Mapping", "erp-invoice"]["put_in_force_by"] == "Ada"


def test_edits_of_people_are_told_in_order(world, invoice, ada, finn):
    group = ExceptionGroup.objects.create(fingerprint="x", cause="rate", title="No rate", first_at=NOW, last_at=NOW)
    item = ExceptionItem.objects.create(
        origin="held", origin_key="x", group=group, kind="business", cause="rate", title="No rate: INV-1", record_id=invoice.pk,
        opened_at=NOW, seen_at=NOW,
    )  # fmt: skip
    ExceptionEvent.objects.create(
        item=item, at=NOW - HOUR, by=finn, act="edited", text="Typo", before={"net": "1"}, after={"net": "2"}
    )
    BlockedValue.objects.create(
        entity=invoice.entity, record=invoice, field="status", system=world.connections["erp"].system, rule="r",
        policy="review", state=BlockedValue.State.ACCEPTED, sync_id=1, run_id=1, transaction_id=1, external_id="INV-1",
        first_at=NOW, last_at=NOW, decided_by=ada, decided_at=NOW - 2 * HOUR, reason="The ERP is right.",
    )  # fmt: skip
    told = [(one["by"], one["fields"], one["reason"]) for one in explain(None, "invoice", "INV-1")["edits"]]
    assert told == [("Ada", ["status"], "The ERP is right."), ("Finn", ["net"], "Typo")]


def test_the_work_behind_an_invoice_adds_up(world, invoice):
    for number in range(3):
        world.time(f"T-{number}", NOW - DAY, invoice="INV-1", amount="300.00")
    world.time("T-OTHER", NOW - DAY, invoice="INV-2")
    part = next(one for one in explain(None, "invoice", "INV-1")["behind"] if one["entity"] == "time_entry")
    assert (part["count"], part["keys"], part["amounts"]) == (3, ["T-0", "T-1", "T-2"], {"GBP": "900.0000"})


def test_what_lies_in_other_domains_is_counted_and_not_shown(world, invoice, make_person):
    world.time("T-SECRET", NOW - DAY, invoice="INV-1")
    pack = explain(make_person("Fay", ("finance", "billing-gl")), "invoice", "INV-1")
    assert "T-SECRET" not in json.dumps(pack)
    assert [one["is_hidden"] for one in pack["behind"]] == [True, True, True]
    with pytest.raises(Http404):
        explain(make_person("Tim", ("viewer", "time-expense")), "invoice", "INV-1")


def test_the_hash_is_over_all_of_it(world, invoice):
    pack = json.loads(json.dumps(explain(None, "invoice", "INV-1")))
    assert content_hash(pack) == pack["content_sha256"]
    pack["steps"][0]["payload"]["total"] = "901.00"
    assert content_hash(pack) != pack["content_sha256"]


def test_taking_it_is_kept_with_its_hash(world, invoice, ada, browse):
    client = browse(ada)
    page = client.get("/thread/explain/invoice/INV-1/").content.decode()
    assert "Who set this value" in page
    taken = json.loads(client.get("/thread/evidence/invoice/INV-1.json").content)
    entry = AuditEntry.objects.get(act="evidence.taken")
    assert entry.details == {"content_sha256": taken["content_sha256"]}
    printed = client.get("/thread/evidence/invoice/INV-1.html").content.decode()
    assert "Evidence for INV-1" in printed
    assert client.get("/thread/evidence/invoice/INV-1.pdf").status_code == 404
    assert client.get("/api/v1/threads/explain/invoice/INV-1/").json()["record"]["key"] == "INV-1"


def test_the_commands_answer_with_one_document(world, invoice, capsys):
    call_command("explain", "invoice", "INV-1", "--json")
    assert json.loads(capsys.readouterr().out)["record"]["key"] == "INV-1"
    with pytest.raises(SystemExit) as stopped:
        call_command("explain", "invoice", "NOPE", "--json")
    assert (stopped.value.code, "error" in json.loads(capsys.readouterr().out)) == (1, True)
    with pytest.raises(SystemExit) as stopped:
        call_command("thread", "crm:OPP-1", "--json")
    found = json.loads(capsys.readouterr().out)
    assert (stopped.value.code, found["key"]) == (2, "P-1")


def test_a_removed_record_is_explained_as_well(world, invoice):
    CanonicalRecord.objects.filter(pk=invoice.pk).update(deleted_at=NOW)
    assert explain(None, "invoice", "INV-1")["record"]["removed_at"] == "2026-11-20T12:00:00Z"
