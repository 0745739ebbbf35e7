"""Secrets that were typed with an edit that waits: ciphertext beside its item, until it is brought in or ends.

They stand in no document, no hash and no answer of the API. Reviewers see which were typed, and decide where they go.
"""

from __future__ import annotations

from governance.changes.services import waiting_items
from governance.models import ChangeItem, SealedSecrets
from hub.common.governed import Name, Secrets
from hub.common.registry import kind


def seal(name: Name, secrets: Secrets) -> None:
    """Keep them beside the edit of this object that waits; typed again, they replace those of before."""
    item = waiting_items(*name).first()
    if item is None or item.is_removal:
        return
    found = SealedSecrets.objects.select_for_update().filter(item=item).first() or SealedSecrets(item=item)
    places = {*found.values, *secrets}
    found.values = {place: {**found.values.get(place, {}), **secrets.get(place, {})} for place in places}
    found.save()


def names_of(item: ChangeItem) -> list[str]:
    """Which secrets wait beside the item."""
    found = SealedSecrets.objects.filter(item=item).first()
    return sorted(name for names in found.values.values() for name in names) if found else []


def unseal(item: ChangeItem) -> None:
    """Give the object, which has just been brought in, the secrets that were typed with the edit."""
    if found := SealedSecrets.objects.filter(item=item).first():
        kind(item.kind).keep_secrets(item.key, found.values)
