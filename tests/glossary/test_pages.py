"""The glossary in a browser's eyes: list, term, form with a preview, drifts; each limited to one's domains."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from governance.models import Term
from monitoring.glossary.measuring import measure
from monitoring.models import TermMeasurement
from tests import memory
from tests.glossary import builders as build

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("model")]
Browse = Callable[[Any], Client]


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


@pytest.fixture
def term() -> Term:
    """Ten approved hours in the hub, twelve in the PSA."""
    build.entries({"hours": "10", "status": "approved"})
    build.memory_connection("psa2", [{"id": 1, "hours": "12", "state": "OK"}])
    return build.term(
        probes=[build.stream_probe("psa2")], fields=["time_entry.hours"], synonyms=["posted time"], tolerance="0.5"
    )


def filled(term: Term, **changes: str) -> dict[str, str]:
    """The form of a term as its page fills it in."""
    return {
        "name": term.name,
        "definition": term.definition,
        "domain": str(term.domain_id),
        "owner": term.owner,
        "synonyms": ", ".join(term.synonyms),
        "unit": term.unit,
        "currency": "",
        "per": term.per,
        "period": term.period,
        "expression": term.expression,
        "tolerance": "0.5",
        "tolerance_kind": term.tolerance_kind,
        "fields_text": "\n".join(term.fields),
        "probe-TOTAL_FORMS": "2",
        "probe-INITIAL_FORMS": "2",
        "probe-0-connection": "psa2",
        "probe-0-stream": "psa2-timesheets",
        "probe-0-expression": "sum(hours) where state = 'OK'",
    } | changes


# --- the list -------------------------------------------------------------------------------------------------------


def test_an_empty_glossary_offers_the_shipped_terms(ada: Any, grace: Any, browse: Browse) -> None:
    assert "Load the shipped terms" in text(browse(ada).get("/glossary/"))
    assert "Load the shipped terms" not in text(browse(grace).get("/glossary/"))
    done = browse(ada).post("/glossary/load/", {"currency": "gbp"}, follow=True)
    assert "3 shipped terms are loaded." in text(done)
    assert Term.objects.get(slug="unbilled-time").currency == "GBP"


def test_a_wrong_currency_loads_nothing(ada: Any, browse: Browse) -> None:
    assert "three letters" in text(browse(ada).post("/glossary/load/", {"currency": "£"}, follow=True))
    assert not Term.objects.exists()


def test_terms_are_listed_with_what_they_measured(ada: Any, browse: Browse, term: Term) -> None:
    page = text(browse(ada).get("/glossary/"))
    assert "not measured yet" in page
    measure(term)
    page = text(browse(ada).get("/glossary/"))
    assert "10 h" in page
    assert "Apart" in page
    assert "1 term drifted apart" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=posted", True),
        ("q=nobody", False),
        ("letter=A", True),
        ("letter=B", False),
        ("state=apart", True),
        ("state=equal", False),
        ("domain=time-expense", True),
        ("owner=pmo", True),
    ],
)
def test_the_list_is_filtered_in_the_address(ada: Any, browse: Browse, term: Term, query: str, found: bool) -> None:
    measure(term)
    assert ("/glossary/approved-time/" in text(browse(ada).get(f"/glossary/?{query}"))) is found


def test_the_list_is_a_file_too(ada: Any, browse: Browse, term: Term) -> None:
    response = browse(ada).get("/glossary.json?q=approved")
    rows = json.loads(b"".join(response.streaming_content))
    assert [(row["slug"], row["expression"]) for row in rows] == [("approved-time", build.APPROVED)]


def test_a_term_of_another_domain_is_not_there(make_person: Any, browse: Browse, term: Term) -> None:
    vera = make_person("Vera", ("viewer", "billing-gl"))
    assert "/glossary/approved-time/" not in text(browse(vera).get("/glossary/"))
    assert browse(vera).get("/glossary/approved-time/").status_code == 404


def test_who_may_not_see_contracts_sees_no_glossary(mallory: Any, browse: Browse, term: Term) -> None:
    assert browse(mallory).get("/glossary/").status_code == 403


# --- one term -------------------------------------------------------------------------------------------------------


def test_a_term_says_what_it_means_and_what_it_measured(ada: Any, browse: Browse, term: Term) -> None:
    client = browse(ada)
    page = text(client.post("/glossary/approved-time/measure/", follow=True))
    assert "PSA2 differs from the hub by more than the tolerance" in page
    assert "The sum of hours over time entry where status is “approved”." in page
    assert "The numbers part" in page
    assert '<a href="/contracts/time_entry/">Hours</a>' in page
    assert "+2 h" in page
    assert TermMeasurement.objects.count() == 1


def test_what_cannot_be_measured_says_why_on_the_page(ada: Any, browse: Browse, term: Term) -> None:
    from hub.common.errors import PermanentError

    memory.system("psa2").fail_with.append(PermanentError("Closed for the night."))
    page = text(browse(ada).post("/glossary/approved-time/measure/", follow=True))
    assert "Closed for the night." in page
    assert "Not measured" in page


def test_only_who_may_edit_measures_or_changes(grace: Any, browse: Browse, term: Term) -> None:
    client = browse(grace)
    assert "Measure now" not in text(client.get("/glossary/approved-time/"))
    assert client.post("/glossary/approved-time/measure/").status_code == 403
    assert client.get("/glossary/approved-time/edit/").status_code == 403
    assert client.post("/glossary/approved-time/remove/").status_code == 403


def test_a_contract_shows_the_terms_that_its_fields_carry(ada: Any, browse: Browse, term: Term) -> None:
    assert 'href="/glossary/approved-time/"' in text(browse(ada).get("/contracts/time_entry/"))


def test_a_field_that_left_its_contract_is_told(ada: Any, browse: Browse, term: Term) -> None:
    Term.objects.update(fields=["time_entry.gone"])
    assert "is no longer part of its contract" in text(browse(ada).get("/glossary/approved-time/"))


# --- the form -------------------------------------------------------------------------------------------------------


def test_a_new_term_is_made_by_form(ada: Any, browse: Browse, term: Term) -> None:
    client = browse(ada)
    assert client.get("/glossary/new/").status_code == 200
    given = filled(term, name="Time of approval", slug="", owner="Finance", unit="money", currency="eur")
    done = client.post("/glossary/new/", given, follow=True)
    assert done.redirect_chain == [("/glossary/time-of-approval/", 302)]
    made = Term.objects.get(slug="time-of-approval")
    assert (made.currency, made.owner, made.probes, made.fields) == ("EUR", "Finance", term.probes, term.fields)


def test_a_term_is_changed_by_form(ada: Any, browse: Browse, term: Term) -> None:
    client = browse(ada)
    page = text(client.get("/glossary/approved-time/edit/"))
    assert "sum(hours) where state = &#x27;OK&#x27;" in page
    client.post("/glossary/approved-time/edit/", filled(term, owner="Finance"))
    term.refresh_from_db()
    assert (term.owner, term.synonyms) == ("Finance", ["posted time"])
    assert term.probes == [build.stream_probe("psa2")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expression": "sum(hours) of time_entry where status = approved"}, "line 1, column 41"),
        ({"expression": "sum(houres) of time_entry"}, "Did you mean hours"),
        ({"unit": "money"}, "needs a currency"),
        ({"probe-0-expression": "sum(hours"}, "line 1, column 10"),
        ({"probe-0-query": "select 1"}, "Write either a query"),
        ({"probe-0-connection": ""}, "Choose the system"),
        ({"fields_text": "time_entry.houres"}, "no contract field"),
        ({"probe-0-expression": "", "probe-0-stream": "", "probe-0-query": "select 1"}, "takes no queries"),
    ],
)
def test_a_wrong_form_is_refused_with_its_place(
    ada: Any, browse: Browse, term: Term, changes: dict[str, str], said: str
) -> None:
    response = browse(ada).post("/glossary/approved-time/edit/", filled(term, **changes))
    assert response.status_code == 422
    assert said in text(response)


def test_the_form_measures_before_it_saves(ada: Any, browse: Browse, term: Term) -> None:
    given = filled(term, expression="sum(hours) of time_entry where status = 'draft'", measure="1")
    response = browse(ada).post("/glossary/approved-time/edit/", given, headers={"HX-Request": "true"})
    page = text(response)
    assert "<html" not in page
    assert "<b>0 h</b> in the hub" in page
    assert "+12 h" in page
    assert not TermMeasurement.objects.exists()
    assert Term.objects.get().expression == build.APPROVED


def test_a_wrong_form_is_not_measured(ada: Any, browse: Browse, term: Term) -> None:
    given = filled(term, expression="sum(hours", measure="1")
    response = browse(ada).post("/glossary/approved-time/edit/", given, headers={"HX-Request": "true"})
    assert response.status_code == 422
    assert "It cannot be measured as it stands" in text(response)


def test_a_preview_asks_no_system_that_one_may_not_change(make_person: Any, browse: Browse, term: Term) -> None:
    otto = make_person("Otto", ("integration_admin", "time-expense"))
    given = filled(term, measure="1", **{"probe-0-expression": "count()"})
    response = browse(otto).post("/glossary/approved-time/edit/", given, headers={"HX-Request": "true"})
    assert response.status_code == 422
    assert "do not let you change that connection" in text(response)


def test_a_term_is_removed_after_asking(ada: Any, browse: Browse, term: Term) -> None:
    client = browse(ada)
    measure(term)
    assert "1 measurement" in text(client.get("/glossary/approved-time/remove/"))
    client.post("/glossary/approved-time/remove/")
    assert not Term.objects.exists()


# --- drifts ---------------------------------------------------------------------------------------------------------


def test_drifts_are_listed_filtered_and_exported(ada: Any, browse: Browse, term: Term) -> None:
    client = browse(ada)
    assert "The numbers never parted" in text(client.get("/glossary/drift/"))
    measure(term)
    assert "+2 h" in text(client.get("/glossary/drift/?state=open&system=psa2"))
    assert "No drift matches" in text(client.get("/glossary/drift/?state=closed"))
    rows = json.loads(b"".join(client.get("/glossary/drift.json").streaming_content))
    assert [(row["term"], row["difference"], row["systems"]) for row in rows] == [("approved-time", "2", "PSA2")]


def test_drifts_of_other_domains_are_not_listed(make_person: Any, browse: Browse, term: Term) -> None:
    measure(term)
    vera = make_person("Vera", ("viewer", "billing-gl"))
    assert "Approved time" not in text(browse(vera).get("/glossary/drift/"))


def test_search_finds_a_term_by_what_else_it_is_called(ada: Any, browse: Browse, term: Term) -> None:
    assert "/glossary/approved-time/" in text(browse(ada).get("/search/?q=posted"))
