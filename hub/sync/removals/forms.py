"""The settings of a sync about records that are gone."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django import forms
from django.contrib.postgres.forms import SimpleArrayField

from hub.sync.models import Sync
from hub.sync.removals import policy


class RemovalForm(forms.ModelForm[Sync]):
    """Only the fields of the sync's direction."""

    class Meta:
        model = Sync
        fields = (*policy.INBOUND, *policy.OUTBOUND)
        field_classes: ClassVar = {"deleted_values": SimpleArrayField}
        labels: ClassVar = {
            "removals": "Gone at the source",
            "max_removed_percent": "Without asking, percent",
            "removed_unasked": "Without asking, records",
            "deleted_path": "Field that says a record is gone",
            "deleted_values": "Values that say so",
            "merged_path": "Field that names the record it was merged into",
            "volume_check": "Compare the number of records",
            "usual_runs": "With so many earlier runs",
            "usual_min_percent": "Suspect below, percent",
            "usual_max_percent": "Suspect above, percent",
            "on_removal": "When a record is gone",
            "closing_values": "Closing values",
        }
        help_texts: ClassVar = {
            "removals": "A crawl counts when it was complete, its first page kept the contract, and nothing is suspect.",
            "max_removed_percent": "If a larger share is missing, a person is asked first.",
            "removed_unasked": "So many may go whatever share they are.",
            "deleted_path": "For example IsDeleted or status.code. It counts in every mode.",
            "deleted_values": "Separated by commas. Empty: any value that is not false, 0, no or none.",
            "merged_path": "It holds the id of another record of the same stream, for example MasterRecordId.",
            "volume_check": "A run with an unusual number is suspect, and removes nothing.",
            "usual_runs": "Their median is the usual number.",
            "usual_min_percent": "Of the usual number.",
            "usual_max_percent": "Of the usual number.",
            "on_removal": "What was never delivered is simply not sent any more.",
            "closing_values": 'Fields of the contract that close a record, such as {"status": "closed"}.',
        }
        widgets: ClassVar = {
            "closing_values": forms.Textarea(attrs={"class": "mono", "rows": 2, "spellcheck": "false"})
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in policy.OUTBOUND if self.instance.direction == "in" else policy.INBOUND:
            del self.fields[name]

    def clean_closing_values(self) -> dict[str, Any]:
        found = self.cleaned_data["closing_values"] or {}
        if not isinstance(found, dict):
            raise forms.ValidationError(f"Write names and values in braces, not {json.dumps(found)}.")
        return found

    def _post_clean(self) -> None:
        """The rules of the service as errors of the fields that they name."""
        super()._post_clean()  # type: ignore[misc]
        for name, sentence in policy.problems(self.instance):
            self.add_error(name if name in self.fields else None, sentence)
