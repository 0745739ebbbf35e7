"""Expectations beside the engine itself: what runs do, and what they leave out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from governance.models import ServiceLevel
from hub.common.errors import PermanentError
from hub.sync import engine
from hub.sync import services as syncs
from hub.sync.models import Delivery, Run, Transaction
from hub.sync.states import Outcome
from hub.sync.trouble import discard_delivery
from monitoring.expectations import services, timing
from monitoring.expectations.late import late
from monitoring.expectations.projecting import begin
from monitoring.models import Expectation
from tests import memory
from tests.sync import builders as build

pytestmark = pytest.mark.django_db(transaction=True)
LATER = timedelta(hours=5)
State = Expectation.State


class Firm:
    """Projects from the PSA to the ERP; each has to be there in four hours."""

    def __init__(self) -> None:
        self.entity = build.entity("project", build.PROJECT)
        source = build.stream(build.connection("psa"), "projects")
        self.target = build.stream(build.connection("erp"), "jobs")
        self.inbound = build.sync("psa-projects", "in", source, self.entity, build.PROJECT_RULES)
        self.outbound = build.sync("erp-jobs", "out", self.target, self.entity, build.OUT_RULES)
        self.level = ServiceLevel.objects.create(
            slug="projects", name="Projects at the ERP", measure="latency", domain=self.entity.domain, entity=self.entity,
            target=self.target.connection.system, breach_seconds=4 * 3600,
        )  # fmt: skip
        begin(self.level, since=datetime.now(UTC) - timedelta(minutes=1))

    def read(self, *rows) -> None:
        memory.system("psa").sources["projects"] = list(rows)
        assert syncs.run_here(sync=self.inbound).error == ""

    def deliver(self) -> None:
        for _ in range(5):
            run = Run.objects.filter(sync=self.outbound, status="queued").first()
            if run is None:
                return
            engine.execute(run.pk)


@pytest.fixture
def firm(domains):
    return Firm()


def states():
    services.sweep()
    return list(Expectation.objects.order_by("cause_id").values_list("state", flat=True))


def test_a_change_is_expected_until_it_is_at_the_target(firm):
    firm.read(*(build.project_row(number) for number in range(3)))
    assert states() == [State.OPEN] * 3
    row = Expectation.objects.order_by("cause_id")[0]
    assert (str(row.amount), row.currency, row.key) == ("1000.0000", "EUR", "P-0000")
    assert len(set(Expectation.objects.values_list("due_at", flat=True))) == 1, "a page has one deadline"
    firm.deliver()
    assert states() == [State.MET] * 3
    arrivals = Transaction.objects.filter(sync_id=firm.outbound.pk, outcome=Outcome.CREATED)
    assert set(Expectation.objects.values_list("arrival_id", flat=True)) == set(arrivals.values_list("pk", flat=True))


def test_a_change_that_the_target_does_not_see_is_met_without_being_sent(firm):
    firm.read(build.project_row(1))
    firm.deliver()
    firm.read(build.project_row(1, status="closed"))  # the mapping to the ERP has no status
    firm.deliver()
    assert len(memory.system("erp").writes) == 1
    assert states() == [State.MET, State.MET]
    assert Expectation.objects.latest("cause_id").arrival_id is None


def test_what_the_sync_leaves_out_is_late_though_it_was_never_queued(firm):
    firm.outbound.only_when = {"status": ["active"]}
    firm.outbound.save()
    firm.read(build.project_row(1, status="draft"), build.project_row(2))
    firm.deliver()
    assert not Delivery.objects.filter(record__key="P-0001").exists()
    services.sweep()
    timing.tick(datetime.now(UTC) + LATER)
    assert sorted(states()) == [State.BREACHED, State.MET]
    assert [one.title for one in late()] == ["Project P-0001 is not at erp"]


def test_what_the_target_refused_is_late_and_its_discard_ends_it(firm, ada):
    memory.system("erp").refuse["P-0001"] = PermanentError("No such customer.", code="NO_CUSTOMER")
    firm.read(build.project_row(1))
    firm.deliver()
    services.sweep()
    timing.tick(datetime.now(UTC) + LATER)
    assert states() == [State.BREACHED]
    assert list(late()) == [], "the delivery is an exception of its own"
    discard_delivery(delivery=Delivery.objects.get(), reason="Not needed at the ERP", by=ada)
    assert states() == [State.CANCELLED]
    assert Expectation.objects.get().note == "discarded"


def test_an_arrival_in_time_takes_back_what_a_clock_ahead_had_broken(firm):
    firm.read(build.project_row(1))
    services.sweep()
    timing.tick(datetime.now(UTC) + LATER)
    assert states() == [State.BREACHED]
    firm.deliver()
    assert states() == [State.MET]
    assert Expectation.objects.get().breached_at is None
