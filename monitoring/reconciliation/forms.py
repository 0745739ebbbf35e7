"""The form of a reconciliation. What is filled in becomes the document that files and the API write too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.utils.text import slugify

from connectors.models import Stream
from governance.models import Entity
from hub.accounts.forms import zone_choices
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common.registry import Document
from hub.sync.models import Sync
from monitoring.models import Reconciliation
from monitoring.reconciliation import lines
from monitoring.reconciliation.kind import RESERVED, SIDES
from monitoring.reconciliation.lines import LineError
from monitoring.reconciliation.queries import EDIT

HUB = "hub"
_CODE = {"spellcheck": "false", "autocomplete": "off"}


def _area(rows: int, help_text: str, label: str = "") -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": rows, **_CODE})
    return forms.CharField(required=False, max_length=8_000, label=label or None, help_text=help_text, widget=widget)


class ReconciliationForm(forms.Form):
    """`document()` once it is valid."""

    name = forms.CharField(max_length=120, help_text="For example: Time, PSA ↔ ERP.")
    slug = forms.SlugField(
        label="Short name", max_length=80, required=False, help_text="Made from the name when left empty. It stays."
    )
    entity = forms.ModelChoiceField(
        Entity.objects.none(), to_field_name="slug", help_text="Both sides are brought to its words."
    )
    owner = forms.CharField(max_length=120, required=False, help_text="Who settles what is left.")
    description = forms.CharField(
        required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2, "class": "words"})
    )
    key = forms.CharField(max_length=400, help_text="Canonical fields that tell records apart: number")
    compare = _area(5, "One on each line: hours: decimal, within 0.01", "Must be equal")
    sums = forms.CharField(
        max_length=400, required=False, label="Added up", help_text="Beside the amount: hours, quantity"
    )
    date = forms.CharField(
        max_length=120, required=False, label="Date field", help_text="Gives the period of a record that names none."
    )
    rules = _area(3, "One on each line: sum per day: many to one by resource, date; within 0.01", "Match rules")
    periods = forms.IntegerField(
        min_value=0, max_value=120, initial=0, help_text="Up to the running one; 0 compares everything."
    )
    cron = forms.CharField(
        max_length=120, required=False, label="Schedule", help_text="0 6 * * 1-5 is weekdays at 06:00."
    )
    time_zone = forms.ChoiceField(choices=zone_choices, initial="UTC", label="Time zone")
    after = forms.ModelMultipleChoiceField(
        Sync.objects.none(),
        required=False,
        to_field_name="slug",
        label="After runs of",
        help_text="Those that change a side.",
    )
    usual_min_percent = forms.IntegerField(
        min_value=0,
        max_value=100,
        initial=50,
        label="Least usual, %",
        help_text="Fewer records of a side are half a reading.",
    )
    is_paused = forms.BooleanField(required=False, label="Compare by hand only")

    def __init__(self, user: User, data: Any = None, *, reconciliation: Reconciliation | None = None) -> None:
        super().__init__(data, initial=initial_of(reconciliation) if reconciliation else {"time_zone": "UTC"})
        self.reconciliation = reconciliation
        self.fields["entity"].queryset = scope_to_domains(Entity.objects.order_by("name"), user, EDIT)  # type: ignore[attr-defined]
        self.fields["after"].queryset = Sync.objects.order_by("name")  # type: ignore[attr-defined]
        streams = Stream.objects.select_related("connection").order_by("connection__name", "label", "name")
        choices = [(HUB, "The hub"), *((one.slug, f"{one.connection}: {one.label or one.name}") for one in streams)]
        for side in SIDES:
            self.fields[side] = forms.ChoiceField(choices=choices, label=f"{side.capitalize()} side")
            self.fields[f"{side}_label"] = forms.CharField(
                max_length=40, required=False, label="Called", help_text="On pages: PSA"
            )
            self.fields[f"{side}_filter"] = _area(2, "Records that count: status = approved, billed", "Filter")
            self.fields[f"{side}_fields"] = _area(
                5, "Where canonical fields are found, beside its inbound mapping: hours = quantity", "Fields"
            )
        if reconciliation:
            del self.fields["slug"]

    def side(self, side: str) -> list[forms.BoundField]:
        return [self[name] for name in (side, f"{side}_label", f"{side}_filter", f"{side}_fields")]

    @property
    def sides(self) -> list[tuple[str, list[forms.BoundField]]]:
        return [(f"{side.capitalize()} side", self.side(side)) for side in SIDES]

    def clean_slug(self) -> str:
        slug = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:80]
        if not slug or slug in RESERVED:
            raise forms.ValidationError("Give a short name of letters, digits and hyphens.")
        if Reconciliation.objects.filter(slug=slug).exists():
            raise forms.ValidationError(f"There is already a reconciliation “{slug}”.")
        return slug

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        self._parse("compare", lines.compare_of)
        self._parse("rules", lines.rules_of)
        for side in SIDES:
            self._parse(f"{side}_filter", lines.filter_of)
            self._parse(f"{side}_fields", lines.fields_of)
        return self.cleaned_data

    def _parse(self, name: str, parse: Callable[[str], Any]) -> None:
        try:
            self.cleaned_data[name] = parse(self.cleaned_data.get(name, ""))
        except LineError as error:
            self.add_error(name, str(error))

    def document(self) -> Document:
        """What the form does not ask for stays as it is saved."""
        data = self.cleaned_data
        kept = self.reconciliation
        totals = {name: value for name, value in (kept.totals if kept else {}).items() if name not in ("sums", "date")}
        totals |= {"date": data["date"]} if data["date"] else {}
        totals |= {"sums": names} if (names := lines.names_of(data["sums"])) else {}
        return {
            "slug": kept.slug if kept else data["slug"],
            **{name: data[name] for name in ("name", "description", "owner", "periods", "cron", "time_zone")},
            **{name: data[name] for name in ("compare", "rules", "usual_min_percent", "is_paused")},
            "domain": data["entity"].domain.slug,
            "entity": data["entity"].slug,
            "key": lines.names_of(data["key"]),
            "totals": totals,
            "after": [sync.slug for sync in data["after"]],
            **{side: self._side(side) for side in SIDES},
        }

    def _side(self, side: str) -> dict[str, Any]:
        data = self.cleaned_data
        found: dict[str, Any] = {"hub": True} if data[side] == HUB else {"stream": data[side]}
        for name in ("label", "filter", "fields"):
            found |= {name: value} if (value := data[f"{side}_{name}"]) else {}
        if self.reconciliation and (key := getattr(self.reconciliation, side).get("key")):
            found["key"] = key
        return found


def initial_of(found: Reconciliation) -> dict[str, Any]:
    """What the form of a saved reconciliation shows."""
    shown: dict[str, Any] = {
        name: getattr(found, name)
        for name in (
            "name",
            "owner",
            "description",
            "periods",
            "cron",
            "time_zone",
            "after",
            "usual_min_percent",
            "is_paused",
        )
    }
    shown |= {"entity": found.entity.slug, "key": ", ".join(found.key), "compare": lines.compare_text(found.compare)}
    shown |= {"rules": lines.rules_text(found.rules), "sums": ", ".join(found.totals.get("sums", []))}
    shown["date"] = found.totals.get("date", "")
    for side in SIDES:
        given = getattr(found, side)
        shown |= {side: given.get("stream") or HUB, f"{side}_label": given.get("label", "")}
        shown[f"{side}_filter"] = lines.filter_text(given.get("filter", {}))
        shown[f"{side}_fields"] = lines.fields_text(given.get("fields", {}))
    return shown
