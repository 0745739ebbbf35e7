"""A suspect run waits for a person; what that person says holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from hub.common.errors import ConfigError
from hub.config import services as config
from hub.config.documents import Source
from hub.records.models import CanonicalRecord
from hub.sync import engine, runs
from hub.sync.models import Crawl, Run, Sync, Transaction
from hub.sync.removals import services
from hub.sync.states import Outcome
from tests.removals.conftest import rows
from tests.sync.worlds import Firm

pytestmark = pytest.mark.django_db(transaction=True)
Browse = Callable[[Any], Client]


@pytest.fixture
def half(firm: Firm) -> Run:
    """Half of ten projects is missing."""
    firm.read(*rows(*range(10)))
    return firm.read(*rows(*range(5)))


def number_living() -> int:
    return CanonicalRecord.objects.filter(deleted_at__isnull=True).count()


def work(firm: Firm) -> None:
    for run in Run.objects.filter(sync=firm.inbound, status="queued"):
        engine.execute(run.pk)


# Confirming ------------------------------------------------------------------------------------------------
def test_what_is_confirmed_is_removed_by_a_run_that_asks_the_source_nothing(firm: Firm, half: Run, olga: Any) -> None:
    taking = services.confirm(run=half, reason="The projects were archived.", by=olga)
    firm.psa.sources["projects"] = []
    work(firm)
    assert taking is not None
    taking.refresh_from_db()
    assert (taking.status, taking.trigger, taking.read) == ("succeeded", "removal", 0)
    crawl = Crawl.objects.get(pk=half.pk)
    assert (number_living(), crawl.removed, crawl.reason) == (5, 5, "The projects were archived.")
    half.refresh_from_db()
    assert (half.status, half.error) == ("succeeded", "")
    assert set(Transaction.objects.filter(outcome=Outcome.REMOVED).values_list("run_id", flat=True)) == {taking.pk}


def test_what_has_come_back_before_the_removal_stays(firm: Firm, half: Run, olga: Any) -> None:
    services.confirm(run=half, reason="Archived.", by=olga)
    Run.objects.filter(status="queued").update(status="cancelled")
    CanonicalRecord.objects.filter(key="P-0009").update(version=7)
    firm.inbound.refresh_from_db()
    Sync.objects.filter(pk=firm.inbound.pk).update(removals="off")
    firm.read(*rows(9))  # carries out what was confirmed, then reads 9 again
    assert number_living() == 6


def test_a_run_under_way_is_followed_by_one_that_removes(firm: Firm, half: Run, olga: Any) -> None:
    other, _ = engine.start(firm.inbound, trigger=Run.Trigger.RELEASE)
    claimed = runs.claim(other.pk)
    assert claimed is not None
    assert services.confirm(run=half, reason="Archived.", by=olga) == other
    Run.objects.filter(pk=other.pk).update(lease_until=None)
    engine.execute(other.pk)
    assert number_living() == 5


@pytest.mark.parametrize("reason", ["", "  "])
def test_confirming_takes_a_reason(half: Run, reason: str) -> None:
    with pytest.raises(ConfigError, match="Say how you know"):
        services.confirm(run=half, reason=reason, by=None)


def test_only_the_newest_crawl_can_be_confirmed(firm: Firm, half: Run) -> None:
    newer = firm.read(*rows(*range(4)))
    with pytest.raises(ConfigError, match=f"Run {newer.pk} has read the source since"):
        services.confirm(run=half, reason="Archived.", by=None)


def test_a_run_is_confirmed_once(half: Run) -> None:
    services.confirm(run=half, reason="Archived.", by=None)
    with pytest.raises(ConfigError, match="is not suspect"):
        services.confirm(run=half, reason="Archived.", by=None)


def test_a_volume_that_was_called_right_is_usual_from_now_on(firm: Firm) -> None:
    Sync.objects.filter(pk=firm.inbound.pk).update(removals="off")
    firm.inbound = Sync.objects.get(pk=firm.inbound.pk)
    for _ in range(3):
        firm.read(*rows(*range(60)))
    fewer = firm.read(*rows(*range(20)))
    assert (fewer.status, fewer.error_code) == ("suspect", "FEWER_RECORDS")
    assert firm.read(*rows(*range(20))).status == "suspect"
    newest = Run.objects.latest("pk")
    assert services.confirm(run=newest, reason="Two thirds moved to another system.", by=None) is None
    assert firm.read(*rows(*range(20))).status == "succeeded"


def test_followers_start_after_a_suspect_run_too(firm: Firm) -> None:
    Sync.objects.filter(pk=firm.outbound.pk).update(after=firm.inbound)
    firm.read(*rows(*range(10)))
    firm.deliver()
    firm.read()
    assert Run.objects.filter(sync=firm.outbound, trigger="after").count() == 2


# The command line ------------------------------------------------------------------------------------------
def test_run_sync_says_suspect_and_ends_with_one(firm: Firm, capsys: pytest.CaptureFixture[str]) -> None:
    firm.read(*rows(*range(10)))
    firm.psa.sources["projects"] = []
    with pytest.raises(SystemExit) as ended:
        call_command("run_sync", "psa-projects", "--wait", "--json")
    report = json.loads(capsys.readouterr().out)
    assert (ended.value.code, report["status"], report["missing"], report["removed"]) == (1, "suspect", 10, 0)
    assert [doubt["code"] for doubt in report["doubts"]] == ["ZERO_RECORDS"]


def test_confirm_run_answers_with_one_document(half: Run, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("confirm_run", str(half.pk), "--reason", "Archived.", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found == {"run": half.pk, "status": "succeeded", "missing": 5, "removal_run": Run.objects.latest("pk").pk}
    with pytest.raises(SystemExit):
        call_command("confirm_run", str(half.pk), "--reason", "Archived.", "--json")
    assert json.loads(capsys.readouterr().out)["code"] == "NOT_SUSPECT"


# Pages and API ---------------------------------------------------------------------------------------------
def test_the_page_of_a_suspect_run_asks_and_takes_the_answer(browse: Browse, olga: Any, half: Run) -> None:
    client = browse(olga)
    page = client.get(f"/runs/{half.pk}/").content.decode()
    assert "These 5 records are really gone" in page
    assert "P-0009" in page
    answer = client.post(f"/runs/{half.pk}/confirm/", {"reason": "Archived."}, follow=True).content.decode()
    assert "takes the missing records away" in answer
    assert "Called right" in answer


def test_who_may_not_decide_sees_the_question_and_no_button(browse: Browse, grace: Any, half: Run) -> None:
    client = browse(grace)
    assert "really gone" not in client.get(f"/runs/{half.pk}/").content.decode()
    assert client.post(f"/runs/{half.pk}/confirm/", {"reason": "x"}).status_code == 403
    assert number_living() == 10


def test_a_suspect_run_is_seen_at_home_and_in_the_lists(browse: Browse, olga: Any, firm: Firm, half: Run) -> None:
    client = browse(olga)
    assert "psa-projects: is the source right?" in client.get("/").content.decode()
    assert "Suspect" in client.get("/syncs/").content.decode()
    assert f"Run {half.pk}" in client.get("/runs/?status=suspect").content.decode()
    firm.read(*rows(*range(10)))
    assert "is the source right?" not in client.get("/").content.decode()


def test_settings_are_kept_and_wrong_ones_are_named(browse: Browse, ada: Any, firm: Firm) -> None:
    client, url = browse(ada), "/syncs/erp-jobs/removals/"
    assert client.get("/syncs/psa-projects/removals/").status_code == 200
    assert client.post(url, {"on_removal": "delete", "closing_values": "{}"}).status_code == 302
    assert "Is deleted there." in client.get(url).content.decode()
    firm.erp.removals = frozenset()
    refused = client.post(url, {"on_removal": "deactivate", "closing_values": "{}"})
    assert (refused.status_code, "declares no way to deactivate" in refused.content.decode()) == (422, True)
    assert Sync.objects.get(slug="erp-jobs").on_removal == "delete"


def test_the_api_reads_settings_and_confirms(browse: Browse, ada: Any, firm: Firm, half: Run) -> None:
    client = browse(ada)
    found = client.get(f"/api/v1/runs/{half.pk}/").json()
    assert (found["status"], found["missing"], found["doubts"][0]["code"]) == ("suspect", 5, "TOO_MANY_GONE")
    patch = {"data": json.dumps({"on_removal": "delete"}), "content_type": "application/json"}
    assert client.patch("/api/v1/syncs/erp-jobs/", **patch).json()["on_removal"] == "delete"
    firm.erp.removals = frozenset()
    assert client.patch("/api/v1/syncs/erp-jobs/", **patch).status_code == 400
    done = client.post(f"/api/v1/runs/{half.pk}/confirm/", {"reason": "Archived."}, "application/json")
    assert done.json()["status"] == "succeeded"


def test_config_as_code_carries_the_settings_and_refuses_wrong_ones(firm: Firm, domains: Any) -> None:
    Sync.objects.filter(slug="erp-jobs").update(on_removal="close", closing_values={"status": "closed"})
    documents = config.export()
    found = next(d for d in documents if d["kind"] == "Sync" and d["slug"] == "erp-jobs")
    assert (found["on_removal"], found["closing_values"]) == ("close", {"status": "closed"})
    entity = firm.inbound.entity
    entity.domain = domains["billing-gl"]
    entity.save()
    with pytest.raises(ConfigError, match="never deleted at a target"):
        config.apply([Source({**found, "on_removal": "delete", "closing_values": {}}, "sync.yaml", 1)], by=None)
