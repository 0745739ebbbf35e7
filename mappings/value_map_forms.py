"""Forms of value maps: the map itself, one entry, a file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.text import slugify

from hub.accounts.models import User
from hub.accounts.queries import domains_for
from mappings.entries import Entry
from mappings.models import ValueMap
from mappings.value_map_csv import MAX_BYTES, decode

RESERVED = {"new"}  # the address beside those of the maps


class ValueMapForm(forms.ModelForm[ValueMap]):
    """A map's own settings. The domains offered are those in which the person may change value maps."""

    class Meta:
        model = ValueMap
        fields = ["name", "description", "domain", "on_unmapped", "default"]
        labels = {"on_unmapped": "A value that is not listed", "default": "Default value"}
        help_texts = {
            "name": "For example: PSA activities to ERP expenditure types.",
            "domain": "Who may change it: the people of this domain, or those of the whole firm.",
            "default": "What an unlisted value becomes, if it becomes the default.",
        }
        widgets = {"description": forms.Textarea(attrs={"rows": 2, "class": "words"})}

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        domain = self.fields["domain"]
        assert isinstance(domain, forms.ModelChoiceField)
        domain.queryset = domains_for(user, "valuemaps.edit")
        is_firm_wide = user.domain_ids_for("valuemaps.edit") is None
        domain.required, domain.empty_label = not is_firm_wide, "The whole firm" if is_firm_wide else None

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if self.instance.pk is None:
            slug = slugify(name)[:80]
            if not slug or slug in RESERVED:
                raise forms.ValidationError("Use at least one letter or digit, and more than the name of a page.")
            if ValueMap.objects.filter(slug=slug).exists():
                raise forms.ValidationError("There is a value map of this name already. Choose another name.")
        return name

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if said.get("on_unmapped") == ValueMap.Unmapped.DEFAULT and not said.get("default"):
            self.add_error("default", "Name the default value, or choose what else happens.")
        return said

    def values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.Meta.fields}


class EntryForm(forms.Form):
    """One entry; inputs stand in table cells, so each carries its label for screen readers."""

    source = forms.CharField(max_length=200, label="Source value")
    target = forms.CharField(max_length=200, required=False, label="Target value")
    valid_from = forms.DateField(required=False, label="Valid from", widget=forms.DateInput(attrs={"type": "date"}))
    valid_to = forms.DateField(required=False, label="Valid to", widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, data: QueryDict | None = None, *, form_id: str, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, auto_id=f"{form_id}-%s", initial=initial)
        for field in self.fields.values():
            field.widget.attrs |= {"form": form_id, "aria-label": field.label, "class": "inp inp-sm"}
            if isinstance(field.widget, forms.DateInput):
                field.widget.format = "%Y-%m-%d"

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        first, last = said.get("valid_from"), said.get("valid_to")
        if first and last and last < first:
            self.add_error("valid_to", "The period ends before it starts.")
        return said

    def entry(self) -> Entry:
        return Entry(**self.cleaned_data)


class TableForm(forms.Form):
    """A CSV file, or its text once the preview was shown; `text` afterwards holds what was sent."""

    file = forms.FileField(required=False, label="CSV file", help_text="Columns source, target, valid_from, valid_to.")
    text = forms.CharField(required=False, widget=forms.HiddenInput)
    remove_others = forms.BooleanField(
        required=False,
        initial=True,
        label="The file is the whole table: remove entries that it lacks",
    )
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if file := said.get("file"):
            if file.size > MAX_BYTES:
                raise forms.ValidationError(f"The file is larger than {MAX_BYTES // 1_000_000} MB. Split it.")
            try:
                said["text"] = decode(file.read())
            except UnicodeDecodeError:
                raise forms.ValidationError("The file is not text. Save it as CSV (UTF-8).") from None
        if not said.get("text"):
            raise forms.ValidationError("Choose a CSV file.")
        return said
