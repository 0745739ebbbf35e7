"""Conversions of yes and no."""

from __future__ import annotations

from typing import Any

from hub.common.errors import RecordError
from hub.common.money import shown
from mappings.convert import is_blank
from mappings.functions.registry import Arg, function

_YES = frozenset({"yes", "y", "true", "t", "1", "on", "x"})
_NO = frozenset({"no", "n", "false", "f", "0", "off"})
STYLES: dict[str, tuple[str, str]] = {
    "Yes/No": ("Yes", "No"),
    "Y/N": ("Y", "N"),
    "T/F": ("T", "F"),
    "true/false": ("true", "false"),
    "True/False": ("True", "False"),
    "1/0": ("1", "0"),
    "X/blank": ("X", ""),
}


@function(
    "truth",
    "Reads Yes/No, Y/N, T/F, true/false, 1/0, on/off and X in any case.",
    takes="any",
    gives="boolean",
    args=(Arg("blank_is", "choice", "What an empty text means.", "null", ("null", "false")),),
    inverse="from_boolean",
)
def to_boolean(value: Any, *, blank_is: str) -> bool | None:
    if isinstance(value, bool):
        return value
    if is_blank(value):
        return False if blank_is == "false" else None
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word in _YES or word in _NO:
        return word in _YES
    raise RecordError(f"{shown(value)} is neither yes nor no.", code="BOOLEAN")


@function(
    "truth",
    "Writes true and false in the target's words.",
    takes="boolean",
    args=(Arg("style", "choice", "The two words.", "Yes/No", tuple(STYLES)),),
    inverse="to_boolean",
)
def from_boolean(value: bool, *, style: str) -> str:
    yes, no = STYLES[style]
    return yes if value else no


@function(
    "truth",
    "Turns true and false around, as for disabled and active.",
    takes="boolean",
    gives="boolean",
    inverse="invert",
)
def invert(value: bool) -> bool:
    return not value
