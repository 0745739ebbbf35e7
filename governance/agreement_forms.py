"""What a contract says beside its fields, as people write it: owner, tags, and a line for each service level."""

from __future__ import annotations

import re
from typing import Any

from django import forms

from governance.schemas import Schema

# latency 4 h · availability 99.5 % of amount
_LINE = re.compile(r"(\w+)\s+(\d{1,12}(?:\.\d{1,6})?)\s*([^\s\d]{1,20})?(?:\s+of\s+([\w.]{1,120}))?")
Level = dict[str, Any]


class AgreementForm(forms.Form):
    """`levels` holds the service levels once the form is valid."""

    owner = forms.CharField(
        required=False, max_length=200, help_text="Who answers for it: a name, a team or an address."
    )
    tags = forms.CharField(
        required=False,
        max_length=500,
        help_text="Several with commas between them. Rulesets may be for a tag: finance, close.",
    )
    levels = forms.CharField(
        label="Service levels",
        required=False,
        max_length=5000,
        help_text="One on each line, as ODCS names them: latency 4 h, or availability 99.5 % of amount.",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
    )
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, schema: Schema, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before: list[Level] = list(schema.get("x-sla") or [])

    def clean_tags(self) -> list[str]:
        return [tag for tag in (part.strip() for part in self.cleaned_data["tags"].split(",")) if tag]

    def clean_levels(self) -> list[Level]:
        """What a line does not say (driver, schedule, …) is kept from the level that it is about."""
        lines = [line.strip() for line in self.cleaned_data["levels"].splitlines() if line.strip()]
        known = {in_words(level): level for level in self.before}
        return [known.get(line) or self._level(line) for line in lines]

    def _level(self, line: str) -> Level:
        match = _LINE.fullmatch(line)
        if match is None:
            raise forms.ValidationError(f"“{line[:80]}” is no service level. Write it as: latency 4 h.")
        name, value, unit, element = match.groups()
        said: Level = {"property": name, "value": float(value) if "." in value else int(value)}
        said |= {"unit": unit} if unit else {}
        said |= {"element": element} if element else {}
        before = next((level for level in self.before if _about(level) == (name, element or "")), {})
        return {**{word: part for word, part in before.items() if word != "unit"}, **said}


def initial(schema: Schema, seen: int) -> dict[str, Any]:
    """What the form shows of a schema."""
    return {
        "owner": schema.get("x-owner", ""),
        "tags": ", ".join(schema.get("x-tags") or ()),
        "levels": "\n".join(in_words(level) for level in schema.get("x-sla") or ()),
        "seen": seen,
    }


def in_words(level: Level) -> str:
    """ "latency 4 h of amount" """
    element = f" of {level['element']}" if level.get("element") else ""
    return f"{level.get('property')} {level.get('value', '')} {level.get('unit', '')}".rstrip() + element


def _about(level: Level) -> tuple[str, str]:
    return str(level.get("property")), str(level.get("element", ""))
