"""Rules that only several workers at once can break, and the planted bugs themselves."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import close_old_connections, connection

from hub.common.errors import ConfigError
from hub.records.models import CanonicalRecord
from hub.sync import engine, services
from hub.sync.chaos import mutants
from tests import memory
from tests.sync import builders as build

THREADS = 4


@pytest.mark.django_db(transaction=True)
def test_a_business_key_exists_once_however_many_write_it(domains: Any) -> None:
    entity = build.entity("project", build.PROJECT)
    syncs = []
    for number in range(THREADS):
        stream = build.stream(build.connection(f"psa-{number}"), "projects")
        syncs.append(build.sync(f"psa-{number}", "in", stream, entity, build.PROJECT_RULES))
        memory.system(f"psa-{number}").sources["projects"] = [build.project_row(n) for n in range(200)]
        memory.system(f"psa-{number}").page_size = 20
    together = threading.Barrier(THREADS)
    done: list[Any] = []

    def read(sync: Any) -> None:
        together.wait()
        try:
            done.append(services.run_here(sync=sync))
        finally:
            close_old_connections()
            connection.close()

    threads = [threading.Thread(target=read, args=(sync,)) for sync in syncs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.error for run in done] == [""] * THREADS
    assert CanonicalRecord.objects.count() == 200
    assert CanonicalRecord.objects.values("key").distinct().count() == 200


@pytest.mark.django_db(transaction=True)
def test_a_crawl_without_order_that_is_given_up_leaves_the_cursor_where_it_was(domains: Any) -> None:
    """The highest value of its first pages says nothing about the pages that were not read."""
    stream = build.stream(build.connection("psa"), "projects", cursor="changed")
    sync = build.sync("psa", "in", stream, build.entity("project", build.PROJECT), build.PROJECT_RULES)
    source = memory.system("psa")
    source.page_size = 1
    source.sources["projects"] = [
        build.project_row(1, changed="2026-11-02"),
        build.project_row(2, changed="2026-11-01"),
    ]
    run, _ = services.start_run(sync=sync)
    engine.execute(run.pk, slice_seconds=0)
    services.cancel_run(run=run, by="Olga")
    services.run_here(sync=sync)
    assert CanonicalRecord.objects.count() == 2


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_the_lines_of_each_planted_bug_stand_where_it_says(mutant: mutants.Mutant) -> None:
    text = (mutants.ROOT / mutant.file).read_text()
    assert text.count(mutant.old) == 1
    assert mutant.new != mutant.old
    path = mutant.detector.partition("::")[0]
    assert (mutants.ROOT / path).exists()


def test_a_planted_bug_is_found_and_the_checkout_is_left_alone() -> None:
    before = (mutants.ROOT / "hub/sync/runs.py").read_bytes()
    found = mutants.plant_all(["epoch check"])
    assert (found["planted"], found["found"]) == (1, 1)
    assert "LostLease" in found["mutants"][0]["said"]
    assert (mutants.ROOT / "hub/sync/runs.py").read_bytes() == before


def test_a_bug_that_nobody_notices_is_told(monkeypatch: Any) -> None:
    blind = mutants.Mutant(
        "blind", "hub/sync/runs.py", "MAX_CLAIMS = 3", "MAX_CLAIMS = 4",
        "tests/sync/test_outbound.py::test_a_worker_that_lost_its_lease_writes_nothing",
    )  # fmt: skip
    monkeypatch.setattr(mutants, "MUTANTS", (blind,))
    found = mutants.plant_all()
    assert (found["found"], found["passed"]) == (0, False)
    assert found["mutants"][0]["reason"] == "The detector ended with 0."
    assert found["mutants"][0]["said"] == ""


def test_a_mutant_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="no mutant nonsense"):
        mutants.plant_all(["nonsense"])
