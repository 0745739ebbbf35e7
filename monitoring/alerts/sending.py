"""The sender of notices: what is due leaves, together for each channel of a route, and every outcome is kept.

Work is claimed under a lease. Until `handed_at` is written nothing has left, so a worker that is killed before is simply
followed by another. One that is killed after it may have sent: a webhook is posted again under the same id, by which its
receiver tells repetitions; mail and chat are not, because nobody shall get the same alert twice. They are shown as of unknown
outcome, and a person may send them again. So a webhook is told at least once, mail and chat at most once.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from hub.common.errors import HubError, UnknownOutcome
from monitoring.alerts.channels import deliver
from monitoring.models import AlertNotice

# Longer than the slowest exchange.
LEASE_SECONDS = 120
# Seconds after each failed attempt; after the last one it is given up.
LADDER = (30, 120, 600, 1_800, 3_600, 7_200, 14_400)
AT_ONCE = 200
KILLED = "The worker was ended while it handed the notice over; it may have arrived."

CLAIM = """
  with first as (
    select route_id, channel from monitoring_alertnotice where state = 'pending'
    and due_at <= statement_timestamp()
    and (lease_until is null or lease_until < statement_timestamp()) order by due_at, id limit 1 for update skip locked)
  update monitoring_alertnotice set lease_until = statement_timestamp() + make_interval(secs => %(lease)s) where id in (
    select n.id from monitoring_alertnotice n join first f on f.route_id = n.route_id and f.channel = n.channel
    where n.state = 'pending' and n.due_at <= statement_timestamp()
    and (n.lease_until is null or n.lease_until < statement_timestamp())
    order by n.due_at, n.id limit %(most)s for update of n skip locked)
  returning id
"""


def send_due() -> int:
    """Send until nothing is due; how many notices were settled."""
    settle_killed()
    number = 0
    while claimed := claim():
        number += len(claimed)
        send(claimed)
    return number


def settle_killed() -> None:
    """What a worker that is gone had handed over: of mail and chat nobody knows whether it arrived; webhooks go again."""
    gone = AlertNotice.objects.filter(state=AlertNotice.State.PENDING, handed_at__isnull=False, lease_until__lt=Now())
    lost = gone.filter(~Q(channel=AlertNotice.Channel.WEBHOOK) | Q(attempts__gt=len(LADDER)))
    lost.update(state=AlertNotice.State.UNSURE, error=KILLED, done_at=Now())


def claim() -> list[int]:
    """Take what is due of one channel of one route; tests leave by themselves."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"lease": LEASE_SECONDS, "most": AT_ONCE})
        return [row[0] for row in cursor.fetchall()]


def send(ids: Sequence[int]) -> None:
    """Send what was claimed as one message; never raises for what the other side does."""
    rows = AlertNotice.objects.filter(pk__in=ids).select_related(
        "route", "requested_by", "change__alert__rule", "change__alert__domain"
    )
    for batch in _together(list(rows.order_by("change__at", "pk"))):
        try:
            deliver(batch[0].route, batch[0].channel, batch, hand_over=lambda found=batch: _hand_over(found))  # type: ignore[misc]
        except UnknownOutcome as error:
            _settle(batch, AlertNotice.State.UNSURE, str(error))
        except HubError as error:
            _fail(batch, str(error))
        else:
            _settle(batch, AlertNotice.State.SENT, "")


def _together(rows: list[AlertNotice]) -> list[list[AlertNotice]]:
    """What leaves as one message. What has left once keeps its company, so that its id means the same."""
    found: dict[tuple[uuid.UUID | None, bool], list[AlertNotice]] = {}
    for row in rows:
        found.setdefault((row.message, row.change_id is None), []).append(row)
    return list(found.values())


def _hand_over(batch: Sequence[AlertNotice]) -> uuid.UUID:
    """The last thing before a message leaves; the id of the message."""
    message = batch[0].message or uuid.uuid4()
    mine = AlertNotice.objects.filter(pk__in=[row.pk for row in batch])
    mine.update(message=message, handed_at=Now(), attempts=F("attempts") + 1)
    return message


def _settle(batch: Sequence[AlertNotice], state: str, error: str) -> None:
    mine = AlertNotice.objects.filter(pk__in=[row.pk for row in batch], state=AlertNotice.State.PENDING)
    mine.update(state=state, error=error[:1000], done_at=Now(), lease_until=None)


def _fail(batch: Sequence[AlertNotice], error: str) -> None:
    """Try again later, all of the message together, or give up when the ladder ends."""
    attempts = max(row.attempts for row in batch) + 1
    if attempts > len(LADDER):
        AlertNotice.objects.filter(pk__in=[row.pk for row in batch]).update(attempts=attempts)
        return _settle(batch, AlertNotice.State.DEAD, error)
    mine = AlertNotice.objects.filter(pk__in=[row.pk for row in batch], state=AlertNotice.State.PENDING)
    due = timezone.now() + timedelta(seconds=LADDER[attempts - 1])
    mine.update(attempts=attempts, due_at=due, handed_at=None, lease_until=None, error=error[:1000])


def waiting() -> int:
    """Notices that should have left some minutes ago."""
    late = Q(state=AlertNotice.State.PENDING, due_at__lt=timezone.now() - timedelta(minutes=5))
    return AlertNotice.objects.filter(late).count()
