"""Any story of a source, a target and workers that crash ends, when all is quiet, with the target holding the source.

The model is two dicts: what the source holds, and from it what the target must hold. `CHAOS_EXAMPLES` (8 when left out) says
how many stories are tried for each class of write safety.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from connectors import circuits
from connectors.models import Circuit
from hub.common.errors import ConfigError
from hub.records.models import CanonicalRecord
from hub.records.store import forget_profiles
from hub.sync import engine, harness, services, sweeper, trouble
from hub.sync.chaos import points
from hub.sync.chaos.points import POINTS, Point
from hub.sync.chaos.source_world import business, documents, entries
from hub.sync.models import Batch, Delivery, Run, Sync, Transaction
from hub.sync.outbox import NEVER
from hub.sync.states import ACTIVE, DeliveryState, Outcome, RunStatus
from hub.webhooks import schemes, waking
from hub.webhooks.models import Endpoint
from mappings.services import activate_rules
from tests.chaos.planned import FAULTS, Pair, pair
from tests.webhooks.conftest import deliver, make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "8"))
STEPS = 20
PAGE = 2
QUIET_ROUNDS = 40
WORK = (
    "sync_transaction, sync_batch, sync_delivery, sync_heldrecord, sync_syncstate, sync_scheduleslot, sync_run,"
    " records_crosswalk, records_canonicalrecord, webhooks_message, webhooks_seen"
)
numbers = st.integers(1, 5)
legs = st.sampled_from(("in", "out"))


class Crash(BaseException):
    """The worker ends here: nothing that it would have done afterwards happens."""


class Hub(RuleBasedStateMachine):
    """One hub between the two systems. `systems` and `endpoint` are those of the class of safety under test."""

    systems: ClassVar[Pair]
    endpoint: ClassVar[Endpoint]

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[int, list[dict[str, Any]]] = {}  # every state that a record of the source has had
        self.armed: Point | None = None
        self.currency, self.messages = "", 0

    @initialize()
    def begin(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"truncate {WORK} cascade")
        forget_profiles()
        self.systems.forget()
        Sync.objects.update(is_paused=False)
        self.map_currency("")

    # The source ------------------------------------------------------------------------------------------------
    @rule(number=numbers, cents=st.integers(1, 10**9))
    def change(self, number: int, cents: int) -> None:
        """A record is changed, made, or made again."""
        row = {"id": f"{number:03d}", "number": f"TE-{number}", "amount": f"{cents / 100:.2f}", "currency": "EUR"}
        self.systems.source.store.put(row)
        self.told.setdefault(number, []).append(self.systems.source.store.rows[row["id"]])

    @rule(number=numbers)
    def delete(self, number: int) -> None:
        self.systems.source.store.rows.pop(f"{number:03d}", None)

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def message(self, data: Any) -> None:
        """The source tells of a record as it is, or, late, as it was."""
        states = self.told[data.draw(st.sampled_from(sorted(self.told)))]
        self.messages += 1
        body = json.dumps({"data": data.draw(st.sampled_from(states))}).encode()
        headers, query = schemes.sign(self.endpoint, body, message_id=f"m{self.messages}", now=time.time())
        assert deliver(self.endpoint, body, headers=headers, query=query).status_code == 202

    # The target ------------------------------------------------------------------------------------------------
    @rule(data=st.data())
    def trouble_ahead(self, data: Any) -> None:
        """The next write meets a fault; one that comes late does so only where the target is asked before it is repeated."""
        late = ("late",) if self.systems.target.inner.store.safety == "C" else ()
        self.systems.target.plan.append(data.draw(st.sampled_from(FAULTS + late)))

    # The hub ---------------------------------------------------------------------------------------------------
    @rule(leg=legs)
    def run(self, leg: str) -> None:
        self.start(leg)
        self.work(leg)

    @rule(point=st.sampled_from(POINTS))
    def crash(self, point: Point) -> None:
        """A worker begins the leg and ends at a point, if it comes there."""
        self.start(point.leg)
        self.armed = point
        remove = points.install(point, self, random.Random(point.name))
        try:
            self.work(point.leg)
        except Crash:
            self.until_threads_have_ended()
        finally:
            remove()
            self.armed = None

    def is_due(self) -> bool:
        return self.armed is not None

    def die(self) -> None:
        self.armed = None
        raise Crash

    @rule()
    def time_passes(self) -> None:
        """Leases end, what is late arrives, the target has settled, pauses are over."""
        self.systems.settle()
        with connection.cursor() as cursor:
            cursor.execute("update sync_run set lease_until = now() - interval '1 s' where lease_until is not null")
            cursor.execute("update sync_delivery set next_at = now() where state in (1, 2) and next_at < %s", [NEVER])
            cursor.execute("update connectors_pace set stopped_until = null")
            cursor.execute("update webhooks_endpoint set retry_at = null")
        for pk in Circuit.objects.values_list("connection_id", flat=True):
            circuits.close(pk)

    @rule(leg=legs, is_paused=st.booleans())
    def pause(self, leg: str, is_paused: bool) -> None:
        services.set_paused(sync=self.sync(leg), is_paused=is_paused, reason="test", by=None)

    @rule(currency=st.sampled_from(["", "USD", "GBP"]))
    def map_currency(self, currency: str) -> None:
        """The mapping takes the source's currency, or another one for every record."""
        rules: list[dict[str, Any]] = [{"target": name, "source": name} for name in ("number", "amount")]
        how = {"kind": "constant", "value": currency} if currency else {"source": "currency"}
        activate_rules(mapping=self.sync("in").mapping, rules=[*rules, {"target": "currency", **how}], by=None)
        self.currency = currency

    @rule()
    def resolve(self) -> None:
        """A person looks at the target, and says of each doubt that waits for somebody what is there."""
        there = {row["number"]: row["id"] for row in self.systems.target.rows}
        for doubt in Delivery.objects.filter(state=DeliveryState.UNSURE, next_at__gte=NEVER).select_related("record"):
            if ref := there.get(doubt.record.key):
                trouble.confirm_delivery(delivery=doubt, ref=ref, by=None)
            else:
                trouble.resend_unsure(delivery=doubt, by=None)

    # What always holds -------------------------------------------------------------------------------------------
    @invariant()
    def nothing_is_there_twice(self) -> None:
        there = Counter(row["number"] for row in self.systems.target.rows)
        assert not [number for number, times in there.items() if times > 1]

    def teardown(self) -> None:
        """All is left to come to rest; then the target holds the source, and the ledger says so."""
        for leg in ("in", "out"):
            services.set_paused(sync=self.sync(leg), is_paused=False, by=None)
        self.systems.target.plan.clear()
        self.come_to_rest()
        self.compare("number", "amount")
        services.reset_cursor(
            sync=self.sync("in"), by=None
        )  # what the newest mapping makes of records that did not change
        self.come_to_rest()
        self.compare("number", "amount", "currency")
        self.nothing_is_there_twice()
        self.ledger_is_complete()

    def come_to_rest(self) -> None:
        for _ in range(QUIET_ROUNDS):
            self.time_passes()
            self.resolve()
            is_new = self.start("in")
            waking.start()
            sweeper.start_due_deliveries()
            self.work("in")
            self.work("out")
            # a run that was under way may have read the source before it changed
            if is_new and self.is_quiet():
                return
        runs = list(Run.objects.values_list("pk", "status", "error")[:5])
        raise AssertionError(f"It does not come to rest: {runs}, {list(Delivery.objects.values())}")

    def is_quiet(self) -> bool:
        if Run.objects.filter(status__in=ACTIVE).exists():
            return False
        last = Run.objects.filter(sync=self.sync("in")).exclude(trigger__in=Run.NARROW).latest("pk")
        at_rest = (DeliveryState.DELIVERED, DeliveryState.DISCARDED)
        # A source that shows nothing any more is doubted until a person says that it is right; nothing is removed till then.
        fine = (RunStatus.SUCCEEDED,) if self.systems.source.store.rows else (RunStatus.SUCCEEDED, RunStatus.SUSPECT)
        return last.status in fine and not Delivery.objects.exclude(state__in=at_rest).exists()

    def compare(self, *names: str) -> None:
        there = {row["number"]: row for row in self.systems.target.rows}
        for row in self.systems.source.store.by_id():
            wanted = {**business(row), "currency": self.currency or row["currency"]}
            found = there.get(row["number"], {})
            assert {name: found.get(name) for name in names} == {name: wanted[name] for name in names}

    def ledger_is_complete(self) -> None:
        """Each version of a record came in by one row, and what was delivered of it went out by one row."""
        came = Counter(self.rows_of("in"))
        versions = CanonicalRecord.objects.values_list("pk", "version")
        assert came == Counter({(pk, version): 1 for pk, last in versions for version in range(1, last + 1)})
        went = Counter(self.rows_of("out"))
        assert set(went.values()) <= {1}
        unchanged = {pk for ids in Batch.objects.values_list("unchanged_ids", flat=True) for pk in ids or ()}
        for record, version in Delivery.objects.values_list("record_id", "delivered_version"):
            assert (record, version) in went or record in unchanged

    def rows_of(self, leg: str) -> list[tuple[int, int]]:
        rows = Transaction.objects.filter(sync_id=self.sync(leg).pk, outcome__in=(Outcome.CREATED, Outcome.UPDATED))
        return list(rows.values_list("record_id", "version"))

    # Tools -------------------------------------------------------------------------------------------------------
    def sync(self, leg: str) -> Sync:
        return Sync.objects.get(slug=f"chaos-{leg}")

    def start(self, leg: str) -> bool:
        """Whether a new run was made: one may be under way, or the sync paused."""
        with suppress(ConfigError):
            return services.start_run(sync=self.sync(leg))[1]
        return False

    def work(self, leg: str) -> None:
        for run in Run.objects.filter(sync=self.sync(leg), status__in=ACTIVE):
            engine.execute(run.pk)

    def until_threads_have_ended(self) -> None:
        """A worker that ends takes its threads along; here they only end when their request is over."""
        for thread in threading.enumerate():
            if thread.name.startswith(("write", "read-ahead")):
                thread.join()


@pytest.mark.parametrize("safety", ["A", "B", "C", "D"])
def test_the_target_holds_the_source_whatever_happened(safety: str, domains: Any) -> None:
    with pair(safety) as systems:
        stream = entries("changes", page_size=PAGE, incremental={"ordered": True})
        made = documents(systems.source_port, systems.target_port, safety, stream, mode="incremental")
        harness.apply(made)
        sweeper.ensure_partitions()
        Hub.systems = systems
        Hub.endpoint = make_endpoint(SimpleNamespace(inbound=Sync.objects.get(slug="chaos-in")), "chaos")  # type: ignore[arg-type]
        tried = settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(Hub, settings=tried)
