"""A small customer register behind SOAP 1.1 and 1.2, made of text: it shares no library with the connector."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.fakes.http import Answer, Request

PASSWORD = "s3cret-token"
NS = "urn:fake:register"
ENVELOPES = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
_SECEXT = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
_UTILITY = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}"
CUSTOMER = """
    <xsd:complexType name="Customer"><xsd:sequence>
      <xsd:element name="code" type="xsd:string"/>
      <xsd:element name="name" type="xsd:string" nillable="true" minOccurs="0"/>
      <xsd:element name="active" type="xsd:boolean" minOccurs="0"/>
      <xsd:element name="amount" type="xsd:decimal" minOccurs="0"/>
      <xsd:element name="changed" type="xsd:string" minOccurs="0"/>
      <xsd:element name="reference" minOccurs="0" maxOccurs="unbounded"><xsd:complexType><xsd:simpleContent>
        <xsd:extension base="xsd:string"><xsd:attribute name="kind" type="xsd:string"/></xsd:extension>
      </xsd:simpleContent></xsd:complexType></xsd:element>
    </xsd:sequence></xsd:complexType>"""


def wsdl(url: str, types: str = CUSTOMER, more: str = "") -> str:
    """The WSDL of the register; `types` may hold something hostile in place of the type of a customer."""
    parts = {"list_customers": ("ListRequest", "ListAnswer"), "put_customer": ("PutRequest", "PutAnswer")}
    parts |= {"who_am_i": ("WhoRequest", "WhoAnswer")}
    messages = "".join(
        f'<message name="{name}"><part name="body" element="r:{name}"/></message>'
        for pair in parts.values() for name in pair
    )  # fmt: skip
    kinds = "".join(
        f'<operation name="{name}"><input message="r:{asked}"/><output message="r:{told}"/></operation>'
        for name, (asked, told) in parts.items()
    )
    bindings = "".join(
        f'<binding name="{prefix}" type="r:Register">'
        f'<{prefix}:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>'
        + "".join(
            f'<operation name="{name}"><{prefix}:operation soapAction="{NS}/{name}"/>'
            f'<input><{prefix}:body use="literal"/></input><output><{prefix}:body use="literal"/></output></operation>'
            for name in parts
        )
        + "</binding>"
        for prefix in ("soap", "soap12")
    )
    return f"""<?xml version="1.0"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:r="{NS}"
  targetNamespace="{NS}" name="Register">
  <types><xsd:schema targetNamespace="{NS}" elementFormDefault="qualified">{more}{types}
    <xsd:element name="ListRequest"><xsd:complexType><xsd:sequence>
      <xsd:element name="page" type="xsd:int" minOccurs="0"/><xsd:element name="count" type="xsd:int" minOccurs="0"/>
      <xsd:element name="since" type="xsd:string" minOccurs="0"/><xsd:element name="code" type="xsd:string" minOccurs="0"/>
      <xsd:element name="as_of" type="xsd:string" minOccurs="0"/>
    </xsd:sequence></xsd:complexType></xsd:element>
    <xsd:element name="ListAnswer"><xsd:complexType><xsd:sequence>
      <xsd:element name="pages" type="xsd:int"/><xsd:element name="as_of" type="xsd:string" minOccurs="0"/>
      <xsd:element name="customers" minOccurs="0"><xsd:complexType><xsd:sequence>
        <xsd:element name="customer" type="r:Customer" minOccurs="0" maxOccurs="unbounded"/>
      </xsd:sequence></xsd:complexType></xsd:element>
    </xsd:sequence></xsd:complexType></xsd:element>
    <xsd:element name="PutRequest"><xsd:complexType><xsd:sequence>
      <xsd:element name="customer" type="r:Customer"/></xsd:sequence></xsd:complexType></xsd:element>
    <xsd:element name="PutAnswer"><xsd:complexType><xsd:sequence>
      <xsd:element name="code" type="xsd:string"/><xsd:element name="created" type="xsd:boolean"/>
    </xsd:sequence></xsd:complexType></xsd:element>
    <xsd:element name="WhoRequest"><xsd:complexType/></xsd:element>
    <xsd:element name="WhoAnswer"><xsd:complexType><xsd:sequence>
      <xsd:element name="name" type="xsd:string" minOccurs="0"/></xsd:sequence></xsd:complexType></xsd:element>
  </xsd:schema></types>{messages}
  <portType name="Register">{kinds}</portType>{bindings}
  <service name="Register">
    <port name="Eleven" binding="r:soap"><soap:address location="{url}"/></port>
    <port name="Twelve" binding="r:soap12"><soap12:address location="{url}"/></port>
  </service>
