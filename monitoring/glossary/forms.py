"""The form of a term. What is filled in becomes the document that files and the API write too."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.text import slugify

from connectors.models import Connection, Stream
from governance.models import Term
from governance.terms.checking import check
from governance.terms.parsing import parse
from governance.terms.probes import Probe
from governance.terms.queries import contract_fields
from governance.terms.services import RESERVED
from governance.terms.syntax import TermError
from hub.accounts.models import Domain, User
from hub.accounts.queries import domains_for, scope_to_domains
from hub.common.registry import Document

_CODE = {"spellcheck": "false", "autocomplete": "off"}
EMPTY_ROWS = 1


class TermForm(forms.Form):
    """A term as people fill it in; its probes are rows of their own (`probe_rows`)."""

    name = forms.CharField(max_length=120, help_text="As people say it: Approved time.")
    slug = forms.SlugField(
        label="Short name",
        required=False,
        max_length=60,
        help_text="For addresses, files and the API; it cannot change later. Made from the name when left empty.",
        widget=forms.TextInput(attrs=_CODE),
    )
    domain = forms.ModelChoiceField(Domain.objects.none(), empty_label=None)
    definition = forms.CharField(
        max_length=4000,
        help_text="What counts and what does not, so that two people would count the same.",
        widget=forms.Textarea(attrs={"rows": 4, "class": "words"}),
    )
    owner = forms.CharField(required=False, max_length=120, help_text="The person or team that decides what it means.")
    synonyms = forms.CharField(
        required=False, max_length=1000, help_text="Comma-separated; search finds the term by them."
    )
    unit = forms.ChoiceField(choices=Term.Unit.choices, initial=Term.Unit.NUMBER)
    currency = forms.CharField(
        required=False, max_length=3, help_text="For money: EUR.", widget=forms.TextInput(attrs=_CODE)
    )
    per = forms.ChoiceField(choices=Term.Per.choices, label="Said of", initial=Term.Per.FIRM)
    period = forms.ChoiceField(choices=Term.Period.choices, initial=Term.Period.ALL, label="Taken over")
    expression = forms.CharField(
        required=False,
        max_length=4000,
        label="Expression in the hub",
        help_text='Such as: sum(hours) of time_entry where status = "approved" and date in period',
        widget=forms.Textarea(attrs={"rows": 4, **_CODE}),
    )
    tolerance = forms.DecimalField(
        max_digits=19, decimal_places=6, min_value=0, initial=0, help_text="Numbers part when they differ by more."
    )
    tolerance_kind = forms.ChoiceField(
        choices=Term.Tolerance.choices, label="Tolerance counts", initial=Term.Tolerance.ABSOLUTE
    )
    fields_text = forms.CharField(
        required=False,
        max_length=4000,
        label="Contract fields",
        help_text="Fields that carry the term, one on each line: time_entry.hours",
        widget=forms.Textarea(attrs={"rows": 3, **_CODE}),
    )

    def __init__(self, user: User, term: Term | None, *args: Any, **kwargs: Any) -> None:
        self.term = term
        kwargs.setdefault("initial", _initial(term) if term else {})
        super().__init__(*args, **kwargs)
        self.fields["domain"].queryset = domains_for(user, "contracts.edit")  # type: ignore[attr-defined]
        if term:
            del self.fields["slug"]

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:60]).lower()
        if not slug or slug in RESERVED:
            raise forms.ValidationError(f"“{slug}” cannot be the short name of a term. Write another one.")
        if Term.objects.filter(slug=slug).exists():
            raise forms.ValidationError(f"There is already a term called “{slug}”.")
        return slug

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean_expression(self) -> str:
        text = str(self.cleaned_data["expression"]).strip().replace("\r\n", "\n")
        if text:
            try:
                check(parse(text), contract_fields)
            except TermError as error:
                raise forms.ValidationError(str(error)) from None
        return text

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        if self.cleaned_data.get("unit") == Term.Unit.MONEY and not self.cleaned_data.get("currency"):
            self.add_error("currency", "A term in money needs a currency, such as EUR.")
        return self.cleaned_data

    def as_document(self, probes: list[dict[str, str]]) -> Document:
        """What is to be saved; the form and the probes are valid."""
        given = {name: value for name, value in self.cleaned_data.items() if name != "fields_text"}
        slug = self.term.slug if self.term else given["slug"]
        return {
            "kind": "Term",
            **given,
            "slug": slug,
            "domain": given["domain"].slug,
            "synonyms": _split(given["synonyms"], r",|\n"),
            "tolerance": str(given["tolerance"]),
            "fields": _split(self.cleaned_data["fields_text"], r"[\s,]+"),
            "probes": probes,
        }


def _split(text: str, at: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in re.split(at, text) if part.strip()))


def _initial(term: Term) -> dict[str, Any]:
    names = (
        "name",
        "domain",
        "definition",
        "owner",
        "unit",
        "currency",
        "per",
        "period",
        "expression",
        "tolerance_kind",
    )
    return {name: getattr(term, name) for name in names} | {
        "synonyms": ", ".join(term.synonyms),
        "tolerance": term.tolerance.normalize() + 0,
        "fields_text": "\n".join(term.fields),
    }


class ProbeForm(forms.Form):
    """One system: its own query, or one of its streams and what is counted in it. Empty rows are left out."""

    connection = forms.ChoiceField(required=False)
    query = forms.CharField(
        required=False,
        max_length=10_000,
        label="Query",
        help_text="For databases: one select that gives one number. It may name :period_start and :period_end.",
        widget=forms.Textarea(attrs={"rows": 3, **_CODE}),
    )
    stream = forms.ChoiceField(required=False, help_text="For any other system: what is read.")
    expression = forms.CharField(
        required=False,
        max_length=4000,
        help_text='Over the stream, in the system\'s own words: sum(Hours__c) where Status__c = "Approved"',
        widget=forms.Textarea(attrs={"rows": 2, **_CODE}),
    )

    def __init__(self, *args: Any, connections: list[Any], streams: list[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["connection"].choices = [("", "No system"), *connections]  # type: ignore[attr-defined]
        self.fields["stream"].choices = [("", "No stream"), *streams]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        data = self.cleaned_data
        if any(data.get(name) for name in ("query", "stream", "expression")) and not data.get("connection"):
            self.add_error("connection", "Choose the system that is asked.")
        if data.get("connection") and not self.errors:
            self._check_ways(data)
        return data

    def _check_ways(self, data: dict[str, Any]) -> None:
        if bool(data["query"]) == bool(data["stream"] or data["expression"]):
            self.add_error("query", "Write either a query, or choose a stream and write what is counted in it.")
        elif data["stream"] and not data["expression"]:
            self.add_error("expression", "Write what is counted in the stream.")
        elif data["expression"]:
            try:
                parse(data["expression"], of_stream=True)
            except TermError as error:
                self.add_error("expression", str(error))

    @property
    def probe(self) -> dict[str, str] | None:
        data = {name: str(value).strip().replace("\r\n", "\n") for name, value in self.cleaned_data.items()}
        return Probe.of(data).as_data() if data.get("connection") else None


_Rows = forms.formset_factory(ProbeForm, extra=0, max_num=20)


def probe_rows(user: User, term: Term | None, data: Any = None) -> Any:
    """The probes of a term and an empty row; connections are those that this person may change, and those in use."""
    known = list(term.probes) if term else []
    used = [each["connection"] for each in known]
    mine = scope_to_domains(Connection.objects.all(), user, "connections.edit").values("pk")
    found = Connection.objects.filter(Q(pk__in=mine) | Q(slug__in=used)).order_by("name")
    streams = Stream.objects.filter(connection__in=found).select_related("connection")
    choices = {
        "connections": [(each.slug, each.name) for each in found],
        "streams": [(each.slug, f"{each.connection}: {each}") for each in streams],
    }
    initial = [*known, *([{}] * EMPTY_ROWS)]
    return _Rows(data, prefix="probe", initial=initial, form_kwargs=choices)


class LoadForm(forms.Form):
    """In which currency the shipped terms count money."""

    currency = forms.RegexField(
        r"^[A-Za-z]{3}$",
        initial="EUR",
        max_length=3,
        help_text="The currency in which the shipped terms count money.",
        error_messages={"invalid": "Write three letters such as EUR."},
        widget=forms.TextInput(attrs=_CODE),
    )

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()
