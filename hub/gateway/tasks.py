"""Celery's side: one call each."""

from __future__ import annotations

from celery import shared_task

from hub.gateway import keeping


@shared_task
def forget_old() -> None:
    keeping.forget_old()
