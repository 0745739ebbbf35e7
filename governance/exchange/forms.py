"""The form that takes a contract from a file."""

from __future__ import annotations

from typing import Any

from django import forms

from governance.exchange import reading
from hub.accounts.models import Domain, User
from hub.accounts.queries import domains_for

_PLAIN = {"spellcheck": "false", "autocomplete": "off"}


class ImportForm(forms.Form):
    """A file, or its text once the comparison was shown; `content` afterwards holds what was sent."""

    file = forms.FileField(required=False, label="File", help_text="ODCS as YAML, or JSON Schema; at most 8 MB.")
    text = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)
    format = forms.ChoiceField(
        label="Format", choices=[("odcs", "Open Data Contract Standard 3"), ("jsonschema", "JSON Schema 2020-12")]
    )
    name = forms.CharField(
        label="Contract",
        required=False,
        max_length=60,
        help_text="The short name of the contract, or of a new entity. Leave it empty to take what the file says.",
        widget=forms.TextInput(attrs=_PLAIN),
    )
    domain = forms.ModelChoiceField(
        Domain.objects.none(), required=False, empty_label="As the file says", to_field_name="slug",
        help_text="Only for a new entity.",
    )  # fmt: skip
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    is_breaking_accepted = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["domain"].queryset = domains_for(user, "contracts.edit")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if file := said.get("file"):
            # One byte more than may be: the reader then says that the file is too large.
            said["content"] = file.read(reading.MAX_BYTES + 1)
        elif said.get("text"):
            said["content"] = said["text"].encode()
        elif "file" not in self.errors:
            raise forms.ValidationError("Choose a file.")
        return said

    @property
    def where(self) -> str:
        file = self.cleaned_data.get("file")
        return str(file.name) if file else "the file"
