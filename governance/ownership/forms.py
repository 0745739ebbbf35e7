"""The form of one rule; it makes a document, which takes the way of every other one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.text import slugify

from connectors.models import System
from governance.models import Entity, OwnershipRule
from governance.ownership.definitions import Ground, problems
from governance.ownership.phrases import EMPTY_WORD
from governance.ownership.services import KIND
from hub.common.registry import Document

PLACES = 4
_PLACE_WORDS = ("Owner, or most trusted", "Then", "Then", "Then")
_DATE = {"type": "date"}


class Words(forms.CharField):
    """A list of texts, written with commas between them."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(one or EMPTY_WORD for one in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        found = [word.strip() for word in re.split(r"[,\n]", value or "") if word.strip()]
        return ["" if word == EMPTY_WORD else word for word in found]

    def validate(self, value: Any) -> None:
        """An empty list is no error."""

    def run_validators(self, value: Any) -> None:
        """Lengths are checked by the model."""


class RuleForm(forms.Form):
    """A rule in the order in which people think of it: what, who, when, and else."""

    group = forms.CharField(
        label="Name of the fields",
        required=False,
        max_length=80,
        help_text="As people call them in the matrix: Billing address.",
    )
    fields_named = forms.MultipleChoiceField(
        label="Fields",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None: all fields that no other rule names.",
    )
    decide = forms.ChoiceField(label="Decided by", choices=OwnershipRule.Decide.choices)
    policy = forms.ChoiceField(label="What becomes of another system's value", choices=OwnershipRule.Policy.choices)
    fills_empty = forms.BooleanField(label="Others may set a field while the hub holds nothing in it", required=False)
    legal_entities = Words(
        label="Only for the legal entities", required=False, help_text="With commas: HV-UK, HV-US. None: all."
    )
    phase_field = forms.ChoiceField(label="Only while the field", required=False)
    phases = Words(
        label="is one of", required=False, help_text=f"With commas: active, on_hold. Write {EMPTY_WORD} for no value."
    )
    from_date = forms.DateField(label="First day", required=False, widget=forms.DateInput(attrs=_DATE))
    to_date = forms.DateField(label="Last day", required=False, widget=forms.DateInput(attrs=_DATE))
    note = forms.CharField(label="Why", required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, entity: Entity, ground: Ground, rule: OwnershipRule | None, *args: Any, **kwargs: Any) -> None:
        self.entity, self.ground, self.rule = entity, ground, rule
        super().__init__(*args, **{"initial": self._initial(rule), **kwargs})
        named = [(field.name, field.title) for field in ground.fields]
        self.fields["fields_named"].choices = named  # type: ignore[attr-defined]
        self.fields["phase_field"].choices = [("", "Always"), *named]  # type: ignore[attr-defined]
        if not ground.legal_entity_field:
            del self.fields["legal_entities"]
        systems = [("", "–"), *System.objects.order_by("name").values_list("slug", "name")]
        for place in range(max(PLACES, len(rule.systems) if rule else 0)):
            given = rule.systems[place] if rule and place < len(rule.systems) else ""
            self.fields[f"system_{place}"] = forms.ChoiceField(
                label=_PLACE_WORDS[min(place, PLACES - 1)], choices=systems, required=False, initial=given
            )

    def _initial(self, rule: OwnershipRule | None) -> dict[str, Any]:
        if rule is None:
            return {}
        plain = ("group", "decide", "policy", "fills_empty", "legal_entities", "phase_field", "phases", "note")
        dated = ("from_date", "to_date")
        return {"fields_named": rule.fields, **{name: getattr(rule, name) for name in (*plain, *dated)}}

    @property
    def places(self) -> Sequence[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith("system_")]

    @property
    def document(self) -> Document:
        """What was sent as a document. Call when the form is valid."""
        given = self.cleaned_data
        dates = {name: given[name].isoformat() for name in ("from_date", "to_date") if given[name]}
        plain = ("group", "decide", "policy", "fills_empty", "phase_field", "phases", "note")
        document: Document = {
            "kind": KIND,
            "slug": self.rule.slug if self.rule else self._slug(),
            "entity": self.entity.slug,
            "fields": given["fields_named"],
            "systems": self._systems(),
            "legal_entities": given.get("legal_entities") or [],
            **{name: given[name] for name in plain},
            **dates,
            "status": self.rule.status if self.rule else OwnershipRule.Status.DRAFT,
        }
        if self.rule and self.rule.replaces:
            document["replaces"] = self.rule.replaces.slug
        return document

    def _systems(self) -> list[str]:
        return [found for field in self.places if (found := self.cleaned_data.get(field.name))]

    def _slug(self) -> str:
        """entity-what-who, with a number where that is taken."""
        given = self.cleaned_data
        what = given["group"] or "-".join(given["fields_named"][:2]) or "all"
        stem = slugify("-".join([self.entity.slug, what, *self._systems()[:1]]))[:70]
        taken = set(OwnershipRule.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
        return next(slug for n in range(len(taken) + 1) if (slug := f"{stem}-{n + 1}" if n else stem) not in taken)

    def clean(self) -> dict[str, Any]:
        """The rules of the kind as errors of the fields that they name."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        row = OwnershipRule(entity=self.entity)
        values = {name: value for name, value in self.document.items() if name not in ("kind", "entity", "replaces")}
        for name, value in values.items():
            setattr(row, name, value)
        if cleaned["from_date"] and cleaned["to_date"] and cleaned["to_date"] < cleaned["from_date"]:
            self.add_error("to_date", "The last day is before the first day.")
        places = {"fields": "fields_named", "systems": "system_0"}
        for name, sentence in problems(row):
            self.add_error(places.get(name, name) if places.get(name, name) in self.fields else None, sentence)
        return cleaned
