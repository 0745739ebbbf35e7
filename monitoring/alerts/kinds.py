"""AlertRule and AlertRoute as configuration documents. Numbers travel as decimal texts, secrets as `${secret:name}`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from connectors import secrets
from connectors.models import System
from governance.models import BusinessCalendar
from hub.accounts.models import Domain
from hub.common import registry
from hub.common.egress import parse_networks
from hub.common.errors import ConfigError, HubError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.money import parse_decimal
from hub.common.registry import Document, Problem
from hub.common.wire import parse_url
from hub.sync.models import Sync
from hub.webhooks import schemes
from hub.webhooks.models import Endpoint
from monitoring.alerts import conditions
from monitoring.alerts.channels import chat
from monitoring.alerts.states import MOST_EVALUATIONS
from monitoring.models import AlertRoute, AlertRule

RULE, ROUTE = "AlertRule", "AlertRoute"
SECRETS = ("chat", "webhook")
RESERVED = {"new", "preview", "who"}
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def decimal_text(value: Decimal) -> str:
    """Without the zeros that only its column's scale adds."""
    return f"{value.normalize():f}"


class WithDecimals(ModelKind):
    """A kind whose decimals are texts in documents."""

    decimals: tuple[str, ...] = ()

    def _value(self, found: Any, item: Attr | Ref) -> Any:
        value = super()._value(found, item)
        return decimal_text(value) if isinstance(value, Decimal) else value

    def normal(self, document: Document) -> Document:
        written = {
            name: decimal_text(parse_decimal(document[name]))
            for name in self.decimals
            if document.get(name) not in (None, "")
        }
        return super().normal({**document, **written})

    def extra_validate(self, document: Document) -> list[Problem]:
        problems = (
            [Problem("slug", f"{document['slug']!r} is a word of the hub's own addresses.")]
            if document["slug"] in RESERVED
            else []
        )
        return problems + [Problem(*found) for found in self.problems(document)]

    def problems(self, document: Document) -> Iterator[tuple[str, str]]:
        yield from ()


class AlertRuleKind(WithDecimals):
    decimals = ("warning", "critical")

    def problems(self, document: Document) -> Iterator[tuple[str, str]]:
        """What the rule says by itself."""
        known = conditions.conditions()
        if document.get("what") not in known:
            yield "what", f"Nothing watches {document.get('what')!r}. Use one of: {', '.join(known)}."
            return
        bounds = {name: _decimal(document.get(name)) for name in self.decimals}
        for name, bound in bounds.items():
            if bound is _WRONG:
                yield name, f"{document[name]!r} is not a number."
        if _WRONG not in bounds.values():
            yield from _order(bounds, is_below=known[document["what"]].is_below)
        evaluations = document.get("evaluations", 1)
        if not (isinstance(evaluations, int) and 1 <= evaluations <= MOST_EVALUATIONS):
            yield "evaluations", f"Between 1 and {MOST_EVALUATIONS} evaluations have to agree."


_WRONG = Decimal("NaN")


def _decimal(value: Any) -> Decimal | None:
    try:
        return None if value in (None, "") else parse_decimal(value)
    except HubError:
        return _WRONG


def _order(bounds: dict[str, Decimal | None], *, is_below: bool) -> Iterator[tuple[str, str]]:
    warning, critical = bounds["warning"], bounds["critical"]
    if warning is None and critical is None:
        yield "warning", "Give at least one of the two levels."
    if warning is not None and critical is not None and (critical >= warning if is_below else critical <= warning):
        yield (
            "critical",
            f"Critical has to be {'below' if is_below else 'above'} the warning, which is {decimal_text(warning)}.",
        )


