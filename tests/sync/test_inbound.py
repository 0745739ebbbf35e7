"""The inbound leg on a real database: what arrives, what is skipped, what may not pass."""

from __future__ import annotations

import pytest

from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync import services
from hub.sync.models import Delivery, HeldRecord, Run, SyncState, Transaction
from hub.sync.states import HeldState, Outcome
from tests import memory
from tests.sync import builders as build

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(domains):
    source = build.connection("psa")
    entity = build.entity("project", build.PROJECT)
    stream = build.stream(source, "projects")
    return build.sync("psa-projects", "in", stream, entity, build.PROJECT_RULES)


def run(sync):
    return services.run_here(sync=sync)


def test_new_records_become_canonical_and_the_account_adds_up(world):
    memory.system("psa").sources["projects"] = [build.project_row(n) for n in range(250)]
    done = run(world)
    assert done.status == "succeeded"
    assert done.counts == {
        "read": 250,
        "created": 250,
        "updated": 0,
        "unchanged": 0,
        "rejected": 0,
        "waiting": 0,
        "failed": 0,
    }
    assert CanonicalRecord.objects.count() == Crosswalk.objects.count() == Transaction.objects.count() == 250
    record = CanonicalRecord.objects.get(key="P-0007")
    assert record.body["name"] == "Project 7"
    assert (record.amount, record.currency) == (1000, "EUR")


def test_reading_the_same_again_changes_nothing(world):
    memory.system("psa").sources["projects"] = [build.project_row(n) for n in range(120)]
    run(world)
    again = run(world)
    assert (again.read, again.unchanged) == (120, 120)
    assert Transaction.objects.count() == 120


def test_a_changed_field_is_one_update_with_its_name(world):
    rows = [build.project_row(n) for n in range(3)]
    memory.system("psa").sources["projects"] = rows
    run(world)
    rows[1] = {**rows[1], "title": "Renamed"}
    done = run(world)
    assert (done.updated, done.unchanged) == (1, 2)
    entry = Transaction.objects.get(outcome=Outcome.UPDATED)
    assert (entry.key, entry.changed, entry.version) == ("P-0001", ["name"], 2)


def test_an_absent_field_never_blanks_a_value(world):
    row = build.project_row(1)
    memory.system("psa").sources["projects"] = [row]
    run(world)
    memory.system("psa").sources["projects"] = [{k: v for k, v in row.items() if k != "budget"}]
    run(world)
    assert CanonicalRecord.objects.get().body["budget"] == "1000.00"


def test_a_record_that_breaks_the_contract_is_quarantined_and_the_rest_goes_on(world):
    memory.system("psa").sources["projects"] = [
        build.project_row(1),
        build.project_row(2, currency="euro"),
        build.project_row(3),
    ]
    done = run(world)
    assert done.status == "completed_with_errors"
    assert (done.created, done.rejected) == (2, 1)
    held = HeldRecord.objects.get()
    assert (held.external_id, held.state, held.field) == ("2", HeldState.QUARANTINED, "currency")
    assert "euro" in held.error_detail


def test_a_corrected_record_leaves_quarantine(world):
    memory.system("psa").sources["projects"] = [build.project_row(2, currency="euro")]
    run(world)
    memory.system("psa").sources["projects"] = [build.project_row(2)]
    done = run(world)
    assert done.created == 1
    assert not HeldRecord.objects.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": ""}, "no value in its key field"),
        ({"title": "nul \x00 inside"}, "NUL"),
        ({"code": "P" * 40}, "longer than 20"),
        ({"budget": "0.1x"}, "0.1x"),
    ],
)
def test_bad_input_gets_a_sentence_and_stops_nothing_else(world, change, words):
    memory.system("psa").sources["projects"] = [build.project_row(1, **change), build.project_row(2)]
    done = run(world)
    assert (done.created, done.rejected) == (1, 1)
    assert words in HeldRecord.objects.get().error_detail


def test_unicode_beyond_the_basic_plane_and_backslashes_survive(world):
    title = 'Ünïcode 🚀 \\ back\tslash "quote" 名'
    memory.system("psa").sources["projects"] = [build.project_row(1, title=title)]
    run(world)
    assert CanonicalRecord.objects.get().body["name"] == title


