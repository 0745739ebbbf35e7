"""Reading an entity set: pages as for REST, and what delta links add: removed entries, and links that have expired."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from connectors.odata.keys import key_values
from connectors.rest.client import Reply
from connectors.rest.outcomes import id_in_address
from connectors.rest.paginators import State
from connectors.rest.reading import Crawl
from hub.common.records import Page

REMOVED = "@removed"
_DELETED = "$deletedEntity"
logger = logging.getLogger(__name__)


class ODataCrawl(Crawl):
    """A crawl of an entity set. With delta links, the cursor is the link that the last page of a reading gave.

    An entry that was removed comes as a record of its key and `@removed: {reason}`, so that a sync counts it as gone with
    `deleted_path: "@removed"`. A link that the service has forgotten leads to a reading of everything.
    """

    key: Sequence[str] = ()

    def _begin_anew(self) -> Reply | None:
        logger.warning("The service has forgotten the delta link of %s: everything is read again.", self.source.name)
        return super()._begin_anew()

    def _page(self, reply: Reply, items: Sequence[Any], following: State | None) -> Page:
        if self._incremental.get("delta_link"):
            items = [removed_entry(item, self.key) or item for item in items]
        return super()._page(reply, items, following)


def removed_entry(item: Any, key: Sequence[str]) -> dict[str, Any] | None:
    """The record of a removed entry (OData 4.0 names it in `@odata.context`, 4.01 by `@removed`), None for any other."""
    if not isinstance(item, dict):
        return None
    told = item.get(REMOVED) or item.get("@odata.removed")
    if told is None and not str(item.get("@odata.context", "")).endswith(_DELETED):
        return None
    reason = (told.get("reason") if isinstance(told, dict) else None) or item.get("reason") or "deleted"
    address = str(item.get("@id") or item.get("@odata.id") or item.get("id") or "")
    values = key_values(id_in_address(address) or "", key) if address else {}
    return {**values, **{name: item[name] for name in key if name in item}, REMOVED: {"reason": reason}}
