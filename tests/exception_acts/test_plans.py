"""Fix once, plan, retry all: the plan tells what will come, writes nothing, and is good only while what it stands on stands."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from governance.models import AuditEntry
from hub.common.errors import ConfigError, PermanentError
from hub.records.models import CanonicalRecord
from hub.sync.models import Delivery, HeldRecord
from hub.sync.states import DeliveryState
from mappings.models import ValueMap, ValueMapEntry
from mappings.services import activate_rules
from monitoring.exceptions import acts, applying, choosing, fix_payloads, fixes, plans
from monitoring.models import ExceptionItem, PayloadOverride
from tests import memory
from tests.exception_acts import builders as build
from tests.sync import builders as rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stopped(firm: Any) -> Any:
    """Three projects whose status a value map does not know, and one that breaks the contract besides."""
    value_map = ValueMap.objects.create(slug="status", name="Project status")
    value_map.entries.create(source="active", target="active")
    rules = [rule for rule in rows.PROJECT_RULES if rule["target"] != "status"]
    rules.append({"target": "status", "source": "status", "kind": "value_map", "value_map": "status"})
    activate_rules(mapping=firm.inbound.mapping, rules=rules, by=None)
    projects = [rows.project_row(n, status="running") for n in (1, 2, 3)]
    firm.read(*projects, rows.project_row(4, status="running", currency="euro"))
    build.of_held()
    return firm


def everything(user=None):
    return choosing.of({}, user=user)


def fix_of(slug, items, given, *, by):
    fix = fixes.find(slug)
    return fix, fix.cleaned(items, given, by=by)


def plan_of(slug, given, *, by):
    choice = everything(by)
    fix, cleaned = fix_of(slug, plans.looked_at(choice, by=by), given, by=by)
    return plans.make(choice, fix, cleaned, by=by), choice, cleaned


def contents() -> dict[str, Any]:
    """Every row of every table of the hub."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            if not table.startswith(("django_session", "sync_transaction_")):
                cursor.execute(
                    f"select count(*), coalesce(md5(string_agg(t::text, ',' order by t::text)), '') from \"{table}\" t"
                )
                found[table] = cursor.fetchone()
    return found


class TestPlan:
    def test_it_tells_what_the_fix_and_the_retry_would_do(self, stopped, finn):
        plan, _, _ = plan_of("value_map", {"value_0": "active"}, by=finn)
        assert plan.counts == {"create": 3, "update": 0, "skip": 0, "would_duplicate": 0, "reject": 1}
        assert plan.amounts == {"create": 300, "reject": 100}
        assert "euro" in next(line.sentence for line in plan.lines if line.step == "reject")
        assert plan.notes == ["What passes is then delivered by erp-jobs."]

    def test_it_writes_nothing(self, stopped, finn):
        before = contents()
        plan, _, _ = plan_of("value_map", {"value_0": "active"}, by=finn)
        assert plan.counts["create"] == 3
        assert contents() == before

    def test_without_the_fix_all_would_fail_again(self, stopped, finn):
        plan, _, _ = plan_of("retry", {}, by=finn)
        assert plan.counts["reject"] == 4

    def test_a_delivery_is_held_against_what_the_target_holds(self, firm, finn):
        firm.erp.refuse = {f"P-{n:04d}": PermanentError("No such account.") for n in (1, 2, 3)}
        firm.read(*(rows.project_row(n) for n in (1, 2, 3)))
        firm.deliver()
        build.of_deliveries()
        held = {"number": "P-0002", "description": "Old", "amount": "1.00"}
        memory.system("erp").targets["jobs"] = {"P-0002": held, " p-0003": {}, "p-0003": {"number": "p-0003"}}
        plan, _, _ = plan_of("retry", {}, by=finn)
        assert plan.counts == {"create": 1, "update": 1, "skip": 0, "would_duplicate": 1, "reject": 0}

    def test_what_may_have_arrived_would_duplicate(self, firm, finn):
        firm.lose_one()
        build.of_deliveries()
        plan, _, _ = plan_of("retry", {}, by=finn)
        assert plan.counts["would_duplicate"] == 1
        assert not plan.is_safe

    def test_what_has_nothing_behind_it_is_skipped_and_says_so(self, finn, domains):
        build.item()
        plan, _, _ = plan_of("retry", {}, by=finn)
        assert (plan.counts["skip"], plan.lines[0].sentence) == (1, plans.NOTHING)
        assert plan.would_pass == 0

    def test_what_is_on_its_way_is_skipped(self, firm, finn):
        firm.kill_one()
        build.of_deliveries()
        Delivery.objects.update(state=DeliveryState.PENDING, attempts=0)
        plan, _, _ = plan_of("retry", {}, by=finn)
        assert plan.lines[0].sentence == plans.ON_ITS_WAY

    def test_what_has_no_rate_is_told_apart_and_never_added_as_nothing(self, stopped, finn):
        ExceptionItem.objects.update(amount_firm=None)
        plan, _, _ = plan_of("value_map", {"value_0": "active"}, by=finn)
        assert plan.unconverted == {"create": 3, "reject": 1}

    def test_beyond_the_dearest_it_says_how_many_were_not_tried(self, stopped, finn, monkeypatch):
        monkeypatch.setattr(plans, "TRIED", 2)
        plan, _, _ = plan_of("value_map", {"value_0": "active"}, by=finn)
        assert (plan.number, len(plan.lines), plan.untried) == (4, 2, 2)


