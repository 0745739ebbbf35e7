"""The form of a match rule and the rows of what it compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.text import slugify

from governance.matching import rules
from governance.matching.definition import KEY
from governance.matching.normal import FORMS
from governance.models import Entity, MatchRule
from governance.queries import entities_for
from governance.schemas import Field
from hub.accounts.models import User

EDIT = "contracts.edit"
COMPARE_WORDS = {
    "exact": "exactly equal",
    "normalised": "equal but for its spelling",
    "fuzzy": "alike",
}
FORM_WORDS = {
    "text": "words", "company": "firm's name", "key": "number or code", "tax_id": "tax number", "email": "e-mail",
    "domain": "web domain", "phone": "telephone number",
}  # fmt: skip
EXTRA_ROWS = 2


class RuleForm(forms.Form):
    """What a rule is called, where it stands, and what follows when it agrees; the compared fields are in `rows_of`."""

    entity = forms.ModelChoiceField(Entity.objects.none(), to_field_name="slug", empty_label="Choose an entity")
    name = forms.CharField(max_length=120, help_text="As people call it: Same tax number.")
    slug = forms.SlugField(
        label="Short name",
        max_length=80,
        required=False,
        help_text="Used in addresses and by programs; it cannot be changed later.",
    )
    outcome = forms.ChoiceField(
        label="When it agrees",
        choices=MatchRule.Outcome.choices,
        help_text="Where it means more than one record, it is held in any case.",
    )
    position = forms.IntegerField(
        min_value=1,
        max_value=999,
        initial=10,
        help_text="Rules are asked from the smallest number on; the first decides.",
    )
    is_active = forms.BooleanField(label="In force", required=False, initial=True)
    reason = forms.CharField(label="Why?", max_length=500, required=False, help_text="Kept in the audit.")

    def __init__(self, *args: Any, user: User, rule: MatchRule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["entity"].queryset = entities_for(user, EDIT)  # type: ignore[attr-defined]
        for name in ("entity", "slug") if rule is not None else ():
            del self.fields[name]

    def clean_slug(self) -> str:
        entity, name = self.cleaned_data.get("entity"), self.cleaned_data.get("name") or ""
        found = self.cleaned_data["slug"] or slugify(f"{entity.slug if entity else ''}-{name}")[:80]
        if MatchRule.objects.filter(slug=found).exists():
            raise forms.ValidationError(f"There is already a rule called “{found}”.")
        return found


class ComparisonForm(forms.Form):
    """One compared field."""

    field = forms.ChoiceField(label="Field", required=False)
    compare = forms.ChoiceField(label="Has to be", choices=list(COMPARE_WORDS.items()), initial="normalised")
    form = forms.ChoiceField(label="As", choices=[(name, FORM_WORDS[name]) for name in FORMS])
    threshold = forms.IntegerField(
        label="Alike from", min_value=rules.LEAST_THRESHOLD, max_value=100, initial=rules.THRESHOLD
    )

    def __init__(self, *args: Any, contract: Sequence[Field], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [("", "Choose a field"), (KEY, "The whole key"), *((one.name, one.title) for one in contract)]
        self.fields["field"].choices = names  # type: ignore[attr-defined]


def rows_of(
    contract: Sequence[Field], *, data: Mapping[str, Any] | None = None, compared: Sequence[Mapping[str, Any]] = ()
) -> list[ComparisonForm]:
    """The rows of the form: as sent when there is `data`, else as stored, with empty ones behind them."""
    if data is not None:
        sent = str(data.get("compare-rows", "0"))
        number = min(int(sent), rules.MAX_COMPARISONS) if sent.isascii() and sent.isdigit() else 0
        return [_row(n, contract, data=data) for n in range(number)]
    stored = [_row(n, contract, initial=dict(one)) for n, one in enumerate(compared)]
    number = min(len(stored) + EXTRA_ROWS, rules.MAX_COMPARISONS)
    return stored + [_row(n, contract) for n in range(len(stored), number)]


def _row(number: int, contract: Sequence[Field], **kwargs: Any) -> ComparisonForm:
    return ComparisonForm(prefix=f"compare-{number}", contract=contract, **kwargs)


def compared_of(rows: Sequence[ComparisonForm]) -> list[dict[str, Any]] | None:
    """The comparisons as data, rows without a field left out; None when a row is not valid."""
    chosen = [row for row in rows if row["field"].value()]
    if not all(row.is_valid() for row in chosen):
        return None
    return [dict(row.cleaned_data) for row in chosen]
