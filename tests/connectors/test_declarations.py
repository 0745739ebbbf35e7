"""A declaration is checked as a whole before anything runs; every mistake is a sentence with its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from connectors import catalog, registry
from connectors.declaration_schema import schema
from connectors.template import MISSING, Scope, compile_template, render, render_path, render_text
from hub.common.errors import ConfigError
from tests.connectors.tools import BASE, rest

GOOD = """
name: acme
label: Acme
category: psa
protocol: rest
time_zone: ${config.zone}
config:
  site: {title: Site, format: uri, order: 2}
  zone: {title: Zone, default: UTC, order: 1}
  token: {title: Token, type: secret}
base_url: ${config.site}/api
auth: {type: bearer, token: "${secret.token}"}
defaults:
  key: id
  paging: {type: cursor, next_path: meta.next}
streams:
  projects: {path: /projects, records: data}
  tasks: {path: /tasks, paging: {type: none}}
"""


def problems(text: str) -> list[str]:
    return [f"{problem.line} {problem}" for problem in catalog.validate_text(text)]


# --- what is right -------------------------------------------------------------------------------------------------


def test_defaults_go_into_every_stream_that_does_not_state_its_own():
    declaration = catalog.parse(GOOD)
    assert declaration.streams["projects"]["paging"] == {"type": "cursor", "next_path": "meta.next"}
    assert declaration.streams["tasks"] == {"key": "id", "path": "/tasks", "paging": {"type": "none"}}


def test_form_fields_are_complete_and_in_order():
    fields = catalog.parse(GOOD).fields()
    assert list(fields) == ["zone", "site", "token"]
    assert (fields["zone"]["required"], fields["site"]["required"]) == (False, True)
    assert (fields["token"]["secret"], fields["token"]["type"]) == (True, "string")


def test_every_shipped_declaration_is_sound():
    found = catalog.load_folder(catalog.SHIPPED)
    assert not found.problems
    assert found.declarations


def test_the_schema_describes_each_of_its_options():
    def walk(node: Any, path: str) -> None:
        for name, option in node.get("properties", {}).items():
            assert option.get("title"), f"{path}.{name} has no title"
            assert option.get("description"), f"{path}.{name} has no description"
            assert "$ref" in option or option.get("examples"), f"{path}.{name} has no example"
        for part in node.get("anyOf", ()):
            walk(part, path)

    walk(schema(), "top")
    for name, part in schema()["$defs"].items():
        walk(part, name)


def test_every_example_of_the_schema_meets_the_schema():
    import jsonschema_rs

    def walk(node: Any, path: str) -> None:
        for name, option in node.get("properties", {}).items():
            whole = {"$defs": schema()["$defs"], **option}
            for example in option.get("examples", ()):
                assert jsonschema_rs.Draft202012Validator(whole).is_valid(example), f"{path}.{name}: {example}"

    walk(schema(), "top")
    for name, part in schema()["$defs"].items():
        walk(part, name)


# --- what is wrong -------------------------------------------------------------------------------------------------

WRONG = [
    ("streams:", "strems:", "16 strems: `strems` is not an option here. Did you mean `streams`?"),
    ("type: bearer", "type: barer", "12 auth.type: 'barer' is not allowed. Did you mean `bearer`?"),
    ("label: Acme", "label: 5", "3 label: A value of the type string belongs here, not 5."),
    ("category: psa\n", "", "2 the file: `category` is missing."),
    ("secret.token", "secret.tokn", "'tokn' is not declared under `config`. Did you mean `token`?"),
    ("secret.token", "config.token", "'token' is a secret: write `${secret.token}`."),
    ("config.site}", "cnfig.site}", "'cnfig' has no meaning here."),
    ("path: /tasks", 'path: "/tasks/${key}"', "'key' has no meaning here."),
    ("config.site}", "config.site|upcase}", "There is no filter 'upcase'"),
    ("${config.site}/api", "${config.site", "never closed"),
    ("path: /tasks", "table: tasks", "`table` belongs to sql, but this is rest."),
    ("path: /tasks, ", "", "can be neither read nor written"),
    ("next_path: meta.next", "pages_path: x", "Paging of the kind cursor needs `next_path` or `next_header`"),
    ("next_path: meta.next", "next_path: 'a..b'", "The path 'a..b' cannot be read."),
    ("${config.zone}", "Europe/Londn", "'Europe/Londn' is not a time zone. Did you mean `Europe/London`?"),
    ("path: /tasks", "path: /t, for_each: {stream: project}", "There is no stream 'project'. Did you mean `projects`?"),
    ("path: /tasks", "path: /t, for_each: {stream: tasks}", "The streams are each other's parents."),
    ("path: /tasks", "path: /t, write: {create: {}}", "streams.tasks.write.create: `path` is missing."),
    ("path: /tasks", "path: /t, write: {create: {path: /t, safety: A}}", "Write safety A needs `idempotency_header`"),
    (
        "path: /tasks",
        "path: /t, write: {create: {path: /t, safety: A, idempotency_header: K, batch: {max: 9, item: {a: '${key}'}}}}",
        "streams.tasks.write.create.batch: A batch of write safety A needs `${idempotency_key}` in its `item`",
    ),
    ("path: /tasks", "path: /t, find: {query: {a: b}}", "streams.tasks.find: `path` is missing."),
    ("type: bearer, token", "type: basic, password", "`username` is missing: sign-in of the kind basic needs it."),
    ("type: bearer, token", "type: oauth2, grant: jwt_bearer, client_secret", "`assertion` is missing"),
    ("path: /tasks", "path: /tasks, path: /other", "`path` stands here twice"),
    ("name: acme", "name: Acme Inc", "name: 'Acme Inc' does not fit: Short name"),
    ("  tasks:", "\ttasks:", "The file is not YAML"),
    (GOOD, "", "The file is empty."),
    (GOOD, "[1, 2]", "A value of the type object belongs here"),
]


@pytest.mark.parametrize(("old", "new", "sentence"), WRONG)
def test_a_mistake_is_a_sentence(old, new, sentence):
    assert old in GOOD
    found = problems(GOOD.replace(old, new))
    assert any(sentence in problem for problem in found), found


def test_all_mistakes_are_told_at_once_and_parse_lists_them():
    text = GOOD.replace("secret.token", "secret.tokn").replace("meta.next", "a..b")
    assert len(problems(text)) == 2
    with pytest.raises(ConfigError, match=r"line 12, .*tokn.* line 15, .*a\.\.b"):
        catalog.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [" + "*a, " * 9 + "]\nc: &c [" + "*b, " * 9 + "]\nd: &d ["
        + "*c, " * 9 + "]\ne: &e [" + "*d, " * 9 + "]\nf: [" + "*e, " * 9 + "]",
        "x" * 2_000_000,
        "a: !!python/object/apply:os.system ['true']",
        "? [a]\n: b",
        "a: *nowhere",
        "a: &a {b: *a}",
        "\x00",
        "- " * 5000,
    ],
)  # fmt: skip
def test_hostile_yaml_is_refused(text):
    assert catalog.validate_text(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from([*schema()["properties"], "x"]) | st.text(), inner), max_leaves=20))  # fmt: skip
def test_no_data_breaks_the_check(data):
    assert catalog.validate(data) or isinstance(data, dict)


# --- templates -----------------------------------------------------------------------------------------------------

SCOPE = Scope(
    {"config": {"n": 5, "t": "a b", "list": ["x", "y"], "none": None}, "body": {"x": None, "y": {"z": 1.5}}},
    {"pair": "${config.t}:${config.n}", "loop": "${values.pair}!"},
)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("plain", "plain"),
        ("$5 and $ and }", "$5 and $ and }"),
        ("$${config.t}", "${config.t}"),
        ("${config.n}", 5),
        ("n=${config.n}", "n=5"),
        ("${config.list|join}", "x,y"),
        ("${config.list}", ["x", "y"]),
        ("${config.none}", MISSING),
        ("x ${config.none}", MISSING),
        ("${values.loop|base64}", "YSBiOjUh"),
        ("${body}", {"x": None, "y": {"z": 1.5}}),
        ("${body.x}", None),
        ("${body.y.z}", 1.5),
        ({"a": "${config.none}", "b": ["${config.none}", 1], "c": "${body.x}"}, {"b": [None, 1], "c": None}),
    ],
)
def test_templates_are_filled(template, filled):
    assert render(template, SCOPE) == filled


@pytest.mark.parametrize(
    "template", ["${", "${}", "${a b}", "${a.b()}", "${a['b']}", "${a|b|}", "${__import__('os')}", "${a;b}", "${1}"]
)
def test_nothing_but_names_and_filters_is_a_template(template):
    with pytest.raises(ConfigError):
        compile_template(template)


def test_a_missing_value_is_named():
    with pytest.raises(ConfigError, match=r"'x\$\{config.none\}' needs a value for 'config.none'"):
        render_text("x${config.none}", SCOPE)


@given(st.text(min_size=1))
def test_no_value_leaves_its_place_in_a_path(text):
    filled = render_path("/a/${v}/b", Scope({"v": text})) if text.isprintable() else "/a/x/b"
    assert re.fullmatch(r"/a/[A-Za-z0-9._~%-]+/b", filled)
    assert "/../" not in filled
    assert "/./" not in filled


# --- the catalogue and the configuration of a connection -----------------------------------------------------------


def test_own_declarations_join_the_catalogue_and_change_without_a_restart(tmp_path, settings):
    settings.HUB_CATALOG = str(tmp_path)
    assert "acme" not in registry.catalogue()
    (tmp_path / "acme.yaml").write_text(GOOD)
    assert registry.catalogue()["acme"].label == "Acme"
    (tmp_path / "acme.yaml").write_text(GOOD.replace("label: Acme", "label: Other"))
    assert registry.catalogue()["acme"].label == "Other"


def test_a_name_that_is_taken_is_a_problem_of_the_own_file(tmp_path, settings):
    settings.HUB_CATALOG = str(tmp_path)
    (tmp_path / "tryton.yaml").write_text(GOOD.replace("name: acme", "name: tryton"))
    (tmp_path / "other.yaml").write_text(GOOD)
    sentences = [p.sentence for found in registry.catalogue_problems().values() for p in found]
    assert any("'tryton' is taken by" in sentence for sentence in sentences)
    assert any("called other.yaml, so the name must be 'other'" in sentence for sentence in sentences)
    assert registry.catalogue()["tryton"].source.endswith("connectors/catalog/tryton.yaml")


def test_an_unknown_protocol_and_a_missing_declaration_are_explained():
    with pytest.raises(ConfigError, match="no protocol 'telnet'"):
        registry.open_connector(protocol="telnet", config={}, secrets={})
    with pytest.raises(ConfigError, match="needs a declaration"):
        registry.open_connector(protocol="rest", config={}, secrets={})


def test_a_declaration_may_stand_in_the_configuration():
    text = GOOD.replace("${config.site}/api", "http://127.0.0.1:1")
    config = {"declaration": text, "site": "https://x"}
    with registry.open_connector(protocol="rest", config=config, secrets={"token": "abcd"}) as connector:
        assert connector.discover() == [] or connector.protocol == "rest"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ({"title": "Site"}, None, "Site is missing"),
        ({"title": "Site"}, "", "Site is missing"),
        ({"title": "Port", "type": "integer"}, "x", "Port must be of the type integer"),
        ({"title": "On", "type": "boolean"}, "perhaps", "On must be of the type boolean"),
        ({"title": "Kind", "enum": ["a", "b"]}, "c", "Kind may not be 'c'"),
        ({"title": "Code", "pattern": "[a-z]+"}, "a1", "Code may not be 'a1'"),
        ({"title": "Site", "format": "uri"}, "db.example.com", "Site may not be 'db.example.com'"),
        ({"title": "Host", "format": "hostname"}, "https://x/y", "Host may not be"),
        ({"title": "Mail", "format": "email"}, "nobody", "Mail may not be"),
        ({"title": "Day", "format": "date"}, "1.1.2026", "Day may not be"),
        ({"title": "Zone", "format": "time-zone"}, "Mars/North", "Zone may not be"),
        ({"title": "Key", "type": "secret"}, None, "Key is missing"),
    ],
)
def test_a_configuration_value_that_does_not_fit_is_named(field, value, words):
    with pytest.raises(ConfigError, match=words):
        rest("http://127.0.0.1:1", config={"x": field}, values_given={"x": value})


def test_configuration_values_get_their_types_and_defaults():
    config = {
        "port": {"title": "Port", "type": "integer"},
        "on": {"title": "On", "type": "boolean"},
        "site": {"title": "Site"},
        "zone": {"title": "Zone", "default": "UTC"},
    }
    values = {"port": "8080", "on": "yes", "site": "  https://x  "}
    found = rest("http://127.0.0.1:1", config=config, values_given=values).config
    assert (found["port"], found["on"], found["site"], found["zone"]) == (8080, True, "https://x", "UTC")


def test_the_limits_of_a_declaration_may_be_overridden_by_the_connection():
    connector = rest(
        "http://127.0.0.1:1", limits={"page_size": 5, "concurrency": 2}, values_given={"limits": {"page_size": 9}}
    )
    assert connector.limits == {"page_size": 9, "concurrency": 2}


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command_tells_sound_files_from_others(tmp_path, capsys):
    good, bad = tmp_path / "acme.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD)
    bad.write_text(GOOD.replace("bearer", "barer"))
    call_command("connector", "check", str(good))
    assert "Acme is sound; it offers projects, tasks." in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        call_command("connector", "check", str(bad), str(good), str(tmp_path / "none.yaml"))
    assert stopped.value.code == 1
    shown = capsys.readouterr()
    assert f"{bad}:12: auth.type: 'barer' is not allowed." in shown.err
    assert "none.yaml: the file: It cannot be read" in shown.err
    assert "Acme is sound" in shown.out


def test_the_command_lists_the_catalogue(capsys):
    call_command("connector", "list")
    assert "tryton" in capsys.readouterr().out
    call_command("connector", "list", "--json")
    assert '"name": "tryton"' in capsys.readouterr().out


def test_the_reference_names_every_option():
    text = (Path(__file__).parents[2] / "docs" / "connect-any-api.md").read_text()
    named = {name for part in [schema(), *schema()["$defs"].values()] for name in _options(part)}
    assert not {name for name in named if f"`{name}`" not in text}


def _options(part: dict[str, Any]) -> set[str]:
    found = set(part.get("properties", {}))
    for inner in part.get("anyOf", ()):
        found |= set(inner.get("properties", {}))
    return found


def test_every_declaration_in_the_reference_is_sound():
    text = (Path(__file__).parents[2] / "docs" / "connect-any-api.md").read_text()
    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if block.startswith("name:")]
    assert len(blocks) >= 3
    for block in blocks:
        assert not catalog.validate_text(block), block


def test_the_base_of_the_tests_is_itself_sound():
    assert not catalog.validate({**BASE, "base_url": "https://x", "streams": {"a": {"path": "/a"}}})
