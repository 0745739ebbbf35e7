"""What the views of syncs share: who asks, and objects that this person may see or act on (404 otherwise)."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from hub.accounts.models import User
from hub.common.errors import HubError
from hub.common.filters import FilterBar
from hub.sync import queries
from hub.sync.keys import DeliveryKey, HeldKey
from hub.sync.models import Delivery, HeldRecord, Run, Sync, Transaction


def me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def find_sync(request: HttpRequest, slug: str, permission: str) -> Sync:
    return get_object_or_404(queries.syncs_for(me(request), permission), slug=slug)


def find_run(request: HttpRequest, pk: int, permission: str) -> Run:
    return get_object_or_404(queries.runs_for(me(request), permission), pk=pk)


def find_transaction(request: HttpRequest, pk: int, permission: str) -> Transaction:
    row = get_object_or_404(Transaction, pk=pk)
    _refuse_unseen(request, row.sync_id, permission)
    return row


def find_held(request: HttpRequest, key: HeldKey, permission: str) -> HeldRecord:
    rows = HeldRecord.objects.select_related("sync__mapping__entity", "sync__mapping__stream__connection__system")
    held = get_object_or_404(rows, sync_id=key.sync_id, external_id=key.external_id)
    _refuse_unseen(request, held.sync_id, permission)
    return held


def find_delivery(request: HttpRequest, key: DeliveryKey, permission: str) -> Delivery:
    rows = Delivery.objects.select_related(
        "sync__mapping__entity", "sync__mapping__stream__connection__system", "record"
    )
    delivery = get_object_or_404(rows, sync_id=key.sync_id, record_id=key.record_id)
    _refuse_unseen(request, delivery.sync_id, permission)
    return delivery


def _refuse_unseen(request: HttpRequest, sync_id: int, permission: str) -> None:
    seen = queries.sync_ids_for(me(request), permission)
    if seen is not None and sync_id not in seen:
        raise Http404


def may_in(request: HttpRequest, permission: str, sync: Sync | None) -> bool:
    """Whether the person holds a permission for this sync: for buttons."""
    user = me(request)
    if sync is None:
        return user.domain_ids_for(permission) is None
    return user.has_hub_perm(permission, sync.entity.domain_id)


def asked_of(bar: FilterBar) -> dict[str, str]:
    """What a bar filters by as the words of a hub.sync.replays.letters.LetterFilter."""
    asked = {key: bar.get(key) for key in bar.keys if bar.get(key)}
    return {**asked, "text": bar.text} if bar.text else asked


def tell(request: HttpRequest, error: HubError) -> None:
    messages.error(request, str(error))
