"""The form of a cut-over: it makes a document."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.text import slugify

from hub.accounts.models import Domain, User
from hub.accounts.queries import domains_for
from hub.accounts.roles import ROLE_CHOICES
from hub.common.registry import Document
from hub.cutover.models import Cutover
from hub.events.forms import LinesField
from hub.sync.models import Sync

RESERVED = {"new"}
PLAIN = ("name", "owner", "days_needed", "carry", "notes", "tolerances", "legal_entities")


class CutoverForm(forms.Form):
    """`document()` once it is valid; the entity is that of the legacy sync."""

    name = forms.CharField(max_length=120, help_text="For example: Projects to Business Central.")
    slug = forms.SlugField(
        label="Short name", max_length=80, required=False, help_text="Made from the name when left empty."
    )
    domain = forms.ModelChoiceField(Domain.objects.none(), to_field_name="slug")
    legacy = forms.ModelChoiceField(
        Sync.objects.none(), label="Legacy side", to_field_name="slug", help_text="The sync that delivers today."
    )
    new = forms.ModelChoiceField(
        Sync.objects.none(), label="New side", to_field_name="slug",
        help_text="The sync that delivers the same entity to the new system. It is held back from now on.",
    )  # fmt: skip
    legal_entities = forms.CharField(
        label="Legal entities that go by themselves", required=False,
        help_text="Their codes, separated by commas. All the others go together.",
    )  # fmt: skip
    days_needed = forms.IntegerField(
        label="Clean days in a row", min_value=1, max_value=90, initial=10,
        help_text="So many days with no unexplained difference are needed before each step to dual and to new.",
    )  # fmt: skip
    carry = forms.ChoiceField(
        label="A side that begins to deliver is sent", choices=Cutover.Carry.choices, initial=Cutover.Carry.OPEN,
        help_text="The first is right for postings, the second for master data such as customers and projects.",
    )  # fmt: skip
    tolerances = LinesField(
        label="Tolerances", help_text="One field a line with the amount by which numbers may differ: budget_hours: 0.01"
    )
    owner = forms.ChoiceField(choices=ROLE_CHOICES, help_text="Who explains differences and answers for the switch.")
    notes = forms.CharField(
        required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 3, "class": "words"})
    )

    def __init__(self, data: Any = None, *, user: User, cutover: Cutover | None = None) -> None:
        super().__init__(data, initial=_initial(cutover) if cutover else None)
        fields: Any = self.fields
        fields["domain"].queryset = domains_for(user, "cutovers.edit")
        for name in ("legacy", "new"):
            fields[name].queryset = Sync.objects.filter(mapping__direction="out").order_by("name")
        if cutover:
            del self.fields["slug"]
        self.known = cutover.slug if cutover else ""

    def clean_slug(self) -> str:
        slug = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:80]
        if not slug or slug in RESERVED:
            raise forms.ValidationError("Give a short name of letters, digits and hyphens.")
        if Cutover.objects.filter(slug=slug).exists():
            raise forms.ValidationError(f"There is already a cut-over “{slug}”.")
        return slug

    def clean_legal_entities(self) -> list[str]:
        return [code.strip() for code in self.cleaned_data["legal_entities"].split(",") if code.strip()]

    def document(self) -> Document:
        found = self.cleaned_data
        return {
            "slug": self.known or found["slug"],
            "entity": found["legacy"].mapping.entity.slug,
            **{name: found[name].slug for name in ("domain", "legacy", "new")},
            **{name: found[name] for name in PLAIN},
        }


def _initial(cutover: Cutover) -> dict[str, Any]:
    found = {name: getattr(cutover, name) for name in PLAIN}
    found |= {name: getattr(cutover, name).slug for name in ("domain", "legacy", "new")}
    found["legal_entities"] = ", ".join(cutover.legal_entities)
    found["tolerances"] = "\n".join(f"{name}: {amount}" for name, amount in cutover.tolerances.items())
    return found