class TestApply:
    def go(self, slug, given, *, by, **more):
        plan, choice, cleaned = plan_of(slug, given, by=by)
        return applying.go(choice, slug, cleaned, by=by, mark=more.pop("mark", plan.mark), **more)

    def test_one_entry_clears_all_that_it_stopped(self, stopped, finn):
        job, made = self.go("value_map", {"value_0": "active"}, by=finn)
        assert made
        assert build.finish(job) == {"done": 3, "failed": 1}
        assert ValueMapEntry.objects.filter(source="running", target="active").count() == 1
        assert CanonicalRecord.objects.count() == 3
        assert AuditEntry.objects.filter(act="exception.fixed").count() == 1
        assert sorted(ExceptionItem.objects.values_list("state", flat=True)) == ["open", *["resolved"] * 3]

    def test_a_second_click_is_the_same_job_and_fixes_nothing_twice(self, stopped, finn):
        plan, choice, cleaned = plan_of("value_map", {"value_0": "active"}, by=finn)
        first = applying.go(choice, "value_map", cleaned, by=finn, mark=plan.mark, token="t-1")
        assert applying.go(choice, "value_map", cleaned, by=finn, mark=plan.mark, token="t-1") == (first[0], False)
        assert ValueMapEntry.objects.filter(source="running").count() == 1

    @pytest.mark.parametrize(
        "change",
        [
            lambda firm: ValueMap.objects.update(revision=9),
            lambda firm: HeldRecord.objects.filter(external_id="1").update(transaction_id=99),
            lambda firm: ExceptionItem.objects.filter(external_id="1").update(state="resolved"),
            lambda firm: activate_rules(mapping=firm.inbound.mapping, rules=rows.PROJECT_RULES[:3], by=None),
        ],
        ids=["the map", "a record", "an item", "the mapping"],
    )
    def test_a_plan_whose_base_has_changed_is_made_again(self, stopped, finn, change):
        plan, choice, cleaned = plan_of("value_map", {"value_0": "active"}, by=finn)
        change(stopped)
        with pytest.raises(ConfigError) as told:
            applying.go(choice, "value_map", cleaned, by=finn, mark=plan.mark)
        assert told.value.code == "CHANGED_MEANWHILE"
        assert not ValueMapEntry.objects.filter(source="running").exists()

    def test_a_comment_does_not_make_a_plan_old(self, stopped, finn, ada):
        plan, choice, cleaned = plan_of("value_map", {"value_0": "active"}, by=finn)
        acts.comment(item=ExceptionItem.objects.first(), text="Go on.", by=ada)
        assert applying.go(choice, "value_map", cleaned, by=finn, mark=plan.mark)[1]


