"""Forms of changes: decide, plan, delegate, and say who reviews what."""

from __future__ import annotations

from typing import Any

from django import forms

from governance.changes import queries
from governance.models import Delegation, ReviewGroup, ReviewPolicy
from governance.models.review_policy import EVERY_KIND
from hub.accounts.models import User
from hub.common.registry import Document, kinds


class DelegationForm(forms.ModelForm[Delegation]):
    """Somebody else who may decide, and the days."""

    class Meta:
        model = Delegation
        fields = ("delegate", "from_date", "to_date", "reason")
        labels = {"delegate": "Who decides in your place", "from_date": "First day", "to_date": "Last day"}
        widgets = {
            "from_date": forms.DateInput(attrs={"type": "date"}),
            "to_date": forms.DateInput(attrs={"type": "date"}),
            "reason": forms.TextInput(),
        }

    def __init__(self, person: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ids = [each.pk for each in queries.people_who_decide(person)]
        self.fields["delegate"] = forms.ModelChoiceField(
            User.objects.filter(pk__in=ids), label="Who decides in your place", help_text="Only people who may decide."
        )


class GroupForm(forms.ModelForm[ReviewGroup]):
    """A group and its members, one address a line."""

    members = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "class": "words"}),
        help_text="E-mail addresses, one a line. Members also need a role that approves.",
    )

    class Meta:
        model = ReviewGroup
        fields = ("name", "slug", "members")
        labels = {"slug": "Short name"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["members"] = "\n".join(self.instance.members)
        self.fields["slug"].disabled = self.instance.pk is not None

    def clean_members(self) -> list[str]:
        return [line.strip().lower() for line in str(self.cleaned_data["members"]).splitlines() if line.strip()]

    def document(self) -> Document:
        given = self.cleaned_data
        return {"kind": "ReviewGroup", "slug": given["slug"], "name": given["name"], "members": given["members"]}


class PolicyForm(forms.ModelForm[ReviewPolicy]):
    """Which part of which configuration needs whom."""

    class Meta:
        model = ReviewPolicy
        fields = ("name", "slug", "kind", "domain", "path", "group", "approvals")
        labels = {
            "slug": "Short name",
            "kind": "What",
            "path": "Fields",
            "group": "Who agrees",
            "approvals": "How many",
        }
        help_texts = {
            "path": "Names between dots; * stands for one name, ** for any number. **.rate is every field called rate.",
            "domain": "Empty for all domains.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(EVERY_KIND, "Everything"), *((name, name) for name in sorted(kinds()))]
        self.fields["kind"] = forms.ChoiceField(choices=choices, label="What")
        self.fields["slug"].disabled = self.instance.pk is not None

    def document(self) -> Document:
        given = self.cleaned_data
        document: Document = {
            "kind": "ReviewPolicy",
            "slug": given["slug"],
            "name": given["name"],
            "of_kind": given["kind"],
            "path": given["path"],
            "group": given["group"].slug,
            "approvals": given["approvals"],
        }
        return document | ({"domain": given["domain"].slug} if given["domain"] else {})
