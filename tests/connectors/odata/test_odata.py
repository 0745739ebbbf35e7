"""What the OData protocol promises: descriptions, literals, delta links, groups, links that lead elsewhere."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors import catalog
from connectors.odata.literals import equalities, literal, predicate, split_key
from connectors.odata.metadata import parse_metadata
from connectors.registry import open_connector
from hub.common.errors import ConfigError, RecordError
from hub.common.records import StreamSpec, WriteItem

from .conftest import Service, declared, opened, put, read_all, write

CSDL = b"""<?xml version="1.0"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="firm" Alias="f" xmlns="http://docs.oasis-open.org/odata/ns/edm">
 <EnumType Name="Stage"><Member Name="Open" Value="0"/><Member Name="Closed" Value="1"/></EnumType>
 <EntityType Name="Thing" Abstract="true"><Key><PropertyRef Name="area"/><PropertyRef Name="no"/></Key>
  <Property Name="area" Type="Edm.String" MaxLength="4" Nullable="false"/>
  <Property Name="no" Type="Edm.Int32" Nullable="false"/></EntityType>
 <EntityType Name="Project" BaseType="f.Thing">
  <Property Name="stage" Type="firm.Stage"/><Property Name="value" Type="Edm.Decimal"/>
  <Property Name="tags" Type="Collection(Edm.String)"/><NavigationProperty Name="lines" Type="Collection(f.Thing)"/>
  <Annotation Term="OData.Community.Keys.V1.AlternateKeys"><Collection><Record><PropertyValue Property="Key"><Collection>
   <Record><PropertyValue Property="Name" PropertyPath="value"/></Record></Collection></PropertyValue></Record></Collection>
  </Annotation></EntityType>
 <EntityContainer Name="All"><EntitySet Name="Projects" EntityType="firm.Project">
  <Annotation Term="Org.OData.Capabilities.V1.ChangeTracking"/></EntitySet></EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>"""


def test_a_description_tells_keys_types_lengths_and_choices() -> None:
    entity = parse_metadata(CSDL).sets["Projects"]
    found = {each.name: each for each in entity.properties}
    assert entity.key == ("area", "no")
    assert (found["area"].max_length, found["area"].nullable) == (4, False)
    assert (found["stage"].kind, found["stage"].members) == ("string", ("Open", "Closed"))
    assert [found[name].kind for name in ("no", "value", "tags")] == ["integer", "decimal", "array"]
    assert (entity.navigation, entity.alternate_keys, entity.tracks_changes) == (("lines",), (("value",),), True)


@pytest.mark.parametrize(
    "text",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        b"<x>" * 200 + b"</x>" * 200,
        b"<x><y></x>",
        b"<html/>",
    ],
    ids=["entities", "external", "deep", "broken", "no schema"],
)
def test_xml_that_is_no_plain_description_is_refused(text: bytes) -> None:
    with pytest.raises(ConfigError):
        parse_metadata(text)


@pytest.mark.parametrize(
    ("value", "edm", "written"),
    [
        ("O'Neil", "Edm.String", "'O''Neil'"),
        ("27B9207F-9B0F-5EA9-AD63-CC6D8AE78FF3", "Edm.Guid", "27b9207f-9b0f-5ea9-ad63-cc6d8ae78ff3"),
        ("2026-11-20T12:00:00Z", "Edm.Date", "2026-11-20"),
        ("2026-11-20T12:00:00.123+02:00", "Edm.DateTimeOffset", "2026-11-20T12:00:00.123+02:00"),
        (Decimal("1E+2"), "Edm.Decimal", "100"),
        (True, "Edm.Boolean", "true"),
        ("Yes", "Microsoft.Dynamics.DataEntities.NoYes", "Microsoft.Dynamics.DataEntities.NoYes'Yes'"),
        (None, "Edm.String", "null"),
    ],
)
def test_a_literal_is_written_as_its_type_wants(value: Any, edm: str, written: str) -> None:
    assert literal(value, edm) == written


@pytest.mark.parametrize(("value", "edm"), [("x", "Edm.Guid"), ("NaN", "Edm.Decimal"), ("1 or 1 eq 1", "Edm.Int32")])
def test_a_value_of_another_type_never_gets_into_a_filter(value: str, edm: str) -> None:
    with pytest.raises(RecordError):
        literal(value, edm)


def test_keys_of_several_fields_keep_what_separates_them() -> None:
    fields = {"area": "string", "no": "integer"}
    assert split_key("a||b|1", ("area", "no")) == ["a|b", "1"]
    assert predicate(["a|b", "1"], ("area", "no"), fields) == "area='a|b',no=1"
    assert equalities(["a' or 'x", "1"], ("area", "no"), fields) == "area eq 'a'' or ''x' and no eq 1"
    with pytest.raises(RecordError):
        split_key("a", ("area", "no"))


# --- delta links ---------------------------------------------------------------------------------------------------


def test_a_delta_link_brings_changes_and_removed_entries(dataverse: Service) -> None:
    with opened(dataverse) as connector:
        first = list(connector.read(StreamSpec("accounts", page_size=2), cursor=None))
        dataverse.control.advance(60)
        assert put(connector, "accounts", "C-9", {"name": "New"}).status == "created"
        gone = next(row for row in dataverse.rows("accounts") if row["accountnumber"] == "C-1001")["accountid"]
        assert put(connector, "accounts", "C-1001", {}, "delete", ref=gone).status == "updated"
        again = list(connector.read(StreamSpec("accounts"), cursor=first[-1].cursor))
    records = [record for page in again for record in page.records]
    assert [r.get("accountnumber") for r in records if "@removed" not in r] == ["C-9"]
    assert [(r["accountid"], r["@removed"]) for r in records if "@removed" in r] == [(gone, {"reason": "deleted"})]
    assert "$deltatoken" in (again[-1].cursor or "")
    assert all(page.cursor is None for page in first[:-1])


def test_a_delta_link_that_is_too_old_leads_to_a_reading_of_everything(
    dataverse: Service, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(dataverse) as connector:
        cursor = list(connector.read(StreamSpec("accounts"), cursor=None))[-1].cursor
        dataverse.control.advance(8 * 86_400)
        pages = list(connector.read(StreamSpec("accounts", page_size=2), cursor=cursor))
    assert sum(len(page.records) for page in pages) == len(dataverse.rows("accounts"))
    assert pages[-1].cursor not in (None, cursor)
    assert "everything is read again" in caplog.text


# --- batches -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fixture", "form"), [("bc", "json"), ("finance", "multipart")])
def test_a_group_is_written_whole_or_not_at_all(fixture: str, form: str, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(fixture)
    stream, key, more = {
        "bc": ("customers", "number", {"displayName": "X"}),
        "finance": ("CustomersV3", "CustomerAccount", {"CustomerGroupId": "10", "SalesCurrencyCode": "GBP"}),
    }[fixture]
    declaration = declared(service.simulator.system)
    section = {**declaration.body["streams"][stream]}
    create = {**section["write"]["create"], "batch": {"max": 10, "format": form, "atomic": True}}
    section["write"] = {"create": create}
    body = {**declaration.body, "streams": {stream: section}, "check": {"path": "/x"}}
    given = {**service.simulator.credentials(), **dict.fromkeys(("url", "api_url", "login_url"), service.server.url)}
    given |= {"allowed_networks": ["127.0.0.0/8"]}
    before = len(service.rows(stream))
    items = [WriteItem(f"G-{n}", "create", {key: f"G-{n}", **more}) for n in range(3)]
    spoiled = [*items[:1], replace(items[1], body={**items[1].body, "nonsense": 1}), items[2]]
    with open_connector(declaration=catalog.parse(body), config=given, secrets=given) as connector:
        good = [outcome.status for outcome in write(connector, stream, *items)]
        assert good == ["created"] * 3
        assert len(service.rows(stream)) == before + 3
        others = [replace(i, key=f"H{i.key}", body={**i.body, key: f"H{i.key}"}) for i in spoiled]
        failed = write(connector, stream, *others)
    bad = next(o for o in failed if o.key == "HG-1")
    assert bad.status == "failed"
    assert bad.error is not None
    assert bad.error.code == "VALIDATION"
    written = {o.key for o in failed if o.status == "created"}
    assert {row[key] for row in service.rows(stream)} & {"HG-0", "HG-1", "HG-2"} == written


# --- elsewhere -----------------------------------------------------------------------------------------------------


class _Luring(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"value": [{"id": "1"}], "@odata.nextLink": "http://elsewhere.example/next"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def luring() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Luring)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_next_link_to_another_host_gets_no_credentials(luring: str) -> None:
    body = {**declared("odata").body, "streams": {"things": {"entity_set": "things", "key": "id"}}}
    given = {"url": luring, "sign_in": "bearer", "token": "t", "allowed_networks": ["127.0.0.0/8"]}
    connector = open_connector(declaration=catalog.parse(body), config=given, secrets=given)
    with connector, pytest.raises(ConfigError) as caught:
        read_all(connector, "things")
    assert caught.value.code == "STRANGE_HOST"


def test_any_service_is_read_by_its_own_description(finance: Service) -> None:
    url = finance.server.url
    given = {
        **finance.simulator.credentials(), "url": f"{url}/data", "sign_in": "client_credentials", "scope": f"{url}/.default",
        "token_url": f"{url}/harrowvale/oauth2/v2.0/token", "allowed_networks": ["127.0.0.0/8"],
    }  # fmt: skip
    with open_connector(declaration=declared("odata"), config=given, secrets=given) as connector:
        found = {info.name: info for info in connector.discover()}
        records = read_all(connector, "ProjectsV2")
    ready = next(each for each in found["ProjectsV2"].fields if each.path == "IsReadyForInvoicing")
    assert tuple(found["ProjectsV2"].key) == ("dataAreaId", "ProjectID")
    assert tuple(ready.options) == ("No", "Yes")
    assert records
    assert all(isinstance(record["TotalEffortInHours"], str) for record in records)


# --- subscriptions -------------------------------------------------------------------------------------------------


class _Receiver(http.server.BaseHTTPRequestHandler):
    seen: list[bytes] = []

    def do_POST(self) -> None:
        self.seen.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        token = self.path.partition("validationToken=")[2].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(token)))
        self.end_headers()
        self.wfile.write(token)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


def test_a_subscription_shakes_hands_and_then_tells_of_changes(bc: Service) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    body = {"notificationUrl": f"http://127.0.0.1:{server.server_port}/hook", "resource": "/api/v2.0/customers"}
    try:
        with opened(bc) as connector:
            first = put(connector, "subscriptions", "/api/v2.0/customers", {**body, "clientState": "s"})
            renewed = put(connector, "subscriptions", "/api/v2.0/customers", {"clientState": "s2"})
            put(connector, "customers", "C-9", {"number": "C-9", "displayName": "X"})
        assert bc.control.call("POST", "deliver", {}) == []
        bc.control.advance(31)
        sent = bc.control.call("POST", "deliver", {})
    finally:
        server.shutdown()
        server.server_close()
    assert (first.status, renewed.status, first.ref) == ("created", "updated", renewed.ref)
    assert [entry["status"] for entry in sent] == [200]
    assert b'"clientState": "s2"' in _Receiver.seen[-1]
