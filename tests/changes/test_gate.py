"""What a policy speaks of is held at the one door of governed edits; everything else passes as before."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command

from governance import services as contracts
from governance.models import ChangeRequest, ReviewGroup, ReviewPolicy
from hub.common import governed
from hub.common.errors import ConfigError
from hub.common.governed import Held
from hub.common.registry import kind
from hub.config import documents
from hub.config import services as config

pytestmark = pytest.mark.django_db
FIELD = {"name": "note", "title": "Note", "type": "string", "classification": "internal", "seen": "3"}
OTHER = {"type": "string", "title": "Who buys"}


def sources(*found):
    return [documents.Source(document, "test", number) for number, document in enumerate(found, 1)]


def test_without_a_policy_everything_takes_effect_at_once(contract, edited, ada):
    assert governed.put([edited(buyer=OTHER)], by=ada).is_applied
    assert not ChangeRequest.objects.exists()


def test_a_put_that_a_policy_speaks_of_becomes_a_change_request(watched, edited, ada):
    put = governed.put([edited(buyer=OTHER)], by=ada, reason="As sales says.")
    change = ChangeRequest.objects.get()
    assert (put.is_applied, put.url) == (False, change.get_absolute_url())
    assert put.said == f"Sent to review as #{change.pk}: it takes effect when PMO agrees."
    assert "title" not in kind("Contract").dump("order")["schema"]["properties"]["buyer"]


def test_a_path_that_no_policy_speaks_of_passes(contract, edited, ada, finance):
    ReviewPolicy.objects.create(slug="rates", name="Rates", kind="Contract", path="**.rate", group=finance)
    assert governed.put([edited(buyer=OTHER)], by=ada).is_applied
    assert not governed.put([edited(rate={"type": "string", "title": "Rate"})], by=ada).is_applied


def test_a_policy_of_another_domain_is_not_asked(contract, edited, ada, finance, domains):
    ReviewPolicy.objects.create(slug="hr", name="People", kind="Contract", group=finance, domain=domains["resource"])
    assert governed.put([edited(buyer=OTHER)], by=ada).is_applied


def add(contract, name, by, required=False):
    return contracts.save_field(contract=contract, name=name, spec=OTHER, required=required, by=by)


def test_an_edit_by_a_service_is_held_with_what_would_come_of_it(watched, ada):
    with pytest.raises(Held, match="Sent to review"):
        add(watched, "note", ada)
    assert watched.versions.count() == 3
    assert "note" in ChangeRequest.objects.get().items.get().proposed["schema"]["properties"]


def test_a_second_edit_joins_the_change_that_waits_and_keeps_the_first(watched, ada):
    for name in ("note", "memo"):
        with pytest.raises(Held):
            add(watched, name, ada, required=True)
    proposed = ChangeRequest.objects.get().items.get().proposed["schema"]
    assert {"note", "memo"} <= set(proposed["properties"])
    assert proposed["required"] == ["code", "note", "memo"]


def test_an_edit_by_a_service_that_nobody_reviews_is_done(contract, ada, finance):
    ReviewPolicy.objects.create(slug="rates", name="Rates", kind="Contract", path="**.rate", group=finance)
    assert add(contract, "note", ada).number == 4


def test_a_page_leads_from_its_form_to_the_change(watched, ada, browse):
    answer = browse(ada).post("/contracts/order/fields/new/", FIELD, follow=True)
    change = ChangeRequest.objects.get()
    assert answer.redirect_chain == [(change.get_absolute_url(), 302)]
    assert "Sent to review" in answer.content.decode()
    assert f"#{change.pk}" in browse(ada).get("/contracts/order/").content.decode()


def test_the_api_answers_202_with_the_address_of_the_change(watched, ada, browse):
    answer = browse(ada).delete("/api/v1/contracts/order/fields/buyer/")
    change = ChangeRequest.objects.get()
    assert (answer.status_code, answer.json()["url"]) == (202, change.get_absolute_url())
    assert "buyer" not in change.items.get().proposed["schema"]["properties"]


def test_a_settings_form_may_touch_two_objects(watched, ada):
    with pytest.raises(Held):
        contracts.change_entity(watched.entity, by=ada, mode="freeze", description="What we sell.")
    kinds = ChangeRequest.objects.get().items.values_list("kind", flat=True)
    assert sorted(kinds) == ["Contract", "Entity"]


def test_applied_files_open_one_change_request_for_all_of_them(watched, edited, ada, grace):
    system = {"kind": "System", "slug": "crm", "name": "CRM", "category": "crm"}
    done = config.apply(sources(system, edited(buyer=OTHER)), by=ada)
    assert done.held.url == ChangeRequest.objects.get().get_absolute_url()
    assert kind("System").dump("crm") is None
    assert sorted(ChangeRequest.objects.get().items.values_list("kind", flat=True)) == ["Contract", "System"]


def test_nobody_applies_files_past_the_reviewers_without_a_name(watched, edited, tmp_path, capsys, ada):
    with pytest.raises(ConfigError, match="nobody stands behind it"):
        config.apply(sources(edited(buyer=OTHER)))
    documents.write(tmp_path, [edited(buyer=OTHER)])
    call_command("config", "apply", str(tmp_path), "--json", "--by", ada.email)
    said = json.loads(capsys.readouterr().out)
    assert said["held"]["said"].startswith("Sent to review as #")
    assert ChangeRequest.objects.get().author == ada


def test_an_open_change_makes_the_next_export_no_different(watched, edited, ada):
    before = list(config.export())
    governed.put([edited(buyer=OTHER)], by=ada)
    assert list(config.export()) == before


def test_groups_and_policies_are_configuration(domains, ada):
    group = {"kind": "ReviewGroup", "slug": "hr", "name": "HR", "members": ["ada@example.com"]}
    policy = {
        "kind": "ReviewPolicy",
        "slug": "people",
        "name": "People",
        "of_kind": "Contract",
        "path": "**.pay",
        "group": "hr",
    }
    config.apply(sources(policy, group), by=ada)
    assert ReviewPolicy.objects.get().kind == "Contract"
    assert not config.plan(sources(*(d for d in config.export() if d["kind"].startswith("Review")))).steps


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"of_kind": "Nonsense"}, "There is no kind 'Nonsense'"),
        ({"path": "a..b"}, "A path is names between dots"),
        ({"approvals": 0}, "greater than or equal to 1"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(domains, ada, change, sentence):
    ReviewGroup.objects.create(slug="hr", name="HR")
    policy = {"kind": "ReviewPolicy", "slug": "p", "name": "P", "group": "hr", **change}
    with pytest.raises(ConfigError, match=sentence):
        config.apply(sources(policy), by=ada)


def test_once_policies_are_reviewed_nobody_lifts_them_alone(watched, pmo, ada):
    ReviewPolicy.objects.create(slug="policies", name="Policies", kind="ReviewPolicy", group=pmo)
    weaker = {
        "kind": "ReviewPolicy",
        "slug": "all",
        "name": "Contracts",
        "of_kind": "Contract",
        "path": "none",
        "group": "pmo",
    }
    assert not governed.put([weaker], by=ada).is_applied
