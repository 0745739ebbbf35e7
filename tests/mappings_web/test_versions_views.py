"""Going live, discarding, comparing and restoring; suggestions that wait for a click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from django.test import Client

from hub.common import facts
from hub.sync.models import Sync
from mappings.drafts import rules_mark
from mappings.models import Mapping
from mappings.services import save_draft_rules
from tests.mappings_web import world
from tests.mappings_web.test_editor_views import draft_rules, set_source

Browse = Callable[[Any], Client]


def seen(mapping: Mapping) -> str:
    return rules_mark(mapping.versions.get(status="draft").rules)


def test_activating_says_what_changes_and_makes_the_draft_live(browse: Browse, ada: Any, live: Mapping) -> None:
    client, told = browse(ada), []
    facts.subscribe("mapping_activated", lambda version: told.append(version))
    set_source(client, live, "date", "worked_on")
    page = client.get("/mappings/times/activate/").content.decode()
    assert "1 added." in page
    assert "from worked_on, as date" in page
    answer = client.post("/mappings/times/activate/", {"note": "Dates too.", "seen": seen(live)})
    assert answer.headers["Location"] == "/mappings/times/"
    version = live.versions.get(status="active")
    assert (version.number, version.note, version.created_by) == (2, "Dates too.", ada)
    assert live.versions.get(number=1).status == "superseded"
    assert told == [version]


def test_a_draft_with_a_problem_that_blocks_does_not_go_live(browse: Browse, ada: Any, draft: Mapping) -> None:
    client = browse(ada)
    set_source(client, draft, "hours", "hours")
    assert "problems block" in client.get("/mappings/times/activate/").content.decode()
    answer = client.post("/mappings/times/activate/", {"seen": seen(draft)})
    assert answer.status_code == 422
    assert not draft.versions.filter(status="active").exists()


def test_a_draft_that_changed_since_it_was_looked_at_does_not_go_live(browse: Browse, ada: Any, live: Mapping) -> None:
    client = browse(ada)
    set_source(client, live, "date", "worked_on")
    before = seen(live)
    set_source(client, live, "comment", "notes")
    answer = client.post("/mappings/times/activate/", {"seen": before})
    assert answer.status_code == 422
    assert "meanwhile" in answer.content.decode()


def test_discarding_leaves_what_is_live(browse: Browse, ada: Any, live: Mapping) -> None:
    client = browse(ada)
    set_source(client, live, "date", "worked_on")
    client.post("/mappings/times/discard/")
    assert [version.status for version in live.versions.all()] == ["active"]


def test_two_versions_are_compared_in_words_and_an_old_one_is_restored(browse: Browse, ada: Any, live: Mapping) -> None:
    client = browse(ada)
    set_source(client, live, "person", "number")
    client.post("/mappings/times/activate/", {"seen": seen(live)})
    page = client.get("/mappings/times/versions/?from=1&to=2").content.decode()
    assert "from user.email" in page
    assert "from number" in page
    client.post("/mappings/times/versions/1/restore/")
    assert draft_rules(live)["person"]["source"] == "user.email"


def test_a_viewer_may_compare_and_not_restore(browse: Browse, make_person: Any, live: Mapping) -> None:
    viewer = browse(make_person("Vera", "viewer"))
    assert viewer.get("/mappings/times/versions/").status_code == 200
    assert viewer.post("/mappings/times/versions/1/restore/").status_code == 403
    assert viewer.get("/mappings/times/activate/").status_code == 403


def test_the_document_is_what_is_live(browse: Browse, ada: Any, live: Mapping) -> None:
    client = browse(ada)
    set_source(client, live, "date", "worked_on")
    file = client.get("/mappings/times.yaml")
    document = yaml.safe_load(file.content)
    assert document["kind"] == "Mapping"
    assert document["rules"] == world.RULES
    assert "worked_on" in client.get("/mappings/times/document/").content.decode()


def test_looking_at_suggestions_changes_nothing(browse: Browse, ada: Any, draft: Mapping) -> None:
    page = browse(ada).get("/mappings/times/suggestions/").content.decode()
    assert "Accept ≥ 0.90" in page
    assert "same name" in page
    assert draft_rules(draft) == {}


def test_only_ticked_suggestions_are_accepted(browse: Browse, ada: Any, draft: Mapping) -> None:
    client = browse(ada)
    client.post("/mappings/times/suggestions/", {"target": ["hours=hours", "number=notes"]})
    assert set(draft_rules(draft)) == {"hours"}


def test_the_sure_ones_are_accepted_at_once_and_undone_at_once(browse: Browse, ada: Any, draft: Mapping) -> None:
    client = browse(ada)
    client.post("/mappings/times/suggestions/", {"sure": "1"})
    assert {"number", "hours"} <= set(draft_rules(draft))
    edit = draft.versions.get(status="draft").edits.get()
    client.post("/mappings/times/undo/", {"edit": edit.pk})
    assert draft_rules(draft) == {}


def test_a_rule_that_a_person_made_is_never_replaced_by_a_suggestion(browse: Browse, ada: Any, draft: Mapping) -> None:
    save_draft_rules(
        mapping=draft, rules=[{"target": "hours", "kind": "constant", "value": "1.00", "type": "decimal"}], by=ada
    )
    browse(ada).post("/mappings/times/suggestions/", {"target": "hours=hours", "sure": "1"})
    assert draft_rules(draft)["hours"]["kind"] == "constant"


def test_a_mapping_out_fills_the_fields_of_the_stream_and_free_ones(browse: Browse, ada: Any, domains: Any) -> None:
    mapping = world.mapping("out")
    client = browse(ada)
    page = client.get("/mappings/times/?field=custom.cost_centre").content.decode()
    assert 'id="r-user-email' in page
    assert "The target does not list this field" in page
    set_source(client, mapping, "custom.cost_centre", "person")
    set_source(client, mapping, "number", "number")
    assert set(draft_rules(mapping)) == {"custom.cost_centre", "number"}
    assert "Not listed by the target" in client.get("/mappings/times/").content.decode()
    set_source(client, mapping, "cost_rate", "cost_rate")
    assert "61.5" not in client.get("/mappings/times/?panel=output").content.decode()


def test_a_mapping_is_renamed_and_its_history_tells_it(browse: Browse, ada: Any, live: Mapping) -> None:
    client = browse(ada)
    client.post("/mappings/times/settings/", {"name": "Hours"})
    page = client.get("/mappings/times/settings/").content.decode()
    assert "<h1>Hours" in page
    assert "Named Hours" in page
    assert "by Ada" in page
    assert "Version 1 live" in page


def test_only_a_mapping_that_no_sync_uses_is_deleted(browse: Browse, ada: Any, finn: Any, live: Mapping) -> None:
    sync = Sync.objects.create(slug="times", name="Hours of the PSA", mapping=live)
    client = browse(ada)
    page = client.post("/mappings/times/delete/", follow=True).content.decode()
    assert "Hours of the PSA" in page
    sync.delete()
    assert browse(finn).post("/mappings/times/delete/").status_code == 403
    client.post("/mappings/times/delete/")
    assert not Mapping.objects.exists()
