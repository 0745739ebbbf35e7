"""A first load that somebody starts on the page is carried out by a real worker, from the first read to the last link."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.sync import sweeper
from hub.sync.adopt import services
from hub.sync.models import Adoption
from tests.sync.first_load import world
from tests.worker import eventually, running_worker

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_worker_reads_matches_and_links(domains: None, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with world(40) as load, running_worker(log):
        adoption = services.start(target=load.target, source=load.source, by=None)
        _reaches(adoption, Adoption.Status.REVIEW)
        assert load.writes() == 0
        load.decide_truly(adoption)
        services.approve(adoption=adoption, by=None)
        _reaches(adoption, Adoption.Status.DONE)
        load.deliver()
        assert load.new_duplicates() == 0
    assert "unregistered task" not in log.read_text()


def _reaches(adoption: Adoption, status: str) -> None:
    def has_reached() -> bool:
        sweeper.tick()
        adoption.refresh_from_db()
        return adoption.status == status

    eventually(has_reached, lambda: f"{adoption.status}: {adoption.error}")
