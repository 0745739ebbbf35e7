"""Forms of streams: what is kept of an object type, and what its records must look like."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import orjson
from django import forms
from django.core.exceptions import ValidationError

from connectors import queries, record_urls
from connectors.form_fields import SuggestInput
from connectors.forms import check_slug
from connectors.models import Stream
from hub.common.json_schemas import schema_error
from hub.common.records import StreamInfo

MAX_PAGE_SIZE = 50_000


class StreamForm(forms.Form):
    """Key, cursor and page size of an object type. `info` is what discovery, or the stored stream, says about it."""

    label = forms.CharField(max_length=120, required=False)
    slug = forms.SlugField(
        label="Short name",
        max_length=80,
        required=False,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
        help_text="For addresses, files and the API; it stays. Left empty, it is made from the names.",
    )
    key_fields = forms.CharField(
        label="Key",
        max_length=500,
        help_text="The fields that tell one record from every other, with commas between them.",
    )
    cursor_field = forms.CharField(
        label="Cursor",
        max_length=120,
        required=False,
        help_text="The field that says when a record last changed. Without one, every run reads everything.",
    )
    page_size = forms.IntegerField(
        label="Page size",
        required=False,
        min_value=0,
        max_value=MAX_PAGE_SIZE,
        widget=forms.NumberInput({"placeholder": "as the system likes it"}),
        help_text="Records asked for at a time.",
    )

    record_url = forms.CharField(
        label="Address of a record",
        max_length=500,
        required=False,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
        help_text="Where people look at one in the system: https://crm.example.com/accounts/{id}.",
    )

    def __init__(self, data: Any = None, *, info: StreamInfo, stream: Stream, **kwargs: Any) -> None:
        self.info, self.stream = info, stream
        self.names = [field.path for field in info.fields]
        super().__init__(data, initial=self._first_values(), **kwargs)
        for name in ("key_fields", "cursor_field"):
            self.fields[name].widget = SuggestInput(self.names)
        if stream.pk:
            del self.fields["slug"]

    def _first_values(self) -> dict[str, Any]:
        kept = self.stream
        if kept.pk:
            key, cursor, label = kept.key_fields, kept.cursor_field, kept.label
        else:
            key, cursor, label = list(self.info.key), self.info.cursor, self.info.label
        return {
            "label": label,
            "key_fields": ", ".join(key),
            "cursor_field": cursor,
            "page_size": kept.page_size or None,
            "record_url": kept.options.get(record_urls.OPTION, ""),
            "slug": "" if kept.pk else queries.stream_slug(kept),
        }

    def clean_slug(self) -> str:
        return check_slug(self.cleaned_data["slug"] or queries.stream_slug(self.stream), taken=Stream.objects.all())

    def clean_key_fields(self) -> list[str]:
        found = [part.strip() for part in self.cleaned_data["key_fields"].split(",") if part.strip()]
        if not found:
            raise ValidationError("Name at least one field.")
        for name in found:
            self._check_known(name)
        return list(dict.fromkeys(found))

    def clean_cursor_field(self) -> str:
        name: str = self.cleaned_data["cursor_field"].strip()
        if name:
            self._check_known(name)
        return name

    def clean_page_size(self) -> int:
        return self.cleaned_data["page_size"] or 0

    def clean_record_url(self) -> str:
        found: str = self.cleaned_data["record_url"].strip()
        if found and (sentence := record_urls.problem(found)):
            raise ValidationError(sentence)
        return found

    def clean(self) -> dict[str, Any]:
        """The address is one of the stream's options; the others stay."""
        cleaned = super().clean() or {}
        if (found := cleaned.pop("record_url", None)) is not None:
            others = {name: value for name, value in self.stream.options.items() if name != record_urls.OPTION}
            cleaned["options"] = {**others, record_urls.OPTION: found} if found else others
        return cleaned

    def _check_known(self, name: str) -> None:
        if self.names and name not in self.names:
            raise ValidationError(f"There is no field {name!r}.{near(name, self.names)}")


def near(name: str, known: Sequence[str]) -> str:
    """A hint at the names that are spelled alike."""
    found = difflib.get_close_matches(name, known, 3, 0.5)
    return f" Did you mean {' or '.join(found)}?" if found else ""


def read_schema(text: str) -> dict[str, Any]:
    """JSON text as a JSON Schema, {} for no text; raises ValidationError with the line or the place."""
    if not text.strip():
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValidationError(f"Line {error.lineno}, column {error.colno}: this is not JSON ({error.msg}).") from None
    check_schema(found)
    return dict(found)


def check_schema(schema: Any) -> None:
    """Raises ValidationError when this is no JSON Schema (2020-12), or one that needs another document."""
    if found := schema_error(schema):
        place, sentence = found
        raise ValidationError(f"{sentence} (at {place})" if place else sentence)


class SourceSchemaForm(forms.Form):
    """What a record of the source must look like before it is mapped; empty lets everything pass."""

    source_schema = forms.CharField(
        label="JSON Schema",
        required=False,
        widget=forms.Textarea({"rows": 16, "spellcheck": "false"}),
        help_text="Records that break it are treated as the contract of their entity says. Empty: anything goes.",
    )

    def clean_source_schema(self) -> dict[str, Any]:
        return read_schema(self.cleaned_data["source_schema"])


def schema_text(schema: Any) -> str:
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode() if schema else ""
