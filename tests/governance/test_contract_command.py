"""`manage.py contract diff`: files and versions, one JSON document, and an exit code that a pipeline can trust."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from governance.models import Contract
from governance.services import load_canonical_model, save_field

OLD = {"type": "object", "properties": {"id": {"type": "string", "x-key": True}}, "version": "1.2.0"}
ADDED = {**OLD, "properties": {**OLD["properties"], "note": {"type": "string"}}}  # type: ignore[dict-item]
BROKEN = {**ADDED, "required": ["note"]}


def diff(*arguments: str) -> tuple[int, dict[str, Any]]:
    out, code = io.StringIO(), 0
    try:
        call_command("contract", "diff", *arguments, "--json", stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        code = int(end.code or 0)
    return code, json.loads(out.getvalue())


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    paths = {}
    for name, schema in {"old": OLD, "added": ADDED, "broken": BROKEN}.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(schema))
        paths[name] = str(path)
    return paths


def test_files_are_compared_in_full_and_the_exit_code_tells(files: dict[str, str]) -> None:
    code, found = diff(files["old"], files["added"])
    assert (code, found["mode"], found["verdict"], found["suggested_version"]) == (0, "FULL", "FULL", "1.3.0")
    code, found = diff(files["old"], files["broken"])
    assert (code, found["severity"], found["verdict"], found["suggested_version"]) == (2, "err", "FORWARD", "2.0.0")
    assert [(c["path"], c["kind"], c["breaks"]) for c in found["changes"]] == [
        ("note", "required_field_added", ["backward"])
    ]


def test_a_mode_is_asked_for_by_name(files: dict[str, str]) -> None:
    assert diff(files["old"], files["broken"], "--mode", "FORWARD")[0] == 0
    assert diff(files["old"], files["broken"], "--mode", "BACKWARD")[0] == 2


@pytest.mark.parametrize("text", ["{", "[]", '{"type": 3}', "a: &a [*a]", "\udcff"])
def test_a_file_that_is_no_schema_is_refused_with_a_sentence(files: dict[str, str], tmp_path: Path, text: str) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_bytes(text.encode("utf-8", "surrogateescape"))
    code, found = diff(files["old"], str(wrong))
    assert code == 1
    assert str(wrong) in found["error"]


@pytest.mark.django_db
class TestVersionsOfAContract:
    def test_they_are_judged_by_what_the_contract_promises(self, domains: Any) -> None:
        load_canonical_model()
        contract = Contract.objects.get(slug="project")
        save_field(contract=contract, name="mood", spec={"type": "string"}, required=True, by=None)
        assert diff("project@1", "project@2")[0] == 2
        Contract.objects.filter(slug="project").update(compatibility="FORWARD")
        code, found = diff("project@1", "project@2")
        assert (code, found["mode"], found["suggested_version"]) == (0, "FORWARD", "1.1.0")

    def test_a_version_that_is_missing_is_named(self, domains: Any) -> None:
        load_canonical_model()
        code, found = diff("project@1", "project@9")
        assert code == 1
        assert "project@9" in found["error"]
