"""What every list of the tenant has in common: the moment it shows, what is asked for, and its pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date
from typing import Any

from connectors.simulators.base import Simulator
from connectors.simulators.messages import parse_instant
from connectors.simulators.workday import data
from connectors.simulators.workday.data import AsOf
from connectors.simulators.workday.messages import Call, Invalid, answer, leaf, references, tag

DEFAULT_COUNT, MOST = 100, 999
Ids = Callable[[str], dict[str, str]]


class Listing:
    """Raises Invalid for what a request may not ask."""

    def __init__(self, tenant: Simulator) -> None:
        self.tenant = tenant

    def as_of(self, call: Call) -> AsOf:
        now = self.tenant.clock.now()
        entered, effective = (
            call.text(f"Response_Filter/As_Of_{name}") for name in ("Entry_DateTime", "Effective_Date")
        )
        try:
            entry = parse_instant(entered) if entered else parse_instant(data.stamp(now))
            day = date.fromisoformat(effective[:10]) if effective else now.astimezone(UTC).date()
        except ValueError:
            raise Invalid("The date is not valid.", f"/wd:{call.name}/wd:Response_Filter[1]") from None
        return AsOf(entry, day)

    def _wanted(self, call: Call, name: str, known: Mapping[str, Any], ids: Ids) -> list[str]:
        """The keys that the request names, all when it names none; Invalid for an unknown one unless it may be skipped."""
        asked = call.all(f"Request_References/{name}_Reference")
        if not asked:
            return list(known)
        found = [self._find(references(each), known, ids) for each in asked]
        holder = call.at("Request_References")
        lenient = holder is not None and Call(holder).attribute("Skip_Non_Existing_Instances") in ("true", "1")
        if None in found and not lenient:
            path = f"/wd:{call.name}/wd:Request_References[1]/wd:{name}_Reference[{found.index(None) + 1}]"
            raise Invalid("Invalid ID value in the request references.", path)
        return [key for key in found if key is not None]

    def _find(self, told: Mapping[str, str], known: Mapping[str, Any], ids: Ids) -> str | None:
        def fits(key: str) -> bool:
            return all(ids(key).get(kind) == value for kind, value in told.items())

        return next((key for key in known if told and fits(key)), None)

    def _listed(self, name: str, call: Call, at: AsOf, items: Sequence[str]) -> bytes:
        page, count = (call.text(f"Response_Filter/{each}") for each in ("Page", "Count"))
        if page and int(page) < 1:
            raise Invalid("Page number cannot be zero.", f"/wd:{call.name}/wd:Response_Filter[1]/wd:Page[1]")
        if count and int(count) > MOST:
            raise Invalid(f"Count may not exceed {MOST}.", f"/wd:{call.name}/wd:Response_Filter[1]/wd:Count[1]")
        number, size = int(page or 1), self.tenant.page_size(count, default=DEFAULT_COUNT, ceiling=MOST)
        shown = items[(number - 1) * size : number * size]
        told = (
            leaf("As_Of_Effective_Date", at.effective.isoformat()),
            leaf("As_Of_Entry_DateTime", data.stamp(at.entry)),
            leaf("Page", number),
            leaf("Count", size),
        )
        pages = -(-len(items) // size)
        results = {"Total_Results": len(items), "Total_Pages": pages, "Page_Results": len(shown), "Page": number}
        held = tag("Response_Data", *shown) if shown else ""
        return answer(
            f"{name}_Response",
            tag("Response_Filter", *told),
            tag("Response_Results", *[leaf(key, value) for key, value in results.items()]),
            held,
            version=call.attribute("version"),
        )


def invalid_id(told: Mapping[str, str], path: str) -> Invalid:
    """The tenant's words for a reference that leads nowhere."""
    kind, value = next(iter(told.items()), ("WID", ""))
    return Invalid(f"Invalid ID value. '{value}' is not a valid ID value for type = '{kind}'", path)
