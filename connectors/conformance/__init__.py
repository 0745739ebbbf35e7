"""What a connector must survive: a hostile system on loopback, one named case at a time, run against any declaration.

`run_cases` needs neither a database nor an account. A protocol that speaks HTTP takes part by registering a `Dialect`
(how its honest pages look); any protocol may register cases of its own.
"""

from connectors.conformance.cases import CASES, Case, Finding, Verdict, register_case, run_cases
from connectors.conformance.http_cases import Dialect, Layout, register_dialect
from connectors.conformance.json_dialects import JsonRpcDialect, RestDialect
from connectors.conformance.server import Answer, HostileServer, Request

__all__ = [
    "CASES",
    "Answer",
    "Case",
    "Dialect",
    "Finding",
    "HostileServer",
    "JsonRpcDialect",
    "Layout",
    "Request",
    "RestDialect",
    "Verdict",
    "register_case",
    "register_dialect",
    "run_cases",
]

register_dialect("rest", RestDialect())
register_dialect("jsonrpc", JsonRpcDialect())
