"""Rules of first loads that need no system over HTTP: the hub's own records, amounts, order, resuming, decisions, doubles."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.common.errors import ConfigError, TransientError
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync import configure, engine
from hub.sync import services as syncs
from hub.sync.adopt import lease, order, queries, reading, services, work
from hub.sync.models import Adoption, Delivery, MatchDefinition, StagedRecord, Sync
from hub.sync.states import DeliveryState
from mappings.services import activate_rules
from tests import memory
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains: Any) -> worlds.Firm:
    """Three projects in the hub, which the ERP has not been told of."""
    firm = worlds.make()
    configure.save_sync(sync=_paused(firm.outbound, True), by=None)
    firm.read(*(build.project_row(n) for n in (1, 2, 3)))
    configure.save_sync(sync=_paused(firm.outbound, False), by=None)
    return firm


def _paused(sync: Sync, is_paused: bool) -> Sync:
    sync.is_paused = is_paused
    return sync


def job(n: int, **changes: Any) -> dict[str, Any]:
    row = {"id": f"j{n}", "number": f"P-{n:04d}", "description": f"Project {n}", "amount": "1000.00"}
    return {**row, **changes}


def hold(firm: worlds.Firm, *jobs: dict[str, Any]) -> None:
    """The ERP holds these jobs, and can be asked for them by their number."""
    firm.erp.sources["jobs"] = list(jobs)
    firm.erp.targets["jobs"] = {}


def say_nothing_as_null(firm: worlds.Firm) -> None:
    """The ERP's mapping sends null for what the hub does not know; of project 4 it knows no budget."""
    rules = [{**rule, "on_missing": "null"} for rule in build.OUT_RULES]
    activate_rules(mapping=firm.outbound.mapping, rules=rules, by=None)
    row = build.project_row(4)
    del row["budget"]
    syncs.set_paused(sync=firm.outbound, is_paused=True)
    firm.read(*firm.psa.sources["projects"], row)
    syncs.set_paused(sync=firm.outbound, is_paused=False)


def plan(firm: worlds.Firm, source: Sync | None = None) -> Adoption:
    return services.work_here(services.start(target=firm.outbound, source=source, by=None))


def approve(firm: worlds.Firm, adoption: Adoption) -> Adoption:
    done = services.work_here(services.approve(adoption=adoption, by=None))
    firm.outbound.refresh_from_db()
    syncs.run_here(sync=firm.outbound)
    return done


def row_of(adoption: Adoption, key: str) -> StagedRecord:
    return StagedRecord.objects.get(adoption=adoption, side=1, key=key)


def groups(adoption: Adoption) -> dict[str, int]:
    return {group.name: group.number for group in queries.summary(adoption) if group.number}


def sent(firm: worlds.Firm) -> list[tuple[str, str | None, dict[str, Any]]]:
    return [(item.key, item.ref, item.body) for item in firm.erp.writes]


class TestTheVerdicts:
    def test_counts_and_amounts_are_told_before_anything_is_written(self, firm: worlds.Firm) -> None:
        hold(firm, job(1), job(2, amount="900.00"), job(9))
        adoption = plan(firm)
        assert groups(adoption) == {"linked": 1, "conflict": 1, "create": 1, "target_only": 1}
        amounts = {group.name: group.amounts for group in queries.summary(adoption)}
        assert amounts["conflict"] == amounts["create"] == [("EUR", Decimal("1000.0000"))]
        assert sent(firm) == []
        assert Crosswalk.objects.filter(stream=firm.outbound.stream).count() == 0

    def test_a_difference_names_both_values_and_whose_wins(self, firm: worlds.Firm) -> None:
        MatchDefinition.objects.create(
            slug="jobs", entity=firm.outbound.entity, fields=[{"field": "$key", "form": "key", "decides": True}],
            keep_target=["name"],
        )  # fmt: skip
        hold(firm, job(1, description="Depot", amount="900.00"))
        found = {
            one["field"]: (one["there"], one["here"], one["wins"]) for one in row_of(plan(firm), "P-0001").differences
        }
        assert found == {"description": ("Depot", "Project 1", "target"), "amount": ("900.00", "1000.00", "hub")}

    def test_a_record_that_the_contract_refuses_is_told_with_its_reason(self, firm: worlds.Firm) -> None:
        firm.psa.sources["projects"] = [build.project_row(1), build.project_row(4, currency="euro")]
        hold(firm)
        adoption = plan(firm, firm.inbound)
        refused = StagedRecord.objects.get(adoption=adoption, verdict="refused")
        assert "currency" in refused.why

    def test_what_the_condition_of_the_sync_keeps_out_is_not_created(self, firm: worlds.Firm) -> None:
        firm.outbound.only_when = {"status": ["closed"]}
        firm.outbound.save()
        hold(firm)
        adoption = plan(firm)
        assert groups(adoption) == {"refused": 3}


