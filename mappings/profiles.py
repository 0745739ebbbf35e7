"""What sample values look like, and how well they fit a target field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.common.errors import HubError, RecordError
from hub.common.money import CURRENCY_DIGITS, parse_decimal
from mappings.convert import to_text
from mappings.paths import MISSING, parse_path, read_path
from mappings.target_fields import TargetField

MAX_SAMPLES = 200

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")
_PERIOD = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_WHOLE = re.compile(r"[+-]?\d+")
_FLAGS = frozenset({"true", "false", "yes", "no", "y", "n", "t", "f", "0", "1"})


@dataclass(frozen=True, slots=True)
class Profile:
    """The values of one source field over the samples: `texts` are the single values, as text."""

    seen: int
    missing: int
    nulls: int
    texts: tuple[str, ...]

    @property
    def null_rate(self) -> float:
        """Share of samples in which the field is missing, null or empty."""
        return (self.missing + self.nulls) / self.seen if self.seen else 0.0

    @property
    def is_constant(self) -> bool:
        return len(self.texts) >= 2 and len(set(self.texts)) == 1

    def share(self, fits: Callable[[str], bool]) -> float:
        return sum(map(fits, self.texts)) / len(self.texts) if self.texts else 0.0


def profile(path: str, records: Sequence[Mapping[str, Any]], example: str = "") -> Profile:
    """The profile of a source path; the example of a description counts as one sample."""
    missing = nulls = 0
    texts = [example] if example else []
    for record in records[:MAX_SAMPLES]:
        try:
            value = read_path(record, parse_path(path))
            text = None if value is MISSING else to_text(value)
        except HubError:
            continue
        missing += value is MISSING
        nulls += value is None or text == ""
        if text:
            texts.append(text)
    return Profile(min(len(records), MAX_SAMPLES), missing, nulls, tuple(texts))


def fit(target: TargetField, found: Profile) -> tuple[float, str] | None:
    """How well values fit a field, 0 to 1, with the reason; None when they say nothing."""
    if not found.texts:
        return None
    if target.enum:
        words = {word.lower() for word in target.enum}
        share = found.share(lambda text: text.lower() in words)
        return (share, "values are those of the target") if share else None
    check = _CHECKS.get(target.format) or _CHECKS.get(target.type)
    if check is None:
        return None
    fits, words_for = check
    return found.share(fits), f"values look like {words_for}"


def is_number(text: str) -> bool:
    try:
        parse_decimal(text)
    except RecordError:
        return False
    return True


def longest(texts: Iterable[str]) -> str:
    return max(texts, key=len, default="")


_CHECKS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "email": (lambda text: bool(_EMAIL.fullmatch(text)), "e-mail addresses"),
    "currency": (lambda text: text in CURRENCY_DIGITS, "currency codes"),
    "period": (lambda text: bool(_PERIOD.fullmatch(text)), "periods"),
    "date": (lambda text: bool(_DATE.match(text)), "dates"),
    "datetime": (lambda text: bool(_INSTANT.fullmatch(text)), "dates with a time"),
    "decimal": (is_number, "numbers"),
    "integer": (lambda text: bool(_WHOLE.fullmatch(text)), "whole numbers"),
    "boolean": (lambda text: text.lower() in _FLAGS, "yes and no"),
}
