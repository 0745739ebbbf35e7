"""Work of the mappings that nobody waits for."""

from __future__ import annotations

from celery import shared_task

from mappings import samples


@shared_task
def forget_expired_samples() -> None:
    """Records that an editor read are personal data: they go after their hour, whether or not anybody comes back."""
    samples.forget_expired_samples()
