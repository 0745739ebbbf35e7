"""What an exception is about, in the words of the business: the first classification that fits counts.

`when` of a Classification is a list of alternatives, each {word: [values]}: every word that is there has to hold, by any
of its values.

    error_code, field, origin, entity, system, missing (the entity that is missing)    equal to the value
    text                                                                            contained in the detail, in any case
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from governance.calendars.opening import ROUND_THE_CLOCK, OpeningHours, add_business_time
from governance.models import BusinessCalendar
from hub.common.errors import ConfigError
from hub.common.registry import Document
from monitoring.exceptions.intake import Found
from monitoring.models import Classification, ExceptionItem

SHIPPED = Path(__file__).resolve().parent / "shipped"
WORDS = ("error_code", "field", "origin", "entity", "system", "missing", "text")
# Facts that may group items, beside those that a source brings.
FACTS = (
    "client", "project", "role", "person", "field", "error_code", "missing", "missing_entity", "legal_entity", "period",
    "system", "currency",
)  # fmt: skip
UNKNOWN = "unknown"
_NAME = re.compile(r"\{(\w+)\}")
OTHER = "other"
_Kind = ExceptionItem.Kind


@dataclass(frozen=True, slots=True)
class Rule:
    """One classification as it counts; `source` tells whether it is shipped or the firm's own."""

    slug: str
    name: str
    kind: str = _Kind.BUSINESS
    position: int = 500
    when: Sequence[Mapping[str, Sequence[str]]] = ()
    facts: Sequence[str] = ()
    title: str = ""
    fix: str = ""
    help: str = ""
    sla_hours: int | None = None
    calendar: str = ""
    is_active: bool = True
    is_shipped: bool = True

    def fits(self, about: Mapping[str, str]) -> bool:
        return any(all(_holds(word, values, about) for word, values in each.items()) for each in self.when)


def _holds(word: str, values: Sequence[str], about: Mapping[str, str]) -> bool:
    given = about.get(word, "")
    if word == "text":
        return any(value.lower() in given for value in values)
    return given in values


LAST = Rule(OTHER, "Something else", _Kind.TECHNICAL, position=10_000, facts=("error_code",), title="Not classified")


# What counts ------------------------------------------------------------------------------------------------
@cache
def shipped_documents() -> tuple[Document, ...]:
    """The classifications that come with the hub, by position."""
    found = [doc for file in sorted(SHIPPED.glob("*.yaml")) for doc in yaml.safe_load_all(file.read_text("utf-8"))]
    return tuple(sorted(found, key=lambda one: (one["position"], one["slug"])))


def rules() -> list[Rule]:
    """Those of the firm, and the shipped ones that it has not written anew, by position; without what is switched off."""
    return [rule for rule in all_rules() if rule.is_active]


def all_rules() -> list[Rule]:
    own = {row.slug: _own(row) for row in Classification.objects.select_related("calendar")}
    found = [*own.values(), *(of_document(one) for one in shipped_documents() if one["slug"] not in own)]
    return sorted(found, key=lambda rule: (rule.position, rule.slug))


def of_document(document: Document) -> Rule:
    given = {name: value for name, value in document.items() if name != "kind"}
    kind = given.pop("type", _Kind.BUSINESS)
    return Rule(**given, kind=str(kind))


def _own(row: Classification) -> Rule:
    return Rule(
        slug=row.slug,
        name=row.name,
        kind=row.kind,
        position=row.position,
        when=row.when,
        facts=tuple(row.facts),
        title=row.title,
        fix=row.fix,
        help=row.help,
        sla_hours=row.sla_hours,
        calendar=row.calendar.slug if row.calendar else "",
        is_active=row.is_active,
        is_shipped=False,
    )


def digest(found: Sequence[Rule]) -> str:
    """Another one means that open items may be understood in another way."""
    text = json.dumps([[getattr(rule, name) for name in Rule.__slots__] for rule in found], default=list)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


