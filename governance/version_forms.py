"""Forms for versions of contracts: a proposal, and the reasons of its steps."""

from __future__ import annotations

import json
from typing import Any

import orjson
import yaml
from django import forms

from governance.models import ContractVersion
from governance.schemas import Schema, schema_problems

_AREA = {"rows": 2, "class": "words"}


class ProposalForm(forms.Form):
    """The schema of the next version, as JSON or YAML."""

    schema = forms.CharField(
        label="JSON Schema",
        widget=forms.Textarea({"rows": 24, "spellcheck": "false"}),
        help_text="The whole schema of one record, as JSON or YAML; it begins as the version in force.",
    )
    note = forms.CharField(label="What changes, and why", required=False, max_length=1000, widget=forms.Textarea(_AREA))

    def clean_schema(self) -> Schema:
        try:
            found = yaml.safe_load(self.cleaned_data["schema"])
        except (yaml.YAMLError, RecursionError) as error:
            raise forms.ValidationError(f"This is neither JSON nor YAML: {error}") from None
        if problems := schema_problems(found):
            path, sentence = problems[0]
            raise forms.ValidationError(f"{path}: {sentence}" if path else sentence)
        return dict(found)

    @staticmethod
    def text_of(version: ContractVersion | None) -> str:
        return orjson.dumps(version.schema, option=orjson.OPT_INDENT_2).decode() if version else json.dumps({})


class StepForm(forms.Form):
    """The words that a step wants; which of them are needed the service says."""

    reason = forms.CharField(required=False, max_length=500)
    accepted_break = forms.CharField(required=False, max_length=500)
    sunset_date = forms.DateField(required=False)
    kind = forms.CharField(required=False, max_length=40)
    name = forms.CharField(required=False, max_length=120)

    def words(self, *names: str) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in names}
