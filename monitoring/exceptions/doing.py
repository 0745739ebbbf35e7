"""What each act makes of exceptions, set-based: in which states it applies, what it keeps for an undo, what it writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.expressions import RawSQL

from hub.accounts.models import User
from hub.common.errors import ConfigError
from hub.common.reasons import needed
from hub.common.times import business_now, local_to_utc, parse_date, period_bounds, time_zone
from monitoring.exceptions.notes import MAX_COMMENT
from monitoring.models import ExceptionGroup, ExceptionItem, ExceptionJob, Snooze

Arguments = Mapping[str, Any]
State, Action = ExceptionItem.State, ExceptionJob.Action
AWAKE = (State.OPEN, State.SNOOZED)
MAX_TAGS = 20


@dataclass(frozen=True, slots=True)
class Doing:
    """One act. `keeps` are the columns whose values before an undo puts back; `is_done` tells that nothing would change."""

    word: str
    keeps: tuple[str, ...]
    states: tuple[str, ...]
    change: Callable[[QuerySet[ExceptionItem], Arguments], None]
    is_done: Callable[[Mapping[str, Any], Arguments], bool]
    said: Callable[[Arguments], str]
    moves_group: bool = False


# Assign ----------------------------------------------------------------------------------------------------
def _assign(rows: QuerySet[ExceptionItem], given: Arguments) -> None:
    rows.update(assignee_id=given.get("assignee"), team=given.get("team", ""), version=F("version") + 1)


def _is_assigned(before: Mapping[str, Any], given: Arguments) -> bool:
    return (before["assignee_id"], before["team"]) == (given.get("assignee"), given.get("team", ""))


def _assigned(given: Arguments) -> str:
    person = User.objects.filter(pk=given.get("assignee") or 0).first()
    return f"Assigned to {person or given.get('team') or 'nobody'}."


# Tag -------------------------------------------------------------------------------------------------------
def _tag(rows: QuerySet[ExceptionItem], given: Arguments) -> None:
    sql = "array(select distinct t from unnest(tags || %s::varchar[]) t where t <> all(%s::varchar[]) order by t)"
    rows.update(tags=RawSQL(sql, [given.get("add", []), given.get("remove", [])]), version=F("version") + 1)


def _is_tagged(before: Mapping[str, Any], given: Arguments) -> bool:
    tags = set(before["tags"])
    return tags.issuperset(given.get("add", [])) and tags.isdisjoint(given.get("remove", []))


def _tagged(given: Arguments) -> str:
    added, removed = ", ".join(given.get("add", [])), ", ".join(given.get("remove", []))
    return " ".join(part for part in (added and f"Tagged {added}.", removed and f"No longer tagged {removed}.") if part)


# Snooze and wake -------------------------------------------------------------------------------------------
def _snooze(rows: QuerySet[ExceptionItem], given: Arguments) -> None:
    sizes = dict(rows.order_by().values_list("pk", "group__open_items"))
    Snooze.objects.bulk_create(
        [
            Snooze(
                item_id=pk,
                until=given["until"],
                threshold=max(2 * size, 2) if given["until"] == Snooze.Until.GROWTH else None,
                period=given.get("period", ""),
            )
            for pk, size in sizes.items()
        ],
        update_conflicts=True,
        unique_fields=["item"],
        update_fields=["until", "threshold", "period"],
    )
    until = datetime.fromisoformat(given["date"]) if given.get("date") else None
    rows.update(state=State.SNOOZED, snoozed_until=until, version=F("version") + 1)


def _is_snoozed(before: Mapping[str, Any], given: Arguments) -> bool:
    if before["state"] != State.SNOOZED or given["until"] == Snooze.Until.GROWTH:
        return False
    until = before["snoozed_until"]
    return given["until"] == Snooze.Until.DATE and until == (
        given.get("date") and datetime.fromisoformat(given["date"])
    )


def _snoozed(given: Arguments) -> str:
    if given["until"] == Snooze.Until.GROWTH:
        return "Snoozed until there are twice as many of this cause."
    if given["until"] == Snooze.Until.PERIOD:
        return f"Snoozed until period {given['period']} opens." if given.get("period") else "Snoozed until it opens."
    return f"Snoozed until {datetime.fromisoformat(given['date']):%Y-%m-%d}."


def _wake(rows: QuerySet[ExceptionItem], given: Arguments) -> None:
    Snooze.objects.filter(item__in=list(rows.order_by().values_list("pk", flat=True))).delete()
    rows.update(state=State.OPEN, snoozed_until=None, version=F("version") + 1)


# Comment ---------------------------------------------------------------------------------------------------
def _comment(rows: QuerySet[ExceptionItem], given: Arguments) -> None:
    rows.update(version=F("version") + 1)


# Reclassify ------------------------------------------------------------------------------------------------
def _reclassify(rows: QuerySet[ExceptionItem], given: Arguments) -> None:
    """Another class of cause: what shared a group before shares one again."""
    groups = ExceptionGroup.objects.filter(pk__in=rows.order_by().values("group")).order_by("pk")
    for group in groups:
        other = group if group.cause == given["cause"] else _sibling(group, given["cause"])
        ids = list(rows.filter(group=group).order_by().values_list("pk", flat=True))
        ExceptionItem.objects.filter(pk__in=ids).update(
            cause=given["cause"], kind=given.get("kind") or F("kind"), group=other, version=F("version") + 1
        )


def _sibling(group: ExceptionGroup, cause: str) -> ExceptionGroup:
    """The group of the same facts under another class of cause, told apart from what is classified by itself."""
    tail = group.fingerprint.split(":", 2)[-1] if group.fingerprint.startswith("by-hand:") else group.fingerprint
    found, _ = ExceptionGroup.objects.get_or_create(
        fingerprint=f"by-hand:{cause}:{tail}"[:200],
        defaults={
            "cause": cause,
            "title": group.title,
            "entity_id": group.entity_id,
            "domain_id": group.domain_id,
            "facts": group.facts,
            "first_at": group.first_at,
            "last_at": business_now(),
        },
    )
    return found


def _is_reclassified(before: Mapping[str, Any], given: Arguments) -> bool:
    return before["cause"] == given["cause"] and before["kind"] == (given.get("kind") or before["kind"])


DOINGS: dict[str, Doing] = {
    Action.ASSIGN: Doing(
        "assigned", ("assignee_id", "team"), ExceptionItem.UNSETTLED, _assign, _is_assigned, _assigned
    ),
    Action.COMMENT: Doing(
        "commented", (), ExceptionItem.UNSETTLED, _comment, lambda b, g: False, lambda g: str(g["text"])
    ),
    Action.TAG: Doing("tagged", ("tags",), ExceptionItem.UNSETTLED, _tag, _is_tagged, _tagged),
    Action.SNOOZE: Doing("snoozed", ("state", "snoozed_until"), AWAKE, _snooze, _is_snoozed, _snoozed),
    Action.WAKE: Doing(
        "woken", ("state", "snoozed_until"), (State.SNOOZED,), _wake, lambda b, g: False, lambda g: "Woken."
    ),
    Action.RECLASSIFY: Doing(
        "reclassified",
        ("cause", "kind", "group_id"),
        ExceptionItem.UNSETTLED,
        _reclassify,
        _is_reclassified,
        lambda given: f"Now classified as {given['cause']}.",
        moves_group=True,
    ),
}  # fmt: skip


# What is given ---------------------------------------------------------------------------------------------
def checked(action: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of an act as they are kept, plain data; ConfigError says what is wrong with them."""
    check = _CHECKS.get(action)
    return check(given) if check else {}


