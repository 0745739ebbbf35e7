"""What proposed rules would have stopped: past payloads are replayed, nothing is written."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from governance.ownership.proposals import row_of
from hub.records.models import CanonicalRecord
from hub.sync.models import Batch, BlockedValue, Transaction
from hub.sync.ownership import whatif
from tests.ownership import builders as build
from tests.ownership.builders import Firm, row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains: Any) -> Firm:
    return build.firm()


def history(firm: Firm) -> None:
    """Two systems that contradict each other about names and budgets."""
    firm.read("crm", row(1, name="Alpha", budget="100.00", currency="EUR"), row(2, name="Beta", budget="7.00"))
    firm.read("erp", row(1, name="ALPHA", budget="250.00", secret="x"), row(2, name="Beta"))
    firm.read("crm", row(1, name="Alpha", budget="100.00", currency="EUR"), row(2, name="Beta two", budget="7.00"))
    firm.read("erp", row(1, name="ALPHA", budget="300.00", secret="y"), row(2, name="Beta"))


def told(firm: Firm, *documents: dict[str, Any], **options: Any) -> dict[str, Any]:
    [found] = whatif.forecast_documents(documents, **options)
    return found.as_data()


def updates(found: dict[str, Any]) -> dict[tuple[str, str, str], int]:
    return {(one["rule"], one["field"], one["system"]): one["updates"] for one in found["fields"]}


def test_past_updates_of_other_systems_are_counted_by_rule_and_field(firm: Firm) -> None:
    history(firm)
    budget = build.document("erp-budget", "erp", fields=["budget"], policy="revert")
    found = told(firm, build.document("crm-rest", "crm"), budget)
    assert updates(found) == {
        ("crm-rest", "name", "erp"): 1,
        ("crm-rest", "secret", "erp"): 2,
        ("erp-budget", "budget", "crm"): 2,
    }
    assert (found["blocked"], found["reverted"], found["records"]) == (3, 2, 2)
    assert found["problems"] == []


def test_examples_say_what_was_offered_and_what_would_have_stayed(firm: Firm) -> None:
    history(firm)
    found = told(firm, build.document("crm-rest", "crm"))
    by_field = {one["field"]: one for one in found["fields"]}
    assert [(e["key"], e["offered"], e["kept"]) for e in by_field["name"]["examples"]] == [
        ("P-1", "ALPHA", "Alpha"),
    ]
    assert by_field["secret"]["examples"][0]["offered"] == "•••••"
    assert by_field["budget"]["amounts"] == {"EUR": "100.00"}
    assert found["amounts"] == {"EUR": "100.00"}


def test_a_value_that_was_there_before_is_known_as_far_as_the_ledger_tells(firm: Firm) -> None:
    history(firm)
    Transaction.objects.filter(outcome=1).update(at="2020-01-01T00:00:00Z")
    Batch.objects.filter(pk=Batch.objects.order_by("pk").values("pk")[:1]).update(at="2020-01-01T00:00:00Z")
    found = told(firm, build.document("crm-rest", "crm"))
    names = next(one for one in found["fields"] if one["field"] == "name")
    assert [(e["key"], e["kept"], e["kept_is_known"]) for e in names["examples"]] == [
        ("P-1", None, False),
    ]


def test_what_is_proposed_stands_beside_the_rules_in_force(firm: Firm) -> None:
    history(firm)
    build.active(firm.entity, build.document("crm-rest", "crm"))
    names = build.document("erp-names", "erp", fields=["name"], from_date="2030-01-01")
    found = told(firm, names)
    assert updates(found)[("erp-names", "name", "crm")] == 3
    assert updates(found)[("crm-rest", "budget", "erp")] == 2
    assert found["set_aside"] == []
    other = told(firm, build.document("erp-rest", "erp"))
    assert other["set_aside"] == ["crm-rest"]
    assert {one["rule"] for one in other["fields"]} == {"erp-rest"}


def test_an_incomplete_proposal_is_replayed_and_its_gaps_are_said(firm: Firm) -> None:
    history(firm)
    found = told(firm, build.document("erp-name", "erp", fields=["name"]))
    assert found["problems"][0] == "budget: no rule says who owns it."
    assert set(updates(found)) == {("erp-name", "name", "crm")}


def test_nothing_is_written(firm: Firm) -> None:
    history(firm)
    before = list(CanonicalRecord.objects.order_by("pk").values()), Transaction.objects.count()
    told(firm, build.document("crm-rest", "crm"))
    assert (list(CanonicalRecord.objects.order_by("pk").values()), Transaction.objects.count()) == before
    assert not BlockedValue.objects.exists()


def test_time_that_is_up_is_said(firm: Firm) -> None:
    history(firm)
    [found] = whatif.forecast([row_of(build.document("crm-rest", "crm"))], seconds=1e-9)
    assert (found.replay.is_complete, found.replay.pages) == (False, 0)


def test_the_replay_stops_what_the_engine_stops(firm: Firm) -> None:
    """The same traffic under the same rules: what the replay foretells is what is stopped."""
    build.active(firm.entity, build.document("crm-rest", "crm"), build.document("erp-b", "erp", fields=["budget"]))
    history(firm)
    found = told(firm, build.document("crm-rest", "crm"))
    stopped = {(row.rule, row.field, row.system.slug) for row in BlockedValue.objects.select_related("system")}
    assert set(updates(found)) == stopped


# Command and page --------------------------------------------------------------------------------------------


def run(path: Path, *options: str) -> tuple[int, Any]:
    out = StringIO()
    try:
        call_command("whatif", str(path), *options, stdout=out, stderr=StringIO())
    except SystemExit as error:
        return int(str(error.code)), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_the_command_answers_with_one_document(firm: Firm, tmp_path: Path, form: str) -> None:
    history(firm)
    given = [build.document("crm-rest", "crm"), build.document("erp-b", "erp", fields=["budget"], policy="revert")]
    path = tmp_path / f"rules.{form}"
    path.write_text(json.dumps(given) if form == "json" else yaml.safe_dump_all(given))
    code, found = run(path, "--days", "30", "--json")
    assert (code, found["days"], found["blocked"], found["reverted"]) == (0, 30, 3, 2)
    assert found["amounts"] == {"EUR": "100.00"}
    assert found["entities"][0]["rules"][0].keys() == {"rule", "blocked", "reverted", "records", "amounts"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: System\nslug: a\nname: A", "System is no rule"),
        ("kind: OwnershipRule\nslug: a\nentity: nothing", "no entity 'nothing'"),
        ("kind: OwnershipRule\nslug: a\nentity: project\nsystems: [nowhere]", "no system 'nowhere'"),
        ("kind: OwnershipRule\nslug: [", "not YAML"),
    ],
)
def test_a_file_that_makes_no_sense_ends_with_a_sentence(firm: Firm, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    code, found = run(path, "--json")
    assert code == 1
    assert words in found["error"]


def test_the_form_is_tried_before_it_is_saved(firm: Firm, browse: Any, ada: Any) -> None:
    history(firm)
    given = {"decide": "owner", "system_0": "crm", "policy": "ignore"}
    page = browse(ada).post("/ownership/entity/project/whatif/", given).content.decode()
    assert "ALPHA" in page
    assert "not known" not in page
    build.draft("crm-rest", "crm")
    assert "ALPHA" in browse(ada).post("/ownership/entity/project/whatif/?drafts=1").content.decode()
