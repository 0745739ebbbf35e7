"""The part of a connection's form that its kind decides: enough to open the connection and to test it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField

from connectors import custody, problems, queries, services, vendor_sign_in
from connectors.form_fields import CLEAR, PREFIX, SuggestInput, build_field, check_time_zone, zone_names
from connectors.gallery import Offer
from connectors.models import Connection
from hub.accounts.models import User
from hub.common.egress import parse_networks
from hub.common.errors import HubError

DECLARATION = "declaration"
NETWORKS_HELP = (
    "Addresses of this machine and of private networks are refused unless they stand here, for example 10.20.0.0/16 "
    "or 127.0.0.1/32. The metadata service of a cloud machine stays closed."
)


class SignInForm(forms.Form):
    """The fields of one kind of connection, with what has to be known to open it: enough for a test.

    `connection` is the stored one while it is changed; its secrets stay where they are unless new ones are typed.
    """

    # the test's button sends the same form with less in it; the server's sentences are better anyway
    use_required_attribute = False

    time_zone = forms.CharField(
        label="Time zone",
        max_length=60,
        validators=[check_time_zone],
        help_text="Of times that the system sends without an offset.",
    )
    allowed_networks = forms.CharField(
        label="Allowed networks",
        required=False,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
        help_text=NETWORKS_HELP,
    )
    sealed = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, offer: Offer, user: User, connection: Connection | None = None, **kwargs: Any
    ) -> None:
        self.offer, self.user, self.connection = offer, user, connection
        kwargs["initial"] = {**self._first_values(), **kwargs.get("initial", {})}
        super().__init__(data, **kwargs)
        self.fields["time_zone"].widget = SuggestInput(zone_names())
        self.holder = f"{user.pk}:{offer.key}:{connection.pk if connection else ''}"
        sealed = self.data.get("sealed", "") if self.is_bound else self.initial.get("sealed", "")
        self.kept = custody.unseal(str(sealed), holder=self.holder)
        self.stored = {name for name, value in (connection.secrets if connection else {}).items() if value}
        self.specs = self._specs()
        self._add_fields()

    # --- fields ------------------------------------------------------------------------------------------------------

    def _first_values(self) -> dict[str, Any]:
        found = self.connection
        if found is None:
            return {"time_zone": queries.declared_time_zone(self.offer.catalogue)}
        return {
            **{f"{PREFIX}{name}": value for name, value in found.config.items()},
            "time_zone": found.time_zone,
            "allowed_networks": ", ".join(found.allowed_networks),
        }

    def _specs(self) -> dict[str, dict[str, Any]]:
        """The declared fields; a kind that is described on the spot shows its description first."""
        try:
            own = self.offer.fields()
        except HubError:
            # the catalogue lost this kind: what is stored can still be named, paused and moved to another owner
            return {}
        if DECLARATION not in own or self.offer.catalogue:
            return own
        text = self._declaration_text()
        if not text or problems.inline_problems(text):
            return own
        return {**own, **self.offer.fields({DECLARATION: text})}

    def _declaration_text(self) -> Any:
        key = f"{PREFIX}{DECLARATION}"
        return self.data.get(key, "") if self.is_bound else self.initial.get(key, "")

    @property
    def is_inline(self) -> bool:
        """Whether the kind is described by YAML that stands in the connection itself."""
        return not self.offer.catalogue and DECLARATION in self.specs

    def _add_fields(self) -> None:
        for name, spec in self.specs.items():
            is_stored = name in self.stored or name in self.kept
            field = build_field(name, spec, is_stored=is_stored)
            if name == DECLARATION and self.is_inline:
                field.widget = forms.Textarea({"rows": 18, "spellcheck": "false"})
            self.fields[f"{PREFIX}{name}"] = field
            if spec.get("secret") and not spec.get("required") and name in self.stored:
                self.fields[f"{CLEAR}{name}"] = forms.BooleanField(required=False, label="Remove the stored value")

    def sign_in_fields(self) -> Iterator[BoundField]:
        """The kind's own fields, without its description."""
        for name in self.fields:
            if name.startswith((PREFIX, CLEAR)) and name != f"{PREFIX}{DECLARATION}":
                yield self[name]

    @property
    def signs_in_there(self) -> bool:
        """Whether a person signs in at the system itself once the connection is saved."""
        given = {DECLARATION: self._declaration_text()} if self.is_inline else {}
        try:
            found = services.find_declaration(self.offer.catalogue, given)
        except HubError:
            return False
        return found is not None and vendor_sign_in.is_declared(found.body)

    @property
    def declaration_field(self) -> BoundField | None:
        return self[f"{PREFIX}{DECLARATION}"] if self.is_inline else None

    # --- cleaning ----------------------------------------------------------------------------------------------------

    def clean_allowed_networks(self) -> list[str]:
        found = [part for part in re.split(r"[\s,;]+", self.cleaned_data["allowed_networks"]) if part]
        try:
            return [str(network) for network in parse_networks(tuple(found))]
        except HubError as error:
            raise ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        super().clean()
        if self.is_inline:
            for sentence in problems.inline_problems(self.cleaned_data.get(f"{PREFIX}{DECLARATION}")):
                self.add_error(f"{PREFIX}{DECLARATION}", sentence)
        if self.connection and not self.sign_in_errors:
            self._refuse_moved_secrets(self.connection)
        return self.cleaned_data

    def _refuse_moved_secrets(self, connection: Connection) -> None:
        if not self.specs or not custody.is_moved(connection, self.config()):
            return
        for name in sorted(self.stored - self.secret_changes().keys()):
            if f"{PREFIX}{name}" in self.fields:
                title = self.fields[f"{PREFIX}{name}"].label
                text = f"Enter {title} again: a stored secret is not sent to another address or account."
                self.add_error(f"{PREFIX}{name}", text)

    @property
    def sign_in_errors(self) -> dict[str, list[str]]:
        """What stands in the way of a test: label -> sentences."""
        own = ("time_zone", "allowed_networks")
        return {
            str(self.fields[name].label): [str(error) for error in errors]
            for name, errors in self.errors.items()
            if name in own or name.startswith((PREFIX, CLEAR))
        }

    # --- values ------------------------------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """What belongs in `config`: everything typed that is no secret; empty values leave room for the default."""
        if self.connection and not self.specs:
            return dict(self.connection.config)
        values = {
            name: self.cleaned_data.get(f"{PREFIX}{name}")
            for name, spec in self.specs.items()
            if not spec.get("secret")
        }
        return {name: value for name, value in values.items() if value not in (None, "")}

    def typed_secrets(self) -> dict[str, str]:
        """Secrets typed now or in an earlier answer of this form; a value that the system replaced comes in its place."""
        found: dict[str, str] = {}
        for name, spec in self.specs.items():
            if not spec.get("secret"):
                continue
            typed = self.cleaned_data.get(f"{PREFIX}{name}") or ""
            before, current = self.kept.get(name, ("", ""))
            if value := (current if typed in ("", before) and current else typed):
                found[name] = value
        return found

    def secret_changes(self) -> dict[str, str | None]:
        """The typed secrets, and None for each that is to be removed."""
        cleared = {name: None for name in self.stored if self.cleaned_data.get(f"{CLEAR}{name}")}
        return {**cleared, **self.typed_secrets()}

    def sealed_after(self, replaced: Mapping[str, str]) -> str:
        """The typed secrets for the next answer of this form, those that a test has replaced included."""
        before = {
            name: self.cleaned_data.get(f"{PREFIX}{name}") or self.kept.get(name, ("",))[0] for name in self.specs
        }
        values = {name: (before[name], value) for name, value in {**self.typed_secrets(), **replaced}.items()}
        return custody.seal(values, holder=self.holder)

    def draft(self, sealed: str) -> Self:
        """The same form as it was sent, without complaints about what is still missing; typed secrets stay sealed."""
        shown = {name: self.data.get(name) for name in self.fields if name in self.data}
        boxes = {
            name: name in self.data for name, field in self.fields.items() if isinstance(field, forms.BooleanField)
        }
        first = {**shown, **boxes, "sealed": sealed}
        return type(self)(offer=self.offer, user=self.user, connection=self.connection, initial=first)

    def values(self) -> dict[str, Any]:
        """What `services.open_unsaved` takes."""
        stored = self.connection.secrets if self.connection else {}
        secrets = {name: value for name, value in {**stored, **self.secret_changes()}.items() if value}
        return {
            "catalogue": self.offer.catalogue,
            "protocol": self.offer.protocol,
            "config": self.config(),
            "secrets": secrets,
            "time_zone": self.cleaned_data["time_zone"],
            "allowed_networks": self.cleaned_data["allowed_networks"],
        }