def _check_assign(given: Mapping[str, Any]) -> dict[str, Any]:
    team = str(given.get("team") or "").strip()[:80]
    if not (wanted := given.get("assignee")):
        return {"assignee": None, "team": team}
    people = User.objects.filter(is_active=True, is_service=False)
    known = str(wanted).isascii() and str(wanted).isdigit() and len(str(wanted)) < 19
    person = people.filter(pk=int(wanted)).first() if known else people.filter(email__iexact=str(wanted)).first()
    if person is None:
        raise ConfigError(f"There is nobody {wanted!r} here.", where="assignee", fix="Choose a person who is active.")
    if not person.has_hub_perm("exceptions.view") and not person.domain_ids_for("exceptions.view"):
        raise ConfigError(f"{person} may not see exceptions.", where="assignee", fix="Give a role that brings it.")
    return {"assignee": person.pk, "team": team}


def _check_comment(given: Mapping[str, Any]) -> dict[str, Any]:
    text = str(given.get("text") or "").replace("\x00", "").strip()
    if not text:
        raise ConfigError("Write a comment first.", where="text", code="NEEDED")
    if len(text) > MAX_COMMENT:
        raise ConfigError(f"A comment has {MAX_COMMENT:,} characters at most, not {len(text):,}.", where="text")
    return {"text": text}


