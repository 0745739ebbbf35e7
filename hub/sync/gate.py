"""Whether a sync may work right now: pauses by people, circuits, and stops that a system asked for.

A run that meets a shut gate is put back as it is: what it stored stays, what it did not send stays due, and no attempt is
counted. Whoever opens the gate rings for it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from django.db import connection as database

from connectors import circuits, pace, registry
from connectors.base import HARMLESS, Connector
from connectors.limiter import NotNow, is_its_own
from connectors.models import Circuit
from connectors.traffic import LONGEST_STAY_SECONDS
from hub.common.db import plain_cursor
from hub.common.errors import AuthError, HubError, PermanentError, RecordError
from hub.common.records import WriteOutcome
from hub.sync import retry
from hub.sync.models import Run
from hub.sync.states import RunStatus

if TYPE_CHECKING:
    from hub.sync.outbound import OutboundRun, Parcel

# For each sync the first reason why it stands still, null when it may work.
GATE = """(
  select s.id as sync_id, c.id as connection_id, c.name, k.trial_run_id, case
    when exists (select 1 from sync_standstill where is_paused) then 'everything'
    when c.is_paused then 'connection'
    when s.is_paused then 'sync'
    when m.direction = 'out' and exists (
      select 1 from sync_adoption a where a.status in ('waiting', 'reading', 'matching', 'review', 'linking')
      and m.stream_id = any(a.stream_ids)) then 'first_load'
    when k.state = 'paused_auth' then 'sign_in'
    when k.state = 'open' then 'circuit'
    when p.stopped_until > now() then 'busy'
    when k.state = 'half_open' then 'trial'
  end as why
  from sync_sync s
  join mappings_mapping m on m.id = s.mapping_id
  join connectors_stream t on t.id = m.stream_id
  join connectors_connection c on c.id = t.connection_id
  left join connectors_circuit k on k.connection_id = c.id
  left join connectors_pace p on p.connection_id = c.id
)"""
WHY = f"select why, name, trial_run_id from {GATE} g where sync_id = %s"
# A condition on sync_run: one run may work while a half-open connection is tried.
IS_OPEN = (
    f"exists (select 1 from {GATE} g where g.sync_id = sync_run.sync_id"
    " and (g.why is null or (g.why = 'trial' and g.trial_run_id = sync_run.id)))"
)
SENTENCES = {
    "everything": "All work of the hub is paused.",
    "connection": "The connection {name} is paused.",
    "sync": "The sync is paused.",
    "first_load": "A first load of its stream waits for approval.",
    "sign_in": "{name} does not accept the sign-in.",
    "circuit": "{name} does not answer.",
    "busy": "{name} asked for a pause.",
    "trial": "Another run tries whether {name} works again.",
}
BY_PEOPLE = ("everything", "connection", "sync")
WAITS = "waits"


class Reason(NamedTuple):
    """Why a sync stands still: a key of SENTENCES, and the sentence."""

    why: str
    sentence: str


def why_shut(sync_id: int, *, run_id: int = 0) -> Reason | None:
    """Why this sync may not work now; None when it may."""
    with plain_cursor() as cursor:  # prepared: planning these joins for every batch costs more than running them
        row = cursor.execute(WHY, [sync_id], prepare=True).fetchone()
    if row is None or row[0] is None or (row[0] == "trial" and row[2] == run_id):
        return None
    return Reason(row[0], SENTENCES[row[0]].format(name=row[1]))


def shut_sync_ids() -> set[int]:
    """Syncs that stand still at the moment, but for those whose connection is being tried."""
    with database.cursor() as cursor:
        cursor.execute(f"select sync_id from {GATE} g where why is not null and why <> 'trial'")
        return {row[0] for row in cursor.fetchall()}


def check(run: Run) -> None:
    """Between two pages or batches; raises NotNow when the run has to stop here. A short pause is sat out."""
    reason = why_shut(run.sync_id, run_id=run.pk)
    if reason and reason.why == "busy":
        seconds = pace.view(run.sync.stream.connection_id).stop_seconds
        if seconds <= LONGEST_STAY_SECONDS:
            time.sleep(seconds)
            reason = why_shut(run.sync_id, run_id=run.pk)
    if reason:
        raise NotNow(reason.sentence)


def knock(run_id: int) -> None:
    """Before a run is claimed: where its connection is half open, let this run be the one that tries."""
    tried = Circuit.objects.filter(
        state=Circuit.State.HALF_OPEN, connection__streams__mappings__syncs__runs=run_id
    ).values_list("connection_id", flat=True)
    for connection_id in tried:
        circuits.claim_trial(connection_id, run_id)


def _reports(run: Run) -> bool:
    """Whether the connector of a run reports each of its requests by itself."""
    connector = registry.protocols().get(run.sync.stream.connection.protocol)
    return connector is not None and connector.reports_requests


def put_back(run: Run, error: HubError, *, timings: Mapping[str, float]) -> bool:
    """Keep a run that ended for no fault of its own; False when the error is the run's to answer for."""
    connection_id = run.sync.stream.connection_id
    if isinstance(error, AuthError):
        circuits.pause_for_sign_in(connection_id, str(error))
    elif is_its_own(error):
        found = circuits.look(connection_id) if _reports(run) else circuits.note_failure(connection_id, str(error))
        if not found.is_shut:
            return False
    elif not isinstance(error, NotNow) and not _stop_for(run, error):
        return False
    _release(run, error, timings)
    return True


