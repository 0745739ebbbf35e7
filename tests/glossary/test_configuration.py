"""Terms and domains as documents: written down, read back, refused with their place, and told to the audit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import yaml

from governance.models import AuditEntry, Term
from governance.services import load_canonical_model
from governance.terms import services, shipped
from governance.terms.parsing import parse
from hub.accounts.models import Domain
from hub.accounts.roles import ROLES
from hub.common.errors import ConfigError
from hub.common.registry import kind
from hub.config import documents
from hub.config import services as config
from tests.glossary import builders as build

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("model")]


@pytest.fixture
def full() -> Term:
    build.memory_connection("psa2", [])
    return build.term(
        synonyms=["posted time"],
        tolerance="0.50",
        tolerance_kind="percent",
        period="last_month",
        probes=[build.stream_probe("psa2")],
        fields=["time_entry.hours"],
    )


def test_what_is_exported_is_applied_and_plans_nothing(full: Term, tmp_path: Any) -> None:
    load_canonical_model()
    Domain.objects.create(slug="treasury", name="Treasury", order=9)
    documents.write(tmp_path, config.export())
    assert config.plan(tmp_path).steps == []
    Term.objects.all().delete()
    Domain.objects.filter(slug="treasury").delete()
    config.apply(tmp_path)
    assert config.plan(tmp_path).steps == []
    again = Term.objects.get()
    assert (again.tolerance, again.probes, again.synonyms) == (Decimal("0.5"), full.probes, ["posted time"])
    assert Domain.objects.get(slug="treasury").name == "Treasury"


@pytest.mark.parametrize("tolerance", [0.5, "0.50", "0.500000"])
def test_the_same_tolerance_written_otherwise_is_no_change(full: Term, tolerance: Any) -> None:
    document = kind("Term").dump("approved-time")
    assert document is not None
    assert kind("Term").diff(document | {"tolerance": tolerance}) == []


def test_a_new_domain_and_what_stands_in_it_come_in_one_file(tmp_path: Any) -> None:
    given = [{"kind": "Domain", "slug": "treasury", "name": "Treasury"}, build.document(domain="treasury")]
    (tmp_path / "all.yaml").write_text("\n---\n".join(yaml.safe_dump(each) for each in reversed(given)))
    config.apply(tmp_path)
    assert Term.objects.get().domain.slug == "treasury"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"expression": "sum(hours) of time_entry where status = approved"}, "line 1, column 41"),
        ({"expression": "sum(houres) of time_entry"}, "expression, line 1, column 5"),
        ({"expression": "sum(hours) of time_entry where date in period"}, "taken over all time"),
        ({"unit": "money"}, "needs 'currency'"),
        ({"fields": ["time_entry"]}, "write entity.field"),
        ({"fields": ["time_entry.houres"]}, "no contract field 'time_entry.houres'"),
        ({"tolerance": "-1"}, "greater than or equal"),
        ({"period": "fortnight"}, "not a valid choice"),
        ({"probes": [{"connection": "psa2"}]}, "A probe is"),
        ({"probes": [{"connection": "psa2", "query": "select 1", "stream": "x"}]}, "A probe is"),
        ({"probes": [{"connection": "psa2", "stream": "x", "expression": "sum(a"}]}, "probes.0.expression"),
        ({"probes": [{"connection": "nowhere", "query": "select 1"}]}, "no connection 'nowhere'"),
        ({"probes": [{"connection": "psa2", "stream": "x", "expression": "count()"}]}, "no stream 'x'"),
        ({"probes": ["psa2"]}, "A probe is"),
        ({"definition": ""}, "needs 'definition'"),
    ],
)
def test_a_wrong_term_is_refused_and_nothing_is_stored(fields: dict[str, Any], said: str) -> None:
    build.memory_connection("psa2", [])
    with pytest.raises(ConfigError) as refused:
        build.term(**fields)
    assert said in str(refused.value)
    assert not Term.objects.exists()


def test_two_probes_of_one_connection_are_refused() -> None:
    build.memory_connection("psa2", [])
    with pytest.raises(ConfigError, match="has a probe already"):
        build.term(probes=[build.stream_probe("psa2"), build.stream_probe("psa2")])


# --- services -------------------------------------------------------------------------------------------------------


def test_saving_is_told_with_what_stood_there_before(ada: Any) -> None:
    services.save_term(build.document(), by=ada)
    services.save_term(build.document(owner="Finance"), by=ada, reason="Moved.")
    services.save_term(build.document(owner="Finance"), by=ada)
    told = AuditEntry.objects.filter(kind="Term").order_by("pk")
    assert [(each.act, each.actor_id, each.reason) for each in told] == [
        ("term.made", ada.pk, ""),
        ("term.changed", ada.pk, "Moved."),
    ]
    assert told[0].after_hash == told[1].before_hash != told[1].after_hash


def test_removing_is_told(ada: Any) -> None:
    services.remove_term(build.term(), by=ada)
    assert not Term.objects.exists()
    assert AuditEntry.objects.get(act="term.removed").name == "approved-time"


def test_a_probe_takes_the_right_to_change_that_connection(make_person: Any) -> None:
    otto = make_person("Otto", ("integration_admin", "time-expense"))
    build.memory_connection("psa2", [])
    with pytest.raises(ConfigError, match="do not let you change that connection"):
        services.save_term(build.document(probes=[build.stream_probe("psa2")]), by=otto)


def test_a_probe_that_others_entered_does_not_keep_one_from_editing(make_person: Any, full: Term) -> None:
    otto = make_person("Otto", ("integration_admin", "time-expense"))
    document = kind("Term").dump("approved-time")
    assert document is not None
    services.save_term(document | {"owner": "Otto"}, by=otto)
    assert Term.objects.get().owner == "Otto"


@pytest.mark.parametrize(
    ("role", "field", "refused"),
    [
        (("integration_admin", "time-expense"), "cost_rate", False),
        (("integration_admin", "time-expense"), "hours", False),
        (("integration_admin", "billing-gl"), "hours", True),
    ],
)
def test_values_are_added_up_only_by_those_who_may_see_them(
    make_person: Any, role: tuple[str, str], field: str, refused: bool
) -> None:
    otto = make_person("Otto", role)
    document = build.document(expression=f"sum({field}) of time_entry", domain=role[1])
    if refused:
        with pytest.raises(ConfigError, match=r"see the values of time_entry\.hours"):
            services.save_term(document, by=otto)
    else:
        services.save_term(document, by=otto)
    assert Term.objects.exists() is not refused


def test_masked_values_take_the_right_to_reveal(make_person: Any, monkeypatch: Any) -> None:
    integration_admin = ROLES["integration_admin"]
    without = replace(integration_admin, permissions=integration_admin.permissions - {"payloads.reveal"})
    monkeypatch.setitem(ROLES, "integration_admin", without)
    otto = make_person("Otto", "integration_admin")
    services.save_term(build.document(expression="sum(hours) of time_entry"), by=otto)
    with pytest.raises(ConfigError, match=r"time_entry\.cost_rate"):
        services.save_term(build.document(expression="sum(cost_rate) of time_entry"), by=otto)


# --- the shipped terms ----------------------------------------------------------------------------------------------


def test_the_shipped_terms_fit_the_shipped_model(ada: Any, domains: Any) -> None:
    load_canonical_model()
    names = [document["slug"] for document in shipped.documents("EUR")]
    assert {
        "project-status",
        "billable-utilisation",
        "approved-time",
        "forecast-margin",
        "unbilled-time",
        "backlog",
    } < set(names)
    assert services.load_shipped_terms(currency="EUR", by=ada) == len(names) == Term.objects.count()
    assert services.load_shipped_terms(currency="USD", by=ada) == 0
    assert Term.objects.get(slug="unbilled-time").currency == "EUR"
    assert all(parse(term.expression) and term.owner and term.fields for term in Term.objects.all())


def test_a_shipped_term_whose_entity_is_missing_is_left_out(ada: Any) -> None:
    assert services.load_shipped_terms(currency="EUR", by=ada) == 3
    assert set(Term.objects.values_list("slug", flat=True)) == {"approved-time", "project-status", "unbilled-time"}
