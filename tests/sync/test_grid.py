"""The run grid: stages by runs, syncs by runs; what waits is never drawn like what succeeded."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hub.sync import grid
from hub.sync.models import Run
from hub.sync.states import RunStatus
from tests.service_levels.builders import World

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture
def world(domains: Any) -> World:
    return World()


def ran(world: World, status: str, seconds: int = 5, **fields: Any) -> Run:
    start = timezone.now()
    given = {"timings": {"waiting for source": 1.0, "prepare": 2.0, "store": 2.0}, "trigger": "schedule"}
    run = Run.objects.create(
        sync=world.reads, status=status, started_at=start, finished_at=start + seconds * SECOND, **{**given, **fields}
    )
    return run


def cells(found: grid.Grid, label: str) -> list[str]:
    return next([cell.status for cell in row.cells] for row in found.rows if row.label == label)


def test_rows_are_stages_in_their_order_and_columns_are_runs_oldest_first(world: World) -> None:
    first, second = ran(world, "succeeded"), ran(world, "failed", timings={"waiting for source": 3.0})
    found = grid.of_sync(world.reads)
    assert [run.id for run in found.runs] == [first.pk, second.pk]
    assert [row.label for row in found.rows] == [
        "The run",
        "Wait for the source",
        "Check, map, match",
        "Store and outbox",
    ]
    assert cells(found, "The run") == ["succeeded", "failed"]


def test_the_stage_at_which_a_run_failed_is_the_last_it_came_to(world: World) -> None:
    ran(world, "failed", timings={"waiting for source": 3.0, "prepare": 1.0})
    ran(world, "succeeded")
    found = grid.of_sync(world.reads)
    assert cells(found, "Wait for the source") == ["succeeded", "succeeded"]
    assert cells(found, "Check, map, match") == ["failed", "succeeded"]
    assert cells(found, "Store and outbox") == ["", "succeeded"]


def test_a_queued_run_is_queued_in_every_stage_and_never_green(world: World, browse: Any, olga: Any) -> None:
    ran(world, "succeeded")
    Run.objects.create(sync=world.reads, status=RunStatus.QUEUED, trigger="schedule")
    found = grid.of_sync(world.reads)
    assert {cells(found, row.label)[1] for row in found.rows} == {"queued"}
    page = browse(olga).get("/syncs/psa-time/grid/").content.decode()
    assert page.count('class="g g-queued" href') == len(found.rows)


def test_what_a_running_run_is_at_is_running(world: World) -> None:
    ran(world, "running", timings={"waiting for source": 1.0, "prepare": 1.0}, stage="prepare")
    found = grid.of_sync(world.reads)
    assert (cells(found, "Wait for the source"), cells(found, "Check, map, match")) == (["succeeded"], ["running"])


def test_no_more_than_sixty_runs_the_newest_at_the_right(world: World) -> None:
    made = [ran(world, "succeeded").pk for _ in range(grid.COLUMNS + 5)]
    assert [run.id for run in grid.of_sync(world.reads).runs] == made[5:]


def test_backfills_say_nothing_of_how_it_goes(world: World) -> None:
    ran(world, "succeeded", trigger="backfill")
    assert grid.of_sync(world.reads).runs == []


def test_the_grid_of_syncs_stands_at_the_right(world: World) -> None:
    run = ran(world, "succeeded")
    found = grid.of_syncs([world.reads, world.delivers])
    assert [len(row.cells) for row in found.rows] == [grid.COLUMNS] * 2
    last = found.rows[0].cells[-1]
    assert last.run is not None
    assert last.run.id == run.pk
    assert all(cell.run is None for cell in found.rows[1].cells)


def test_the_number_of_queries_does_not_grow_with_the_runs(world: World, browse: Any, olga: Any) -> None:
    counts = []
    for _ in range(2):
        ran(world, "succeeded")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert browse(olga).get("/runs/grid/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("path", ["/syncs/psa-time/grid", "/runs/grid"])
def test_the_csv_has_a_row_for_each_cell_with_a_run(world: World, browse: Any, olga: Any, path: str) -> None:
    ran(world, "succeeded")
    ran(world, "failed", timings={"waiting for source": 1.0})
    page = browse(olga).get(f"{path}/").content.decode()
    text = b"".join(browse(olga).get(f"{path}.csv")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    shown = [row for row in rows if row["State"] != "not reached"]
    assert len(shown) == len(re.findall(r'class="g g-\w+" href', page)) > 0


def test_people_of_another_domain_see_no_grid(world: World, browse: Any, make_person: Any) -> None:
    ran(world, "succeeded")
    bob = make_person("Bob", ("operator", "billing-gl"))
    assert browse(bob).get("/syncs/psa-time/grid/").status_code == 404
    assert "psa-time" not in browse(bob).get("/runs/grid/").content.decode()


def test_the_grid_of_a_domain_holds_its_syncs_alone(world: World, browse: Any, olga: Any) -> None:
    assert "psa-time" in browse(olga).get("/runs/grid/?domain=project-wbs").content.decode()
    assert "No sync matches" in browse(olga).get("/runs/grid/?domain=billing-gl").content.decode()


def test_names_of_syncs_are_no_html(world: World, browse: Any, olga: Any) -> None:
    world.reads.name = "<b>bold</b>"
    world.reads.save()
    ran(world, "succeeded")
    assert "<b>bold</b>" not in browse(olga).get("/runs/grid/").content.decode()
