"""A contract of 5,000 fields is taken, shown and compared; what only looks like a contract is refused at every door."""

from __future__ import annotations

import io
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from governance.exchange.exporting import agreement_of, to_yaml
from governance.exchange.odcs import to_odcs
from governance.models import ContractVersion
from governance.rulesets.services import load_shipped
from governance.services import load_canonical_model
from hub.accounts.services import create_token
from tests.exchange.test_bounds import CIRCLE, LAUGHS, TREE, doubling, nested

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def model(domains: Any) -> None:
    load_canonical_model()
    load_shipped()


@pytest.fixture
def edit(ada: Any, browse: Callable[[Any], Client]) -> Client:
    return browse(ada)


@pytest.fixture
def api(ada: Any) -> APIClient:
    made = APIClient()
    made.credentials(HTTP_AUTHORIZATION=f"Bearer {create_token(ada, name='t', days=None, by=ada)[1]}")
    return made


def wide(count: int, *, most: int = 40) -> dict[str, Any]:
    fields = {
        f"field_{n}": {
            "type": ["string", "null"],
            "maxLength": most,
            "title": f"Field {n}",
            "description": f"What the source calls column {n}.",
            "examples": [f"value {n}"],
            "x-classification": "internal",
            "x-unit": "pcs",
        }
        for n in range(count - 1)
    }
    key = {"type": "string", "minLength": 1, "x-key": True}
    return {"title": "Wide", "type": "object", "required": ["code"], "properties": {"code": key, **fields}}


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    out, code = io.StringIO(), 0
    try:
        call_command("contract", *arguments, "--json", stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        code = int(end.code or 0)
    return code, json.loads(out.getvalue())


def take(path: Path, format_: str, *more: str) -> tuple[int, dict[str, Any]]:
    return run("import", str(path), "--format", format_, "--as", "wide", "--domain", "resource", *more)


def test_five_thousand_fields_are_imported_shown_compared_and_exported(edit: Client, tmp_path: Path) -> None:
    path = tmp_path / "wide.json"
    path.write_text(json.dumps(wide(5000)))
    assert take(path, "jsonschema")[0] == 0
    version = ContractVersion.objects.select_related("contract__entity__domain").get(contract__slug="wide")
    assert len(version.schema["properties"]) == 5000
    page = edit.get("/contracts/wide/").content.decode()
    assert "field_0" in page
    odcs = tmp_path / "wide.yaml"
    odcs.write_text(to_yaml(to_odcs(agreement_of(version))))
    code, found = take(odcs, "odcs")
    assert (code, found["changes"], found["version"]) == (0, [], 1)
    path.write_text(json.dumps(wide(5000, most=30)))
    code, found = take(path, "jsonschema", "--dry-run")
    assert (code, len(found["changes"])) == (2, 4999)
    file = SimpleUploadedFile("wide.json", path.read_bytes())
    shown = edit.post("/contracts/import/", {"format": "jsonschema", "file": file, "name": "wide"})
    assert "4999 fields differ; the first 200 are shown" in " ".join(shown.content.decode().split())
    assert take(path, "jsonschema", "--breaking")[0] == 0
    assert "What version 2 breaks" in edit.get("/contracts/wide/versions/?compare=1..2").content.decode()
    assert edit.get("/contracts/wide.odcs.yaml").status_code == 200
    assert edit.get("/rulesets/").status_code == 200


def field(spec: Any) -> dict[str, Any]:
    return {"title": "Skill", "type": "object", "properties": {"code": {"type": "string", "x-key": True}, "a": spec}}


def document(schema: dict[str, Any]) -> bytes:
    return json.dumps(schema).encode()


DEEP = b'{"type": "object", "properties": ' + b'{"a":{"properties":' * 20_000 + b"{}" + b"}}" * 20_000 + b"}"
BAD: list[tuple[str, bytes, str]] = [
    ("no schema", document(field({"type": "strin"})), "not JSON Schema 2020-12"),
    ("no key", document({"type": "object", "properties": {"a": {"type": "string"}}, "title": "New"}), "x-key"),
    ("deep nesting", DEEP, "levels deep"),
    ("nested parts", document(field(nested(80))), "levels deep"),
    ("huge choice", document(field({"enum": list(range(50_000))})), "50,000 entries"),
    ("exponential references", document({**doubling(40, "allOf"), "title": "Skill"}), "unfolds to more than"),
    ("circular reference", document({**CIRCLE, "title": "Skill"}), "leads back to itself"),
    ("a part that contains itself", document({**TREE, "title": "Skill"}), "contains itself"),
    ("remote reference", document(field({"$ref": "http://127.0.0.1:9/x.json"})), "not fetched"),
    ("a YAML bomb", LAUGHS.encode(), "unfolds to more than"),
    ("wrong encoding", '{"title": "Fähigkeit"}'.encode("utf-16"), "not UTF-8"),
    ("latin", '{"title": "Fähigkeit"}'.encode("latin-1"), "not UTF-8"),
    ("a name that is none", document(field({}) | {"properties": {"Not a name": {"x-key": True}}}), "name of a field"),
    ("a classification that is none", document(field({"x-classification": "pii"})), "Use one of"),
    ("an unknown entity", document(field({"x-ref": "planet"})), "no entity 'planet'"),
    ("too many values", b'{"a": [' + b"[1,2,3,4,5,6,7,8,9]," * 60_000 + b"1]}", "entries"),
]


@pytest.mark.parametrize(("name", "content", "words"), BAD, ids=[row[0] for row in BAD])
def test_bad_input_is_refused_with_a_sentence_by_command_form_and_api(
    name: str, content: bytes, words: str, edit: Client, api: APIClient, tmp_path: Path
) -> None:
    path = tmp_path / "given.json"
    path.write_bytes(content)
    before = ContractVersion.objects.count()
    code, found = run("import", str(path), "--format", "jsonschema", "--as", "skill")
    assert (code, words in found["error"]) == (1, True), found
    file = SimpleUploadedFile("given.json", content)
    response = edit.post("/contracts/import/", {"format": "jsonschema", "file": file, "name": "skill"})
    assert response.status_code == 422
    assert words.replace("'", "&#x27;") in response.content.decode()
    try:
        body = {"format": "jsonschema", "content": content.decode(), "name": "skill"}
    except UnicodeDecodeError:
        return
    refused = api.post("/api/v1/contract-imports/", body, format="json")
    assert (refused.status_code, words in refused.json()["detail"]) == (422, True)
    assert ContractVersion.objects.count() == before


def test_what_is_refused_costs_no_more_than_it_weighs(tmp_path: Path) -> None:
    """No clock: the growth of memory is bounded, and that the test ends at all bounds the time."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, content, _ in BAD:
        path = tmp_path / f"{name}.json"
        path.write_bytes(content)
        assert run("import", str(path), "--format", "jsonschema", "--as", "skill")[0] == 1
        assert run("diff", str(path), str(path))[0] in (0, 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000


def test_the_command_refuses_a_folder_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        code, found = run("import", str(path), "--format", "odcs")
        assert (code, "cannot be read" in found["error"]) == (1, True)
    code, found = run("export", "skill", "--format", "odcs", "--output", str(tmp_path / "no" / "x"))
    assert (code, "cannot be written" in found["error"]) == (1, True)
