"""Value maps: finance keeps them without being admin; entries, dates, files, history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from mappings.entries import entry_mark
from mappings.models import Mapping, ValueMap
from mappings.services import activate_rules
from tests.mappings_web.test_editor_views import set_source

Browse = Callable[[Any], Client]
HTMX = {"HTTP_HX_REQUEST": "true"}
URL = "/mappings/value-maps/kinds/"


def pairs(value_map: ValueMap) -> dict[str, str]:
    return {row.source: row.target for row in value_map.entries.all()}


def upload(client: Client, text: str, **more: Any) -> Any:
    return client.post(f"{URL}import/", {"file": SimpleUploadedFile("kinds.csv", text.encode()), **more})


def test_finance_changes_value_maps_and_not_mappings(
    browse: Browse, finn: Any, kinds: ValueMap, draft: Mapping
) -> None:
    client = browse(finn)
    client.post(f"{URL}entries/", {"source": "ADM", "target": "design"})
    assert pairs(kinds)["ADM"] == "design"
    assert set_source(client, draft, "number", "number").status_code == 403


def test_a_viewer_reads_and_may_not_change(browse: Browse, make_person: Any, kinds: ValueMap) -> None:
    viewer = browse(make_person("Vera", "viewer"))
    page = viewer.get(URL).content.decode()
    assert "DES" in page
    assert "Add entry" not in page
    assert viewer.post(f"{URL}entries/", {"source": "X", "target": "y"}).status_code == 403


def test_a_map_of_the_whole_firm_needs_the_permission_for_all_domains(
    browse: Browse, make_person: Any, kinds: ValueMap, domains: Any
) -> None:
    limited = browse(make_person("Lena", "viewer", ("finance", "time-expense")))
    assert limited.get(URL).status_code == 200
    assert limited.post(f"{URL}entries/", {"source": "X", "target": "y"}).status_code == 404
    kinds.domain = domains["time-expense"]
    kinds.save()
    assert limited.post(f"{URL}entries/", {"source": "X", "target": "y"}).status_code == 302


def test_the_list_tells_who_uses_a_map(browse: Browse, ada: Any, kinds: ValueMap, live: Mapping) -> None:
    rule = {"target": "activity", "kind": "value_map", "source": "kind", "value_map": "kinds"}
    activate_rules(mapping=live, rules=[rule], by=None)
    client = browse(ada)
    assert "1 mapping<" in client.get("/mappings/value-maps/").content.decode()
    assert b'"used_by":1' in client.get("/mappings/value-maps.json").getvalue()
    assert "Time entries from the PSA" in client.get(URL).content.decode()
    page = client.post(f"{URL}delete/", follow=True).content.decode()
    assert "is used by Time entries from the PSA" in page


def test_overlapping_dates_are_told_in_a_sentence(browse: Browse, finn: Any, kinds: ValueMap) -> None:
    client = browse(finn)
    client.post(f"{URL}entries/", {"source": "X", "target": "a", "valid_from": "2026-01-01", "valid_to": "2026-06-30"})
    answer = client.post(f"{URL}entries/", {"source": "X", "target": "b", "valid_from": "2026-06-30"})
    assert answer.status_code == 422
    assert "are valid on 2026-06-30: end the first one before." in answer.content.decode()
    client.post(f"{URL}entries/", {"source": "X", "target": "b", "valid_from": "2026-07-01"})
    assert kinds.entries.filter(source="X").count() == 2


def test_each_change_raises_the_revision_and_tells_who_made_it(browse: Browse, finn: Any, kinds: ValueMap) -> None:
    client, row = browse(finn), kinds.entries.get(source="DES")
    before = kinds.revision
    data = {"source": "DES", "target": "travel", "seen": entry_mark(row)}
    answer = client.post(f"{URL}entries/{row.pk}/edit/", data, **HTMX)
    assert answer.status_code == 200
    assert "travel" in answer.content.decode()
    kinds.refresh_from_db()
    assert kinds.revision == before + 1
    history = client.get(f"{URL}history/").content.decode()
    assert "DES → design is now DES → travel" in history
    assert "by Finn" in history


def test_an_entry_that_was_changed_meanwhile_is_not_overwritten(browse: Browse, finn: Any, kinds: ValueMap) -> None:
    client, row = browse(finn), kinds.entries.get(source="DES")
    seen = entry_mark(row)
    client.post(f"{URL}entries/{row.pk}/edit/", {"source": "DES", "target": "travel", "seen": seen})
    answer = client.post(f"{URL}entries/{row.pk}/edit/", {"source": "DES", "target": "other", "seen": seen}, **HTMX)
    assert answer.status_code == 409
    assert "changed by Finn meanwhile" in answer.content.decode()
    assert pairs(kinds)["DES"] == "travel"


def test_an_entry_is_opened_and_removed_without_script(browse: Browse, finn: Any, kinds: ValueMap) -> None:
    client, row = browse(finn), kinds.entries.get(source="DES")
    page = client.get(f"{URL}?edit={row.pk}").content.decode()
    assert entry_mark(row) in page
    client.post(f"{URL}entries/{row.pk}/remove/", {"seen": entry_mark(row)})
    assert "DES" not in pairs(kinds)


def test_entries_are_found_by_value_and_by_period(browse: Browse, finn: Any, kinds: ValueMap) -> None:
    kinds.entries.create(source="OLD", target="design", valid_to=date(2000, 1, 1))
    client = browse(finn)
    assert "OLD" in client.get(f"{URL}?period=past").content.decode()
    assert ">DES<" not in client.get(f"{URL}?period=past").content.decode()
    assert ">OLD<" not in client.get(f"{URL}?q=TRV").content.decode()


def test_a_file_is_looked_at_before_anything_changes(browse: Browse, finn: Any, kinds: ValueMap) -> None:
    client = browse(finn)
    answer = upload(client, "source;target\nDES;travel\nADM;design\n", remove_others="on")
    page = answer.content.decode()
    assert answer.status_code == 200
    for words in ("1 added", "1 changed", "1 removed", "0 the same"):
        assert words in page
    assert pairs(kinds) == {"DES": "design", "TRV": "travel"}
    sent = {"text": "source;target\r\nDES;travel\r\nADM;design\r\n", "seen": kinds.revision, "remove_others": "on"}
    client.post(f"{URL}import/", {**sent, "apply": "1"})
    assert pairs(kinds) == {"DES": "travel", "ADM": "design"}


def test_a_file_with_errors_names_their_lines_and_changes_nothing(browse: Browse, finn: Any, kinds: ValueMap) -> None:
    text = "source,target,valid_from\nADM,design,\n,travel,\nX,y,1.1.2026\n"
    answer = upload(browse(finn), text, apply="1")
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Line 3: An entry needs a source value." in page
    assert "Line 4: Dates are written YYYY-MM-DD." in page
    assert pairs(kinds) == {"DES": "design", "TRV": "travel"}


def test_a_map_that_changed_since_the_preview_is_not_overwritten(browse: Browse, finn: Any, kinds: ValueMap) -> None:
    client = browse(finn)
    seen = kinds.revision
    client.post(f"{URL}entries/", {"source": "NEW", "target": "design"})
    answer = client.post(f"{URL}import/", {"text": "source,target\nDES,travel", "seen": seen, "apply": "1"})
    assert answer.status_code == 422
    assert pairs(kinds)["DES"] == "design"


def test_what_is_exported_is_imported_without_a_change(browse: Browse, finn: Any, kinds: ValueMap) -> None:
    kinds.entries.create(source="=1+1", target="-5", valid_from=date(2026, 1, 1))
    kinds.entries.create(source='say "hi", twice', target="")
    client = browse(finn)
    file = client.get("/mappings/value-maps/kinds.csv").getvalue().decode()
    page = upload(client, file, remove_others="on").content.decode()
    for words in ("0 added", "0 changed", "0 removed", "4 the same"):
        assert words in page


def test_a_new_map_is_made_by_finance(browse: Browse, finn: Any, domains: Any) -> None:
    client = browse(finn)
    wrong = client.post("/mappings/value-maps/new/", {"name": "Rates", "on_unmapped": "default"})
    assert wrong.status_code == 422
    answer = client.post("/mappings/value-maps/new/", {"name": "Cost centres", "on_unmapped": "keep"})
    assert answer.headers["Location"] == "/mappings/value-maps/cost-centres/"
    client.post("/mappings/value-maps/cost-centres/edit/", {"name": "Cost centres", "on_unmapped": "fail"})
    made = ValueMap.objects.get(slug="cost-centres")
    assert (made.on_unmapped, made.revision) == ("fail", 2)
