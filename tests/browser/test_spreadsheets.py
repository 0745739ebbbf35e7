"""Pages of spreadsheets: nothing yet, a file to look at, one that was taken in with refused rows, and one that fails."""

from __future__ import annotations

from typing import Any

import pytest

from hub.spreadsheets import services
from hub.sync import engine
from hub.sync.models import Sync
from tests.sync import builders

HEAD = "Code,Name,Budget,Currency,Status\n"
ROWS = (
    "P-1,Bridge,100.00,EUR,active\nP-2,Tunnel,much,EUR,active\nP-3,Road,50,EUR,sleeping\nP-4,Quay,75.50,EUR,draft\n"
    "P-4,Quay again,75.50,EUR,draft\n"
)


@pytest.fixture
def sync(domains: Any) -> Sync:
    services.open_source(entity=builders.entity("project", builders.PROJECT), by=None)
    return Sync.objects.get(slug="sheet-project")


def test_before_anything_is_chosen_the_page_says_so(visit: Any, ada: Any, domains: Any) -> None:
    builders.entity("project", builders.PROJECT)
    visit(ada).inspect("/spreadsheets/", "spreadsheets_empty")


def test_the_pages_of_a_file_look_right_and_are_accessible(visit: Any, ada: Any, sync: Sync) -> None:
    found, _ = services.upload(sync=sync, name="projects.csv", data=(HEAD + ROWS).encode(), by=ada)
    seen = visit(ada)
    seen.inspect("/spreadsheets/sheet-project/", "spreadsheets_new")
    seen.inspect(f"/spreadsheets/uploads/{found.pk}/", "spreadsheets_preview")
    engine.execute(services.confirm(upload=found, by=ada).pk)
    seen.inspect(f"/spreadsheets/uploads/{found.pk}/", "spreadsheets_done")
    seen.inspect("/spreadsheets/", "spreadsheets_list")


def test_a_person_uploads_a_file_and_corrects_a_heading(visit: Any, ada: Any, sync: Sync, tmp_path: Any) -> None:
    wrong, right = tmp_path / "wrong.csv", tmp_path / "right.csv"
    wrong.write_text("Kode,Name\nP-1,Bridge\n")
    right.write_text(HEAD + "P-1,Bridge,100.00,EUR,active\n")
    seen = visit(ada)
    page = seen.go("/spreadsheets/sheet-project/")
    page.locator("input[type=file]").set_input_files(wrong)
    page.get_by_role("button", name="Look at it").click()
    page.get_by_text("which is no field").first.wait_for()
    seen.shoot("spreadsheets_wrong")
    page.locator("input[type=file]").set_input_files(right)
    page.get_by_role("button", name="Look at it").click()
    page.get_by_role("button", name="Take the rows in").click()
    page.get_by_text("takes the rows in").wait_for()
