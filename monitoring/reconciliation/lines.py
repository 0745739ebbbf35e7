"""What is compared, and match rules, as lines of words: what people type on the form, and what a document says.

hours: decimal, within 0.01            name: text, ignoring case, ignoring blanks
amount: decimal, within 0.5 %          date: date, within 1 day           approved_at: instant, within 30 seconds

sum per day: many to one by resource, date; within 0.01; automatic
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from monitoring.reconciliation.definition import RULE_KINDS, TYPES

_NUMBER = r"(\d+(?:\.\d+)?)"
_WITHIN = {
    "percent": re.compile(rf"within {_NUMBER} ?%"),
    "days": re.compile(r"within (\d+) days?"),
    "seconds": re.compile(r"within (\d+) seconds?"),
    "absolute": re.compile(rf"within {_NUMBER}"),
}
_FLAGS = {"ignoring case": "ignore_case", "ignoring blanks": "ignore_space"}


class LineError(ValueError):
    """A line says something that is not understood; the text is a sentence."""


def _each(text: str, parse: Callable[[str], dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                found.append(parse(line.strip()))
            except LineError as error:
                raise LineError(f"Line {number}: {error}") from None
    return found


# Compared fields -------------------------------------------------------------------------------------------
def compare_of(text: str) -> list[dict[str, Any]]:
    """`compare` of a document; raises LineError naming the line."""
    return _each(text, _compared)


def _compared(line: str) -> dict[str, Any]:
    name, _, rest = line.partition(":")
    kind, *words = [part.strip() for part in rest.split(",")] if rest.strip() else ["text"]
    if kind not in TYPES:
        raise LineError(f"{kind!r} is not a type. Write field: {' | '.join(TYPES)}.")
    found: dict[str, Any] = {"field": name.strip()}
    found |= {"type": kind} if kind != "text" else {}
    for word in words:
        found |= _tolerance(word)
    return found


def _tolerance(word: str) -> dict[str, Any]:
    if word in _FLAGS:
        return {_FLAGS[word]: True}
    for name, pattern in _WITHIN.items():
        if match := pattern.fullmatch(word):
            return {name: int(match[1]) if name in ("days", "seconds") else match[1]}
    raise LineError(f"{word!r} is not understood. Write within 0.01, within 1 %, within 1 day, or ignoring case.")


def compare_text(compare: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(", ".join(_compared_words(item)) for item in compare)


def _compared_words(item: Mapping[str, Any]) -> Iterator[str]:
    yield f"{item['field']}: {item.get('type', 'text')}"
    yield from _tolerance_words(item)
    yield from (words for words, name in _FLAGS.items() if item.get(name))


def _tolerance_words(item: Mapping[str, Any]) -> Iterator[str]:
    if item.get("absolute"):
        yield f"within {item['absolute']}"
    if item.get("percent"):
        yield f"within {item['percent']} %"
    for name in ("days", "seconds"):
        if number := item.get(name):
            yield f"within {number} {name if number != 1 else name[:-1]}"


# Match rules -----------------------------------------------------------------------------------------------
def rules_of(text: str) -> list[dict[str, Any]]:
    """`rules` of a document; raises LineError naming the line."""
    return _each(text, _rule)


def _rule(line: str) -> dict[str, Any]:
    head, *rest = [part.strip() for part in line.split(";")]
    name, _, said = head.partition(":")
    kind, by, group = said.strip().partition(" by ")
    if kind.strip().replace(" ", "_") not in RULE_KINDS or not by:
        raise LineError("Write name: one to one by field, field (or one to many, many to one, many to many).")
    found: dict[str, Any] = {"name": name.strip(), "kind": kind.strip().replace(" ", "_"), "group": names_of(group)}
    for word in rest:
        found |= {"auto": True} if word == "automatic" else _tolerance(word)
    return found


def rules_text(rules: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join("; ".join(_rule_words(rule)) for rule in rules)


def _rule_words(rule: Mapping[str, Any]) -> Iterator[str]:
    yield f"{rule['name']}: {rule['kind'].replace('_', ' ')} by {', '.join(rule['group'])}"
    yield from _tolerance_words(rule)
    if rule.get("auto"):
        yield "automatic"


# Sides -----------------------------------------------------------------------------------------------------
def names_of(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def filter_of(text: str) -> dict[str, list[str]]:
    """`status = approved, billed` → {"status": ["approved", "billed"]}"""
    found = _each(text, lambda line: _pair(line, "status = approved, billed"))
    return {name: names_of(value) for one in found for name, value in one.items()}


def filter_text(given: Mapping[str, Sequence[Any]]) -> str:
    return "\n".join(f"{name} = {', '.join(map(str, values))}" for name, values in given.items())


def fields_of(text: str) -> dict[str, Any]:
    """`hours = quantity`, `project = jobId of erp-projects`, `currency = "GBP"`"""
    found: dict[str, Any] = {}
    for one in _each(text, lambda line: _pair(line, "hours = quantity")):
        for name, value in one.items():
            path, of, via = value.partition(" of ")
            if value.startswith('"') and value.endswith('"') and len(value) > 1:
                found[name] = {"value": value[1:-1]}
            else:
                found[name] = {"path": path.strip(), "via": via.strip()} if of else value
    return found


def fields_text(given: Mapping[str, Any]) -> str:
    return "\n".join(f"{name} = {_field_words(spec)}" for name, spec in given.items())


def _field_words(spec: Any) -> str:
    if isinstance(spec, str):
        return spec
    if "value" in spec:
        return f'"{spec["value"]}"'
    return f"{spec['path']} of {spec['via']}" if spec.get("via") else str(spec["path"])


def _pair(line: str, example: str) -> dict[str, str]:
    name, sign, value = line.partition("=")
    if not (sign and name.strip() and value.strip()):
        raise LineError(f"Write it as {example}.")
    return {name.strip(): value.strip()}
