"""One evaluation: what every condition finds becomes states, changes and notices, in one transaction.

One evaluator works at a time, whoever starts it; a second one leaves at once. Running it twice is harmless: a state that is
what it was changes nothing and tells nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from hub.common.errors import HubError
from hub.common.times import business_now, format_instant
from hub.sync import runs
from monitoring.alerts import conditions, shipped, telling
from monitoring.alerts.conditions import Condition, Finding
from monitoring.alerts.look import Look
from monitoring.alerts.readers.runs import UNUSUAL
from monitoring.alerts.states import OK, RANK, Standing, Step, step
from monitoring.evaluation import part
from monitoring.models import Alert, AlertChange, AlertMute, AlertRule

# A number that nobody else takes as an advisory lock.
LOCK = 77_310_007
DOWN = "connection_down"
# After a connection answers again, what failed because of it has this long to recover by itself.
GRACE = timedelta(minutes=10)
# Whatever an evaluation writes; acknowledgements are people's.
WRITTEN = (
    "state", "told", "confirmed", "recent", "flips", "since", "opened_at", "name", "words", "value", "records",
    "amount_firm", "peak_firm", "unconverted", "details", "url", "domain", "system_id", "sync_id", "cause", "seen_at",
)  # fmt: skip

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Judged:
    """One subject of one rule in this evaluation; without a finding it is in order."""

    rule: AlertRule
    condition: Condition
    alert: Alert
    finding: Finding | None = None
    level: str = OK
    step: Step | None = None
    is_muted: bool = False
    # An acknowledgement was of what stood there before.
    forgets_who_cares: bool = False


@dataclass(slots=True)
class Evaluation:
    """What came of one evaluation; `is_other` when somebody else was at it."""

    rules: int = 0
    changes: list[AlertChange] = field(default_factory=list)
    notices: int = 0
    is_other: bool = False


@part("alerts")
def evaluate_now() -> list[dict[str, Any]]:
    """Evaluate, and answer every rule with its state and the subjects that are not in order, worst first."""
    evaluate()
    return standing()


@transaction.atomic
def evaluate(*, now: datetime | None = None) -> Evaluation:
    """Look at everything that a rule watches. `now` orders states and notices; unless given it is the real clock's."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return Evaluation(is_other=True)
    shipped.ensure()
    now = now or timezone.now()
    look = Look(business_now())
    rules = [rule for rule in AlertRule.objects.select_related("domain") if _is_due(rule, now)]
    judged = [one for rule in rules for one in _judge(rule, look, now)]
    _mark_muted(judged, now)
    _explain(judged, now)
    changes = [change for one in judged if (change := _advance(one, look, now))]
    _doubt(judged)
    _store(judged)
    AlertChange.objects.bulk_create(changes)
    AlertRule.objects.bulk_update(rules, ["evaluated_at", "problem"])
    notices = telling.write([change for change in changes if change.is_told], now=now)
    return Evaluation(len(rules), changes, notices)


def _is_due(rule: AlertRule, now: datetime) -> bool:
    """What costs more than a glance is looked at less often; a beat that comes a little early is not put off."""
    known = conditions.conditions().get(rule.what)
    every = timedelta(seconds=max(known.every_seconds - 5, 0)) if known else timedelta(0)
    return rule.evaluated_at is None or now - rule.evaluated_at >= every


# What is found ---------------------------------------------------------------------------------------------
def _judge(rule: AlertRule, look: Look, now: datetime) -> list[Judged]:
    """Every subject that is, or was, worth a word; none where the rule cannot be evaluated: then all stays as it is."""
    rule.evaluated_at = now
    try:
        found = conditions.find(rule.what)
        findings = _read(found, look)
    except Exception as error:  # one condition that fails keeps no other from being seen
        rule.problem = str(error) if isinstance(error, HubError) else f"{type(error).__name__}: {error}"
        log.exception("The alert rule %s could not be evaluated.", rule.slug)
        return []
    rule.problem = ""
    known = {alert.subject: alert for alert in Alert.objects.filter(rule=rule).select_related("cause")}
    judged = []
    for finding in findings:
        if _is_in_scope(rule, finding):
            alert = known.pop(finding.subject, None) or _new(rule, finding.subject, now)
            level = found.level(finding.value, rule.warning, rule.critical)
            judged.append(Judged(rule, found, alert, finding, level))
    return judged + [Judged(rule, found, alert) for alert in known.values() if not _standing(alert).is_quiet]


