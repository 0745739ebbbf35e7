"""Forms of syncs: the sync itself with its conditions, a schedule, and what a decision needs to say."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django.utils.text import slugify

from governance.schemas import Field
from hub.accounts.forms import zone_choices
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.sync import configure, scheduling
from hub.sync.models import Schedule, Sync
from hub.sync.queries import syncs_for
from mappings.models import Mapping

CONDITION_PREFIX = "when"
MAX_CONDITIONS = 10


class MappingChoice(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        stream, entity = f"{obj.stream.connection.name}: {obj.stream}", obj.entity.name
        return f"{obj.name} ({stream} → {entity})" if obj.direction == "in" else f"{obj.name} ({entity} → {stream})"


class SyncForm(forms.ModelForm[Sync]):
    """A sync; fields that mean nothing for the mapping's direction are left out. Conditions are in `conditions_from`."""

    class Meta:
        model = Sync
        fields = (
            "mapping", "name", "slug", "mode", "after", "page_size", "max_attempts", "latency_seconds", "records_a_day",
            "criticality", "is_paused",
        )  # fmt: skip
        field_classes: ClassVar = {"mapping": MappingChoice}
        labels: ClassVar = {
            "slug": "Short name",
            "mode": "What is read",
            "after": "Run after",
            "page_size": "Records a page",
            "max_attempts": "Attempts",
            "latency_seconds": "Needed within, in seconds",
            "records_a_day": "Expected a day",
            "is_paused": "Start paused",
        }
        help_texts: ClassVar = {
            "mapping": "A sync puts one mapping to work and keeps it for good.",
            "name": "For example: Projects from the PSA, hourly.",
            "slug": "Used in addresses and by programs; it cannot be changed later.",
            "mode": "Reading everything finds what an incremental source forgets to report.",
            "after": "Starts when that sync has finished, besides any schedule.",
            "page_size": "0 takes the connector's own. A page is one transaction.",
            "max_attempts": "After so many tries a delivery becomes a dead letter. Left empty, the connection says how many.",
            "latency_seconds": "So late a change may arrive: 900 is a quarter of an hour, 86400 a day.",
            "records_a_day": "Records that change on a usual day.",
            "criticality": "What is looked at first when several syncs are late.",
            "is_paused": "Nothing runs until somebody resumes it.",
        }

    def __init__(self, *args: Any, user: User, mapping: Mapping | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.only_when: dict[str, list[str]] = {}
        self.mapping = mapping
        self.fields["mapping"].queryset = mappings_for(user)  # type: ignore[attr-defined]
        self.fields["mapping"].to_field_name = "slug"  # type: ignore[attr-defined]
        self.fields["mapping"].empty_label = "Choose a mapping"  # type: ignore[attr-defined]
        others = syncs_for(user, "syncs.view").exclude(pk=self.instance.pk).order_by("name")
        self.fields["after"].queryset = others  # type: ignore[attr-defined]
        self.fields["after"].empty_label = "no other sync"  # type: ignore[attr-defined]
        for name in ("slug", "criticality"):
            self.fields[name].required = False
        for name in self._meaningless():
            del self.fields[name]
        self._offer_modes()

    def _meaningless(self) -> list[str]:
        names = ["mapping", "slug", "is_paused"] if self.instance.pk else []
        direction = self.mapping.direction if self.mapping else ""
        if direction == "in":
            names.append("max_attempts")
        return names

    def _offer_modes(self) -> None:
        """Reading everything is for sources; looking up before creating is for targets."""
        is_out = self.mapping is not None and self.mapping.direction == "out"
        left_out = Sync.Mode.FULL if is_out else Sync.Mode.ADOPT
        field: Any = self.fields["mode"]
        field.choices = [pair for pair in Sync.Mode.choices if pair[0] != left_out]
        if is_out:
            field.required = False
            field.label = "What is delivered"
            field.help_text = "For a target that holds data of its own: nothing is created there that it has already."

    def clean_slug(self) -> str:
        return self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:80]

    def clean_criticality(self) -> str:
        """Whoever does not say keeps what is said already."""
        return self.cleaned_data["criticality"] or self.instance.criticality

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.instance.pk and not self.cleaned_data.get("slug") and "slug" not in self.errors:
            self.add_error("slug", "Give a short name of letters, digits and hyphens.")
        return cleaned

    def _post_clean(self) -> None:
        """The rules of the service as errors of the fields that they name."""
        super()._post_clean()  # type: ignore[misc]
        if "mapping" in self.errors or not self.instance.mapping_id:
            return
        self.instance.only_when = self.only_when
        for name, sentence in configure.problems(self.instance):
            self.add_error(name if name in self.fields else None, sentence)


def mappings_for(user: User, permission: str = "syncs.edit") -> QuerySet[Mapping]:
    """Mappings of entities in whose domain the person holds a permission."""
    rows = Mapping.objects.select_related("stream__connection__system", "entity").order_by("name")
    return scope_to_domains(rows, user, permission, "entity__domain")


