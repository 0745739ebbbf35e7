"""Make it a rule: what a person did once becomes what the hub does, tried on the open queue before it is saved.

A lesson is a document of a kind that the hub has already (a value map, a mapping, a routing rule). It goes through the door of
governed edits: applied at once, or laid before its reviewers where a policy says so.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.text import slugify

from governance import saving
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document, kind, kinds
from hub.sync.models import Sync
from mappings.models import ValueMap
from monitoring.exceptions import choosing, fix_values, plans
from monitoring.exceptions.choosing import Choice
from monitoring.exceptions.fixes import Fix, Input, Offer
from monitoring.models import ExceptionItem, ExceptionJobItem

LOOKED_AT = 200
ROUTING = "RoutingRule"


@dataclass(frozen=True, slots=True)
class Preview:
    """What the rule would do to what is open now: how many would pass, how many that pass now would not."""

    number: int
    would_pass: int
    newly_fail: int
    untried: int = 0
    routed: int | None = None


class Lesson:
    """One way to make a rule of it."""

    slug = ""
    title = ""
    act = ""
    permission = ""

    def offer(self, items: Sequence[ExceptionItem], *, by: Any) -> Offer | None:
        raise NotImplementedError

    def document(self, items: Sequence[ExceptionItem], given: Mapping[str, str]) -> Document:
        """The whole object as it would be. Raises ConfigError for what is missing."""
        raise NotImplementedError

    def may(self, by: Any, domain_id: int | None) -> bool:
        return by is None or bool(by.has_hub_perm(self.permission, domain_id))


class MapDefault(Lesson):
    """Whatever a value map does not list becomes one value."""

    slug, title = "map_default", "A default for what the value map does not list"
    act, permission = "value_map.default_learned", "valuemaps.edit"

    def offer(self, items: Sequence[ExceptionItem], *, by: Any) -> Offer | None:
        value_map = self._map(items)
        if value_map is None or not self.may(by, value_map.domain_id):
            return None
        known = value_map.entries.order_by("target").values_list("target", flat=True).distinct()[:200]
        one = Input("default", "Default value", value=value_map.default, suggestions=tuple(filter(None, known)))
        return Offer(self.slug, self.title, f"Every value that {value_map.name} does not list becomes this.", (one,))

    def document(self, items: Sequence[ExceptionItem], given: Mapping[str, str]) -> Document:
        value_map = self._map(items)
        if value_map is None:
            raise ConfigError("No value map stops these any more.", fix="Look at the mapping.")
        found = kind("ValueMap").dump(value_map.slug) or {}
        return {**found, "on_unmapped": str(ValueMap.Unmapped.DEFAULT), "default": _needed(given, "default")}

    def _map(self, items: Sequence[ExceptionItem]) -> ValueMap | None:
        """By what stops them; of those that have passed meanwhile, by the map that their field is looked up in."""
        gaps = fix_values.gaps_of(items)
        slug = (
            gaps[0].slug if gaps else next((rule["value_map"] for rule in _rules(items) if rule.get("value_map")), "")
        )
        return ValueMap.objects.filter(slug=slug).first() if slug else None


class FieldDefault(Lesson):
    """A field that the source leaves out gets a default."""

    slug, title = "field_default", "A default for the field where the source leaves it out"
    act, permission = "mapping.default_learned", "mappings.edit"

    def offer(self, items: Sequence[ExceptionItem], *, by: Any) -> Offer | None:
        sync, rules = _sync(items), _rules(items)
        if sync is None or not rules or not self.may(by, sync.entity.domain_id):
            return None
        value = rules[0].get("default")
        one = Input("default", f"{rules[0]['target']} becomes", value="" if value is None else str(value))
        return Offer(
            self.slug, self.title, f"In the mapping {sync.mapping.name}, for every record from now on.", (one,)
        )

    def document(self, items: Sequence[ExceptionItem], given: Mapping[str, str]) -> Document:
        sync, rules = _sync(items), _rules(items)
        if sync is None or not rules:
            raise ConfigError("No rule of the mapping fills this field.", fix="Map it first.")
        document = copy.deepcopy(kind("Mapping").dump(sync.mapping.slug) or {})
        for rule in document.get("rules", []):
            if rule["target"] == rules[0]["target"]:
                rule |= {"on_missing": "default", "default": _needed(given, "default")}
        return document


class Route(Lesson):
    """Exceptions of this class, of this client, are somebody's turn from the beginning."""

    slug, title = "route", "Whose turn it is"
    act, permission = "routing_rule.learned", "monitor.edit"

    def offer(self, items: Sequence[ExceptionItem], *, by: Any) -> Offer | None:
        if ROUTING not in kinds() or not self.may(by, items[0].domain_id):
            return None
        item = items[0]
        team = Input("team", "Team", value=item.team, required=False)
        person = Input("person", "Person", value=item.assignee.email if item.assignee else "", required=False,
                       help="E-mail address.")  # fmt: skip
        client = Input("client", "Only of client", value=item.client, required=False, help="Empty: of every client.")
        sentence = f"Every {item.cause.replace('_', ' ').replace('-', ' ')} goes there by itself."
        return Offer(self.slug, self.title, sentence, (team, person, client))

    def document(self, items: Sequence[ExceptionItem], given: Mapping[str, str]) -> Document:
        team, person, client = (given.get(name, "").strip() for name in ("team", "person", "client"))
        if not team and not person:
            raise ConfigError("Say whose turn it is: a team, a person, or both.", where="team", code="NEEDED")
        cause = items[0].cause
        name = f"{cause.replace('_', ' ').replace('-', ' ').capitalize()}{f' of {client}' if client else ''}"
        document: Document = {"kind": ROUTING, "slug": slugify(name)[:80], "name": name, "cause": cause}
        if items[0].domain:
            document["domain"] = items[0].domain.slug
        return document | {
            key: value for key, value in (("client", client), ("team", team), ("person", person)) if value
        }