def _read(found: Condition, look: Look) -> list[Finding]:
    """In a savepoint: a statement that fails must not take the whole evaluation with it. Rules of one kind share a look."""
    cached: dict[str, list[Finding]] = look.__dict__.setdefault("_findings", {})
    if found.name not in cached:
        with transaction.atomic():
            cached[found.name] = list(found.reader(look))
    return cached[found.name]


def _is_in_scope(rule: AlertRule, finding: Finding) -> bool:
    pairs = ((rule.domain_id, finding.domain_id), (rule.system_id, finding.system_id), (rule.sync_id, finding.sync_id))
    return all(wanted is None or wanted == given for wanted, given in pairs)


def _new(rule: AlertRule, subject: str, now: datetime) -> Alert:
    return Alert(rule=rule, subject=subject, since=now, seen_at=now)


def _standing(alert: Alert) -> Standing:
    return Standing(alert.state, alert.told, alert.confirmed, tuple(alert.recent), tuple(alert.flips))


# What holds notices back -----------------------------------------------------------------------------------
def _mark_muted(judged: Iterable[Judged], now: datetime) -> None:
    in_force = AlertMute.objects.filter(ended_at__isnull=True, until_at__gt=now)
    muted = set(in_force.values_list("rule_id", "subject"))
    for one in judged:
        one.is_muted = bool(muted & {(one.rule.pk, ""), (one.rule.pk, one.alert.subject)})


def _explain(judged: Sequence[Judged], now: datetime) -> None:
    """Put what fails because of a connection under the alert of that connection."""
    down = {
        one.finding.connection_id: one.alert
        for one in judged
        if one.rule.what == DOWN and one.finding and one.level != OK
    }
    _save_new(down.values())
    for one in judged:
        if one.condition.is_effect:
            cause = down.get(one.finding.connection_id) if one.finding else None
            one.alert.cause = cause or (one.alert.cause if _has_grace(one.alert.cause, now) else None)


def _has_grace(cause: Alert | None, now: datetime) -> bool:
    """Whether what this alert explained may still be on its way back."""
    return cause is not None and (cause.state != OK or now - cause.since < GRACE)


def _save_new(alerts: Iterable[Alert]) -> None:
    """A cause needs a number before others can name it."""
    for alert in alerts:
        if alert.pk is None:
            alert.name = alert.name or alert.subject
            alert.save(force_insert=True)


# What comes of it ------------------------------------------------------------------------------------------
def _advance(one: Judged, look: Look, now: datetime) -> AlertChange | None:
    """Write the next standing into the alert; the change, when there is one or people are told late of an earlier one."""
    alert, before = one.alert, one.alert.state
    hushed = one.is_muted or alert.cause is not None
    one.step = step(_standing(alert), one.level, now=now, evaluations=one.rule.evaluations, is_hushed=hushed)
    after = one.step.after
    _describe(one, look, now)
    alert.state, alert.told, alert.confirmed = after.state, after.told, after.confirmed
    alert.recent, alert.flips = list(after.recent), list(after.flips)
    if not one.step.has_changed and not one.step.is_told:
        return None
    if one.step.has_changed:
        alert.since = now
        if before == OK:
            alert.opened_at, alert.peak_firm = now, alert.amount_firm
        if after.state == OK or RANK[after.state] > RANK[before]:
            one.forgets_who_cares = True
    return _change(one, before, hushed=hushed)


