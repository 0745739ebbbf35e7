"""`manage.py contract export` and `contract import`: files of others go out and come in, with an exit code to trust."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from django.core.management import call_command

from governance.models import AuditEntry, Contract, ContractVersion, Entity
from governance.services import load_canonical_model, save_field

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def model(domains: Any) -> None:
    load_canonical_model()


def run(*arguments: str) -> tuple[int, str]:
    out, code = io.StringIO(), 0
    try:
        call_command("contract", *arguments, stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        code = int(end.code or 0)
    return code, out.getvalue()


def told(*arguments: str) -> tuple[int, dict[str, Any]]:
    code, out = run(*arguments, "--json")
    return code, json.loads(out)


def active(slug: str) -> ContractVersion:
    return ContractVersion.objects.get(contract__slug=slug, status="active")


def exported(slug: str, format_: str, folder: Path) -> Path:
    path = folder / f"{slug}.{format_}"
    assert told("export", slug, "--format", format_, "--output", str(path))[0] == 0
    return path


SLUGS = ["invoice", "time_entry", "gl_posting", "project"]


@pytest.mark.parametrize("format_", ["odcs", "jsonschema"])
@pytest.mark.parametrize("slug", SLUGS)
def test_export_import_export_is_the_same_file(slug: str, format_: str, tmp_path: Path) -> None:
    path = exported(slug, format_, tmp_path)
    before = path.read_text()
    code, found = told("import", str(path), "--format", format_)
    assert (code, found["contract"], found["changes"], found["version"]) == (0, slug, [], 1)
    assert exported(slug, format_, tmp_path).read_text() == before
    code, found = told("import", str(path), "--format", format_, "--as", f"{slug}_twin", "--domain", "billing-gl")
    assert (code, found["is_new"], found["applied"], found["version"]) == (0, True, True, 1)
    assert active(f"{slug}_twin").schema == active(slug).schema


def test_a_version_is_exported_by_its_number() -> None:
    save_field(contract=Contract.objects.get(slug="skill"), name="a", spec={"type": "string"}, required=False, by=None)
    assert "a" not in told("export", "skill@1", "--format", "jsonschema")[1]["properties"]
    assert "a" in told("export", "skill", "--format", "jsonschema")[1]["properties"]
    assert yaml.safe_load(run("export", "skill@1", "--format", "odcs")[1])["status"] == "deprecated"
    for wrong in ("skill@9", "skill@x", "none"):
        assert told("export", wrong, "--format", "odcs")[0] == 1


def changed(path: Path, change: Any) -> str:
    document = yaml.safe_load(path.read_text())
    change({each["name"]: each for each in document["schema"][0]["properties"]}, document)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return str(path)


def test_a_change_becomes_a_version_and_a_dry_run_none(tmp_path: Path, ada: Any) -> None:
    def add(fields: Any, document: Any) -> None:
        document["schema"][0]["properties"].append({"name": "mood", "logicalType": "string"})
        document["team"] = {"members": [{"username": "ann", "role": "owner"}]}

    path = changed(exported("skill", "odcs", tmp_path), add)
    code, found = told("import", path, "--format", "odcs", "--dry-run")
    assert (code, found["applied"], found["version"], found["verdict"]) == (0, False, None, "FULL")
    assert {(c["path"], c["kind"]) for c in found["changes"]} == {("mood", "field_added"), ("", "owner_changed")}
    assert active("skill").number == 1
    code, found = told("import", path, "--format", "odcs")
    assert (code, found["applied"], found["version"]) == (0, True, 2)
    assert active("skill").schema["x-owner"] == "ann"
    assert active("skill").schema["properties"]["mood"] == {"type": ["string", "null"]}
    assert AuditEntry.objects.filter(act="contract.imported", name="skill").count() == 1


def test_what_breaks_the_promise_is_told_and_imported_only_on_purpose(tmp_path: Path) -> None:
    path = changed(
        exported("skill", "odcs", tmp_path),
        lambda fields, document: document["schema"][0]["properties"].append(
            {"name": "mood", "logicalType": "string", "required": True}
        ),
    )
    code, found = told("import", path, "--format", "odcs")
    assert (code, found["breaking"], found["applied"], active("skill").number) == (2, True, False, 1)
    assert told("import", path, "--format", "odcs", "--breaking")[0] == 0
    assert active("skill").number == 2


def test_the_key_of_records_never_changes_by_a_file(tmp_path: Path) -> None:
    def other(fields: Any, document: Any) -> None:
        fields["code"]["primaryKey"] = False
        fields["name"]["primaryKey"] = True

    code, found = told("import", changed(exported("skill", "odcs", tmp_path), other), "--format", "odcs", "--breaking")
    assert (code, found["code"]) == (1, "KEY")


def test_a_plain_schema_keeps_the_key_of_its_contract(tmp_path: Path) -> None:
    path = tmp_path / "skill.json"
    fields = {"code": {"type": "string", "minLength": 1}, "name": {"type": "string"}}
    path.write_text(json.dumps({"title": "Skill", "type": "object", "required": ["code"], "properties": fields}))
    code, found = told("import", str(path), "--format", "jsonschema", "--dry-run")
    assert (code, found["contract"]) in [(0, "skill"), (2, "skill")]
    assert "key_changed" not in [change["kind"] for change in found["changes"]]
    assert found["notes"] == ["The file marks no key; code stays the key."]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--as", "thing"], "needs a domain"),
        (["--as", "thing", "--domain", "nowhere"], "no domain 'nowhere'"),
        (["--as", "New Thing", "--domain", "resource"], "short name"),
        (["--as", "import", "--domain", "resource"], "short name"),
        (["--domain", "resource"], "does not say which contract"),
    ],
)
def test_a_new_entity_says_where_it_belongs(tmp_path: Path, arguments: list[str], words: str) -> None:
    path = tmp_path / "thing.json"
    path.write_text(json.dumps({"type": "object", "properties": {"id": {"type": "string", "x-key": True}}}))
    code, found = told("import", str(path), "--format", "jsonschema", *arguments)
    assert code == 1
    assert words in found["error"]
    assert not Entity.objects.filter(slug="thing").exists()


# Events ------------------------------------------------------------------------------------------------------
def test_the_events_of_the_hub_have_a_channel_for_each_entity() -> None:
    found = told("export", "--format", "asyncapi")[1]
    assert found["asyncapi"] == "3.0.0"
    assert set(found["channels"]) == {*Entity.objects.values_list("slug", flat=True), "hub"}
    message = found["components"]["messages"]["project.record.changed"]
    assert message["name"] == "syncline.record.changed.v1"
    assert message["payload"]["properties"]["data"]["properties"]["record"] == {"$ref": "#/components/schemas/project"}
    assert "run.failed" in found["channels"]["hub"]["messages"]
    assert found["operations"]["send.project"]["action"] == "send"


def test_the_events_of_one_contract_hold_nothing_that_is_never_sent() -> None:
    found = told("export", "time_entry@1", "--format", "asyncapi")[1]
    assert set(found["channels"]) == {"time_entry"}
    record = found["components"]["schemas"]["time_entry"]
    assert "hours" in record["properties"]
    assert "cost_rate" not in record["properties"]


@pytest.mark.skipif(
    "HUB_ASYNCAPI_SCHEMA" not in os.environ, reason="names a copy of AsyncAPI's schema 3.0.0 without $id"
)
@pytest.mark.parametrize("name", ["", *SLUGS])
def test_the_standard_itself_accepts_the_events(name: str) -> None:
    standard = jsonschema_rs.validator_for(json.loads(Path(os.environ["HUB_ASYNCAPI_SCHEMA"]).read_text()))
    found = told("export", *([name] if name else []), "--format", "asyncapi")[1]
    assert [error.message[:300] for error in standard.iter_errors(found)] == []


def test_only_events_are_exported_for_the_whole_hub() -> None:
    assert told("export", "--format", "odcs")[0] == 1
