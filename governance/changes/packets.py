"""The packet of a change: what stored payloads become under it. A higher package knows payloads and registers the maker."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from governance.models import ChangePacket, ChangeRequest
from hub.common.errors import ConfigError, HubError

log = logging.getLogger(__name__)
PAYLOADS = 1_000
KINDS = ("Contract", "Entity", "Mapping", "ValueMap")
TASK = "governance.tasks.make_packet"
# Given the change and how many payloads at most, it tells (done, total) as it goes on and answers one part a mapping.
Maker = Callable[[ChangeRequest, int, Callable[[int, int], None]], list[dict[str, Any]]]
_makers: list[Maker] = []


def register_maker(maker: Maker) -> None:
    _makers[:] = [maker]


def is_possible(change: ChangeRequest) -> bool:
    """Whether payloads could tell anything about the change."""
    return bool(_makers) and change.state in ChangeRequest.WAITING and change.items.filter(kind__in=KINDS).exists()


def latest(change: ChangeRequest) -> ChangePacket | None:
    """The packet of the change as it is now; what was worked out for another content is history."""
    return change.packets.filter(content_hash=change.content_hash).first()


@transaction.atomic
def ask(change: ChangeRequest, *, by: Any) -> ChangePacket:
    """Have the packet worked out; one that failed or stands still is begun again."""
    if not is_possible(change):
        raise ConfigError("No stored payload passes through what this changes.", where=str(change), code="NO_PACKET")
    packet, _ = ChangePacket.objects.update_or_create(
        change=change,
        content_hash=change.content_hash,
        defaults={"state": ChangePacket.State.QUEUED, "done": 0, "total": 0, "problem": "", "result": []},
    )
    transaction.on_commit(lambda: _ring(packet.pk))
    return packet


def make(pk: int, *, limit: int = PAYLOADS) -> None:
    """Work a packet out; what goes wrong stands in it."""
    packet = ChangePacket.objects.select_related("change").filter(pk=pk, state=ChangePacket.State.QUEUED).first()
    if packet is None or not _makers:
        return
    _tell(packet, state=ChangePacket.State.RUNNING)
    try:
        result = _makers[0](packet.change, limit, lambda done, total: _tell(packet, done=done, total=total))
    except HubError as error:
        _tell(packet, state=ChangePacket.State.FAILED, problem=str(error), ended_at=timezone.now())
    except Exception:
        log.exception("A packet could not be worked out.", extra={"packet": pk})
        said = "Something unexpected went wrong; the log of the worker says what."
        _tell(packet, state=ChangePacket.State.FAILED, problem=said, ended_at=timezone.now())
    else:
        _tell(packet, state=ChangePacket.State.DONE, result=result, ended_at=timezone.now())


def _tell(packet: ChangePacket, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(packet, name, value)
    packet.save(update_fields=list(fields))


def _ring(pk: int) -> None:
    """A lost ring costs a click: the page offers to begin again."""
    try:
        current_app.send_task(TASK, args=[pk], retry=False)
    except OperationalError:
        log.warning("No worker could be rung for a packet.", extra={"packet": pk})
