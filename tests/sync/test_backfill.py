"""A backfill reads a part of a source again, in its own lane: live runs pass it, the cursor stays, nothing newer is undone."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from connectors.models import Stream
from hub.accounts.services import create_token
from hub.cli import supervisor
from hub.common.errors import ConfigError
from hub.common.records import Page
from hub.records.models import CanonicalRecord
from hub.sync import backfilling, backfills, engine, queries, runs
from hub.sync import services as syncs
from hub.sync.backfills import Asked
from hub.sync.models import Backfill, Batch, Run, Sync, SyncState, Transaction
from hub.sync.windows import Window, value_of
from tests import memory
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


def row(number: int, day: int, **changes: Any) -> dict[str, Any]:
    return {**build.project_row(number), "changed": f"2026-11-{day:02d}T10:00:00Z", **changes}


@pytest.fixture
def firm(domains: Any) -> worlds.Firm:
    """Ten projects, one a day; the hub has read them and its cursor stands at the tenth."""
    found = worlds.make()
    Stream.objects.filter(pk=found.inbound.mapping.stream_id).update(cursor_field="changed")
    found.inbound = Sync.objects.get(pk=found.inbound.pk)
    found.read(*(row(n, n) for n in range(1, 11)))
    return found


@pytest.fixture
def by_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The PSA can be asked for single projects."""

    def find(self: memory.MemoryConnector, stream: Any, keys: Any) -> dict[str, Any]:
        return {r["id"]: r for r in self.memory.sources[stream.name] if r["id"] in keys}

    monkeypatch.setattr(memory.MemoryConnector, "find", find)


