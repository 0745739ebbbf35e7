"""The page about adding a connector is carried out as it stands: from nothing to certified."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

PAGE = Path(__file__).parents[1] / "docs" / "add-a-connector.md"
FILE = re.compile(r"```\w+\n# file: (\S+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the page, where it says."""
    for name, text in FILE.findall(PAGE.read_text(encoding="utf-8")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def check(folder: Path) -> None:
    call_command("connector", "check", str(folder / "harbour_time.yaml"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_declaration_of_the_page_and_its_payloads_are_sound(folder: Path, capsys: Any) -> None:
    check(folder)
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "Harbour Time is sound; it offers projects, entries." in shown.out
    assert "2 recorded cases came out as recorded." in shown.out


def test_the_connector_of_the_page_is_certified(folder: Path, capsys: Any) -> None:
    simulator = str(folder / "harbour_time_simulator.py")
    call_command("connector", "certify", str(folder / "harbour_time.yaml"), "--simulator", simulator, "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] is True
    classes = {proof["subject"]: proof["write_safety"] for proof in found["proofs"] if "write_safety" in proof}
    assert classes == {"projects.upsert": "B", "entries.create": "C"}


def test_a_class_that_the_simulator_does_not_bear_out_fails(folder: Path, capsys: Any) -> None:
    change(folder / "harbour_time.yaml", "{path: /entries, safety: C}", "{path: /entries, safety: B}")
    simulator = str(folder / "harbour_time_simulator.py")
    with pytest.raises(SystemExit):
        call_command("connector", "certify", str(folder / "harbour_time.yaml"), "--simulator", simulator, "--json")
    found = json.loads(capsys.readouterr().out)
    failed = {proof["rule"] for proof in found["proofs"] if proof["state"] == "failed"}
    assert "a repeat is one object with the same content" in failed


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("count: 2", "count: 3", "`count` is 2, expected is 3."),
        ("{code: NLL-102}]", "{code: NLL-103}]", "`code` of record 2 is 'NLL-102', expected is 'NLL-103'."),
        (
            "{page: 2, per_page: 100}",
            "{page: 2, per_page: 50}",
            "The parameter 'per_page' of GET /api/projects is '100'",
        ),
        ("do: read", "do: reed", "`do` is one of check, read"),
        ("stream: projects", "stream: project", "There is no stream 'project'"),
        ("expect:", "expected:", "A case has no `expected`"),
    ],
)
def test_a_payload_that_differs_is_told_with_its_line(folder: Path, capsys: Any, old: str, new: str, said: str) -> None:
    path = folder / "harbour_time.payloads" / "projects_in_two_pages.yaml"
    change(path, old, new)
    with pytest.raises(SystemExit):
        check(folder)
    told = capsys.readouterr().err
    assert said in told
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if new in text)
    assert f"{path}:{line}: " in told


def test_a_request_that_is_never_made_and_one_that_is_not_recorded_are_told(folder: Path, capsys: Any) -> None:
    change(folder / "harbour_time.yaml", "path: /projects\n", "path: /projecs\n")
    with pytest.raises(SystemExit):
        check(folder)
    told = capsys.readouterr().err
    assert "The declaration asks GET /api/projecs" in told
    assert "The declaration never asks GET /api/projects." in told


def test_a_refusal_that_is_read_otherwise_is_told(folder: Path, capsys: Any) -> None:
    change(folder / "harbour_time.payloads" / "a_refused_entry.yaml", "error: VALIDATION", "error: DUPLICATE")
    with pytest.raises(SystemExit):
        check(folder)
    assert "`error` is 'VALIDATION'" in capsys.readouterr().err


def test_a_payload_that_is_no_yaml_is_told(folder: Path, capsys: Any) -> None:
    (folder / "harbour_time.payloads" / "broken.yaml").write_text("stream: [projects\n")
    with pytest.raises(SystemExit):
        check(folder)
    assert "broken.yaml:2: The file is not YAML" in capsys.readouterr().err
