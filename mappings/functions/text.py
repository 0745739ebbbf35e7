"""Conversions of texts, of empty values and of short code tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from hub.common.errors import RecordError
from hub.common.money import shown
from mappings.convert import is_blank, to_text
from mappings.functions.registry import Arg, function


@function("text", "Removes blanks at both ends.", inline="{v}.strip()")
def trim(value: str) -> str:
    return value.strip()


@function("text", "Makes every run of blanks and line ends one blank.", inline="' '.join({v}.split())")
def collapse_blanks(value: str) -> str:
    return " ".join(value.split())


@function("text", "Makes all letters capitals.", inline="{v}.upper()")
def upper(value: str) -> str:
    return value.upper()


@function("text", "Makes all letters small.", inline="{v}.lower()")
def lower(value: str) -> str:
    return value.lower()


@function("text", "Makes the first letter of each word a capital.", inline="{v}.title()")
def title(value: str) -> str:
    return value.title()


@function(
    "text", "Cuts a text that is longer than the target takes.", args=(Arg("length", "whole", "Most characters."),)
)
def truncate(value: str, *, length: int) -> str:
    return value[:length]


@function(
    "text",
    "Fills a text up on the left, as account and cost-centre numbers want it.",
    args=(Arg("length", "whole", "Length of the result."), Arg("fill", "text", "One character.", "0")),
    inverse="strip_leading_zeros",
)
def pad_left(value: str, *, length: int, fill: str) -> str:
    return value.rjust(length, fill[:1] or " ")


@function("text", "Removes zeros in front; a text of zeros alone becomes 0.", inverse="pad_left")
def strip_leading_zeros(value: str) -> str:
    return value.lstrip("0") or value[-1:]


@function(
    "text",
    "Replaces every occurrence of a text.",
    args=(Arg("find", "text", "What to look for."), Arg("put", "text", "What to put in its place.", "")),
)
def replace(value: str, *, find: str, put: str) -> str:
    return value.replace(find, put) if find else value


@function("text", "Puts a text in front.", args=(Arg("text", "text", "The text."),), inverse="remove_prefix")
def prefix(value: str, *, text: str) -> str:
    return text + value


@function(
    "text", "Removes a text in front, when it is there.", args=(Arg("text", "text", "The text."),), inverse="prefix"
)
def remove_prefix(value: str, *, text: str) -> str:
    return value.removeprefix(text)


@function("text", "Puts a text at the end.", args=(Arg("text", "text", "The text."),), inverse="remove_suffix")
def suffix(value: str, *, text: str) -> str:
    return value + text


@function(
    "text", "Removes a text at the end, when it is there.", args=(Arg("text", "text", "The text."),), inverse="suffix"
)
def remove_suffix(value: str, *, text: str) -> str:
    return value.removesuffix(text)


@function(
    "text",
    "Takes one part of a text such as a dimension string 100-EMEA-42; null when there is no such part.",
    args=(Arg("separator", "text", "What stands between the parts."), Arg("position", "whole", "Which part, from 1.")),
)
def split_part(value: str, *, separator: str, position: int) -> str | None:
    parts = value.split(separator) if separator else [value]
    return parts[position - 1] if 1 <= position <= len(parts) else None


@function(
    "text",
    "Adds other fields behind the value; empty ones are left out together with their separator.",
    takes="any",
    args=(Arg("fields", "paths", "The other fields, in order."), Arg("separator", "text", "What stands between.", " ")),
    nulls=True,
)
def concat(value: Any, fields: Sequence[Any], *, separator: str) -> str | None:
    texts = [text for each in (value, *fields) if (text := to_text(each))]
    return separator.join(texts) if texts else None


# --- empty values ---------------------------------------------------------------------------------------------------


@function("empty", "Makes a text without characters null.", takes="any", gives="any")
def empty_to_null(value: Any) -> Any:
    return None if is_blank(value) else value


@function(
    "empty",
    "Makes stand-in words such as N/A null.",
    takes="any",
    gives="any",
    args=(Arg("words", "texts", "The words, compared exactly."),),
)
def null_if(value: Any, *, words: Sequence[str]) -> Any:
    return None if _key(value) in words else value


@function(
    "empty",
    "Puts a value where the source has null or an empty text. A field that the source did not send stays missing.",
    takes="any",
    gives="any",
    args=(Arg("value", "any", "The value to put."),),
    nulls=True,
    inline="({v} or {value})",
)
def default_if_empty(content: Any, *, value: Any) -> Any:
    return value if content is None or content == "" else content


@function(
    "empty",
    "Takes the first of several fields that holds something, also when the source did not send the first.",
    takes="any",
    gives="any",
    args=(Arg("fields", "paths", "The other fields, in order."),),
    nulls=True,
    fills_missing=True,
)
def coalesce(value: Any, fields: Sequence[Any]) -> Any:
    return next((each for each in (value, *fields) if not is_blank(each)), None)


@function(
    "empty",
    "Keeps the value when another field has a certain content, and puts another value otherwise.",
    takes="any",
    gives="any",
    args=(
        Arg("field", "path", "The field that decides."),
        Arg("equals", "any", "Its content; written as the source sends it.", True),
        Arg("otherwise", "any", "The value otherwise.", None),
    ),
    nulls=True,
    inline="({v} if {field} is {equals} or (type({field}) is type({equals}) and {field} == {equals}) else {otherwise})",
)
def only_when(value: Any, field: Any, *, equals: Any, otherwise: Any) -> Any:
    return value if field is equals or (type(field) is type(equals) and field == equals) else otherwise


# --- short code tables ----------------------------------------------------------------------------------------------

Otherwise = Literal["fail", "null", "keep"]
_TABLE = Arg("table", "table", "The system's code: our word.")
_OTHERWISE = Arg("otherwise", "choice", "What to do with a code that is not listed.", "fail", ("fail", "null", "keep"))


def _key(value: Any) -> Any:
    return to_text(value) if not isinstance(value, list | dict) else None


@function(
    "codes",
    "Turns a code into a word by a short table of its own; `keep` leaves an unknown code as it came.",
    takes="any",
    gives="any",
    args=(_TABLE, _OTHERWISE),
    inverse="picklist_to_code",
)
def picklist(value: Any, *, table: Mapping[Any, Any], otherwise: Otherwise) -> Any:
    return _look_up(value, {to_text(code): word for code, word in table.items()}, otherwise)


@function(
    "codes",
    "Turns a word back into its code, by the same table as picklist.",
    takes="any",
    gives="any",
    args=(_TABLE, _OTHERWISE),
    inverse="picklist",
)
def picklist_to_code(value: Any, *, table: Mapping[Any, Any], otherwise: Otherwise) -> Any:
    return _look_up(value, {_key(word): code for code, word in reversed(list(table.items()))}, otherwise)


def _look_up(value: Any, table: Mapping[Any, Any], otherwise: Otherwise) -> Any:
    found = table.get(_key(value), _NOTHING)
    if found is not _NOTHING:
        return found
    if otherwise == "fail":
        raise RecordError(f"{shown(value)} is not in the table.", code="UNMAPPED", fix="Add it to the table.")
    return value if otherwise == "keep" else None


_NOTHING = object()
