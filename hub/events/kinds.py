"""Subscription as a configuration document: `secrets` sign, `headers` are sent along; both are written as `${secret:name}`."""

from __future__ import annotations

from typing import Any

from connectors import secrets
from governance.models import Entity
from hub.accounts.models import Domain
from hub.common import registry
from hub.common.errors import ConfigError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem
from hub.events import services
from hub.events.models import Subscription
from hub.webhooks import schemes
from hub.webhooks.models import SECRET_NAMES

COLUMNS = ("url", "event_types", "only_when", "payload", "allowed_networks", "is_active")
SECRETS = ("secrets", "headers")


class SubscriptionKind(ModelKind):
    def extra_dump(self, found: Subscription) -> Document:
        stored = {name: getattr(found, name) for name in SECRETS}
        return {
            place: {name: _placeholder(found.slug, place, name) for name in sorted(names)}
            for place, names in stored.items()
            if names
        }

    def extra_validate(self, document: Document) -> list[Problem]:
        found = [p for place in SECRETS for p in _given_problems(place, document.get(place) or {})]
        if found:
            return found
        trial = Subscription(slug=document["slug"], **{n: document[n] for n in COLUMNS if n in document})
        trial.entity = Entity.objects.filter(slug=document.get("entity") or "").first()
        trial.domain = Domain.objects.filter(slug=document.get("domain") or "").first()
        trial.headers = secrets.resolve(document.get("headers") or {})
        if document.get("entity") and trial.entity is None:
            trial.only_when = {}  # the entity comes with the same documents; what refers to it is judged when it is applied
        return [Problem(name, sentence) for name, sentence in services.problems(trial)]

    def normal(self, document: Document) -> Document:
        """A secret counts as changed only when its new value is known and differs from the stored one."""
        found = self.get(document["slug"])
        rest = {name: value for name, value in document.items() if name not in SECRETS}
        if rest.get("entity") and not rest.get("domain"):
            rest["domain"] = Entity.objects.filter(slug=rest["entity"]).values_list("domain__slug", flat=True).first()
        for place in SECRETS:
            stored = getattr(found, place) if found else {}
            if shown := _compared(document["slug"], place, document.get(place) or {}, stored):
                rest[place] = shown
        return super().normal(rest)

    def proposal(self, document: Document) -> Document:
        found, slug = self.normal(document), document["slug"]
        for place in SECRETS:
            if shown := found.get(place):
                exported = {name: _placeholder(slug, place, name) for name in shown}
                found[place] = secrets.for_review(document.get(place) or {}, shown, exported)
        return found

    def notes(self, document: Document) -> list[str]:
        """Without a secret nothing can be signed, and nothing is sent."""
        found = self.get(document["slug"])
        if secrets.resolve(document.get("secrets") or {}) or (found and found.secrets):
            return []
        slug = document["slug"]
        return [f"Subscription {slug}: a secret is made for it. Rotate it on its page to see one, then enter it there."]

    def before_save(self, found: Subscription, document: Document) -> None:
        for place in SECRETS:
            setattr(found, place, {**getattr(found, place), **secrets.resolve(document.get(place) or {})})
        if not found.secrets:
            found.secrets = {"current": schemes.new_secret(services.SCHEME)}
        services.take_domain(found)
        if problems := services.problems(found):
            raise ConfigError(problems[0][1], where=problems[0][0], code="SUBSCRIPTION")

    def extra_apply(self, found: Any, document: Document, *, by: Any) -> None:
        services.was_applied()


def _placeholder(slug: str, place: str, name: str) -> str:
    return secrets.placeholder(slug, name if place == "secrets" else f"header.{name}")


def _given_problems(place: str, given: Any) -> list[Problem]:
    if not isinstance(given, dict):
        return [Problem(place, "Write names and values: {name: ${secret:…}}.")]
    found = [Problem(f"{place}.{name}", sentence) for name, sentence in secrets.problems(given)]
    if place == "secrets":
        unknown = [name for name in given if name not in SECRET_NAMES]
        found += [
            Problem(f"secrets.{n}", f"A subscription has the secrets {' and '.join(SECRET_NAMES)}.") for n in unknown
        ]
        known = {} if found else secrets.resolve(given)
        judged = [(name, schemes.secret_problem(services.SCHEME, value)) for name, value in known.items()]
        found += [Problem(f"secrets.{name}", sentence) for name, sentence in judged if sentence]
    return found


def _compared(slug: str, place: str, given: dict[str, str], stored: dict[str, str]) -> dict[str, str]:
    shown = {}
    for name, value in given.items():
        if name in stored or secrets.value_of(value) is not None:
            is_same = secrets.compare(slug, name, value, stored.get(name)) != "(new value)"
            shown[name] = _placeholder(slug, place, name) if is_same else "(new value)"
    kept = {name: _placeholder(slug, place, name) for name in stored if name not in given}
    return dict(sorted({**shown, **kept}.items()))


def register() -> None:
    registry.register(
        SubscriptionKind(
            name="Subscription",
            model=Subscription,
            after=["Entity", "Contract", "Domain", "EventType"],
            fields=[
                Attr("name", required=True),
                Attr("url", required=True),
                Attr("event_types", required=True),
                Ref("domain", lambda: Domain, "Domain"),
                Ref("entity", lambda: Entity, "Entity"),
                *(Attr(name) for name in COLUMNS if name not in ("url", "event_types")),
            ],
            extra=list(SECRETS),
        )
    )
