"""When a crawl is believed, what it does not show is gone; when it is not, nothing is."""

from __future__ import annotations

from typing import Any

import pytest

from hub.common.errors import TransientError
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync import engine, services
from hub.sync.models import Crawl, HeldRecord, Run, Sync, Transaction
from hub.sync.removals import removal
from hub.sync.states import Outcome
from tests.removals.conftest import rows
from tests.sync import builders as build
from tests.sync.worlds import Firm

pytestmark = pytest.mark.django_db(transaction=True)


def living() -> set[str]:
    return set(CanonicalRecord.objects.filter(deleted_at__isnull=True).values_list("key", flat=True))


def keys(*numbers: int) -> set[str]:
    return {f"P-{number:04d}" for number in numbers}


# Believed --------------------------------------------------------------------------------------------------
def test_what_a_complete_crawl_does_not_show_is_deleted_with_its_ledger_row(firm: Firm) -> None:
    firm.read(*rows(*range(10)))
    run = firm.read(*rows(*range(9)))
    assert (run.status, run.crawl.missing, run.crawl.removed) == ("succeeded", 1, 1)
    gone = CanonicalRecord.objects.get(deleted_at__isnull=False)
    assert (gone.key, gone.version, gone.body["name"]) == ("P-0009", 2, "Project 9")
    row = Transaction.objects.get(outcome=Outcome.REMOVED)
    assert (row.run_id, row.key, row.external_id, row.version) == (run.pk, "P-0009", "9", 2)


def test_the_account_counts_what_was_read_and_nothing_else(firm: Firm) -> None:
    firm.read(*rows(*range(10)))
    run = firm.read(*rows(*range(8)), build.project_row(50))
    assert run.counts == {
        "read": 9, "created": 1, "updated": 0, "unchanged": 8, "rejected": 0, "waiting": 0, "failed": 0,
    }  # fmt: skip
    assert run.crawl.removed == 2


def test_unchanged_changed_and_held_records_are_all_seen(firm: Firm) -> None:
    firm.read(*rows(1, 2, 3, 4))
    broken = build.project_row(3, currency="euro")
    run = firm.read(build.project_row(1), build.project_row(2, title="New"), broken, build.project_row(4))
    assert (run.crawl.missing, living()) == (0, keys(1, 2, 3, 4))


def test_a_record_that_comes_back_lives_again_even_if_nothing_about_it_changed(firm: Firm) -> None:
    firm.read(*rows(*range(10)))
    firm.read(*rows(*range(9)))
    run = firm.read(*rows(*range(10)))
    assert (run.updated, run.unchanged, living()) == (1, 9, keys(*range(10)))
    assert CanonicalRecord.objects.get(key="P-0009").version == 3
    assert Crosswalk.objects.get(external_id="9").gone_at is None
    assert firm.read(*rows(*range(10))).unchanged == 10


def test_removals_go_on_where_a_worker_fell(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    firm.read(*rows(*range(20)))
    monkeypatch.setattr(removal, "TAKEN_AT_ONCE", 1)
    firm.psa.sources["projects"] = rows(*range(17))
    run, _ = engine.start(firm.inbound, trigger=Run.Trigger.MANUAL)
    engine.execute(run.pk, slice_seconds=-1)  # each step ends the slice
    assert len(living()) == 19
    for _ in range(3):
        engine.execute(run.pk, slice_seconds=-1)
    run.refresh_from_db()
    assert (run.status, run.crawl.removed, living()) == ("succeeded", 3, keys(*range(17)))
    assert Transaction.objects.filter(outcome=Outcome.REMOVED).count() == 3


def test_a_run_that_reads_changes_only_misses_nothing(firm: Firm) -> None:
    Sync.objects.filter(pk=firm.inbound.pk).update(mode="incremental")
    stream = firm.inbound.stream
    stream.cursor_field = "changed"
    stream.save()
    firm.inbound = Sync.objects.get(pk=firm.inbound.pk)
    firm.read(*(row | {"changed": f"2026-01-{n + 1:02d}"} for n, row in enumerate(rows(*range(10)))))
    run = firm.read(build.project_row(9, changed="2026-01-10"))
    assert (run.crawl.is_whole, len(living())) == (False, 10)


def test_off_means_off(firm: Firm) -> None:
    Sync.objects.filter(pk=firm.inbound.pk).update(removals="off")
    firm.inbound = Sync.objects.get(pk=firm.inbound.pk)
    firm.read(*rows(*range(10)))
    firm.read(*rows(*range(9)))
    assert len(living()) == 10


def test_a_failed_crawl_removes_nothing(firm: Firm) -> None:
    firm.read(*rows(*range(10)))
    firm.psa.fail_with = [TransientError("The source fell.")]
    assert firm.read(*rows(1)).status == "failed"
    assert len(living()) == 10


# Not believed ----------------------------------------------------------------------------------------------
def test_an_empty_file_deletes_nothing(firm: Firm) -> None:
    firm.read(*rows(*range(10)))
    run = firm.read()
    assert (run.status, run.error_code, run.crawl.missing, run.crawl.removed) == ("suspect", "ZERO_RECORDS", 10, 0)
    assert living() == keys(*range(10))


def test_half_a_file_deletes_nothing(firm: Firm) -> None:
    firm.read(*rows(*range(10)))
    run = firm.read(*rows(*range(5)))
    assert (run.status, run.error_code, len(living())) == ("suspect", "TOO_MANY_GONE", 10)
    assert "5 of 10 records are not shown any more (50 %)" in run.error


def test_a_renamed_key_column_deletes_nothing(firm: Firm) -> None:
    firm.read(*rows(*range(10)))
    run = firm.read(*({"nr": row.pop("id"), **row} for row in rows(*range(10))))
    assert (run.status, len(living())) == ("suspect", 10)
    assert {doubt["code"] for doubt in run.crawl.doubts} >= {"FIELD_GONE", "FIRST_PAGE", "NO_ID", "TOO_MANY_GONE"}


def test_a_renamed_column_is_told_and_deletes_nothing(firm: Firm) -> None:
    firm.read(*rows(*range(10)))
    run = firm.read(*({"sum": row.pop("budget"), **row} for row in rows(*range(9))))
    assert (run.status, run.error_code, len(living())) == ("suspect", "FIELD_GONE", 10)
    assert "budget is empty or missing in all records" in run.error


def test_a_record_without_an_id_may_be_any_of_those_that_are_missed(firm: Firm) -> None:
    firm.read(*rows(*range(10)))
    run = firm.read(*rows(*range(9)), build.project_row(9, id=None))
    assert (run.status, run.error_code, len(living())) == ("suspect", "NO_ID", 10)


def test_a_source_that_was_changed_meanwhile_proves_nothing(firm: Firm) -> None:
    firm.read(*rows(*range(10)))
    firm.psa.page_size = 5
    firm.psa.sources["projects"] = rows(*range(9))
    run, _ = engine.start(firm.inbound, trigger=Run.Trigger.MANUAL)
    engine.execute(run.pk, slice_seconds=-1)
    connection = firm.inbound.stream.connection
    connection.config = {**connection.config, "tenant": "another"}
    connection.save()
    engine.execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error_code, len(living())) == ("suspect", "SOURCE_CHANGED", 10)


