"""What monitoring does by itself."""

from __future__ import annotations

from celery import shared_task

from monitoring.alerts import evaluate, sending
from monitoring.close import awaiting
from monitoring.control import queues as control_queues
from monitoring.exceptions import collect, ticking, work
from monitoring.expectations import keeping
from monitoring.expectations import services as expectations
from monitoring.freshness import services as freshness
from monitoring.glossary import measuring, queries
from monitoring.reconciliation import services as reconciliation
from monitoring.reconciliation import work as comparing
from monitoring.value import computing


@shared_task
def measure_terms() -> None:
    """Terms that were not measured for a day, each in a message of its own: one slow system keeps no other waiting."""
    for pk in queries.due_terms().values_list("pk", flat=True):
        measure_term.delay(pk)


@shared_task
def measure_term(term_id: int) -> None:
    """Once only, however many beats have rung."""
    for term in queries.due_terms().filter(pk=term_id):
        measuring.measure(term)


@shared_task
def sweep_expectations() -> None:
    """What is expected, what has arrived, and what the clock makes late."""
    expectations.sweep()


@shared_task
def forget_expectations() -> None:
    """Expectations whose time to be kept is over; the figures of their days stay. Notes of what waits no more, too."""
    keeping.forget()
    awaiting.forget_settled()


@shared_task
def count_stale() -> None:
    """Records that nothing has confirmed within their limit."""
    freshness.count()


@shared_task(soft_time_limit=3_600, time_limit=3_660)
def reconcile(run_id: int) -> None:
    """Carry out one comparison."""
    comparing.execute(run_id)


@shared_task
def start_reconciliations() -> None:
    """Compare what is due by its schedule or after a run, and take up what nobody works on."""
    reconciliation.start_due()


@shared_task
def exception_job(job_id: int) -> None:
    """Go on with an act over many exceptions for a slice of time."""
    work.execute(job_id)


@shared_task
def exception_tick() -> None:
    """Wake what has slept long enough, end corrected payloads that nobody used, take up jobs that nobody works on."""
    ticking.tick()


@shared_task
def collect_exceptions() -> None:
    """Bring the exception queue up to what is open in the hub."""
    collect.collect()


@shared_task
def evaluate_alerts() -> None:
    """Look at everything that a rule watches; whoever comes second leaves at once."""
    evaluate.evaluate()


@shared_task
def send_notices() -> None:
    """Send what is due although nobody rang."""
    sending.send_due()


@shared_task
def look_at_queues() -> None:
    """Which workers answer, for the control room and the alerts."""
    control_queues.look()


@shared_task
def compute_measures() -> None:
    """What the hub is worth: this month and the last one of every measure, the whole year of one that is new."""
    computing.compute_due()
