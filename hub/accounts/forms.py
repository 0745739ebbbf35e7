"""Forms of access: sign-in, set-up, profile, people and roles, tokens."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.password_validation import validate_password

from hub.accounts.models import Domain, User
from hub.accounts.roles import ROLE_CHOICES
from hub.accounts.services import Grant


class SignInForm(AuthenticationForm):
    """The same sentence for an unknown address, a wrong password and an account that is switched off."""

    error_messages = {
        "invalid_login": "This e-mail address and password do not belong together, or the account is switched off.",
        "inactive": "This e-mail address and password do not belong together, or the account is switched off.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "E-mail address"
        self.fields["username"].widget = forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})

    def clean_username(self) -> str:
        return str(self.cleaned_data["username"]).strip().lower()


class PasswordMixin(forms.Form):
    """One password field, shown once: paste and password managers are welcome, retyping is not asked for."""

    password = forms.CharField(
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters: not your name or address, and not a common password.",
    )

    def person(self) -> User | None:
        """Whom the password is for, so that it is not made of their name."""
        return None

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if password := self.cleaned_data.get("password"):
            try:
                validate_password(password, self.person())
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned


class SetupForm(PasswordMixin):
    code = forms.CharField(
        label="Set-up code",
        max_length=40,
        help_text="Printed where the hub was started, for example XXXX-XXXX-XXXX.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "spellcheck": "false"}),
    )
    name = forms.CharField(
        label="Your name", max_length=120, required=False, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "username"}))
    field_order = ["code", "name", "email", "password"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        first = "name" if self.initial.get("code") else "code"
        self.fields[first].widget.attrs["autofocus"] = True

    def person(self) -> User | None:
        return User(email=self.cleaned_data.get("email", ""), name=self.cleaned_data.get("name", ""))


class WelcomeForm(PasswordMixin):
    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def person(self) -> User | None:
        return self.user


class PasswordForm(WelcomeForm):
    """A new password for oneself; the present one proves who sits there."""

    current = forms.CharField(
        label="Present password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ["current", "password"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].label = "New password"

    def clean_current(self) -> str:
        current = str(self.cleaned_data["current"])
        if not self.user.check_password(current):
            raise forms.ValidationError("This is not your present password.")
        return current


@cache
def zone_choices() -> list[tuple[str, str]]:
    """UTC first, then every place by name; reading them from the disk takes a while, so once."""
    places = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))
    return [("UTC", "UTC"), *((zone, zone.replace("_", " ")) for zone in places)]


class ProfileForm(forms.ModelForm[User]):
    class Meta:
        model = User
        fields = ("name", "time_zone", "time_style", "theme", "density", "single_key_shortcuts")
        labels: ClassVar = {"time_style": "Times are shown", "single_key_shortcuts": "Single-key shortcuts in lists"}
        help_texts: ClassVar = {
            "time_zone": "Times are shown in this zone. Business dates never shift.",
            "single_key_shortcuts": "j and k move, x selects, Enter opens, / filters.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"] = forms.ChoiceField(
            choices=zone_choices(), label="Time zone", help_text=self.fields["time_zone"].help_text
        )


class GrantsMixin(forms.Form):
    """A matrix of roles and domains; each ticked box arrives as `role:domain id`, or `role:all`."""

    grants = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.domains = {str(domain.pk): domain for domain in Domain.objects.all()}
        self.fields["grants"].choices = [  # type: ignore[attr-defined]
            (f"{role}:{domain}", label) for role, label in ROLE_CHOICES for domain in ("all", *self.domains)
        ]

    def grant_list(self) -> set[Grant]:
        """The ticked boxes; a domain that all domains already cover is left out."""
        pairs = [value.split(":") for value in self.cleaned_data["grants"]]
        everywhere = {role for role, domain in pairs if domain == "all"}
        limited = {(role, self.domains[domain]) for role, domain in pairs if role not in everywhere}
        return {(role, None) for role in everywhere} | limited

    def ticked(self) -> set[str]:
        """The values that the matrix shows as ticked."""
        value = self["grants"].value()
        return {str(item) for item in value or ()}


class PersonForm(GrantsMixin):
    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    field_order = ["name", "email"]


class ServiceForm(GrantsMixin):
    name = forms.SlugField(
        max_length=60, help_text="Letters, digits and hyphens, for example billing-exporter.", widget=forms.TextInput
    )
    field_order = ["name"]


class RolesForm(GrantsMixin):
    """The roles of somebody who exists."""


class TokenForm(forms.Form):
    name = forms.CharField(
        max_length=80, label="What it is for", help_text="For example: nightly export to the warehouse."
    )
    days = forms.TypedChoiceField(
        label="Expires",
        coerce=lambda text: int(text) or None,
        choices=[("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"), ("0", "never")],
        initial="90",
        empty_value=None,
    )
    is_read_only = forms.BooleanField(label="May only read", required=False)