def _describe(one: Judged, look: Look, now: datetime) -> None:
    alert, finding = one.alert, one.finding
    alert.seen_at = now
    if finding is None:
        alert.value, alert.amount_firm = None, None
        alert.records, alert.unconverted = 0, {}
        alert.words = "It is in order again." if alert.state != OK else alert.words
        return
    alert.name, alert.words, alert.url, alert.value = finding.name[:200], finding.words, finding.url, finding.value
    alert.domain_id, alert.system_id, alert.sync_id = finding.domain_id, finding.system_id, finding.sync_id
    total, rest = look.in_firm_currency(finding.amounts)
    alert.records, alert.amount_firm = finding.records, total
    alert.unconverted = {currency: str(amount) for currency, amount in rest.items()}
    alert.peak_firm = max((found for found in (alert.peak_firm, total) if found is not None), default=None)
    if one.step and one.step.is_told and one.step.after.state != OK:
        alert.details = _details(finding)


def _details(finding: Finding) -> list[str]:
    try:
        with transaction.atomic():
            return finding.details()
    except Exception:
        log.exception("What hangs on %s could not be read.", finding.subject)
        return ["What hangs on it could not be read."]


def _change(one: Judged, before: str, *, hushed: bool) -> AlertChange:
    alert, found = one.alert, one.step
    assert found is not None
    why = "" if found.is_told else ("muted" if one.is_muted else "cause") if hushed else "known"
    return AlertChange(
        alert=alert,
        at=alert.seen_at,
        before=found.told_before if found.told_before is not None else before,
        after=alert.state,
        words=alert.words,
        details=alert.details if alert.state != OK else [],
        records=alert.records,
        amount_firm=alert.amount_firm,
        unconverted=alert.unconverted,
        is_told=found.is_told,
        untold_why=why,
    )


def _doubt(judged: Iterable[Judged]) -> None:
    """Runs of a volume that nobody expects are suspect, not green; a person may call them right."""
    for one in judged:
        if one.finding and one.finding.run_id and one.level != OK and one.alert.state != OK:
            fix = "Look at the source. If it is right, say so on the run's page."
            runs.doubt(one.finding.run_id, HubError(one.finding.words, fix=fix, code=UNUSUAL))


def _store(judged: Sequence[Judged]) -> None:
    """New alerts, those that are remembered no longer, and what changed: three statements."""
    alerts = [one.alert for one in judged]
    fresh = [alert for alert in alerts if alert.pk is None and not _standing(alert).is_quiet]
    Alert.objects.bulk_create(fresh)
    made = {id(alert) for alert in fresh}
    rest = [alert for alert in alerts if alert.pk is not None and id(alert) not in made]
    Alert.objects.bulk_update(rest, WRITTEN, batch_size=500)
    anew = [one.alert.pk for one in judged if one.forgets_who_cares]
    Alert.objects.filter(pk__in=anew).update(acknowledged_at=None, acknowledged_by=None)


# What holds now --------------------------------------------------------------------------------------------
def standing() -> list[dict[str, Any]]:
    """Every rule with its worst state and its active alerts, as plain data."""
    active: dict[int, list[Alert]] = {}
    for alert in Alert.objects.exclude(state=OK).select_related("domain").order_by("-since", "-pk"):
        active.setdefault(alert.rule_id, []).append(alert)
    rows = [_as_data(rule, active.get(rule.pk, [])) for rule in AlertRule.objects.order_by("slug")]
    return sorted(rows, key=lambda row: -RANK[row["state"]])


def _as_data(rule: AlertRule, alerts: Sequence[Alert]) -> dict[str, Any]:
    return {
        "rule": rule.slug,
        "name": rule.name,
        "what": rule.what,
        "state": max((alert.state for alert in alerts), key=RANK.__getitem__, default=OK),
        "problem": rule.problem,
        "evaluated_at": format_instant(rule.evaluated_at) if rule.evaluated_at else None,
        "alerts": [alert_as_data(alert) for alert in alerts],
    }


def alert_as_data(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.pk,
        "subject": alert.subject,
        "name": alert.name,
        "state": alert.state,
        "since": format_instant(alert.since),
        "words": alert.words,
        "value": _text(alert.value),
        "records": alert.records,
        "amount_firm": _text(alert.amount_firm),
        "unconverted": alert.unconverted,
        "domain": alert.domain.slug if alert.domain else None,
        "cause": alert.cause_id,
        "acknowledged_at": format_instant(alert.acknowledged_at) if alert.acknowledged_at else None,
    }


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"
