"""Billing rules as they are kept: versions that never change, refusals that name rows, pages, the audit, and files."""

from __future__ import annotations

import copy

import pytest
from django.db import InternalError, connection, transaction
from django.db.utils import DatabaseError

from governance.billing.deciding import decide
from governance.billing.grid import grid_of
from governance.billing.queries import active_table
from governance.billing.services import activate, save_draft
from governance.billing.starters import MILESTONE, THRESHOLD
from governance.models import AuditEntry, BillingRule, BillingRuleVersion
from hub.common.errors import ConfigError
from hub.config import documents
from hub.config import services as config

pytestmark = pytest.mark.django_db


@pytest.fixture
def rule(domains):
    activate(document(), by=None)
    return BillingRule.objects.get()


def document(table=MILESTONE, **changes):
    return {
        "slug": "milestones",
        "name": "Milestones",
        "purpose": "milestone",
        "domain": "billing-gl",
        "table": table,
        **changes,
    }


def changed(row=2, **cells):
    table = copy.deepcopy(MILESTONE)
    table["rows"][row]["when"] |= cells
    return table


BIGGER = changed(2, amount="< 60000")
BIGGER["rows"][3]["when"]["amount"] = ">= 60000"


def states(rule):
    return list(rule.versions.order_by("number").values_list("number", "status"))


def test_an_edit_is_a_new_version_and_the_old_one_stays(rule, ada):
    activate(document(BIGGER), by=ada, note="New limit")
    assert states(rule) == [(1, "retired"), (2, "active")]
    assert rule.versions.get(number=1).table == MILESTONE
    entry = AuditEntry.objects.get(act="billing_rule.saved", actor_id=ada.pk)
    assert (entry.name, entry.reason, entry.domain) == ("milestones", "New limit", "billing-gl")


def test_saving_what_stands_there_makes_no_version(rule, ada):
    activate(document(), by=ada)
    assert states(rule) == [(1, "active")]


def test_a_table_with_an_overlap_or_a_gap_is_refused_with_its_rows(rule, ada):
    with pytest.raises(ConfigError, match=r"Row 3 .* and row 4 .* both match, for example .*milestone amount"):
        activate(document(changed(2, amount="<= 50000")), by=ada)
    with pytest.raises(ConfigError, match=r"No row matches .*milestone amount 49999; the nearest is row 3"):
        activate(document(changed(2, amount="< 49999")), by=ada)
    assert states(rule) == [(1, "active")]


def test_a_draft_may_have_faults_and_decides_nothing(rule, ada):
    version = save_draft(document(changed(2, amount="<= 50000")), by=ada, note="Trying")
    assert states(rule) == [(1, "active"), (2, "draft")]
    assert active_table("milestones").as_data() == MILESTONE
    assert AuditEntry.objects.filter(act="billing_rule.drafted", details__version=version.number).exists()


def test_a_draft_that_is_activated_is_that_version(rule, ada):
    save_draft(document(BIGGER), by=ada)
    activate(document(BIGGER), by=ada)
    assert states(rule) == [(1, "retired"), (2, "active")]


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(rule, ada):
    activate(document(BIGGER), by=ada, seen=1)
    with pytest.raises(ConfigError, match="version 2 is the newest now, you saw version 1"):
        activate(document(), by=ada, seen=1)