def test_ids_keep_leading_zeros_and_every_digit(world):
    memory.system("psa").sources["projects"] = [
        build.project_row(1, id="007"),
        build.project_row(2, id=9007199254740993),
        build.project_row(3, id=2**70),
    ]
    run(world)
    assert set(Crosswalk.objects.values_list("external_id", flat=True)) == {"007", "9007199254740993", str(2**70)}


def test_two_ids_for_one_business_key_are_one_record(world):
    memory.system("psa").sources["projects"] = [build.project_row(1), build.project_row(2, code="P-0001", title="Twin")]
    done = run(world)
    assert (done.created, done.updated) == (1, 1)
    assert CanonicalRecord.objects.get().body["name"] == "Twin"
    assert Crosswalk.objects.count() == 2


def test_the_same_record_twice_in_a_page_counts_once(world):
    memory.system("psa").sources["projects"] = [build.project_row(1), build.project_row(1, title="Later")]
    done = run(world)
    assert (done.read, done.created, done.unchanged) == (2, 1, 1)
    assert CanonicalRecord.objects.get().body["name"] == "Later"


def test_the_cursor_is_kept_as_the_source_wrote_it(world):
    stream = world.stream
    stream.cursor_field = "seen"
    stream.save()
    memory.system("psa").sources["projects"] = [
        build.project_row(n, seen=f"2026-01-0{n}T00:00:00.1234567+02:00") for n in (1, 2)
    ]
    run(world)
    assert SyncState.objects.get().cursor == "2026-01-02T00:00:00.1234567+02:00"
    assert run(world).read == 1


def test_a_failing_source_keeps_what_was_stored_and_names_the_cause(world):
    from hub.common.errors import TransientError

    memory.system("psa").fail_with = [TransientError("The server is down.")]
    done = run(world)
    assert (done.status, done.error) == ("failed", "The server is down.")
    assert run(world).status == "succeeded"


def test_only_one_run_of_a_sync_is_active(world):
    first, made = services.start_run(sync=world)
    second, made_again = services.start_run(sync=world)
    assert (made, made_again, first.pk) == (True, False, second.pk)


def test_a_new_record_waits_for_delivery_once_for_each_subscriber(world):
    target = build.connection("erp")
    out = build.sync("erp-projects", "out", build.stream(target, "jobs"), world.entity, build.OUT_RULES)
    closed = build.sync(
        "erp-closed",
        "out",
        build.stream(target, "closed"),
        world.entity,
        build.OUT_RULES,
        only_when={"status": ["closed"]},
    )
    memory.system("psa").sources["projects"] = [build.project_row(1), build.project_row(2, status="closed")]
    run(world)
    assert Delivery.objects.filter(sync=out).count() == 2
    assert Delivery.objects.filter(sync=closed).count() == 1


def test_a_first_load_that_meets_a_key_another_run_brought_meanwhile_loses_and_doubles_nothing(world, monkeypatch):
    memory.system("psa").page_size = 10
    memory.system("psa").sources["projects"] = [build.project_row(n) for n in range(30)]
    other = build.sync(
        "crm-projects", "in", build.stream(build.connection("crm"), "p"), world.entity, build.PROJECT_RULES
    )
    memory.system("crm").sources["p"] = [build.project_row(15, id="x", title="From CRM")]
    from hub.sync.inbound import InboundRun

    store = InboundRun._store

    def meanwhile(self, *given):
        if self.run.sync_id == world.pk and self.run.page_no == 1:
            monkeypatch.setattr(InboundRun, "_store", store)
            assert run(other).created == 1
        return store(self, *given)

    monkeypatch.setattr(InboundRun, "_store", meanwhile)
    done = run(world)
    assert (done.read, done.created, done.updated) == (30, 29, 1)
    assert CanonicalRecord.objects.count() == 30
    assert Crosswalk.objects.filter(record__key="P-0015").count() == 2


def test_an_id_that_comes_again_on_a_later_page_of_a_first_load_is_one_record(world):
    memory.system("psa").page_size = 10
    memory.system("psa").sources["projects"] = [build.project_row(n % 15) for n in range(30)]
    done = run(world)
    assert (done.read, done.created, done.unchanged) == (30, 15, 15)


