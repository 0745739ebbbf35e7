"""The head of a billing rule's form, and an example to try; the table itself is governance.billing.grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.text import slugify

from governance.billing.conditions import FALSE, TRUE
from governance.billing.deciding import Decision, decide
from governance.billing.queries import EDIT
from governance.billing.table import Table
from governance.models import BillingRule
from hub.accounts.models import Domain, User
from hub.accounts.queries import domains_for
from hub.common.errors import HubError

RESERVED = {"new"}


class BillingRuleForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="For example: Milestone billing of advisory projects.")
    slug = forms.SlugField(
        label="Short name", max_length=80, required=False, help_text="Made from the name when left empty. It stays."
    )
    purpose = forms.ChoiceField(label="Decides about", choices=BillingRule.Purpose.choices)
    domain = forms.ModelChoiceField(Domain.objects.none(), empty_label=None, to_field_name="slug")
    description = forms.CharField(
        required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2, "class": "words"})
    )
    note = forms.CharField(
        label="Why it changes", required=False, max_length=500, help_text="Kept with the version, and in the audit."
    )
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, user: User, data: Any = None, *, rule: BillingRule | None = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self.rule = rule
        self.fields["domain"].queryset = domains_for(user, EDIT)  # type: ignore[attr-defined]
        if rule is not None:
            del self.fields["slug"]

    def clean_slug(self) -> str:
        slug = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:80]
        if not slug or slug in RESERVED:
            raise forms.ValidationError("Give a short name of letters, digits and hyphens.")
        if BillingRule.objects.filter(slug=slug).exists():
            raise forms.ValidationError(f"There is already a billing rule “{slug}”.")
        return slug

    def head(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "slug": self.rule.slug if self.rule else data["slug"],
            "name": data["name"],
            "description": data["description"],
            "purpose": data["purpose"],
            "domain": data["domain"].slug,
        }


@dataclass(frozen=True, slots=True)
class ExampleField:
    name: str
    label: str
    value: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A case typed by a person, and what a table makes of it."""

    fields: list[ExampleField]
    decision: Decision | None = None
    problem: str = ""


def example_of(table: Table, data: Mapping[str, Any]) -> Example:
    """Inputs are named `try-<input>`; nothing is decided until one of them is given."""
    case = {column.name: str(data.get(f"try-{column.name}", "")).strip()[:500] for column in table.inputs}
    fields = [
        ExampleField(
            f"try-{column.name}",
            column.label,
            case[column.name],
            (TRUE, FALSE) if column.type == "boolean" else column.values,
        )
        for column in table.inputs
    ]
    if not any(case.values()):
        return Example(fields)
    try:
        return Example(fields, decide(table, case))
    except HubError as error:
        return Example(fields, problem=f"{error.what} {error.fix}".strip())
