"""Mappings over the API: the same rules as on the pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.accounts.services import create_token
from hub.sync.models import Sync
from mappings.models import DraftEdit, Mapping, MappingVersion, ValueMap
from tests.mappings_web import world

pytestmark = pytest.mark.django_db

HERE = "mappings/times/"
RECORD = world.RECORDS[0]
HOURS_IN_MINUTES = [
    *world.RULES[:2],
    {"target": "hours", "source": "minutes", "type": "decimal", "convert": ["minutes_to_hours"]},
]


def send(client: Any, method: str, path: str, data: Any = None) -> Any:
    return getattr(client, method)(f"/api/v1/{path}", json.dumps(data or {}), content_type="application/json")


def get(client: Any, path: str) -> Any:
    return client.get(f"/api/v1/{path}")


# Who may what ----------------------------------------------------------------------------------------------
WRITES = [
    ("post", "mappings/"),
    ("delete", HERE),
    ("put", f"{HERE}draft/"),
    ("delete", f"{HERE}draft/"),
    ("post", f"{HERE}activate/"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_viewer_sees_mappings_and_changes_none(live, make_person, browse, method, path):
    client = browse(make_person("Vera", "viewer"))
    assert get(client, HERE).status_code == 200
    assert send(client, method, path, {"rules": []}).status_code == 403


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_finance_changes_no_mapping(live, finn, browse, method, path):
    assert send(browse(finn), method, path, {"rules": []}).status_code == 403


READS = ["mappings/", HERE, f"{HERE}versions/", f"{HERE}versions/1/", f"{HERE}draft/", f"{HERE}suggest/"]


@pytest.mark.parametrize("path", READS)
def test_who_holds_no_role_sees_nothing(live, mallory, browse, path):
    assert get(browse(mallory), path).status_code == 403


@pytest.mark.parametrize("path", READS[1:])
def test_mappings_of_another_domain_do_not_exist(live, make_person, browse, path):
    client = browse(make_person("Otto", ("integration_admin", "resource")))
    assert get(client, path).status_code == 404
    assert get(client, "mappings/").json()["results"] == []
    assert send(client, "put", f"{HERE}draft/", {"rules": []}).status_code == 404
    assert send(client, "post", f"{HERE}preview/", {"records": [RECORD]}).status_code == 404


def test_who_edits_one_domain_and_sees_another_cannot_edit_there(live, make_person, browse):
    client = browse(make_person("Otto", "viewer", ("integration_admin", "resource")))
    assert get(client, HERE).status_code == 200
    assert send(client, "put", f"{HERE}draft/", {"rules": []}).status_code == 404


def test_no_mapping_is_made_for_an_entity_of_another_domain(live, make_person, browse):
    client = browse(make_person("Otto", "viewer", ("integration_admin", "resource")))
    wanted = {"slug": "mine", "name": "Mine", "direction": "in", "stream": "psa-times", "entity": "time_entry"}
    answer = send(client, "post", "mappings/", wanted)
    assert answer.status_code == 400
    assert "entity" in answer.json()["errors"]


def test_token_that_may_only_read_changes_nothing(live, ada, client):
    _, secret = create_token(ada, name="t", days=1, by=ada, is_read_only=True)
    headers = {"Authorization": f"Bearer {secret}"}
    assert client.get(f"/api/v1/{HERE}", headers=headers).status_code == 200
    assert client.delete(f"/api/v1/{HERE}draft/", headers=headers).status_code == 403


# Mappings --------------------------------------------------------------------------------------------------
def test_mapping_is_made_with_an_empty_draft_and_its_maker_is_known(live, ada, browse):
    wanted = {"slug": "back", "name": "Back", "direction": "out", "stream": "psa-times", "entity": "time_entry"}
    made = send(browse(ada), "post", "mappings/", wanted)
    assert made.status_code == 201, made.content
    assert made.json() == {**wanted, "active_version": None, "draft_version": 1}
    assert Mapping.history.filter(slug="back").get().history_user == ada


@pytest.mark.parametrize("slug", ["new", "value-maps", "times", "Not a slug"])
def test_slug_that_is_taken_or_an_address_of_a_page_is_refused(live, ada, browse, slug):
    wanted = {"slug": slug, "name": "X", "direction": "in", "stream": "psa-times", "entity": "time_entry"}
    answer = send(browse(ada), "post", "mappings/", wanted)
    assert answer.status_code == 400
    assert "slug" in answer.json()["errors"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("direction=in", ["times"]),
        ("direction=out", []),
        ("system=psa", ["times"]),
        ("stream=psa-times&entity=time_entry", ["times"]),
        ("entity=project", []),
        ("state=live", ["times"]),
        ("state=draft", []),
        ("state=never", []),
        ("state=other", []),
        ("q=entries+psa", ["times"]),
        ("q=nothing%00", []),
    ],
)
def test_list_is_filtered_by_its_address(live, ada, browse, query, expected):
    found = get(browse(ada), f"mappings/?{query}").json()["results"]
    assert [each["slug"] for each in found] == expected


def test_mapping_that_a_sync_uses_is_not_deleted(live, ada, browse):
    Sync.objects.create(slug="nightly", name="Nightly", mapping=live)
    refused = send(browse(ada), "delete", HERE)
    assert refused.status_code == 409
    assert "Nightly" in refused.json()["detail"]
    Sync.objects.all().delete()
    assert send(browse(ada), "delete", HERE).status_code == 204
    assert not Mapping.objects.exists()


# Drafts and versions ---------------------------------------------------------------------------------------
def test_activation_makes_the_next_version_and_leaves_no_draft(live, ada, browse):
    client = browse(ada)
    rules = [*world.RULES, {"target": "comment", "kind": "constant", "value": "from the PSA"}]
    saved = send(client, "put", f"{HERE}draft/", {"rules": rules})
    assert saved.json() == get(client, f"{HERE}draft/").json()
    assert (saved.json()["number"], saved.json()["rules"]) == (2, rules)
    live_now = send(client, "post", f"{HERE}activate/", {"note": "Comments are wanted."})
    assert live_now.status_code == 200, live_now.content
    expected = {"number": 2, "status": "active", "note": "Comments are wanted.", "rules": rules}
    assert live_now.json().items() >= {**expected, "created_by": "ada@example.com"}.items()
    listed = get(client, f"{HERE}versions/").json()["results"]
    assert [(each["number"], each["status"]) for each in listed] == [(2, "active"), (1, "superseded")]
    assert get(client, f"{HERE}versions/1/").json()["rules"] == world.RULES
    assert get(client, f"{HERE}versions/9/").status_code == 404
    assert get(client, f"{HERE}draft/").status_code == 404


def test_change_over_the_api_can_be_taken_back_on_the_page(live, ada, browse):
    send(browse(ada), "put", f"{HERE}draft/", {"rules": world.RULES[:2]})
    edit = DraftEdit.objects.get()
    assert (edit.made_by, edit.before, edit.targets) == (ada, world.RULES, ["hours"])


def test_draft_that_leaves_required_fields_empty_does_not_go_live(live, ada, browse):
    client = browse(ada)
    send(client, "put", f"{HERE}draft/", {"rules": world.RULES[:1]})
    refused = send(client, "post", f"{HERE}activate/")
    assert refused.status_code == 422
    assert refused.json()["code"] == "DRAFT_BLOCKED"
    assert "Person is required and has no rule." in refused.json()["detail"]
    assert "Hours is required and has no rule." in refused.json()["detail"]
    assert live.versions.get(status="active").number == 1


def test_nothing_goes_live_without_a_draft(live, ada, browse):
    refused = send(browse(ada), "post", f"{HERE}activate/")
    assert refused.status_code == 422
    assert "no draft" in refused.json()["detail"]


def test_draft_that_somebody_changed_meanwhile_is_neither_overwritten_nor_activated(live, ada, browse):
    client = browse(ada)
    seen = send(client, "put", f"{HERE}draft/", {"rules": world.RULES[:2]}).json()["mark"]
    saved = send(client, "put", f"{HERE}draft/", {"rules": world.RULES, "seen": seen})
    assert saved.status_code == 200, saved.content
    late = send(client, "put", f"{HERE}draft/", {"rules": [], "seen": seen})
    assert late.json()["code"] == "CHANGED_MEANWHILE"
    assert send(client, "post", f"{HERE}activate/", {"seen": seen}).json()["code"] == "CHANGED_MEANWHILE"
    assert get(client, f"{HERE}draft/").json() == saved.json()
    assert saved.json()["rules"] == world.RULES


def test_discarding_the_draft_leaves_what_is_live(live, ada, browse):
    client = browse(ada)
    send(client, "put", f"{HERE}draft/", {"rules": []})
    assert client.delete(f"/api/v1/{HERE}draft/").status_code == 204
    assert live.versions.get().status == "active"


@pytest.mark.parametrize(
    ("rules", "status", "words"),
    [
        ([{"target": "x", "kind": "magic"}], 422, "magic"),
        ([{"target": "hours", "source": "hours", "sauce": "x"}], 422, "did you mean source?"),
        ([{"target": "hours", "source": "a"}, {"target": "hours", "source": "b"}], 422, "hours"),
        (["hours"], 400, "Some fields are not right"),
        ("hours", 400, "Some fields are not right"),
    ],
)
def test_wrong_rules_get_sentences_and_save_nothing(live, ada, browse, rules, status, words):
    answer = send(browse(ada), "put", f"{HERE}draft/", {"rules": rules})
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("application/problem+json")
    assert words in answer.json()["detail"]
    assert not live.versions.filter(status="draft").exists()


@pytest.mark.parametrize("text", [r"\u0000", r"\ud800"])
def test_text_that_cannot_be_stored_is_refused(live, ada, browse, text):
    body = f'{{"rules": [{{"target": "hours", "source": "hours", "note": "{text}"}}]}}'
    answer = browse(ada).put(f"/api/v1/{HERE}draft/", body, content_type="application/json")
    assert answer.status_code == 400


# Trying ----------------------------------------------------------------------------------------------------
def test_preview_shows_every_step_and_writes_nothing(live, ada, browse):
    before = (MappingVersion.objects.count(), DraftEdit.objects.count())
    record = {**RECORD, "minutes": 90}
    tried = send(browse(ada), "post", f"{HERE}preview/", {"records": [record], "rules": HOURS_IN_MINUTES}).json()
    (result,) = tried["results"]
    assert result["mapped"] == {"number": "TE-90112", "person": "person0@example.com", "hours": "1.50"}
    trace = next(each for each in result["trace"] if each["target"] == "hours")
    assert (trace["source"], trace["raw"], trace["value"], trace["error"]) == ("minutes", 90, "1.50", "")
    assert [step["fn"] for step in trace["steps"]] == ["minutes_to_hours", "decimal"]
    assert trace["steps"][0]["before"] == 90
    assert (MappingVersion.objects.count(), DraftEdit.objects.count()) == before


def test_preview_says_for_each_record_what_is_wrong(live, ada, browse):
    records = [RECORD, {**RECORD, "hours": "eight"}]
    good, bad = send(browse(ada), "post", f"{HERE}preview/", {"records": records}).json()["results"]
    assert good["mapped"]["hours"] == "8.00"
    assert good["reasons"] == []
    assert bad["mapped"] is None
    assert "eight" in bad["reasons"][0]
    assert "eight" in next(each["error"] for each in bad["trace"] if each["target"] == "hours")


def test_preview_tells_missing_from_empty(live, ada, browse):
    record = {"number": "T-1", "user": {"email": None}}
    (result,) = send(browse(ada), "post", f"{HERE}preview/", {"records": [record]}).json()["results"]
    traces = {each["target"]: each for each in result["trace"]}
    assert traces["person"]["value"] is None
    assert not {"value", "raw"} & traces["hours"].keys()


def test_preview_loses_no_digit_of_a_number(live, ada, browse):
    body = '{"records": [{"number": "1", "user": {"email": "a"}, "hours": 12345678901234567.89}]}'
    answer = browse(ada).post(f"/api/v1/{HERE}preview/", body, content_type="application/json")
    assert answer.json()["results"][0]["mapped"]["hours"] == "12345678901234567.89"


def test_preview_takes_twenty_records_and_no_more(live, ada, browse):
    client = browse(ada)
    assert send(client, "post", f"{HERE}preview/", {"records": [RECORD] * 20}).status_code == 200
    assert send(client, "post", f"{HERE}preview/", {"records": [RECORD] * 21}).status_code == 400
    assert send(client, "post", f"{HERE}preview/", {"records": []}).status_code == 400


def test_rules_that_cannot_be_compiled_get_a_sentence_in_the_preview(live, ada, browse):
    rules = [{"target": "comment", "kind": "expression", "text": "notes &"}]
    answer = send(browse(ada), "post", f"{HERE}preview/", {"records": [RECORD], "rules": rules})
    assert answer.status_code == 422
    assert "comment" in answer.json()["detail"]


def test_viewer_may_try_rules(live, make_person, browse):
    client = browse(make_person("Vera", "viewer"))
    assert send(client, "post", f"{HERE}preview/", {"records": [RECORD]}).status_code == 200
    assert send(client, "post", f"{HERE}validate/").status_code == 200


def test_validation_lists_problems_with_their_fixes_and_coverage(draft, ada, browse):
    found = send(browse(ada), "post", f"{HERE}validate/").json()
    assert found["coverage"] == {
        "required_mapped": 0,
        "required_total": 3,
        "optional_mapped": 0,
        "optional_total": 6,
    }
    blocking = {each["target"]: each for each in found["problems"] if each["severity"] == "error"}
    assert set(blocking) == {"number", "person", "hours"}
    assert blocking["number"]["quick_fix"]["rule"]["source"] == "number"


def test_validation_of_rules_that_are_sent_leaves_the_draft_alone(draft, ada, browse):
    rules = [*world.RULES, {"target": "nonsense.field", "source": "hours", "value_map": "none", "kind": "value_map"}]
    found = send(browse(ada), "post", f"{HERE}validate/", {"rules": rules}).json()
    assert found["coverage"]["required_mapped"] == 3
    assert {each["target"] for each in found["problems"]} == {"nonsense.field"}
    assert draft.versions.get().rules == []


def test_suggestions_carry_rules_that_can_be_saved(draft, ada, browse):
    client = browse(ada)
    found = get(client, f"{HERE}suggest/").json()["suggestions"]
    by_target = {each["target"]: each for each in found}
    assert by_target["number"]["is_sure"]
    assert by_target["number"]["reasons"]
    saved = send(client, "put", f"{HERE}draft/", {"rules": [each["rule"] for each in found]})
    assert saved.status_code == 200, saved.content
    assert get(client, f"{HERE}suggest/").json()["suggestions"] == []


def test_value_map_that_rules_name_is_used_in_the_preview(live, kinds, ada, browse):
    rules = [{"target": "activity", "kind": "value_map", "source": "kind", "value_map": "kinds"}]
    tried = send(browse(ada), "post", f"{HERE}preview/", {"records": [RECORD], "rules": rules}).json()
    assert tried["results"][0]["mapped"] == {"activity": "design"}
    assert ValueMap.objects.get().revision == kinds.revision
