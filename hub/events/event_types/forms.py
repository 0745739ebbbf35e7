"""The form of an event type."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.text import slugify

from governance.models import Entity
from hub.accounts.models import User
from hub.common.registry import Document
from hub.events.event_types import queries
from hub.events.forms import LinesField
from hub.events.models import EventType


class NamesField(forms.CharField):
    """Names separated by commas or spaces, as a list."""

    def clean(self, value: Any) -> list[str]:
        return list(dict.fromkeys(super().clean(value).replace(",", " ").split()))


class EventTypeForm(forms.Form):
    """`document()` once it is valid; what the names mean is judged by the kind."""

    name = forms.CharField(max_length=40, help_text="As others hear it: a noun, a dot, what happened. time.approved.")
    title = forms.CharField(max_length=120, help_text="A sentence for people: Time was approved.")
    entity = forms.ModelChoiceField(Entity.objects.none(), label="About", to_field_name="slug")
    moment = forms.ChoiceField(label="When", choices=EventType.Moment.choices)
    condition = LinesField(
        label="Condition",
        help_text="One field a line with its values, such as status: approved, billed. Empty holds always.",
    )
    watched = NamesField(
        label="Watched fields",
        required=False,
        help_text="Only where the event is that fields change: budget, end_date.",
    )
    carries = NamesField(
        label="Fields that are told",
        required=False,
        help_text="Empty tells all that may be told. Confidential and restricted fields never are.",
    )
    owner = forms.CharField(
        max_length=120, required=False, help_text="Who answers questions about it: Delivery operations."
    )
    description = forms.CharField(
        required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2, "class": "words"})
    )
    version = forms.IntegerField(min_value=1, max_value=1_000, help_text="Grows when receivers would be told less.")
    is_active = forms.BooleanField(label="In use", required=False, initial=True)

    def __init__(self, data: Any = None, *, user: User, found: EventType | None = None) -> None:
        super().__init__(data, initial=_initial(found) if found else {"version": 1})
        self.found = found
        self.fields["entity"].queryset = queries.entities_for(user)  # type: ignore[attr-defined]

    def clean_condition(self) -> dict[str, list[str]]:
        given = self.cleaned_data["condition"]
        return {name: [one.strip() for one in values.split(",") if one.strip()] for name, values in given.items()}

    def document(self) -> Document:
        given = dict(self.cleaned_data)
        given["entity"] = given["entity"].slug
        return {
            "slug": self.found.slug if self.found else slugify(given["name"].replace(".", "-").replace("_", "-")),
            **given,
        }


def _initial(found: EventType) -> dict[str, Any]:
    plain = {
        name: getattr(found, name)
        for name in ("name", "title", "moment", "owner", "description", "version", "is_active")
    }
    return {
        **plain,
        "entity": found.entity.slug,
        "condition": "\n".join(f"{name}: {', '.join(map(str, values))}" for name, values in found.condition.items()),
        "watched": ", ".join(found.watched),
        "carries": ", ".join(found.carries),
    }
