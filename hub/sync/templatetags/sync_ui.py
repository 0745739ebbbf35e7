"""What the pages of syncs show that no other page does: outcomes, states, keys of addresses, bars of stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from hub.common import display
from hub.common.templatetags.ui import status as status_tag
from hub.records.models import CanonicalRecord
from hub.sync import keys, links, run_pages, totals
from hub.sync.models import Adoption, BlockedValue, Delivery, HeldRecord, ReplayItem, Run, StagedRecord, Transaction
from hub.sync.ownership.queries import Origin, origins
from hub.sync.queries import elapsed_seconds
from hub.sync.states import DeliveryState, HeldState, Outcome

register = template.Library()

register.filter("held_key", keys.held_key)
register.filter("delivery_key", keys.delivery_key)

ROW, TOP, LABEL, WIDTH = 28, 22, 170, 860

ADOPTION_STATES = {
    "waiting": "waiting",
    "reading": "running",
    "matching": "running",
    "review": "review",
    "linking": "running",
    "creating": "running",
    "done": "done",
    "abandoned": "muted",
}
STAGED_STATES = {"linked": "ok", "conflict": "changed", "maybe": "review", "create": "new", "refused": "failed"}

STAGE_WORDS = {
    "waiting for source": "Wait for the source",
    "prepare": "Check, map, match",
    "store": "Store + outbox",
    "claim": "Take what is due, map",
    "intent": "Commit the intent",
    "target": "Target",
    "outcome": "Commit the outcome",
}


@register.simple_tag
def page_of(kind: str, *args: object) -> str:
    """`{% page_of "mapping" mapping.slug as url %}`: the page of another package, "" where there is none."""
    return links.page_url(kind, *args)


@register.simple_tag
def outcome(value: int) -> SafeString:
    """The state of a ledger row; a value that the hub kept is no failure."""
    found = Outcome(value)
    if found == Outcome.REFUSED:
        return status_tag("unchanged", "Hub's value kept")
    return status_tag(found.name.lower())


@register.simple_tag
def delivery_state(delivery: Delivery) -> SafeString:
    if delivery.state == DeliveryState.PENDING and delivery.attempts:
        return status_tag("retry")
    return status_tag(DeliveryState(delivery.state).name.lower())


@register.simple_tag
def held_state(held: HeldRecord) -> SafeString:
    return status_tag(HeldState(held.state).name.lower(), "Will be tried" if held.state == HeldState.RELEASED else "")


BLOCKED_STATES = {1: "muted", 2: "review", 3: "ok", 4: "warn", 5: "ok", 6: "muted", 7: "ok"}


@register.simple_tag
def blocked_state(blocked: BlockedValue) -> SafeString:
    return status_tag(BLOCKED_STATES[blocked.state], blocked.get_state_display())


@register.simple_tag
def origins_of(record: CanonicalRecord) -> Mapping[str, Origin]:
    """`{% origins_of record as origins %}`: when and by which ledger row each field got its value."""
    return origins(record)


@register.simple_tag
def origin_of(found: Mapping[str, Origin], field: str) -> Origin | None:
    return found.get(field)


@register.simple_tag
def open_blocked(record: CanonicalRecord) -> int:
    """How many stopped values of a record wait for a decision."""
    return BlockedValue.objects.filter(record=record, state=BlockedValue.State.OPEN).count()


# How the states of a replay's records look; the words are their own.
_ITEM_STATES = {
    ReplayItem.Status.PLANNED: "queued",
    ReplayItem.Status.READING: "running",
    ReplayItem.Status.PUT: "in_flight",
    ReplayItem.Status.DONE: "done",
    ReplayItem.Status.FAILED: "failed",
    ReplayItem.Status.SKIPPED: "skipped",
    ReplayItem.Status.LEFT: "review",
}


@register.simple_tag
def item_state(item: ReplayItem) -> SafeString:
    return status_tag(_ITEM_STATES[ReplayItem.Status(item.status)], item.get_status_display())


@register.simple_tag
def item_url(item: ReplayItem) -> str:
    """The page of a replay's record, "" where it has none any more."""
    if item.leg == "run":
        return reverse("sync:run_detail", args=[item.record_id])
    if item.leg == "out":
        return reverse("sync:delivery_detail", args=[keys.DeliveryKey(item.sync_id, item.record_id or 0)])
    has_gone = item.status in (ReplayItem.Status.DONE, ReplayItem.Status.SKIPPED)
    return "" if has_gone else reverse("sync:held_detail", args=[keys.HeldKey(item.sync_id, item.external_id or "")])