# Conditions ------------------------------------------------------------------------------------------------
class ConditionForm(forms.Form):
    """One row of "only when": a field of the contract, and the values that let a record pass."""

    name = forms.ChoiceField(label="Field", required=False)
    values = forms.CharField(label="is one of", required=False)

    def __init__(self, *args: Any, fields: MappingOf[str, Field], chosen: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "Choose a field"), *((name, field.title) for name, field in fields.items())]
        self.fields["name"].choices = choices  # type: ignore[attr-defined]
        field = fields.get(chosen)
        if field is not None and (offered := configure.choices_of(field)):
            self.fields["values"] = forms.MultipleChoiceField(
                label="is one of",
                required=False,
                choices=[(value, value) for value in offered],
                widget=forms.CheckboxSelectMultiple,
            )
        else:
            self.fields["values"].help_text = "Several values are separated by commas."

    @property
    def chosen_values(self) -> list[str]:
        found = self.cleaned_data.get("values") or []
        return [part.strip() for part in found.split(",") if part.strip()] if isinstance(found, str) else list(found)


def condition_rows(
    mapping: Mapping | None, *, data: Any = None, only_when: MappingOf[str, list[Any]] | None = None, extra: int = 0
) -> list[ConditionForm]:
    """The rows of the form: as sent when there is `data`, else as stored, and `extra` empty ones; none when it reads."""
    if mapping is None or mapping.direction != "out":
        return []
    fields = {field.name: field for field in configure.condition_fields(mapping.entity)}
    if data is not None:
        rows = [_sent_row(data, number, fields) for number in range(_row_count(data))]
    else:
        rows = [
            _stored_row(number, name, values, fields) for number, (name, values) in enumerate((only_when or {}).items())
        ]
    start = len(rows)
    return rows + [_row(start + n, fields) for n in range(extra) if start + n < MAX_CONDITIONS]


def _row_count(data: Any) -> int:
    text = str(data.get(f"{CONDITION_PREFIX}-rows", "0"))
    return min(int(text), MAX_CONDITIONS) if text.isascii() and text.isdigit() else 0


def _row(number: int, fields: MappingOf[str, Field], **kwargs: Any) -> ConditionForm:
    return ConditionForm(prefix=f"{CONDITION_PREFIX}-{number}", fields=fields, **kwargs)


def _sent_row(data: Any, number: int, fields: MappingOf[str, Field]) -> ConditionForm:
    return _row(number, fields, data=data, chosen=data.get(f"{CONDITION_PREFIX}-{number}-name", ""))


def _stored_row(number: int, name: str, values: list[Any], fields: MappingOf[str, Field]) -> ConditionForm:
    offered = bool(fields.get(name) and configure.choices_of(fields[name]))
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    return _row(number, fields, chosen=name, initial={"name": name, "values": texts if offered else ", ".join(texts)})


def conditions_from(rows: list[ConditionForm]) -> dict[str, list[str]] | None:
    """`only_when` as the rows say it, rows without a field left out; None when a row is not valid."""
    if not all(row.is_valid() for row in rows):
        return None
    return {row.cleaned_data["name"]: row.chosen_values for row in rows if row.cleaned_data.get("name")}


# Schedules, and the small ones -----------------------------------------------------------------------------
class ScheduleForm(forms.ModelForm[Schedule]):
    class Meta:
        model = Schedule
        fields = ("cron", "time_zone", "is_active")
        labels: ClassVar = {"cron": "When", "time_zone": "Time zone", "is_active": "In force"}
        help_texts: ClassVar = {
            "cron": "Minute, hour, day, month, weekday: 0 6 * * 1-5 is every weekday at 06:00.",
            "time_zone": "The wall clock that is meant, right across daylight saving.",
        }
        widgets: ClassVar = {
            "cron": forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "autocomplete": "off"})
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"] = forms.ChoiceField(
            choices=zone_choices(), label="Time zone", help_text=self.fields["time_zone"].help_text
        )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        cron, zone = self.cleaned_data.get("cron", ""), self.cleaned_data.get("time_zone", "")
        if cron and zone:
            for field, sentence in scheduling.problems(cron, zone):
                self.add_error(field, sentence)
        return cleaned


class DryRunForm(forms.Form):
    sample = forms.IntegerField(
        label="Records",
        min_value=1,
        max_value=500,
        initial=50,
        required=False,
        widget=forms.NumberInput(attrs={"class": "inp w-m"}),
    )
    ids = forms.CharField(
        label="Only these",
        required=False,
        max_length=2_000,
        widget=forms.TextInput(attrs={"placeholder": "Only these ids, separated by commas", "autocomplete": "off"}),
    )

    def clean_sample(self) -> int:
        return self.cleaned_data["sample"] or 50

    @property
    def external_ids(self) -> list[str] | None:
        return [part.strip() for part in self.cleaned_data["ids"].split(",") if part.strip()] or None