LESSONS: dict[str, Lesson] = {lesson.slug: lesson for lesson in (MapDefault(), FieldDefault(), Route())}


def find(slug: str) -> Lesson:
    if slug not in LESSONS:
        raise ConfigError(f"There is no rule {slug!r} to be made.", where="rule", fix=f"Use {', '.join(LESSONS)}.")
    return LESSONS[slug]


def offers(items: Sequence[ExceptionItem], *, by: Any) -> list[Offer]:
    """The rules that could be made of these."""
    return [offer for lesson in LESSONS.values() if (offer := lesson.offer(items, by=by))] if items else []


# What it is learnt from ------------------------------------------------------------------------------------------
def looked_at(asked: Mapping[str, str], user: User) -> list[ExceptionItem]:
    """The exceptions of a job, of a cause, or some, settled ones too: a rule is mostly made of what has just passed."""
    rows = scope_to_domains(ExceptionItem.objects.select_related("entity", "domain", "assignee"), user, choosing.SEE)
    for key, column in (("job", ""), ("group", "group_id"), ("ids", "pk")):
        if numbers := [int(word) for word in asked.get(key, "").split(",") if word.isascii() and word.isdigit()]:
            chosen = Q(pk__in=ExceptionJobItem.objects.filter(job__in=numbers).values("item")) if key == "job" else None
            return list(rows.filter(chosen or Q(**{f"{column}__in": numbers})).order_by("-rank", "-pk")[:LOOKED_AT])
    return []


def _sync(items: Sequence[ExceptionItem]) -> Sync | None:
    rows = Sync.objects.select_related("mapping__entity", "mapping__stream__connection__system")
    sync = rows.filter(pk=items[0].sync_id or 0).first() if items else None
    return sync if sync and sync.direction == "in" else None


def _rules(items: Sequence[ExceptionItem]) -> list[Document]:
    """The rules of the mapping in force that fill the field these stopped at."""
    sync = _sync(items)
    document = kind("Mapping").dump(sync.mapping.slug) if sync else None
    names = {item.field.split(".", 1)[0] for item in items if item.field}
    return [rule for rule in (document or {}).get("rules", []) if rule["target"].split(".", 1)[0] in names]


def _needed(given: Mapping[str, str], name: str) -> str:
    text = str(given.get(name, "")).replace("\x00", "").strip()
    if not text:
        raise ConfigError("Say which value.", where=name, fix="Fill it in.", code="NEEDED")
    return text[:200]


# Trying and saving -------------------------------------------------------------------------------------------------
class _Applied(Fix):
    """A document as a fix, so that a plan can be made with it."""

    slug = "lesson"

    def __init__(self, document: Document) -> None:
        self.document = document

    def apply(self, items: Sequence[ExceptionItem], given: Mapping[str, Any], *, by: Any, reason: str = "") -> str:
        kind(self.document["kind"]).apply(self.document, by=by)
        return ""


def preview(items: Sequence[ExceptionItem], slug: str, given: Mapping[str, str], *, by: Any) -> Preview:
    """The rule tried on everything that is open of the same sync (or, for a route, of the same class); nothing is written."""
    document = find(slug).document(items, given)
    _check(document)
    if slug == Route.slug:
        client = Q(client=document["client"]) if "client" in document else Q()
        number = Choice({}, Q(cause=items[0].cause) & client).rows(by, choosing.SEE).count()
        return Preview(number, 0, 0, routed=number)
    choice = Choice({}, Q(sync_id=items[0].sync_id))
    before, after = plans.make(choice, by=by), plans.make(choice, _Applied(document), by=by)
    passed = {line.item.pk for line in before.lines if line.passes}
    passes = {line.item.pk for line in after.lines if line.passes}
    return Preview(after.number, len(passes - passed), len(passed - passes), after.untried)


def save(items: Sequence[ExceptionItem], slug: str, given: Mapping[str, str], *, by: Any, reason: str) -> Put:
    """Save the rule, or hand it to its reviewers. Raises ConfigError for what may not, or cannot, be saved."""
    lesson = find(slug)
    if lesson.offer(items, by=by) is None:
        raise ConfigError("This rule cannot be made here, or is not yours to make.", fix="Ask who keeps it.")
    document = lesson.document(items, given)
    _check(document)
    return saving.save(document, act=lesson.act, by=by, reason=reason, domain=items[0].domain)


def _check(document: Document) -> None:
    for problem in kind(document["kind"]).validate(document):
        raise ConfigError(problem.sentence, where=problem.path)