def _stop_for(run: Run, error: HubError) -> bool:
    """Leave a system alone for as long as it asks; False when it does not ask."""
    asked = getattr(error, "retry_after", None)
    if asked is None:
        return False
    pace.stop(run.sync.stream.connection_id, retry.Ladder.of(run.sync).delay_seconds(1, error))
    return True


def _release(run: Run, error: HubError, timings: Mapping[str, float]) -> None:
    Run.objects.filter(pk=run.pk, epoch=run.epoch, status=RunStatus.RUNNING).update(
        status=RunStatus.QUEUED,
        stage=WAITS,
        lease_until=None,
        claims=0,
        timings=run.timings_with(timings),
        error=str(error),
    )
    run.refresh_from_db(fields=["status", "stage"])


def passed(run: Run) -> None:
    """A run has gone through: a source has answered, and a trial without failures has passed."""
    found = circuits.look(run.sync.stream.connection_id)
    is_trial = found.state == Circuit.State.HALF_OPEN and found.trial_run_id == run.pk
    if is_trial or (found.failures and run.sync.direction == "in" and not _reports(run)):
        circuits.note_success(run.sync.stream.connection_id)


# The outcomes of a batch -------------------------------------------------------------------------------------
def weigh(
    work: OutboundRun, connector: Connector, sending: Sequence[Parcel], answers: Sequence[WriteOutcome]
) -> list[WriteOutcome]:
    """The answers, where those that are the connection's fault and not the record's are marked as kept.

    A failure is the record's own as long as the system answers others, or has just passed its test; and never where the
    record may have arrived.
    """
    connection_id = work.plan.connection.pk
    errors = [answer.error for answer in answers if answer.error is not None]
    refused = next((error for error in errors if isinstance(error, AuthError)), None)
    if refused is not None:
        circuits.pause_for_sign_in(connection_id, str(refused))
    alive = any(answer.error is None or _is_the_records(answer.error) for answer in answers)
    down = next((error for error in errors if is_its_own(error)), None)
    found = _report(connection_id, connector, alive=alive, down=down)
    is_trial = found.trial_run_id == work.run.pk
    at_their_end = not alive and any(p.due.attempts + 1 >= work.ladder.attempts for p in sending)
    if down is not None and at_their_end and not is_trial and not found.is_shut:
        found = circuits.note_failure(connection_id, str(down), trip=True)
    excused = found.is_shut and not is_trial
    return [
        _kept(answer) if _is_excused(work, parcel, answer, excused=excused) else answer
        for parcel, answer in zip(sending, answers, strict=False)
    ]


def _report(connection_id: int, connector: Connector, *, alive: bool, down: HubError | None) -> circuits.Look:
    """Count what a call has shown, for connectors whose requests do not pass a limiter; the circuit after it."""
    if not connector.reports_requests and not alive and down is not None:
        return circuits.note_failure(connection_id, str(down))
    found = circuits.look(connection_id)
    if alive and not connector.reports_requests and found != circuits.CLOSED:
        circuits.note_success(connection_id)
        return circuits.look(connection_id)
    return found


def _is_the_records(error: HubError) -> bool:
    return isinstance(error, RecordError | PermanentError)


def _is_excused(work: OutboundRun, parcel: Parcel, answer: WriteOutcome, *, excused: bool) -> bool:
    error = answer.error
    if error is None:
        return False
    if isinstance(error, NotNow | AuthError):
        return True
    if answer.status == "unsure" and work.safety_of(parcel.ref) not in HARMLESS:
        return False
    return excused and is_its_own(error)


def _kept(answer: WriteOutcome) -> WriteOutcome:
    return replace(answer, status="failed", error=NotNow(str(answer.error)))


def is_kept(answer: WriteOutcome | None) -> bool:
    """Whether a delivery stays due exactly as it was."""
    return answer is not None and isinstance(answer.error, NotNow)
