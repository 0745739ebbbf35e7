"""Forms of webhooks: the webhook itself, and a secret that the other system gave."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils.text import slugify

from hub.accounts.models import User
from hub.webhooks import queries, schemes, services
from hub.webhooks.models import Endpoint


def secret_field(help_text: str) -> forms.CharField:
    return forms.CharField(
        label="Secret",
        required=False,
        help_text=help_text,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password", "class": "mono"}),
    )


class EndpointForm(forms.ModelForm[Endpoint]):
    """A webhook; its secret is only asked for while it is new."""

    secret = secret_field("Leave it empty and the hub makes one. Enter one only if the other system dictates it.")

    class Meta:
        model = Endpoint
        fields = (
            "name", "slug", "sync", "scheme", "proof_name", "prefix", "encoding", "signed_text", "timestamp_name",
            "tolerance_seconds", "handshake",
            "event_mode", "record_path", "id_path", "time_path", "deleted_path", "deleted_values",
            "is_active",
        )  # fmt: skip
        labels: ClassVar = {
            "slug": "Short name",
            "sync": "Feeds the sync",
            "scheme": "How a message is proven",
            "proof_name": "Header or parameter",
            "prefix": "Prefix",
            "encoding": "Written as",
            "signed_text": "What is signed",
            "timestamp_name": "Header of the timestamp",
            "tolerance_seconds": "Seconds a message may be old",
            "handshake": "Handshake",
            "event_mode": "What a message says",
            "record_path": "Where the record stands",
            "id_path": "Where its id stands",
            "time_path": "Where the time of the change stands",
            "deleted_path": "Where a deletion is said",
            "deleted_values": "Words of a deletion",
            "is_active": "Takes messages",
        }
        help_texts: ClassVar = {
            "name": "For example: Projects from the PSA.",
            "slug": "Used in addresses and by programs; it cannot be changed later.",
            "sync": "Its stream, mapping and contract apply to what arrives.",
            "proof_name": "Not needed for Standard Webhooks. For example X-Hook-Signature.",
            "prefix": "What stands before the signature, such as sha1= or Bearer and a blank.",
            "timestamp_name": "Only where the timestamp is signed too.",
            "record_path": "A path such as data or data.object; empty takes the whole body. A list is several records.",
            "handshake": "What the other system asks of an address before it sends to it.",
            "id_path": "The same message sent twice has the same id. Empty compares the content.",
            "time_path": "Used where the record lacks the stream's cursor field.",
            "deleted_path": "For example type.",
            "deleted_values": "Separated by commas, for example project.deleted.",
        }
        widgets: ClassVar = {"prefix": forms.TextInput(attrs={"class": "mono"})}

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sync"].queryset = queries.inbound_syncs_for(user, "syncs.edit")  # type: ignore[attr-defined]
        self.fields["sync"].to_field_name = "slug"  # type: ignore[attr-defined]
        self.fields["sync"].empty_label = "Choose a sync"  # type: ignore[attr-defined]
        self.fields["slug"].required = False
        self.fields["prefix"].strip = False  # type: ignore[attr-defined]
        if self.instance.pk:
            self.initial["sync"] = self.instance.sync.slug
            for name in ("slug", "secret"):
                del self.fields[name]

    def clean_slug(self) -> str:
        slug = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:80]
        if not slug:
            raise forms.ValidationError("Give a short name of letters, digits and hyphens.")
        return slug

    def clean_secret(self) -> str:
        secret = self.cleaned_data["secret"]
        sentence = schemes.secret_problem(self.cleaned_data.get("scheme", ""), secret) if secret else ""
        if sentence:
            raise forms.ValidationError(sentence)
        return str(secret)

    def _post_clean(self) -> None:
        """The rules of the service as errors of the fields that they name."""
        super()._post_clean()  # type: ignore[misc]
        for name, sentence in services.problems(self.instance):
            self.add_error(name if name in self.fields else None, sentence)


class SecretForm(forms.Form):
    """A secret that the other system dictates; empty lets the hub make one."""

    secret = secret_field("Leave it empty and the hub makes one.")

    def __init__(self, *args: Any, scheme: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scheme = scheme

    def clean_secret(self) -> str:
        secret = self.cleaned_data["secret"]
        if secret and (sentence := schemes.secret_problem(self.scheme, secret)):
            raise forms.ValidationError(sentence)
        return str(secret)
