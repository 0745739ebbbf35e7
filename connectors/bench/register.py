"""The SOAP service of the benchmark, as text: one operation that lists time entries by pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

NS = "urn:syncline:bench"
_SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"


def wsdl(url: str, fields: Sequence[str]) -> str:
    elements = "".join(f'<xsd:element name="{name}" type="xsd:string"/>' for name in fields)
    return f"""<?xml version="1.0"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="{_SOAP}" xmlns:xsd="http://www.w3.org/2001/XMLSchema"
  xmlns:b="{NS}" targetNamespace="{NS}" name="Entries">
  <types><xsd:schema targetNamespace="{NS}" elementFormDefault="qualified">
    <xsd:element name="ListRequest"><xsd:complexType><xsd:sequence>
      <xsd:element name="page" type="xsd:int" minOccurs="0"/></xsd:sequence></xsd:complexType></xsd:element>
    <xsd:element name="ListAnswer"><xsd:complexType><xsd:sequence>
      <xsd:element name="pages" type="xsd:int"/>
      <xsd:element name="entry" minOccurs="0" maxOccurs="unbounded"><xsd:complexType><xsd:sequence>{elements}
      </xsd:sequence></xsd:complexType></xsd:element></xsd:sequence></xsd:complexType></xsd:element>
  </xsd:schema></types>
  <message name="Asked"><part name="body" element="b:ListRequest"/></message>
  <message name="Told"><part name="body" element="b:ListAnswer"/></message>
  <portType name="Entries"><operation name="list">
    <input message="b:Asked"/><output message="b:Told"/></operation></portType>
  <binding name="Entries" type="b:Entries">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="list"><soap:operation soapAction="{NS}/list"/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation></binding>
  <service name="Entries"><port name="Entries" binding="b:Entries"><soap:address location="{url}"/></port></service>
</definitions>"""


def answer(pages: int, rows: Sequence[Mapping[str, str]]) -> str:
    entries = "".join(
        "<b:entry>" + "".join(f"<b:{name}>{escape(value)}</b:{name}>" for name, value in row.items()) + "</b:entry>"
        for row in rows
    )
    return (
        f'<?xml version="1.0"?><e:Envelope xmlns:e="{_ENVELOPE}" xmlns:b="{NS}"><e:Body><b:ListAnswer>'
        f"<b:pages>{pages}</b:pages>{entries}</b:ListAnswer></e:Body></e:Envelope>"
    )
