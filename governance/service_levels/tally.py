"""Counting verdicts: what was attained of the objective, and what is left of the error budget."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from governance.service_levels.promise import Verdict

# From here on the promise is at risk, though it is kept.
RISKY_SHARE = Decimal("0.75")


@dataclass(slots=True)
class Tally:
    """Records, days, or for freshness seconds; `running` is undecided and counts for nothing."""

    met: float = 0
    warned: float = 0
    breached: float = 0
    running: int = 0

    def add(self, verdict: Verdict) -> None:
        setattr(self, verdict, getattr(self, verdict) + 1)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.met + other.met,
            self.warned + other.warned,
            self.breached + other.breached,
            self.running + other.running,
        )

    @property
    def total(self) -> float:
        return self.met + self.warned + self.breached

    @property
    def attained(self) -> Decimal | None:
        """Percent in time, cut after two decimals: 98.999 is never shown as 99. None when nothing was decided."""
        if not self.total:
            return None
        share = 100 * Decimal(str(self.met + self.warned)) / Decimal(str(self.total))
        return share.quantize(Decimal("0.01"), ROUND_DOWN)

    def budget_left(self, objective: Decimal) -> Decimal | None:
        """Percent of the breaches that the objective allows which are left; negative when overspent.

        None when nothing was decided. An objective of 100 % allows none: all is left, or nothing.
        """
        if not self.total:
            return None
        allowed = Decimal(str(self.total)) * (100 - objective) / 100
        if allowed <= 0:
            return Decimal(-100) if self.breached else Decimal(100)
        return (100 * (1 - Decimal(str(self.breached)) / allowed)).quantize(Decimal("0.1"), ROUND_DOWN)

    def state(self, objective: Decimal) -> str:
        """A word of hub.common.states: none, met, at_risk or breached."""
        left = self.budget_left(objective)
        if left is None:
            return "no_data"
        if left < 0:
            return "breached"
        return "at_risk" if left < 100 * (1 - RISKY_SHARE) and self.breached else "met"