class TestApplying:
    def test_linked_records_are_updated_under_the_targets_own_id_and_the_equal_ones_left_alone(
        self, firm: worlds.Firm
    ) -> None:
        hold(firm, job(1), job(2, amount="900.00"))
        approve(firm, plan(firm))
        assert [(key, ref) for key, ref, _ in sent(firm)] == [("P-0002", "j2"), ("P-0003", None)]
        assert not Delivery.objects.exclude(state=DeliveryState.DELIVERED).exists()

    def test_a_value_that_the_target_keeps_is_never_sent_to_it_later_either(self, firm: worlds.Firm) -> None:
        MatchDefinition.objects.create(
            slug="jobs", entity=firm.outbound.entity, fields=[{"field": "$key", "form": "key", "decides": True}],
            keep_target=["name"],
        )  # fmt: skip
        hold(firm, job(1, description="Depot", amount="900.00"))
        approve(firm, plan(firm))
        firm.read(build.project_row(1, budget="1200.00"), build.project_row(2), build.project_row(3))
        syncs.run_here(sync=firm.outbound)
        assert [body for key, _, body in sent(firm) if key == "P-0001"] == [
            {"number": "P-0001", "amount": "1000.00"},
            {"number": "P-0001", "amount": "1200.00"},
        ]

    def test_what_the_hub_does_not_know_empties_nothing_at_the_target(self, firm: worlds.Firm) -> None:
        say_nothing_as_null(firm)
        hold(firm, job(4, description="Depot"))
        approve(firm, plan(firm))
        assert next(body for key, _, body in sent(firm) if key == "P-0004") == {
            "number": "P-0004",
            "description": "Project 4",
        }

    def test_a_field_that_may_be_emptied_is(self, firm: worlds.Firm) -> None:
        MatchDefinition.objects.create(
            slug="jobs", entity=firm.outbound.entity, fields=[{"field": "$key", "form": "key", "decides": True}],
            may_clear=["budget"],
        )  # fmt: skip
        say_nothing_as_null(firm)
        hold(firm, job(4, description="Depot"))
        approve(firm, plan(firm))
        assert next(body for key, _, body in sent(firm) if key == "P-0004")["amount"] is None

    def test_a_record_that_the_target_showed_the_hub_before_becomes_one_with_the_sources(
        self, firm: worlds.Firm
    ) -> None:
        """The ERP was read first, under its own numbers; the PSA's project is taken in as that very record."""
        back = build.sync(
            "erp-projects", "in", firm.outbound.stream, firm.outbound.entity,
            [{"target": "code", "source": "number"}, {"target": "name", "source": "description"}],
        )  # fmt: skip
        MatchDefinition.objects.create(
            slug="jobs", entity=firm.outbound.entity, maybe_at=60,
            fields=[{"field": "name", "compare": "similar", "decides": True}],
        )  # fmt: skip
        hold(firm, job(7, number="J-7", description="Project 7"))
        syncs.run_here(sync=back)
        firm.psa.sources["projects"] = [build.project_row(7)]
        adoption = plan(firm, firm.inbound)
        assert groups(adoption) == {"conflict": 1}
        approve(firm, adoption)
        links = Crosswalk.objects.filter(external_id__in=["7", "j7"]).values_list("record_id", flat=True)
        assert len(set(links)) == 1
        assert CanonicalRecord.objects.filter(body__name="Project 7").count() == 1


class TestDeciding:
    def test_no_record_of_the_target_is_linked_twice(self, firm: worlds.Firm) -> None:
        hold(firm, job(1), job(2))
        adoption = plan(firm)
        taken = row_of(adoption, "P-0001").partner
        with pytest.raises(ConfigError, match="linked to it already"):
            services.decide(row=row_of(adoption, "P-0003"), decision="link", partner_id=taken.pk, by=None)

    def test_a_link_can_be_refused_and_is_then_created(self, firm: worlds.Firm) -> None:
        """What a person says counts before the score."""
        hold(firm, job(1))
        adoption = plan(firm)
        services.decide(row=row_of(adoption, "P-0001"), decision="new", by=None)
        assert groups(adoption) == {"create": 3, "target_only": 1}

    def test_accepting_takes_the_best_candidate_from_a_score_on_and_none_twice(self, firm: worlds.Firm) -> None:
        hold(firm, job(1, number="X-1"), job(2, number="X-2"), job(8, number="X-8", description="Project 2"))
        adoption = plan(firm)
        best = {row.key: row.candidates[0]["score"] for row in services.undecided(adoption) if row.candidates}
        number = services.accept(adoption=adoption, at_least=90, by=None)
        linked = StagedRecord.objects.filter(adoption=adoption, decision="link")
        assert linked.count() == number
        assert all(best[row.key] >= 90 for row in linked)
        assert len({row.partner_id for row in linked}) == number == 2

    def test_what_was_applied_is_not_decided_again(self, firm: worlds.Firm) -> None:
        hold(firm, job(1))
        adoption = plan(firm)
        approve(firm, adoption)
        with pytest.raises(ConfigError, match="Nothing is to be decided"):
            services.decide(row=row_of(adoption, "P-0001"), decision="leave", by=None)

    def test_what_was_left_out_stays_out_of_the_next_first_load(self, firm: worlds.Firm) -> None:
        hold(firm, job(1, number="X-1"))
        adoption = plan(firm)
        first = services.undecided(adoption).exclude(candidates=[]).first()
        services.decide(row=first, decision="leave", by=None)
        approve(firm, adoption)
        assert row_of(plan(firm), first.key).decision == "leave"


