"""The simulators of vendors by the name of their declaration. Each is imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from connectors.simulators.base import Simulator

_VENDORS: dict[str, str] = {
    "bamboohr": "connectors.simulators.bamboohr.BambooSimulator",
    "workday": "connectors.simulators.workday.WorkdaySimulator",
    "workday_raas": "connectors.simulators.workday.WorkdaySimulator",
    "workday_rest": "connectors.simulators.workday.WorkdaySimulator",
}


def vendor_names() -> Sequence[str]:
    return sorted(_VENDORS)


def vendor_simulator(name: str) -> type[Simulator] | None:
    """The simulator that behaves like a vendor, None where there is none."""
    if name not in _VENDORS:
        return None
    module, _, attribute = _VENDORS[name].rpartition(".")
    found: type[Simulator] = getattr(import_module(module), attribute)
    return found
