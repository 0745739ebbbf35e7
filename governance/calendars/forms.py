"""The form of a business calendar: hours by day, holidays as a pasted list or an iCalendar file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.text import slugify

from governance.calendars.holidays import MOST, list_text, normal_holidays, parse_list
from governance.calendars.hours import DAY_WORDS, DAYS, day_problem, split_spans
from governance.models import BusinessCalendar
from hub.accounts.forms import zone_choices
from hub.common.registry import Document

RESERVED = {"new"}
CLOSED = "closed"
MOST_BYTES = 1_000_000
_TYPED = {"spellcheck": "false", "autocomplete": "off"}


class CalendarForm(forms.Form):
    """`document()` once it is valid. A day left empty is inherited, or closed where there is no parent."""

    name = forms.CharField(max_length=120, help_text="For example: London office.")
    slug = forms.SlugField(
        label="Short name", max_length=80, required=False, help_text="Made from the name when left empty. It stays."
    )
    time_zone = forms.ChoiceField(
        label="Time zone", choices=zone_choices, help_text="The wall clock that hours are read on."
    )
    parent = forms.ModelChoiceField(
        BusinessCalendar.objects.none(),
        label="Inherits from",
        required=False,
        to_field_name="slug",
        empty_label="No other calendar",
        help_text="What is left empty here, and its holidays, come from there.",
    )
    description = forms.CharField(
        required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2, "class": "words"})
    )
    holidays = forms.CharField(
        required=False,
        max_length=200_000,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false"}),
        help_text="A day on each line: 2026-12-28 Boxing Day. Without a year, 12-25 Christmas Day comes every year. "
        "The text of an iCalendar file can be pasted as well.",
    )
    file = forms.FileField(
        label="iCalendar file", required=False, help_text="Its whole-day events are added to the list."
    )

    def __init__(self, data: Any = None, files: Any = None, *, calendar: BusinessCalendar | None = None) -> None:
        super().__init__(data, files, initial=initial_of(calendar) if calendar else {"time_zone": "UTC"})
        self.calendar = calendar
        self.left_out: list[str] = []
        others = BusinessCalendar.objects.exclude(pk=calendar.pk) if calendar else BusinessCalendar.objects.all()
        self.fields["parent"].queryset = others  # type: ignore[attr-defined]
        for day, word in zip(DAYS, DAY_WORDS, strict=True):
            attrs = {**_TYPED, "placeholder": "as inherited, else closed"}
            self.fields[day] = forms.CharField(
                label=word, required=False, max_length=200, widget=forms.TextInput(attrs=attrs)
            )
        if calendar:
            del self.fields["slug"]

    @property
    def days(self) -> list[forms.BoundField]:
        return [self[day] for day in DAYS]

    def clean_slug(self) -> str:
        slug = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:80]
        if not slug or slug in RESERVED:
            raise forms.ValidationError("Give a short name of letters, digits and hyphens.")
        if BusinessCalendar.objects.filter(slug=slug).exists():
            raise forms.ValidationError(f"There is already a calendar “{slug}”.")
        return slug

    def clean_holidays(self) -> list[dict[str, str]]:
        found, problems = parse_list(self.cleaned_data["holidays"])
        if problems:
            raise forms.ValidationError(problems[:5])
        return found

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        for day in DAYS:
            spans = self._spans(day)
            if spans and (sentence := day_problem(spans)):
                self.add_error(day, sentence)
        self._add_file()
        return self.cleaned_data

    def _spans(self, day: str) -> list[str] | None:
        """The spans of a day; None where it is left to the parent."""
        text = str(self.cleaned_data.get(day, "")).strip()
        if not text:
            return None
        return [] if text.lower() == CLOSED else split_spans(text)

    def _add_file(self) -> None:
        """What the file holds beside whole days is left out, and said."""
        file = self.cleaned_data.get("file")
        if not file or "holidays" in self.errors:
            return
        if file.size > MOST_BYTES:
            self.add_error("file", "The file is larger than 1 MB.")
            return
        found, self.left_out = parse_list(file.read().decode("utf-8", "replace"))
        if not found:
            self.add_error("file", "The file holds no whole day. Save the calendar as .ics, or paste a list.")
        self.cleaned_data["holidays"] += found
        if len(self.cleaned_data["holidays"]) > MOST:
            self.add_error("file", f"A calendar holds at most {MOST} holidays.")

    def document(self) -> Document:
        data = self.cleaned_data
        spans = {day: self._spans(day) for day in DAYS}
        return {
            "slug": self.calendar.slug if self.calendar else data["slug"],
            "name": data["name"],
            "description": data["description"],
            "time_zone": data["time_zone"],
            "parent": data["parent"].slug if data["parent"] else None,
            "hours": {day: found for day, found in spans.items() if found is not None},
            "holidays": normal_holidays(data["holidays"]),
        }


def initial_of(calendar: BusinessCalendar) -> dict[str, Any]:
    """What the form of a saved calendar shows."""
    hours = {day: ", ".join(spans) or CLOSED for day, spans in calendar.hours.items()}
    return {
        "name": calendar.name,
        "description": calendar.description,
        "time_zone": calendar.time_zone,
        "parent": calendar.parent.slug if calendar.parent else None,
        "holidays": list_text(calendar.holidays),
        **hours,
    }
