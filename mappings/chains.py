"""The conversion chain of a rule as form fields: `step` names the conversions in order, `step-0-digits` an argument.

Texts are kept as typed; lists are one a line (or with commas), tables one `code = word` a line, and a value of any kind
is written as JSON where that matters: true, 5, "5".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from mappings.functions import FUNCTIONS, Arg
from mappings.functions.registry import REQUIRED
from mappings.rules import Conversion

MAX_STEPS = 20
_LINES = ("texts", "paths", "table")


@dataclass(frozen=True, slots=True)
class ArgField:
    """One argument as an input: its name in the form, what stands in it, and what to say about it."""

    arg: Arg
    name: str
    text: str

    @property
    def label(self) -> str:
        return self.arg.name.replace("_", " ").capitalize()

    @property
    def is_required(self) -> bool:
        return self.arg.default is REQUIRED

    @property
    def is_lines(self) -> bool:
        return self.arg.kind in _LINES

    @property
    def is_path(self) -> bool:
        return self.arg.kind == "path"

    @property
    def choices(self) -> list[tuple[str, str]]:
        return [(choice, choice.replace("_", " ") or "not allowed") for choice in self.arg.choices]


@dataclass(frozen=True, slots=True)
class StepFields:
    """One conversion of the chain with the inputs of its arguments."""

    position: int
    fn: str
    help: str
    fields: tuple[ArgField, ...]

    @property
    def label(self) -> str:
        return self.fn.replace("_", " ")


def posted_steps(data: QueryDict) -> list[Conversion]:
    """The chain as it stands in a form; arguments that equal their default are left out."""
    names = data.getlist("step")[:MAX_STEPS]
    return [Conversion(fn, _posted_args(data, at, fn)) for at, fn in enumerate(names)]


def _posted_args(data: QueryDict, at: int, fn: str) -> dict[str, Any]:
    args = {}
    for arg in FUNCTIONS[fn].args if fn in FUNCTIONS else ():
        text = data.get(f"step-{at}-{arg.name}")
        if text is None:
            continue
        value = _parse(arg, text.replace("\r\n", "\n"))
        if value is not None and value != arg.default:
            args[arg.name] = value
    return args


def changed_steps(steps: Sequence[Conversion], op: str) -> list[Conversion]:
    """The chain after `add-<conversion>`, `up-<n>`, `down-<n>` or `remove-<n>`; anything else leaves it as it is."""
    verb, _, what = op.partition("-")
    result = list(steps)
    if verb == "add" and what in FUNCTIONS and len(result) < MAX_STEPS:
        return [*result, Conversion(what)]
    at = int(what) if what.isdigit() else len(result)
    other = {"up": at - 1, "down": at + 1}.get(verb, at)
    if at >= len(result) or not 0 <= other < len(result):
        return result
    if verb == "remove":
        del result[at]
    else:
        result[at], result[other] = result[other], result[at]
    return result


def step_fields(steps: Sequence[Conversion]) -> list[StepFields]:
    """Inputs for a chain."""
    return [_step_fields(at, step) for at, step in enumerate(steps)]


def _step_fields(at: int, step: Conversion) -> StepFields:
    found = FUNCTIONS.get(step.fn)
    args = found.args if found else ()
    fields = tuple(ArgField(arg, f"step-{at}-{arg.name}", _text(arg, step.args)) for arg in args)
    return StepFields(at, step.fn, found.help if found else "", fields)


def _text(arg: Arg, args: Mapping[str, Any]) -> str:
    value = args.get(arg.name, None if arg.default is REQUIRED else arg.default)
    if value is None or value == ():
        return ""
    return _WRITERS.get(arg.kind, str)(value)


def _parse(arg: Arg, text: str) -> Any:
    """The argument's value; None when the input is blank and blank says nothing."""
    if arg.kind == "text":
        return text if text or arg.default is not REQUIRED else None
    stripped = text.strip()
    if not stripped:
        return "" if arg.kind == "choice" else None
    return _READERS.get(arg.kind, str)(stripped)


def _whole(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


def _lines(text: str) -> list[str]:
    parts = text.split("\n") if "\n" in text else text.split(",")
    return [part.strip() for part in parts if part.strip()]


def _table(text: str) -> dict[str, Any]:
    pairs = (line.partition("=") for line in text.split("\n") if line.strip())
    return {code.strip(): parse_any(word.strip()) for code, _, word in pairs}


def parse_any(text: str) -> Any:
    """A JSON value where the text is one, else the text itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, float) else value


def format_any(value: Any) -> str:
    """The text that `parse_any` reads back: a text that looks like JSON is put in quotes."""
    if isinstance(value, str) and parse_any(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _write_table(value: Any) -> str:
    pairs = value.items() if isinstance(value, Mapping) else ()
    return "\n".join(f"{code} = {format_any(word)}" for code, word in pairs)


_READERS: dict[str, Callable[[str], Any]] = {
    "whole": _whole,
    "texts": _lines,
    "paths": _lines,
    "table": _table,
    "any": parse_any,
}
_WRITERS: dict[str, Callable[[Any], str]] = {
    "texts": lambda value: "\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value),
    "paths": lambda value: "\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value),
    "table": _write_table,
    "any": format_any,
}