@pytest.mark.parametrize(
    "sql",
    [
        """update governance_billingruleversion set "table" = '{}'""",
        "update governance_billingruleversion set note = 'x'",
        "update governance_billingruleversion set number = 9",
        "delete from governance_billingruleversion",
    ],
)
def test_the_database_itself_keeps_a_version_as_it_is(rule, sql):
    with (
        pytest.raises((InternalError, DatabaseError), match="cannot be"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
    assert BillingRuleVersion.objects.get().table == MILESTONE


def test_export_then_plan_is_empty_and_another_hub_gets_the_same_table(rule, tmp_path):
    documents.write(tmp_path, config.export())
    assert config.plan(tmp_path).steps == []
    exported = next(d for d in config.export() if d["kind"] == "BillingRule")
    config.apply(documents.from_data([{**exported, "slug": "copy"}]))
    assert active_table("copy").as_data() == MILESTONE


def test_a_rule_of_drafts_alone_goes_through_files_as_well(domains, ada, tmp_path):
    save_draft(document(), by=ada)
    documents.write(tmp_path, config.export())
    assert config.plan(tmp_path).steps == []


def test_the_active_table_decides(rule):
    found = decide(
        active_table("milestones"), {"status": "accepted", "needs_acceptance": True, "amount": "5", "currency": "EUR"}
    )
    assert str(found.result["bill"]) == "5.00"


# Pages ------------------------------------------------------------------------------------------------------
def form(table=MILESTONE, **changes):
    """What the browser sends for a table."""
    grid = grid_of(table)
    data = {"hit_policy": grid.policy, **{f"{name}-count": number for name, number in grid.counts}}
    for side, at, column in grid.columns:
        data |= {f"{side}-{at}-{name}": value for name, value in column.items()}
    for line in grid.lines:
        data |= {cell.name: cell.value for cell in (*line.when, *line.then, line.note)}
    data |= {cell.name: cell.value for cell in grid.otherwise_cells}
    head = {"name": "Milestones", "slug": "", "purpose": "milestone", "domain": "billing-gl"}
    return {**data, **head, "do": "activate", **changes}


def text(response):
    return " ".join(response.content.decode().split())


def test_a_rule_is_made_by_form_and_read_back_the_same(domains, finn, browse):
    answer = browse(finn).post("/billing-rules/new/", form(THRESHOLD, purpose="threshold"))
    assert answer["Location"] == "/billing-rules/milestones/"
    assert active_table("milestones").as_data() == THRESHOLD
    page = text(browse(finn).get(answer["Location"]))
    assert "Threshold reached" in page
    assert "Version 1" in page


def test_the_form_refuses_to_activate_and_keeps_what_was_typed(rule, finn, browse):
    answer = browse(finn).post("/billing-rules/milestones/edit/", form(changed(2, amount="<= 50000")))
    assert answer.status_code == 422
    page = text(answer)
    assert "both match" in page
    assert 'value="&lt;= 50000"' in page
    kept = browse(finn).post("/billing-rules/milestones/edit/", form(changed(2, amount="<= 50000"), do="draft"))
    assert kept["Location"] == "/billing-rules/milestones/?version=2"
    assert "It cannot be activated like this." in text(browse(finn).get(kept["Location"]))


@pytest.mark.parametrize(
    ("do", "words"),
    [
        ("add-row", "Row 6, note"),
        ("add-in", "Name of column in 5"),
        ("drop-out-1", "Row 1, then Action"),
        ("up-row-1", "Row 5, note"),
    ],
)
def test_buttons_redraw_the_table_without_a_script(rule, finn, browse, do, words):
    page = text(browse(finn).post("/billing-rules/milestones/edit/", form(do=do)))
    assert words in page
    assert states(rule) == [(1, "active")]


def test_a_row_moves_with_its_cells(rule, finn, browse):
    page = text(browse(finn).post("/billing-rules/milestones/edit/", form(do="up-row-1")))
    assert page.index("Done, nobody has to accept") < page.index("Not done yet")


def test_an_example_is_tried_on_the_page_and_on_the_form(rule, finn, browse):
    case = {"try-status": "completed", "try-needs_acceptance": "yes", "try-amount": "1000", "try-currency": "EUR"}
    page = text(browse(finn).get("/billing-rules/milestones/", case))
    assert "Decided" in page
    assert "800.00" in page
    page = text(browse(finn).post("/billing-rules/milestones/edit/", form(do="try", **case)))
    assert "800.00" in page
    page = text(browse(finn).get("/billing-rules/milestones/", {**case, "try-amount": "much"}))
    assert "is not a number" in page


def test_who_may_not_edit_reads_and_nobody_reads_another_domain(rule, grace, make_person, browse):
    assert browse(grace).get("/billing-rules/milestones/").status_code == 200
    assert browse(grace).post("/billing-rules/milestones/edit/", form()).status_code == 403
    other = make_person("Otto", ("finance", "project-wbs"))
    assert browse(other).get("/billing-rules/milestones/").status_code == 404


def test_an_old_version_is_brought_back_as_a_new_one(rule, finn, browse):
    activate(document(BIGGER), by=None)
    page = text(browse(finn).get("/billing-rules/milestones/?version=1"))
    assert "Bring this version back" in page
    assert 'value="&lt; 50000"' in text(browse(finn).get("/billing-rules/milestones/edit/?version=1"))
    browse(finn).post("/billing-rules/milestones/edit/?version=1", form(seen="2"))
    assert states(rule) == [(1, "retired"), (2, "retired"), (3, "active")]


def test_the_list_in_each_of_its_states(domains, finn, browse):
    assert "No billing rules yet" in text(browse(finn).get("/billing-rules/"))
    activate(document(), by=None)
    assert "Version 1" in text(browse(finn).get("/billing-rules/"))
    assert "No billing rule matches" in text(browse(finn).get("/billing-rules/?purpose=rate"))
    assert b"milestones" in b"".join(browse(finn).get("/billing-rules.csv").streaming_content)


def test_every_starter_opens(domains, finn, browse):
    for start in ("milestone", "threshold", "rate", "", "nothing"):
        assert browse(finn).get(f"/billing-rules/new/?start={start}").status_code == 200
