"""The decision about a possible duplicate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from hub.common.reasons import MAX_REASON
from hub.records.models import CanonicalRecord
from hub.sync.models import Duplicate

Decision = Duplicate.Decision
KEYS = {Decision.LINK: "l", Decision.MERGE: "m", Decision.NEW: "n"}


class DecisionForm(forms.Form):
    """What it is, which record is meant, and why."""

    decision = forms.ChoiceField(label="Decision", choices=Decision.choices, widget=forms.RadioSelect)
    record = forms.ModelChoiceField(CanonicalRecord.objects.none(), required=False, empty_label=None, label="Which one")
    reason = forms.CharField(
        label="Why?",
        max_length=MAX_REASON,
        help_text="Kept with your name in the audit.",
        widget=forms.TextInput(attrs={"data-key": "r", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, candidates: Sequence[CanonicalRecord], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = CanonicalRecord.objects.filter(pk__in=[one.pk for one in candidates])
        self.fields["record"].queryset = rows  # type: ignore[attr-defined]
        if not candidates:
            self.fields["decision"].choices = [(Decision.NEW, Decision.NEW.label)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("decision") in (Decision.LINK, Decision.MERGE) and not cleaned.get("record"):
            self.add_error("record", "Choose the record that it is.")
        return cleaned
