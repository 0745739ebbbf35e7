"""The exception queue of a hub with the demo firm, beside the oracle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.simulators.firm.shapes import Fault, Firm
from hub.common.money import decimal_text
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync.demo import SYSTEMS
from hub.sync.models import Sync
from monitoring.demo.oracle import Expected, Money, expected_of, kept_of
from monitoring.models import ExceptionItem

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """An open item, with every id under which systems know its record."""

    item: ExceptionItem
    places: frozenset[Place]

    @property
    def money(self) -> Money:
        if self.item.amount is None:
            return None
        return self.item.amount.quantize(Decimal("0.01")), self.item.currency


def compare(firm: Firm) -> dict[str, Any]:
    """The one document of `demo check`: a fault is found when its record stands in the queue once, with the right cause,
    amount and team, or passed with its value kept where it only looks like a fault."""
    expected, seen = expected_of(firm), [Seen(item, frozenset(_places(item))) for item in _open_items()]
    faults = [_judged(each, seen) for each in expected.values()] + [_kept(fault, seen) for fault in kept_of(firm)]
    false_alarms = [_said(each) for each in seen if not each.places & expected.keys()]
    found = sum(1 for fault in faults if not fault["wrong"])
    alarms = len(false_alarms) + sum(len(fault["wrong"]) > 0 and fault["seen"] > 0 for fault in faults)
    return {
        "planted": len(faults),
        "found": found,
        "missed": [fault for fault in faults if fault["wrong"]],
        "false_alarms": false_alarms,
        "precision": round(found / (found + alarms), 4) if found + alarms else 0.0,
        "recall": round(found / len(faults), 4) if faults else 0.0,
        "faults": faults,
        "passed": not false_alarms and found == len(faults),
    }


def in_words(found: dict[str, Any]) -> str:
    """A line a fault, then what is asked about without a reason."""
    lines = [_line(each["code"], each["wrong"]) for each in found["faults"]]
    for each in found["false_alarms"]:
        lines.append(_line(each["title"], [f"Nothing is wrong with it ({each['cause']}, {each['record']})."]))
    counts = f"{found['found']} of {found['planted']} found, {len(found['false_alarms'])} false alarms"
    return "\n".join([*lines, f"{counts}: precision {found['precision']:.0%}, recall {found['recall']:.0%}"])


def _line(name: str, wrong: list[str]) -> str:
    return f"{'✗' if wrong else '✓'} {name}: {' '.join(wrong) or 'found'}"


def _open_items() -> Iterable[ExceptionItem]:
    return ExceptionItem.objects.filter(state__in=ExceptionItem.UNSETTLED).order_by("pk")


def _places(item: ExceptionItem) -> Iterator[Place]:
    if item.external_id and item.sync_id and (system := _system_of(item.sync_id)):
        yield system, item.external_id
    elif item.external_id:  # a difference of two sides: ids of the firm are one of a kind
        yield from ((system, item.external_id) for system in SYSTEMS)
    if item.record_id:
        links = Crosswalk.objects.filter(record=item.record_id, is_ours=False)
        yield from links.values_list("stream__connection__system__slug", "external_id")


def _system_of(sync_id: int) -> str:
    found = Sync.objects.filter(pk=sync_id).values_list("mapping__stream__connection__system__slug", flat=True)
    return found.first() or ""


def _judged(expected: Expected, seen: list[Seen]) -> dict[str, Any]:
    place = (expected.fault.system, expected.fault.external_id)
    items = [each for each in seen if place in each.places]
    wrong = list(_differences(expected, items)) if items else ["It stands in no queue."]
    return _fault(expected.fault, wrong, items, cause=expected.cause, team=expected.team, money=expected.money)


def _differences(expected: Expected, items: list[Seen]) -> Iterator[str]:
    if len(items) > 1:
        yield f"It stands there {len(items)} times."
    item = items[0].item
    if item.cause != expected.cause:
        yield f"The cause is {item.cause}, it must be {expected.cause}."
    if items[0].money != expected.money:
        yield f"The amount is {_amount(items[0].money)}, it must be {_amount(expected.money)}."
    if item.team != expected.team:
        yield f"It is the turn of {item.team or 'nobody'}, it must be that of {expected.team}."


def _kept(fault: Fault, seen: list[Seen]) -> dict[str, Any]:
    """It passed: a record is there, with the value that the fault speaks of, and nobody is asked about it."""
    items = [each for each in seen if (fault.system, fault.external_id) in each.places]
    wrong = ["A person is asked about it, though nothing is wrong."] if items else []
    link = Crosswalk.objects.filter(external_id=fault.external_id, stream__connection__system__slug=fault.system)
    record = CanonicalRecord.objects.filter(pk__in=link.values("record")).first()
    if record is None:
        wrong.append("It has not passed.")
    elif fault.value and fault.value not in {record.key, fault.external_id, *map(str, record.body.values())}:
        wrong.append(f"{fault.field} is not {fault.value!r} any more.")
    return _fault(fault, wrong, items)


def _fault(fault: Fault, wrong: list[str], items: list[Seen], **must: Any) -> dict[str, Any]:
    money = must.pop("money", None)
    said = {"must": fault.expected, **must, "amount": _amount(money)} if must else {"must": fault.expected}
    return {
        "code": fault.code,
        "system": fault.system,
        "external_id": fault.external_id,
        "sentence": fault.sentence,
        **said,
        "seen": len(items),
        "wrong": wrong,
    }


def _said(each: Seen) -> dict[str, Any]:
    item = each.item
    return {
        "item": item.pk,
        "title": item.title,
        "cause": item.cause,
        "amount": _amount(each.money),
        "record": item.external_id or (sorted(each.places)[0][1] if each.places else ""),
    }


def _amount(money: Money) -> str | None:
    return f"{decimal_text(money[0])} {money[1]}" if money else None
