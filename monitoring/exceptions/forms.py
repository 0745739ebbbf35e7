"""The forms of classifications and routing rules."""

from __future__ import annotations

import shlex
from typing import Any

from django import forms
from django.utils.text import slugify

from connectors.models import System
from governance.models import BusinessCalendar, Entity
from hub.accounts.models import Domain, User
from hub.common.registry import Document
from monitoring.exceptions import classify
from monitoring.exceptions.kinds import RESERVED, short_amount
from monitoring.models import Classification, ExceptionItem, RoutingRule

_TYPED = {"spellcheck": "false", "autocomplete": "off"}


def _slug(given: str, name: str, model: Any, word: str) -> str:
    slug = given or slugify(name)[: model._meta.get_field("slug").max_length]
    if not slug or slug in RESERVED:
        raise forms.ValidationError("Give a short name of letters, digits and hyphens.")
    if model.objects.filter(slug=slug).exists():
        raise forms.ValidationError(f"There is already a {word} “{slug}”.")
    return slug


# How it is recognised, as text --------------------------------------------------------------------------------
def when_text(when: Any) -> str:
    """An alternative on each line: error_code=CONTRACT,DATE text="bill rate,no rate"."""
    return "\n".join(" ".join(f"{word}={_quoted(','.join(values))}" for word, values in each.items()) for each in when)


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


def parse_when(text: str) -> list[dict[str, list[str]]]:
    """What `when_text` writes; ValidationError says which line cannot be read."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            found.append(_alternative(line, number))
    return found


def _alternative(line: str, number: int) -> dict[str, list[str]]:
    try:
        pairs = [word.partition("=") for word in shlex.split(line)]
    except ValueError as error:
        raise forms.ValidationError(f"Line {number} cannot be read: {error}. Close the quotes.") from None
    for word, sign, values in pairs:
        if not sign or word not in classify.WORDS or not values.strip(", "):
            raise forms.ValidationError(f"Line {number}: write word=value, with one of {', '.join(classify.WORDS)}.")
    return {word: [value.strip() for value in values.split(",") if value.strip()] for word, _, values in pairs}


class ClassificationForm(forms.Form):
    """`document()` once it is valid; `rule` is what is changed, be it shipped or the firm's own."""

    name = forms.CharField(max_length=80, help_text="In the words of the business: Missing rate.")
    slug = forms.SlugField(
        label="Short name", max_length=40, required=False, help_text="Made from the name when left empty."
    )
    type = forms.ChoiceField(choices=ExceptionItem.Kind.choices, help_text="Whose business it is to settle it.")
    position = forms.IntegerField(min_value=0, max_value=100_000, initial=500, help_text="The first that fits counts.")
    when = forms.CharField(
        label="Recognised by",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 5, **_TYPED}),
        help_text='An alternative on each line: error_code=CONTRACT,DATE field=bill_rate text="no rate". Words: '
        + ", ".join(classify.WORDS)
        + ".",
    )
    facts = forms.CharField(
        label="Grouped by",
        required=False,
        max_length=400,
        widget=forms.TextInput(attrs=_TYPED),
        help_text="What exceptions with one fix share, with commas: role, client. Known: "
        + ", ".join(classify.FACTS)
        + ".",
    )
    title = forms.CharField(
        label="Title of a group", required=False, max_length=200, help_text="No bill rate: {role} × {client}"
    )
    fix = forms.CharField(
        label="Suggested fix",
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 2, "class": "words"}),
    )
    help = forms.CharField(required=False, max_length=4_000, widget=forms.Textarea(attrs={"rows": 3, "class": "words"}))
    sla_hours = forms.IntegerField(
        label="Settled within business hours",
        required=False,
        min_value=1,
        max_value=10_000,
        help_text="Empty: no deadline.",
    )
    calendar = forms.ModelChoiceField(
        BusinessCalendar.objects.none(),
        required=False,
        to_field_name="slug",
        empty_label="The firm’s only one, else round the clock",
    )
    is_active = forms.BooleanField(label="In use", required=False, initial=True)

    def __init__(self, data: Any = None, *, rule: classify.Rule | None = None) -> None:
        super().__init__(data, initial=_of_rule(rule) if rule else None)
        self.rule = rule
        self.fields["calendar"].queryset = BusinessCalendar.objects.all()  # type: ignore[attr-defined]
        if rule:
            del self.fields["slug"]

    def clean_slug(self) -> str:
        name = self.cleaned_data.get("name", "")
        return _slug(self.cleaned_data["slug"], name, Classification, "classification")

    def clean_when(self) -> list[dict[str, list[str]]]:
        return parse_when(self.cleaned_data["when"])

    def clean_facts(self) -> list[str]:
        names = [name.strip() for name in self.cleaned_data["facts"].split(",") if name.strip()]
        if wrong := [name for name in names if not name.isidentifier()]:
            raise forms.ValidationError(f"{wrong[0]!r} is no name of a fact.")
        return names

    def document(self) -> Document:
        data = self.cleaned_data
        plain = ("name", "type", "position", "when", "facts", "title", "fix", "help", "sla_hours", "is_active")
        calendar = data["calendar"].slug if data["calendar"] else None
        slug = self.rule.slug if self.rule else data["slug"]
        return {"slug": slug, **{name: data[name] for name in plain}, "calendar": calendar}