class AlertRouteKind(WithDecimals):
    decimals = ("amount_from",)

    def extra_dump(self, found: AlertRoute) -> Document:
        names = sorted(name for name, value in found.secrets.items() if value)
        return {"secrets": {name: secrets.placeholder(found.slug, name) for name in names}} if names else {}

    def normal(self, document: Document) -> Document:
        """A secret counts as changed only when its new value is known and differs from the stored one."""
        found = self.get(document["slug"])
        given, stored = document.get("secrets") or {}, found.secrets if found else {}
        rest = {name: value for name, value in document.items() if name != "secrets"}
        known = {n: v for n, v in given.items() if n in stored or secrets.value_of(v) is not None}
        shown = {n: secrets.compare(document["slug"], n, v, stored.get(n)) for n, v in known.items()}
        kept = {n: secrets.placeholder(document["slug"], n) for n, v in stored.items() if v and n not in given}
        both = dict(sorted({**shown, **kept}.items()))
        return super().normal({**rest, "secrets": both} if both else rest)

    def notes(self, document: Document) -> list[str]:
        found = self.get(document["slug"])
        stored = found.secrets if found else {}
        return [
            f"AlertRoute {document['slug']}: the secret {name!r} is not set. Set {secrets.variable_of(value)} and apply "
            "again, or enter it on the route's page."
            for name, value in (document.get("secrets") or {}).items()
            if name not in stored and secrets.value_of(value) is None
        ]

    def problems(self, document: Document) -> Iterator[tuple[str, str]]:
        yield from self._secret_problems(document.get("secrets") or {})
        if _decimal(document.get("amount_from")) is _WRONG:
            yield "amount_from", f"{document['amount_from']!r} is not a number."
        if document.get("level", "warning") not in ("warning", "critical"):
            yield "level", "A route begins at warning or at critical."
        if not _TIME.fullmatch(document.get("digest_at") or "08:00"):
            yield "digest_at", "Write a time of day as 08:00."
        try:
            parse_networks(tuple(document.get("allowed_networks") or ()))
            if document.get("webhook"):
                parse_url(str(document["webhook"]))
        except HubError as error:
            yield "webhook", str(error)

    def _secret_problems(self, given: Any) -> Iterator[tuple[str, str]]:
        if not isinstance(given, dict):
            yield "secrets", "Write names and values: {chat: ${secret:…}}."
            return
        for name in given:
            if name not in SECRETS:
                yield f"secrets.{name}", f"A route has the secrets {' and '.join(SECRETS)}."
        yield from ((f"secrets.{name}", sentence) for name, sentence in secrets.problems(given))
        known = secrets.resolve({name: value for name, value in given.items() if isinstance(value, str)})
        if known.get("chat") and (sentence := chat.problem(known["chat"])):
            yield "secrets.chat", sentence
        if known.get("webhook") and (sentence := schemes.secret_problem(Endpoint.Scheme.STANDARD, known["webhook"])):
            yield "secrets.webhook", sentence

    def before_save(self, found: AlertRoute, document: Document) -> None:
        given = secrets.resolve(document.get("secrets") or {})
        found.secrets = {name: value for name, value in {**found.secrets, **given}.items() if value}
        if not found.channels and not document.get("secrets"):
            raise ConfigError(
                "The route leads nowhere.",
                where="mail",
                fix="Give it mail addresses, a webhook or a chat.",
                code="ALERT_ROUTE",
            )


def register() -> None:
    registry.register(
        AlertRuleKind(
            name=RULE,
            model=AlertRule,
            after=["Domain", "System", "Sync"],
            fields=[
                Attr("name", required=True),
                Attr("what", required=True),
                Ref("domain", lambda: Domain),
                Ref("system", lambda: System, "System"),
                Ref("sync", lambda: Sync, "Sync"),
                *(Attr(name) for name in ("warning", "critical", "evaluations", "owner")),
            ],
        )
    )
    registry.register(
        AlertRouteKind(
            name=ROUTE,
            model=AlertRoute,
            after=[RULE, "BusinessCalendar", "System", "Domain"],
            fields=[
                Attr("name", required=True),
                Attr("position"),
                Ref("domain", lambda: Domain),
                Ref("system", lambda: System, "System"),
                Ref("rule", lambda: AlertRule, RULE),
                *(Attr(name) for name in ("level", "amount_from", "goes_on", "mail", "webhook", "allowed_networks")),
                *(Attr(name) for name in ("digest", "digest_at", "critical_at_once")),
                Ref("calendar", lambda: BusinessCalendar, "BusinessCalendar"),
            ],
            extra=["secrets"],
        )
    )
