"""Tryton, a real ERP, over JSON-RPC: its parties, projects and hours arrive, a party and a project go back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from connectors.models import Connection
from connectors.services import check_connection, discover, open_connection
from hub.common.records import StreamSpec
from hub.config import services as config
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync import services
from hub.sync.models import Delivery, Sync
from hub.sync.states import DeliveryState
from tests import memory
from tests.peers import tryton

pytestmark = [
    pytest.mark.peer,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not tryton.is_installed(), reason="not run: Tryton is not installed (.ci/install-peers)"),
]
DOCUMENTS = Path(__file__).with_name("tryton_documents.yaml")


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with tryton.running_tryton(tmp_path_factory.mktemp("tryton")) as found:
        yield found


@pytest.fixture
def connection(address, domains, tmp_path) -> Connection:
    path = tmp_path / "tryton.yaml"
    text = DOCUMENTS.read_text().replace("${address}", address).replace("${database}", tryton.DATABASE)
    path.write_text(text.replace("${password}", tryton.PASSWORD))
    assert list(yaml.safe_load_all(path.read_text()))
    config.apply(path)
    return Connection.objects.get(slug="tryton")


def run(slug: str):
    done = services.run_here(sync=Sync.objects.get(slug=slug))
    assert done.error == ""
    return done


def open_deliveries():
    """What is still on its way, waits or is unsure, with its error."""
    done = Delivery.objects.exclude(state=DeliveryState.DELIVERED)
    return done.values_list("sync__slug", "record__key", "state", "error_code", "error_detail")


def test_the_test_of_the_connection_says_who_one_is_signed_in_as(connection):
    steps = check_connection(connection)
    assert [(s.name, s.ok) for s in steps] == [(n, True) for n in ("resolve", "connect", "authenticate", "read")]
    assert "Ines Hartmann" in steps[2].detail


def test_a_wrong_password_is_refused_in_a_sentence(connection):
    connection.secrets = {"password": "wrong"}
    steps = check_connection(connection)
    assert not steps[-1].ok
    assert steps[-1].name == "authenticate"


def test_object_types_are_discovered_with_fields(connection):
    assert {info.name for info in discover(connection)} == {"parties", "works", "timesheet_lines"}


def test_parties_projects_and_hours_arrive_as_canonical_records(connection):
    assert run("tryton-parties").created == 12  # eight clients, the firm itself, three employees
    assert run("tryton-projects").created == 12  # four projects with two tasks each
    hours = run("tryton-hours")
    assert (hours.created, hours.waiting, hours.rejected) == (24, 0, 0)
    project = CanonicalRecord.objects.get(entity__slug="t_project", body__name="Engagement 001")
    assert project.customer == "C-0001"
    entry = CanonicalRecord.objects.filter(entity__slug="t_hours").order_by("key").first()
    assert entry.body["hours"] in {"6.00", "6.50", "7.00"}
    assert entry.body["date"].startswith("2026-11-0")
    assert entry.project == project.key


def test_reading_again_changes_nothing(connection):
    run("tryton-parties")
    again = run("tryton-parties")
    assert (again.created, again.updated) == (0, 0)


def test_a_party_and_its_project_are_written_back_once(connection, address):
    run("tryton-parties")
    run("tryton-projects")
    own = Connection.objects.get(slug="own-crm")

    memory.SYSTEMS[own.config["name"]] = memory.MemorySystem()
    memory.system("own-crm").sources = {
        "customers": [{"id": "1", "code": "H-0001", "name": "Höhenzug & Söhne 🚀"}],
        "projects": [{"id": "p1", "code": "H-P1", "name": "H-P1", "customer": "H-0001"}],
    }
    run("own-customers")
    run("own-projects")
    for _ in range(2):
        assert run("tryton-parties-out").failed == 0
        assert run("tryton-projects-out").failed == 0
    assert not list(open_deliveries()), "every write was answered"
    with open_connection(connection) as connector:
        parties = connector.find(StreamSpec("parties", key=("code",)), ["H-0001"])
        works = [w for page in connector.read(StreamSpec("works", key=("id",)), cursor=None) for w in page.records]
    assert parties["H-0001"]["name"] == "Höhenzug & Söhne 🚀"
    assert len(works) == 13, "what Tryton showed is not made there again"
    mine = [w for w in works if w["name"] == "H-P1"]
    assert len(mine) == 1
    assert mine[0]["party"]["code"] == "H-0001"
    assert Crosswalk.objects.filter(stream__slug="tryton-works", record__key="H-P1").exists()