def _of_rule(rule: classify.Rule) -> dict[str, Any]:
    plain = ("name", "position", "title", "fix", "help", "sla_hours", "is_active")
    return {
        **{name: getattr(rule, name) for name in plain},
        "type": rule.kind,
        "when": when_text(rule.when),
        "facts": ", ".join(rule.facts),
        "calendar": rule.calendar or None,
    }


class RouteForm(forms.Form):
    """`document()` once it is valid; `rule()` is the same, not saved, for the preview."""

    name = forms.CharField(max_length=120, help_text="What it does: Time of unknown people goes to HR operations.")
    slug = forms.SlugField(
        label="Short name", max_length=60, required=False, help_text="Made from the name when left empty."
    )
    position = forms.IntegerField(min_value=0, max_value=100_000, initial=100, help_text="The first that fits counts.")
    cause = forms.ChoiceField(required=False)
    domain = forms.ModelChoiceField(Domain.objects.all(), required=False, to_field_name="slug", empty_label="Any")
    entity = forms.ModelChoiceField(Entity.objects.none(), required=False, to_field_name="slug", empty_label="Any")
    system = forms.ModelChoiceField(System.objects.none(), required=False, to_field_name="slug", empty_label="Any")
    client = forms.CharField(required=False, max_length=200, help_text="Key or name.")
    legal_entity = forms.CharField(label="Legal entity", required=False, max_length=40, help_text="Its code.")
    amount_from = forms.DecimalField(
        label="Amount from",
        required=False,
        min_value=0,
        max_digits=17,
        decimal_places=2,
        help_text="In the firm’s currency.",
    )
    team = forms.CharField(required=False, max_length=80, help_text="For example: Finance operations.")
    person = forms.ModelChoiceField(User.objects.none(), required=False, to_field_name="email", empty_label="Nobody")
    is_active = forms.BooleanField(label="In use", required=False, initial=True)

    def __init__(self, data: Any = None, *, row: RoutingRule | None = None) -> None:
        super().__init__(data, initial=_of_route(row) if row else None)
        self.row = row
        choices: Any = self.fields
        choices["cause"].choices = [("", "Any"), *classify.choices()]
        choices["entity"].queryset = Entity.objects.order_by("name")
        choices["system"].queryset = System.objects.order_by("name")
        choices["person"].queryset = User.objects.filter(is_active=True, is_service=False).order_by("name")
        if row:
            del self.fields["slug"]

    def clean_slug(self) -> str:
        name = self.cleaned_data.get("name", "")
        return _slug(self.cleaned_data["slug"], name, RoutingRule, "routing rule")

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        if not self.errors and not self.cleaned_data["team"] and not self.cleaned_data["person"]:
            self.add_error("team", "Say whose turn it is: a team, a person, or both.")
        return self.cleaned_data

    def document(self) -> Document:
        data = self.cleaned_data
        plain = ("name", "position", "cause", "client", "legal_entity", "team", "is_active")
        amount = data["amount_from"]
        return {
            "slug": self.row.slug if self.row else data["slug"],
            **{name: data[name] for name in plain},
            **{name: data[name].slug if data[name] else None for name in ("domain", "entity", "system")},
            "amount_from": None if amount is None else short_amount(amount),
            "person": data["person"].email if data["person"] else "",
        }

    def rule(self) -> RoutingRule:
        data = self.cleaned_data
        given = {
            name: data[name] for name in ("name", "position", "cause", "client", "legal_entity", "team", "amount_from")
        }
        links = {name: data[name] for name in ("domain", "entity", "system")}
        return RoutingRule(slug=self.row.slug if self.row else data["slug"], **given, **links)


def _of_route(row: RoutingRule) -> dict[str, Any]:
    plain = ("name", "position", "cause", "client", "legal_entity", "amount_from", "team", "is_active")
    links = {name: found.slug if (found := getattr(row, name)) else None for name in ("domain", "entity", "system")}
    return {**{name: getattr(row, name) for name in plain}, **links, "person": row.person or None}
