"""Two records that are one: ids, references and targets follow, and everything can be undone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command

from hub.common.errors import ConfigError
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync import services
from hub.sync.models import HeldRecord, Merge, Run, Sync, Transaction
from hub.sync.removals import merges
from hub.sync.states import Outcome
from tests import memory
from tests.removals.conftest import rows
from tests.sync import builders as build
from tests.sync.worlds import Firm

pytestmark = pytest.mark.django_db(transaction=True)
TIME_RULES = [
    {"target": "number", "source": "id"},
    {"target": "project", "kind": "reference", "source": "project_id", "entity": "project", "via": "psa-projects"},
    {"target": "hours", "source": "hours", "type": "decimal"},
]


@pytest.fixture
def times(firm: Firm, domains: Any) -> Sync:
    """Projects 1 to 3 are at the ERP, with two time entries of project 1 and one of project 2."""
    entity = build.entity("time-entry", build.TIME)
    stream = build.stream(build.connection("clock"), "times")
    sync = build.sync("clock-times", "in", stream, entity, TIME_RULES, mode="full")
    target = build.stream(firm.outbound.stream.connection, "hours")
    out_rules = [{"target": "number", "source": "number"}, {"target": "job", "source": "project"}]
    build.sync("erp-hours", "out", target, entity, out_rules)
    firm.read(*rows(1, 2, 3))
    clocked(sync, 1, 1, 2)
    firm.deliver()
    work()
    firm.erp.writes.clear()
    return sync


def clocked(sync: Sync, *projects: int) -> Run:
    found = [{"id": f"T{n}", "project_id": str(project), "hours": "2.0"} for n, project in enumerate(projects)]
    memory.system("clock").sources["times"] = found
    return services.run_here(sync=sync)


def work() -> None:
    from hub.sync import engine

    while run := Run.objects.filter(status="queued").first():
        engine.execute(run.pk)


def record(number: int) -> CanonicalRecord:
    return CanonicalRecord.objects.get(key=f"P-{number:04d}")


def jobs_of_times() -> list[str]:
    return [r.body["project"] for r in CanonicalRecord.objects.filter(entity__slug="time-entry").order_by("key")]


def joined(by: Any = None) -> Merge:
    made = merges.merge(loser=record(1), winner=record(2), reason="The same engagement.", by=by)
    work()
    return made


def test_ids_and_references_follow_and_targets_are_told(firm: Firm, times: Sync) -> None:
    joined()
    assert record(1).deleted_at is not None
    assert Crosswalk.objects.get(stream=firm.inbound.stream, external_id="1").record_id == record(2).pk
    assert jobs_of_times() == ["P-0002", "P-0002", "P-0002"]
    assert firm.erp.inactive == {"P-0001"}
    sent = sorted(item.key for item in firm.erp.writes if item.operation == "upsert")
    assert sent == ["T0", "T1"]
    assert firm.erp.targets["hours"]["T0"]["job"] == "P-0002"


def test_what_comes_later_means_the_winner(firm: Firm, times: Sync) -> None:
    joined()
    run = firm.read(build.project_row(1, title="Old name"), *rows(2, 3))
    assert (run.status, run.unchanged, record(2).body["name"]) == ("succeeded", 3, "Project 2")
    clocked(times, 1, 1, 2, 1)
    assert jobs_of_times() == ["P-0002"] * 4


def test_another_source_that_uses_the_losers_key_does_not_bring_it_back(firm: Firm, times: Sync) -> None:
    joined()
    stream = build.stream(build.connection("crm"), "deals")
    crm = build.sync("crm-deals", "in", stream, firm.inbound.entity, build.PROJECT_RULES, mode="full")
    memory.system("crm").sources["deals"] = rows(1, 2)
    assert services.run_here(sync=crm).status == "succeeded"
    assert record(1).deleted_at is not None


def test_undoing_restores_ids_references_and_targets(firm: Firm, times: Sync) -> None:
    before = {row.external_id: row.record_id for row in Crosswalk.objects.filter(stream=firm.inbound.stream)}
    made = joined()
    merges.undo(merge=made, reason="They are two after all.", by=None)
    work()
    assert {row.external_id: row.record_id for row in Crosswalk.objects.filter(stream=firm.inbound.stream)} == before
    assert (record(1).deleted_at, jobs_of_times()) == (None, ["P-0001", "P-0001", "P-0002"])
    assert firm.erp.targets["hours"]["T0"]["job"] == "P-0001"
    assert firm.read(*rows(1, 2, 3)).unchanged == 3
    assert not Crosswalk.objects.filter(merge_id__isnull=False).exists()


def test_what_was_moved_by_its_source_since_stays_there(firm: Firm, times: Sync) -> None:
    made = joined()
    clocked(times, 3, 1, 2)
    merges.undo(merge=made, reason="They are two after all.", by=None)
    assert jobs_of_times() == ["P-0003", "P-0001", "P-0002"]


def test_chains_are_undone_from_their_end(firm: Firm, times: Sync) -> None:
    first = joined()
    second = merges.merge(loser=record(2), winner=record(3), reason="All one.", by=None)
    assert jobs_of_times() == ["P-0003"] * 3
    clocked(times, 1, 1, 2, 1)
    assert jobs_of_times() == ["P-0003"] * 4
    with pytest.raises(ConfigError, match="Undo that one first"):
        merges.undo(merge=first, reason="No.", by=None)
    merges.undo(merge=second, reason="No.", by=None)
    merges.undo(merge=first, reason="No.", by=None)
    assert jobs_of_times()[:3] == ["P-0001", "P-0001", "P-0002"]
    assert Crosswalk.objects.get(stream=firm.inbound.stream, external_id="1").record_id == record(1).pk


@pytest.mark.parametrize(("loser", "winner", "part"), [(1, 1, "into itself"), (2, 1, "P-0001 is deleted")])
def test_what_cannot_be_one_is_refused(firm: Firm, times: Sync, loser: int, winner: int, part: str) -> None:
    joined()
    with pytest.raises(ConfigError, match=part):
        merges.merge(loser=record(loser), winner=record(winner), reason="x", by=None)


# Said by the source ----------------------------------------------------------------------------------------
@pytest.fixture
def telling(firm: Firm) -> Firm:
    Sync.objects.filter(pk=firm.inbound.pk).update(merged_path="master")
    firm.inbound = Sync.objects.get(pk=firm.inbound.pk)
    return firm


def test_a_source_that_tells_of_a_merge_is_followed_once(telling: Firm, times: Sync) -> None:
    shown = [build.project_row(1, master="2"), *rows(2, 3)]
    run = telling.read(*shown)
    assert (run.status, run.updated, run.unchanged) == ("succeeded", 1, 2)
    made = Merge.objects.get()
    assert (made.run_id, made.loser.key, made.winner.key) == (run.pk, "P-0001", "P-0002")
    assert jobs_of_times() == ["P-0002"] * 3
    assert Transaction.objects.get(run_id=run.pk, outcome=Outcome.MERGED).key == "P-0001"
    assert telling.read(*shown).unchanged == 3
    assert Merge.objects.count() == 1


def test_a_merge_into_a_record_that_is_not_here_waits_for_it(telling: Firm, times: Sync) -> None:
    run = telling.read(build.project_row(1, master="9"), *rows(2, 3))
    assert (run.waiting, HeldRecord.objects.get().missing_key) == (1, "9")
    telling.read(build.project_row(1, master="9"), *rows(2, 3, 9))
    work()
    assert (Merge.objects.get().winner.key, HeldRecord.objects.count()) == ("P-0009", 0)


def test_a_crawl_without_the_loser_does_not_miss_it(telling: Firm, times: Sync) -> None:
    telling.read(build.project_row(1, master="2"), *rows(2, 3))
    run = telling.read(*rows(2, 3))
    assert (run.crawl.missing, record(2).deleted_at) == (0, None)


# Pages, API and command ------------------------------------------------------------------------------------
def test_a_person_merges_on_the_records_page_and_undoes_it(browse: Any, olga: Any, firm: Firm, times: Sync) -> None:
    client, loser = browse(olga), record(1)
    assert f"/merges/new/project/{loser.pk}/" in client.get(loser.get_absolute_url()).content.decode()
    wrong = client.post(f"/merges/new/project/{loser.pk}/", {"winner": "P-9999", "reason": "Same."})
    assert (wrong.status_code, "There is no Project" in wrong.content.decode()) == (422, True)
    client.post(f"/merges/new/project/{loser.pk}/", {"winner": "P-0002", "reason": "Same."})
    made = Merge.objects.get()
    assert "T0" in client.get(f"/merges/{made.pk}/").content.decode()
    assert f"Merge {made.pk}" in client.get("/merges/?state=in_force").content.decode()
    assert client.get("/merges.csv").status_code == 200
    assert "merged into another one" in client.get(loser.get_absolute_url()).content.decode()
    client.post(f"/merges/{made.pk}/undo/", {"reason": "Two."})
    assert record(1).deleted_at is None


def test_who_may_not_decide_cannot_merge(browse: Any, grace: Any, firm: Firm, times: Sync) -> None:
    client, loser = browse(grace), record(1)
    assert client.get(f"/merges/new/project/{loser.pk}/").status_code == 403
    assert "/merges/new/" not in client.get(loser.get_absolute_url()).content.decode()


def test_the_api_merges_and_undoes(browse: Any, olga: Any, firm: Firm, times: Sync) -> None:
    client = browse(olga)
    asked = {"entity": "project", "loser": "P-0001", "winner": "P-0002", "reason": "Same."}
    made = client.post("/api/v1/merges/", asked, "application/json").json()
    assert (made["loser"], made["winner"], made["entity"], made["in_force"]) == ("P-0001", "P-0002", "project", True)
    assert len(client.get("/api/v1/merges/").json()["results"]) == 1
    undone = client.post(f"/api/v1/merges/{made['id']}/undo/", {"reason": "Two."}, "application/json").json()
    assert undone["in_force"] is False


def test_the_command_merges_and_undoes(firm: Firm, times: Sync, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("merge", "project", "P-0001", "P-0002", "--reason", "Same.", "--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["loser"], found["winner"], found["in_force"]) == ("P-0001", "P-0002", True)
    call_command("merge", "--undo", str(found["merge"]), "--reason", "Two.", "--json")
    assert json.loads(capsys.readouterr().out)["in_force"] is False
    with pytest.raises(SystemExit):
        call_command("merge", "project", "P-0001", "--reason", "Same.", "--json")
    assert json.loads(capsys.readouterr().out)["code"] == "USAGE"