@pytest.fixture
def no_find(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(self: Any, stream: Any, keys: Any) -> dict[str, Any]:
        raise NotImplementedError

    monkeypatch.setattr(memory.MemoryConnector, "find", find)


def start(firm: worlds.Firm, **asked: Any) -> Backfill:
    return backfills.start(firm.inbound, Asked(per_second=100, **asked), by=None)


def work(backfill: Backfill) -> Backfill:
    engine.execute(backfill.run_id)
    return Backfill.objects.select_related("run", "sync").get(pk=backfill.pk)


def corrupt(*numbers: int) -> None:
    """The hub lost what these records said: their sources count as changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update records_crosswalk set hash = '' where external_id = any(%s)", [[str(n) for n in numbers]]
        )


# What is read ----------------------------------------------------------------------------------------------
def test_a_window_takes_the_whole_path_and_nothing_outside_it(firm: worlds.Firm) -> None:
    firm.psa.sources["projects"] = [row(n, n, title=f"Again {n}") for n in range(1, 11)]
    done = work(start(firm, from_value="2026-11-03", to_value="2026-11-05"))
    assert (done.run.status, done.run.trigger, done.run.read) == ("succeeded", "backfill", 3)
    names = dict(CanonicalRecord.objects.values_list("key", "body__name"))
    assert {key for key, name in names.items() if name.startswith("Again")} == {"P-0003", "P-0004", "P-0005"}
    rows = Transaction.objects.filter(run_id=done.run_id)
    assert {r.outcome for r in rows} == {2}
    assert Batch.objects.filter(run_id=done.run_id, payload__isnull=False).exists()


def test_the_cursor_stays_where_it_was(firm: worlds.Firm, by_key: None) -> None:
    before = SyncState.objects.values().get()
    work(start(firm, from_value="2026-11-01"))
    work(start(firm, keys=["3", "4"]))
    assert SyncState.objects.values().get() == before


@pytest.mark.parametrize("way", ["by_key", "no_find"])
def test_keys_are_read_and_those_that_are_not_there_are_named(
    firm: worlds.Firm, way: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(way)
    firm.psa.sources["projects"] = [row(n, n, title=f"Again {n}") for n in range(1, 11)]
    firm.psa.page_size = 4
    done = work(start(firm, keys=["9", "nobody", "2", "77"]))
    assert done.not_found == ["nobody", "77"]
    assert (done.run.status, done.run.read) == ("succeeded", 2)
    assert set(CanonicalRecord.objects.filter(body__name__startswith="Again").values_list("key", flat=True)) == {
        "P-0002", "P-0009"
    }  # fmt: skip


def test_a_record_that_breaks_the_contract_is_found_and_held(firm: worlds.Firm, by_key: None) -> None:
    firm.psa.sources["projects"] = [row(1, 1, currency="euro")]
    done = work(start(firm, keys=["1"]))
    assert (done.not_found, done.run.rejected) == ([], 1)


@given(
    days=st.lists(st.integers(1, 28), max_size=20), ends=st.tuples(st.integers(1, 28), st.integers(1, 28)).map(sorted)
)
def test_a_window_holds_exactly_what_lies_between_its_ends(days: list[int], ends: list[int]) -> None:
    window = Window.of("at", f"2026-11-{ends[0]:02d}", f"2026-11-{ends[1]:02d}")
    records = [{"at": f"2026-11-{day:02d}T23:59:59+00:00"} for day in days]
    assert window.select(records) == [r for r, day in zip(records, days, strict=True) if ends[0] <= day <= ends[1]]


@given(st.decimals(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False))
def test_numbers_are_compared_as_numbers(one: Any, other: Any) -> None:
    assert (value_of(str(one)) < value_of(str(other))) == (one < other)


@pytest.mark.parametrize(("start", "end"), [("2026-11-05", "2026-11-01"), ("5", "2026-11-01"), ("abc", "7")])
def test_a_window_that_is_none_is_refused(start: str, end: str) -> None:
    with pytest.raises(ConfigError, match="none"):
        Window.of("changed", start, end)


# Beside live runs ------------------------------------------------------------------------------------------
class Paused:
    """Stops the backfill's reading between two pages, for a test to do something there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, what: Callable[[], None]) -> None:
        original = backfilling.BackfillRun._of_window

        def pages(work: Any, connector: Any) -> Iterator[Page]:
            for number, page in enumerate(original(work, connector)):
                if number == 0:
                    what()
                yield page

        monkeypatch.setattr(backfilling.BackfillRun, "_of_window", pages)


def test_a_live_run_gets_through_while_a_backfill_is_at_work(
    firm: worlds.Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    live: list[Run] = []

    def change() -> None:
        assert Run.objects.filter(trigger="backfill", status="running").exists()
        live.append(firm.read(*(row(n, n) for n in range(1, 12))))

    Paused(monkeypatch, change)
    firm.psa.page_size = 2
    done = work(start(firm, from_value="2026-11-01"))
    assert (live[0].status, live[0].created) == ("succeeded", 1)
    assert live[0].pk > done.run_id
    assert done.run.status == "succeeded"


def test_what_a_live_run_stored_meanwhile_is_not_put_back(firm: worlds.Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backfill holds an old page in its hand while the newer version arrives."""
    firm.psa.sources["projects"] = [row(1, 1, title="Old"), row(2, 2, title="Old")]

    def change() -> None:
        firm.read(row(1, 20, title="New"))

    Paused(monkeypatch, change)
    work(start(firm, to_value="2026-11-10"))
    assert dict(CanonicalRecord.objects.filter(key__in=["P-0001", "P-0002"]).values_list("key", "body__name")) == {
        "P-0001": "New", "P-0002": "Old"
    }  # fmt: skip


def test_a_record_that_was_deleted_meanwhile_stays_deleted(firm: worlds.Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    firm.psa.sources["projects"] = [row(1, 1, title="Old")]

    def change() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "update records_canonicalrecord set deleted_at = now(), updated_at = now() where key = 'P-0001'"
            )

    Paused(monkeypatch, change)
    work(start(firm, to_value="2026-11-10"))
    assert CanonicalRecord.objects.get(key="P-0001").deleted_at is not None


def test_a_sync_has_one_backfill_at_a_time_and_one_live_run(firm: worlds.Firm) -> None:
    start(firm, from_value="2026-11-01")
    with pytest.raises(ConfigError, match="under way"):
        start(firm, from_value="2026-11-02")
    run, made = runs.create(sync=firm.inbound, trigger="schedule")
    assert made
    assert runs.create(sync=firm.inbound, trigger="manual") == (run, False)


def test_a_backfill_says_nothing_of_how_the_sync_goes(firm: worlds.Firm) -> None:
    backfills.cancel(start(firm, from_value="2026-11-01"), by=None)
    assert queries.sync_rows([firm.inbound])[0].last_run[1] == "succeeded"
    assert firm.inbound in queries.whose_last_run_is(Sync.objects.all(), "succeeded")


def test_followers_do_not_start_after_a_backfill(firm: worlds.Firm) -> None:
    Sync.objects.filter(pk=firm.outbound.pk).update(after=firm.inbound)
    Run.objects.filter(sync=firm.outbound).update(status="succeeded")
    work(start(firm, from_value="2026-11-01"))
    assert not Run.objects.filter(sync=firm.outbound, trigger="after").exists()


# Stopping and going on -------------------------------------------------------------------------------------
def test_a_killed_backfill_goes_on_after_its_last_page(firm: worlds.Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    firm.psa.page_size = 3
    backfill = start(firm, from_value="2026-11-01")
    original, asked = memory.MemoryConnector.read, []

    def read(self: Any, stream: Any, *, cursor: str | None, resume: Any = None) -> Iterator[Page]:
        asked.append(resume)
        for page in original(self, stream, cursor=cursor, resume=resume):
            if page.resume == 9 and len(asked) == 1:
                raise KeyboardInterrupt  # as good as a kill: no branch of the engine catches it
            yield page

    monkeypatch.setattr(memory.MemoryConnector, "read", read)
    with pytest.raises(KeyboardInterrupt):
        engine.execute(backfill.run_id)
    Run.objects.update(lease_until="2026-01-01T00:00:00Z")
    done = work(backfill)
    assert asked == [None, 6]
    assert (done.run.status, done.run.read) == ("succeeded", 10)


def test_a_paused_backfill_is_resumed_where_it_stood_and_a_cancelled_one_is_not(firm: worlds.Firm) -> None:
    firm.psa.page_size = 3
    backfill = start(firm, from_value="2026-11-01")
    engine.execute(backfill.run_id, slice_seconds=0)
    assert backfills.pause(backfill, by=None)
    paused = Backfill.objects.select_related("run").get()
    assert (paused.shown_state, paused.run.status, paused.run.read) == ("paused", "cancelled", 3)
    assert backfills.resume(paused, by=None)
    resumed = Backfill.objects.select_related("run").get()
    done = work(resumed)
    assert (done.run.read, done.run.status) == (7, "succeeded")
    assert not backfills.resume(done, by=None)
    second = start(firm, from_value="2026-11-01")
    assert backfills.cancel(second, by=None)
    assert not backfills.resume(second, by=None)


def test_a_backfill_that_failed_may_go_on(firm: worlds.Firm) -> None:
    firm.psa.fail_with = [ConfigError("No.")]
    failed = work(start(firm, from_value="2026-11-01"))
    assert (failed.shown_state, failed.may_go_on) == ("failed", True)
    assert backfills.resume(failed, by=None)
    assert work(Backfill.objects.get()).run.status == "succeeded"


def test_requests_keep_the_rate(firm: worlds.Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by what the limiter is asked to wait, not by a clock."""
    gaps: list[float] = []
    original = backfilling.LocalLimiter.__init__
    monkeypatch.setattr(
        backfilling.LocalLimiter, "__init__", lambda self, gap=0.0: (gaps.append(gap), original(self, 0.0))[1]
    )
    work(backfills.start(firm.inbound, Asked(from_value="2026-11-01", per_second=0.5), by=None))
    assert gaps == [2.0]


def test_a_stopped_sync_starts_no_backfill(firm: worlds.Firm) -> None:
    syncs.set_paused(sync=firm.inbound, is_paused=True, reason="audit")
    with pytest.raises(ConfigError, match="paused"):
        start(firm, from_value="2026-11-01")


# The lane --------------------------------------------------------------------------------------------------
def test_the_bell_of_a_backfill_rings_in_its_own_lane(firm: worlds.Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr("hub.sync.bell.send", lambda name, number: rung.append(name))
    start(firm, from_value="2026-11-01")
    assert rung == ["hub.sync.tasks.backfill"]


def test_the_supervisor_serves_every_lane_and_no_worker_serves_both_kinds() -> None:
    from django.conf import settings

    commands = {child.name: child.command for child in supervisor.children("127.0.0.1", 8000)}
    served = {name: set(c[c.index("-Q") + 1].split(",")) for name, c in commands.items() if "-Q" in c}
    lanes = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    assert lanes <= set().union(*served.values())
    assert not served["worker"] & served["aside"]
    assert {"backfill", "tell"} <= served["aside"]


# Plan and command ------------------------------------------------------------------------------------------
def run_command(*arguments: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("backfill", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_plan_says_what_would_be_read_and_writes_nothing(
    firm: worlds.Firm, by_key: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys.csv"
    file.write_text("id,name\n3,Three\n 99 ,Nobody\n3,Three\n")
    planned = run_command("psa-projects", "--keys", str(file), "--plan")
    assert (planned["number"], planned["known"], planned["reads_all"]) == (2, 1, False)
    assert run_command("psa-projects", "--from", "2026-11-01", "--plan")["number"] is None
    monkeypatch.setattr(memory.MemoryConnector, "count", lambda self, stream, *, start, end: 7)
    assert run_command("psa-projects", "--from", "2026-11-01", "--plan")["number"] == 7
    assert not Backfill.objects.exists()


def test_the_command_puts_it_in_its_lane(firm: worlds.Firm) -> None:
    report = run_command("psa-projects", "--from", "2026-11-01", "--go", "--per-second", "3", "--reason", "audit")
    found = Backfill.objects.get()
    assert (report["backfill"], report["state"], found.per_second, found.reason) == (found.pk, "queued", 3, "audit")


@pytest.mark.parametrize(
    "arguments",
    [
        ["psa-projects", "--plan"],
        ["erp-jobs", "--from", "2026-11-01", "--plan"],
        ["nowhere", "--from", "2026-11-01", "--plan"],
        ["psa-projects", "--from", "2026-11-05", "--to", "2026-11-01", "--go"],
        ["psa-projects", "--keys", "/nowhere", "--go"],
        ["psa-projects", "--from", "2026-11-01", "--per-second", "0.01", "--go"],
    ],
)
def test_what_cannot_be_done_is_said_in_one_document(firm: worlds.Firm, arguments: list[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("backfill", *arguments, "--json", stdout=out, stderr=err)
    assert end.value.code == 1
    assert json.loads(out.getvalue())["error"]
    assert not Backfill.objects.exists()


# Pages and API ---------------------------------------------------------------------------------------------
ADDRESS = "/syncs/psa-projects/backfills/"


def test_a_page_plans_then_starts_and_shows_how_it_went(
    firm: worlds.Firm, by_key: None, browse: Any, olga: Any
) -> None:
    client = browse(olga)
    form = {"keys": "id\n3\nnobody\n", "per_second": "100", "plan": ""}
    planned = client.post(ADDRESS, form)
    assert "2 records, 1 of them known to the hub" in planned.content.decode()
    assert not Backfill.objects.exists()
    form.pop("plan")
    made = client.post(ADDRESS, form | {"start": ""})
    work(Backfill.objects.get())
    text = client.get(made["Location"]).content.decode()
    assert "nobody" in text
    assert "Succeeded" in text
    assert client.get(ADDRESS).status_code == 200


def test_a_page_pauses_resumes_and_cancels(firm: worlds.Firm, browse: Any, olga: Any) -> None:
    client = browse(olga)
    found = start(firm, from_value="2026-11-01")
    for act, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        client.post(f"{ADDRESS}{found.pk}/{act}/")
        assert Backfill.objects.get().shown_state == state
    assert client.post(f"{ADDRESS}{found.pk}/burn/").status_code == 404


def test_what_cannot_be_read_is_said_on_the_form(firm: worlds.Firm, browse: Any, olga: Any) -> None:
    page = browse(olga).post(ADDRESS, {"from_value": "2026-11-05", "to_value": "2026-11-01", "start": ""})
    assert (page.status_code, "is none" in page.content.decode()) == (422, True)


def test_who_only_looks_starts_nothing_and_another_domain_sees_nothing(
    firm: worlds.Firm, browse: Any, make_person: Any
) -> None:
    found = start(firm, from_value="2026-11-01")
    viewer = browse(make_person("Vera", "viewer"))
    assert viewer.get(f"{ADDRESS}{found.pk}/").status_code == 200
    assert viewer.post(ADDRESS, {"from_value": "2026-11-01", "start": ""}).status_code == 403
    assert viewer.post(f"{ADDRESS}{found.pk}/cancel/").status_code == 403
    stranger = browse(make_person("Bill", ("integration_admin", "billing-gl")))
    assert stranger.get(ADDRESS).status_code == 404
    assert stranger.get(f"{ADDRESS}{found.pk}/").status_code == 404
    assert stranger.post(f"{ADDRESS}{found.pk}/cancel/").status_code == 404


def test_the_api_plans_and_starts(firm: worlds.Firm, by_key: None, olga: Any) -> None:
    _, token = create_token(olga, name="test", days=1, by=olga, is_read_only=False)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    asked = {"sync": "psa-projects", "keys": ["3", "nobody"]}
    assert client.post("/api/v1/backfills/", asked).json()["number"] == 2
    assert not Backfill.objects.exists()
    made = client.post("/api/v1/backfills/", asked | {"go": True, "per_second": 100})
    assert made.status_code == 202
    work(Backfill.objects.get())
    shown = client.get(f"/api/v1/backfills/{made.json()['id']}/").json()
    assert (shown["state"], shown["not_found"], shown["counts"]["read"]) == ("succeeded", ["nobody"], 1)
    assert client.post(f"/api/v1/backfills/{made.json()['id']}/pause/").json()["state"] == "succeeded"
    assert client.post("/api/v1/backfills/", {"sync": "psa-projects"}).status_code == 422
