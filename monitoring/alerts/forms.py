"""Forms of rules, routes and mutes. Each gives the document, or the values, that its service takes."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import EmailValidator
from django.utils import timezone
from django.utils.text import slugify

from connectors.models import System
from governance.models import BusinessCalendar
from hub.accounts.models import Domain, User
from hub.accounts.queries import domains_for
from hub.common.registry import Document, Problem, kind
from hub.sync.models import Sync
from hub.sync.queries import syncs_for
from monitoring.alerts.conditions import conditions
from monitoring.alerts.kinds import ROUTE, RULE, decimal_text
from monitoring.alerts.queries import EDIT, rules_for
from monitoring.models import AlertRoute, AlertRule, Level

LEVELS = [("warning", "Warnings and critical ones"), ("critical", "Critical ones alone")]
MUTES = [("1", "An hour"), ("4", "4 hours"), ("24", "A day"), ("72", "3 days"), ("168", "A week"), ("720", "30 days")]
PLAIN = {"spellcheck": "false", "autocomplete": "off"}


class DocumentForm(forms.Form):
    """A form of one document: name and short name, where it counts, and the judgement of its kind."""

    kind_name = ""
    places: dict[str, str] = {}

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(
        label="Short name", max_length=80, required=False, help_text="Made from the name when left empty. It stays."
    )
    domain = forms.ModelChoiceField(
        Domain.objects.none(),
        required=False,
        to_field_name="slug",
        empty_label="The whole firm",
        help_text="Whose business it is.",
    )
    system = forms.ModelChoiceField(
        System.objects.all(), required=False, to_field_name="slug", empty_label="Any system"
    )

    def __init__(
        self, user: User, data: Any = None, *, found: Any = None, initial: dict[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=self.initial_of(found) if found else initial)
        self.user, self.found = user, found
        self._choose("domain", domains_for(user, EDIT))
        if user.domain_ids_for(EDIT) is not None:
            self.fields["domain"].required = True
            self.fields["domain"].empty_label = None  # type: ignore[attr-defined]
        if found:
            del self.fields["slug"]

    def _choose(self, name: str, rows: Any) -> None:
        self.fields[name].queryset = rows  # type: ignore[attr-defined]

    def initial_of(self, found: Any) -> dict[str, Any]:
        raise NotImplementedError

    def values(self) -> Document:
        raise NotImplementedError

    def clean_slug(self) -> str:
        slug = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:80]
        if not slug:
            raise forms.ValidationError("Give a short name of letters, digits and hyphens.")
        if slug in set(kind(self.kind_name).slugs()):
            raise forms.ValidationError(f"There is one called “{slug}” already.")
        return slug

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        if not self.errors:
            for problem in kind(self.kind_name).validate({"kind": self.kind_name, **self.document()}):
                self._place(problem)
        return self.cleaned_data

    def _place(self, problem: Problem) -> None:
        name = self.places.get(problem.path, problem.path)
        self.add_error(name if name in self.fields else None, problem.sentence)

    def document(self) -> Document:
        data = self.cleaned_data
        slug = self.found.slug if self.found else data["slug"]
        refs = {name: data[name].slug if data[name] else None for name in ("domain", "system")}
        return {"slug": slug, "name": data["name"], **refs, **self.values()}


class RuleForm(DocumentForm):
    kind_name = RULE

    what = forms.ChoiceField(label="What is watched", choices=list)
    sync = forms.ModelChoiceField(Sync.objects.none(), required=False, to_field_name="slug", empty_label="Any sync")
    warning = forms.DecimalField(label="Warning from", required=False, max_digits=19, decimal_places=4)
    critical = forms.DecimalField(label="Critical from", required=False, max_digits=19, decimal_places=4)
    evaluations = forms.IntegerField(
        label="Looks that agree",
        min_value=1,
        max_value=20,
        initial=1,
        help_text="So many in a row, a minute apart, before the state changes.",
    )
    owner = forms.CharField(max_length=120, required=False, help_text="Who keeps the rule right.")

    def __init__(self, user: User, data: Any = None, **more: Any) -> None:
        super().__init__(user, data, **more)
        self.fields["what"].choices = [(each.name, f"{each.label} ({each.unit})") for each in conditions().values()]  # type: ignore[attr-defined]
        self._choose("sync", syncs_for(user, EDIT))

    def initial_of(self, found: AlertRule) -> dict[str, Any]:
        refs = {
            name: getattr(found, name).slug if getattr(found, name) else None for name in ("domain", "system", "sync")
        }
        bounds = {name: _text(getattr(found, name)) for name in ("warning", "critical")}
        return {
            "name": found.name,
            "what": found.what,
            "evaluations": found.evaluations,
            "owner": found.owner,
            **refs,
            **bounds,
        }

    def values(self) -> Document:
        data = self.cleaned_data
        return {
            "what": data["what"],
            "sync": data["sync"].slug if data["sync"] else None,
            "warning": _text(data["warning"]),
            "critical": _text(data["critical"]),
            "evaluations": data["evaluations"],
            "owner": data["owner"],
        }


class RouteForm(DocumentForm):
    """Secrets are typed anew or left; what is stored is never shown."""

    kind_name = ROUTE
    places = {"secrets.chat": "chat", "secrets.webhook": "webhook_secret", "allowed_networks": "networks"}

    position = forms.IntegerField(min_value=0, max_value=30_000, initial=100, help_text="Lower ones are asked first.")
    rule = forms.ModelChoiceField(
        AlertRule.objects.none(), required=False, to_field_name="slug", empty_label="Any rule"
    )
    level = forms.ChoiceField(label="Which alerts", choices=LEVELS)
    amount_from = forms.DecimalField(
        label="From this amount on", required=False, max_digits=19, decimal_places=4, min_value=Decimal(0),
        help_text="In the firm's currency; left empty, whatever the amount.",
    )  # fmt: skip
    goes_on = forms.BooleanField(
        label="Ask the next routes as well", required=False, help_text="Else this route ends the search."
    )
    mail = forms.CharField(
        label="Mail to", required=False, widget=forms.Textarea({"rows": 2, **PLAIN}), help_text="Addresses, one a line."
    )
    webhook = forms.URLField(
        required=False,
        max_length=500,
        assume_scheme="https",
        help_text="Gets JSON; keys belong into the secret, not here.",
    )
    webhook_secret = forms.CharField(
        label="Secret of the webhook", required=False, widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="whsec_…; it signs what is posted, as Standard Webhooks say.",
    )  # fmt: skip
    networks = forms.CharField(
        label="Private networks", required=False, widget=forms.TextInput(PLAIN),
        help_text="Only for an address inside the firm, such as 10.1.0.0/16; separated by commas.",
    )  # fmt: skip
    chat = forms.CharField(
        label="Chat", required=False, widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="An address of apprise: slack://…, workflows://… for Teams, gchat://…, discord://…, pagerduty://…",
    )  # fmt: skip
    forget = forms.MultipleChoiceField(
        label="Forget",
        required=False,
        choices=[],
        widget=forms.CheckboxSelectMultiple,
        help_text="Stored secrets to drop.",
    )
    digest = forms.ChoiceField(label="When", choices=AlertRoute.Digest.choices)
    digest_at = forms.CharField(
        label="Time of day", required=False, max_length=5, initial="08:00", help_text="Of the daily digest: 08:00."
    )
    calendar = forms.ModelChoiceField(
        BusinessCalendar.objects.all(),
        label="Quiet outside of",
        required=False,
        to_field_name="slug",
        empty_label="Never quiet",
        help_text="Notices wait until the calendar opens.",
    )
    critical_at_once = forms.BooleanField(label="Critical ones at once", required=False, initial=True)

    def __init__(self, user: User, data: Any = None, **more: Any) -> None:
        super().__init__(user, data, **more)
        self._choose("rule", rules_for(user))
        self.stored = [name for name, value in self.found.secrets.items() if value] if self.found else []
        words = {"chat": "The chat", "webhook": "The secret of the webhook"}
        self.fields["forget"].choices = [(name, words[name]) for name in self.stored]  # type: ignore[attr-defined]
        if not self.stored:
            del self.fields["forget"]
        for name, place in (("chat", "chat"), ("webhook", "webhook_secret")):
            if name in self.stored:
                self.fields[place].help_text = f"Set; left empty, it stays. {self.fields[place].help_text}"

    def initial_of(self, found: AlertRoute) -> dict[str, Any]:
        refs = {
            n: getattr(found, n).slug if getattr(found, n) else None for n in ("domain", "system", "rule", "calendar")
        }
        plain = ("name", "position", "level", "goes_on", "webhook", "digest", "digest_at", "critical_at_once")
        return {
            **refs,
            **{name: getattr(found, name) for name in plain},
            "amount_from": _text(found.amount_from),
            "mail": "\n".join(found.mail),
            "networks": ", ".join(found.allowed_networks),
        }

    def clean_mail(self) -> list[str]:
        found = [line.strip() for line in self.cleaned_data["mail"].replace(",", "\n").splitlines() if line.strip()]
        for address in found:
            EmailValidator(f"“{address}” is no mail address.")(address)
        return found

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        data = self.cleaned_data
        kept = "chat" in self.stored and "chat" not in data.get("forget", [])
        if not self.errors and not (data["mail"] or data["webhook"] or data["chat"] or kept):
            self.add_error("mail", "Give it mail addresses, a webhook or a chat.")
        return data

    def values(self) -> Document:
        data = self.cleaned_data
        refs = {name: data[name].slug if data[name] else None for name in ("rule", "calendar")}
        plain = ("position", "level", "goes_on", "mail", "webhook", "digest", "critical_at_once")
        typed = {"chat": data["chat"], "webhook": data["webhook_secret"]}
        given = {name: value for name, value in typed.items() if value} | dict.fromkeys(data.get("forget", []), "")
        return {
            **refs,
            **{name: data[name] for name in plain},
            "amount_from": _text(data["amount_from"]),
            "allowed_networks": [each.strip() for each in data["networks"].split(",") if each.strip()],
            "digest_at": data["digest_at"] or "08:00",
            **({"secrets": given} if given else {}),
        }


class MuteForm(forms.Form):
    """How long, and why."""

    hours = forms.ChoiceField(label="For", choices=MUTES, initial="4")
    reason = forms.CharField(max_length=500, widget=forms.Textarea({"rows": 2, "class": "words"}))

    def until(self) -> datetime:
        return timezone.now() + timedelta(hours=int(self.cleaned_data["hours"]))


class WhoForm(forms.Form):
    """An alert as it might be, to see who would be told."""

    rule = forms.ModelChoiceField(
        AlertRule.objects.none(), required=False, to_field_name="slug", empty_label="Any rule"
    )
    level = forms.ChoiceField(
        choices=[each for each in Level.choices if each[0] != "ok"], initial="critical", required=False
    )
    domain = forms.ModelChoiceField(
        Domain.objects.none(), required=False, to_field_name="slug", empty_label="No domain"
    )
    system = forms.ModelChoiceField(System.objects.all(), required=False, to_field_name="slug", empty_label="No system")
    amount = forms.DecimalField(required=False, max_digits=19, decimal_places=4, min_value=Decimal(0))

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data)
        self.fields["rule"].queryset = rules_for(user)  # type: ignore[attr-defined]
        self.fields["domain"].queryset = domains_for(user, "monitor.view")  # type: ignore[attr-defined]


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)
