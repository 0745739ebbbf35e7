"""Short ways to a connector for tests."""

from __future__ import annotations

from typing import Any

from connectors import catalog
from connectors.base import Connector
from connectors.registry import open_connector
from hub.common.records import Page, Record, StreamSpec, WriteItem

LOOPBACK = ["127.0.0.0/8", "::1/128"]
BASE: dict[str, Any] = {
    "name": "fake",
    "label": "Fake",
    "category": "other",
    "protocol": "rest",
    "time_zone": "UTC",
    "config": {"token": {"title": "Token", "type": "secret", "required": False}},
}
ITEMS = StreamSpec("items", key=("id",))


def declaration(url: str, stream: dict[str, Any] | None = None, **sections: Any) -> catalog.Declaration:
    """A declaration of one stream `items` at `url`; `sections` go over the top level."""
    streams = {"items": {"path": "/items", "key": "id", **(stream or {})}}
    return catalog.parse({**BASE, "base_url": url, "streams": streams, **sections})


def rest(url: str, stream: dict[str, Any] | None = None, **sections: Any) -> Connector:
    """An open connector for `declaration(...)`; `config` and `secrets` of the connection may be given."""
    config = {"allowed_networks": LOOPBACK, **sections.pop("values_given", {})}
    secrets = sections.pop("secrets_given", {"token": "s3cret-token"})
    return open_connector(declaration=declaration(url, stream, **sections), config=config, secrets=secrets)


def read_all(connector: Connector, stream: StreamSpec = ITEMS, cursor: str | None = None) -> list[Record]:
    return [record for page in connector.read(stream, cursor=cursor) for record in page.records]


def read_pages(connector: Connector, stream: StreamSpec = ITEMS, cursor: str | None = None) -> list[Page]:
    return list(connector.read(stream, cursor=cursor))


def item(
    key: str, body: Record | None = None, operation: Any = "upsert", ref: str | None = None, **more: Any
) -> WriteItem:
    return WriteItem(key, operation, body or {"id": key}, ref, **more)
