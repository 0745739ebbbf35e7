"""How rows without a number of their own stand in addresses: a held record by sync and external id, a delivery by two ids."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from hub.sync.models import Delivery, HeldRecord


class HeldKey(NamedTuple):
    sync_id: int
    external_id: str


class DeliveryKey(NamedTuple):
    sync_id: int
    record_id: int


def held_key(held: HeldRecord) -> str:
    """`12-Vk9PLTE`: any external id fits into an address, whatever characters its source uses."""
    return HeldConverter().to_url(HeldKey(held.sync_id, held.external_id))


def delivery_key(delivery: Delivery) -> str:
    """`12-3401`."""
    return f"{delivery.sync_id}-{delivery.record_id}"


class HeldConverter:
    """URL path converter; an address that is not one of ours matches nothing."""

    regex = r"[0-9]{1,18}-[A-Za-z0-9_-]+"

    def to_python(self, value: str) -> HeldKey:
        sync_id, _, text = value.partition("-")
        try:
            return HeldKey(int(sync_id), base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True).decode())
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError(value) from error

    def to_url(self, value: HeldKey | str) -> str:
        if isinstance(value, str):
            return value
        return f"{value.sync_id}-{base64.urlsafe_b64encode(value.external_id.encode()).decode().rstrip('=')}"


class DeliveryConverter:
    regex = r"[0-9]{1,18}-[0-9]{1,18}"

    def to_python(self, value: str) -> DeliveryKey:
        sync_id, _, record_id = value.partition("-")
        return DeliveryKey(int(sync_id), int(record_id))

    def to_url(self, value: DeliveryKey | str) -> str:
        return value if isinstance(value, str) else f"{value.sync_id}-{value.record_id}"
