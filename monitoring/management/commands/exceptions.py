"""manage.py exceptions list [WORD …] --json: what people have to settle, by cause or one by one; collect: look again now.

Words filter as on the page: cause:missing-rate client:"Northgate Logistics" amount:5000 due:overdue tab:all. Exit 0 = done,
1 = the filter cannot be read, or not everything could be asked.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.accounts.models import User
from hub.common.display import machine_time, money
from hub.common.errors import ConfigError, HubError
from hub.common.money import decimal_text
from monitoring.exceptions import act_commands, classify, collect, filters, queries, showing, valuing
from monitoring.exceptions.queries import Totals
from monitoring.models import ExceptionGroup, ExceptionItem

LIMIT = 100
Answer = tuple[dict[str, Any], str, int]


class Command(BaseCommand):
    help = "The exception queue: what people have to settle, with the money and the deadline that hang on it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        found = actions.add_parser("list", help="Causes, or with --items the exceptions behind them.")
        found.add_argument(
            "words", metavar="WORD", nargs="*", help=f"{', '.join(filters.KEYS)}, as key:value; else text."
        )
        found.add_argument("--items", action="store_true", help="Each exception, not the causes.")
        found.add_argument("--limit", type=int, default=LIMIT, help=f"At most so many, {LIMIT} unless given; 0 is all.")
        found.add_argument("--user", default="", help="E-mail address of the person that “me” means.")
        found.set_defaults(run=listed)
        again = actions.add_parser("collect", help="Look at what is open now, instead of within fifteen seconds.")
        again.set_defaults(run=collected)
        act_commands.add(actions)
        for one in actions.choices.values():
            if "--json" not in one._option_string_actions:
                one.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, run: Any, **options: Any) -> None:
        try:
            document, words, code = run(options)
        except HubError as error:
            document, words, code = {"error": str(error), "code": error.code}, str(error), 1
        if options["json"]:
            self.stdout.write(json.dumps(document, default=str))
        if code or not options["json"]:
            (self.stderr if code else self.stdout).write(words)
        if code:
            sys.exit(code)


# list -------------------------------------------------------------------------------------------------------
def listed(options: dict[str, Any]) -> Answer:
    user, asked = _person(options["user"]), filters.parse(_joined(options["words"]))
    condition = filters.find(asked, user)
    rows = ExceptionItem.objects.filter(condition).select_related("group", "entity", "assignee", "system")
    totals = queries.totals(rows)
    limit = options["limit"] or None
    if options["items"]:
        chosen = list(rows.order_by("-rank", "-id")[:limit])
        told = showing.details(chosen)
        found = {"exceptions": [_item(item, told[item.pk]) for item in chosen]}
        lines = [f"  {item.title} · {classify.name_of(item.cause)} · {_amount(item)}" for item in chosen]
    else:
        groups = list(queries.heaviest(queries.all_groups(asked, user))[:limit])
        found = {"groups": [_group(group) for group in groups]}
        lines = [f"  {group.title} · {group.records} · {money(group.at_risk)} {totals.currency}" for group in groups]
    sweep = queries.last_sweep()
    checked = machine_time(sweep.checked_at) if sweep else None
    document = {"filter": asked, "totals": _totals(totals), "last_checked": checked, **found}
    return document, "\n".join([_words(totals), *lines]), 0


def _joined(words: list[str]) -> str:
    """Words as the shell gave them: what holds blanks was quoted."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    key, colon, value = word.partition(":")
    return f'{key}{colon}"{value}"' if colon and " " in value else f'"{word}"' if " " in word else word


def _person(email: str) -> User | None:
    if not email:
        return None
    found = User.objects.filter(email=email.lower()).first()
    if found is None:
        raise ConfigError(f"There is no person {email!r}.", where="--user")
    return found


def _totals(found: Totals) -> dict[str, Any]:
    return {
        "groups": found.groups,
        "records": found.records,
        "amount": decimal_text(valuing.plain(found.amount) or found.amount),
        "currency": found.currency,
        "unconverted": {currency: decimal_text(total) for currency, total, _ in found.unconverted},
        "unconverted_records": found.unpriced,
        "unknown_records": found.unknown,
    }


def _words(found: Totals) -> str:
    rest = "".join(f", {currency} {money(total)} without a rate" for currency, total, _ in found.unconverted)
    amount = f"{found.currency} {money(found.amount, found.currency)}"
    return f"{found.groups} causes, {found.records} records, {amount} at risk{rest}"


def _amount(item: ExceptionItem) -> str:
    return (
        f"{item.currency} {money(valuing.plain(item.amount), item.currency)}"
        if item.amount is not None
        else "amount not known"
    )


def _group(group: ExceptionGroup) -> dict[str, Any]:
    found: Any = group
    return {
        "id": group.pk,
        "title": group.title,
        "cause": group.cause,
        "facts": group.facts,
        "records": found.records,
        "amount": decimal_text(valuing.plain(found.at_risk) or found.at_risk),
        "unconverted": found.unpriced,
        "due_at": machine_time(found.due) if found.due else None,
        "reopened": group.reopened,
    }


def _item(item: ExceptionItem, detail: str) -> dict[str, Any]:
    plain = (
        "id",
        "title",
        "cause",
        "kind",
        "state",
        "origin",
        "origin_key",
        "error_code",
        "field",
        "name",
        "external_id",
    )
    about = (
        "client",
        "client_name",
        "project",
        "period",
        "legal_entity",
        "currency",
        "amount_note",
        "team",
        "resolution",
    )
    money_of = {name: getattr(item, name) for name in ("amount", "amount_firm")}
    return {
        **{name: getattr(item, name) for name in (*plain, *about)},
        **{name: decimal_text(valuing.plain(value)) if value is not None else None for name, value in money_of.items()},  # type: ignore[arg-type]
        "detail": detail,
        "group": item.group.title,
        "entity": item.entity.slug if item.entity else None,
        "system": item.system.slug if item.system else None,
        "assignee": item.assignee.email if item.assignee else None,
        "opened_at": machine_time(item.opened_at),
        "due_at": machine_time(item.due_at) if item.due_at else None,
    }


# collect ----------------------------------------------------------------------------------------------------
def collected(options: dict[str, Any]) -> Answer:
    done = collect.collect()
    if done is None:
        raise ConfigError("Another sweep is at work.", fix="Wait for it; it ends within seconds.", code="AT_WORK")
    names = ("opened", "updated", "resolved", "seconds", "problems")
    document = {name: getattr(done, name) for name in names}
    words = f"{done.opened} opened, {done.updated} updated, {done.resolved} resolved in {done.seconds} s"
    return document, "\n".join([words, *done.problems]), 1 if done.problems else 0
