"""A record that a system shows for the first time, and that another system has shown before under another number."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.match_rules import services as match_rules
from governance.models import AuditEntry, MatchRule
from hub.common.errors import ConfigError
from hub.common.registry import kind
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync import engine, services, trouble
from hub.sync.dry_run import dry_run
from hub.sync.duplicates import parting
from hub.sync.duplicates import services as duplicates
from hub.sync.models import (
    Batch,
    Duplicate,
    HeldRecord,
    LinkedKey,
    MatchBlock,
    MatchIndex,
    Merge,
    Run,
    Sync,
    Transaction,
)
from hub.sync.removals import merges
from hub.sync.states import HeldState, Outcome
from tests import memory
from tests.sync import builders as build

pytestmark = pytest.mark.django_db(transaction=True)

CUSTOMER: dict[str, Any] = {
    "type": "object",
    "required": ["code", "name"],
    "properties": {
        "code": {"type": "string", "minLength": 1, "x-key": True},
        "name": {"type": "string"},
        "tax_id": {"type": "string"},
        "postal_code": {"type": "string"},
        "phone": {"type": "string"},
        "parent": {"type": "string", "x-ref": "customer"},
        "budget": {"type": "string", "format": "decimal", "x-money": "currency"},
        "currency": {"type": "string", "x-currency": True},
    },
}
PLAIN = [{"target": name, "source": name} for name in CUSTOMER["properties"]]
TIME = {
    "type": "object",
    "required": ["number", "customer"],
    "properties": {
        "number": {"type": "string", "x-key": True},
        "customer": {"type": "string", "x-ref": "customer"},
    },
}


class Firm:
    """The CRM has customers; the ERP numbers the same ones on its own."""

    def __init__(self) -> None:
        self.entity = build.entity("customer", CUSTOMER)
        self.crm = build.sync("crm-in", "in", build.stream(build.connection("crm"), "accounts"), self.entity, PLAIN)
        self.erp = build.sync("erp-in", "in", build.stream(build.connection("erp"), "debtors"), self.entity, PLAIN)

    def rule(self, slug: str, outcome: str, *fields: dict[str, Any], position: int = 10) -> MatchRule:
        return MatchRule.objects.create(
            slug=slug, entity=self.entity, name=slug, position=position, outcome=outcome, fields=list(fields)
        )

    def by_tax(self, outcome: str = "link") -> MatchRule:
        return self.rule("tax", outcome, {"field": "tax_id", "compare": "normalised", "form": "tax_id"}, position=5)

    def by_name(self, outcome: str = "hold") -> MatchRule:
        return self.rule("name", outcome, {"field": "name", "compare": "fuzzy", "form": "company", "threshold": 85})

    def show(self, sync: Sync, *rows: dict[str, Any]) -> Run:
        stream = sync.stream
        memory.system(stream.connection.slug).sources[stream.name] = list(rows)
        return services.run_here(sync=sync)


@pytest.fixture
def firm(domains: Any) -> Firm:
    made = Firm()
    made.show(made.crm, row("A-1", name="Northgate Logistics Ltd", tax_id="DE123456789"), row("A-2", name="Beta AG"))
    return made


def row(code: str, **values: Any) -> dict[str, Any]:
    return {"id": f"id-{code}", "code": code, "name": code, **values}


def work() -> None:
    while run := Run.objects.filter(status="queued").first():
        engine.execute(run.pk)


def keys() -> list[str]:
    return sorted(CanonicalRecord.objects.filter(deleted_at=None).values_list("key", flat=True))


def known_as(sync: Sync, code: str) -> str:
    return Crosswalk.objects.get(stream=sync.stream, external_id=f"id-{code}").record.key


# Without rules ---------------------------------------------------------------------------------------------
def test_without_active_rules_nothing_is_compared_or_kept(firm: Firm) -> None:
    firm.by_name()
    MatchRule.objects.update(is_active=False)
    firm.show(firm.erp, row("E-1", name="Northgate Logistics"))
    assert keys() == ["A-1", "A-2", "E-1"]
    assert not MatchBlock.objects.exists()
    assert not MatchIndex.objects.exists()


# Linking ---------------------------------------------------------------------------------------------------
def test_a_rule_that_links_makes_one_record_of_two_ids(firm: Firm) -> None:
    firm.by_tax()
    run = firm.show(firm.erp, row("E-1", name="NORTHGATE", tax_id="de 123.456.789", phone="030 1"))
    assert keys() == ["A-1", "A-2"]
    assert known_as(firm.erp, "E-1") == "A-1"
    record = CanonicalRecord.objects.get(key="A-1")
    assert (record.body["code"], record.body["phone"]) == ("A-1", "030 1")
    assert (run.created, run.updated, run.rejected) == (0, 1, 0)
    entry = Transaction.objects.get(sync_id=firm.erp.pk)
    assert (entry.key, entry.error_code, entry.outcome) == ("A-1", "MATCHED", Outcome.UPDATED)


def test_a_later_change_under_the_other_number_keeps_the_key(firm: Firm) -> None:
    firm.by_tax()
    firm.show(firm.erp, row("E-1", tax_id="DE123456789"))
    firm.show(firm.erp, row("E-1", name="Northgate", tax_id="DE123456789"))
    record = CanonicalRecord.objects.get(key="A-1")
    assert (record.body["code"], record.body["name"]) == ("A-1", "Northgate")
    assert keys() == ["A-1", "A-2"]


def test_what_refers_to_the_other_number_means_the_linked_record(firm: Firm, domains: Any) -> None:
    firm.by_tax()
    times = build.sync(
        "times", "in", build.stream(build.connection("clock"), "times"), build.entity("time-entry", TIME),
        [{"target": "number", "source": "id"}, {"target": "customer", "source": "customer"}],
    )  # fmt: skip
    early = firm.show(times, {"id": "T1", "customer": "E-1"})
    assert early.waiting == 1
    firm.show(firm.erp, row("E-1", tax_id="DE123456789"))
    work()
    firm.show(times, {"id": "T2", "customer": "E-1"})
    found = CanonicalRecord.objects.filter(entity__slug="time-entry").order_by("key")
    assert [one.body["customer"] for one in found] == ["A-1", "A-1"]
    assert LinkedKey.objects.get().key == "E-1"


def test_a_child_of_the_same_page_means_the_linked_parent(firm: Firm) -> None:
    firm.by_tax()
    firm.show(firm.erp, row("E-1", tax_id="DE123456789"), row("E-2", name="Its branch", parent="E-1"))
    assert CanonicalRecord.objects.get(key="E-2").body["parent"] == "A-1"


def test_a_child_of_a_held_parent_waits_with_it(firm: Firm) -> None:
    firm.by_name()
    run = firm.show(firm.erp, row("E-1", name="Northgate Logistics"), row("E-2", name="Other", parent="E-1"))
    assert (run.rejected, run.waiting, run.created) == (1, 1, 0)
    duplicates.decide(duplicate=Duplicate.objects.get(), decision="link", reason="Same", by=None)
    work()
    assert CanonicalRecord.objects.get(key="E-2").body["parent"] == "A-1"


def test_two_that_the_rule_means_are_held_instead_of_linked(firm: Firm) -> None:
    firm.show(firm.crm, row("A-2", tax_id="DE123456789"))
    firm.by_tax()
    firm.show(firm.erp, row("E-1", tax_id="DE123456789"))
    assert [one["record"] for one in Duplicate.objects.get().candidates] == sorted(
        CanonicalRecord.objects.values_list("pk", flat=True)
    )


def test_the_second_of_one_system_is_held_and_not_linked_to_the_same_record(firm: Firm) -> None:
    firm.by_tax()
    firm.show(firm.erp, row("E-1", tax_id="DE123456789"), row("E-2", tax_id="DE123456789"))
    assert known_as(firm.erp, "E-1") == "A-1"
    assert Duplicate.objects.get().key == "E-2"


def test_records_of_the_same_system_are_not_compared(firm: Firm) -> None:
    firm.by_name("link")
    firm.show(firm.crm, row("A-3", name="Northgate Logistics"))
    assert keys() == ["A-1", "A-2", "A-3"]


# Holding ---------------------------------------------------------------------------------------------------
def test_a_record_that_may_be_another_is_held_not_created_and_not_lost(firm: Firm) -> None:
    firm.by_name()
    run = firm.show(firm.erp, row("E-1", name="Northgate Logistic GmbH", budget="900.50", currency="EUR"))
    assert (run.rejected, run.created, run.status) == (1, 0, "completed_with_errors")
    held, found = HeldRecord.objects.get(), Duplicate.objects.get()
    assert (held.state, held.error_code, held.body["code"]) == (HeldState.HELD, "POSSIBLE_DUPLICATE", "E-1")
    assert (found.key, found.record.key, found.rule, found.run_id) == ("E-1", "A-1", "name", run.pk)
    assert (found.score, found.amount, found.currency) == (97, 900.5, "EUR")
    assert services.report(run)["possible_duplicates"] == 1
    assert keys() == ["A-1", "A-2"]


def test_the_first_rule_that_agrees_decides(firm: Firm) -> None:
    firm.by_name()
    firm.by_tax()
    firm.show(firm.erp, row("E-1", name="Northgate Logistics", tax_id="DE123456789"))
    assert not Duplicate.objects.exists()


def test_reading_it_again_keeps_one_row_and_its_age(firm: Firm) -> None:
    firm.by_name()
    firm.show(firm.erp, row("E-1", name="Northgate Logistics"))
    before = Duplicate.objects.get()
    firm.show(firm.erp, row("E-1", name="Northgate Logistics Inc"))
    after = Duplicate.objects.get()
    assert (after.pk, after.first_at, after.body["name"]) == (before.pk, before.first_at, "Northgate Logistics Inc")
    assert HeldRecord.objects.count() == 1


def test_without_the_rule_it_passes_when_it_is_read_again(firm: Firm) -> None:
    firm.by_name()
    firm.show(firm.erp, row("E-1", name="Northgate Logistics"))
    MatchRule.objects.update(is_active=False)
    firm.show(firm.erp, row("E-1", name="Northgate Logistics"))
    assert keys() == ["A-1", "A-2", "E-1"]
    assert Duplicate.objects.get().status == "gone"
    assert not HeldRecord.objects.exists()


def test_another_field_makes_other_blocks(firm: Firm) -> None:
    rule = firm.by_name()
    firm.show(firm.erp)
    rule.fields = [{"field": "tax_id", "compare": "exact"}]
    rule.save()
    firm.show(firm.erp, row("E-1", tax_id="DE123456789"))
    assert Duplicate.objects.get().record.key == "A-1"


def test_what_was_stored_after_the_blocks_were_made_is_found_too(firm: Firm) -> None:
    firm.by_name()
    firm.show(firm.crm, row("A-9", name="Gamma Partners"), row("A-2", name="Delta Holding"))
    firm.show(firm.erp, row("E-1", name="Gamma Partner"), row("E-2", name="Delta Holdings"), row("E-3", name="Beta AG"))
    assert sorted(Duplicate.objects.values_list("key", "record__key")) == [("E-1", "A-9"), ("E-2", "A-2")]
    assert "E-3" in keys()


# Deciding --------------------------------------------------------------------------------------------------
@pytest.fixture
def found(firm: Firm) -> Duplicate:
    firm.by_name()
    firm.show(firm.erp, row("E-1", name="Northgate Logistics", phone="030 1"))
    return Duplicate.objects.get()


def test_link_lets_both_systems_keep_one_record(firm: Firm, found: Duplicate, ada: Any) -> None:
    duplicates.decide(duplicate=found, decision="link", reason="The same firm.", by=ada)
    work()
    found.refresh_from_db()
    assert (found.status, found.decided_by) == ("done", ada)
    assert known_as(firm.erp, "E-1") == "A-1"
    record = CanonicalRecord.objects.get(key="A-1")
    assert (record.body["phone"], record.body["code"]) == ("030 1", "A-1")
    assert not HeldRecord.objects.exists()
    entry = AuditEntry.objects.get(act="duplicate.decided")
    assert (entry.name, entry.reason, entry.details["decision"]) == ("customer/E-1", "The same firm.", "link")


def test_new_makes_a_record_of_its_own_and_asks_no_more(firm: Firm, found: Duplicate, ada: Any) -> None:
    duplicates.decide(duplicate=found, decision="new", reason="Another firm.", by=ada)
    work()
    assert keys() == ["A-1", "A-2", "E-1"]
    firm.show(firm.erp, row("E-1", name="Northgate Logistics", phone="030 2"))
    assert CanonicalRecord.objects.get(key="E-1").body["phone"] == "030 2"
    assert Duplicate.objects.get().status == "done"


def test_merge_keeps_the_other_values_and_can_be_undone(firm: Firm, found: Duplicate, ada: Any) -> None:
    duplicates.decide(duplicate=found, decision="merge", reason="Entered twice.", by=ada)
    work()
    assert keys() == ["A-1", "A-2"]
    assert known_as(firm.erp, "E-1") == "A-1"
    assert "phone" not in CanonicalRecord.objects.get(key="A-1").body
    merge = Merge.objects.get()
    assert (merge.loser.key, merge.winner.key, merge.by, merge.reason) == ("E-1", "A-1", ada, "Entered twice.")
    firm.show(firm.erp, row("E-1", name="Northgate Logistics", phone="030 3"))
    assert "phone" not in CanonicalRecord.objects.get(key="A-1").body
    merges.undo(merge=merge, reason="Two after all.", by=ada)
    firm.show(firm.erp, row("E-1", name="Northgate Logistics", phone="030 4"))
    assert keys() == ["A-1", "A-2", "E-1"]
    assert CanonicalRecord.objects.get(key="E-1").body["phone"] == "030 4"


def test_another_record_than_the_best_may_be_chosen(firm: Firm, found: Duplicate, ada: Any) -> None:
    other = CanonicalRecord.objects.get(key="A-2")
    duplicates.decide(duplicate=found, decision="link", record=other, reason="It is Beta.", by=ada)
    work()
    assert known_as(firm.erp, "E-1") == "A-2"


def test_only_the_first_of_two_people_decides(found: Duplicate, ada: Any) -> None:
    duplicates.decide(duplicate=found, decision="new", reason="New.", by=ada)
    with pytest.raises(ConfigError, match="already"):
        duplicates.decide(duplicate=found, decision="link", reason="Same.", by=ada)


def test_a_decision_needs_a_reason_and_a_living_record(firm: Firm, found: Duplicate, ada: Any) -> None:
    with pytest.raises(ConfigError, match="Say why"):
        duplicates.decide(duplicate=found, decision="new", reason=" ", by=ada)
    CanonicalRecord.objects.filter(key="A-1").update(deleted_at="2026-01-01T00:00Z")
    with pytest.raises(ConfigError, match="A-1 is deleted"):
        duplicates.decide(duplicate=found, decision="link", reason="Same.", by=ada)
    assert HeldRecord.objects.get().state == HeldState.HELD


def test_a_discarded_record_is_no_duplicate_any_more(found: Duplicate, ada: Any) -> None:
    trouble.discard_held(held=HeldRecord.objects.get(), reason="Test data.", by=ada)
    found.refresh_from_db()
    assert found.status == "gone"
    with pytest.raises(ConfigError):
        duplicates.decide(duplicate=found, decision="new", reason="New.", by=ada)


def test_a_decision_for_a_record_that_was_merged_meanwhile_means_its_winner(
    firm: Firm, found: Duplicate, ada: Any
) -> None:
    duplicates.decide(duplicate=found, decision="link", reason="Same.", by=ada)
    one, other = CanonicalRecord.objects.get(key="A-1"), CanonicalRecord.objects.get(key="A-2")
    merges.merge(loser=one, winner=other, reason="One firm.", by=ada)
    work()
    assert known_as(firm.erp, "E-1") == "A-2"


def test_what_is_held_for_another_reason_is_no_duplicate_any_more(firm: Firm, found: Duplicate) -> None:
    memory.system("erp").sources["debtors"] = [row("E-1", name=None)]
    services.run_here(sync=firm.erp)
    found.refresh_from_db()
    assert (found.status, HeldRecord.objects.get().state) == ("gone", HeldState.QUARANTINED)


# Whatever happens ------------------------------------------------------------------------------------------
NAMES = ("Northgate Logistics", "Northgate Logistic", "Beta Holding", "Beta Holdings GmbH", "Gamma")
TAX = ("", "DE123456789", "DE987654321")
number = count(1)
steps = st.one_of(
    st.tuples(
        st.sampled_from(["crm", "erp"]),
        st.dictionaries(st.integers(0, 3), st.tuples(st.sampled_from(NAMES), st.sampled_from(TAX)), min_size=1),
    ),
    st.tuples(st.just("decide"), st.sampled_from(["link", "merge", "new"])),
    st.tuples(st.just("discard"), st.none()),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(steps, min_size=2, max_size=8))
def test_a_shown_record_is_either_in_the_hub_or_held_and_never_both(firm: Firm, story: list[Any]) -> None:
    base = next(number)
    if base == 1:
        firm.by_tax()
        firm.by_name()
    shown: dict[str, set[str]] = {"crm": set(), "erp": set()}
    for act, what in story:
        found = Duplicate.objects.filter(status="open").order_by("pk").first()
        if act == "decide" and found is not None:
            duplicates.decide(duplicate=found, decision=what, reason="Said.", by=None)
            work()
        elif act == "discard" and found is not None:
            held = HeldRecord.objects.get(sync=found.sync, external_id=found.external_id)
            trouble.discard_held(held=held, reason="Said.", by=None)
            shown[found.sync.slug.removesuffix("-in")].discard(found.external_id)
        elif act in shown:
            rows = [row(f"{act}-{base}-{n}", name=f"{name} {base}", tax_id=tax) for n, (name, tax) in what.items()]
            firm.show(getattr(firm, act), *rows)
            work()
            shown[act] |= {one["id"] for one in rows}
        for system, ids in shown.items():
            assert_either_or(getattr(firm, system), ids)


def assert_either_or(sync: Sync, shown: set[str]) -> None:
    known = set(
        Crosswalk.objects.filter(stream=sync.stream, external_id__in=shown).values_list("external_id", flat=True)
    )
    held = set(HeldRecord.objects.filter(sync=sync).values_list("external_id", flat=True))
    assert known & held == set()
    assert known | (held & shown) == shown
    assert held == set(Duplicate.objects.filter(sync=sync, status="open").values_list("external_id", flat=True))


def everything() -> dict[str, Any]:
    """What a merge touches, as it stands."""
    return {
        "ids": sorted(Crosswalk.objects.values_list("stream_id", "external_id", "record_id", "merge_id")),
        "records": sorted(
            (one.key, str(one.body), str(one.deleted_at), one.provenance_id) for one in CanonicalRecord.objects.all()
        ),
        "target": {key: dict(value) for key, value in memory.system("bi").targets.get("customers", {}).items()},
    }


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(range(4)), min_size=2, max_size=2, unique=True),
    st.dictionaries(st.integers(0, 3), st.integers(0, 3), max_size=4),
)
def test_a_merge_that_is_undone_leaves_everything_as_it_was(
    firm: Firm, target: Sync, pair: list[int], parents: dict[int, int]
) -> None:
    base = next(number)
    keys = [f"M-{base}-{n}" for n in range(4)]
    rows = [row(key, name=f"Name {key}", phone=f"030 {n}") for n, key in enumerate(keys)]
    for n, parent in parents.items():
        if n != parent:
            rows[n]["parent"] = keys[parent]
    firm.show(firm.crm, *rows)
    work()
    before = everything()
    loser, winner = (CanonicalRecord.objects.get(key=keys[n]) for n in pair)
    merge = merges.merge(loser=loser, winner=winner, reason="One.", by=None)
    work()
    assert everything() != before
    merges.undo(merge=merge, reason="Two.", by=None)
    work()
    assert everything() == before


@pytest.fixture
def target(firm: Firm) -> Sync:
    memory.system("bi").removals = frozenset({"deactivate"})
    stream = build.stream(build.connection("bi"), "customers")
    rules = [{"target": name, "source": name} for name in ("code", "name", "parent")]
    return build.sync("bi-out", "out", stream, firm.entity, rules)


# Tried dry -------------------------------------------------------------------------------------------------
def test_a_dry_run_says_what_would_be_linked_and_what_held(firm: Firm) -> None:
    firm.by_tax()
    firm.by_name()
    firm.show(firm.erp)
    shown = [row("E-1", tax_id="DE123456789"), row("E-2", name="Northgate Logistic"), row("E-3", name="Gamma")]
    memory.system("erp").sources["debtors"] = shown
    found = {one.key: (one.would, one.twin) for one in dry_run(firm.erp, sample=10).rows}
    assert found == {"E-1": ("update", ""), "E-2": ("would_duplicate", "A-1"), "E-3": ("create", "")}
    assert keys() == ["A-1", "A-2"]


# Parted again ----------------------------------------------------------------------------------------------
def test_a_link_is_taken_back_from_what_its_source_showed_last(firm: Firm, ada: Any) -> None:
    firm.by_tax()
    firm.show(firm.erp, row("E-1", tax_id="DE123456789", phone="030 1"))
    firm.show(firm.erp, row("E-1", tax_id="DE123456789", phone="030 2"))
    parting.part(record=CanonicalRecord.objects.get(key="A-1"), key="E-1", reason="Another branch.", by=ada)
    work()
    assert known_as(firm.erp, "E-1") == "E-1"
    assert CanonicalRecord.objects.get(key="E-1").body["phone"] == "030 2"
    assert not LinkedKey.objects.exists()
    assert not HeldRecord.objects.exists()
    assert AuditEntry.objects.get(act="identity.parted").reason == "Another branch."
    firm.show(firm.erp, row("E-1", tax_id="DE123456789", phone="030 3"))
    assert keys() == ["A-1", "A-2", "E-1"]


def test_what_is_not_kept_any_more_is_not_parted(firm: Firm, ada: Any) -> None:
    firm.by_tax()
    firm.show(firm.erp, row("E-1", tax_id="DE123456789"))
    Batch.objects.update(payload=None)
    record = CanonicalRecord.objects.get(key="A-1")
    with pytest.raises(ConfigError, match="not kept any more"):
        parting.part(record=record, key="E-1", reason="Another branch.", by=ada)
    with pytest.raises(ConfigError, match="does not lead to A-1"):
        parting.part(record=record, key="E-9", reason="Another branch.", by=ada)
    assert known_as(firm.erp, "E-1") == "A-1"


def test_a_link_is_parted_on_the_page_of_its_record(firm: Firm, browse: Any, olga: Any) -> None:
    firm.by_tax()
    firm.show(firm.erp, row("E-1", tax_id="DE123456789"))
    client, url = browse(olga), CanonicalRecord.objects.get(key="A-1").get_absolute_url()
    page = client.get(url).content.decode()
    assert "Linked by the match rule &#x27;tax&#x27;, 100 of 100." in page
    part = url.replace("/records/", "/identities/") + "part/?key=E-1"
    assert part in page
    client.post(part, {"reason": "Another branch."})
    work()
    assert keys() == ["A-1", "A-2", "E-1"]


def test_what_came_while_no_rule_was_in_force_is_found_afterwards(firm: Firm, ada: Any) -> None:
    rule = firm.by_name()
    firm.show(firm.erp)
    document = kind("MatchRule").dump(rule.slug)
    assert document is not None
    match_rules.put(document | {"is_active": False}, by=ada)
    firm.show(firm.crm, row("A-9", name="Gamma Partners"))
    match_rules.put(document, by=ada)
    firm.show(firm.erp, row("E-1", name="Gamma Partner"))
    assert Duplicate.objects.get().record.key == "A-9"
