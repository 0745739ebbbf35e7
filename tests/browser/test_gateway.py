"""APIs and consumers as people see them: empty, full, an experience made by its form, a token that is shown once."""

from __future__ import annotations

from typing import Any

from tests.browser.tools import Visit
from tests.gateway.conftest import Portal
from tests.sync import builders as build


def test_an_experience_is_made_granted_and_called(domains: Any, ada: Any, visit: Any) -> None:
    portal = Portal()
    portal.firm.read(build.project_row(1))
    here: Visit = visit(ada)
    here.inspect("/apis/", "apis_empty")
    here.inspect("/consumers/", "consumers_empty")
    here.inspect("/apis/new/experience/", "api_new")
    page = here.go("/apis/new/experience/")
    page.get_by_label("Name", exact=True).first.fill("Project 360")
    page.get_by_label("Path").fill("project-360")
    page.get_by_label("Domain").select_option("project-wbs")
    page.get_by_label("Records of").select_option("project")
    relation = page.get_by_role("region", name="Relation 1")
    relation.get_by_label("Name").fill("time")
    relation.get_by_label("Entity").select_option("time_entry")
    relation.locator("#id_r-0-field").fill("project")
    relation.get_by_label("Sums of").fill("hours")
    page.get_by_role("button", name="Make the API").click()
    page.get_by_text("/gateway/experience/project-360/v1/KEY/").wait_for()
    page = here.go("/consumers/new/")
    page.get_by_label("Name", exact=True).fill("Client portal")
    page.get_by_label("Owner").fill("Digital")
    page.get_by_label("Project 360: read").check()
    page.get_by_role("button", name="Register it").click()
    page.get_by_role("button", name="Make a token").click()
    token = page.locator("[data-token]").inner_text()
    assert portal.call("GET", "experience/project-360/v1/P-0001/", token=token)[0] == 200
    assert portal.call("GET", "experience/project-360/v1/P-9/", token=token)[0] == 404
    for path, name in (("/apis/", "apis"), ("/apis/project-360-v1/", "api"), ("/consumers/client-portal/", "consumer"),
                       ("/consumers/", "consumers"), ("/modes/", "modes")):  # fmt: skip
        here.inspect(path, name)
