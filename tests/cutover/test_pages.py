"""The same by pages, documents, programs and the command: what each may do, and what is told to the audit."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from governance.models import AuditEntry
from hub.common.errors import ConfigError
from hub.common.registry import kind
from hub.cutover.models import Cutover, CutoverMove, CutoverRoute
from tests.cutover.conftest import MONDAY, World
from tests.cutover.test_shadow import differing, shadowed

pytestmark = pytest.mark.django_db(transaction=True)


def test_without_a_cutover_the_page_says_what_one_is_for(ada: Any, olga: Any, browse: Any) -> None:
    assert b"New cut-over" in browse(ada).get("/cutovers/").content
    answer = browse(olga).get("/cutovers/").content
    assert b"No cut-overs yet" in answer
    assert b"New cut-over" not in answer


def test_the_matrix_shows_each_legal_entity_with_what_is_unexplained(world: World, ada: Any, browse: Any) -> None:
    differing(world, 1, 2)
    page = browse(ada).get("/cutovers/").content.decode()
    assert "Projects to the new ERP" in page
    assert "<b>2</b>" in page
    rows = json.loads(b"".join(browse(ada).get("/cutovers.json")))
    assert [(row["legal_entity"], row["state"]) for row in rows] == [("UK", "shadow"), ("*", "legacy")]


def test_a_cutover_is_made_by_form_and_changed(world: World, ada: Any, browse: Any) -> None:
    given = {
        "name": "Projects", "domain": "project-wbs", "legacy": "to-legacy", "new": "to-new", "legal_entities": "UK, DE",
        "days_needed": "5", "carry": "all", "tolerances": "budget: 0.01", "owner": "finance", "notes": "",
    }  # fmt: skip
    answer = browse(ada).post("/cutovers/new/", given)
    assert answer.url == "/cutovers/projects/"
    found = Cutover.objects.get()
    assert (found.legal_entities, found.tolerances, found.entity.slug) == (["UK", "DE"], {"budget": "0.01"}, "project")
    assert set(CutoverRoute.objects.values_list("legal_entity", flat=True)) == {"*", "UK", "DE"}
    assert b"budget: 0.01" in browse(ada).get("/cutovers/projects/change/").content
    assert browse(ada).post("/cutovers/projects/change/", {**given, "legal_entities": ""}).status_code == 302
    assert CutoverRoute.objects.get().legal_entity == "*"
    wrong = browse(ada).post("/cutovers/new/", {**given, "name": "Other", "tolerances": "budget: much"})
    assert (wrong.status_code, b"is no amount" in wrong.content) == (422, True)
    taken = browse(ada).post("/cutovers/new/", {**given, "name": "Other"})
    assert b"belongs to the cut-over" in taken.content


def test_people_switch_and_explain_on_its_page(world: World, ada: Any, browse: Any) -> None:
    differing(world, 1)
    page = browse(ada).get("/cutovers/projects/").content.decode()
    assert "Dual is shut." in page
    assert "name: cut short" in page
    refused = browse(ada).post("/cutovers/projects/advance/", {"legal_entity": "UK", "reason": "Go."}, follow=True)
    assert b"UK stays shadow." in refused.content
    cause = {"legal_entity": "UK", "field": "name", "pattern": "cut short", "reason": "Four letters."}
    assert b"Explained." in browse(ada).post("/cutovers/projects/explain/", cause, follow=True).content
    assert b"Four letters." in browse(ada).get("/cutovers/projects/").content
    world.clean_days(until=MONDAY)
    assert b"the gate is open" in browse(ada).get("/cutovers/projects/").content
    browse(ada).post("/cutovers/projects/advance/", {"legal_entity": "UK", "reason": "Go."})
    assert world.route().state == "dual"
    back = {"legal_entity": "UK", "to": "legacy", "reason": "It went wrong."}
    assert b"Switched back." in browse(ada).post("/cutovers/projects/rollback/", back, follow=True).content
    move = CutoverMove.objects.first()
    assert move is not None
    assert (move.before, move.after, move.by, move.is_back) == ("dual", "legacy", ada, True)
    acts = set(AuditEntry.objects.filter(kind="Cutover").values_list("act", flat=True))
    assert acts >= {"cutover.advanced", "cutover.rolled_back", "cutover.explained"}


def test_who_only_looks_changes_nothing(world: World, finn: Any, olga: Any, mallory: Any, browse: Any) -> None:
    differing(world, 1)
    page = browse(finn).get("/cutovers/projects/").content
    assert b"Explain all" not in page
    assert b"Roll back" not in page
    for path in ("advance", "rollback", "explain", "delete"):
        assert browse(finn).post(f"/cutovers/projects/{path}/").status_code == 403
    assert browse(olga).post("/cutovers/projects/explain/").status_code == 403
    assert b"Roll back" in browse(olga).get("/cutovers/projects/").content
    assert browse(mallory).get("/cutovers/").status_code == 403


def test_a_domain_keeps_its_cutovers_to_itself(world: World, make_person: Any, browse: Any) -> None:
    world.make()
    rita = make_person("Rita", ("integration_admin", "resource"))
    assert browse(rita).get("/cutovers/projects/").status_code == 404
    assert browse(rita).get("/api/v1/cutovers/").json()["results"] == []


def test_programs_read_how_far_each_legal_entity_is(world: World, ada: Any, browse: Any) -> None:
    differing(world, 1)
    found = browse(ada).get("/api/v1/cutovers/projects/").json()
    uk, rest = found["routes"]
    assert (uk["legal_entity"], uk["state"], uk["next"], uk["gate_open"], uk["unexplained"]) == (
        "UK", "shadow", "dual", False, 1,
    )  # fmt: skip
    assert (rest["legal_entity"], rest["gate_open"]) == ("*", True)
    assert browse(ada).post("/api/v1/cutovers/projects/").status_code == 403


def run(*arguments: str) -> tuple[int, Any]:
    out, code = StringIO(), 0
    try:
        call_command("cutover", *arguments, "--json", stdout=out, stderr=StringIO())
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    return code, json.loads(out.getvalue())


def test_the_command_lists_compares_and_switches(world: World) -> None:
    world.make()
    assert run("list")[1]["cutovers"][0]["slug"] == "projects"
    assert run("advance", "projects", "--legal-entity", "UK", "--reason", "Look.")[1]["routes"][0]["state"] == "shadow"
    world.change(1)
    world.deliver()
    assert run("compare", "projects")[1]["compared"] == 1
    code, said = run("advance", "projects", "--legal-entity", "UK", "--reason", "Go.")
    assert (code, said["code"], "1 of 2 days" in said["error"]) == (1, "GATE", True)
    code, said = run("rollback", "projects", "--legal-entity", "UK", "--to", "legacy", "--reason", "No.")
    assert (code, said["routes"][0]["state"]) == (0, "legacy")
    assert run("show", "gone") == (1, {"error": "There is no cut-over 'gone'. Known: projects.", "code": "CONFIG"})
    text = StringIO()
    call_command("cutover", "list", stdout=text)
    assert "projects UK: legacy, 0 unexplained" in text.getvalue()


# Documents -------------------------------------------------------------------------------------------------
def test_what_is_exported_and_applied_again_changes_nothing_and_leaves_the_states(world: World) -> None:
    shadowed(world, tolerances={"budget": "0.01"}, carry="all", notes="By the end of the year.")
    document = kind("Cutover").dump("projects")
    assert document == {"kind": "Cutover", **world.document(tolerances={"budget": "0.01"}, carry="all",
                                                            notes="By the end of the year.")}  # fmt: skip
    assert kind("Cutover").diff(document) == []
    kind("Cutover").apply(document, by=None)
    assert world.route().state == "shadow"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"new": "to-legacy"}, "are the same one"),
        ({"new": "psa-projects"}, "reads"),
        ({"days_needed": 0}, "1 to 90"),
        ({"legal_entities": ["*"]}, "always there"),
        ({"legal_entities": ["UK", "UK"]}, "named twice"),
        ({"legal_entities": "UK"}, "Write a list"),
        ({"tolerances": {"budget": "NaN"}}, "is no amount"),
        ({"carry": "some"}, "not a valid choice"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(world: World, given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        world.make(**given)


def test_once_switched_its_sides_stay_and_a_legal_entity_leaves_only_where_the_rest_is(world: World) -> None:
    shadowed(world)
    with pytest.raises(ConfigError, match="UK is shadow, and all the rest is legacy"):
        world.make(legal_entities=[])
    with pytest.raises(ConfigError, match="have been switched already"):
        world.make(legacy="to-new", new="to-legacy")
    world.back("legacy")
    world.make(legal_entities=["DE"])
    assert set(CutoverRoute.objects.values_list("legal_entity", flat=True)) == {"*", "DE"}
