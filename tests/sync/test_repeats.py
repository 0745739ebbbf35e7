"""Class A: the target knows requests by their key, so a lost answer is asked for again with the very same request."""

from __future__ import annotations

import pytest
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.common.errors import HubError, PermanentError, TransientError, UnknownOutcome
from hub.common.records import WriteItem, WriteOutcome
from hub.sync import engine, ledger, runs, services
from hub.sync.models import Batch, Delivery, Run, Transaction
from hub.sync.outbound import OutboundRun
from hub.sync.plan import load_plan
from hub.sync.states import DeliveryState
from tests.memory import MemoryConnector
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


class Target:
    """Holds a row for each idempotency key that it has seen, and answers a key that it knows with the row it made."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, str]] = {}
        self.by_key: dict[str, str] = {}
        # What becomes of the next calls: an error before anything is written, or after all of it.
        self.before: list[HubError | None] = []
        self.after: list[HubError | None] = []

    def write(self, _connector, _stream, items):
        _raise(self.before)
        outcomes = [self._one(item) for item in items]
        _raise(self.after)
        return outcomes

    def _one(self, item: WriteItem) -> WriteOutcome:
        if item.ref is not None:
            self.rows[item.ref].update(item.body)
            return WriteOutcome(item.key, "updated", ref=item.ref)
        ref = self.by_key.setdefault(item.idempotency_key, f"T{len(self.by_key) + 1}")
        self.rows.setdefault(ref, dict(item.body))
        return WriteOutcome(item.key, "created", ref=ref)

    @property
    def titles(self) -> list[str]:
        return sorted(row["description"] for row in self.rows.values())


def _raise(errors: list[HubError | None]) -> None:
    if errors and (error := errors.pop(0)):
        raise error


@pytest.fixture
def target(monkeypatch):
    found = Target()
    monkeypatch.setattr(MemoryConnector, "write", lambda *given: found.write(*given))
    return found


@pytest.fixture
def firm(domains, target):
    found = worlds.make()
    found.erp.safety = "A"
    found.erp.update_safety = "B"
    return found


def deliver(firm) -> Delivery:
    Delivery.objects.filter(state=DeliveryState.PENDING).update(next_at=Now())
    services.run_here(sync=firm.outbound)
    return Delivery.objects.get()


LOST = [UnknownOutcome("The connection broke."), TransientError("HTTP 503")]


@pytest.mark.parametrize("lost", LOST, ids=["no answer", "a failure after writing"])
def test_a_record_that_changes_while_the_answer_is_lost_is_made_once_and_then_updated(firm, target, lost):
    firm.read(build.project_row(1, title="First"))
    target.after = [lost]
    deliver(firm)
    firm.read(build.project_row(1, title="Second"))
    delivery = deliver(firm)
    assert target.titles == ["Second"]
    assert delivery.state == DeliveryState.DELIVERED
    assert delivery.doubted_batch_id is None
    assert delivery.delivered_version == delivery.version


def test_what_never_arrived_arrives_with_its_newest_values(firm, target):
    firm.read(build.project_row(1, title="First"))
    target.before = [TransientError("HTTP 503")]
    deliver(firm)
    firm.read(build.project_row(1, title="Second"))
    deliver(firm)
    assert target.titles == ["Second"]


def test_an_unchanged_record_is_sent_again_under_the_same_key_and_no_more(firm, target):
    firm.read(build.project_row(1, title="First"))
    target.after = [LOST[0]]
    deliver(firm)
    deliver(firm)
    assert target.titles == ["First"]
    assert Delivery.objects.get().state == DeliveryState.DELIVERED
    assert Batch.objects.filter(sync_id=firm.outbound.pk, sent_ids__len=1).count() == 2


def test_a_refused_record_is_sent_as_it_is_after_it_was_mended(firm, target):
    firm.read(build.project_row(1, title="Wrong"))
    target.before = [PermanentError("The title is wrong.")]
    assert deliver(firm).state == DeliveryState.DEAD
    firm.read(build.project_row(1, title="Right"))
    deliver(firm)
    assert target.titles == ["Right"]
    assert "Wrong" not in {row["description"] for row in target.rows.values()}


def test_a_worker_that_was_killed_while_it_called_makes_no_double(firm, target, monkeypatch):
    firm.read(build.project_row(1, title="First"))
    run = runs.claim(Run.objects.get(sync=firm.outbound).pk)
    worker = OutboundRun(run, load_plan(run.sync, run=run))
    monkeypatch.setattr(worker, "settle", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        worker.work(deadline=1e12)
    firm.read(build.project_row(1, title="Second"))
    Run.objects.filter(pk=run.pk).update(lease_until=None)
    engine.execute(run.pk)
    deliver(firm)
    assert target.titles == ["Second"]


def test_where_nobody_knows_any_more_what_was_sent_a_person_looks(firm, target):
    firm.read(build.project_row(1, title="First"))
    target.after = [LOST[0]]
    deliver(firm)
    Batch.objects.update(payload=None)
    delivery = deliver(firm)
    assert delivery.state == DeliveryState.DEAD
    assert "may hold this record already" in delivery.error_detail
    assert target.titles == ["First"]


def test_a_repetition_is_found_at_its_place_in_the_payload(firm, target):
    """Records that were not sent stand behind those that were."""
    for number in (1, 2):
        firm.read(build.project_row(number, title=f"First {number}"))
    deliver_all(firm)
    firm.read(*[build.project_row(number, title=f"First {number}") for number in (1, 2, 3)])
    target.after = [LOST[0]]
    deliver_all(firm)
    firm.read(*[build.project_row(number, title=f"Second {number}") for number in (1, 2, 3)])
    deliver_all(firm)
    assert target.titles == ["Second 1", "Second 2", "Second 3"]
    for row in Transaction.objects.filter(sync_id=firm.outbound.pk, key="P-0003", batch_id__isnull=False):
        payload = ledger.unpack(bytes(Batch.objects.get(pk=row.batch_id).payload))
        assert payload[row.position]["number"] == "P-0003"


def deliver_all(firm) -> None:
    Delivery.objects.filter(state=DeliveryState.PENDING).update(next_at=Now())
    services.run_here(sync=firm.outbound)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["change", "same"]), st.sampled_from(["fine", "lost", "refused", "down"])),
        min_size=1,
        max_size=8,
    )
)
def test_no_order_of_changes_and_lost_answers_makes_a_second_record(firm, target, story):
    target.rows.clear(), target.by_key.clear()
    number = next(_numbers)
    title = ""
    for step, (change, fault) in enumerate([*story, ("same", "fine"), ("same", "fine"), ("same", "fine")]):
        if change == "change" or not title:
            title = f"Title {step}"
            firm.read(build.project_row(number, title=title))
        target.before = [TransientError("HTTP 503")] if fault == "down" else []
        target.after = [UnknownOutcome("Lost.")] if fault == "lost" else [TransientError("503")] * (fault == "refused")
        deliver_all(firm)
    assert target.titles == [title]


_numbers = iter(range(100, 10_000))
