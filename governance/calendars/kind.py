"""BusinessCalendar as a configuration document."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from governance.calendars import services
from governance.calendars.holidays import holiday_problems, normal_holidays
from governance.calendars.hours import normal_hours, week_problems
from governance.models import BusinessCalendar, ServiceLevel
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem


class BusinessCalendarKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        found = [*week_problems(document.get("hours") or {}), *holiday_problems(document.get("holidays") or [])]
        zone = document.get("time_zone", "UTC")
        if zone not in available_timezones():
            found.append(("time_zone", f"{zone!r} is not a time zone. Use a name such as Europe/London."))
        if document.get("parent") == document.get("slug"):
            found.append(("parent", "A calendar does not inherit from itself."))
        return [Problem(path, sentence) for path, sentence in found]

    def normal(self, document: Document) -> Document:
        written = {
            "hours": normal_hours(document.get("hours") or {}),
            "holidays": normal_holidays(document.get("holidays") or []),
        }
        return super().normal({**document, **written})

    def before_save(self, found: BusinessCalendar, document: Document) -> None:
        found.hours, found.holidays = normal_hours(found.hours or {}), normal_holidays(found.holidays or [])
        services.check_line(found)

    def before_remove(self, found: BusinessCalendar) -> None:
        services.refuse_counted_by(found)

    def impact(self, slug: str) -> list[tuple[str, str]]:
        children = BusinessCalendar.objects.filter(parent__slug=slug).values_list("slug", flat=True)
        levels = ServiceLevel.objects.filter(calendar__slug=slug).values_list("slug", flat=True)
        return [*((self.name, child) for child in children), *(("ServiceLevel", level) for level in levels)]


def calendar_kind() -> Any:
    return BusinessCalendarKind(
        name=services.KIND,
        model=BusinessCalendar,
        fields=[
            Attr("name", required=True),
            Attr("description"),
            Attr("time_zone"),
            Ref("parent", lambda: BusinessCalendar, services.KIND),
            Attr("hours"),
            Attr("holidays"),
        ],
        is_removable=True,
    )
