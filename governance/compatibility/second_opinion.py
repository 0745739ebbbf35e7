"""jsoncompat's view of a change beside our own, where it is installed. It knows JSON Schema alone, not meaning."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from governance.compatibility.kinds import Direction
from governance.compatibility.verdict import Verdict
from governance.schemas import Schema
from hub.common.errors import ConfigError

# Old data before a new reader is backward; new data before an old reader is forward.
_ROLES: dict[Direction, str] = {"backward": "deserializer", "forward": "serializer"}


@dataclass(frozen=True, slots=True)
class Opinion:
    """One direction: whether each of the two says that it is kept."""

    direction: Direction
    ours: bool
    theirs: bool

    @property
    def agrees(self) -> bool:
        return self.ours == self.theirs

    def as_data(self) -> dict[str, Any]:
        return {"direction": self.direction, "kept": self.ours, "jsoncompat": self.theirs, "agrees": self.agrees}


def ask(before: Schema, after: Schema, verdict: Verdict) -> list[Opinion]:
    """Both directions. Raises ConfigError where jsoncompat is not installed or cannot judge these schemas."""
    if find_spec("jsoncompat") is None:
        raise ConfigError("jsoncompat is not installed.", fix="Install syncline[second-opinion].", code="NOT_INSTALLED")
    check = import_module("jsoncompat").check_compat
    broken = {direction for judged in verdict.changes for direction in judged.change.kind.breaks}
    try:
        theirs: dict[Direction, bool] = {
            "backward": check(json.dumps(_closed(before)), json.dumps(after), _ROLES["backward"]),
            "forward": check(json.dumps(before), json.dumps(_closed(after)), _ROLES["forward"]),
        }
    except Exception as error:
        raise ConfigError(f"jsoncompat cannot judge this: {error}.", code="SECOND_OPINION") from None
    return [Opinion(direction, direction not in broken, theirs[direction]) for direction in _ROLES]


def _closed(spec: Any) -> Any:
    """Whoever writes sends what their version knows and no more; whoever reads ignores the rest."""
    if not isinstance(spec, dict):
        return spec
    parts = {name: _closed(part) for name, part in (spec.get("properties") or {}).items()}
    return {**({"additionalProperties": False, **spec, "properties": parts} if parts else spec)}
