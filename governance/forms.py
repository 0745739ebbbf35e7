"""Forms of entities and of the fields of their contracts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django import forms

from governance.exchange.importing import RESERVED
from governance.field_specs import TYPES, FieldInput, Spec, build, problem, shown
from governance.models import Contract, ContractVersion, Entity
from governance.schemas import CLASSIFICATIONS, TYPE_WORDS, fields_of
from governance.services import FIELD_NAME
from hub.accounts.models import Domain, User
from hub.accounts.queries import domains_for

_CLASS_WORDS = {
    "public": "Public",
    "internal": "Internal",
    "confidential": "Confidential: shown masked",
    "restricted": "Restricted: shown masked",
}
_COMMON = ("string", "decimal", "integer", "boolean", "date", "date-time", "period", "currency", "email")
_AREA = {"rows": 3, "class": "prose"}


class EntityForm(forms.Form):
    """A new entity: what it is called, where it belongs, and what tells its records apart."""

    name = forms.CharField(max_length=120, help_text="In the singular, as people say it: Purchase order.")
    slug = forms.SlugField(
        label="Short name",
        max_length=60,
        help_text="For addresses, files and the API; it cannot change later. Example: purchase_order.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
    )
    domain = forms.ModelChoiceField(
        Domain.objects.none(), empty_label=None, help_text="People who may edit contracts of this domain may change it."
    )
    key_fields = forms.CharField(
        label="Key fields",
        max_length=200,
        initial="code",
        help_text="What tells records apart. Several, where only together they are unique: order, line_number.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
    )
    description = forms.CharField(required=False, max_length=1000, widget=forms.Textarea(attrs=_AREA))

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["domain"].queryset = domains_for(user, "contracts.edit")  # type: ignore[attr-defined]

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"]).lower()
        if slug in RESERVED:
            raise forms.ValidationError(f"“{slug}” is a word of the addresses. Choose another short name.")
        if Entity.objects.filter(slug=slug).exists() or Contract.objects.filter(slug=slug).exists():
            raise forms.ValidationError(f"There is already an entity called “{slug}”.")
        return slug

    def clean_key_fields(self) -> list[str]:
        names = [name for name in re.split(r"[\s,]+", self.cleaned_data["key_fields"]) if name]
        if wrong := [name for name in names if not FIELD_NAME.fullmatch(name)]:
            raise forms.ValidationError(f"“{wrong[0]}” cannot be the name of a field. {NAME_RULE}")
        if len(set(names)) != len(names):
            raise forms.ValidationError("A key field stands twice.")
        return names


NAME_RULE = "Use small letters, digits and underscores, beginning with a letter."


class SettingsForm(forms.ModelForm[Entity]):
    """What an entity is called, where it belongs, and what its contract does with fields that it does not know."""

    mode = forms.ChoiceField(choices=Contract.Mode.choices, label="Unknown fields")
    # What is not said stays as it is.
    type_mode = forms.ChoiceField(choices=Contract.ValueMode.choices, label="Values of the wrong type", required=False)
    value_mode = forms.ChoiceField(
        choices=Contract.ValueMode.choices, label="Values that are not listed", required=False
    )
    on_breach = forms.ChoiceField(
        choices=Contract.OnBreach.choices,
        required=False,
        label="A breach of the contract",
        help_text="What is missing, too long, against a rule, or frozen above. What was done is listed under Breaches.",
    )
    compatibility = forms.ChoiceField(
        choices=Contract.Compatibility.choices,
        label="Compatibility",
        help_text="What a new version may not break. The versions page says for each change what it breaks.",
    )
    max_wait_minutes = forms.IntegerField(
        label="Longest wait, in minutes",
        min_value=1,
        max_value=525_600,
        help_text="A record whose parent is missing waits this long before it becomes an exception.",
    )

    class Meta:
        model = Entity
        fields = ("name", "domain", "description", "load_order")
        labels = {"load_order": "Load order"}
        help_texts = {"load_order": "First loads run parents before children: smaller numbers come first."}
        widgets = {"description": forms.Textarea(attrs=_AREA)}

    field_order = (
        "name",
        "domain",
        "description",
        "mode",
        "type_mode",
        "value_mode",
        "on_breach",
        "compatibility",
        "load_order",
        "max_wait_minutes",
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["domain"] = forms.ModelChoiceField(domains_for(user, "contracts.edit"), empty_label=None)
        self.order_fields(self.field_order)

    def changes(self) -> dict[str, Any]:
        """The values for `services.change_entity`."""
        data = dict(self.cleaned_data)
        minutes = data.pop("max_wait_minutes")
        return data | ({"max_wait_seconds": minutes * 60} if "max_wait_minutes" in self.changed_data else {})


class FieldForm(forms.Form):
    """One field of a contract, as people see it. `spec` holds the JSON Schema property once the form is valid."""

    name = forms.CharField(
        max_length=60,
        help_text="In mappings, files and the API; it cannot change later. Example: delivery_region.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
    )
    title = forms.CharField(label="Title", max_length=120, help_text="What people call it: Delivery region.")
    description = forms.CharField(
        label="Meaning", required=False, max_length=1000, widget=forms.Textarea(attrs=_AREA | {"rows": 2})
    )
    type = forms.ChoiceField(label="Type")
    required = forms.BooleanField(
        required=False, label="Required", help_text="A record without it is stopped and waits for a correction."
    )
    values = forms.CharField(
        label="Allowed values",
        required=False,
        max_length=10_000,
        help_text="For texts: one on each line. Any other value stops the record.",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
    )
    max_length = forms.IntegerField(
        label="Most characters", required=False, min_value=1, max_value=100_000, help_text="For texts."
    )
    reference = forms.ChoiceField(
        label="Refers to",
        required=False,
        help_text="The field holds the key of another entity; a record waits until that one is here.",
    )
    money = forms.ChoiceField(
        label="Currency stands in", required=False, help_text="For amounts of money: the field with their currency."
    )
    classification = forms.ChoiceField(choices=[(name, _CLASS_WORDS[name]) for name in CLASSIFICATIONS])
    example = forms.CharField(required=False, max_length=1000, help_text="A value as a source would send it.")
    seen = forms.IntegerField(widget=forms.HiddenInput)
    # Asked for once the change was refused because it breaks what the contract promises.
    accepted_break = forms.CharField(label="Why the break is accepted", required=False, max_length=500)
    is_break = False

    def __init__(self, version: ContractVersion, field: str = "", *args: Any, **kwargs: Any) -> None:
        properties = version.schema.get("properties") or {}
        self.field_name, self.before = field, properties.get(field)
        self.was_required = field in (version.schema.get("required") or ())
        self.known = set(properties)
        kwargs.setdefault("initial", {"seen": version.number, **self._initial()})
        super().__init__(*args, **kwargs)
        self.spec: Spec = {}
        self._choose(version)
        if self.before is not None:
            del self.fields["name"]
        if self.is_key:
            self.fields["required"].disabled = True

    @property
    def is_key(self) -> bool:
        return bool(self.before and self.before.get("x-key"))

    def _initial(self) -> dict[str, Any]:
        if self.before is None:
            return {"type": "string", "classification": "internal"}
        given = shown(self.before, self.was_required)
        return {name: getattr(given, name) for name in _SHOWN} | {"values": "\n".join(given.values)}

    def _choose(self, version: ContractVersion) -> None:
        """Drop-downs follow the contract: its currency fields, the other entities, and the type that stands there."""
        current = str(self.initial.get("type", ""))
        types = [*_COMMON, *([current] if current not in _COMMON and current in TYPES else [])]
        self.fields["type"].choices = [(name, TYPE_WORDS[name].capitalize()) for name in types]  # type: ignore[attr-defined]
        entities = Entity.objects.order_by("name").values_list("slug", "name")
        self.fields["reference"].choices = [("", "Nothing"), *entities]  # type: ignore[attr-defined]
        currencies = [f for f in fields_of(version.schema) if f.type == "currency" or f.spec.get("x-currency")]
        self.fields["money"].choices = [  # type: ignore[attr-defined]
            ("", "It is no amount of money"),
            *((field.name, f"{field.title} ({field.name})") for field in currencies if field.name != self.field_name),
        ]

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if not FIELD_NAME.fullmatch(name):
            raise forms.ValidationError(f"“{name}” cannot be the name of a field. {NAME_RULE}")
        if name in self.known:
            raise forms.ValidationError(f"The contract already has a field “{name}”.")
        return name

    def clean_values(self) -> tuple[str, ...]:
        lines = [line.strip() for line in self.cleaned_data["values"].splitlines() if line.strip()]
        if len(set(lines)) != len(lines):
            twice = next(line for line in lines if lines.count(line) > 1)
            raise forms.ValidationError(f"The value “{twice}” stands twice.")
        return tuple(lines)

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        self._refuse_mismatch()
        if not self.errors:
            given = FieldInput(**{name: self.cleaned_data[name] for name in (*_SHOWN, "values")})
            self.spec = build(given, self.before, self.was_required)
            if sentence := problem(self.spec):
                self.add_error("example", sentence)
        return self.cleaned_data

    def _refuse_mismatch(self) -> None:
        """What is said for one type only, said for another."""
        type_ = self.cleaned_data.get("type", "string")
        for name, fitting, sentence in _ONLY:
            if self.cleaned_data.get(name) and type_ not in fitting:
                self.add_error(name, sentence)


_SHOWN = (
    "title",
    "type",
    "required",
    "description",
    "example",
    "max_length",
    "reference",
    "money",
    "classification",
)
_ONLY: Iterable[tuple[str, tuple[str, ...], str]] = (
    ("values", ("string",), "Only a text has allowed values. Choose the type text, or leave this empty."),
    ("max_length", ("string",), "Only a text has a length. Choose the type text, or leave this empty."),
    ("reference", ("string",), "A reference is the key of another record, so its type is text."),
    (
        "money",
        ("decimal", "integer", "number"),
        "An amount of money is a decimal number. Choose that type, or leave this empty.",
    ),
)
