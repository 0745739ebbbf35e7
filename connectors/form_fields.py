"""From the fields that a kind of connection declares to the fields of a form, and back to config and secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.dateparse import parse_date

from connectors.declaration_rules import is_time_zone
from hub.accounts.forms import zone_choices

PREFIX, CLEAR = "c_", "clear_"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?|\[?[0-9A-Fa-f:]+\]?")

Spec = Mapping[str, Any]


class SuggestInput(forms.TextInput):
    """A text field with a list of suggestions to search in; anything else may be typed too."""

    template_name = "connectors/_suggest.html"

    def __init__(self, suggestions: Iterable[str] = (), attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"autocomplete": "off", "spellcheck": "false", **(attrs or {})})
        self.suggestions = list(suggestions)

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        widget = context["widget"]
        list_id = f"{widget['attrs'].get('id', name)}_list"
        widget["attrs"]["list"] = list_id
        return {**context, "list_id": list_id, "suggestions": self.suggestions}


class KeptSecret(forms.CharField):
    """A secret that is needed and has a value already: nothing typed means that the value stays."""

    def validate(self, value: str) -> None:
        """Empty is fine here."""


class SecretArea(forms.Textarea):
    """Several lines that are never sent back to the browser, such as a private key."""

    def format_value(self, value: Any) -> None:
        return None


def build_field(name: str, spec: Spec, *, is_stored: bool) -> forms.Field:
    """The form field of one declared field; `is_stored` says that a secret has a value already."""
    help_text = spec.get("help", "")
    if spec.get("secret"):
        return _secret_field(spec, help_text, is_stored)
    default = spec.get("default")
    common: dict[str, Any] = {
        "label": spec.get("title") or name,
        "help_text": help_text,
        "required": bool(spec.get("required")) and default is None,
        "initial": default,
    }
    return _typed_field(spec, common)


def _typed_field(spec: Spec, common: dict[str, Any]) -> forms.Field:
    attrs: dict[str, Any] = {"placeholder": str(spec["example"])} if spec.get("example") not in (None, "") else {}
    kind = spec.get("type", "string")
    if spec.get("enum"):
        return _choice_field(spec["enum"], common)
    if kind == "boolean":
        return forms.BooleanField(**{**common, "required": False})
    if kind == "integer":
        return forms.IntegerField(widget=forms.NumberInput(attrs), **common)
    if kind == "number":
        return forms.FloatField(widget=forms.NumberInput(attrs), **common)
    widget = (
        forms.Textarea({"rows": 5, "spellcheck": "false", **attrs}) if kind == "text" else _text_widget(spec, attrs)
    )
    return forms.CharField(widget=widget, validators=list(_validators(spec)), strip=kind != "text", **common)


def _text_widget(spec: Spec, attrs: dict[str, Any]) -> forms.Widget:
    if spec.get("format") == "time-zone":
        return SuggestInput(zone_names(), attrs)
    return forms.TextInput({"autocomplete": "off", "spellcheck": "false", **attrs})


def _choice_field(options: list[Any], common: dict[str, Any]) -> forms.Field:
    by_text = {str(option): option for option in options}
    blank = [] if common["initial"] is not None or common["required"] else [("", "–")]
    return forms.TypedChoiceField(
        choices=blank + [(text, text) for text in by_text], coerce=by_text.__getitem__, empty_value=None, **common
    )


def _secret_field(spec: Spec, help_text: str, is_stored: bool) -> forms.Field:
    attrs = {"autocomplete": "new-password", "spellcheck": "false"}
    if is_stored:
        help_text = f"Set; leave empty to keep it. {help_text}".strip()
        attrs["placeholder"] = "•••••••• set"
    else:
        help_text = f"{help_text} Write-only, encrypted.".strip()
    is_long = spec.get("type") == "text"
    widget = SecretArea({"rows": 5, **attrs}) if is_long else forms.PasswordInput(attrs)
    field = KeptSecret if is_stored else forms.CharField
    return field(
        label=spec.get("title", ""),
        help_text=help_text,
        required=bool(spec.get("required")),
        strip=not is_long,
        widget=widget,
    )


def zone_names() -> list[str]:
    """UTC first, then every place."""
    return [name for name, _ in zone_choices()]


# --- checks of what was typed ---------------------------------------------------------------------------------------


def _validators(spec: Spec) -> Iterable[Callable[[str], None]]:
    if check := _FORMATS.get(spec.get("format", "")):
        yield check
    if pattern := spec.get("pattern"):
        yield partial(_check_pattern, pattern, str(spec.get("example") or ""))


def _check_pattern(pattern: str, example: str, value: str) -> None:
    if not re.fullmatch(pattern, value.strip()):
        hint = f", as in {example}" if example else ""
        raise ValidationError(f"This must look like {pattern}{hint}.")


def _check_uri(value: str) -> None:
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or not parts.netloc:
        raise ValidationError("Write the whole address, beginning with https://.")


def _check_host(value: str) -> None:
    if not _HOST.fullmatch(value.strip()):
        raise ValidationError("Write a host name such as erp.example.com, without https:// and without a path.")


def _check_date(value: str) -> None:
    try:
        found = parse_date(value.strip())
    except ValueError:
        found = None
    if found is None:
        raise ValidationError("Write a date as YYYY-MM-DD.")


def check_time_zone(value: str) -> None:
    """Raises ValidationError for anything but an IANA name."""
    if not is_time_zone(value):
        raise ValidationError(f"{value!r} is not a time zone. Use a name such as Europe/London.")


_FORMATS: dict[str, Callable[[str], None]] = {
    "uri": _check_uri,
    "hostname": _check_host,
    "email": validate_email,
    "date": _check_date,
    "time-zone": check_time_zone,
}