class TestReferences:
    @pytest.fixture
    def times(self, world):
        entity = build.entity("time", build.TIME)
        stream = build.stream(world.stream.connection, "times")
        rules = [
            {"target": "number", "source": "id"},
            {
                "target": "project",
                "source": "project_id",
                "kind": "reference",
                "entity": "project",
                "via": "psa-projects",
            },
            {"target": "hours", "source": "hours", "type": "decimal"},
        ]
        return build.sync("psa-times", "in", stream, entity, rules)

    def test_a_child_before_its_parent_waits_and_names_what_is_missing(self, world, times):
        memory.system("psa").sources["times"] = [{"id": "t1", "project_id": "1", "hours": "8"}]
        done = run(times)
        assert (done.status, done.waiting) == ("succeeded", 1)
        held = HeldRecord.objects.get()
        assert (held.state, held.missing_key) == (HeldState.WAITING, "1")
        assert "Project '1'" in held.error_detail

    def test_a_released_record_that_has_passed_meanwhile_is_let_go(self, world, times):
        memory.system("psa").sources["projects"] = [build.project_row(1)]
        memory.system("psa").sources["times"] = [{"id": "t1", "project_id": "1", "hours": "8"}]
        run(times)
        run(world)
        HeldRecord.objects.update(state=HeldState.WAITING)
        run(times)
        assert not HeldRecord.objects.exists()
        body = {"id": "t1", "project_id": "1", "hours": "8"}
        build.held(times, "t1", body)
        assert run(times).unchanged == 2
        assert not HeldRecord.objects.exists()

    def test_a_released_record_that_comes_back_under_another_id_ends_with_a_person(self, world, times):
        memory.system("psa").sources["projects"] = [build.project_row(1)]
        run(world)
        build.held(times, "old-id", {"id": "t1", "project_id": "1", "hours": "8"})
        assert run(times).created == 1
        held = HeldRecord.objects.get()
        assert (held.external_id, held.state, held.error_code) == ("old-id", HeldState.HELD, "KEY_CHANGED")

    def test_the_parents_arrival_releases_the_child(self, world, times):
        memory.system("psa").sources["times"] = [{"id": "t1", "project_id": "1", "hours": "8"}]
        run(times)
        memory.system("psa").sources["projects"] = [build.project_row(1)]
        run(world)
        release = Run.objects.get(sync=times, status="queued")
        assert release.trigger == Run.Trigger.RELEASE
        from hub.sync import engine

        engine.execute(release.pk)
        assert CanonicalRecord.objects.get(key="t1").body["project"] == "P-0001"
        assert not HeldRecord.objects.exists()


class TestFamilies:
    """References to records of the same kind: a work breakdown comes parents and children in one page."""

    SCHEMA = {
        "type": "object",
        "required": ["code"],
        "properties": {
            "code": {"type": "string", "maxLength": 8, "x-key": True},
            "parent": {"type": "string", "x-ref": "item"},
        },
    }

    @pytest.fixture
    def items(self, domains):
        source = build.connection("psa")
        rules = [
            {"target": "code", "source": "code"},
            {"target": "parent", "source": "up", "kind": "reference", "entity": "item", "via": "psa-items"},
        ]
        return build.sync("psa-items", "in", build.stream(source, "items"), build.entity("item", self.SCHEMA), rules)

    def test_parent_and_child_in_one_page_both_pass(self, items):
        rows = [{"id": "2", "code": "B", "up": "1"}, {"id": "1", "code": "A"}, {"id": "3", "code": "C", "up": "2"}]
        memory.system("psa").sources["items"] = rows
        assert run(items).created == 3
        assert CanonicalRecord.objects.get(key="C").body["parent"] == "B"

    def test_children_of_a_parent_that_may_not_pass_wait_for_it(self, items):
        rows = [{"id": "1", "code": "A" * 9}, {"id": "2", "code": "B", "up": "1"}, {"id": "3", "code": "C", "up": "2"}]
        memory.system("psa").sources["items"] = rows
        done = run(items)
        assert (done.created, done.rejected, done.waiting) == (0, 1, 2)
        memory.system("psa").sources["items"] = [{"id": "1", "code": "A"}]
        run(items)
        from hub.sync import engine, sweeper

        for _ in range(3):
            sweeper.release_waiting()
            for queued in Run.objects.filter(status="queued"):
                engine.execute(queued.pk)
        assert CanonicalRecord.objects.count() == 3
