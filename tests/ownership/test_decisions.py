"""What a system may set, decided as a naive model of the rules decides it."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from governance.arbitration import admit, decide
from governance.ownership.compiled import EMPTY, Lens, compile_rules
from governance.ownership.rules import Rule

SYSTEMS = {"crm": 1, "psa": 2, "erp": 3, "old": 4}
FIELDS = ["name", "city", "rate", "status", "company"]
TODAY = date(2026, 6, 1)


def lens(rules: list[Rule], system: str, today: date = TODAY) -> Lens | None:
    return compile_rules(
        rules,
        system=system,
        system_ids=SYSTEMS,
        fields=["code", *FIELDS, "changed"],
        today=today,
        key=["code"],
        updated_at_field="changed",
    )


def where(**conditions: str) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple((name, frozenset(value.split("|"))) for name, value in conditions.items())


HELD = {"code": "C-1", "name": "Acme", "city": "Leeds", "status": "draft", "company": "UK"}
FROM_CRM = dict.fromkeys(HELD, 1)
CRM = Rule("crm", systems=("crm",))
ERP_CITY = Rule("erp", ("city",), systems=("erp",), policy="revert")
RANKED = Rule("ranked", ("city",), decide="ranking", systems=("crm", "erp"), policy="review")
LATEST = Rule("latest", ("city",), decide="latest", systems=("crm", "erp"), policy="review")
WON = Rule("won", ("city",), systems=("erp",), conditions=where(status="won|closed"))
UK = Rule("uk", ("city",), systems=("erp",), conditions=where(company="UK"))
YORK = {"city": "York"}


@pytest.mark.parametrize(
    ("rules", "system", "current", "incoming", "how"),
    [
        ([], "old", {}, YORK, "accepted"),
        ([CRM], "crm", {}, YORK, "accepted"),
        ([CRM], "erp", {}, YORK, "ignore"),
        ([CRM], "erp", {}, {"city": "Leeds"}, "unchanged"),
        ([CRM], "erp", {}, {"city": None}, "ignore"),
        ([CRM], "crm", {}, {"city": None}, "accepted"),
        ([CRM, ERP_CITY], "erp", {}, YORK, "accepted"),
        ([CRM, ERP_CITY], "crm", {}, YORK, "revert"),
        ([Rule("crm", systems=("crm",), fills_empty=True)], "erp", {"city": ""}, YORK, "accepted"),
        ([CRM], "erp", {"city": ""}, YORK, "ignore"),
        ([CRM, RANKED], "crm", {}, YORK, "accepted"),
        ([CRM, RANKED], "erp", {}, YORK, "review"),
        ([CRM, RANKED], "erp", {"city": None}, YORK, "accepted"),
        ([CRM, RANKED], "old", {"city": None}, YORK, "review"),
        ([CRM, LATEST], "erp", {}, YORK, "accepted"),
        ([CRM, LATEST], "erp", {"changed": "2026-01-02T00:00:00Z"}, {**YORK, "changed": "2026-01-01T00:00:00Z"}, "ignore"),
        ([CRM, LATEST], "erp", {"changed": "2026-01-02T00:00:00Z"}, {**YORK, "changed": "2026-01-02T00:00:00.5Z"}, "accepted"),
        ([CRM, LATEST], "old", {}, YORK, "review"),
        ([Rule("any", decide="latest")], "old", {}, YORK, "accepted"),
        ([CRM, WON], "erp", {}, YORK, "ignore"),
        ([CRM, WON], "erp", {"status": "won"}, YORK, "accepted"),
        ([CRM, WON], "crm", {"status": "closed"}, YORK, "ignore"),
        ([CRM, WON], "crm", {}, {"status": "won", **YORK}, "accepted"),
        ([CRM, UK], "erp", {}, YORK, "accepted"),
        ([CRM, UK], "erp", {"company": "US"}, YORK, "ignore"),
        ([CRM, UK], "erp", {"company": None}, {"company": "UK", **YORK}, "accepted"),
        ([CRM, Rule("later", ("city",), systems=("erp",), from_date=date(2026, 6, 2))], "erp", {}, YORK, "ignore"),
        ([CRM, Rule("over", ("city",), systems=("erp",), to_date=date(2026, 5, 31))], "erp", {}, YORK, "ignore"),
        ([CRM, Rule("now", ("city",), systems=("erp",), from_date=TODAY, to_date=TODAY)], "erp", {}, YORK, "accepted"),
    ],
)  # fmt: skip
def test_the_rule_that_speaks_for_a_field_says_who_may_set_it(
    rules: list[Rule], system: str, current: dict[str, Any], incoming: dict[str, Any], how: str
) -> None:
    decision = decide(incoming, HELD | current, {}, lens(rules, system), FROM_CRM)
    stopped = {one.field: one for one in decision.blocked}
    found = "accepted" if "city" in decision.changed else stopped["city"].policy if stopped else "unchanged"
    assert found == how
    if "city" in stopped:
        assert (stopped["city"].offered, stopped["city"].kept) == (incoming["city"], (HELD | current)["city"])


def test_what_the_mapping_does_not_offer_is_no_matter_of_ownership() -> None:
    decision = decide(YORK, HELD, {"city": "if_empty"}, lens([CRM], "erp"), FROM_CRM)
    assert (decision.refused, decision.blocked) == (("city",), ())


def test_a_new_record_is_made_of_what_its_system_may_set() -> None:
    found = lens([CRM, ERP_CITY], "erp")
    assert found is not None
    made = admit({"code": "C-2", "name": "Beta", **YORK, "rate": None}, found)
    assert made.body == {"code": "C-2", **YORK, "rate": None}
    assert [one.field for one in made.blocked] == ["name"]


# Against a model --------------------------------------------------------------------------------------------


def may(rules: list[Rule], system: str, name: str, record: dict[str, Any], holder: dict[str, str], sent: Any) -> str:
    """Accepted, or the policy: written down as people say it, without compiling anything."""
    if name == "code":
        return "accepted"

    def state(field: str) -> str:
        held = record.get(field)
        return str((sent.get(field) if held in EMPTY else held) or "")

    speaking = [r for r in rules if r.is_in_force(TODAY) and (name in r.fields or not r.fields)]
    speaking = [r for r in speaking if all(state(f) in values for f, values in r.conditions)]
    speaking.sort(key=lambda r: (not r.fields, not r.conditions))
    if not speaking:
        return "accepted"
    first, empty = speaking[0], record.get(name) in EMPTY
    listed = system in first.systems
    if first.fills_empty and empty:
        return "accepted"
    if first.decide == "owner":
        return "accepted" if listed else first.policy
    if first.decide == "latest":
        return "accepted" if listed or not first.systems else first.policy
    if not listed:
        return first.policy
    by = holder.get(name)
    trusted = first.systems.index(by) if by in first.systems else 99
    return "accepted" if empty or first.systems.index(system) <= trusted else first.policy


POLICIES = ["ignore", "quarantine", "revert", "review"]
VALUES = [None, "", "a", "b", "c"]
CONDITIONS = [(), where(status="a"), where(company="b"), where(status="b|c"), where(status="", company="a")]
some_systems = st.lists(st.sampled_from(sorted(SYSTEMS)), min_size=1, max_size=3, unique=True).map(tuple)


def one_rule(slug: str, fields: tuple[str, ...], condition: Any) -> st.SearchStrategy[Rule]:
    return st.builds(
        Rule,
        st.just(slug),
        st.just(fields),
        st.sampled_from(["owner", "ranking", "latest"]),
        some_systems,
        st.sampled_from(POLICIES),
        st.booleans(),
        st.just(condition),
        st.sampled_from([None, date(2026, 1, 1), date(2026, 7, 1)]),
    )


class World:
    """One record, offered to by four systems under rules that change now and then, and the model beside it."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.record: dict[str, Any] = {"code": "C-1"}
        self.provenance: dict[str, int] = {}
        self.model: dict[str, Any] = {"code": "C-1"}
        self.holder: dict[str, str] = {}

    def change(self, rule: Rule) -> None:
        self.rules = [*(one for one in self.rules if one.slug != rule.slug), rule]

    def offer(self, system: str, sent: dict[str, Any]) -> None:
        decision = decide(sent, self.record, {}, lens(self.rules, system), self.provenance)
        before, told = dict(self.model), {}
        for name, value in sent.items():
            if before.get(name) == value:
                told[name] = "unchanged"
                continue
            told[name] = may(self.rules, system, name, before, self.holder, sent)
            if told[name] == "accepted":
                self.model[name], self.holder[name] = value, system
        blocked = {one.field: one.policy for one in decision.blocked}
        found = {name: blocked.get(name, "accepted" if name in decision.changed else "unchanged") for name in sent}
        self.record = decision.body
        self.provenance |= dict.fromkeys(decision.changed, SYSTEMS[system])
        assert found == told
        assert self.record == self.model
        assert {name: SYSTEMS[by] for name, by in self.holder.items()} == self.provenance


