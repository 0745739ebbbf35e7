"""A contract comes from a file and rulesets are read, in a browser: compared first, accessible in every look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from governance.exchange.exporting import export_version, find_version, to_yaml
from governance.rulesets.services import load_shipped, save_ruleset
from governance.services import load_canonical_model
from tests.browser.tools import Visit

Open = Callable[..., Visit]


@pytest.fixture
def file(domains: Any, tmp_path: Path) -> Path:
    """Skills as ODCS, with one field more that every record must have."""
    load_canonical_model()
    load_shipped()
    document = export_version(find_version("skill"), "odcs").document
    document["schema"][0]["properties"].append({"name": "level_of", "logicalType": "string", "required": True})
    path = tmp_path / "skill.odcs.yaml"
    path.write_text(to_yaml(document))
    return path


def test_a_file_is_compared_and_becomes_a_version(visit: Open, ada: Any, file: Path) -> None:
    here = visit(ada)
    page = here.go("/contracts/")
    page.get_by_role("link", name="Import").click()
    here.assert_accessible()
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Show what it changes").click()
    page.get_by_role("heading", name="skill: from version 1 to version 2").wait_for()
    here.shoot("import_1440_light")
    here.assert_accessible()
    page.get_by_label("I know that this breaks what the contract promises").check()
    page.get_by_role("button", name="Make version 2").click()
    page.get_by_role("heading", name="Skill Version 2").wait_for()
    assert here.path == "/contracts/skill/versions/"


def test_rulesets_say_which_contract_lacks_what(visit: Open, ada: Any, file: Path) -> None:
    save_ruleset(
        {"kind": "Ruleset", "slug": "strict", "name": "Strict", "selector": {"domains": ["resource"], "tags": ["x"]},
         "rules": [{"rule": "has_owner", "severity": "error"}]},
        by=ada,
    )  # fmt: skip
    here = visit(ada)
    here.inspect("/rulesets/", "rulesets")
    here.inspect("/rulesets/finance-contracts/", "ruleset")
    page = here.go("/rulesets/new/")
    page.get_by_role("textbox", name="Ruleset").fill("slug: mine\nname: Mine\nrules: [{rule: nice}]")
    page.get_by_role("button", name="Save ruleset").click()
    page.get_by_text("There is no rule 'nice'").first.wait_for()
    here.assert_accessible()
