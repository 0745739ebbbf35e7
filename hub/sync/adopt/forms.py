"""Forms of first loads: the two sides, a match definition with its comparisons, and a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.utils.text import slugify

from governance.matching import definition as matching
from governance.matching.normal import FORMS
from governance.models import Entity
from governance.schemas import Field, fields_of
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.sync.adopt import definitions, services
from hub.sync.models import MatchDefinition, Sync
from hub.sync.queries import syncs_for

COMPARE_WORDS = {"exact": "equal or not", "similar": "how alike"}
FORM_WORDS = {
    "text": "words", "company": "firm's name", "key": "number or code", "tax_id": "tax number", "email": "e-mail",
    "domain": "web domain", "phone": "telephone number",
}  # fmt: skip
EXTRA_ROWS, MAX_ROWS = 2, 20


class SyncChoice(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} ({obj.entity}, {obj.stream.connection}: {obj.stream})"


class StartForm(forms.Form):
    """What is adopted, and what it is matched with."""

    target = SyncChoice(
        queryset=Sync.objects.none(),
        to_field_name="slug",
        label="Delivers to",
        empty_label="Choose a sync that delivers",
        help_text="Nothing is delivered to its stream until you approve.",
    )
    source = SyncChoice(
        queryset=Sync.objects.none(),
        to_field_name="slug",
        label="Matched with",
        required=False,
        empty_label="What the hub already holds",
        help_text="A sync that reads the same entity from the other system.",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = syncs_for(user, "syncs.run").order_by("name")
        self.fields["target"].queryset = mine.filter(mapping__direction="out")  # type: ignore[attr-defined]
        self.fields["source"].queryset = mine.filter(mapping__direction="in")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("target"):
            for name, sentence in services.problems(cleaned["target"], cleaned.get("source")):
                self.add_error(name, sentence)
        return cleaned


class AcceptForm(forms.Form):
    """From which score on undecided records are linked to their best candidate."""

    at_least = forms.IntegerField(label="From a score of", min_value=1, max_value=100)


class DecisionForm(forms.Form):
    decision = forms.ChoiceField(choices=[("link", "Same"), ("new", "New"), ("leave", "Left out")])
    partner = forms.IntegerField(required=False)


# Match definitions -------------------------------------------------------------------------------------------
class DefinitionForm(forms.ModelForm[MatchDefinition]):
    """For whom a definition is, and its scores; the compared fields are in `rows_of`."""

    class Meta:
        model = MatchDefinition
        fields = ("entity", "sync", "slug", "same_at", "maybe_at")
        labels: ClassVar = {
            "sync": "Only for the sync",
            "slug": "Short name",
            "same_at": "Same from",
            "maybe_at": "Maybe from",
        }
        help_texts: ClassVar = {
            "sync": "Empty: for every sync of the entity that has none of its own.",
            "slug": "Used in addresses and by programs; it cannot be changed later.",
            "same_at": "Linked without a person from this score on, 1 to 100.",
            "maybe_at": "Below it two records are different.",
        }

    def __init__(self, *args: Any, user: User, contract: Sequence[Field] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.contract = contract
        self.compared: list[dict[str, Any]] = []
        self.fields["entity"].queryset = scope_to_domains(Entity.objects.all(), user, "syncs.edit")  # type: ignore[attr-defined]
        self.fields["entity"].to_field_name = "slug"  # type: ignore[attr-defined]
        outbound = syncs_for(user, "syncs.edit").filter(mapping__direction="out").order_by("name")
        self.fields["sync"].queryset = outbound  # type: ignore[attr-defined]
        self.fields["sync"].to_field_name = "slug"  # type: ignore[attr-defined]
        self.fields["sync"].empty_label = "All its syncs"  # type: ignore[attr-defined]
        self.fields["slug"].required = False
        for name in ("entity", "sync", "slug") if self.instance.pk else ():
            del self.fields[name]
        for name, label, words in (
            ("keep_target", "The target's value wins", "The target is the system of record for these fields."),
            ("may_clear", "May be emptied", "Where the hub holds nothing, the target's value is removed."),
        ):
            self.fields[name] = forms.MultipleChoiceField(
                label=label,
                help_text=words,
                required=False,
                choices=[(field.name, field.title) for field in contract],
                initial=getattr(self.instance, name),
                widget=forms.CheckboxSelectMultiple,
            )

    def clean_slug(self) -> str:
        entity, sync = self.cleaned_data.get("entity"), self.cleaned_data.get("sync")
        owner = sync or entity
        return self.cleaned_data["slug"] or (slugify(owner.slug)[:80] if owner else "")

    def _post_clean(self) -> None:
        """The rules of the service as errors of the fields that they name."""
        super()._post_clean()  # type: ignore[misc]
        if "entity" in self.errors:
            return
        definition = self.instance
        definition.fields = self.compared
        definition.keep_target = self.cleaned_data.get("keep_target", [])
        definition.may_clear = self.cleaned_data.get("may_clear", [])
        for name, sentence in definitions.problems(definition):
            self.add_error(name if name in self.fields else None, sentence)


class ComparisonForm(forms.Form):
    """One compared field."""

    field = forms.ChoiceField(label="Field", required=False)
    compare = forms.ChoiceField(label="Compared", choices=list(COMPARE_WORDS.items()))
    form = forms.ChoiceField(label="As", choices=[(name, FORM_WORDS[name]) for name in FORMS])
    weight = forms.IntegerField(label="Weight", min_value=1, max_value=matching.MAX_WEIGHT, initial=1)
    decides = forms.BooleanField(label="Decides alone", required=False)

    def __init__(self, *args: Any, contract: Sequence[Field], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [("", "Choose a field"), (matching.KEY, "The whole key"), *((one.name, one.title) for one in contract)]
        self.fields["field"].choices = names  # type: ignore[attr-defined]


def rows_of(
    contract: Sequence[Field], *, data: Mapping[str, Any] | None = None, compared: Sequence[Mapping[str, Any]] = ()
) -> list[ComparisonForm]:
    """The rows of the form: as sent when there is `data`, else as stored, with empty ones behind them."""
    if data is not None:
        sent = str(data.get("compare-rows", "0"))
        number = min(int(sent), MAX_ROWS) if sent.isascii() and sent.isdigit() else 0
        return [_row(n, contract, data=data) for n in range(number)]
    stored = [_row(n, contract, initial=dict(one)) for n, one in enumerate(compared)]
    return stored + [_row(len(stored) + n, contract) for n in range(EXTRA_ROWS)]


def _row(number: int, contract: Sequence[Field], **kwargs: Any) -> ComparisonForm:
    return ComparisonForm(prefix=f"compare-{number}", contract=contract, **kwargs)


def compared_of(rows: Sequence[ComparisonForm]) -> list[dict[str, Any]] | None:
    """The comparisons as data, rows without a field left out; None when a row is not valid."""
    chosen = [row for row in rows if row["field"].value()]
    if not all(row.is_valid() for row in chosen):
        return None
    return [dict(row.cleaned_data) for row in chosen]


def contract_fields(entity: Entity | None) -> list[Field]:
    return fields_of(definitions.schema_of(entity)) if entity else []
