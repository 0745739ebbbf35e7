"""SOAP: messages by the WSDL, sign-in in the message, faults by their words, and XML that means harm."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from connectors import catalog
from connectors.base import Connector
from connectors.registry import open_connector
from connectors.soap import contract
from hub.common.errors import AuthError, ConfigError, HubError, RecordError, TransientError, UnknownOutcome
from hub.common.records import StreamSpec
from tests.connectors.benches import soap_declaration
from tests.connectors.tools import LOOPBACK, item, read_all, read_pages
from tests.fakes.http import Answer, FakeServer, Request, serve
from tests.fakes.soap import CUSTOMER, NS, PASSWORD, FakeRegister, envelope_of, refusal, wsdl

CUSTOMERS = StreamSpec("customers", key=("code",), page_size=2)


@pytest.fixture
def register() -> FakeRegister:
    return FakeRegister()


@pytest.fixture
def server(register: FakeRegister) -> Iterator[FakeServer]:
    contract._read.clear()
    with serve(register) as running:
        register.url = running.url
        yield running


def soap(
    server: FakeServer, *, password: str = PASSWORD, stream: dict[str, Any] | None = None, **more: Any
) -> Connector:
    """A connector to the register; `stream` changes the stream, the rest goes over the top level."""
    body = soap_declaration(server.url, **more)
    body["streams"]["customers"] |= stream or {}
    config = {"allowed_networks": LOOPBACK}
    return open_connector(declaration=catalog.parse(body), config=config, secrets={"token": password})


def signed(kind: str, **more: Any) -> dict[str, Any]:
    security = {"username": "ann", "password": "${secret.token}", "password_type": kind, **more}
    return {"soap": {"wsdl": "/?wsdl", "security": security}, "auth": {"type": "none"}}


# --- messages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_both_versions_of_soap_are_read_and_written(server, register, version):
    for number in range(5):
        register.put(f"C{number}", name=f"name {number}")
    with soap(server, soap={"wsdl": "/?wsdl", "version": version}) as connector:
        assert [record["code"] for record in read_all(connector, CUSTOMERS)] == ["C0", "C1", "C2", "C3", "C4"]
        outcomes = [connector.write(CUSTOMERS, [item("N1", {"code": "N1", "name": "new"})])[0] for _ in range(2)]
    assert [outcome.status for outcome in outcomes] == ["created", "updated"]
    assert register.rows["N1"]["name"] == "new"


def test_a_version_that_the_service_does_not_speak_is_named(server, register):
    register.fault = lambda request: Answer(wsdl(server.url).replace("wsdl/soap12/", "wsdl/other/").encode())
    with soap(server, soap={"wsdl": "/?wsdl", "version": "1.2"}) as connector, pytest.raises(ConfigError) as caught:
        read_all(connector, CUSTOMERS)
    assert "does not speak SOAP 1.2" in str(caught.value)


def test_values_have_the_types_of_the_wsdl_and_one_of_many_is_a_list(server, register):
    register.put("007", name="a", active="1", amount="0010.10", reference=[("vat", "GB 1")])
    with soap(server) as connector:
        (record,) = read_all(connector, CUSTOMERS)
    assert record == {
        "code": "007", "name": "a", "active": True, "amount": "0010.10", "reference": [{"@kind": "vat", "#text": "GB 1"}],
    }  # fmt: skip


def test_elements_that_an_attribute_tells_apart_are_an_object_by_it(server, register):
    register.put("C1", reference=[("vat", "GB 1"), ("duns", "99")])
    register.put("C2", reference=[("vat", "GB 1"), ("vat", "GB 2")])
    with soap(server, soap={"wsdl": "/?wsdl", "keyed_by": {"reference": "kind"}}) as connector:
        first, second = read_all(connector, CUSTOMERS)
        connector.write(CUSTOMERS, [item("C3", {"code": "C3", "reference": {"vat": "GB 3"}})])
    assert first["reference"] == {"vat": "GB 1", "duns": "99"}
    assert len(second["reference"]) == 2
    sent = register.messages[-1].find(f".//{{{NS}}}reference")
    assert (sent.get("kind"), sent.text) == ("vat", "GB 3")


def test_null_is_sent_as_nil_where_the_wsdl_allows_it(server, register):
    with soap(server) as connector:
        connector.write(CUSTOMERS, [item("C1", {"code": "C1", "name": None})])
    sent = register.messages[-1].find(f".//{{{NS}}}name")
    assert sent.get("{http://www.w3.org/2001/XMLSchema-instance}nil") == "true"


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"code": "C1", "colour": "red"}, "customer.colour", "knows no element 'colour'"),
        ({"name": "no code"}, "", "Missing element code"),
        ({"code": "C1", "@x": "1"}, "customer.@x", "knows no attribute 'x'"),
    ],
)
def test_a_record_that_does_not_fit_the_wsdl_is_not_sent(server, register, body, field, words):
    with soap(server) as connector:
        outcome = connector.write(CUSTOMERS, [item("C1", body)])[0]
    assert outcome.status == "failed"
    assert isinstance(outcome.error, RecordError)
    assert (words in str(outcome.error), register.rows) == (True, {})
    assert field in outcome.error.field


def test_the_first_answer_tells_all_later_pages_which_moment_they_show(server, register):
    for number in range(5):
        register.put(f"C{number}")
    paging = {
        "type": "page",
        "page_param": "page",
        "size_param": "count",
        "pages_path": "pages",
        "keep": {"at": "as_of"},
    }
    with soap(server, stream={"paging": paging, "request": {"as_of": "${kept.at}"}}) as connector:
        pages = read_pages(connector, CUSTOMERS)
        sent = [message.findtext(f".//{{{NS}}}as_of") for message in register.messages]
        register.messages.clear()
        rest = list(connector.read(CUSTOMERS, cursor=None, resume=pages[0].resume))
    assert sent == [None, "moment-1", "moment-1"]
    assert [message.findtext(f".//{{{NS}}}as_of") for message in register.messages] == ["moment-1", "moment-1"]
    assert len(rest) == 2


def test_the_first_answer_may_tell_where_the_next_reading_starts(server, register):
    for number in range(3):
        register.put(f"C{number}", changed="z")
    stream = {"incremental": {"answer_cursor": "as_of", "format": "text", "request": {"since": "${cursor}"}}}
    with soap(server, stream=stream) as connector:
        assert [page.cursor for page in read_pages(connector, CUSTOMERS)] == ["moment-1", "moment-1"]
        read_all(connector, CUSTOMERS, "moment-1")
    assert register.messages[-1].findtext(f".//{{{NS}}}since") == "moment-1"


# --- sign-in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text", "digest"])
def test_messages_are_signed_with_a_token_of_their_own(server, register, kind):
    register.security = kind
    register.put("C1")
    register.put("C2")
    register.put("C3")
    with soap(server, **signed(kind, timestamp=True, lifetime_seconds=60)) as connector:
        assert len(read_all(connector, CUSTOMERS)) == 3
    stamps = [element for element in register.messages[-1].iter() if element.tag.endswith("}Timestamp")]
    created, expires = [datetime.fromisoformat(str(part.text)) for part in stamps[0]]
    assert (expires - created).total_seconds() == 60
    assert len(register.nonces) == (2 if kind == "digest" else 0)


@pytest.mark.parametrize("kind", ["text", "digest"])
def test_a_wrong_password_is_refused_with_a_sentence(server, register, kind):
    register.security = kind
    with soap(server, password="wrong password", **signed(kind)) as connector:
        last = list(connector.check())[-1]
        with pytest.raises(AuthError) as caught:
            read_all(connector, CUSTOMERS)
    assert (last.name, last.ok, last.cause) == ("authenticate", False, "invalid username or password")
    assert "Check user, password" in str(caught.value)
    assert "wrong password" not in f"{last}{caught.value}"


# --- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_fault_hits_the_record_that_it_is_about(server, register, version):
    errors = {"field": "fault.detail.Invalid.Path", "message": "fault.string"}
    with soap(server, soap={"wsdl": "/?wsdl", "version": version}, errors=errors) as connector:
        bodies = [item(key, {"code": key, "name": name}) for key, name in (("A", "a"), ("B", "bad"), ("C", "c"))]
        outcomes = connector.write(CUSTOMERS, bodies)
    assert [outcome.status for outcome in outcomes] == ["created", "failed", "created"]
    error = outcomes[1].error
    assert isinstance(error, RecordError)
    assert (error.field, "The name is bad." in str(error)) == ("customer.name", True)
    assert sorted(register.rows) == ["A", "C"]


@pytest.mark.parametrize(
    ("code", "reading", "writing"),
    [
        ("Server.processing", TransientError, UnknownOutcome),
        ("Client.other", ConfigError, RecordError),
        ("MustUnderstand", HubError, HubError),
        ("Client.busy", TransientError, TransientError),
    ],
)
def test_what_a_fault_means_follows_from_its_code_or_a_rule(server, register, code, reading, writing):
    register.fault = lambda request: refusal("1.1", code, "No.") if request.method == "POST" else None
    write = {"upsert": {"operation": "put_customer", "request": {"customer": "${body}"}, "ref": "code"}}
    rules = {"rules": [{"code": "busy", "as": "throttled", "retry_after_seconds": 9}]}
    with soap(server, errors=rules, stream={"write": write}) as connector:
        with pytest.raises(reading):
            read_all(connector, CUSTOMERS)
        error = connector.write(CUSTOMERS, [item("A", {"code": "A"})])[0].error
    assert isinstance(error, writing)


@pytest.mark.parametrize("status", [429, 503])
def test_a_service_that_asks_for_patience_gets_it(server, register, status):
    def busy(request: Request) -> Answer | None:
        return (
            refusal("1.1", "Server", "Busy.", status=status, **{"Retry-After": "7"})
            if request.method == "POST"
            else None
        )

    register.fault = busy
    with soap(server) as connector, pytest.raises(TransientError) as caught:
        read_all(connector, CUSTOMERS)
    assert (caught.value.retry_after, caught.value.code) == (7, "THROTTLED")


def test_a_fault_with_a_good_status_is_a_fault(server, register):
    register.fault = lambda request: refusal("1.1", "Client", "No.", status=200) if request.method == "POST" else None
    with soap(server) as connector:
        assert connector.write(CUSTOMERS, [item("A", {"code": "A"})])[0].status == "failed"


def test_an_answer_may_say_inside_that_it_is_a_refusal(server, register):
    register.put("C1")
    errors = {"failed_when": [{"path": "pages", "equals": 1}], "rules": [{"status": 200, "as": "locked"}]}
    with soap(server, errors=errors) as connector, pytest.raises(TransientError) as caught:
        read_all(connector, CUSTOMERS)
    assert caught.value.code == "LOCKED"


# --- hostile answers -----------------------------------------------------------------------------------------------

BOMB = "<!DOCTYPE b [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {new} '{f'&{old};' * 10}'>" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "bomb": f"{BOMB}]><x>&i;</x>",
    "file": "<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><x>&f;</x>",
    "network": "<!DOCTYPE x SYSTEM 'http://127.0.0.1:1/x.dtd'><x/>",
    "parameter": "<!DOCTYPE x [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]><x/>",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_answer_with_a_document_type_is_not_read(server, register, name, encoding):
    body = f"<?xml version='1.0' encoding='{encoding}'?>{HOSTILE[name]}".encode(encoding)
    kind = {"Content-Type": "text/xml"}
    register.fault = lambda request: Answer(body, headers=kind) if request.method == "POST" else None
    with soap(server) as connector:
        with pytest.raises(TransientError, match="document type"):
            read_all(connector, CUSTOMERS)
        outcome = connector.write(CUSTOMERS, [item("A", {"code": "A"})])[0]
    assert outcome.status == "unsure"
    assert "root:" not in str(outcome)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_wsdl_with_a_document_type_is_not_read(server, register, name):
    register.fault = lambda request: Answer(HOSTILE[name].encode())
    with soap(server) as connector, pytest.raises(ConfigError, match="document type"):
        read_all(connector, CUSTOMERS)


def test_very_deep_xml_is_not_read(server, register):
    deep = envelope_of("1.1", "<a>" * 5_000 + "</a>" * 5_000)
    register.fault = lambda request: deep if request.method == "POST" else None
    with soap(server) as connector, pytest.raises(TransientError, match="no XML"):
        read_all(connector, CUSTOMERS)


@pytest.mark.parametrize("body", [b"", b"<x", b"no xml at all", b"<x/>", b"\xff\xfe\x00"])
def test_what_is_no_envelope_proves_nothing(server, register, body):
    register.fault = lambda request: (
        Answer(body, headers={"Content-Type": "text/xml"}) if request.method == "POST" else None
    )
    write = {"upsert": {"operation": "put_customer", "request": {"customer": "${body}"}, "ref": "code"}}
    with soap(server, stream={"write": write}) as connector:
        with pytest.raises(TransientError):
            read_all(connector, CUSTOMERS)
        assert connector.write(CUSTOMERS, [item("A", {"code": "A"})])[0].status == "unsure"


# --- the WSDL ------------------------------------------------------------------------------------------------------


def importing(address: str) -> str:
    return f"<xsd:import namespace='urn:types' schemaLocation='{address}'/>"


def test_schemas_of_the_same_host_are_fetched(server, register):
    types = "<xsd:schema xmlns:xsd='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:types'/>"

    def answer(request: Request) -> Answer | None:
        if request.path == "/types.xsd":
            return Answer(types.encode())
        return Answer(wsdl(server.url, more=importing("types.xsd")).encode()) if request.method == "GET" else None

    register.fault = answer
    register.put("C1")
    with soap(server) as connector:
        assert len(read_all(connector, CUSTOMERS)) == 1
    assert [r.path for r in server.requests if r.method == "GET"] == ["/", "/types.xsd"]


@pytest.mark.parametrize(
    "address", ["http://localhost:{port}/types.xsd", "http://10.0.0.1/x.xsd", "file:///etc/passwd", "/etc/passwd"]
)
def test_nothing_is_fetched_from_elsewhere(server, register, address):
    port = server.url.rpartition(":")[2]
    register.fault = lambda request: Answer(wsdl(server.url, more=importing(address.format(port=port))).encode())
    with soap(server) as connector, pytest.raises(HubError) as caught:
        read_all(connector, CUSTOMERS)
    assert not [request for request in server.requests if request.path == "/types.xsd"]
    assert "root:" not in str(caught.value)


def test_a_redirect_of_the_wsdl_is_not_followed(server, register):
    register.fault = lambda request: Answer("", 302, {"Location": "http://127.0.0.1:1/other"})
    with soap(server) as connector, pytest.raises(ConfigError, match="elsewhere"):
        read_all(connector, CUSTOMERS)


def test_a_wsdl_kept_in_the_connection_needs_no_network(server, register):
    register.put("C1")
    generic = catalog.load_file(catalog.SHIPPED / "soap.yaml")
    config = {"url": server.url, "wsdl_text": wsdl(server.url), "basic_user": "ann", "allowed_networks": LOOPBACK}
    with open_connector(declaration=generic, config=config, secrets={"basic_password": PASSWORD}) as connector:
        steps = list(connector.check())
        found = {info.name: info for info in connector.discover()}
        records = read_all(connector, StreamSpec("list_customers", key=("code",)))
    assert all(step.ok for step in steps), steps
    assert [record["code"] for record in records] == ["C1"]
    assert {field.path: field.type for field in found["list_customers"].fields} == {
        "code": "string", "name": "string", "active": "boolean", "amount": "decimal", "changed": "string",
        "reference": "array",
    }  # fmt: skip
    assert (found["list_customers"].readable, found["put_customer"].readable) == (True, False)
    assert {request.method for request in server.requests} == {"POST"}


def test_an_operation_that_does_not_exist_is_named(server):
    with soap(server, stream={"operation": "list_custmers"}) as connector, pytest.raises(ConfigError) as caught:
        read_all(connector, CUSTOMERS)
    assert "Did you mean `list_customers`?" in str(caught.value)


def test_a_file_is_only_read_beside_a_declaration_that_is_a_file(server):
    with soap(server, soap={"wsdl": "passwd.xml"}) as connector, pytest.raises(ConfigError, match="beside it"):
        read_all(connector, CUSTOMERS)


def test_the_fields_of_a_stream_are_those_of_the_wsdl(server):
    with soap(server) as connector:
        (info,) = connector.discover()
    assert [field.path for field in info.fields] == ["code", "name", "active", "amount", "changed", "reference"]
    assert CUSTOMER
