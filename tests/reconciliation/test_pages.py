"""The pages of reconciliations: what they show, to whom, and what they do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.accounts.models import User
from monitoring.models import ReconciliationRun
from monitoring.reconciliation import services

from .builders import World, entry, posted

pytestmark = pytest.mark.django_db


@pytest.fixture
def compared(world: World) -> World:
    world.psa += [entry(1), entry(2), entry(3, hours="7.5")]
    world.erp += [posted(1), posted(3), posted(4)]
    world.compare()
    return world


def test_the_scorecard_says_what_is_unexplained_and_in_which_period(browse: Any, finn: User, compared: World) -> None:
    page = browse(finn).get("/reconciliation/").content.decode()
    assert "Time, PSA ↔ ERP" in page
    assert "2026-11" in page
    assert "25.0 %" in page
    assert "Unexplained" in page


def test_the_scorecard_is_a_file_too(browse: Any, finn: User, compared: World) -> None:
    body = b"".join(browse(finn).get("/reconciliation.json").streaming_content)  # type: ignore[attr-defined]
    (row,) = json.loads(body)
    assert (row["period"], row["matched"], row["gaps"], row["unexplained"]) == ("2026-11", 1, 3, 3)


def test_one_reconciliation_shows_totals_and_the_headline(browse: Any, finn: User, compared: World) -> None:
    page = browse(finn).get("/reconciliation/time/").content.decode()
    assert "25.0 % matched, 0 % explained, 3 unexplained" in page
    assert "Control totals" in page


def test_a_comparison_that_is_not_one_says_why_and_asks(browse: Any, finn: User, compared: World) -> None:
    compared.erp.clear()
    compared.compare()
    page = browse(finn).get("/reconciliation/time/").content.decode()
    assert "ERP shows no record at all." in page
    assert "compare all the same" in page
    assert "25.0 % matched" in page


def test_comparing_by_hand_asks_a_worker_once(browse: Any, finn: User, compared: World) -> None:
    client = browse(finn)
    for _ in range(2):
        assert client.post("/reconciliation/time/compare/").status_code == 302
    assert ReconciliationRun.objects.filter(status="queued").count() == 1
    run = ReconciliationRun.objects.get(status="queued")
    client.post(f"/reconciliation/time/runs/{run.pk}/cancel/")
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_who_may_not_resolve_may_not_compare(browse: Any, olga: User, mallory: User, compared: World) -> None:
    assert browse(olga).post("/reconciliation/time/compare/").status_code == 403
    assert browse(mallory).get("/reconciliation/").status_code == 403
    assert browse(mallory).get("/reconciliation/time/").status_code == 403


def test_other_domains_see_nothing_of_it(browse: Any, make_person: Any, compared: World) -> None:
    other = make_person("Otto", ("finance", "billing-gl"))
    assert browse(other).get("/reconciliation/time/").status_code == 404
    assert "Time, PSA" not in browse(other).get("/reconciliation/").content.decode()


def test_the_comparisons_are_listed_and_exported(browse: Any, finn: User, compared: World) -> None:
    assert "By hand" in browse(finn).get("/reconciliation/time/runs/").content.decode()
    assert browse(finn).get("/reconciliation/time/runs.csv").status_code == 200


def test_it_is_deleted_with_its_gaps(browse: Any, ada: User, compared: World) -> None:
    assert browse(ada).post("/reconciliation/time/delete/").status_code == 302
    assert not ReconciliationRun.objects.exists()


def test_a_name_that_is_taken_by_a_page_is_refused(world: World) -> None:
    from hub.common.errors import ConfigError

    with pytest.raises(ConfigError, match="is the name of a page"):
        services.save_reconciliation(world.document(slug="new"), by=None)
