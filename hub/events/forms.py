"""Forms of subscriptions: the subscription itself, its secret, and since when failed events are sent again."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.utils.text import slugify

from hub.accounts.models import User
from hub.accounts.queries import domains_for
from hub.common.moments import moment
from hub.events import queries, services
from hub.events.models import EventType, Subscription
from hub.events.types import TYPES
from hub.webhooks import schemes
from hub.webhooks.forms import secret_field


class LinesField(forms.CharField):
    """`name: value` a line, as a dict; a name without a value is kept with an empty one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea(attrs={"rows": 3, "class": "mono"}), **kwargs)

    def clean(self, value: Any) -> dict[str, str]:
        lines = [line for line in super().clean(value).splitlines() if line.strip()]
        if odd := [
            number for number, line in enumerate(lines, 1) if ":" not in line or not line.partition(":")[0].strip()
        ]:
            raise forms.ValidationError(f"Line {odd[0]} is not a name, a colon and a value.")
        return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def event_choices() -> list[tuple[str, str]]:
    """Events of the firm first, then what happens in the hub."""
    own = EventType.objects.filter(is_active=True).values_list("name", "title")
    return [*((name, f"{title} ({name})") for name, title in own), *TYPES.items()]


class SubscriptionForm(forms.ModelForm[Subscription]):
    """A subscription; headers that are not named keep what is stored, and stored values are never shown."""

    event_types = forms.MultipleChoiceField(label="Events", choices=event_choices, widget=forms.CheckboxSelectMultiple)
    conditions = LinesField(
        label="Only records with",
        help_text="One field a line with the values that let a record pass, such as status: approved, billed.",
    )
    header_lines = LinesField(
        label="Headers to send along",
        help_text="One a line, such as Authorization: Bearer and the key. A name without a value takes the header away.",
    )
    secret = secret_field("Leave it empty and the hub makes one: whsec_ and 32 random bytes.")

    class Meta:
        model = Subscription
        fields = (
            "name", "slug", "url", "event_types", "entity", "domain", "payload", "allowed_networks", "is_active",
        )  # fmt: skip
        labels: ClassVar = {
            "slug": "Short name",
            "url": "Address",
            "entity": "Of the entity",
            "domain": "Of the domain",
            "payload": "What is sent of a record",
            "allowed_networks": "Private networks",
            "is_active": "Sends events",
        }
        help_texts: ClassVar = {
            "name": "For example: Approved time to the data team.",
            "slug": "Used in addresses and by programs; it cannot be changed later.",
            "url": "Where events are posted to, https://… Put keys into headers, not into the address.",
            "domain": "Not needed with an entity.",
            "payload": "Fields that are confidential or restricted are never sent.",
            "allowed_networks": "Only for an address inside the firm, such as 10.1.0.0/16; separated by commas.",
        }

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self._choices("entity", queries.entities_for(user), "every entity")
        all_of_them = user.domain_ids_for("subscriptions.edit") is None
        domains = domains_for(user, "subscriptions.edit")
        self._choices("domain", domains, "the whole hub" if all_of_them else "Choose a domain")
        self.fields["slug"].required = False
        if self.instance.pk:
            lines = [f"{name}: {', '.join(map(str, values))}" for name, values in self.instance.only_when.items()]
            self.initial["conditions"] = "\n".join(lines)
            if self.instance.headers:
                names = ", ".join(sorted(self.instance.headers))
                self.fields["header_lines"].help_text += f" Stored: {names}."
            for name in ("slug", "secret"):
                del self.fields[name]

    def _choices(self, name: str, rows: Any, empty: str) -> None:
        field: Any = self.fields[name]
        field.queryset, field.to_field_name, field.empty_label = rows, "slug", empty
        if found := getattr(self.instance, name):
            self.initial[name] = found.slug

    def clean_slug(self) -> str:
        slug = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:80]
        if not slug:
            raise forms.ValidationError("Give a short name of letters, digits and hyphens.")
        return slug

    def clean_secret(self) -> str:
        secret = self.cleaned_data["secret"]
        if secret and (sentence := schemes.secret_problem(services.SCHEME, secret)):
            raise forms.ValidationError(sentence)
        return str(secret)

    def _post_clean(self) -> None:
        """The rules of the service as errors of the fields that they name."""
        super()._post_clean()  # type: ignore[misc]
        if "conditions" in self.cleaned_data:
            self.instance.only_when = {
                name: [value.strip() for value in values.split(",") if value.strip()]
                for name, values in self.cleaned_data["conditions"].items()
            }
        self.instance.headers = changed_headers(self.instance.headers, self.cleaned_data.get("header_lines") or {})
        services.take_domain(self.instance)
        places = {"only_when": "conditions", "headers": "header_lines"}
        for name, sentence in services.problems(self.instance):
            place = places.get(name, name)
            self.add_error(place if place in self.fields else None, sentence)
        if not queries.may_send_to(self.user, self.instance, "subscriptions.edit"):
            self.add_error("domain", "Choose an entity or a domain: your roles do not reach the whole hub.")


def changed_headers(stored: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """The stored headers with those that were given, whatever their case; an empty value takes one away."""
    named = {name.lower() for name in given}
    kept = {name: value for name, value in stored.items() if name.lower() not in named}
    return kept | {name: value for name, value in given.items() if value}


class SinceForm(forms.Form):
    """Since when events that were given up are sent again."""

    since = forms.CharField(label="Since", initial="24h", help_text="24h, 7d, a date, or a full instant.")

    def clean_since(self) -> datetime:
        found = moment(self.cleaned_data["since"])
        if found is None:
            raise forms.ValidationError("Write 24h, 7d, a date such as 2026-11-03, or a full instant.")
        return found
