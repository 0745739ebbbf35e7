"""A run as a page shows it: who asked for it, how fast it goes, whether its account adds up, what its error means."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from hub.sync import links
from hub.sync.models import Run
from hub.sync.queries import elapsed_seconds

# The parts that HubError prints: a sentence, the place in brackets, what to do.
_ERROR = re.compile(r"(?P<what>.+?[.!?…]) \((?P<where>[^()]+)\)(?: (?P<fix>.+))?", re.DOTALL)

STAGES = {
    "": "Starting",
    "reading": "Reading from",
    "storing": "Storing records from",
    "delivering": "Delivering to",
    "removing": "Taking away what is gone from",
    "recovering": "Settling what a lost worker left at",
    "one by one": "Looking, one by one, for the record over which a worker fell:",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error in its parts, and the page where it is put right ("" when there is none)."""

    what: str
    where: str
    fix: str
    code: str
    url: str
    label: str


def trouble_of(run: Run) -> Trouble | None:
    if not run.error:
        return None
    match = _ERROR.fullmatch(run.error)
    what, where, fix = (match["what"], match["where"], match["fix"] or "") if match else (run.error, "", "")
    kind, label = _place(run.error_code)
    return Trouble(what, where, fix, run.error_code, _url(run, kind), label)


def _place(code: str) -> tuple[str, str]:
    if code in ("AUTH", "PAUSED", "CONFIG", "TRANSIENT", "EGRESS"):
        return "connection", "Open the connection"
    if code in ("NO_RULES", "RULES", "MAPPING"):
        return "mapping", "Open the mapping"
    return ("contract", "Open the contract") if code.startswith("CONTRACT") else ("", "")


def _url(run: Run, kind: str) -> str:
    mapping = run.sync.mapping
    slugs = {"connection": mapping.stream.connection.slug, "mapping": mapping.slug, "contract": mapping.entity.slug}
    return links.page_url(kind, slugs[kind]) if kind else ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `total` is None while nobody can know it; `etag` changes whenever the picture does."""

    title: str
    done: int
    total: int | None
    pages: int
    rate: float | None
    elapsed: float | None
    etag: str

    @property
    def left_seconds(self) -> float | None:
        if self.total is None or not self.rate or self.done >= self.total:
            return None
        return (self.total - self.done) / self.rate


def progress_of(run: Run, now: datetime, *, due: int | None) -> Progress:
    """`due` is the number of deliveries that are still to be sent, for a run that delivers."""
    elapsed = elapsed_seconds(run, now)
    total = None if due is None else run.read + due
    return Progress(_title(run), run.read, total, run.page_no, _rate(run, elapsed), elapsed, _etag(run, due, elapsed))


def _title(run: Run) -> str:
    if run.status == "queued":
        return "Waiting for a worker"
    words = STAGES.get(run.stage, run.stage.capitalize())
    return f"{words} {run.sync.stream.connection.system.name}" if run.stage else words


def _rate(run: Run, elapsed: float | None) -> float | None:
    return run.read / elapsed if elapsed and elapsed >= 1 and run.read else None


def _etag(run: Run, due: int | None, elapsed: float | None) -> str:
    """The clock alone makes a new picture every ten seconds only."""
    parts = (
        run.pk,
        run.epoch,
        run.status,
        run.stage,
        run.page_no,
        *run.counts.values(),
        due,
        int((elapsed or 0) // 10),
    )
    return '"' + hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest() + '"'


def account(run: Run) -> tuple[str, bool]:
    """The sentence that what was read equals what became of it, and whether that is so."""
    parts = [(name, number) for name, number in run.counts.items() if name != "read"]
    words = " + ".join(f"{number:,} {name}" for name, number in parts if number) or "nothing"
    is_right = run.read == sum(number for _, number in parts)
    return f"{run.read:,} read = {words}", is_right


def in_trouble(run: Run) -> int:
    return run.rejected + run.waiting + run.failed
