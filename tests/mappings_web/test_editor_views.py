"""The editor's page: who may see and change what, and that a change is saved, refused or taken back as promised."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from mappings import samples
from mappings.drafts import row_mark
from mappings.models import Mapping, SampleSet
from mappings.rules import parse_rules
from tests.mappings_web import world
from tests.records.builders import put

Browse = Callable[[Any], Client]
HTMX = {"HTTP_HX_REQUEST": "true"}


def mark(mapping: Mapping, target: str) -> str:
    version = mapping.versions.filter(status="draft").first() or mapping.versions.filter(status="active").first()
    rules = parse_rules(version.rules) if version else ()
    return row_mark(next((rule for rule in rules if rule.target == target), None))


def draft_rules(mapping: Mapping) -> dict[str, Any]:
    return {rule["target"]: rule for rule in mapping.versions.get(status="draft").rules}


def set_source(client: Client, mapping: Mapping, target: str, source: str, **extra: Any) -> Any:
    data = {"target": target, "source": source, "seen": mark(mapping, target)}
    return client.post(f"/mappings/{mapping.slug}/row/source/", data, **extra)


def test_the_list_shows_versions_coverage_and_problems(browse: Browse, ada: Any, live: Mapping) -> None:
    page = browse(ada).get("/mappings/").content.decode()
    assert "Time entries from the PSA" in page
    assert "Live v1" in page
    assert "of 3" in page


def test_the_list_is_filtered_and_exported_from_the_same_address(browse: Browse, ada: Any, live: Mapping) -> None:
    client = browse(ada)
    assert "No mapping matches" in client.get("/mappings/?direction=out").content.decode()
    rows = client.get("/mappings.json?direction=in").getvalue()
    assert b'"required_mapped":3' in rows
    assert b"times" in client.get("/mappings.csv").getvalue()


def test_a_new_mapping_opens_with_a_draft(browse: Browse, ada: Any, live: Mapping) -> None:
    client = browse(ada)
    assert client.get("/mappings/new/").status_code == 200
    said = {"direction": "out", "stream": live.stream_id, "entity": live.entity_id, "name": "Times to the PSA"}
    answer = client.post("/mappings/new/", said)
    assert answer.headers["Location"] == "/mappings/times-to-the-psa/"
    assert Mapping.objects.get(slug="times-to-the-psa").versions.get().status == "draft"


def test_a_name_that_is_an_address_of_its_own_is_refused(browse: Browse, ada: Any, live: Mapping) -> None:
    said = {"direction": "in", "stream": live.stream_id, "entity": live.entity_id, "name": "Value maps"}
    assert browse(ada).post("/mappings/new/", said).status_code == 422


def test_someone_without_a_role_is_refused_and_a_viewer_may_not_change(
    browse: Browse, mallory: Any, make_person: Any, draft: Mapping
) -> None:
    assert browse(mallory).get("/mappings/times/").status_code == 403
    viewer = browse(make_person("Vera", "viewer"))
    page = viewer.get("/mappings/times/").content.decode()
    assert "you may read this mapping" in page
    assert "data-combo" not in page
    assert set_source(viewer, draft, "number", "number").status_code == 403
    assert viewer.post("/mappings/times/samples/").status_code == 403


def test_a_mapping_of_another_domain_does_not_exist(browse: Browse, make_person: Any, draft: Mapping) -> None:
    other = browse(make_person("Bert", ("integration_admin", "billing-gl")))
    assert other.get("/mappings/times/").status_code == 404
    assert set_source(other, draft, "number", "number").status_code == 404
    assert "No mappings in your domains" not in other.get("/mappings/").content.decode()


def test_choosing_a_source_saves_the_row_and_tells_the_counts(browse: Browse, ada: Any, draft: Mapping) -> None:
    answer = set_source(browse(ada), draft, "hours", "hours", **HTMX)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert '<template>\n\n<tr id="r-hours" hx-swap-oob="true"' in text
    assert re.search(r'id="tiles"[^>]*hx-swap-oob', text)
    assert 'id="results"' in text
    assert draft_rules(draft) == {"hours": {"target": "hours", "source": "hours", "type": "decimal"}}


def test_a_plain_form_saves_too_and_leads_back(browse: Browse, ada: Any, draft: Mapping) -> None:
    answer = set_source(browse(ada), draft, "hours", "hours")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/mappings/times/")
    assert "hours" in draft_rules(draft)


def test_a_row_takes_its_place_among_the_fields_of_the_target(browse: Browse, ada: Any, live: Mapping) -> None:
    client = browse(ada)
    set_source(client, live, "date", "worked_on")
    set_source(client, live, "billable", "is_billable")
    assert list(draft_rules(live)) == ["number", "person", "hours", "date", "billable"]


def test_a_row_that_somebody_changed_meanwhile_is_not_overwritten(
    browse: Browse, ada: Any, make_person: Any, draft: Mapping
) -> None:
    seen = mark(draft, "person")
    set_source(browse(make_person("Ben", "integration_admin")), draft, "person", "user.email")
    data = {"target": "person", "source": "notes", "seen": seen}
    answer = browse(ada).post("/mappings/times/row/source/", data, **HTMX)
    assert answer.status_code == 409
    assert "person was changed by Ben meanwhile" in answer.content.decode()
    assert draft_rules(draft)["person"]["source"] == "user.email"


def test_two_people_change_different_rows_at_the_same_time(
    browse: Browse, ada: Any, make_person: Any, draft: Mapping
) -> None:
    first, second = mark(draft, "person"), mark(draft, "hours")
    ben = browse(make_person("Ben", "integration_admin"))
    ben.post("/mappings/times/row/source/", {"target": "person", "source": "user.email", "seen": first})
    browse(ada).post("/mappings/times/row/source/", {"target": "hours", "source": "hours", "seen": second})
    assert set(draft_rules(draft)) == {"person", "hours"}


def test_an_empty_source_means_that_the_field_is_not_mapped(browse: Browse, ada: Any, live: Mapping) -> None:
    set_source(browse(ada), live, "person", "")
    assert "person" not in draft_rules(live)


def test_the_inspector_saves_a_whole_rule(browse: Browse, ada: Any, draft: Mapping) -> None:
    data = {
        "target": "comment", "seen": mark(draft, "comment"), "kind": "direct", "source": "notes", "type": "string",
        "step": ["trim", "truncate"], "step-1-length": "12", "on_missing": "null", "write_mode": "if_empty", "note": "x",
    }  # fmt: skip
    answer = browse(ada).post("/mappings/times/row/save/", data, **HTMX)
    assert answer.status_code == 200, answer.content.decode()
    assert draft_rules(draft)["comment"] == {
        "target": "comment",
        "source": "notes",
        "convert": ["trim", {"fn": "truncate", "args": {"length": 12}}],
        "on_missing": "null",
        "write_mode": "if_empty",
        "note": "x",
    }


def test_a_rule_that_is_not_complete_is_told_beside_its_field(browse: Browse, ada: Any, draft: Mapping) -> None:
    client, data = browse(ada), {"target": "comment", "seen": mark(draft, "comment"), "kind": "direct"}
    answer = client.post("/mappings/times/row/save/", data, **HTMX)
    assert answer.status_code == 422
    assert "Source is empty; a rule of the kind direct needs it." in answer.content.decode()
    answer = client.post("/mappings/times/row/save/", {**data, "source": "notes", "step": "truncate"}, **HTMX)
    assert "Truncate needs length" in answer.content.decode()
    assert "comment" not in draft_rules(draft)


def test_the_chain_is_reshaped_without_saving(browse: Browse, ada: Any, draft: Mapping) -> None:
    data = {"target": "comment", "seen": "", "kind": "direct", "source": "notes", "step": ["trim", "upper"]}
    client = browse(ada)
    text = client.post("/mappings/times/row/shape/", {**data, "op": "down-0"}, **HTMX).content.decode()
    assert re.findall(r'name="step" value="(\w+)"', text) == ["upper", "trim"]
    text = client.post("/mappings/times/row/shape/", {**data, "op": "add", "add": "lower"}, **HTMX).content.decode()
    assert re.findall(r'name="step" value="(\w+)"', text) == ["trim", "upper", "lower"]
    text = client.post("/mappings/times/row/shape/", {**data, "op": "remove-0"}).content.decode()
    assert re.findall(r'name="step" value="(\w+)"', text) == ["upper"]
    assert "<h1>" in text
    assert draft_rules(draft) == {}


def test_undo_takes_back_the_newest_change_at_least_twenty_times(browse: Browse, ada: Any, draft: Mapping) -> None:
    client = browse(ada)
    for number in range(22):
        set_source(client, draft, "person", "user.email" if number % 2 == 0 else "number")
    for _ in range(22):
        newest = draft.versions.get(status="draft").edits.first()
        assert newest is not None
        client.post("/mappings/times/undo/", {"edit": newest.pk})
    assert draft_rules(draft) == {}


def test_undo_of_a_change_that_is_not_the_newest_is_refused(browse: Browse, ada: Any, draft: Mapping) -> None:
    client = browse(ada)
    set_source(client, draft, "person", "user.email")
    seen = draft.versions.get(status="draft").edits.get().pk
    set_source(client, draft, "hours", "hours")
    page = client.post("/mappings/times/undo/", {"edit": seen}, follow=True).content.decode()
    assert "changed the draft meanwhile" in page
    assert set(draft_rules(draft)) == {"person", "hours"}


def test_samples_are_read_once_and_kept_encrypted_for_the_reader_alone(
    browse: Browse, ada: Any, make_person: Any, live: Mapping
) -> None:
    client = browse(ada)
    before = client.get("/mappings/times/").content.decode()
    assert "not real records" in before
    client.post("/mappings/times/samples/")
    page = client.get("/mappings/times/").content.decode()
    assert "TE-90112" in page
    assert "negative" in page
    kept = SampleSet.objects.get()
    assert len(kept.content["records"]) == 5
    other = browse(make_person("Ben", "integration_admin")).get("/mappings/times/").content.decode()
    assert "person0@example.com" not in other


def test_samples_whose_hour_is_over_are_gone(browse: Browse, ada: Any, live: Mapping, monkeypatch: Any) -> None:
    monkeypatch.setattr(samples, "LIFETIME", -samples.LIFETIME)
    client = browse(ada)
    client.post("/mappings/times/samples/")
    assert "not real records" in client.get("/mappings/times/").content.decode()
    assert samples.forget_expired_samples() == 1


def test_a_system_that_does_not_answer_leaves_the_examples_and_says_why(
    browse: Browse, ada: Any, live: Mapping
) -> None:
    from hub.common.errors import TransientError
    from tests import memory

    memory.SYSTEMS["psa"].fail_with.append(TransientError("The PSA does not answer."))
    page = browse(ada).post("/mappings/times/samples/", follow=True).content.decode()
    assert "No records could be read: The PSA does not answer." in page


@pytest.mark.parametrize(("field", "value"), [("cost_rate", "61.5"), ("bill_rate", "145.2")])
def test_a_confidential_or_restricted_value_is_never_on_a_page(
    browse: Browse, ada: Any, draft: Mapping, field: str, value: str
) -> None:
    client = browse(ada)
    client.post("/mappings/times/samples/")
    pages = [client.get("/mappings/times/?panel=unused"), client.get("/mappings/times/suggestions/")]
    set_source(client, draft, field, field)
    pages += [
        client.get(f"/mappings/times/?field={field}"),
        client.get("/mappings/times/?panel=output"),
        client.get("/mappings/times/row/sources/?field=comment"),
        client.get(f"/mappings/times/row/inspect/?field={field}", **HTMX),
        client.get("/mappings/times/suggestions/"),
        client.post(
            "/mappings/times/row/preview/",
            {"target": "comment", "kind": "expression", "text": field, "type": "integer"},
            **HTMX,
        ),
    ]
    for page in pages:
        assert page.status_code == 200
        assert value not in page.content.decode()
    assert "The source holds the same value in all samples." in pages[2].content.decode()


def test_samples_of_a_mapping_out_are_records_of_the_hub_without_what_is_masked(
    browse: Browse, ada: Any, domains: Any
) -> None:
    mapping = world.mapping("out")
    body = {"number": "T-7", "person": "R-9", "hours": "3.25", "bill_rate": "145.25"}
    put(mapping.entity, [body], mapping.stream)
    client = browse(ada)
    set_source(client, mapping, "number", "number")
    set_source(client, mapping, "notes", "bill_rate")
    page = client.post("/mappings/times/samples/", follow=True).content.decode()
    assert "T-7" in page
    assert "145.25" not in client.get("/mappings/times/?panel=output").content.decode()


def test_the_preview_shows_each_step_on_five_samples(browse: Browse, ada: Any, draft: Mapping) -> None:
    client = browse(ada)
    client.post("/mappings/times/samples/")
    data = {
        "target": "comment",
        "kind": "direct",
        "source": "notes",
        "step": ["upper", "truncate"],
        "step-1-length": "3",
    }
    text = client.post("/mappings/times/row/preview/", data, **HTMX).content.decode()
    assert text.count("<summary>2 steps</summary>") == 5
    assert "upper:" in text
    assert "PLA" in text
    assert "Not saved." in text
    assert draft_rules(draft) == {}


def test_the_preview_points_at_what_is_wrong_in_an_expression(browse: Browse, ada: Any, draft: Mapping) -> None:
    data = {"target": "comment", "kind": "expression", "text": "notes &\n& 1", "type": "string"}
    text = browse(ada).post("/mappings/times/row/preview/", data, **HTMX).content.decode()
    assert "Line 2, column" in text
    assert re.search(r"&amp; 1\n *\^", text)


def test_sources_come_with_their_likeliness_and_a_sample(browse: Browse, ada: Any, draft: Mapping) -> None:
    client = browse(ada)
    client.post("/mappings/times/samples/")
    text = client.get("/mappings/times/row/sources/?field=hours").content.decode()
    assert re.search(r'data-value="hours"', text)
    assert "8.00" in text
    assert "data-value" not in client.get("/mappings/times/row/sources/?field=hours&source=zzz").content.decode()


def test_rows_are_filtered(browse: Browse, ada: Any, live: Mapping) -> None:
    client = browse(ada)
    set_source(client, live, "date", "worked_on")
    changed = client.get("/mappings/times/?show=changed").content.decode()
    assert 'id="r-date"' in changed
    assert 'id="r-person"' not in changed
    found = client.get("/mappings/times/rows/?q=comm", **HTMX)
    assert found.headers["HX-Push-Url"] == "/mappings/times/?q=comm"
    assert 'id="r-comment"' in found.content.decode()
    assert 'id="r-date"' not in found.content.decode()


def test_a_quick_fix_does_what_its_button_says(browse: Browse, ada: Any, live: Mapping) -> None:
    client = browse(ada)
    client.post("/mappings/times/samples/")
    set_source(client, live, "comment", "notes")
    assert "Cut after 12 characters" in client.get("/mappings/times/").content.decode()
    data = {"target": "comment", "code": "TOO_LONG", "seen": mark(live, "comment")}
    client.post("/mappings/times/row/fix/", data)
    assert draft_rules(live)["comment"]["convert"] == [{"fn": "truncate", "args": {"length": 12}}]


def test_unused_source_fields_are_listed(browse: Browse, ada: Any, live: Mapping) -> None:
    page = browse(ada).get("/mappings/times/?panel=unused").content.decode()
    assert "Unused source 7" in page
    assert "worked_on" in page