def slug_of(field: str, condition: Any) -> str:
    return f"{field or 'rest'}-{'when' if condition else 'else'}"


class Hub(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @rule(data=st.data(), field=st.sampled_from(["", *FIELDS]), condition=st.sampled_from(CONDITIONS))
    def change_a_rule(self, data: Any, field: str, condition: Any) -> None:
        self.world.change(data.draw(one_rule(slug_of(field, condition), (field,) if field else (), condition)))

    @rule(
        system=st.sampled_from(sorted(SYSTEMS)), sent=st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(VALUES))
    )
    def offer(self, system: str, sent: dict[str, Any]) -> None:
        self.world.offer(system, sent)


TestHub = Hub.TestCase
TestHub.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_ten_thousand_steps_end_as_the_model_says() -> None:
    chance, world = Random(4), World()
    for _ in range(10_000):
        if chance.random() < 0.1:
            field, condition = chance.choice(["", *FIELDS]), chance.choice(CONDITIONS)
            systems = tuple(chance.sample(sorted(SYSTEMS), chance.randint(1, 3)))
            decided, policy = chance.choice(["owner", "ranking", "latest"]), chance.choice(POLICIES)
            fields, fills = (field,) if field else (), chance.random() < 0.3
            world.change(Rule(slug_of(field, condition), fields, decided, systems, policy, fills, condition))
        else:
            names = chance.sample(FIELDS, chance.randint(0, len(FIELDS)))
            world.offer(chance.choice(sorted(SYSTEMS)), {name: chance.choice(VALUES) for name in names})


@given(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(VALUES)), st.sampled_from(sorted(SYSTEMS)))
def test_what_a_system_does_not_send_is_never_blank(sent: dict[str, Any], system: str) -> None:
    decision = decide(sent, HELD, {}, lens([CRM, RANKED], system), FROM_CRM)
    for name in set(HELD) - set(sent):
        assert decision.body[name] == HELD[name]
