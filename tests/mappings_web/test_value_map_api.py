"""Value maps over the API: settings, whole tables, tables from CSV."""

from __future__ import annotations

import pytest

from mappings.models import ValueMap
from tests.mappings_web import world
from tests.mappings_web.test_api import get, send

pytestmark = pytest.mark.django_db

HERE = "value-maps/kinds/"
DES, TRV = {"source": "DES", "target": "design"}, {"source": "TRV", "target": "travel"}


# Who may what ----------------------------------------------------------------------------------------------
WRITES = [
    ("post", "value-maps/"),
    ("patch", HERE),
    ("put", HERE),
    ("delete", HERE),
    ("put", f"{HERE}entries/"),
    ("post", f"{HERE}import/"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_viewer_sees_value_maps_and_changes_none(kinds, make_person, browse, method, path):
    client = browse(make_person("Vera", "viewer"))
    assert get(client, HERE).status_code == 200
    assert send(client, method, path).status_code == 403


@pytest.mark.parametrize("path", ["value-maps/", HERE, f"{HERE}entries/"])
def test_who_holds_no_role_sees_nothing(kinds, mallory, browse, path):
    assert get(browse(mallory), path).status_code == 403


def test_who_works_in_one_domain_sees_its_value_maps_alone(domains, make_person, browse):
    world.value_map("ours", domain=domains["resource"])
    world.value_map("theirs", domain=domains["billing-gl"])
    world.value_map("firm")
    client = browse(make_person("Fay", ("finance", "resource")))
    assert [each["slug"] for each in get(client, "value-maps/").json()["results"]] == ["ours"]
    for slug in ("theirs", "firm"):
        assert get(client, f"value-maps/{slug}/").status_code == 404
        assert send(client, "put", f"value-maps/{slug}/entries/", {"entries": []}).status_code == 404


def test_who_works_in_one_domain_makes_no_value_map_beyond_it(domains, make_person, browse):
    client = browse(make_person("Fay", ("finance", "resource")))
    for domain in (None, "billing-gl"):
        answer = send(client, "post", "value-maps/", {"slug": "x", "name": "X", "domain": domain})
        assert answer.status_code == 400
        assert "domain" in answer.json()["errors"]
    assert send(client, "post", "value-maps/", {"slug": "x", "name": "X"}).status_code == 400
    assert send(client, "post", "value-maps/", {"slug": "x", "name": "X", "domain": "resource"}).status_code == 201
    assert send(client, "patch", "value-maps/x/", {"domain": None}).status_code == 400
    assert send(client, "patch", "value-maps/x/", {"name": "Y"}).status_code == 200


# Settings --------------------------------------------------------------------------------------------------
def test_finance_keeps_value_maps(finn, browse, domains):
    client = browse(finn)
    made = send(client, "post", "value-maps/", {"slug": "kinds", "name": "Kinds"})
    assert made.status_code == 201, made.content
    assert made.json().items() >= {"slug": "kinds", "domain": None, "on_unmapped": "fail", "entry_count": 0}.items()
    changed = send(client, "patch", HERE, {"on_unmapped": "default", "default": "other", "slug": "moved"}).json()
    assert changed.items() >= {"slug": "kinds", "default": "other", "revision": 2}.items()
    assert ValueMap.history.first().history_user == finn
    assert send(client, "delete", HERE).status_code == 204
    assert not ValueMap.objects.exists()


def test_default_is_named_where_unlisted_values_become_it(kinds, finn, browse):
    answer = send(browse(finn), "patch", HERE, {"on_unmapped": "default"})
    assert answer.status_code == 400
    assert "default" in answer.json()["errors"]


@pytest.mark.parametrize("slug", ["new", "kinds"])
def test_slug_that_is_taken_or_an_address_of_a_page_is_refused(kinds, finn, browse, slug):
    answer = send(browse(finn), "post", "value-maps/", {"slug": slug, "name": "X"})
    assert answer.status_code == 400
    assert "slug" in answer.json()["errors"]


def test_value_map_that_a_mapping_names_is_not_deleted(kinds, live, finn, browse):
    live.versions.update(rules=[{"target": "activity", "kind": "value_map", "source": "kind", "value_map": "kinds"}])
    refused = send(browse(finn), "delete", HERE)
    assert refused.status_code == 409
    assert "Time entries from the PSA" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("q=travel", ["kinds"]), ("q=nothing", []), ("on_unmapped=fail", ["kinds"]), ("domain=resource", [])],
)
def test_list_is_filtered_by_its_address(kinds, finn, browse, query, expected):
    found = get(browse(finn), f"value-maps/?{query}").json()["results"]
    assert [(each["slug"], each["entry_count"]) for each in found] == [(slug, 2) for slug in expected]