@register.simple_tag
def adoption_state(adoption: Adoption) -> SafeString:
    if adoption.is_halted:
        return status_tag("failed", "Stopped")
    return status_tag(ADOPTION_STATES[adoption.status], adoption.get_status_display())


@register.simple_tag
def staged_state(row: StagedRecord) -> SafeString:
    """What a person said counts before the verdict."""
    word = row.get_decision_display() if row.decision else row.get_verdict_display() or "Linked"
    return status_tag("applied", word) if row.applied_at else status_tag(STAGED_STATES.get(row.verdict, "muted"), word)


@register.filter
def took(run: Run) -> str:
    """How long a run took, or how long it has been running."""
    return short(elapsed_seconds(run, timezone.now() if run.is_active else None))


@register.filter
def troubled(run: Run) -> int:
    return run_pages.in_trouble(run)


@register.filter
def failed_or_rejected(run: Run) -> int:
    return run.rejected + run.failed


@register.filter
def passed_words(run: Run) -> str:
    """`5 rejected, 1 failed`, when there is anything to tell apart."""
    return ", ".join(f"{n:,} {word}" for n, word in ((run.rejected, "rejected"), (run.failed, "failed")) if n)


@register.filter
def outcome_name(row: Transaction) -> str:
    """The state's name, for the tags that show a state."""
    return "unchanged" if row.outcome == Outcome.REFUSED else Outcome(row.outcome).name.lower()


@register.filter
def micros(value: int) -> str:
    """Microseconds as `1.4 ms`, `3.2 s`."""
    return f"{value / 1000:.1f} ms" if value < 10_000 else short(value / 1e6)


@register.filter
def short(seconds: float | None) -> str:
    """A duration that also tells parts of a second: `12 ms`, `4.2 s`, `4 m 01 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds is not None and 0 <= seconds < 1 else display.duration(seconds)


@register.filter
def exact(value: Decimal | None) -> str | None:
    """An amount without the zeros that only its column's scale adds."""
    return totals.exact(value)


@register.filter
def plain(value: Any) -> str:
    """A value of a record as text; a list or a nested record as JSON-like text."""
    return "" if value is None else "true" if value is True else "false" if value is False else str(value)


@register.simple_tag
def stage_bars(timings: Mapping[str, float], elapsed: float | None) -> SafeString:
    """Seconds spent in each stage, in the order of the path; stages of reading overlap, so they may sum to more."""
    longest = max([*timings.values(), elapsed or 0.0, 0.001])
    scale = (WIDTH - LABEL - 120) / longest
    rows = [_bar(number, name, seconds, scale) for number, (name, seconds) in enumerate(_ordered(timings))]
    height = TOP + ROW * len(rows) + 4
    words = ", ".join(f"{STAGE_WORDS.get(name, name)} {seconds:.1f} s" for name, seconds in _ordered(timings))
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="Seconds by stage: {}">{}{}</svg>',
        WIDTH, height, words, _axis(longest, scale, height), format_html_join("", "{}", ((row,) for row in rows)),
    )  # fmt: skip


def _ordered(timings: Mapping[str, float]) -> Sequence[tuple[str, float]]:
    known = [(name, timings[name]) for name in STAGE_WORDS if name in timings]
    return known + [(name, seconds) for name, seconds in timings.items() if name not in STAGE_WORDS]


def _bar(number: int, name: str, seconds: float, scale: float) -> SafeString:
    y = TOP + ROW * number
    width = max(seconds * scale, 1)
    return format_html(
        '<text x="0" y="{}" class="lab">{}</text><rect x="{}" y="{}" width="{}" height="14" rx="2" class="f-{}"/>'
        '<text x="{}" y="{}" class="dim">{}</text>',
        y + 18, STAGE_WORDS.get(name, name.capitalize()), LABEL, y + 7, round(width, 1),
        "s5" if name in ("waiting for source", "target") else "s1",
        round(LABEL + width + 8, 1), y + 18, short(seconds),
    )  # fmt: skip


def _axis(longest: float, scale: float, height: int) -> SafeString:
    ticks = [longest * part / 4 for part in range(5)]
    return format_html_join(
        "",
        '<path d="M{0} 18V{1}" class="rule"/><text x="{0}" y="12" text-anchor="middle" class="dim">{2}</text>',
        ((round(LABEL + tick * scale, 1), height, short(tick) if tick else mark_safe("0")) for tick in ticks),
    )
