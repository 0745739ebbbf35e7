from __future__ import annotations

from celery import shared_task

from governance import breaches, deprecation
from governance.audit import writing
from governance.changes import applying, canary, packets


@shared_task
def seal_audit() -> int:
    """Entries whose process ended between their commit and their seal."""
    return writing.seal()


@shared_task
def notify_of_sunsets() -> int:
    """Notices to the consumers of versions that come near their sunset."""
    return deprecation.send_due()


@shared_task
def forget_old() -> int:
    """Breaches and traffic that are older than anybody asks for."""
    return breaches.forget_old()


@shared_task
def apply_due_changes() -> int:
    """Approved changes whose time has come."""
    return applying.apply_due()


@shared_task
def make_packet(pk: int) -> None:
    """What stored payloads become under a change."""
    packets.make(pk)


@shared_task
def watch_canaries() -> int:
    """Changes in their first hour: those through which more fails than before are taken back."""
    return canary.watch()
