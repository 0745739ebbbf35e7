"""Rules of an entity cover each cell once: what overlaps or leaves a gap is refused, and the cells are named."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from governance.models import AuditEntry, Entity, OwnershipRule
from governance.ownership import services
from governance.ownership.coverage import check
from governance.ownership.rules import Rule
from hub.common import governed
from hub.common.errors import ConfigError
from hub.common.registry import kind
from hub.common.times import set_business_clock
from hub.config import documents
from hub.config import services as config
from tests.ownership import builders as build

TODAY = date(2026, 6, 1)
STATES = {"status": {"draft", "won", "closed", ""}}
ALL = Rule("all", systems=("crm",))


def when(**conditions: set[str]) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple((name, frozenset(values)) for name, values in conditions.items())


def rule(slug: str, *fields: str, **more: Any) -> Rule:
    return Rule(slug, fields, systems=("crm",), **more)


@pytest.mark.parametrize(
    ("rules", "overlaps", "gaps"),
    [
        ([], [], []),
        ([ALL], [], []),
        ([ALL, Rule("other")], ["name: all and other", "city: all and other"], []),
        ([rule("a", "name")], [], ["city: no rule"]),
        ([rule("a", "name"), rule("b", "name", "city")], ["name: a and b"], []),
        ([ALL, rule("uk", "city", conditions=when(company={"UK"}))], [], []),
        ([ALL, rule("a", "name", to_date=date(2026, 6, 30)), rule("b", "name", from_date=date(2026, 7, 1))], [], []),
        (
            [ALL, rule("a", "name", to_date=date(2026, 7, 1)), rule("b", "name", from_date=date(2026, 7, 1))],
            ["name from 2026-07-01: a and b"],
            [],
        ),
        (
            [rule("a", "name", "city", to_date=date(2026, 6, 30))],
            [],
            ["name from 2026-07-01: no rule", "city from 2026-07-01: no rule"],
        ),
        ([ALL, rule("a", "name", to_date=date(2026, 5, 1)), rule("b", "name", to_date=date(2026, 5, 1))], [], []),
        (
            [
                ALL,
                rule("uk", "city", conditions=when(company={"UK"})),
                rule("won", "city", conditions=when(status={"won"})),
            ],
            ["city where company is UK and status is won: uk and won"],
            [],
        ),
        (
            [
                ALL,
                rule("uk", "city", conditions=when(company={"UK"})),
                rule("us", "city", conditions=when(company={"US"})),
            ],
            [],
            [],
        ),
        (
            [rule("rest", "name"), rule("uk", "city", conditions=when(company={"UK"}))],
            [],
            ["city where company is anything else: no rule"],
        ),
        (
            [
                rule("rest", "name"),
                rule("early", "city", conditions=when(status={"draft", ""})),
                rule("late", "city", conditions=when(status={"won"})),
            ],
            [],
            ["city where status is closed: no rule"],
        ),
        (
            [
                rule("rest", "name"),
                rule("early", "city", conditions=when(status={"draft", ""})),
                rule("late", "city", conditions=when(status={"won", "closed"})),
            ],
            [],
            [],
        ),
    ],
)
def test_each_field_has_exactly_one_rule_from_today_on(rules: list[Rule], overlaps: list[str], gaps: list[str]) -> None:
    found = check(rules, ["name", "city"], today=TODAY, values=STATES)
    assert [cell.sentence.split(" both")[0] for cell in found.overlaps] == overlaps
    assert [cell.sentence.split(" says")[0] for cell in found.gaps] == gaps


# In a hub ----------------------------------------------------------------------------------------------------


@pytest.fixture
def project(domains: Any) -> Entity:
    return build.world()


def test_drafts_of_an_entity_take_effect_together(project: Entity, ada: Any) -> None:
    build.draft("crm-rest", "crm")
    build.draft("erp-budget", "erp", fields=["budget", "currency"], policy="revert")
    services.activate(entity=project, by=ada)
    assert set(OwnershipRule.objects.values_list("status", flat=True)) == {"active"}
    assert AuditEntry.objects.filter(act="ownership_rule.activated", actor_id=ada.pk).count() == 2


def test_an_overlap_or_a_gap_refuses_activation_and_names_the_cells(project: Entity) -> None:
    build.draft("crm-name", "crm", fields=["name"])
    with pytest.raises(ConfigError, match=r"6 gaps\. budget: no rule says who owns it\. currency: no rule"):
        services.activate(entity=project, by=None)
    build.draft("crm-rest", "crm")
    build.draft("erp-name", "erp", fields=["name"])
    with pytest.raises(ConfigError, match=r"1 overlap\. name: crm-name and erp-name both say who owns it"):
        services.activate(entity=project, by=None)
    assert not OwnershipRule.objects.exclude(status="draft").exists(), "nothing is half applied"


def test_a_change_to_a_rule_in_force_may_not_break_the_cover(project: Entity) -> None:
    build.active(project, build.document("crm-rest", "crm"), build.document("erp-name", "erp", fields=["name"]))
    with pytest.raises(ConfigError, match="2027-01-01"):
        services.save(document={**_dumped("crm-rest"), "to_date": "2026-12-31"}, by=None)
    assert OwnershipRule.objects.get(slug="crm-rest").to_date is None
    services.retire(rule=OwnershipRule.objects.get(slug="erp-name"), by=None)
    with pytest.raises(ConfigError, match="no rule says"):
        build.active(project, build.document("erp-name-2", "erp", fields=["name"], replaces="crm-rest"))
    services.retire(rule=OwnershipRule.objects.get(slug="crm-rest"), by=None)


def test_a_draft_may_take_the_place_of_a_rule_in_force(project: Entity) -> None:
    build.active(project, build.document("crm-rest", "crm"))
    build.active(project, build.document("erp-rest", "erp", replaces="crm-rest"))
    assert OwnershipRule.objects.get(slug="crm-rest").status == "retired"
    assert OwnershipRule.objects.get(slug="erp-rest").status == "active"


def test_what_ends_before_today_neither_overlaps_nor_covers(project: Entity) -> None:
    set_business_clock(datetime(2026, 6, 1, tzinfo=UTC))
    build.active(project, build.document("crm-rest", "crm"))
    with pytest.raises(ConfigError, match="2026-06-02"):
        services.save(document={**_dumped("crm-rest"), "to_date": "2026-06-01"}, by=None)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"fields": ["code"]}, "part of the key"),
        ({"fields": ["colour"]}, "no field 'colour'"),
        ({"fields": ["name", "name"]}, "twice"),
        ({"systems": ["nowhere"]}, "no system 'nowhere'"),
        ({"systems": ["crm", "erp"]}, "the one system"),
        ({"decide": "ranking"}, "two systems or more"),
        ({"phase_field": "status"}, "A phase is a field and"),
        ({"phase_field": "status", "phases": ["lost"]}, "never 'lost'"),
        ({"from_date": "2026-02-01", "to_date": "2026-01-01"}, "before the first day"),
        ({"decide": "perhaps"}, "perhaps"),
        ({"replaces": "rule"}, "cannot replace itself"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_in_a_sentence(
    project: Entity, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        services.save(document={**build.document("rule", "crm"), **fields}, by=None)
    assert not OwnershipRule.objects.exists()


def test_rules_of_a_file_are_checked_when_all_of_them_stand(project: Entity, tmp_path: Any) -> None:
    given = [
        build.document("crm-name", "crm", fields=["name"], status="active"),
        build.document("erp-rest", "erp", status="active", from_date="2026-01-01"),
    ]
    documents.write(tmp_path, given)
    config.apply(tmp_path)
    assert config.plan(tmp_path).steps == []
    swapped = [{**given[0], "fields": []}, {**given[1], "fields": ["name"]}]
    documents.write(tmp_path, swapped)
    config.apply(tmp_path)
    assert OwnershipRule.objects.get(slug="crm-name").fields == []
    exported = [d for d in config.export() if d["kind"] == "OwnershipRule"]
    documents.write(tmp_path, [{**exported[0], "systems": []}])
    with pytest.raises(ConfigError):
        config.apply(tmp_path)


def test_what_is_exported_can_be_applied(project: Entity, tmp_path: Any) -> None:
    build.active(project, build.document("crm-rest", "crm", note="At first."))
    late = {"phase_field": "status", "phases": ["won", ""], "legal_entities": ["UK"], "from_date": "2026-01-01"}
    build.active(
        project,
        build.document("rest", "crm", "erp", decide="ranking", replaces="crm-rest", fills_empty=True),
        build.document("name", "erp", group="Names", fields=["name"], policy="revert", **late),
    )
    build.draft("later", "crm", fields=["budget"], to_date="2030-12-31")
    exported = [d for d in config.export() if d["kind"] == "OwnershipRule"]
    documents.write(tmp_path, exported)
    assert config.plan(tmp_path).steps == []
    OwnershipRule.objects.all().delete()
    config.apply(tmp_path)
    assert config.plan(tmp_path).steps == []
    assert [d for d in config.export() if d["kind"] == "OwnershipRule"] == exported


def test_checks_of_several_objects_wait_until_all_of_them_are_applied() -> None:
    ran: list[str] = []
    with governed.together():
        governed.settle("one", lambda: ran.append("first"))
        with governed.together():
            governed.settle("one", lambda: ran.append("last"))
        assert ran == []
    assert ran == ["last"]
    governed.settle("one", lambda: ran.append("at once"))
    assert ran == ["last", "at once"]


def _dumped(slug: str) -> dict[str, Any]:
    found = kind("OwnershipRule").dump(slug)
    assert found is not None
    return found
