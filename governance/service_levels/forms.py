"""The form of a service level, in business words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.text import slugify

from connectors.models import System
from governance.models import BusinessCalendar, Entity, ServiceLevel
from governance.service_levels.queries import EDIT
from governance.service_levels.words import percent_text, problems
from hub.accounts.models import Domain, User
from hub.accounts.queries import domains_for, scope_to_domains
from hub.common.registry import Document

RESERVED = {"new", "preview"}
MINUTE, HOUR = 60, 3600
UNITS = [(HOUR, "hours"), (MINUTE, "minutes")]
# How the form calls what documents call otherwise.
_FIELDS = {"warn_seconds": "warn", "breach_seconds": "breach"}


class ServiceLevelForm(forms.Form):
    """`document()` once it is valid; `draft()` is an unsaved level of whatever can be read, for preview and back-test."""

    name = forms.CharField(max_length=120, help_text="For example: Approved time to the ERP.")
    slug = forms.SlugField(
        label="Short name",
        max_length=80,
        required=False,
        help_text="For addresses and commands; made from the name when left empty. It cannot change later.",
    )
    measure = forms.ChoiceField(label="What is promised", choices=ServiceLevel.MEASURES)
    domain = forms.ModelChoiceField(Domain.objects.none(), empty_label=None, to_field_name="slug")
    entity = forms.ModelChoiceField(
        Entity.objects.none(),
        required=False,
        to_field_name="slug",
        empty_label="Everything of the domain",
        help_text="What it is about.",
    )
    source = forms.ModelChoiceField(
        System.objects.none(),
        label="From",
        required=False,
        to_field_name="slug",
        empty_label="Any system",
        help_text="Where it comes from.",
    )
    target = forms.ModelChoiceField(
        System.objects.none(),
        label="To",
        required=False,
        to_field_name="slug",
        empty_label="Every system",
        help_text="Where it has to be.",
    )
    condition = forms.CharField(
        label="Only records with",
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="A field and its values on each line: status: approved, invoiced.",
    )
    calendar = forms.ModelChoiceField(
        BusinessCalendar.objects.none(),
        label="Business hours",
        required=False,
        to_field_name="slug",
        empty_label="Round the clock",
        help_text="Time counts only while this calendar is open.",
    )
    breach = forms.DecimalField(
        label="Broken after",
        required=False,
        min_value=0,
        max_digits=8,
        decimal_places=2,
        help_text="Later is a breach.",
    )
    warn = forms.DecimalField(
        label="Warn after",
        required=False,
        min_value=0,
        max_digits=8,
        decimal_places=2,
        help_text="Late, but in time. For a time of day: how long before it.",
    )
    unit = forms.TypedChoiceField(label="Counted in", choices=UNITS, coerce=int, initial=HOUR)
    due_time = forms.CharField(
        label="By",
        required=False,
        max_length=5,
        help_text="Only for a time of availability, on the calendar's clock: 07:30.",
        widget=forms.TextInput(attrs={"placeholder": "07:30", "autocomplete": "off"}),
    )
    objective_percent = forms.DecimalField(
        label="Objective, %", max_digits=6, decimal_places=3, initial=99, help_text="So much of it has to be in time."
    )
    window = forms.ChoiceField(label="In each", choices=ServiceLevel.WINDOWS, initial="month")
    owner = forms.CharField(max_length=120, required=False, help_text="Who answers for it: a person or a team.")
    description = forms.CharField(
        required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2, "class": "words"})
    )

    def __init__(self, user: User, data: Any = None, *, level: ServiceLevel | None = None) -> None:
        super().__init__(data, initial=initial_of(level) if level else None)
        self.level = level
        self._choices("domain", domains_for(user, EDIT))
        entities = scope_to_domains(Entity.objects.order_by("name"), user, EDIT)
        self._choices("entity", entities)
        for name in ("source", "target"):
            self._choices(name, System.objects.order_by("name"))
        self._choices("calendar", BusinessCalendar.objects.select_related("parent__parent"))
        if level is not None:
            del self.fields["slug"]

    def _choices(self, name: str, rows: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows

    def clean_slug(self) -> str:
        slug = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:80]
        if not slug or slug in RESERVED:
            raise forms.ValidationError("Give a short name of letters, digits and hyphens.")
        if ServiceLevel.objects.filter(slug=slug).exists():
            raise forms.ValidationError(f"There is already a service level “{slug}”.")
        return slug

    def clean_condition(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for line in filter(None, map(str.strip, self.cleaned_data["condition"].splitlines())):
            name, _, values = line.partition(":")
            listed = [value.strip() for value in values.split(",") if value.strip()]
            if not listed:
                raise forms.ValidationError(f"“{line}” names no values. Write status: approved, invoiced.")
            found[name.strip()] = listed
        return found

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        said = self.values()
        for name, sentence in problems(said):
            at = _FIELDS.get(name, name)
            if at not in self.errors:
                self.add_error(at, sentence)
        entity, domain = said.get("entity"), said.get("domain")
        if entity and domain and entity.domain_id != domain.pk:
            self.add_error("domain", f"{entity} belongs to {entity.domain}. Choose that domain.")
        return self.cleaned_data

    def values(self) -> dict[str, Any]:
        """The fields of the model, as far as they can be read."""
        data = {name: value for name, value in self.cleaned_data.items() if name not in ("warn", "breach", "unit")}
        unit = self.cleaned_data.get("unit") or HOUR
        for name, field in _FIELDS.items():
            data[name] = int((self.cleaned_data.get(field) or 0) * unit)
        return data

    def draft(self) -> ServiceLevel:
        """Not saved; half a form makes half a level."""
        found = self.values()
        kept = {
            "condition": found.get("condition") or {},
            "objective_percent": found.get("objective_percent") or Decimal(99),
        }
        slug = self.level.slug if self.level else found.get("slug", "")
        return ServiceLevel(**{**found, **kept, "slug": slug})

    def document(self) -> Document:
        found = self.values()
        for name in ("domain", "entity", "source", "target", "calendar"):
            found[name] = found[name].slug if found[name] else None
        found["objective_percent"] = percent_text(found["objective_percent"])
        slug = self.level.slug if self.level else found["slug"]
        return {**found, "slug": slug}


def initial_of(level: ServiceLevel) -> dict[str, Any]:
    """What the form of a saved level shows."""
    spans = [seconds for seconds in (level.warn_seconds, level.breach_seconds) if seconds]
    unit = HOUR if all(seconds % HOUR == 0 for seconds in spans) else MINUTE
    same = {
        name: getattr(level, name)
        for name in ("name", "measure", "due_time", "window", "owner", "description", "source", "target", "calendar")
    }
    return {
        **{name: getattr(value, "slug", value) for name, value in same.items()},
        "domain": level.domain.slug,
        "entity": level.entity.slug if level.entity else None,
        "condition": "\n".join(f"{name}: {', '.join(values)}" for name, values in level.condition.items()),
        "objective_percent": percent_text(level.objective_percent),
        "unit": unit,
        "warn": _amount(level.warn_seconds, unit),
        "breach": _amount(level.breach_seconds, unit),
    }


def _amount(seconds: int, unit: int) -> Decimal | None:
    return (Decimal(seconds) / unit).normalize() if seconds else None
