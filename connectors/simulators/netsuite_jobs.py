"""Asynchronous requests of the simulated NetSuite: accepted at once, carried out when the job has been asked often enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from connectors.simulators.messages import Reply, Request


@dataclass(slots=True)
class AsyncJob:
    """`asked` counts the questions for its state; `result` is there once it was carried out."""

    number: int
    request: Request
    asked: int = 0
    result: Reply | None = None

    @property
    def progress(self) -> str:
        if self.result is None:
            return "processing" if self.asked else "pending"
        return "succeeded" if self.result.status < 400 else "failed"


@dataclass(slots=True)
class AsyncJobs:
    """All jobs by number, and the job of each idempotency key."""

    jobs: dict[int, AsyncJob] = field(default_factory=dict)
    by_key: dict[str, int] = field(default_factory=dict)

    def accept(self, request: Request, key: str) -> AsyncJob:
        job = AsyncJob(len(self.jobs) + 1, request)
        self.jobs[job.number] = job
        if key:
            self.by_key[key] = job.number
        return job

    def ask(self, job: AsyncJob, steps: int, carry_out: Callable[[Request], Reply]) -> dict[str, Any]:
        """The state of a job; the question after `steps` others finds it carried out."""
        if job.result is None and job.asked >= steps:
            job.result = carry_out(job.request)
        job.asked += 1
        return {"completed": job.result is not None, "id": str(job.number), "progress": job.progress}
