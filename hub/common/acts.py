"""What people do, told to the audit: `tell(Act("payload.revealed", "CanonicalRecord", "time_entry/T-1", by=ada))`.

A service tells of an act inside its own transaction: an act that is rolled back was none, and one that cannot be written
down does not happen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hub.common import facts

ACTED = "acted"


@dataclass(frozen=True, slots=True)
class Act:
    """One act. `act` is "noun.verb" in the past tense; `kind` and `name` say on what, as config as code would.

    `by` is a User, or None for the hub itself; `on_behalf_of` the one who delegated. `before` and `after` are plain data
    (a document, a body); only their hashes have to be kept. Secrets and masked values never stand in any of it.
    """

    act: str
    kind: str
    name: str
    by: Any = None
    on_behalf_of: Any = None
    reason: str = ""
    before: Any = None
    after: Any = None
    details: dict[str, Any] = field(default_factory=dict)
    domain: Any = None


def tell(act: Act) -> None:
    facts.publish(ACTED, act=act)
