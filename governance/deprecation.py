"""The end of a contract version: its sunset, the notices before it, its consumers' answers, and its retirement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.http import http_date

from governance import consumers, traffic
from governance.consumers import Consumer
from governance.lifecycle import put, refuse_retired, step, successor_of, told
from governance.models import ConsumerNotice, ContractUse, ContractVersion, SunsetNotice
from governance.schemas import Schema
from governance.traffic import Seen
from hub.common import facts
from hub.common.errors import ConfigError
from hub.common.reasons import needed, tidy
from hub.common.times import business_now, business_today

Status = ContractVersion.Status
# So many days before the sunset a notice goes out, unless a later one is due already.
NOTICE_DAYS = (30, 14, 7, 1)


@transaction.atomic
def announce_sunset(version: ContractVersion, *, sunset_date: date, by: Any, reason: str = "") -> ContractVersion:
    """Say until when a deprecated version is served, and tell its consumers."""
    if version.status != Status.DEPRECATED:
        raise ConfigError(
            "Only a deprecated version has a sunset.", where=version.ref, fix="Put its successor in force first."
        )
    if sunset_date <= business_today():
        raise ConfigError("A sunset lies in the future.", where=version.ref, fix="Choose a later day.")
    put(version, sunset_date=sunset_date)
    told("contract.sunset_announced", version, by=by, reason=tidy(reason), sunset_date=sunset_date.isoformat())
    _notify(version, (sunset_date - business_today()).days)
    return version


@transaction.atomic
def retire(version: ContractVersion, *, by: Any, reason: str) -> ContractVersion:
    """Serve a deprecated version no longer. Raises ConfigError while its sunset is ahead or somebody still uses it."""
    why = needed(reason, "Say why the version is retired.", where=version.ref)
    if version.status == Status.DRAFT:
        raise ConfigError("A draft was never served.", where=version.ref, fix="Give it up instead.")
    if version.status == Status.DEPRECATED and (sentence := why_not_retired(version)):
        raise ConfigError(sentence, where=version.ref, fix="Wait, or move its consumers first.", code="IN_USE")
    return step(version, Status.RETIRED, "contract.version_retired", by=by, reason=why, retired_at=business_now())


def why_not_retired(version: ContractVersion) -> str:
    """What keeps a deprecated version from being retired; empty when nothing does."""
    if version.sunset_date and version.sunset_date > business_today():
        return f"It is served until its sunset on {version.sunset_date.isoformat()}."
    if users := traffic.remaining(version):
        named = ", ".join(f"{each.kind} {each.name}" for each in users[:4])
        more = f" and {len(users) - 4} more" if len(users) > 4 else ""
        return f"It was used in the last {traffic.QUIET_DAYS} days by {named}{more}."
    return ""


# Consumers --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """One consumer of a version: its traffic on it, what it was told and answered, and whether it has moved on."""

    consumer: Consumer
    seen: Seen | None
    notice: ConsumerNotice | None
    migrated_at: datetime | None

    @property
    def state(self) -> str:
        """migrated, acknowledged, notified, or in_use."""
        if self.migrated_at:
            return "migrated"
        if self.notice is None:
            return "in_use"
        return "acknowledged" if self.notice.acknowledged_at else "notified"


def standings(version: ContractVersion) -> list[Standing]:
    """Who uses the entity by this version, as configuration and traffic tell."""
    here = {(each.kind, each.name): each for each in traffic.of_version(version)}
    later = ContractUse.objects.filter(version__contract=version.contract_id, version__number__gt=version.number)
    since = {(each.kind, each.name): each.last_at for each in traffic.seen(later)}
    notices = {(each.kind, each.name): each for each in version.notices.select_related("acknowledged_by")}
    known = {(each.kind, each.name): each for each in consumers.of(version.contract.entity)}
    gone = {key: Consumer(*key, key[1], "reads") for key in [*here, *notices] if key not in known}
    return [
        Standing(found, here.get(key), notices.get(key), _moved(version, found, here.get(key), since.get(key)))
        for key, found in sorted((known | gone).items())
    ]


def _moved(
    version: ContractVersion, consumer: Consumer, seen: Seen | None, used_later: datetime | None
) -> datetime | None:
    """When a consumer was last seen on a later version, if it has not been seen on this one since."""
    after = version.deprecated_at
    if after and consumer.last_at and consumer.last_at > after and seen is None:
        return consumer.last_at
    if used_later and (seen is None or used_later > seen.last_at):
        return used_later
    return None


@transaction.atomic
def acknowledge(version: ContractVersion, *, kind: str, name: str, by: Any, note: str = "") -> ConsumerNotice:
    """Note that the people of a consumer know of the sunset. Raises ConfigError for one that was told nothing."""
    found = version.notices.filter(kind=kind, name=name).first()
    if found is None:
        raise ConfigError(f"{kind} {name} was told of no sunset.", where=version.ref, fix="Announce the sunset first.")
    found.acknowledged_at, found.acknowledged_by, found.note = business_now(), by, tidy(note)
    found.save()
    told("contract.sunset_acknowledged", version, by=by, reason=found.note, consumer=f"{kind} {name}")
    return found


# Notices ----------------------------------------------------------------------------------------------------


def send_due() -> int:
    """Send the notices that are due today, each once; returns how many versions were told of."""
    ahead = ContractVersion.objects.filter(status=Status.DEPRECATED, sunset_date__gte=business_today())
    return sum(_send_due(version) for version in ahead.select_related("contract__entity__domain"))


@transaction.atomic
def _send_due(version: ContractVersion) -> bool:
    """One notice for the nearest mark that was passed; the marks before it count as told with it."""
    assert version.sunset_date is not None
    left = (version.sunset_date - business_today()).days
    passed = [days for days in NOTICE_DAYS if left <= days]
    sent = [_mark(version, version.sunset_date, days) for days in passed]
    if not sent or not sent[-1]:
        return False
    _notify(version, left)
    return True


def _mark(version: ContractVersion, sunset_date: date, days: int) -> bool:
    """Whether this notice had not gone out."""
    return SunsetNotice.objects.get_or_create(version=version, sunset_date=sunset_date, days=days)[1]


def _notify(version: ContractVersion, days: int) -> None:
    """Tell every consumer that has not moved on yet, in the audit and as an event."""
    waiting = [each.consumer for each in standings(version) if each.state != "migrated"]
    _note_told(version, waiting)
    named = [f"{each.kind} {each.name}" for each in waiting]
    told("contract.sunset_noticed", version, by=None, reason="", days=days, consumers=named[:200])
    facts.publish("contract_deprecated", version=version, days=days)


def _note_told(version: ContractVersion, told_of: Iterable[Consumer]) -> None:
    now = business_now()
    rows = [ConsumerNotice(version=version, kind=c.kind, name=c.name[:120], notified_at=now) for c in told_of]
    ConsumerNotice.objects.bulk_create(rows, ignore_conflicts=True)


# Answers of the API -----------------------------------------------------------------------------------------


def headers_of(version: ContractVersion) -> dict[str, str]:
    """`Deprecation` (RFC 9745), `Sunset` (RFC 8594) and the successor, for an answer by a deprecated version."""
    if version.deprecated_at is None:
        return {}
    headers = {"Deprecation": f"@{int(version.deprecated_at.timestamp())}"}
    if version.sunset_date:
        ends = datetime.combine(version.sunset_date, time(), UTC)
        headers["Sunset"] = http_date(ends.timestamp())
    if following := successor_of(version):
        address = reverse("api:contract-version", args=[version.contract.slug, following.number])
        headers["Link"] = f'<{address}>; rel="successor-version"'
    return headers


def served(version: ContractVersion) -> ContractVersion:
    """The version, if records are served by it. Raises ConfigError for one that is retired or was never in force."""
    refuse_retired(version)
    if version.status not in (Status.ACTIVE, Status.DEPRECATED):
        raise ConfigError("This version is not in force.", where=version.ref, fix="Leave the version out.")
    return version


def as_version(body: dict[str, Any], schema: Schema, active: Schema) -> dict[str, Any]:
    """A record in the words of an older version: its fields alone, renamed ones under their old name. Pure."""
    old_names = {
        alias: name for name, spec in (active.get("properties") or {}).items() for alias in spec.get("x-aliases") or ()
    }
    found = {}
    for name in schema.get("properties") or {}:
        source = name if name in body else old_names.get(name, name)
        if source in body:
            found[name] = body[source]
    return found
