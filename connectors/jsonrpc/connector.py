"""The connector for JSON-RPC 2.0: everything that the one for REST does, by procedure calls."""

from __future__ import annotations

from typing import ClassVar

from connectors.jsonrpc.client import JsonRpcClient
from connectors.rest.client import ApiClient
from connectors.rest.connector import RestConnector


class JsonRpcConnector(RestConnector):
    protocol: ClassVar[str] = "jsonrpc"
    label: ClassVar[str] = "JSON-RPC"
    client_class: ClassVar[type[ApiClient]] = JsonRpcClient
    source_option: ClassVar[str] = "call"