class TestValueMap:
    def test_it_is_offered_with_what_the_map_knows_already(self, stopped, finn):
        offer = fixes.offers(plans.looked_at(everything(), by=finn), by=finn)[0]
        assert offer.fix == "value_map"
        assert offer.inputs[0].label == "running becomes"
        assert offer.inputs[0].suggestions == ("active",)

    def test_who_may_not_change_the_map_is_shown_the_way(self, stopped, olga):
        offer = fixes.offers(list(ExceptionItem.objects.all()), by=olga)[0]
        assert (offer.inputs, offer.url) == ((), "/mappings/value-maps/status/")

    def test_dates_bound_the_entry(self, stopped, finn):
        TestApply().go("value_map", {"value_0": "active", "valid_from": "2026-11-01"}, by=finn)
        assert str(ValueMapEntry.objects.get(source="running").valid_from) == "2026-11-01"

    def test_nothing_is_tried_without_a_value(self, stopped, finn):
        with pytest.raises(ConfigError, match="running becomes is missing"):
            plan_of("value_map", {"value_0": " "}, by=finn)


class TestEdit:
    @pytest.fixture
    def one(self, firm, domains):
        firm.hold_one()
        HeldRecord.objects.update(body=rows.project_row(2, status="somewhere"), field="status")
        return build.of_held()[0]

    def edit(self, by, **changes):
        given = {f"field_{path}": value for path, value in changes.items()}
        item = ExceptionItem.objects.get()
        shown = fixes.find("edit").offer([item], by=by)
        usual = {one.name: one.value for one in shown.inputs}
        return TestApply().go("edit", {**usual, **given, "why": "As the client said."}, by=by)

    def test_only_what_is_neither_key_nor_money_is_offered(self, one, finn):
        offer = fixes.find("edit").offer([one], by=finn)
        assert [each.name for each in offer.inputs] == ["field_title", "field_status", "why"]

    def test_money_is_corrected_by_those_who_keep_contracts(self, one, ada):
        names = {each.name for each in fixes.find("edit").offer([one], by=ada).inputs}
        assert {"field_budget", "field_currency"} <= names
        assert "field_code" not in names

    def test_it_is_used_once_and_stands_in_the_report_with_before_and_after(self, one, finn):
        job, _ = self.edit(finn, status="active")
        assert build.finish(job) == {"done": 1}
        override = PayloadOverride.objects.get()
        assert (override.state, override.changes, override.by) == ("used", {"status": ["somewhere", "active"]}, finn)
        event = one.events.get(act="edited")
        assert (event.before, event.after) == ({"status": "somewhere"}, {"status": "active"})

    def test_what_would_still_be_rejected_is_not_applied(self, one, finn):
        with pytest.raises(ConfigError):
            self.edit(finn, status="elsewhere")
        item = ExceptionItem.objects.get()
        fix = fixes.find("edit")
        given = {"changes": {"status": "elsewhere"}, "why": "So."}
        mark = plans.mark_of(everything(), fix, given, by=finn)
        with pytest.raises(ConfigError, match="still be rejected"):
            applying.go(everything(), "edit", given, by=finn, mark=mark)
        assert not PayloadOverride.objects.exists()
        assert HeldRecord.objects.get(external_id=item.external_id).body["status"] == "somewhere"

    def test_what_is_not_offered_is_not_taken(self, one, finn):
        given = {"changes": {"budget": "1.00"}, "why": "So."}
        with pytest.raises(ConfigError, match="may not be corrected"):
            fixes.find("edit").apply([one], given, by=finn)

    def test_one_that_nobody_has_used_ends_and_the_record_says_again_what_its_source_said(self, one, finn):
        fix_payloads.correct(one, {"status": "active"}, "So.", finn)
        PayloadOverride.objects.update(expires_at="2020-01-01T00:00:00Z")
        assert fix_payloads.expire() == 1
        assert HeldRecord.objects.get().body["status"] == "somewhere"
        assert PayloadOverride.objects.get().state == "expired"


def test_what_another_system_owns_is_a_link_there(firm, finn):
    firm.hold_one()
    stream = firm.inbound.mapping.stream
    stream.options = {"record_url": "https://psa.example/projects/{id}"}
    stream.save()
    (item,) = build.of_held()
    offer = fixes.find("owner").offer([item], by=finn)
    assert offer.url == "https://psa.example/projects/2"
    assert "psa" in offer.sentence
