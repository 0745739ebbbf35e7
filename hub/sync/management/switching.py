"""The kill switches for the command line; `pause` and `resume` are two names for it."""

from __future__ import annotations

from typing import Any

from connectors import services as connections
from hub.common.errors import ConfigError
from hub.sync import services
from hub.sync.management.aimed import AimedCommand, find_connection, find_sync


class SwitchCommand(AimedCommand):
    can_aim_at_all = True
    is_paused: bool

    def act(self, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
        sync, connection, reason = options["sync"], options["connection"], options["reason"]
        if self.is_paused and not reason.strip():
            raise ConfigError("Say why: --reason.", where="--reason", code="NEEDED")
        name = self._switch(sync, connection, {"is_paused": self.is_paused, "reason": reason, "by": None})
        data = {"target": sync or connection or "all", "is_paused": self.is_paused, "reason": reason}
        done = (
            "paused; what waits is kept, and running runs stop at their next page"
            if self.is_paused
            else "at work again"
        )
        return data, f"{name} {'are' if not (sync or connection) else 'is'} {done}."

    def _switch(self, sync: str, connection: str, values: dict[str, Any]) -> str:
        if sync:
            services.set_paused(sync=find_sync(sync), **values)
            return f"The sync {sync}"
        if connection:
            connections.set_paused(connection=find_connection(connection), **values)
            return f"The connection {connection}"
        services.set_standstill(**values)
        return "All syncs"
