"""The form of a reconciliation: lines of words become the document, and back; rules are tried before they are saved."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.accounts.models import User
from hub.common.registry import kind
from monitoring.models import Reconciliation, ReconciliationMatch
from monitoring.reconciliation import lines
from monitoring.reconciliation.forms import ReconciliationForm

from .builders import ERP_FIELDS, World, entry, posted

NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
NUMBERS = st.decimals("0.01", "99", places=2).map(str)
COMPARED = st.one_of(
    st.fixed_dictionaries({"field": NAMES}, optional={"ignore_case": st.just(True), "ignore_space": st.just(True)}),
    st.fixed_dictionaries(
        {"field": NAMES, "type": st.just("decimal")}, optional={"absolute": NUMBERS, "percent": NUMBERS}
    ),
    st.fixed_dictionaries({"field": NAMES, "type": st.just("date")}, optional={"days": st.integers(1, 40)}),
    st.fixed_dictionaries({"field": NAMES, "type": st.just("instant")}, optional={"seconds": st.integers(1, 900)}),
)
RULES = st.fixed_dictionaries(
    {
        "name": NAMES,
        "kind": st.sampled_from(["one_to_one", "many_to_one"]),
        "group": st.lists(NAMES, min_size=1, max_size=3),
    },
    optional={"absolute": NUMBERS, "percent": NUMBERS, "auto": st.just(True)},
)


@given(st.lists(COMPARED, max_size=4))
def test_what_is_compared_is_read_back_from_its_words(compare: list[dict[str, Any]]) -> None:
    assert lines.compare_of(lines.compare_text(compare)) == compare


@given(st.lists(RULES, max_size=4))
def test_rules_are_read_back_from_their_words(rules: list[dict[str, Any]]) -> None:
    assert lines.rules_of(lines.rules_text(rules)) == rules


def test_fields_and_filters_are_read_back_from_their_words() -> None:
    fields = {"hours": "quantity", "project": {"path": "jobId", "via": "erp-projects"}, "currency": {"value": "GBP"}}
    assert lines.fields_of(lines.fields_text(fields)) == fields
    assert lines.filter_of(lines.filter_text({"status": ["approved", "billed"]})) == {"status": ["approved", "billed"]}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("hours: number", "Line 1: 'number' is not a type"), ("a: text\nhours: decimal, about 3", "Line 2: 'about 3'")],
)
def test_a_line_that_is_not_understood_is_named(text: str, sentence: str) -> None:
    with pytest.raises(lines.LineError, match=sentence):
        lines.compare_of(text)


pytestmark = pytest.mark.django_db


def filled(world: World, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Time, PSA ↔ ERP",
        "slug": "time",
        "entity": "time_entry",
        "owner": "Finance operations",
        "left": "psa-time",
        "left_label": "PSA",
        "right": "erp-time",
        "right_label": "ERP",
        "right_fields": lines.fields_text(ERP_FIELDS),
        "key": "number",
        "compare": "hours: decimal\namount: decimal\nproject: text",
        "sums": "hours",
        "date": "date",
        "periods": "0",
        "time_zone": "UTC",
        "usual_min_percent": "50",
        **changes,
    }


def test_the_form_makes_what_the_document_says(browse: Any, ada: User, world: World) -> None:
    answer = browse(ada).post("/reconciliation/new/", filled(world))
    assert answer.status_code == 302, answer.content.decode()
    found = kind("Reconciliation").dump("time")
    assert found is not None
    assert kind("Reconciliation").diff({"kind": "Reconciliation", **world.document()}) == []


def test_saving_the_form_as_it_is_changes_nothing(ada: User, world: World) -> None:
    rules = [{"name": "per day", "kind": "many_to_one", "group": ["resource", "date"], "absolute": "0.01"}]
    found = world.reconciliation(rules=rules, totals={"date": "date", "sums": ["hours"], "client": "customer"})
    form = ReconciliationForm(ada, None, reconciliation=found)
    again = ReconciliationForm(
        ada, {k: v for k, v in form.initial.items() if v is not None and v is not False}, reconciliation=found
    )
    assert again.is_valid(), again.errors
    assert kind("Reconciliation").diff({"kind": "Reconciliation", **again.document()}) == []


def test_what_is_wrong_is_said_at_its_field(browse: Any, ada: User, world: World) -> None:
    answer = browse(ada).post("/reconciliation/new/", filled(world, compare="hours: number"))
    assert answer.status_code == 422
    assert "is not a type" in answer.content.decode()
    assert not Reconciliation.objects.exists()


def test_rules_are_tried_and_nothing_is_saved(browse: Any, ada: User, world: World) -> None:
    world.psa += [entry(0), entry(1, amount="494.40"), entry(2, amount="370.80")]
    world.erp += [posted(0), posted(88, ref="E-88", lineAmount="865.20")]
    world.compare(world.reconciliation())
    data = filled(world, do="try", rules="sum per day: many to one by project, date")
    page = browse(ada).post("/reconciliation/time/edit/", data).content.decode()
    assert "1 new, 0 lost, 0 as before" in page
    assert "T-1, T-2" in page
    assert not ReconciliationMatch.objects.exists()
    assert Reconciliation.objects.get().rules == []


def test_who_may_not_edit_sees_no_form(browse: Any, finn: User, world: World) -> None:
    assert browse(finn).get("/reconciliation/new/").status_code == 403