def _check_tag(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: _tags(given.get(name)) for name in ("add", "remove")}
    if not any(found.values()):
        raise ConfigError("Name a tag.", where="add", code="NEEDED")
    return found


def _tags(given: Any) -> list[str]:
    words = given.replace(",", " ").split() if isinstance(given, str) else list(given or [])
    tags = list(dict.fromkeys(str(word).replace("\x00", "").strip().lower() for word in words if str(word).strip()))
    if len(tags) > MAX_TAGS or any(len(tag) > 40 for tag in tags):
        raise ConfigError(f"Give {MAX_TAGS} tags at most, of 40 characters each.", where="add")
    return tags


def _check_snooze(given: Mapping[str, Any]) -> dict[str, Any]:
    until = str(given.get("until") or Snooze.Until.DATE)
    if until not in Snooze.Until.values:
        raise ConfigError(f"There is no {until!r}.", where="until", fix=f"Use {', '.join(Snooze.Until.values)}.")
    if until == Snooze.Until.GROWTH:
        return {"until": until}
    if until == Snooze.Until.PERIOD:
        period = str(given.get("period") or "").strip()
        if period:
            period_bounds(period)
        return {"until": until, "period": period}
    return {"until": until, "date": _instant(given).isoformat()}


def _instant(given: Mapping[str, Any]) -> datetime:
    """The beginning of the day, on the wall clock of whoever asks, or an instant as it is."""
    wanted = given.get("date")
    if not wanted:
        raise ConfigError("Say until when it sleeps.", where="date", code="NEEDED")
    text = wanted.isoformat() if hasattr(wanted, "isoformat") else str(wanted)
    zone = time_zone(str(given.get("time_zone") or "UTC"))
    if "T" in text or " " in text.strip():
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
        at = at if at.tzinfo else local_to_utc(at, zone)
    else:
        at = local_to_utc(datetime.combine(parse_date(text.strip()), time()), zone)
    if at <= business_now():
        raise ConfigError("That time is over.", where="date", fix="Choose a later day.")
    return at


def _check_reclassify(given: Mapping[str, Any]) -> dict[str, Any]:
    cause = needed(str(given.get("cause") or ""), "Name the class of cause.", where="cause").lower()[:40]
    kind = str(given.get("kind") or "")
    if kind and kind not in ExceptionItem.Kind.values:
        raise ConfigError(f"There is no kind {kind!r}.", where="kind", fix="Use business or technical.")
    return {"cause": cause, "kind": kind}


_CHECKS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    Action.ASSIGN: _check_assign,
    Action.COMMENT: _check_comment,
    Action.TAG: _check_tag,
    Action.SNOOZE: _check_snooze,
    Action.RECLASSIFY: _check_reclassify,
}