# One item ---------------------------------------------------------------------------------------------------
class Classifier:
    """The rules of one sweep, with their calendars."""

    def __init__(self, found: Sequence[Rule] | None = None) -> None:
        self.rules = rules() if found is None else found
        self._by_slug = {rule.slug: rule for rule in self.rules}
        self._hours: dict[str, OpeningHours] = {}

    def of(self, found: Found, origin: str, entity: str, system: str) -> Rule:
        """What its source says, else the first rule that fits. Without one it is `other`, and technical."""
        if found.cause:
            return self.named(found.cause)
        about = {
            "error_code": found.error_code,
            "field": found.field,
            "origin": origin,
            "entity": entity,
            "system": system,
            "missing": found.facts.get("missing_entity", ""),
            "text": found.detail.lower(),
        }
        return next((rule for rule in self.rules if rule.fits(about)), LAST)

    def named(self, slug: str) -> Rule:
        return self._by_slug.get(slug) or Rule(slug, name_of(slug))

    def due_at(self, rule: Rule, opened_at: datetime) -> datetime | None:
        """So many business hours after it was opened."""
        if rule.sla_hours is None:
            return None
        try:
            return add_business_time(self._opening(rule.calendar), opened_at, timedelta(hours=rule.sla_hours))
        except ConfigError:
            return opened_at + timedelta(hours=rule.sla_hours)

    def _opening(self, slug: str) -> OpeningHours:
        if slug not in self._hours:
            calendar = calendar_of(slug)
            self._hours[slug] = calendar.opening_hours if calendar else ROUND_THE_CLOCK
        return self._hours[slug]


def calendar_of(slug: str) -> BusinessCalendar | None:
    """The named one, else the firm's where it has one that inherits from no other; None is round the clock."""
    if slug:
        return BusinessCalendar.objects.filter(slug=slug).first()
    heads = list(BusinessCalendar.objects.filter(parent=None)[:2])
    return heads[0] if len(heads) == 1 else None


def facts_of(rule: Rule, found: Found, system: str) -> dict[str, str]:
    """What the items of its group share, in words."""
    known = {
        "client": found.client_name or found.client,
        "project": found.project,
        "field": found.field,
        "error_code": found.error_code,
        "legal_entity": found.legal_entity,
        "period": found.period,
        "system": system,
        "currency": found.currency,
        **found.facts,
    }
    if rule.facts:
        return {name: known.get(name) or UNKNOWN for name in rule.facts}
    return dict(found.facts) if found.cause else {}


def fingerprint(rule: Rule, entity_id: int | None, domain_id: int | None, facts: Mapping[str, str]) -> str:
    """Cause, entity and facts; the domain stands in it because whoever sees a group sees all of its items."""
    text = json.dumps([facts, domain_id], sort_keys=True)
    return f"{rule.slug}:{entity_id or 0}:{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"


def title_of(rule: Rule, facts: Mapping[str, str], entity: str) -> str:
    """The group's title by its template, "No bill rate: {role} × {client}"; a fact that nobody knows is left out."""
    words = {name: value for name, value in facts.items() if value != UNKNOWN} | {"entity": entity}
    head, _, rest = (rule.title or rule.name).partition(": ")
    kept = [filled for part in rest.split(" × ") if (filled := _filled(part, words))]
    title = _filled(head, words) or rule.name
    return f"{title}: {' × '.join(kept)}" if kept else title


def _filled(part: str, words: Mapping[str, str]) -> str:
    """The words in their places; empty where one of them is missing. Nothing but {names} is ever looked up."""
    if any(name not in words for name in _NAME.findall(part)):
        return ""
    return _NAME.sub(lambda match: words[match[1]], part)


def name_of(slug: str) -> str:
    """The word for a cause; the slug in words where no classification has it."""
    return names().get(slug) or slug.replace("-", " ").capitalize()


def names() -> dict[str, str]:
    return {rule.slug: rule.name for rule in all_rules()} | {OTHER: LAST.name}


def choices() -> list[tuple[str, str]]:
    return [(rule.slug, rule.name) for rule in rules()]


def problems(document: Document) -> list[tuple[str, str]]:
    """(path, sentence) for everything wrong with a classification on its own."""
    found = []
    when: Any = document.get("when") or []
    if not isinstance(when, list) or not all(isinstance(each, dict) and each for each in when):
        return [("when", "Write a list of alternatives, each of words with lists of values.")]
    for place, each in enumerate(when):
        found += [(f"when.{place}.{word}", text) for word, values in each.items() if (text := _wrong(word, values))]
    facts = document.get("facts") or []
    if not isinstance(facts, list) or not all(isinstance(name, str) and name.isidentifier() for name in facts):
        found.append(("facts", "Write a list of names, such as role and client."))
    return found


def _wrong(word: Any, values: Any) -> str:
    if word not in WORDS:
        return f"There is no condition {word!r}. Use {', '.join(WORDS)}."
    is_list = isinstance(values, list) and values and all(isinstance(value, str) and value for value in values)
    return "" if is_list else "Write a list of texts, with at least one."
