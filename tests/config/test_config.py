"""Configuration as code: what is exported can be applied, and applying is all or nothing."""

from __future__ import annotations

import json

import pytest
import yaml
from django.core.management import call_command

from connectors.models import Connection, System
from governance.models import ContractVersion, MatchRule
from hub.common.errors import ConfigError
from hub.config import documents, services
from hub.sync.models import Schedule, Sync
from mappings.models import ValueMap
from mappings.services import replace_entries
from tests.sync import builders as build

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains):
    entity = build.entity("project", build.PROJECT)
    stream = build.stream(build.connection("psa"), "projects")
    first = build.sync("psa-projects", "in", stream, entity, build.PROJECT_RULES)
    build.sync("erp-jobs", "out", build.stream(build.connection("erp"), "jobs"), entity, build.OUT_RULES, after=first)
    value_map = ValueMap.objects.create(slug="status", name="Status")
    replace_entries(
        value_map=value_map, entries=[{"source": "A", "target": "active", "valid_from": "2026-01-01"}], by=None
    )
    Schedule.objects.create(slug="nightly", sync=first, cron="0 2 * * *", time_zone="Europe/London")
    compared = [{"field": "name", "compare": "fuzzy", "form": "text", "threshold": 90}]
    MatchRule.objects.create(slug="project-name", entity=entity, name="Alike name", position=5, fields=compared)
    psa = Connection.objects.get(slug="psa")
    psa.secrets = {"token": "s3cret-canary"}
    psa.save()


def write(folder, *docs):
    path = folder / "docs.yaml"
    path.write_text("\n---\n".join(yaml.safe_dump(doc, sort_keys=False) for doc in docs))
    return path


def test_export_then_plan_says_no_change(world, tmp_path):
    documents.write(tmp_path, services.export())
    assert services.plan(tmp_path).steps == []


def test_export_applied_to_an_empty_hub_restores_everything(world, tmp_path, domains):
    exported = list(services.export())
    documents.write(tmp_path, exported)
    wipe()
    done = services.apply(tmp_path)
    assert "HUB_SECRET_PSA_TOKEN" in done.notes[0]
    assert services.plan(tmp_path).steps == []
    assert [d for d in services.export() if d["kind"] != "Connection"] == [
        d for d in exported if d["kind"] != "Connection"
    ]
    assert Sync.objects.get(slug="erp-jobs").after.slug == "psa-projects"


def wipe():
    from governance.models import Contract, Entity
    from mappings.models import Mapping, MappingVersion

    for model in (Schedule, Sync, MappingVersion, Mapping, ValueMap):
        model.objects.all().delete()
    from connectors.models import Stream

    for model in (Stream, Connection, System, ContractVersion, Contract, Entity):
        model.objects.all().delete()


def test_no_secret_is_ever_exported(world, tmp_path):
    documents.write(tmp_path, services.export())
    text = "".join(path.read_text() for path in tmp_path.rglob("*.yaml"))
    assert "s3cret-canary" not in text
    assert "${secret:psa.token}" in text


def test_a_secret_comes_from_the_environment(world, tmp_path, monkeypatch):
    monkeypatch.setenv("HUB_SECRET_PSA_TOKEN", "rotated")
    documents.write(tmp_path, services.export())
    assert [(s.kind, s.slug) for s in services.plan(tmp_path).steps] == [("Connection", "psa")]
    services.apply(tmp_path)
    assert Connection.objects.get(slug="psa").secrets == {"token": "rotated"}
    assert services.plan(tmp_path).steps == []


def test_a_secret_that_is_not_known_here_keeps_the_stored_one(world, tmp_path):
    documents.write(tmp_path, services.export())
    services.apply(tmp_path)
    assert Connection.objects.get(slug="psa").secrets == {"token": "s3cret-canary"}


def test_a_changed_schema_is_a_new_contract_version(world, tmp_path):
    document = next(d for d in services.export() if d["kind"] == "Contract")
    document["schema"]["properties"]["owner"] = {"type": "string"}
    services.apply(write(tmp_path, document))
    assert ContractVersion.objects.get(contract__slug="project", status="active").number == 3
    assert ContractVersion.objects.filter(contract__slug="project", status="deprecated").count() == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: System\nslug: [", "not YAML"),
        ("kind: System\nslug: a\nname: A\nname: B", "stands twice"),
        ("kind: Sistem\nslug: a", "There is no kind 'Sistem'"),
        ("slug: a", "has no `kind`"),
        ("kind: System\nslug: a", "System needs 'name'"),
        ("kind: System\nslug: a\nname: A\ncolour: red", "no field 'colour'"),
        ("kind: Stream\nslug: s\nname: n\nconnection: nowhere", "there is no Connection 'nowhere'"),
        ("kind: System\nslug: a\nname: A\n---\nkind: System\nslug: a\nname: B", "written down twice"),
        (
            "kind: Contract\nslug: c\nname: C\nentity: project\nschema: {type: object, properties: {a: {type: string}}}",
            "x-key",
        ),
    ],
)
def test_a_wrong_document_gets_a_sentence_with_file_and_line(world, tmp_path, text, words):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        services.apply(tmp_path)
    assert words in str(caught.value)
    assert "bad.yaml:" in str(caught.value)


def test_a_circle_of_references_is_named(world, tmp_path):
    docs = [
        {"kind": "Sync", "slug": a, "name": a, "mapping": "psa-projects", "after": b}
        for a, b in (("x", "y"), ("y", "x"))
    ]
    with pytest.raises(ConfigError, match="circle: Sync x → Sync y → Sync x"):
        services.apply(write(tmp_path, *docs))


def test_nothing_is_applied_when_anything_is_wrong(world, tmp_path):
    good = {"kind": "System", "slug": "crm", "name": "CRM"}
    bad = {"kind": "Schedule", "slug": "s", "sync": "psa-projects", "cron": "every day"}
    with pytest.raises(ConfigError, match="not a cron expression"):
        services.apply(write(tmp_path, good, bad))
    assert not System.objects.filter(slug="crm").exists()


def test_plan_exits_2_when_there_are_changes_and_0_when_not(world, tmp_path, capsys):
    path = write(tmp_path, {"kind": "System", "slug": "crm", "name": "CRM"})
    with pytest.raises(SystemExit) as caught:
        call_command("config", "plan", str(path), "--json")
    assert caught.value.code == 2
    assert json.loads(capsys.readouterr().out)["changes"] == 1
    services.apply(path)
    with pytest.raises(SystemExit) as caught:
        call_command("config", "plan", str(path), "--json")
    assert caught.value.code == 0


def test_an_error_is_one_json_document_and_exit_1(world, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        call_command("config", "apply", str(tmp_path / "nowhere"), "--json")
    assert caught.value.code == 1
    assert "no such file" in json.loads(capsys.readouterr().out)["error"]
