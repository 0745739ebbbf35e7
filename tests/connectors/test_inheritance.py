"""A declaration that extends another one says only what is different."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

from connectors import catalog, registry
from hub.common.errors import ConfigError

BASE = """
name: base
label: Base
category: other
protocol: rest
time_zone: UTC
config: {token: {title: Token, type: secret}, site: {title: Site}}
base_url: https://${config.site}
auth: {type: bearer, token: "${secret.token}"}
limits: {page_size: 50}
streams:
  a: {path: /a, key: id}
  b: {path: /b, key: id}
"""


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def test_what_is_not_stated_is_as_in_the_other(tmp_path: Path) -> None:
    put(tmp_path, "base", BASE)
    child = put(
        tmp_path,
        "child",
        "extends: base\nname: child\nlabel: Child\nlimits: {concurrency: 2}\nstreams: {a: {key: code}}\n",
    )
    found = catalog.load_file(child)
    assert (found.name, found.label, found.body["limits"]) == ("child", "Child", {"page_size": 50, "concurrency": 2})
    assert (found.streams["a"], found.streams["b"]) == ({"path": "/a", "key": "code"}, {"path": "/b", "key": "id"})


def test_null_leaves_a_section_out(tmp_path: Path) -> None:
    put(tmp_path, "base", BASE)
    child = put(tmp_path, "child", "extends: base\nname: child\nstreams: {b: null}\nlimits: null\n")
    found = catalog.load_file(child)
    assert (list(found.streams), "limits" in found.body) == (["a"], False)


def test_one_may_extend_one_that_extends_another(tmp_path: Path) -> None:
    put(tmp_path, "base", BASE)
    put(tmp_path, "middle", "extends: base\nname: middle\nlabel: Middle\n")
    child = put(tmp_path, "child", "extends: middle\nname: child\ndescription: Third.\n")
    found = catalog.load_folder(tmp_path)
    assert (found.problems, set(found.declarations)) == ({}, {"base", "middle", "child"})
    assert catalog.load_file(child).label == "Middle"


def test_declarations_that_extend_each_other_are_named(tmp_path: Path) -> None:
    put(tmp_path, "a", "extends: b\nname: a\n")
    put(tmp_path, "b", "extends: a\nname: b\n")
    put(tmp_path, "self", "name: self\nextends: self\n")
    problems = {Path(path).stem: str(found[0]) for path, found in catalog.load_folder(tmp_path).problems.items()}
    assert "extend each other: a → b → a" in problems["a"]
    assert "extend each other: self → self" in problems["self"]


def test_a_name_that_is_not_there_is_said_with_the_nearest(capsys, tmp_path: Path) -> None:
    path = put(tmp_path, "child", "name: child\nlabel: Child\nextends: scmi\n")
    with pytest.raises(SystemExit):
        call_command("connector", "check", str(path))
    shown = capsys.readouterr().err
    assert f"{path}:3: extends: There is no declaration 'scmi' to extend. Did you mean `scim`?" in shown


def test_mistakes_of_the_whole_are_said_at_the_line_of_their_own_file(tmp_path: Path) -> None:
    put(tmp_path, "base", BASE)
    text = "extends: base\nname: child\nstreams:\n  a:\n    paht: /x\n"
    (problem,) = catalog.validate_text(text, beside=tmp_path)
    assert (problem.line, "Did you mean `path`?" in problem.sentence) == (5, True)


def test_a_declaration_in_a_connection_may_extend_the_catalogue() -> None:
    text = "extends: scim\nname: corporate\nlabel: Corporate directory\nlimits: {page_size: 20}\n"
    found = catalog.parse(text)
    assert (found.body["limits"]["page_size"], list(found.streams)) == (20, ["Users", "Groups"])
    with pytest.raises(ConfigError, match="There is no declaration 'nonsense'"):
        catalog.parse("extends: nonsense\nname: corporate\n")


def test_a_shipped_one_cannot_be_replaced_by_a_file_of_one_s_own(tmp_path: Path) -> None:
    put(tmp_path, "scim", BASE.replace("name: base", "name: scim"))
    child = put(tmp_path, "child", "extends: scim\nname: child\n")
    assert list(catalog.load_file(child).streams) == ["Users", "Groups"]


def test_the_presets_state_their_quirks_alone() -> None:
    known = registry.catalogue()
    scim, entra, okta = (known[name] for name in ("scim", "entra", "okta"))
    assert entra.streams == scim.streams
    assert (entra.body["auth"]["grant"], "token" in entra.body["auth"]) == ("client_credentials", False)
    assert okta.streams["Users"]["write"]["update"]["method"] == "PUT"
    assert okta.streams["Groups"] == scim.streams["Groups"]
