"""Jobs that a target works on by itself, kept with the run: whoever takes over asks what they did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from threading import RLock
from typing import Any

from django.db import transaction

from connectors.jobs import Submitted
from hub.sync import runs
from hub.sync.models import Run
from hub.sync.states import RunStatus

# {stream: {key: {"attempt": …, "facts": {…}}}}
Open = dict[str, dict[str, dict[str, Any]]]


class RunBook:
    """A `JobBook` in the `resume` of an outbound run, under `jobs`. What an earlier run left open is taken over."""

    def __init__(self, run: Run) -> None:
        self._run, self._lock = run, RLock()
        self._open: Open | None = None

    def find(self, stream: str, keys: Sequence[str]) -> dict[str, Submitted]:
        with self._lock:
            known = self._jobs().get(stream, {})
            return {key: Submitted(known[key]["attempt"], known[key]["facts"]) for key in keys if key in known}

    def keep(self, stream: str, jobs: Mapping[str, Submitted]) -> None:
        with self._lock:
            new = {key: {"attempt": job.attempt, "facts": dict(job.facts)} for key, job in jobs.items()}
            self._store({**self._jobs(), stream: {**self._jobs().get(stream, {}), **new}})

    def drop(self, stream: str, keys: Iterable[str]) -> None:
        with self._lock:
            known, gone = self._jobs().get(stream, {}), set(keys)
            if gone & known.keys():
                self._store({**self._jobs(), stream: {key: job for key, job in known.items() if key not in gone}})

    def _jobs(self) -> Open:
        if self._open is None:
            kept = Run.objects.filter(sync_id=self._run.sync_id, resume__isnull=False).order_by("-pk")
            resume: dict[str, Open] = kept.values_list("resume", flat=True).first() or {}
            self._open = resume.get("jobs", {})
        return self._open

    def _store(self, jobs: Open) -> None:
        """Raises LostLease when another worker has the run. No progress: the count of claims stays as it is."""
        left = {stream: known for stream, known in jobs.items() if known}
        resume = {"jobs": left} if left else None
        mine = Run.objects.filter(pk=self._run.pk, epoch=self._run.epoch, status=RunStatus.RUNNING)
        with transaction.atomic():
            if not mine.update(resume=resume):
                raise runs.LostLease(
                    "The run was cancelled or taken over by another worker.", where=f"run {self._run.pk}"
                )
            earlier = Run.objects.filter(sync_id=self._run.sync_id, resume__isnull=False).exclude(pk=self._run.pk)
            earlier.update(resume=None)
        self._run.resume, self._open = resume, left
