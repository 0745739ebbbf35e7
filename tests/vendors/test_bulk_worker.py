"""A real worker is killed while an org works on its upload; the next one asks the job and repeats nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db.models.functions import Now

from connectors.models import PaceShare
from hub.config import services as config
from hub.records.models import CanonicalRecord
from hub.sync import services, sweeper
from hub.sync.models import Batch, Delivery, Run, Sync
from hub.sync.states import ACTIVE, DeliveryState
from tests.worker import eventually, running_worker

from .tools import Org

pytestmark = pytest.mark.django_db(transaction=True)

PRODUCTS = 30


def documents(org: Org) -> list[dict[str, Any]]:
    told = org.simulator.credentials()
    bulk = {"poll_seconds": 0.05, "write_above": 5, "read_above": 10}
    properties = {"code": {"type": "string", "x-key": True}, "name": {"type": "string"}}
    schema = {"type": "object", "required": ["code", "name"], "properties": properties}
    mapping = {"kind": "Mapping", "entity": "person"}
    return [
        {"kind": "System", "slug": "org", "name": "Org"},
        {
            "kind": "Connection",
            "slug": "org",
            "name": "Org",
            "system": "org",
            "catalogue": "salesforce",
            "allowed_networks": ["127.0.0.0/8"],
            "config": {"url": org.url, "client_id": told["client_id"], "bulk": bulk},
            "secrets": {"client_secret": told["client_secret"]},
        },
        {
            "kind": "Stream",
            "slug": "products",
            "connection": "org",
            "name": "Product2",
            "key": ["Id"],
            "cursor": "SystemModstamp",
        },
        {"kind": "Stream", "slug": "contacts", "connection": "org", "name": "Contact", "key": ["Hub_External_Id__c"]},
        {"kind": "Entity", "slug": "person", "name": "Person", "domain": "resource"},
        {"kind": "Contract", "slug": "person", "name": "Person", "entity": "person", "schema": schema},
        {
            **mapping,
            "slug": "in",
            "name": "In",
            "direction": "in",
            "stream": "products",
            "rules": [{"target": "code", "source": "Id"}, {"target": "name", "source": "Name"}],
        },
        {
            **mapping,
            "slug": "out",
            "name": "Out",
            "direction": "out",
            "stream": "contacts",
            "rules": [{"target": "LastName", "source": "name"}],
        },
        {"kind": "Sync", "slug": "in", "name": "In", "mapping": "in"},
        {"kind": "Sync", "slug": "out", "name": "Out", "mapping": "out"},
    ]


@pytest.fixture
def outbound(salesforce: Org, tmp_path: Path, domains: Any) -> Sync:
    """Thirty records of the hub, read by a query job, wait to be delivered."""
    product = salesforce.simulator.tables["Product2"].kind
    for n in range(PRODUCTS - len(salesforce.rows("Product2"))):
        salesforce.simulator.insert(product, {"Name": f"Service {n}", "IsActive": True})
    path = tmp_path / "org.yaml"
    path.write_text(yaml.safe_dump_all(documents(salesforce)))
    config.apply(path)
    run = services.run_here(sync=Sync.objects.get(slug="in"))
    assert (run.created, len(salesforce.calls("/jobs/query$", method="POST"))) == (PRODUCTS, 1)
    return Sync.objects.get(slug="out")


def delivered(org: Org) -> list[str]:
    return sorted(row["Hub_External_Id__c"] for row in org.rows("Contact") if row["Hub_External_Id__c"])


def uploads(org: Org) -> int:
    return len(org.calls("/batches$", method="PUT"))


def test_a_worker_killed_between_upload_and_result_neither_loses_nor_doubles(
    salesforce: Org, outbound: Sync, tmp_path: Path
) -> None:
    salesforce.control.settings(job_steps=1_000_000)
    program = ["-m", "tests.killed_worker", str(tmp_path)]
    with running_worker(tmp_path / "first.log", program=program) as pid:
        eventually(lambda: uploads(salesforce) == 1 and len(salesforce.calls("/jobs/ingest/[^/]+$", method="GET")) > 3)
        kept = Run.objects.filter(sync=outbound).latest("pk").resume
        os.killpg(os.getpgid(pid), signal.SIGKILL)
    assert kept["jobs"]["Contact"]["*"]["facts"]["handle"] in salesforce.simulator.jobs
    assert Batch.objects.filter(sync_id=outbound.pk, status=Batch.Status.SENDING).exists()
    assert delivered(salesforce) == []
    salesforce.control.settings(job_steps=1)
    # the dead worker's lease and its share of the connection, which would lapse by themselves in some minutes
    Run.objects.filter(status__in=ACTIVE).update(lease_until=Now())
    PaceShare.objects.all().delete()

    def is_done() -> bool:
        sweeper.tick()
        return not Delivery.objects.exclude(state=DeliveryState.DELIVERED).exists() and not (
            Run.objects.filter(status__in=ACTIVE).exists()
        )

    with running_worker(tmp_path / "second.log", program=program):
        eventually(is_done, lambda: f"{list(Run.objects.values())}")
    keys = delivered(salesforce)
    assert (len(keys), len(set(keys))) == (PRODUCTS, PRODUCTS)
    assert uploads(salesforce) == 1
    assert Delivery.objects.filter(state=DeliveryState.DELIVERED).count() == PRODUCTS


def test_what_the_org_deletes_is_gone_in_the_hub_without_anybody_saying_how_it_tells(
    salesforce: Org, outbound: Sync
) -> None:
    """The declaration names the field; the next reading asks for changes alone."""
    kind = salesforce.simulator.tables["Product2"].kind
    gone = salesforce.rows("Product2")[0]["Id"]
    salesforce.simulator.delete(kind, gone)
    run = services.run_here(sync=Sync.objects.get(slug="in"))
    assert run.status == "succeeded", run.error
    assert list(CanonicalRecord.objects.filter(deleted_at__isnull=False).values_list("key", flat=True)) == [gone]