</definitions>"""


@dataclass
class FakeRegister:
    """`rows` is the oracle: code -> {name, changed, …}. `security` is the sign-in it asks for: basic, text or digest."""

    security: str = "basic"
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    fault: Callable[[Request], Answer | None] | None = None
    url: str = ""
    nonces: set[str] = field(default_factory=set)
    messages: list[ElementTree.Element] = field(default_factory=list)

    def put(self, code: str, **fields: Any) -> None:
        self.rows[code] = {**self.rows.get(code, {}), **fields}

    def __call__(self, request: Request) -> Answer:
        if self.fault and (answer := self.fault(request)):
            return answer
        if request.method == "GET":
            return Answer(wsdl(self.url).encode(), headers={"Content-Type": "text/xml"})
        envelope = ElementTree.fromstring(request.body)
        version = next(version for version, ns in ENVELOPES.items() if envelope.tag == f"{{{ns}}}Envelope")
        kind = {"1.1": "text/xml", "1.2": "application/soap+xml"}[version]
        assert request.headers["content-type"].startswith(kind)
        self.messages.append(envelope)
        if not self._is_known(request, envelope):
            return refusal(version, "FailedAuthentication", "invalid username or password")
        body = envelope.find(f"{{{ENVELOPES[version]}}}Body")
        assert body is not None
        return getattr(self, body[0].tag.removeprefix(f"{{{NS}}}"))(version, _values(body[0]))

    def _is_known(self, request: Request, envelope: ElementTree.Element) -> bool:
        if self.security == "basic":
            return (
                request.headers.get("authorization") == "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
            )
        token = envelope.find(f".//{_SECEXT}UsernameToken")
        if token is None or token.findtext(f"{_SECEXT}Username") != "ann":
            return False
        password = token.find(f"{_SECEXT}Password")
        assert password is not None
        if self.security == "text":
            return str(password.get("Type")).endswith("#PasswordText") and password.text == PASSWORD
        nonce, created = token.findtext(f"{_SECEXT}Nonce", ""), token.findtext(f"{_UTILITY}Created", "")
        wanted = hashlib.sha1(base64.b64decode(nonce) + created.encode() + PASSWORD.encode()).digest()
        is_fresh = nonce not in self.nonces
        self.nonces.add(nonce)
        is_digest = str(password.get("Type")).endswith("#PasswordDigest")
        return is_digest and is_fresh and password.text == base64.b64encode(wanted).decode()

    # the operations

    def WhoRequest(self, version: str, asked: dict[str, str]) -> Answer:
        return envelope_of(version, f"<WhoAnswer xmlns='{NS}'><name>Ann</name></WhoAnswer>")

    def ListRequest(self, version: str, asked: dict[str, str]) -> Answer:
        rows = sorted(self.rows.items())
        if "since" in asked:
            rows = [(code, row) for code, row in rows if row.get("changed", "") >= asked["since"]]
        if "code" in asked:
            rows = [(code, row) for code, row in rows if code == asked["code"]]
        page, count = int(asked.get("page", 1)), int(asked.get("count", 100))
        shown = "".join(self._customer(code, row) for code, row in rows[(page - 1) * count : page * count])
        inner = f"<customers>{shown}</customers>" if shown else ""
        pages = -(-len(rows) // count)
        as_of = asked.get("as_of", f"moment-{len(self.messages)}")
        return envelope_of(
            version, f"<ListAnswer xmlns='{NS}'><pages>{pages}</pages><as_of>{as_of}</as_of>{inner}</ListAnswer>"
        )

    def _customer(self, code: str, row: dict[str, Any]) -> str:
        references = "".join(f"<reference kind='{kind}'>{ref}</reference>" for kind, ref in row.get("reference", ()))
        simple = {name: value for name, value in row.items() if name != "reference" and value is not None}
        fields = "".join(
            f"<{name}>{escape(str(value))}</{name}>" for name, value in simple.items() if name != "changed"
        )
        changed = f"<changed>{row['changed']}</changed>" if row.get("changed") else ""
        return f"<customer><code>{escape(code)}</code>{fields}{changed}{references}</customer>"

    def PutRequest(self, version: str, asked: dict[str, str]) -> Answer:
        if asked.get("name") == "bad":
            place = "/e:Envelope/e:Body/r:PutRequest/r:customer[1]/r:name"
            detail = f"<v:Invalid xmlns:v='{NS}'><v:Path>{place}</v:Path></v:Invalid>"
            return refusal(version, "Client.validationError", "The name is bad.", detail)
        created = "0" if asked["code"] in self.rows else "1"
        self.put(asked["code"], name=asked.get("name"), changed="2026-06-01T00:00:00Z")
        told = f"<code>{escape(asked['code'])}</code><created>{created}</created>"
        return envelope_of(version, f"<PutAnswer xmlns='{NS}'>{told}</PutAnswer>")


def _values(element: ElementTree.Element) -> dict[str, str]:
    """The texts of the elements below, by local name; one that is nil is left out."""
    leaves = (each for each in element.iter() if len(each) == 0 and "nil" not in "".join(each.attrib))
    return {each.tag.rpartition("}")[2]: each.text or "" for each in leaves}


def envelope_of(version: str, content: str, status: int = 200) -> Answer:
    kind = {"1.1": "text/xml", "1.2": "application/soap+xml"}[version]
    text = f"<?xml version='1.0'?><e:Envelope xmlns:e='{ENVELOPES[version]}'><e:Body>{content}</e:Body></e:Envelope>"
    return Answer(text.encode(), status, {"Content-Type": f"{kind}; charset=utf-8"})


def refusal(version: str, code: str, words: str, detail: str = "", status: int = 500, **headers: str) -> Answer:
    """A fault; in SOAP 1.2 the code stands below the Sender."""
    if version == "1.1":
        inner = f"<faultcode>e:{code}</faultcode><faultstring>{words}</faultstring><detail>{detail}</detail>"
    else:
        inner = (
            f"<e:Code><e:Value>e:Sender</e:Value><e:Subcode><e:Value>r:{code}</e:Value></e:Subcode></e:Code>"
            f"<e:Reason><e:Text xml:lang='en'>{words}</e:Text></e:Reason><e:Detail>{detail}</e:Detail>"
        )
    answer = envelope_of(version, f"<e:Fault xmlns:r='{NS}'>{inner}</e:Fault>", status)
    answer.headers.update(headers)
    return answer
