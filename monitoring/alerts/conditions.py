"""What rules can watch. Parts of the hub register their conditions; each says what it finds at this moment.

    @condition("freshness", "Data is late", unit="minutes late", help="…", warning="30", critical="120")
    def late_data(look: Look) -> Iterator[Finding]: ...

A reader gives a finding for every subject that it can measure and that may be out of order; a subject that it does not give is
in order. It knows nothing of thresholds, levels or routes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hub.common.errors import ConfigError

if TYPE_CHECKING:
    from monitoring.alerts.look import Look


@dataclasses.dataclass(slots=True)
class Finding:
    """One subject at this moment: its measure, the sentence that says so, and what hangs on it.

    `subject` is "kind:id" and stays the same; `amounts` are (currency, amount) and never added here. With a `connection_id`
    it may be explained by that connection being down.
    """

    subject: str
    name: str
    value: Decimal
    words: str
    url: str = ""
    domain_id: int | None = None
    system_id: int | None = None
    sync_id: int | None = None
    connection_id: int | None = None
    # The run that is called suspect because of it.
    run_id: int | None = None
    records: int = 0
    amounts: list[tuple[str, Decimal]] = dataclasses.field(default_factory=list)
    # Lines below the sentence, made only for what people are told of.
    details: Callable[[], list[str]] = list


Reader = Callable[["Look"], Iterable[Finding]]


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """A condition as forms and rules know it. `is_below`: less is worse, as with the days that a credential still holds.

    `every_seconds` spares what costs more than a glance: between two looks its alerts stay as they are. Effects are told under
    the connection that explains them.
    """

    name: str
    label: str
    unit: str
    help: str
    warning: Decimal | None
    critical: Decimal | None
    reader: Reader
    is_below: bool = False
    is_money: bool = False
    is_effect: bool = False
    every_seconds: int = 0

    def level(self, value: Decimal, warning: Decimal | None, critical: Decimal | None) -> str:
        """ok, warning or critical; a threshold that is reached counts."""
        for name, bound in (("critical", critical), ("warning", warning)):
            if bound is not None and (value <= bound if self.is_below else value >= bound):
                return name
        return "ok"


_conditions: dict[str, Condition] = {}


def condition(
    name: str, label: str, *, unit: str, help: str, warning: str = "", critical: str = "", **more: Any
) -> Callable[[Reader], Reader]:
    """Register a reader. Thresholds are the ones that the form suggests."""

    def register(reader: Reader) -> Reader:
        first, second = (Decimal(text) if text else None for text in (warning, critical))
        _conditions[name] = Condition(name, label, unit, help, first, second, reader, **more)
        return reader

    return register


def conditions() -> Mapping[str, Condition]:
    return dict(sorted(_conditions.items(), key=lambda pair: pair[1].label))


def find(name: str) -> Condition:
    """Raises ConfigError for a name that nobody registered."""
    known = conditions()
    if name not in known:
        raise ConfigError(f"Nothing watches {name!r}.", where="what", fix=f"Use one of: {', '.join(known)}.")
    return known[name]
