"""What connections do by themselves: each is looked at in a message of its own, so that a slow one keeps no other waiting."""

from __future__ import annotations

import contextlib

from celery import shared_task

from connectors import health
from connectors.models import Connection
from hub.common.errors import HubError


@shared_task
def look_at_connections() -> None:
    """Ring for every connection that is due, and once a day for its shapes."""
    for pk in health.due().values_list("pk", flat=True):
        look_at_connection.delay(pk)
    for pk in health.due_shapes().values_list("pk", flat=True):
        look_at_shapes.delay(pk)


@shared_task
def look_at_connection(connection_id: int) -> None:
    """Once only, however many beats have rung."""
    if health.claim(connection_id):
        for connection in Connection.objects.filter(pk=connection_id, is_paused=False):
            health.look(connection)


@shared_task
def look_at_shapes(connection_id: int) -> None:
    """Once a day; a system that does not answer is asked again an hour later."""
    if health.claim_shapes(connection_id):
        for connection in Connection.objects.filter(pk=connection_id, is_paused=False):
            with contextlib.suppress(HubError):
                health.look_at_shapes(connection)
