"""Forms of the mapping editor: a new mapping, one rule, going live."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.text import slugify

from connectors.models import Stream
from governance.models import Entity
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from mappings.chains import StepFields, posted_steps, step_fields
from mappings.models import Mapping as MappingModel
from mappings.models import ValueMap
from mappings.phrasing import KIND_WORDS, MISSING_WORDS, ROUNDING_WORDS, UNMAPPED_WORDS, WRITE_WORDS
from mappings.rules import Conversion, FieldRule, RulesError, parse_rules
from mappings.sides import Target

TYPES = {
    "string": "Text",
    "decimal": "Decimal number",
    "integer": "Whole number",
    "boolean": "Yes or no",
    "date": "Date",
    "datetime": "Date and time",
    "json": "List or structure",
}
# The settings that a rule of a kind has besides those of all kinds.
SETTINGS: Mapping[str, tuple[str, ...]] = {
    "direct": ("source",),
    "constant": ("value",),
    "value_map": ("source", "value_map", "reverse", "on_unmapped", "effective_date"),
    "reference": ("source", "entity", "via"),
    "template": ("text",),
    "expression": ("text",),
}
RESERVED = {"new", "value-maps"}  # addresses beside those of the mappings
_RULE_LABEL = re.compile(r"^Rule \d+(?: \([^)]*\))?: ")


class NewMappingForm(forms.Form):
    """What a mapping joins. The entities offered are those in whose domain the person may edit mappings."""

    direction = forms.ChoiceField(choices=MappingModel.Direction, widget=forms.RadioSelect, initial="in")
    stream = forms.ModelChoiceField(
        Stream.objects.select_related("connection__system"),
        label="Stream",
        help_text="The object type of a connection that is read or written.",
    )
    entity = forms.ModelChoiceField(Entity.objects.none(), label="Entity", help_text="What the hub keeps of it.")
    name = forms.CharField(max_length=120, help_text="For example: Projects from the PSA.")

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        entities, streams = self.fields["entity"], self.fields["stream"]
        assert isinstance(entities, forms.ModelChoiceField)
        assert isinstance(streams, forms.ModelChoiceField)
        entities.queryset = scope_to_domains(Entity.objects.all(), user, "mappings.edit")
        entities.empty_label, streams.empty_label = "Choose an entity", "Choose a stream"
        streams.label_from_instance = _stream_label  # type: ignore[method-assign, assignment]

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if not slugify(name) or slugify(name) in RESERVED:
            raise forms.ValidationError("Use at least one letter or digit, and more than the name of a page.")
        if MappingModel.objects.filter(slug=slugify(name)[:80]).exists():
            raise forms.ValidationError("There is a mapping of this name already. Choose another name.")
        return name

    def values(self) -> dict[str, Any]:
        """What `create_mapping` takes."""
        return {**self.cleaned_data, "slug": slugify(self.cleaned_data["name"])[:80]}


def _stream_label(stream: Stream) -> str:
    return f"{stream.connection.name}: {stream}"


class RuleForm(forms.Form):
    """One rule. Which settings it shows and reads depends on its kind; the chain is in `mappings.chains`."""

    kind = forms.ChoiceField(choices=KIND_WORDS.items(), label="How it is filled")
    source = forms.CharField(required=False, label="Source field")
    value = forms.CharField(required=False, label="Value")
    text = forms.CharField(required=False, strip=False, widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}))
    value_map = forms.ChoiceField(required=False, label="Value map")
    reverse = forms.BooleanField(required=False, label="Look up backwards, from target to source")
    on_unmapped = forms.ChoiceField(required=False, choices=UNMAPPED_WORDS.items(), label="A value that is not listed")
    effective_date = forms.CharField(
        required=False, label="As of", help_text="The source field with the date that counts; empty means today."
    )
    entity = forms.ChoiceField(required=False, label="Entity")
    via = forms.ChoiceField(required=False, label="The value is")
    type = forms.ChoiceField(required=False, choices=TYPES.items(), label="Type")
    digits = forms.IntegerField(required=False, min_value=0, max_value=18, label="Decimals")
    rounding = forms.ChoiceField(required=False, choices=ROUNDING_WORDS.items(), label="Rounding")
    on_missing = forms.ChoiceField(required=False, choices=MISSING_WORDS.items(), label="If the field is missing")
    default = forms.CharField(required=False, label="Default")
    write_mode = forms.ChoiceField(required=False, choices=WRITE_WORDS.items(), label="When it is written")
    note = forms.CharField(
        required=False, max_length=500, label="Note", widget=forms.Textarea(attrs={"rows": 2, "class": "words"})
    )

    def __init__(
        self,
        target: Target,
        data: QueryDict | None = None,
        *,
        rule: FieldRule | None = None,
        lists: Mapping[str, list[tuple[str, str]]] | None = None,
    ) -> None:
        """`lists`: see `choices`. Without data the form shows `rule`, or a rule that suits the target."""
        self.target = target
        self.rule = rule or first_rule(target)
        super().__init__(data, initial=_initial(self.rule), auto_id="rule-%s")
        self.steps: list[Conversion] = list(self.rule.convert) if data is None else posted_steps(data)
        for name, choices in (lists or {}).items():
            self.fields[name].choices = choices  # type: ignore[attr-defined]

    @property
    def chosen_kind(self) -> str:
        kind = str(self.data.get("kind", "")) if self.is_bound else self.rule.kind
        return kind if kind in SETTINGS else "direct"

    @property
    def chosen_type(self) -> str:
        return str(self.data.get("type", "")) if self.is_bound else self.rule.type

    @property
    def shows_default(self) -> bool:
        """Whether the rule has a use for a default value."""
        return "default" in {str(self[name].value()) for name in ("on_missing", "on_unmapped")}

    @property
    def is_detailed(self) -> bool:
        """Whether anything is said of type, missing values or writing that is not as usual."""
        usual = first_rule(self.target)
        names = ("type", "digits", "on_missing", "write_mode", "note")
        said = {name: self[name].value() for name in names}
        is_unusual = any((said[name] or "") != (getattr(usual, name) or "") for name in names)
        return is_unusual or bool(self.is_bound and self.errors)

    @property
    def chain(self) -> list[StepFields]:
        return step_fields(self.steps)

    def to_rule(self) -> FieldRule | None:
        """The rule that the form says; None, with errors added, when it is none."""
        return self._said

    def forgive(self) -> None:
        """Show what was sent without its errors: whoever only changed the shape has not finished."""
        self.errors.clear()

    @cached_property
    def _said(self) -> FieldRule | None:
        if not self.is_valid():
            return None
        try:
            return parse_rules([self._document()])[0]
        except RulesError as error:
            for problem in error.problems:
                self._complain(_RULE_LABEL.sub("", problem))
        return None

    def _document(self) -> dict[str, Any]:
        said = self.cleaned_data
        kind = self.chosen_kind
        document = {"target": self.target.path, "kind": kind, "note": said["note"]}
        document |= {name: said[name] for name in SETTINGS[kind]}
        document["type"] = "string" if kind == "reference" else said["type"] or "string"
        if kind == "constant":
            document["value"] = _typed(said["value"], document["type"])
        else:
            document["convert"] = [{"fn": step.fn, "args": dict(step.args)} for step in self.steps]
            document["on_missing"] = said["on_missing"] or "omit"
        if document["type"] == "decimal":
            document |= {"digits": said["digits"], "rounding": said["rounding"]}
        if "default" in (document.get("on_missing"), document.get("on_unmapped")):
            document["default"] = _typed(said["default"], document["type"])
        document["write_mode"] = said["write_mode"] or "overwrite"
        return document

    def _complain(self, sentence: str) -> None:
        """Beside the setting that the sentence begins with, else at the top."""
        word = sentence.split(" ", 1)[0].rstrip(":")
        field = word if word in self.fields else None
        self.add_error(field, sentence[0].upper() + sentence[1:])


def first_rule(target: Target) -> FieldRule:
    """The rule that an empty form starts from: the target's own type, or the entity it refers to."""
    if target.field.entity:
        return FieldRule(target.path, kind="reference", entity=target.field.entity)
    return FieldRule(target.path, type=target.field.type)


