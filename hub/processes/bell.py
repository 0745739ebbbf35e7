"""Waking workers: a lost ring costs one tick of delay."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from hub.sync import bell

ADVANCE = "hub.processes.tasks.advance"


def ring(pks: Iterable[int]) -> None:
    """Wake a worker for each of these instances once the current transaction has committed."""
    for pk in sorted(pks):
        transaction.on_commit(lambda found=pk: bell.send(ADVANCE, found))  # type: ignore[misc]
