"""A ruleset as the text of its document."""

from __future__ import annotations

from typing import Any

from django import forms

from governance.exchange import reading
from hub.common.errors import ConfigError

EXAMPLE = """\
slug: invoices
name: Invoices
description: What every contract about invoices has.
selector:
  domains: [billing-gl]
rules:
- {rule: has_owner, severity: error}
- {rule: has_marked_field, marker: x-money, severity: error}
- {rule: fields_described, severity: warning}
"""


class RulesetForm(forms.Form):
    """`document` holds what was written, once the form is valid."""

    text = forms.CharField(
        label="Ruleset",
        max_length=50_000,
        help_text="As YAML: name, selector and rules. An error refuses new versions, a warning only tells.",
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false"}),
    )

    def __init__(self, slug: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.slug = slug

    def clean_text(self) -> dict[str, Any]:
        try:
            found = reading.read(str(self.cleaned_data["text"]).encode(), where="line")
        except ConfigError as error:
            raise forms.ValidationError(str(error)) from None
        if self.slug and found.get("slug", self.slug) != self.slug:
            raise forms.ValidationError(f"The short name stays {self.slug}; it cannot change.")
        if not isinstance(found.get("slug", self.slug), str) or not found.get("slug", self.slug):
            raise forms.ValidationError("Give it a short name: a line `slug: …`.")
        return {**found, "kind": "Ruleset", "slug": found.get("slug", self.slug)}

    @property
    def document(self) -> dict[str, Any]:
        return dict(self.cleaned_data["text"])
