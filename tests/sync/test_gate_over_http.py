"""A real HTTP target that fails, throttles and refuses: how many requests it sees, and what becomes of the deliveries."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connections
from django.db.models.functions import Now

from connectors import circuits, services
from connectors.models import Circuit, Connection
from hub.sync import engine, probing, sweeper
from hub.sync.models import Delivery, Run, Transaction
from hub.sync.states import DeliveryState, Outcome
from tests.connectors.tools import BASE, LOOPBACK
from tests.fakes.http import Answer, serve
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)

RECORDS = 150
WRITE = {"upsert": {"method": "PUT", "path": "/jobs/${key}", "safety": "B", "ref": "id"}}


class Target:
    """Keeps what it takes; `fault` answers in its place while it is set."""

    def __init__(self) -> None:
        self.rows: dict[str, dict] = {}
        self.times: list[float] = []
        self.fault = None
        self._lock = threading.Lock()

    def __call__(self, request):
        if request.path == "/me":
            return self.fault(request) if self.fault and self.fault(request).status == 401 else {"email": "hub@x"}
        if request.method == "GET":
            return []
        with self._lock:
            self.times.append(time.monotonic())
            if self.fault and (answer := self.fault(request)):
                return answer
            key = request.path.rpartition("/")[2]
            self.rows[key] = request.json
        return {"id": key}


@pytest.fixture
def target():
    found = Target()
    with serve(found) as server:
        found.url = server.url
        yield found


@pytest.fixture
def firm(domains, target):
    """Projects of the PSA go to the target over HTTP, one request each."""
    firm = worlds.make()
    erp = firm.outbound.stream.connection
    declared = {**BASE, "base_url": target.url, "check": {"path": "/me", "who": "email"}}
    declared["streams"] = {"jobs": {"path": "/jobs", "key": "id", "write": WRITE}}
    Connection.objects.filter(pk=erp.pk).update(
        protocol="rest", config={"declaration": declared}, allowed_networks=LOOPBACK, secrets={"token": "s3cret"}
    )
    firm.read(*(build.project_row(n) for n in range(RECORDS)))
    return firm


def deliver(firm):
    sweeper.start_due_deliveries()
    for run in Run.objects.filter(sync=firm.outbound, status="queued"):
        engine.execute(run.pk)


def erp_of(firm):
    return Connection.objects.get(slug="erp")


def test_an_outage_in_the_middle_of_a_batch_stops_it_after_a_few_requests_and_then_drains(firm, target):
    target.fault = lambda request: Answer({"error": "down"}, 503)
    deliver(firm)
    erp = erp_of(firm)
    assert circuits.look(erp.pk).state == "open"
    assert len(target.times) <= 20
    assert set(Delivery.objects.values_list("state", "attempts")) == {(DeliveryState.PENDING, 0)}

    target.fault = None
    Circuit.objects.update(probe_at=Now())
    assert probing.probe(erp.pk)
    deliver(firm)
    assert len(target.rows) == RECORDS
    assert circuits.look(erp.pk).state == "closed"
    assert not Transaction.objects.filter(outcome=Outcome.DEAD).exists()


def test_refused_credentials_cost_a_few_requests_and_no_delivery(firm, target):
    target.fault = lambda request: Answer({"error": "who are you?"}, 401)
    deliver(firm)
    erp = erp_of(firm)
    assert circuits.look(erp.pk).state == "paused_auth"
    assert len(target.times) <= 8
    assert set(Delivery.objects.values_list("state", "attempts")) == {(DeliveryState.PENDING, 0)}
    target.fault = None
    services.check_connection(erp)
    deliver(firm)
    assert len(target.rows) == RECORDS


def test_a_record_that_is_forbidden_is_refused_by_itself_and_the_others_pass(firm, target):
    forbidden = "/jobs/P-0007"
    target.fault = lambda request: Answer({"error": "not yours"}, 403) if request.path == forbidden else None
    deliver(firm)
    dead = Delivery.objects.get(state=DeliveryState.DEAD)
    assert (dead.record.key, dead.error_code) == ("P-0007", "PERMISSION")
    assert len(target.rows) == RECORDS - 1
    assert circuits.look(erp_of(firm).pk).state == "closed"


def test_a_403_that_the_declaration_calls_a_refused_sign_in_pauses_and_costs_no_delivery(firm, target):
    erp = erp_of(firm)
    erp.config["declaration"]["errors"] = {"code": "error", "rules": [{"code": "REVOKED", "as": "auth_denied"}]}
    erp.save()
    target.fault = lambda request: Answer({"error": "REVOKED"}, 403)
    deliver(firm)
    assert circuits.look(erp.pk).state == "paused_auth"
    assert set(Delivery.objects.values_list("state", "attempts")) == {(DeliveryState.PENDING, 0)}


def test_a_retry_after_stops_everybody_and_burns_nothing(firm, target):
    target.fault = lambda request: Answer({"error": "slow down"}, 429, {"Retry-After": "30"})
    deliver(firm)
    seen = len(target.times)
    assert seen <= 8  # what was in flight already
    deliver(firm)
    assert len(target.times) == seen
    assert Delivery.objects.filter(attempts__gt=0).count() == 0
    assert not Delivery.objects.filter(state=DeliveryState.DEAD).exists()


def test_two_syncs_of_one_connection_keep_one_rate(firm, target):
    erp = erp_of(firm)
    Connection.objects.filter(pk=erp.pk).update(config={**erp.config, "limits": {"per_second": 60}})
    more = build.sync("erp-more", "out", build.stream(erp, "more"), firm.inbound.entity, build.OUT_RULES)
    stream = more.mapping.stream
    stream.options = {}
    declared = erp.config["declaration"]
    declared["streams"]["more"] = declared["streams"]["jobs"]
    Connection.objects.filter(pk=erp.pk).update(config={"declaration": declared, "limits": {"per_second": 60}})
    first = Run.objects.get(sync=firm.outbound, status="queued")
    second = Run.objects.create(sync=more, trigger="manual")

    def work(run):
        engine.execute(run.pk)
        connections.close_all()

    threads = [threading.Thread(target=work, args=(run,)) for run in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(target.times)
    assert len(times) == 2 * RECORDS
    busiest = max(sum(start <= other < start + 1 for other in times) for start in times)
    assert busiest <= 60 + 60 * 0.25 + 3
    assert times[-1] - times[0] <= 1.25 * len(times) / 60
