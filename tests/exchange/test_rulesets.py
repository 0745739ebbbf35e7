"""Rulesets: for whom, what fails them, and that an error refuses a version with every failing rule in a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from governance.models import AuditEntry, Contract, ContractVersion, Ruleset, ServiceLevel
from governance.rulesets import rules
from governance.rulesets.judging import findings, of_contract
from governance.rulesets.services import load_shipped, save_ruleset
from governance.services import create_entity, load_canonical_model, save_field
from hub.common.errors import ConfigError
from hub.common.registry import kind

KEY = {"type": "string", "x-key": True, "x-classification": "internal", "description": "Key."}


def schema(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"id": KEY, **fields}}


# (rule, a schema that fails it, the sentence, a schema that passes)
TABLE: list[tuple[dict[str, Any], dict[str, Any], str, dict[str, Any]]] = [
    ({"rule": "has_owner"}, schema(), "The contract names no owner.", {**schema(), "x-owner": "ann"}),
    ({"rule": "has_service_level"}, schema(), "The contract states no service level.", {**schema(), "x-sla": [{}]}),
    ({"rule": "has_tags"}, schema(), "The contract carries no tags.", {**schema(), "x-tags": ["a"]}),
    ({"rule": "has_description"}, schema(),
     "The contract does not say what its records are.", {**schema(), "description": "x"}),
    ({"rule": "has_key"}, {"properties": {"a": {}}}, "The contract has no key field.", schema()),
    ({"rule": "has_marked_field", "marker": "x-money"}, schema(), "No field is marked `x-money`.", schema(a={"x-money": "id"})),
    ({"rule": "has_field", "field": "amount"}, schema(), "There is no field `amount`.", schema(amount={})),
    ({"rule": "fields_described"}, schema(a={}), "a has no description.", schema(a={"description": "x"})),
    (
        {"rule": "fields_described"}, schema(a={}, b={}, c={}, d={}, e={}, f={}),
        "a, b, c, d and 2 more have no description.", schema(),
    ),
    ({"rule": "fields_classified"}, schema(a={}), "a has no classification.", schema(a={"x-classification": "public"})),
    (
        {"rule": "fields_named", "pattern": "^[a-z]+$"}, schema(a_1={}, b_2={}),
        "a_1, b_2 are not named as ^[a-z]+$ asks.", schema(a={}),
    ),
    (
        {"rule": "decimals_measured"}, schema(a={"type": "string", "format": "decimal"}),
        "a says neither its currency nor its unit.", schema(a={"type": "string", "format": "decimal", "x-unit": "h"}),
    ),
    (
        {"rule": "personal_data_classified"}, schema(work_email={"type": "string"}),
        "work_email is about a person and less than confidential.", schema(work_email={"x-classification": "restricted"}),
    ),
    (
        {"rule": "personal_data_classified", "at_least": "internal"},
        schema(a={"x-personal": True, "x-classification": "public"}),
        "a is about a person and less than internal.", schema(work_email={"format": "email"}),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "failing", "sentence", "passing"), TABLE, ids=lambda v: v.get("rule") if isinstance(v, dict) else None
)
def test_each_rule_says_what_is_missing_and_nothing_where_it_is_there(
    rule: dict[str, Any], failing: dict[str, Any], sentence: str, passing: dict[str, Any]
) -> None:
    check = rules.CHECKS[rule["rule"]]
    assert (check.fails(failing, rule), check.fails(passing, rule)) == (sentence, "")
    assert rules.problems({**rule, "severity": "warning"}) == []


def test_the_table_of_this_test_knows_every_rule() -> None:
    assert {row[0]["rule"] for row in TABLE} == set(rules.CHECKS)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("has_owner", "is a mapping"),
        ({"rule": "is_nice"}, "no rule 'is_nice'"),
        ({"rule": "has_owner", "severity": "fatal"}, "error, warning"),
        ({"rule": "has_owner", "marker": "x"}, "takes no 'marker'"),
        ({"rule": "has_field"}, "needs 'field'"),
        ({"rule": "has_marked_field", "marker": "money"}, "such as x-money"),
        ({"rule": "fields_named", "pattern": "["}, "no pattern"),
        ({"rule": "fields_named", "pattern": 3}, "no pattern"),
        ({"rule": "personal_data_classified", "at_least": "secret"}, "restricted"),
    ],
)
def test_a_rule_that_is_not_one_is_refused_with_a_sentence(rule: Any, words: str) -> None:
    assert words in " ".join(sentence for _, sentence in rules.problems(rule))


def test_a_pattern_that_never_ends_is_bounded() -> None:
    rule = {"rule": "fields_named", "pattern": "^(a+)+$"}
    assert rules.CHECKS["fields_named"].fails(schema(**{"a" * 55 + "_": {}}), rule)


# In the hub --------------------------------------------------------------------------------------------------
@pytest.fixture
def model(domains: Any) -> None:
    load_canonical_model()


def ruleset(**more: Any) -> dict[str, Any]:
    return {"kind": "Ruleset", "slug": "strict", "name": "Strict", "rules": [{"rule": "has_owner"}], **more}


@pytest.mark.django_db
@pytest.mark.usefixtures("model")
class TestInTheHub:
    def test_the_shipped_ones_are_loaded_once_and_only_warn(self) -> None:
        assert load_shipped() == 2
        assert load_shipped() == 0
        severities = {rule["severity"] for row in Ruleset.objects.all() for rule in row.rules}
        assert severities == {"warning"}
        assert all(
            kind("Ruleset").validate(kind("Ruleset").dump(row.slug) or {}) == [] for row in Ruleset.objects.all()
        )

    def test_a_warning_lets_a_version_pass(self) -> None:
        load_shipped()
        save_field(
            contract=Contract.objects.get(slug="invoice"), name="a", spec={"type": "string"}, required=False, by=None
        )

    def test_an_error_refuses_a_version_with_every_failing_rule(self, ada: Any) -> None:
        save_ruleset(ruleset(rules=[{"rule": "has_owner"}, {"rule": "has_service_level"}]), by=ada)
        with pytest.raises(ConfigError) as refused:
            save_field(
                contract=Contract.objects.get(slug="skill"), name="a", spec={"type": "string"}, required=False, by=ada
            )
        assert (
            refused.value.what == "The contract names no owner (Strict). The contract states no service level (Strict)."
        )
        assert refused.value.code == "RULESET"
        assert ContractVersion.objects.filter(contract__slug="skill").count() == 1

    def test_what_is_configured_already_stays_and_applies_again(self) -> None:
        save_ruleset(ruleset(), by=None)
        document = kind("Contract").dump("skill") or {}
        kind("Contract").apply(document, by=None)

    def test_a_new_entity_may_begin_with_its_key(self, domains: Any) -> None:
        save_ruleset(ruleset(), by=None)
        assert create_entity(name="Thing", slug="thing", domain=domains["resource"], by=None).contract

    @pytest.mark.parametrize(
        ("selector", "named"),
        [
            ({}, True),
            ({"domains": ["billing-gl"]}, True),
            ({"domains": ["resource"]}, False),
            ({"entities": ["invoice", "expense"]}, True),
            ({"domains": ["billing-gl"], "entities": ["expense"]}, False),
            ({"tags": ["close"]}, True),
            ({"tags": ["other"]}, False),
        ],
    )
    def test_a_selector_names_contracts_that_meet_all_it_says(self, selector: dict[str, Any], named: bool) -> None:
        save_ruleset(ruleset(selector=selector), by=None)
        found = findings({**schema(), "x-tags": ["close"]}, domain="billing-gl", entity="invoice")
        assert bool(found) is named

    def test_one_that_is_switched_off_judges_nothing(self) -> None:
        save_ruleset(ruleset(is_active=False), by=None)
        assert findings(schema(), domain="x", entity="x") == []

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"rules": []}, "needs"),
            ({"rules": {"rule": "has_owner"}}, "at least one rule"),
            ({"rules": [{"rule": "x"}]}, "no rule"),
            ({"selector": ["x"]}, "mapping"),
            ({"selector": {"where": []}}, "domains, entities, tags"),
            ({"selector": {"tags": "x"}}, "list of short names"),
        ],
    )
    def test_one_that_is_wrong_is_refused_with_a_sentence(self, change: dict[str, Any], words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            save_ruleset(ruleset(**change), by=None)

    def test_it_comes_back_from_a_file_and_its_change_is_in_the_audit(self, ada: Any) -> None:
        given = ruleset(
            selector={"domains": ["resource"]}, description="d", rules=[{"rule": "has_field", "field": "a"}]
        )
        save_ruleset(given, by=ada)
        assert kind("Ruleset").dump("strict") == given
        assert kind("Ruleset").diff(given) == []
        assert AuditEntry.objects.filter(act="ruleset.saved", name="strict", actor="Ada").exists()
        assert ("Contract", "skill") in kind("Ruleset").impact("strict")


@pytest.mark.django_db
@pytest.mark.parametrize("is_of_domain", [True, False])
def test_a_service_level_of_the_hub_counts_as_one_that_the_contract_states(
    domains: Any, ada: Any, is_of_domain: bool
) -> None:
    domain = domains["billing-gl"]
    entity = create_entity(name="Order", slug="order", domain=domain, by=ada)
    save_ruleset(ruleset(rules=[{"rule": "has_service_level", "severity": "warning"}]), by=ada)
    said = [each.sentence for each in of_contract(entity.contract, schema())]
    assert said == ["The contract states no service level."]
    of = {"entity": None if is_of_domain else entity, "domain": domain}
    ServiceLevel.objects.create(slug="orders", name="Orders", measure="latency", breach_seconds=14_400, **of)
    assert of_contract(entity.contract, schema()) == []
