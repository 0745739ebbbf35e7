"""Match rules: when two records agree, that no agreeing pair is missed, and keeping a rule."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical_model import shipped_documents
from governance.match_rules import services
from governance.match_rules.queries import active_rules
from governance.matching import normal, rules
from governance.matching.rules import Comparison, Rule, blocks_of
from governance.models import AuditEntry, Entity, MatchRule
from governance.services import activate_schema, create_entity
from hub.common.errors import ConfigError
from hub.common.registry import kind

TAX = Rule("tax", "Same tax number", (Comparison("tax_id", form="tax_id"),), "link")
NAME = Rule(
    "name",
    "Alike name in one place",
    (Comparison("name", "fuzzy", "company", 85), Comparison("postal_code", form="key")),
    "hold",
)
BOTH = (TAX, NAME)

texts = st.text(max_size=30) | st.sampled_from(["Acme GmbH", "b se a", "ACME", "Ⓐcme ℡", "www.www.x.de", "0 0", "ß"])
words = st.sampled_from(["Northgate", "Logistics", "Nord", "gate", "Ltd", "GmbH", "SE", "Co", "2", "é", "Phase 1"])
names = st.lists(words, min_size=1, max_size=4).map(" ".join)
bodies = st.fixed_dictionaries(
    {}, optional={"name": names, "postal_code": st.sampled_from(["10115", "010115", ""]), "tax_id": texts}
)


@given(st.sampled_from(sorted(normal.FORMS)), texts)
def test_a_normal_form_is_its_own_normal_form(form: str, value: str) -> None:
    once = normal.FORMS[form](value)
    assert normal.FORMS[form](once) == once


@given(st.sampled_from(BOTH), bodies, bodies)
def test_a_score_is_the_same_from_both_sides(rule: Rule, one: dict[str, Any], other: dict[str, Any]) -> None:
    here, there = rule.values("", one), rule.values("", other)
    assert rule.score(here, there) == rule.score(there, here)
    assert 0 <= rule.score(here, there) <= 100


@given(bodies, bodies)
def test_records_that_agree_in_all_equal_fields_share_a_block(one: dict[str, Any], other: dict[str, Any]) -> None:
    if TAX.score(TAX.values("", one), TAX.values("", other)):
        assert blocks_of([TAX], "", one) & blocks_of([TAX], "", other)


@given(bodies)
def test_a_record_agrees_with_itself_and_shares_its_blocks(body: dict[str, Any]) -> None:
    for rule in BOTH:
        values = rule.values("", body)
        assert rule.score(values, values) == (100 if values else 0)
        assert bool(rule.blocks(values)) == bool(values)


@pytest.mark.parametrize(
    ("form", "one", "other"),
    [
        ("phone", "+49 (0)30 1234 56789", "0049 30 123456789"),
        ("phone", "01 23 45 67 89", "+33 1 23 45 67 89"),
        ("company", "Northgate Inc.", "northgate GmbH"),
        ("email", " Ada@Example.org", "ada@example.ORG"),
    ],
)
def test_spellings_of_one_value_have_one_form(form: str, one: str, other: str) -> None:
    assert normal.FORMS[form](one) == normal.FORMS[form](other) != ""


def test_a_rule_says_nothing_about_a_record_without_one_of_its_fields() -> None:
    here = NAME.values("", {"name": "Northgate Ltd", "postal_code": "10115"})
    there = NAME.values("", {"name": "Northgate Ltd"})
    assert here
    assert there == ()
    assert NAME.score(here, there) == 0
    assert NAME.blocks(there) == set()


def test_exact_is_exact_and_normalised_is_not() -> None:
    exact = Rule("e", "e", (Comparison("code", "exact"),), "link")
    loose = Rule("n", "n", (Comparison("code", form="key"),), "link")
    one, other = {"code": "A-1"}, {"code": "a 1"}
    assert exact.score(exact.values("", one), exact.values("", other)) == 0
    assert loose.score(loose.values("", one), loose.values("", other)) == 100


def test_another_threshold_needs_no_new_blocks_but_another_field_does() -> None:
    closer = Rule("x", "x", (Comparison("name", "fuzzy", "company", 99), NAME.comparisons[1]), "link")
    assert rules.digest([NAME]) == rules.digest([closer]) != rules.digest([NAME, TAX])
    assert rules.digest([]) == ""


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ([], "fields"),
        ([{"field": "nobody"}], "fields.0.field"),
        ([{"field": "name", "compare": "about"}], "fields.0.compare"),
        ([{"field": "name", "form": "song"}], "fields.0.form"),
        ([{"field": "name", "compare": "fuzzy", "threshold": 10}], "fields.0.threshold"),
        ([{"field": "name", "weight": 3}], "fields.0.weight"),
        ([{"field": "name"}, {"field": "name"}], "fields"),
    ],
)
def test_a_rule_that_cannot_be_is_told_where(fields: list[dict[str, Any]], path: str) -> None:
    assert [found for found, _ in rules.problems(fields, ["name"])] == [path]


# Kept --------------------------------------------------------------------------------------------------------
@pytest.fixture
def customer(domains: Any) -> Entity:
    found = create_entity(name="Customer", slug="customer", domain=domains["project-wbs"], by=None)
    schema = next(contract["schema"] for _, contract in shipped_documents() if contract["slug"] == "customer")
    activate_schema(contract=found.contract, schema=schema, by=None)
    return found


def document(entity: Entity, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "slug": "customer-tax", "name": "Same tax number", "position": 10, "outcome": "link", "is_active": True,
        "fields": [{"field": "name", "compare": "fuzzy", "form": "company", "threshold": 90}],
    }  # fmt: skip
    return services.document_of(entity=entity, **(values | changes))


@pytest.mark.django_db
def test_rules_count_in_their_order_while_they_are_active(customer: Entity, ada: Any) -> None:
    services.put(document(customer, slug="second", position=20), by=ada)
    services.put(document(customer, slug="first", position=5), by=ada)
    services.put(document(customer, slug="off", position=1, is_active=False), by=ada)
    assert [rule.slug for rule in active_rules(customer.pk)] == ["first", "second"]


@pytest.mark.django_db
def test_keeping_a_rule_is_audited_with_what_stood_there_before(customer: Entity, ada: Any) -> None:
    services.put(document(customer), by=ada, reason="Tax numbers are unique.")
    entry = AuditEntry.objects.get(act="match_rule.saved")
    assert (entry.name, entry.actor_id, entry.reason, entry.before_hash) == (
        "customer-tax", ada.pk, "Tax numbers are unique.", "",
    )  # fmt: skip
    assert entry.after_hash


@pytest.mark.django_db
def test_a_field_that_the_contract_lacks_is_refused_and_nothing_is_kept(customer: Entity, ada: Any) -> None:
    with pytest.raises(ConfigError, match="The contract has no field 'nobody'"):
        services.put(document(customer, fields=[{"field": "nobody"}]), by=ada)
    assert not MatchRule.objects.exists()


@pytest.mark.django_db
def test_what_is_dumped_can_be_applied_and_changes_nothing(customer: Entity, ada: Any) -> None:
    services.put(document(customer, position=30, outcome="hold"), by=ada)
    dumped = kind("MatchRule").dump("customer-tax")
    assert dumped is not None
    assert kind("MatchRule").validate(dumped) == []
    assert kind("MatchRule").diff(dumped) == []
