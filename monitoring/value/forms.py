"""The forms of measures: one measure, and a file of baselines."""

from __future__ import annotations

import csv
import io
from typing import Any

from django import forms
from django.utils.text import slugify

from hub.common.errors import HubError
from hub.common.registry import Document
from monitoring.models import Measure
from monitoring.value.formulas import formulas
from monitoring.value.kind import number_of

_TYPED = {"spellcheck": "false", "autocomplete": "off"}
MOST_BYTES = 200_000


class MeasureForm(forms.Form):
    """A measure as people fill it in; what its formula asks for stands in a JSON object."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(
        label="Short name",
        required=False,
        max_length=60,
        help_text="Made from the name when left empty; it cannot change later.",
        widget=forms.TextInput(attrs=_TYPED),
    )
    formula = forms.ChoiceField(help_text="How it is computed; the page of the measure says it in words.")
    definition = forms.CharField(
        max_length=2_000,
        help_text="What counts and what does not, so that two people would count the same.",
        widget=forms.Textarea(attrs={"rows": 4, "class": "words"}),
    )
    owner = forms.CharField(required=False, max_length=120, help_text="Who answers for the figure.")
    direction = forms.ChoiceField(label="Better is", choices=Measure.Direction.choices)
    target = forms.CharField(required=False, max_length=30, help_text="In the unit of the formula.")
    baseline_value = forms.CharField(
        required=False, max_length=30, label="Baseline", help_text="The figure from before the hub."
    )
    baseline_period = forms.CharField(required=False, max_length=7, label="Of the month", help_text="2026-03")
    baseline_source = forms.CharField(
        required=False, max_length=200, label="Counted by", help_text="Who counted it, and how."
    )
    without_projects = forms.CharField(
        required=False, max_length=500, label="Projects left out", help_text="Patterns, parted by commas: INT-*."
    )
    parameters = forms.JSONField(
        required=False, help_text='What the formula asks for, such as {"target": "erp"}; empty takes its defaults.'
    )
    position = forms.IntegerField(min_value=0, max_value=9_999, initial=100, help_text="Smaller comes first.")

    def __init__(self, data: Any = None, *, measure: Measure | None = None) -> None:
        super().__init__(data, initial=initial_of(measure) if measure else None)
        self.measure = measure
        choices = [(slug, one.label) for slug, one in sorted(formulas().items(), key=lambda each: each[1].label)]
        self.fields["formula"].choices = choices  # type: ignore[attr-defined]
        if measure:
            del self.fields["slug"]

    def clean_slug(self) -> str:
        slug = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:60]
        if not slug:
            raise forms.ValidationError("Give a short name of letters, digits and hyphens.")
        if Measure.objects.filter(slug=slug).exists():
            raise forms.ValidationError(f"There is already a measure “{slug}”.")
        return slug

    def clean_target(self) -> str:
        return _number(self.cleaned_data["target"])

    def clean_baseline_value(self) -> str:
        return _number(self.cleaned_data["baseline_value"])

    def document(self) -> Document:
        data = self.cleaned_data
        baseline = {name: data[f"baseline_{name}"] for name in ("value", "period", "source")}
        projects = [one.strip() for one in data["without_projects"].split(",") if one.strip()]
        kept = {
            name: globs
            for name, globs in (self.measure.exclusions if self.measure else {}).items()
            if name != "project"
        }
        return {
            "slug": self.measure.slug if self.measure else data["slug"],
            **{
                name: data[name]
                for name in ("name", "formula", "definition", "owner", "direction", "target", "position")
            },
            "parameters": data["parameters"] or {},
            "baseline": baseline if any(baseline.values()) else {},
            "exclusions": {**kept, **({"project": projects} if projects else {})},
        }


def _number(text: str) -> str:
    if text and number_of(text) is None:
        raise forms.ValidationError(f"“{text}” is not a number. Write digits and a point: 9.5.")
    return text


def initial_of(measure: Measure) -> dict[str, Any]:
    names = ("name", "formula", "definition", "owner", "direction", "target", "position")
    return {
        **{name: getattr(measure, name) for name in names},
        **{f"baseline_{name}": measure.baseline.get(name, "") for name in ("value", "period", "source")},
        "without_projects": ", ".join(measure.exclusions.get("project", [])),
        "parameters": measure.parameters or None,
    }


class BaselineForm(forms.Form):
    """A CSV file: measure, value, period, source."""

    file = forms.FileField(label="CSV file", help_text="Headings: measure, value, period, source.")

    def clean_file(self) -> list[dict[str, str]]:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError("The file is larger than 200 kB.")
        try:
            return list(csv.DictReader(io.StringIO(file.read().decode("utf-8-sig"))))
        except UnicodeDecodeError:
            raise forms.ValidationError("The file is not UTF-8 text. Save it as CSV UTF-8.") from None
        except (csv.Error, HubError) as error:
            raise forms.ValidationError(str(error)) from None