def _initial(rule: FieldRule) -> dict[str, Any]:
    values = {name: getattr(rule, name) for name in RuleForm.base_fields}
    return values | {"value": _text(rule.value), "default": _text(rule.default)}


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _typed(text: str, kind: str) -> Any:
    """Text of a form as the constant of a type; what cannot be read stays text, and the rule's check says so."""
    if text == "":
        return None
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind == "integer":
        return int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdigit() else text
    if kind == "json":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def choices(rule: FieldRule | None = None) -> dict[str, list[tuple[str, str]]]:
    """What a rule may name: value maps, entities, and the streams whose ids a reference may hold."""
    maps = ValueMap.objects.values_list("slug", "name")
    streams = Stream.objects.select_related("connection").order_by("connection__name", "label")
    via = [("", "the key of the entity"), *((each.slug, f"an id in {_stream_label(each)}") for each in streams)]
    return {
        "value_map": _with_present([("", "Choose a value map"), *maps], rule.value_map if rule else ""),
        "entity": _with_present(list(Entity.objects.values_list("slug", "name")), rule.entity if rule else ""),
        "via": _with_present(via, rule.via if rule else ""),
    }


def _with_present(offered: Sequence[tuple[str, str]], present: str) -> list[tuple[str, str]]:
    """The choices, and what the rule names now even where that is gone."""
    known = {value for value, _ in offered}
    return [*offered, *([(present, f"{present} (not there)")] if present not in known else [])]


class MappingNameForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="Its short name stays, because other things refer to it.")


class ActivateForm(forms.Form):
    note = forms.CharField(
        max_length=2000,
        required=False,
        label="Note",
        help_text="Why, for whoever reads the versions later.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "words"}),
    )
    seen = forms.CharField(widget=forms.HiddenInput)