# Entries ---------------------------------------------------------------------------------------------------
def test_map_comes_with_its_entries(kinds, finn, browse):
    client = browse(finn)
    assert get(client, HERE).json()["entries"] == [DES, TRV]
    assert get(client, f"{HERE}entries/").json() == {"entries": [DES, TRV], "revision": kinds.revision}


def test_what_is_sent_replaces_the_table_and_what_stays_keeps_its_history(kinds, finn, browse):
    kept = kinds.entries.get(source="DES").pk
    entries = [DES, {"source": "QA", "target": "test", "valid_from": "2026-01-01", "valid_to": "2026-12-31"}]
    saved = send(browse(finn), "put", f"{HERE}entries/", {"entries": entries})
    assert saved.json() == {"entries": entries, "revision": kinds.revision + 1}
    assert kinds.entries.get(source="DES").pk == kept
    assert kinds.entries.get(source="QA").history.get().history_user == finn


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([DES, {**DES, "valid_from": "2026-01-01"}], "entries.1: Two entries for 'DES'"),
        ([{**DES, "valid_from": "2026-02-01", "valid_to": "2026-01-01"}], "entries.0: The period ends"),
        ([{**DES, "valid_from": "1.2.2026"}], "Date has wrong format"),
        ([{"source": "", "target": "x"}], "may not be blank"),
    ],
)
def test_wrong_entries_get_sentences_and_change_nothing(kinds, finn, browse, entries, words):
    answer = send(browse(finn), "put", f"{HERE}entries/", {"entries": entries})
    assert answer.status_code == 400
    assert words in str(answer.json()["errors"])
    assert kinds.entries.count() == 2


@pytest.mark.parametrize("text", [r"\u0000", r"\ud800"])
def test_text_that_cannot_be_stored_is_refused(kinds, finn, browse, text):
    body = f'{{"entries": [{{"source": "{text}", "target": "x"}}]}}'
    answer = browse(finn).put(f"/api/v1/{HERE}entries/", body, content_type="application/json")
    assert answer.status_code == 400
    assert kinds.entries.count() == 2


def test_table_that_somebody_changed_meanwhile_is_not_replaced(kinds, finn, browse):
    late = {"entries": [], "seen_revision": kinds.revision - 1}
    assert send(browse(finn), "put", f"{HERE}entries/", late).json()["code"] == "CHANGED_MEANWHILE"
    assert kinds.entries.count() == 2


# Import ----------------------------------------------------------------------------------------------------
CSV = "source,target\nDES,concept\nQA,test\n"


def test_import_first_shows_what_it_would_change(kinds, finn, browse):
    answer = send(browse(finn), "post", f"{HERE}import/", {"csv": CSV, "remove_others": True})
    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "applied": False,
        "added": [{"source": "QA", "target": "test"}],
        "changed": [{"before": DES, "after": {"source": "DES", "target": "concept"}}],
        "removed": [TRV],
        "unchanged": 0,
        "revision": kinds.revision,
    }
    assert kinds.entries.get(source="DES").target == "design"


def test_import_that_is_applied_keeps_what_the_text_lacks_unless_told(kinds, finn, browse):
    client = browse(finn)
    answer = send(client, "post", f"{HERE}import/", {"csv": CSV, "apply": True}).json()
    assert (answer["applied"], answer["removed"], answer["revision"]) == (True, [], kinds.revision + 1)
    assert list(kinds.entries.values_list("source", "target")) == [
        ("DES", "concept"),
        ("QA", "test"),
        ("TRV", "travel"),
    ]
    send(client, "post", f"{HERE}import/", {"csv": CSV, "apply": True, "remove_others": True})
    assert list(kinds.entries.values_list("source", flat=True)) == ["DES", "QA"]


def test_import_is_all_or_nothing_and_names_the_lines_that_are_wrong(kinds, finn, browse):
    csv = "source,target,valid_from\nQA,test,\nOPS,run,soon\n,none,\n"
    answer = send(browse(finn), "post", f"{HERE}import/", {"csv": csv, "apply": True})
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("application/problem+json")
    lines = answer.json()["errors"]["csv"]
    assert [line.split(":")[0] for line in lines] == ["Line 3", "Line 4"]
    assert kinds.entries.count() == 2


def test_import_that_clashes_with_entries_that_stay_is_refused(kinds, finn, browse):
    csv = "source,target,valid_from\nDES,concept,2026-01-01\n"
    answer = send(browse(finn), "post", f"{HERE}import/", {"csv": csv, "apply": True})
    assert answer.status_code == 400
    assert "Two entries for 'DES'" in answer.json()["errors"]["csv"][0]
    assert kinds.entries.count() == 2


def test_import_of_a_plan_that_is_out_of_date_is_refused(kinds, finn, browse):
    late = {"csv": CSV, "apply": True, "seen_revision": kinds.revision - 1}
    assert send(browse(finn), "post", f"{HERE}import/", late).json()["code"] == "CHANGED_MEANWHILE"
    assert kinds.entries.count() == 2
