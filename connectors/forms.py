"""Forms of connections and systems."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.text import slugify

from connectors import queries, services
from connectors.models import Connection, System
from connectors.retry_form import RetryForm, stored_values
from connectors.sign_in_form import SignInForm
from hub.accounts.models import Domain, User
from hub.accounts.queries import domains_for

NEW_SYSTEM = "A new system, named here"
LIMIT_HELP = "Over all workers. Left empty, what the system's declaration states."
# Fields of the form -> names in `config.limits`.
LIMITS = {"per_second": "per_second", "per_minute": "per_minute", "at_once": "concurrency"}


def check_slug(slug: str, *, taken: QuerySet[Any]) -> str:
    """The slug, if it is free and may stand in an address; raises ValidationError."""
    if slug in services.RESERVED_SLUGS:
        raise ValidationError(f"{slug!r} is a word of the hub's own addresses. Choose another one.")
    if taken.filter(slug=slug).exists():
        raise ValidationError(f"{slug!r} is taken. Choose another one.")
    return slug


class ConnectionForm(SignInForm, RetryForm):
    """Sign-in together with name, system, domain and owner."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(
        label="Short name",
        max_length=60,
        required=False,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
        help_text="For addresses, files and the API; it stays. Left empty, it is made from the name.",
    )
    system = forms.ModelChoiceField(System.objects.none(), required=False, to_field_name="slug", empty_label=NEW_SYSTEM)
    new_system = forms.CharField(label="New system", max_length=120, required=False)
    category = forms.ChoiceField(label="Its category", choices=System.Category.choices, required=False)
    domain = forms.ModelChoiceField(
        Domain.objects.none(),
        required=False,
        to_field_name="slug",
        empty_label="The whole firm",
        help_text="Whose roles may see and change it.",
    )
    owner = forms.ModelChoiceField(
        User.objects.none(), required=False, empty_label="Nobody", help_text="The person to ask when it fails."
    )
    failure_limit = forms.IntegerField(
        label="Failures before a pause",
        min_value=1,
        max_value=1000,
        required=False,
        help_text="So many in a row of the system itself; it is then left alone and tried again by itself. 10 when empty.",
    )
    secret_expires_date = forms.DateField(
        label="Credentials work until",
        required=False,
        widget=forms.DateInput({"type": "date"}),
        help_text="The last day, as the system says. People are told two weeks ahead, with what hangs on it.",
    )
    per_second = forms.FloatField(
        label="Requests per second", min_value=0.001, max_value=10_000, required=False, help_text=LIMIT_HELP
    )
    per_minute = forms.FloatField(
        label="Requests per minute", min_value=0.001, max_value=600_000, required=False, help_text=LIMIT_HELP
    )
    at_once = forms.IntegerField(
        label="Requests at once", min_value=1, max_value=64, required=False, help_text=LIMIT_HELP
    )
    version = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choices("system").queryset = System.objects.all()
        self._choices("domain").queryset = domains_for(self.user, "connections.edit")
        self._choices("owner").queryset = User.objects.filter(is_active=True, is_service=False)
        if self.user.domain_ids_for("connections.edit") is not None:
            self._choices("domain").empty_label = None
            self.fields["domain"].required = True
        if self.connection:
            del self.fields["slug"], self.fields["new_system"], self.fields["category"]
            self.fields["system"].required = True
            self._choices("system").empty_label = None

    def _choices(self, name: str) -> forms.ModelChoiceField[Any]:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        return field

    def _first_values(self) -> dict[str, Any]:
        return {**super()._first_values(), **(self._stored_values() if self.connection else self._suggested_values())}

    def _stored_values(self) -> dict[str, Any]:
        found = self.connection
        assert found is not None
        limits = found.config.get("limits") or {}
        return {
            "name": found.name,
            "system": found.system.slug,
            "domain": found.domain.slug if found.domain else None,
            "owner": found.owner_id,
            "version": version_of(found),
            "failure_limit": found.failure_limit,
            "secret_expires_date": found.secret_expires_date,
            **{field: limits.get(name) for field, name in LIMITS.items()},
            **stored_values(found.retry),
        }

    def _suggested_values(self) -> dict[str, Any]:
        label = self.offer.label if self.offer.catalogue else ""
        system = queries.system_of_kind(self.offer.catalogue)
        return {
            "name": label,
            "slug": queries.free_slug(label) if label else "",
            "system": system.slug if system else None,
            "new_system": "" if system else label,
            "category": self.offer.category or System.Category.OTHER,
            "owner": self.user.pk,
        }

    @property
    def has_limits(self) -> bool:
        """Whether anything differs from what a new connection has."""
        names = ["failure_limit", *LIMITS]
        return any(self[name].errors or self[name].value() not in (None, "", 10, "10") for name in names)

    def config(self) -> dict[str, Any]:
        """The values of the kind, with the limits that this connection states for itself."""
        stored = self.connection.config.get("limits") if self.connection else None
        typed = {name: self.cleaned_data.get(field) for field, name in LIMITS.items()}
        limits = {name: value for name, value in {**(stored or {}), **typed}.items() if value is not None}
        found = {name: value for name, value in super().config().items() if name != "limits"}
        return {**found, "limits": limits} if limits else found

    def clean_slug(self) -> str:
        typed = self.cleaned_data["slug"] or queries.free_slug(self.cleaned_data.get("name", ""))
        return check_slug(typed, taken=Connection.objects.all())

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        if not self.connection and not data.get("system") and "system" not in self.errors:
            if not data.get("new_system"):
                self.add_error("new_system", "Choose a system, or name a new one.")
            elif System.objects.filter(name__iexact=data["new_system"]).exists():
                self.add_error("new_system", "There is a system of this name already; choose it from the list.")
        if self.connection and data.get("version") != version_of(self.connection):
            self.add_error(None, "Somebody changed this connection while the form was open. Load the page again.")
        return data

    @property
    def is_sign_in_changed(self) -> bool:
        """Whether anything changes that a test would look at."""
        found = self.connection
        if found is None or self.secret_changes():
            return True
        now = (self.config(), self.cleaned_data["time_zone"], self.cleaned_data["allowed_networks"])
        return now != (found.config, found.time_zone, found.allowed_networks)

    def apply(self) -> Connection:
        """The connection as it would be stored."""
        data, values = self.cleaned_data, self.values()
        found = self.connection or Connection(slug=data["slug"], catalogue=self.offer.catalogue)
        found.protocol = services.protocol_of(values) if self.specs else found.protocol
        found.config = values["config"]
        found.time_zone, found.allowed_networks = values["time_zone"], values["allowed_networks"]
        found.failure_limit = data.get("failure_limit") or 10
        found.retry = self.retry(found.retry)
        found.secret_expires_date = data.get("secret_expires_date")
        found.name, found.domain, found.owner = data["name"], data["domain"], data["owner"]
        if data.get("system"):
            found.system = data["system"]
        return found

    def system_to_make(self) -> System | None:
        """The system to be made together with the connection, not yet stored."""
        data = self.cleaned_data
        if data.get("system") or self.connection:
            return None
        slug = queries.free_slug(data["new_system"], System.objects.all()) or "system"
        category = data["category"] or System.Category.OTHER
        return System(name=data["new_system"], slug=slug, category=category)


def version_of(connection: Connection) -> str:
    """What tells one state of a connection from the next."""
    return connection.updated_at.isoformat()


class SystemForm(forms.ModelForm[System]):
    class Meta:
        model = System
        fields = ("name", "slug", "category", "description")
        labels = {"slug": "Short name"}
        help_texts = {"slug": "For addresses, files and the API; it stays."}
        widgets = {"description": forms.Textarea({"rows": 3, "class": "words"}), "slug": forms.TextInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            del self.fields["slug"]
        else:
            self.fields["slug"].required = False

    def clean_slug(self) -> str:
        slug = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:60] or "system"
        return check_slug(slug, taken=System.objects.all())
