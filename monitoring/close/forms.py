"""The forms of periods: one, the periods of a year, and a file of them."""

from __future__ import annotations

import csv
import io
from typing import Any

from django import forms

from governance.models import BusinessCalendar
from hub.common.errors import HubError
from hub.common.registry import Document
from hub.common.times import business_today, period_bounds, period_of, time_zone
from monitoring.close.books import default_zone, legal_entities
from monitoring.close.services import Year, documents_of, slug_of
from monitoring.models import LatePolicy, Period, PeriodStatus
from monitoring.models.period import validate_clock

_TYPED = {"spellcheck": "false", "autocomplete": "off"}
_DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
MOST_BYTES = 1_000_000


def _clock(**options: Any) -> forms.CharField:
    return forms.CharField(max_length=5, validators=[validate_clock], widget=forms.TextInput(attrs=_TYPED), **options)


def month_of(text: str) -> str:
    """A period as typed; ValidationError when it is none."""
    try:
        period_bounds(text.strip())
    except HubError as error:
        raise forms.ValidationError(str(error)) from None
    return text.strip()


class ZoneMixin:
    """Forms with a time zone: it has to be one."""

    cleaned_data: dict[str, Any]

    def clean_time_zone(self) -> str:
        name = str(self.cleaned_data["time_zone"]).strip()
        try:
            time_zone(name)
        except HubError as error:
            raise forms.ValidationError(str(error)) from None
        return name


class PeriodForm(ZoneMixin, forms.Form):
    """One period; its legal entity and month are fixed once it is made."""

    legal_entity = forms.CharField(
        max_length=40,
        help_text="The code by which the systems call it: HV-UK.",
        widget=forms.TextInput(attrs={**_TYPED, "list": "legal-entities"}),
    )
    period = forms.CharField(max_length=7, help_text="2026-11", widget=forms.TextInput(attrs=_TYPED))
    start_date = forms.DateField(label="First day", widget=_DAY)
    end_date = forms.DateField(label="Last day", widget=_DAY, help_text="A 4-4-5 year has other days than the month.")
    close_date = forms.DateField(label="Closes on", widget=_DAY)
    close_time = _clock(label="At", initial="17:30", help_text="On the clock of the time zone.")
    time_zone = forms.CharField(max_length=60, widget=forms.TextInput(attrs=_TYPED))
    calendar = forms.ModelChoiceField(
        BusinessCalendar.objects.all(),
        required=False,
        empty_label="none: the countdown counts every hour",
        help_text="Whose business hours are left until the close.",
    )
    status = forms.ChoiceField(
        choices=[("", "by its dates"), *PeriodStatus.choices],
        required=False,
        help_text="What the ERP delivers comes first. By hand only where no system says it.",
    )
    late_policy = forms.ChoiceField(
        label="What comes too late", choices=LatePolicy.choices, help_text="What is offered first for a late posting."
    )
    note = forms.CharField(required=False, max_length=500)

    def __init__(self, data: Any = None, *, plan: Period | None = None) -> None:
        super().__init__(data, initial=initial_of(plan) if plan else {"time_zone": default_zone()})
        self.plan = plan
        if plan:
            del self.fields["legal_entity"], self.fields["period"]

    def clean_period(self) -> str:
        return month_of(self.cleaned_data["period"])

    def document(self) -> Document:
        data, found = self.cleaned_data, self.plan
        code = found.legal_entity if found else data["legal_entity"].strip()
        month = found.period if found else data["period"]
        days = {name: data[name].isoformat() for name in ("start_date", "end_date", "close_date")}
        plain = {name: data[name] for name in ("close_time", "time_zone", "status", "late_policy", "note")}
        return {
            "slug": found.slug if found else slug_of(code, month),
            "legal_entity": code,
            "period": month,
            **days,
            **plain,
            "calendar": data["calendar"].slug if data["calendar"] else None,
            "is_frozen": found.is_frozen if found else False,
        }


def initial_of(period: Period) -> dict[str, Any]:
    names = (
        "start_date",
        "end_date",
        "close_date",
        "close_time",
        "time_zone",
        "calendar",
        "status",
        "late_policy",
        "note",
    )
    return {name: getattr(period, name) for name in names}


class YearForm(ZoneMixin, forms.Form):
    """The months of a year for several legal entities at once."""

    legal_entities = forms.CharField(
        max_length=2_000,
        help_text="Codes, parted by commas.",
        widget=forms.TextInput(attrs=_TYPED),
    )
    first_period = forms.CharField(
        max_length=7, help_text="The first month of the fiscal year.", widget=forms.TextInput(attrs=_TYPED)
    )
    months = forms.IntegerField(min_value=1, max_value=24, initial=12)
    close_after = forms.IntegerField(
        label="Closes after",
        min_value=0,
        max_value=60,
        initial=5,
        help_text="Business days after the last day of the month.",
    )
    close_time = _clock(label="At", initial="17:30")
    time_zone = forms.CharField(max_length=60, widget=forms.TextInput(attrs=_TYPED))
    calendar = forms.ModelChoiceField(
        BusinessCalendar.objects.all(), required=False, empty_label="Monday to Friday, without holidays"
    )
    late_policy = forms.ChoiceField(label="What comes too late", choices=LatePolicy.choices)

    def __init__(self, data: Any = None) -> None:
        zone = default_zone()
        initial = {
            "time_zone": zone,
            "first_period": period_of(business_today(zone).replace(month=1)),
            "legal_entities": ", ".join(legal_entities()),
        }
        super().__init__(data, initial=initial)

    def clean_first_period(self) -> str:
        return month_of(self.cleaned_data["first_period"])

    def clean_legal_entities(self) -> list[str]:
        found = [code.strip() for code in str(self.cleaned_data["legal_entities"]).split(",") if code.strip()]
        if not found:
            raise forms.ValidationError("Name at least one legal entity.")
        return list(dict.fromkeys(found))

    def year(self) -> Year:
        data = self.cleaned_data
        return Year(**{name: data[name] for name in Year.__slots__})


class ImportForm(forms.Form):
    """A CSV file as the export writes it."""

    file = forms.FileField(label="CSV file", help_text="Headings as in the export; what is there already is changed.")

    def clean_file(self) -> list[Document]:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError("The file is larger than 1 MB.")
        try:
            text = file.read().decode("utf-8-sig")
            return documents_of(csv.DictReader(io.StringIO(text)))
        except UnicodeDecodeError:
            raise forms.ValidationError("The file is not UTF-8 text. Save it as CSV UTF-8.") from None
        except (HubError, csv.Error) as error:
            raise forms.ValidationError(str(error)) from None
