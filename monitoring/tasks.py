"""What monitoring does by itself."""

from __future__ import annotations

from celery import shared_task

from monitoring.glossary import measuring, queries


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
