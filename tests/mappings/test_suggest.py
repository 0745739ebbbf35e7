"""Suggestions are right often enough to be preselected, explained, repeatable, and never over a person's rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from governance.canonical_model import shipped_documents
from hub.common.records import FieldInfo
from mappings.compile import compile_mapping
from mappings.rules import FieldRule, dump_rules, parse_rules
from mappings.suggest import OFFER, PRESELECT, Suggestion, candidates, suggest
from mappings.target_fields import target_fields

GOLD: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "gold_pairs.yaml").read_text(encoding="utf-8"))
SCHEMAS = {entity["slug"]: contract["schema"] for entity, contract in shipped_documents()}


def offered(item: dict[str, Any]) -> list[FieldInfo]:
    pairs = (field.partition(":") for field in item["fields"].split())
    return [FieldInfo(path, kind or "string") for path, _, kind in pairs]


def is_right(item: dict[str, Any], found: Suggestion) -> bool:
    wanted = item["pairs"].get(found.target)
    return found.source in (wanted if isinstance(wanted, list) else [wanted])


@pytest.mark.parametrize("held_out", [False, True])
def test_gold_set_is_met(held_out: bool) -> None:
    items = [item for item in GOLD if bool(item.get("held_out")) is held_out]
    found = [
        (item, each)
        for item in items
        for each in suggest(offered(item), SCHEMAS[item["entity"]], entity=item["entity"])
    ]
    preselected = [is_right(item, each) for item, each in found if each.score >= PRESELECT]
    recall = sum(is_right(item, each) for item, each in found) / sum(len(item["pairs"]) for item in items)
    assert sum(preselected) / len(preselected) >= 0.90
    assert recall >= 0.75


def test_gold_set_is_sound_and_large_enough() -> None:
    assert sum(len(item["pairs"]) for item in GOLD) >= 120
    for item in GOLD:
        names = {info.path for info in offered(item)}
        for target, source in item["pairs"].items():
            assert target in SCHEMAS[item["entity"]]["properties"]
            assert names.issuperset(source if isinstance(source, list) else [source])


def test_every_suggested_rule_can_be_saved_and_compiled() -> None:
    for item in GOLD:
        rules = [each.rule for each in suggest(offered(item), SCHEMAS[item["entity"]], entity=item["entity"])]
        compile_mapping(parse_rules(dump_rules(rules)), value_maps={})


def test_suggestions_do_not_depend_on_the_order_of_the_source() -> None:
    item = GOLD[0]
    forth = suggest(offered(item), SCHEMAS["customer"], entity="customer")
    assert forth == suggest(offered(item)[::-1], SCHEMAS["customer"], entity="customer")


def test_manual_rules_are_left_alone_and_their_sources_are_taken() -> None:
    fields = [FieldInfo("title"), FieldInfo("external_reference"), FieldInfo("due_date", "date")]
    manual = FieldRule(target="end_date", source="title")
    found = {each.target: each.source for each in suggest(fields, SCHEMAS["project"], rules=[manual], entity="project")}
    assert "end_date" not in found
    assert "name" not in found
    assert found["code"] == "external_reference"


def test_a_source_is_suggested_once() -> None:
    for item in GOLD:
        sources = [each.source for each in suggest(offered(item), SCHEMAS[item["entity"]], entity=item["entity"])]
        assert len(sources) == len(set(sources))


def test_conversions_come_with_the_suggestion() -> None:
    fields = [
        FieldInfo("time_in_minutes", "integer"),
        FieldInfo("rate_in_cents", "integer"),
        FieldInfo("currency"),
        FieldInfo("workspace_id"),
        FieldInfo("updated_at", "date-time"),
    ]
    rules = {each.target: each.rule for each in suggest(fields, SCHEMAS["time_entry"], entity="time_entry")}
    assert dump_rules([rules["hours"]])[0]["convert"] == ["minutes_to_hours"]
    assert dump_rules([rules["bill_rate"]])[0]["convert"] == [
        {"fn": "cents_to_money", "args": {"currency_field": "currency"}}
    ]
    assert (rules["project"].kind, rules["project"].entity) == ("reference", "project")
    assert rules["source_updated_at"].type == "datetime"


def test_opposite_names_are_turned_around() -> None:
    found = suggest([FieldInfo("isInactive", "boolean")], SCHEMAS["cost_center"], entity="cost_center")
    rule = next(each.rule for each in found if each.target == "is_active")
    assert [step.fn for step in rule.convert] == ["invert"]
    assert "opposite" in " ".join(next(each.reasons for each in found if each.target == "is_active"))


def test_values_decide_between_like_names() -> None:
    schema = {"properties": {"work_email": {"type": "string", "format": "email", "title": "Work e-mail"}}}
    fields = [FieldInfo("email_a"), FieldInfo("email_b")]
    samples = [{"email_a": "yes", "email_b": "ada@firm.example"}, {"email_a": "no", "email_b": "grace@firm.example"}]
    best = candidates(target_fields(schema)[0], fields, sample_records=samples)[0]
    assert best.source == "email_b"
    assert "values look like e-mail addresses" in best.reasons


def test_history_of_approved_mappings_raises_a_pair() -> None:
    schema = {"properties": {"code": {"type": "string"}}}
    fields = [FieldInfo("u_ref_7"), FieldInfo("short_text")]
    assert not suggest(fields, schema)
    (found,) = suggest(fields, schema, history={("u_ref_7", "code"): 3})
    assert found.source == "u_ref_7"
    assert "used in 3 approved mappings" in found.reasons


def test_types_that_cannot_meet_are_never_suggested() -> None:
    schema = {"properties": {"start_date": {"type": "string", "format": "date"}}}
    assert not suggest([FieldInfo("start_date", "boolean")], schema)


def test_scores_say_whether_to_preselect_or_offer() -> None:
    for item in GOLD:
        for each in suggest(offered(item), SCHEMAS[item["entity"]], entity=item["entity"]):
            assert OFFER <= each.score <= 1
            assert each.reasons
            if "similar name" in each.reasons:
                assert each.score < PRESELECT