class TestTheModeAdopt:
    @pytest.fixture
    def adopting(self, firm: worlds.Firm) -> worlds.Firm:
        firm.outbound.mode = Sync.Mode.ADOPT
        configure.save_sync(sync=firm.outbound, by=None)
        return firm

    def test_a_creation_becomes_a_link_where_the_target_holds_the_key_written_otherwise(
        self, adopting: worlds.Firm
    ) -> None:
        adopting.erp.targets["jobs"] = {"p-0001": {"number": "p-0001", "description": "Project 1", "amount": "1000.00"}}
        syncs.run_here(sync=adopting.outbound)
        assert {key: ref for key, ref, _ in sent(adopting)}["P-0001"] == "ref-p-0001"
        assert Crosswalk.objects.filter(stream=adopting.outbound.stream, external_id="ref-p-0001").exists()

    def test_what_the_target_holds_just_so_is_not_sent(self, adopting: worlds.Firm) -> None:
        adopting.erp.targets["jobs"] = {"P-0001": {"number": "P-0001", "description": "Project 1", "amount": "1000.00"}}
        syncs.run_here(sync=adopting.outbound)
        assert [key for key, _, _ in sent(adopting)] == ["P-0002", "P-0003"]

    def test_what_is_found_there_is_not_emptied_either(self, adopting: worlds.Firm) -> None:
        say_nothing_as_null(adopting)
        adopting.erp.targets["jobs"] = {"P-0004": {"number": "P-0004", "description": "Depot", "amount": "1000.00"}}
        syncs.run_here(sync=adopting.outbound)
        assert next(body for key, _, body in sent(adopting) if key == "P-0004") == {
            "number": "P-0004",
            "description": "Project 4",
        }

    def test_a_target_that_nobody_can_ask_and_nobody_has_read_gets_nothing(
        self, adopting: worlds.Firm, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(memory.MemoryConnector, "find", _unsearchable)
        run = syncs.run_here(sync=adopting.outbound)
        assert "cannot be asked for a key, and no first load has read it" in run.error
        assert sent(adopting) == []

    def test_a_target_that_cannot_be_asked_is_judged_by_what_was_read_and_the_page_says_so(
        self, firm: worlds.Firm, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(memory.MemoryConnector, "find", _unsearchable)
        hold(firm, job(1), job(4))
        adoption = plan(firm)
        assert adoption.notes == [reading.NOT_SEARCHABLE]
        approve(firm, adoption)
        firm.erp.writes.clear()
        firm.read(*(build.project_row(n) for n in (1, 2, 3, 4)))
        syncs.run_here(sync=firm.outbound)
        assert Crosswalk.objects.filter(stream=firm.outbound.stream, external_id="j4").exists()
        assert sent(firm) == []

    def test_a_sync_that_reads_cannot_adopt(self, firm: worlds.Firm) -> None:
        firm.inbound.mode = Sync.Mode.ADOPT
        with pytest.raises(ConfigError, match="Only a sync that delivers"):
            configure.save_sync(sync=firm.inbound, by=None)


def _unsearchable(self: Any, stream: Any, keys: Any) -> Any:
    raise NotImplementedError


class TestTheWork:
    def test_reading_goes_on_at_the_page_where_it_stopped(self, firm: worlds.Firm) -> None:
        firm.psa.sources["projects"] = [build.project_row(n) for n in range(1, 11)]
        hold(firm, *(job(n) for n in range(1, 11)))
        firm.psa.page_size = firm.erp.page_size = 3
        adoption = services.start(target=firm.outbound, source=firm.inbound, by=None)
        slices = 0
        while adoption.status in ("waiting", "reading"):
            work.work(adoption.pk, slice_seconds=0)
            adoption.refresh_from_db()
            slices += 1
        assert slices > 6
        assert (adoption.read_source, adoption.read_target) == (10, 10)
        assert StagedRecord.objects.filter(adoption=adoption).count() == 20

    def test_a_page_that_is_read_twice_is_kept_once(self, firm: worlds.Firm) -> None:
        hold(firm, job(1))
        adoption = services.start(target=firm.outbound, source=firm.inbound, by=None)
        work.work(adoption.pk)
        for _ in range(2):
            Adoption.objects.filter(pk=adoption.pk).update(status="reading", side=1, resume=None, lease_until=None)
            work.work(adoption.pk)
        adoption.refresh_from_db()
        assert (adoption.read_source, adoption.read_target) == (3, 1)

    def test_a_worker_that_was_overtaken_writes_nothing(self, firm: worlds.Firm) -> None:
        adoption = services.start(target=firm.outbound, source=None, by=None)
        claimed = lease.claim(adoption.pk)
        Adoption.objects.filter(pk=adoption.pk).update(epoch=99)
        with pytest.raises(lease.LostLease):
            lease.fence(claimed, side=2)

    def test_only_one_first_load_works_at_a_time(self, firm: worlds.Firm) -> None:
        other = build.sync(
            "erp-codes",
            "out",
            build.stream(firm.outbound.stream.connection, "codes"),
            firm.outbound.entity,
            build.OUT_RULES,
        )
        first = services.start(target=firm.outbound, source=None, by=None)
        second = services.start(target=other, source=None, by=None)
        assert lease.claim(first.pk) is not None
        assert lease.claim(second.pk) is None

    def test_what_fails_for_a_moment_is_tried_again_and_anything_else_waits_for_a_person(
        self, firm: worlds.Firm
    ) -> None:
        for error, is_halted in ((TransientError("Busy."), False), (ConfigError("No such table."), True)):
            adoption = services.start(target=firm.outbound, source=firm.inbound, by=None)
            work.work(adoption.pk)
            firm.psa.fail_with = [error]
            work.work(adoption.pk)
            adoption.refresh_from_db()
            assert (adoption.error, adoption.is_halted) == (str(error), is_halted)
            services.abandon(adoption=adoption, by=None)

    def test_a_source_that_is_paused_after_the_approval_is_waited_for(self, firm: worlds.Firm) -> None:
        hold(firm, job(1))
        adoption = services.approve(adoption=plan(firm, firm.inbound), by=None)
        syncs.set_paused(sync=firm.inbound, is_paused=True, reason="Holiday")
        work.work(adoption.pk)
        adoption.refresh_from_db()
        assert (adoption.status, adoption.error) == ("linking", "The sync is paused. It goes on after that.")
        syncs.set_paused(sync=firm.inbound, is_paused=False)
        services.resume(adoption=adoption, by=None)
        assert services.work_here(adoption).status == "done"

    def test_abandoning_opens_the_gate_and_drops_what_was_read(self, firm: worlds.Firm) -> None:
        hold(firm, job(1))
        adoption = plan(firm)
        run, _ = syncs.start_run(sync=firm.outbound)
        assert engine.execute(run.pk) is None
        services.abandon(adoption=adoption, by=None)
        assert not StagedRecord.objects.exists()
        assert engine.execute(run.pk) is not None

    def test_a_second_first_load_of_a_sync_is_refused_while_one_is_open(self, firm: worlds.Firm) -> None:
        plan(firm)
        with pytest.raises(ConfigError, match="is under way"):
            services.start(target=firm.outbound, source=None, by=None)


class TestTheOrder:
    @pytest.fixture
    def children(self, firm: worlds.Firm) -> Sync:
        time = build.entity("time_entry", build.TIME)
        rules = [{"target": "number", "source": "number"}, {"target": "hours", "source": "hours"}]
        return build.sync("erp-time", "out", build.stream(firm.outbound.stream.connection, "time"), time, rules)

    def test_parents_come_first_whatever_the_order_of_asking(self, firm: worlds.Firm, children: Sync) -> None:
        assert order.in_order([children, firm.outbound]) == [firm.outbound, children]

    def test_a_child_waits_until_its_parents_first_load_is_done(self, firm: worlds.Firm, children: Sync) -> None:
        hold(firm, job(1))
        child, parent = services.start(target=children, source=None, by=None), plan(firm)
        work.work(child.pk)
        child.refresh_from_db()
        assert (child.status, "the first load of erp-jobs is done" in child.error) == ("waiting", True)
        approve(firm, parent)
        services.resume(adoption=child, by=None)
        assert services.work_here(child).status == "review"
