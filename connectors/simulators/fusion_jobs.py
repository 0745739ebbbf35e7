"""Scheduled jobs of the simulated Fusion: WAIT, RUNNING, an end; the import of costs runs as a child of its own."""

from __future__ import annotations

import base64
import csv
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SUCCEEDED, WARNING, ERROR = "SUCCEEDED", "WARNING", "ERROR"


@dataclass(slots=True)
class EssJob:
    """A request of the scheduler. `asked` counts questions for its state; `work` is carried out when it runs.

    `work` returns the state in which the job ends and the lines of its log, and may give it children.
    """

    number: int
    name: str
    path: str
    parameters: tuple[str, ...]
    work: Callable[[EssJob], tuple[str, list[str]]]
    asked: int = 0
    state: str = "WAIT"
    log: list[str] = field(default_factory=list)
    children: list[EssJob] = field(default_factory=list)

    def tree(self) -> dict[str, Any]:
        """The job with its children, as the execution details spell it."""
        shown = {"JOBNAME": self.name, "JOBPATH": self.path, "REQUESTID": str(self.number), "STATUS": self.state}
        return shown | ({"CHILD": [child.tree() for child in self.children]} if self.children else {})


class Scheduler:
    """All jobs by request id. A job moves on each time its state is asked for `steps` times."""

    def __init__(self) -> None:
        self.jobs: dict[int, EssJob] = {}
        self.documents: dict[str, bytes] = {}
        # Set by a test: the child of the next import fails before it touches a single row.
        self.child_fails = False

    def submit(
        self, name: str, path: str, parameters: tuple[str, ...], work: Callable[[EssJob], tuple[str, list[str]]]
    ) -> EssJob:
        job = EssJob(1_000 + len(self.jobs) * 10, name, path, parameters, work)
        self.jobs[job.number] = job
        return job

    def child(self, parent: EssJob, name: str, state: str, log: list[str]) -> EssJob:
        job = EssJob(
            parent.number + len(parent.children) + 1,
            name,
            parent.path,
            (),
            lambda job: (state, log),
            state=state,
            log=log,
        )
        parent.children.append(job)
        return job

    def find(self, number: int) -> EssJob | None:
        """A job or a child by its request id."""
        everyone = [*self.jobs.values(), *(child for job in self.jobs.values() for child in job.children)]
        return next((job for job in everyone if job.number == number), None)

    def ask(self, job: EssJob, steps: int) -> str:
        """The state of a job: the question after `steps` others finds it one state further."""
        job.asked += 1
        if job.state == "WAIT" and job.asked > steps:
            job.state = "RUNNING"
        elif job.state == "RUNNING" and job.asked > 2 * steps:
            job.state, job.log = job.work(job)
        return job.state

    def upload(self, content: bytes) -> str:
        document = str(500_000 + len(self.documents))
        self.documents[document] = content
        return document


def details(job: EssJob) -> str:
    """The execution details are a text that is itself JSON."""
    return json.dumps({"JOBS": [job.tree()]})


def log_file(job: EssJob) -> str:
    """The logs of a job and its children, zipped, in Base64."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for each in (job, *job.children):
            archive.writestr(f"{each.number}.log", "\n".join(each.log))
    return base64.b64encode(packed.getvalue()).decode()


def rows_in(content: bytes) -> list[list[str]]:
    """The rows of all files of an uploaded zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        texts = [archive.read(name).decode() for name in archive.namelist()]
    return [row for text in texts for row in csv.reader(io.StringIO(text)) if row]
