"""What a reviewer would look up by hand, answered beside the change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from governance.changes.applying import stale
from governance.changes.page import ItemView
from governance.models import ChangeCanary, ChangePacket, ChangeRequest, ReviewGroup
from hub.common.usage import listed

MOVED_ON = "What is live has moved on"


@dataclass(frozen=True, slots=True)
class Check:
    """`state` is a token of the page; `detail` the sentence below."""

    state: str
    title: str
    detail: str = ""


def checks_of(change: ChangeRequest, items: Sequence[ItemView], packet: ChangePacket | None) -> list[Check]:
    told = [*_compatibility(items), *_base(change), *_threads(change), *_packet(packet), *_groups(change)]
    return [*told, *_canary(ChangeCanary.objects.filter(change=change).first())]


def _canary(canary: ChangeCanary | None) -> Iterator[Check]:
    if canary is None or (canary.state == ChangeCanary.State.STOPPED and not canary.said):
        return
    tokens = {"armed": "muted", "watching": "run", "passed": "ok", "tripped": "fail", "stopped": "warn"}
    if canary.state == ChangeCanary.State.ARMED:
        said = f"Its first {canary.minutes} minutes will be watched."
    elif canary.state == ChangeCanary.State.WATCHING:
        read = sum(part["after"]["read"] for part in canary.result)
        failed = sum(part["after"]["failed"] for part in canary.result)
        said = f"Until {canary.ends_at:%H:%M} UTC; so far {failed:,} of {read:,} records failed."
    else:
        said = canary.said
    yield Check(tokens[canary.state], f"Canary: {canary.get_state_display().lower()}", said)


def _compatibility(items: Sequence[ItemView]) -> Iterator[Check]:
    for item in items:
        if item.proposal.is_removal:
            users = [f"{name} {key}" for row in item.rows for name, key in row.users]
            said = f"It is used by {listed(users)}." if users else "Nothing is known to use it."
            yield Check("fail" if users else "warn", f"Removal of {item.name}", said)
        if verdict := item.proposal.verdict:
            state = "fail" if verdict.is_breaking else "ok"
            yield Check(
                state, f"Compatibility of {item.proposal.key}", f"{verdict.sentence} Next: {verdict.suggested_version}."
            )
        if real := item.effective:
            yield Check("fail" if real.is_breaking else "ok", "In fact", real.sentence)


def _base(change: ChangeRequest) -> Iterator[Check]:
    if change.state not in ChangeRequest.WAITING:
        return
    found = [sentence for item in change.items.all() if (sentence := stale(item))]
    if found:
        yield Check("warn", MOVED_ON, " ".join(found))
    else:
        yield Check("ok", "Written on what is live")


def _threads(change: ChangeRequest) -> Iterator[Check]:
    number = change.comments.filter(answers__isnull=True, resolved_at__isnull=True).count()
    if number:
        yield Check("warn", "Discussion", f"{number} {'thread is' if number == 1 else 'threads are'} not settled.")


def _packet(packet: ChangePacket | None) -> Iterator[Check]:
    if packet is None or packet.state != ChangePacket.State.DONE:
        return
    failing = sum(part["newly_failing"] for part in packet.result)
    tried = sum(part["tried"] for part in packet.result)
    if not tried:
        yield Check("muted", "Stored payloads", "None are kept, so the verdict is from the schema alone.")
    else:
        yield Check(
            "fail" if failing else "ok", f"Replay of {tried:,} payloads", f"{failing:,} would fail that pass today."
        )


def _groups(change: ChangeRequest) -> Iterator[Check]:
    if change.is_breaking and ReviewGroup.objects.exclude(members=[]).count() < 2:
        yield Check("fail", "Two groups", "A breaking change needs people of two groups, and only one has members.")