def test_a_single_record_may_go_whatever_share_it_is(firm: Firm) -> None:
    firm.read(*rows(1, 2))
    assert firm.read(*rows(1)).status == "succeeded"
    assert living() == keys(1)


# What keeps a record alive ---------------------------------------------------------------------------------
def second_source(firm: Firm, name: str = "crm") -> Sync:
    stream = build.stream(build.connection(name), "deals")
    rules: list[dict[str, Any]] = build.PROJECT_RULES
    return build.sync(f"{name}-deals", "in", stream, firm.inbound.entity, rules, mode="full", removals="detect")


def test_a_record_that_another_source_holds_stays_until_that_one_lets_go(firm: Firm) -> None:
    from tests import memory

    crm = second_source(firm)
    firm.read(*rows(1, 2, 3))
    memory.system("crm").sources["deals"] = rows(2, 3)
    services.run_here(sync=crm)
    firm.read(*rows(1, 2))
    assert living() == keys(1, 2, 3)
    memory.system("crm").sources["deals"] = rows(2)
    services.run_here(sync=crm)
    assert living() == keys(1, 2)


def test_what_the_hub_itself_made_at_a_target_keeps_nothing_alive(firm: Firm) -> None:
    from tests import memory

    firm.read(*rows(1, 2, 3))
    firm.deliver()
    stream = firm.outbound.stream
    rules = [{"target": "code", "source": "number"}, {"target": "name", "source": "description"}]
    back = build.sync("erp-back", "in", stream, firm.inbound.entity, rules, mode="full")
    shown = memory.system("erp").targets["jobs"]
    memory.system("erp").sources["jobs"] = [{"id": f"ref-{key}", **row} for key, row in shown.items()]
    services.run_here(sync=back)
    firm.read(*rows(1, 2))
    assert living() == keys(1, 2)


def test_what_was_held_of_a_record_goes_with_it(firm: Firm) -> None:
    firm.inbound.deleted_path = "state"
    firm.inbound.deleted_values = ["gone"]
    firm.inbound.save()
    firm.read(build.project_row(1), build.project_row(2, currency="euro"))
    firm.read(build.project_row(1), build.project_row(2, state="gone"))
    assert not HeldRecord.objects.exists()


# Marks -----------------------------------------------------------------------------------------------------
def test_a_mark_of_the_source_removes_in_any_mode_and_counts_once(firm: Firm) -> None:
    Sync.objects.filter(pk=firm.inbound.pk).update(mode="incremental", removals="off", deleted_path="flags.deleted")
    firm.inbound = Sync.objects.get(pk=firm.inbound.pk)
    firm.read(*rows(1, 2))
    marked = build.project_row(2, flags={"deleted": True}, title=None)
    run = firm.read(build.project_row(1, flags={"deleted": False}), marked)
    assert (run.status, run.updated, run.unchanged, living()) == ("succeeded", 1, 1, keys(1))
    again = firm.read(build.project_row(1, flags={"deleted": False}), marked)
    assert (again.updated, again.unchanged) == (0, 2)
    assert firm.read(*rows(1, 2)).updated == 1
    assert living() == keys(1, 2)


def test_the_crawl_of_a_run_that_never_reads_is_none(firm: Firm) -> None:
    firm.read(*rows(1))
    run, _ = engine.start(firm.inbound, trigger=Run.Trigger.RELEASE)
    engine.execute(run.pk)
    assert not Crawl.objects.filter(pk=run.pk).exists()
