"""The packet: stored payloads once through what is live and once through what is proposed."""

from __future__ import annotations

import pytest

from governance.changes import packets, services
from governance.models import ChangePacket, ReviewGroup, ReviewPolicy
from hub.common.registry import kind
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db


@pytest.fixture
def firm(domains):
    firm = worlds.make()
    firm.read(*(build.project_row(number) for number in range(1, 11)), build.project_row(11, currency="euro"))
    group = ReviewGroup.objects.create(slug="pmo", name="PMO", members=["grace@example.com"])
    ReviewPolicy.objects.create(slug="all", name="All", group=group)
    return firm


def packet_of(document, by):
    change = services.open_change([document], by=by)
    asked = packets.ask(change, by=by)
    packets.make(asked.pk)
    asked.refresh_from_db()
    return asked


def contract_with(**fields):
    document = kind("Contract").dump("project")
    schema = document["schema"]
    return document | {"schema": schema | {"properties": schema["properties"] | fields}}


def inbound(packet):
    return next(part for part in packet.result if part["mapping"] == "psa-projects")


def test_a_contract_that_refuses_more_names_who_would_fail(firm, ada):
    name = kind("Contract").dump("project")["schema"]["properties"]["name"]
    packet = packet_of(contract_with(name=name | {"maxLength": 3}), ada)
    part = inbound(packet)
    assert (packet.state, packet.done, packet.total) == ("done", 11, 11)
    assert (part["tried"], part["newly_failing"], part["failing"]) == (11, 10, 1)
    assert part["examples"][0]["what"] == "newly_failing"
    assert "longer than 3 characters" in part["examples"][0]["sentence"]


def test_a_contract_that_takes_more_names_who_would_pass(firm, ada):
    packet = packet_of(contract_with(currency={"type": "string"}), ada)
    assert inbound(packet)["newly_fixed"] == 1


def test_a_mapping_that_maps_otherwise_shows_the_fields(firm, ada):
    document = kind("Mapping").dump("psa-projects")
    rules = [
        {"target": "name", "kind": "constant", "value": "Same"} if rule["target"] == "name" else rule
        for rule in document["rules"]
    ]
    part = inbound(packet_of(document | {"rules": rules}, ada))
    assert (part["changed"], part["failing"], part["fields"]) == (10, 1, [["name", 10]])
    assert part["examples"][0]["fields"][0][0] == "name"


def test_nothing_of_the_change_is_left_behind(firm, ada):
    before = kind("Contract").dump("project")
    packet_of(contract_with(currency={"type": "string"}), ada)
    assert kind("Contract").dump("project") == before


def test_a_change_of_words_touches_no_payload(firm, ada):
    document = kind("Contract").dump("project") | {"name": "Projects"}
    assert packet_of(document, ada).result == []


def test_an_edit_asks_for_another_packet(firm, ada):
    change = services.open_change([contract_with(currency={"type": "string"})], by=ada)
    packets.make(packets.ask(change, by=ada).pk)
    assert packets.latest(change).state == ChangePacket.State.DONE
    change = services.edit_change(change, [contract_with(currency={"type": "string", "title": "Coin"})], by=ada)
    assert packets.latest(change) is None


def test_the_page_shows_the_packet_and_its_progress(firm, ada, browse):
    change = services.open_change([contract_with(currency={"type": "string"})], by=ada)
    client, url = browse(ada), change.get_absolute_url()
    assert "Try them" in client.get(url).content.decode()
    client.post(f"{url}act/", {"act": "packet"})
    packet = packets.latest(change)
    assert "Waits for a worker" in client.get(f"{url}packet/").content.decode()
    packet.state, packet.done, packet.total = "running", 5, 11
    packet.save()
    assert "5 of 11 payloads" in client.get(f"{url}packet/").content.decode()
    packet.state = "queued"
    packet.save()
    packets.make(packet.pk)
    assert "1 newly fixed" in client.get(f"{url}packet/").content.decode()


def test_a_packet_that_cannot_be_made_says_why(firm, ada, monkeypatch):
    def broken(*_):
        raise RuntimeError("boom")

    monkeypatch.setattr(packets, "_makers", [broken])
    packet = packet_of(contract_with(currency={"type": "string"}), ada)
    assert (packet.state, "log of the worker" in packet.problem) == ("failed", True)
