"""SOAP faults, of both versions, as data that the `errors` of a declaration look into."""

from __future__ import annotations

from typing import Any

from lxml import etree

from connectors.failures import Kind
from connectors.soap.documents import children, find_child
from connectors.soap.security import REFUSED_SIGN_IN

# https://www.w3.org/TR/2000/NOTE-SOAP-20000508/#_Toc478383510 and https://www.w3.org/TR/soap12-part1/#faultcodes
_KINDS: dict[str, Kind] = {
    "Client": "validation",
    "Sender": "validation",
    "Server": "server_transient",
    "Receiver": "server_transient",
    "VersionMismatch": "server_fatal",
    "MustUnderstand": "server_fatal",
    "DataEncodingUnknown": "server_fatal",
}
# Both versions prescribe these for any fault: they say nothing about it.
_MEANINGLESS = frozenset({200, 202, 400, 500})


def read_fault(fault: etree._Element, detail: Any) -> dict[str, Any]:
    """{"fault": {code, subcode, string, actor, detail}}: codes without their prefix, `detail` as it was read."""
    code = find_child(fault, "Code")
    if code is not None:
        reason = find_child(fault, "Reason")
        words = children(reason)[0] if reason is not None and children(reason) else None
        found = {
            "code": _code(find_child(code, "Value")),
            "subcode": _code(find_child(find_child(code, "Subcode"), "Value")),
            "string": _text(words),
            "actor": _text(find_child(fault, "Role")),
        }
    else:
        whole = _code(find_child(fault, "faultcode"))
        found = {
            "code": whole,
            "subcode": whole.partition(".")[2],
            "string": _text(find_child(fault, "faultstring")),
            "actor": _text(find_child(fault, "faultactor")),
        }
    return {"fault": {**found, "detail": detail}}


def usual_kind(data: dict[str, Any], status: int) -> Kind | None:
    """What a fault means where no rule of the declaration says it; None leaves it to the HTTP status."""
    fault = data["fault"]
    if {fault["code"], fault["subcode"]} & REFUSED_SIGN_IN:
        return "auth_denied"
    return _KINDS.get(fault["code"].partition(".")[0]) if status in _MEANINGLESS else None


def find_detail(fault: etree._Element) -> etree._Element | None:
    found = find_child(fault, "detail")
    return found if found is not None else find_child(fault, "Detail")


def _text(element: etree._Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _code(element: etree._Element | None) -> str:
    return _text(element).rpartition(":")[2]
