"""Forms of APIs, consumers and tokens. Each makes a document; what its names mean is judged by the kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.text import slugify

from connectors.models import Stream
from governance.models import Entity
from hub.accounts.models import Domain, User
from hub.accounts.queries import domains_for
from hub.common.registry import Document
from hub.events.event_types.forms import NamesField
from hub.events.forms import LinesField
from hub.gateway import queries
from hub.gateway.definition import INDEXED, OPERATIONS, PARTS
from hub.gateway.models import Api, Consumer, Layer, State
from hub.processes.models import Process
from hub.webhooks.models import Endpoint

DAY = {"placeholder": "2026-12-31", "inputmode": "numeric"}
MORE_RELATIONS = 2


class ApiForm(forms.Form):
    """The head of an API and what its layer needs: `document()` once it is valid."""

    layer: Layer
    name = forms.CharField(max_length=120, help_text="For example: Project 360.")
    slug = forms.SlugField(
        label="Short name", max_length=80, required=False, help_text="Made from path and version when left empty."
    )
    path = forms.SlugField(max_length=80, help_text="As callers write it: project-360.")
    version = forms.IntegerField(min_value=1, max_value=999, initial=1, help_text="Versions stand side by side.")
    description = forms.CharField(
        required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2, "class": "words"})
    )
    owner = forms.CharField(max_length=120, required=False, help_text="Who answers questions about it.")
    domain = forms.ModelChoiceField(Domain.objects.none(), to_field_name="slug")
    state = forms.ChoiceField(choices=State.choices, initial=State.ACTIVE)
    deprecated_on = forms.CharField(
        label="Deprecated since", required=False, max_length=10, widget=forms.TextInput(attrs=DAY)
    )
    sunset_on = forms.CharField(
        label="Served until", required=False, max_length=10, widget=forms.TextInput(attrs=DAY),
        help_text="Callers read this day in every answer.",
    )  # fmt: skip

    def __init__(self, *args: Any, user: User, found: Api | None = None, **kwargs: Any) -> None:
        self.found = found
        if found:
            kwargs["initial"] = self._initial(found)
        super().__init__(*args, **kwargs)
        self.fields["domain"].queryset = domains_for(user, queries.EDIT)  # type: ignore[attr-defined]
        if "operations" in self.fields:
            chosen = [(each, each.capitalize()) for each in OPERATIONS[self.layer]]
            self.fields["operations"].choices = chosen  # type: ignore[attr-defined]
        if found:
            for name in ("slug", "path", "version"):
                self.fields[name].disabled = True

    def _initial(self, found: Api) -> dict[str, Any]:
        head = ("name", "slug", "path", "version", "description", "owner", "state", "deprecated_on", "sunset_on")
        given = {name: getattr(found, name) for name in head} | {"domain": found.domain.slug}
        return given | {name: self.shown(name, value) for name, value in found.definition.items()}

    @staticmethod
    def shown(name: str, value: Any) -> Any:
        """A part of the definition as its input holds it."""
        if name in ("fields", "filters"):
            return ", ".join(value)
        return "\n".join(f"{each}: {text}" for each, text in value.items()) if name == "values" else value

    def document(self) -> Document:
        data = self.cleaned_data
        found = {
            name: data[name]
            for name in ("name", "path", "version", "description", "owner", "state", "deprecated_on", "sunset_on")
        }
        found["slug"] = self.found.slug if self.found else data["slug"] or slugify(f"{data['path']}-v{data['version']}")
        found["domain"] = data["domain"].slug
        return found | {name: self._part(data[name]) for name in PARTS[self.layer] if data.get(name)}

    def _part(self, value: Any) -> Any:
        return getattr(value, "slug", value)


class WithEntity(ApiForm):
    entity = forms.ModelChoiceField(Entity.objects.order_by("name"), label="Records of", to_field_name="slug")
    fields_ = NamesField(
        label="Fields", required=False, help_text="Empty gives all that may be told. Confidential fields never are.",
    )  # fmt: skip
    contract_version = forms.IntegerField(
        min_value=1, required=False, help_text="Answers keep this version of the contract. Empty: the one in force."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.found:
            self.initial["fields_"] = self.initial.get("fields", "")

    def document(self) -> Document:
        found = super().document()
        if names := self.cleaned_data.get("fields_"):
            found["fields"] = names
        return found


class SystemApiForm(WithEntity):
    layer = Layer.SYSTEM
    operations = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, initial=["read"])
    filters = NamesField(
        required=False, help_text="By which fields a list is asked. Empty: project, customer, period, legal entity."
    )
    stream = forms.ModelChoiceField(
        Stream.objects.order_by("slug"), to_field_name="slug", required=False, empty_label="none",
        help_text="For look-ups: whose ids callers know.",
    )  # fmt: skip
    endpoint = forms.ModelChoiceField(
        Endpoint.objects.order_by("name"), label="Webhook", to_field_name="slug", required=False, empty_label="none",
        help_text="For writes: the webhook whose sync takes such records in, like all others.",
    )  # fmt: skip


class ProcessApiForm(ApiForm):
    layer = Layer.PROCESS
    process = forms.ModelChoiceField(Process.objects.order_by("name"), to_field_name="slug")
    operations = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, initial=["start", "status"])


class ExperienceApiForm(WithEntity):
    layer = Layer.EXPERIENCE
    values = LinesField(
        label="Computed values",
        help_text="One a line, over record and relations: left: $number(record.budget) - $number(time.totals.cost)",
    )


class RelationForm(forms.Form):
    """One relation of an experience; a row without a name is none."""

    name = forms.SlugField(required=False, max_length=60, help_text="time")
    entity = forms.ModelChoiceField(Entity.objects.order_by("name"), to_field_name="slug", required=False)
    how = forms.ChoiceField(choices=[("by", "many that refer to it by"), ("through", "one, found through its field")])
    field = forms.CharField(required=False, max_length=60, help_text=f"{' or '.join(INDEXED)} are fast.")
    fields_ = NamesField(label="Fields", required=False)
    totals = NamesField(label="Sums of", required=False)
    only_when = LinesField(label="Only those with")
    limit = forms.IntegerField(min_value=0, max_value=200, initial=20)

    def clean(self) -> dict[str, Any]:
        data = dict(super().clean() or {})
        if data.get("name") and not (data.get("entity") and data.get("field")):
            raise forms.ValidationError("Say of which entity the relation is, and by which field it is found.")
        return data

    def relation(self) -> tuple[str, dict[str, Any]]:
        data = self.cleaned_data
        found: dict[str, Any] = {"entity": data["entity"].slug, data["how"]: data["field"]}
        if data["fields_"]:
            found["fields"] = data["fields_"]
        if data["how"] == "by":
            if data["totals"]:
                found["totals"] = data["totals"]
            if data["only_when"]:
                found["only_when"] = {n: [v.strip() for v in text.split(",")] for n, text in data["only_when"].items()}
            if data["limit"] != 20:
                found["limit"] = data["limit"]
        return data["name"], found


RelationFormSet = forms.formset_factory(RelationForm, extra=MORE_RELATIONS)


def relation_rows(found: Api | None) -> list[dict[str, Any]]:
    """The relations of an API as the form set begins."""
    return [
        {
            "name": name, "entity": given["entity"], "how": "through" if "through" in given else "by",
            "field": given.get("through") or given.get("by"), "fields_": ", ".join(given.get("fields") or ()),
            "totals": ", ".join(given.get("totals") or ()), "limit": given.get("limit", 20),
            "only_when": "\n".join(f"{n}: {', '.join(map(str, v))}" for n, v in (given.get("only_when") or {}).items()),
        }
        for name, given in ((found.definition.get("relations") or {}) if found else {}).items()
    ]  # fmt: skip


def relations_of(rows: Iterable[Any]) -> dict[str, Any]:
    return dict(row.relation() for row in rows if row.cleaned_data.get("name"))


FORMS: dict[str, type[ApiForm]] = {
    Layer.SYSTEM: SystemApiForm,
    Layer.PROCESS: ProcessApiForm,
    Layer.EXPERIENCE: ExperienceApiForm,
}


class ConsumerForm(forms.Form):
    """A consumer and what it may call: `document()` once it is valid."""

    name = forms.CharField(max_length=120, help_text="The program that calls: Client portal.")
    slug = forms.SlugField(
        label="Short name", max_length=80, required=False, help_text="Made from the name when left empty."
    )
    owner = forms.CharField(max_length=120, help_text="The team that runs it.")
    contact = forms.CharField(max_length=200, required=False, help_text="Who is told when a version ends.")
    domain = forms.ModelChoiceField(
        Domain.objects.none(), to_field_name="slug", required=False, empty_label="no domain of its own"
    )
    per_minute = forms.IntegerField(label="Requests a minute", min_value=1, max_value=1_000_000, initial=600)
    grants = forms.MultipleChoiceField(
        label="May", required=False, widget=forms.CheckboxSelectMultiple, choices=queries.grant_choices
    )
    is_active = forms.BooleanField(label="May call", required=False, initial=True)

    def __init__(self, *args: Any, user: User, found: Consumer | None = None, **kwargs: Any) -> None:
        self.found = found
        if found:
            kwargs["initial"] = _consumer_initial(found)
        super().__init__(*args, **kwargs)
        self.fields["domain"].queryset = domains_for(user, queries.EDIT)  # type: ignore[attr-defined]
        if found:
            self.fields["slug"].disabled = True

    def document(self) -> Document:
        data = self.cleaned_data
        grants: dict[str, list[str]] = {}
        for each in data["grants"]:
            name, _, operation = each.rpartition(":")
            grants.setdefault(name, []).append(operation)
        found = {name: data[name] for name in ("name", "owner", "contact", "per_minute", "is_active")}
        found |= {"slug": self.found.slug if self.found else data["slug"] or slugify(data["name"]), "grants": grants}
        return found | ({"domain": data["domain"].slug} if data["domain"] else {})


def _consumer_initial(found: Consumer) -> dict[str, Any]:
    given = {name: getattr(found, name) for name in ("name", "slug", "owner", "contact", "per_minute", "is_active")}
    grants = [f"{name}:{operation}" for name, chosen in found.grants.items() for operation in chosen]
    return given | {"grants": grants, "domain": found.domain.slug if found.domain else None}


class TokenForm(forms.Form):
    days = forms.IntegerField(
        label="Valid for, in days",
        min_value=1,
        max_value=3_650,
        required=False,
        help_text="Empty: until it is revoked.",
    )
