"""Writing by an ingest job: one upload of CSV, and what the three result files say about each row.

The id of the job is remembered before anything is uploaded. After a crash the next write of the same stream first asks the
job that is remembered: what it did for the very same row counts, whatever else waits until it is over, and a job that never
got its data is called off. So nothing is lost, nothing is written twice, and no old version arrives after a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.failures import write_error
from connectors.jobs import JobBook, Submitted
from connectors.rest.bulk import DEFAULT_MAX_BYTES, Job, JobGone, Jobs, ended_badly, to_csv
from connectors.rest.client import ApiClient
from connectors.template import Scope, render_text, to_text
from hub.common.errors import ConfigError, HubError
from hub.common.records import WriteItem, WriteOutcome

# Written into a cell, this empties the field; a blank cell leaves it as it is.
EMPTIED = "#N/A"
# A job of many records is one entry of the book, under a key that no record has.
WHOLE = "*"
Row = dict[str, str]


class BulkWriter:
    """Upserts items of one stream. `section` is its declaration, with `bulk` and `write.upsert` in it."""

    def __init__(self, api: ApiClient, name: str, section: Mapping[str, Any], scope: Scope, book: JobBook) -> None:
        self._api, self._name, self._book = api, name, book
        self._bulk: Mapping[str, Any] = section["bulk"]
        self._omit = frozenset(section["write"]["upsert"].get("omit", ()))
        self._jobs = Jobs(api, self._bulk, scope)
        # what an earlier job did for rows that nobody has asked about yet, by key
        self._told: dict[str, tuple[Row, WriteOutcome]] = {}
        self._external_id = render_text(self._bulk["external_id"], scope, where="bulk.external_id")

    def has_open_job(self) -> bool:
        """Whether an earlier job of this stream is not accounted for."""
        return bool(self._told) or bool(self._open_job())

    def write(self, items: Sequence[WriteItem], *, above: int) -> dict[int, WriteOutcome]:
        """Outcomes by position. Items that no job was made for are left out, to be written in the usual way.

        A job is remembered until all its outcomes were handed over, or something else is written.
        """
        rows = self._rows(items)
        found = self._take_up(items, rows)
        left = {position: row for position, row in rows.items() if position not in found}
        if len(left) > above:
            found |= self._write_by_job(items, left)
        if len(found) < len(items) or not self._told:
            self._forget()
        return found

    def _forget(self) -> None:
        self._told.clear()
        self._book.drop(self._name, [WHOLE])

    # --- rows ------------------------------------------------------------------------------------------------------

    def _rows(self, items: Sequence[WriteItem]) -> dict[int, Row]:
        """The row of each item that fits into a job: an upsert of flat values, the first of its key."""
        rows: dict[int, Row] = {}
        keys: set[str] = set()
        for position, item in enumerate(items):
            if item.operation == "upsert" and item.key not in keys and _is_flat(item):
                rows[position] = self._row(item)
            keys.add(item.key)
        return rows

    def _row(self, item: WriteItem) -> Row:
        body = {name: _cell(value) for name, value in item.body.items() if name not in self._omit}
        return {**body, self._external_id: item.key}

    # --- an earlier job --------------------------------------------------------------------------------------------

    def _open_job(self) -> str:
        found = self._book.find(self._name, [WHOLE]).get(WHOLE)
        return found.handle if found else ""

    def _take_up(self, items: Sequence[WriteItem], rows: Mapping[int, Row]) -> dict[int, WriteOutcome]:
        """What the job that is remembered did for rows that are exactly the same."""
        job_id = "" if self._told else self._open_job()
        if job_id:
            self._told = {key: told for key, told in self._done(job_id).items() if told[1].ref}
        matching = {
            position: self._told.pop(items[position].key)
            for position, row in rows.items()
            if items[position].key in self._told and _is_same(self._told[items[position].key][0], row)
        }
        return {position: outcome for position, (_, outcome) in matching.items()}

    def _done(self, job_id: str) -> dict[str, tuple[Row, WriteOutcome]]:
        """What an earlier job did, when it is over."""
        try:
            job = self._jobs.look("ingest", job_id)
            if job.state == "Open":
                job = self._called_off(job_id)
            return self._results(self._jobs.wait("ingest", job.id))
        except JobGone:
            return {}

    def _called_off(self, job_id: str) -> Job:
        """A job that never got all its data; it may have been handed over by a worker that was believed dead."""
        try:
            return self._jobs.change(job_id, "Aborted")
        except ConfigError:
            return self._jobs.look("ingest", job_id)

    # --- a new job -------------------------------------------------------------------------------------------------

    def _write_by_job(self, items: Sequence[WriteItem], rows: Mapping[int, Row]) -> dict[int, WriteOutcome]:
        columns = dict.fromkeys(name for row in rows.values() for name in row)
        data = to_csv(columns, rows.values())
        most = self._bulk.get("max_bytes", DEFAULT_MAX_BYTES)
        if len(data) > most and len(rows) > 1:
            return self._in_halves(items, rows)
        job = self._hand_over(data)
        done = self._results(job)
        unknown = ended_badly(job)
        return {
            position: done[items[position].key][1]
            if items[position].key in done
            else WriteOutcome(items[position].key, "failed", error=unknown)
            for position in rows
        }

    def _in_halves(self, items: Sequence[WriteItem], rows: Mapping[int, Row]) -> dict[int, WriteOutcome]:
        positions = list(rows)
        middle = len(positions) // 2
        halves = ({p: rows[p] for p in positions[:middle]}, {p: rows[p] for p in positions[middle:]})
        return {**self._write_by_job(items, halves[0]), **self._write_by_job(items, halves[1])}

    def _hand_over(self, data: bytes) -> Job:
        """The job when it is over. Remembered before its data goes: from here on the job is asked, not repeated."""
        spec = {
            "object": self._bulk.get("object", self._name),
            "operation": "upsert",
            "externalIdFieldName": self._external_id,
            "contentType": "CSV",
            "lineEnding": "LF",
        }
        job = self._jobs.create("ingest", spec)
        self._book.keep(self._name, {WHOLE: Submitted(job.id, {"handle": job.id})})
        self._jobs.upload(job.id, data)
        self._jobs.change(job.id, "UploadComplete")
        return self._jobs.wait("ingest", job.id)

    # --- results ---------------------------------------------------------------------------------------------------

    def _results(self, job: Job) -> dict[str, tuple[Row, WriteOutcome]]:
        """The row and the outcome of each key that a finished job names."""
        base = f"ingest/{job.id}"
        successful, _ = self._jobs.rows(f"{base}/successfulResults")
        failed, _ = self._jobs.rows(f"{base}/failedResults")
        unprocessed, _ = self._jobs.rows(f"{base}/unprocessedrecords")
        found = {row[self._external_id]: (row, self._written(row)) for row in successful}
        found |= {row[self._external_id]: (row, self._refused(row)) for row in failed if row.get(self._external_id)}
        for row in unprocessed:
            key = row[self._external_id]
            found[key] = (row, WriteOutcome(key, "failed", error=ended_badly(job)))
        return found

    def _written(self, row: Row) -> WriteOutcome:
        is_new = row.get("sf__Created", "").lower() == "true"
        return WriteOutcome(row[self._external_id], "created" if is_new else "updated", ref=row["sf__Id"])

    def _refused(self, row: Row) -> WriteOutcome:
        return WriteOutcome(row[self._external_id], "failed", error=self._error(row.get("sf__Error", "")))

    def _error(self, text: str) -> HubError:
        """The error in `CODE:words:fields --`."""
        code, _, rest = text.partition(":")
        words, _, field = rest.rpartition(":")
        field = field.removesuffix("--").strip()
        failure = self._api.classifier.judge(
            status=400,
            data={"code": code, "message": words or rest, "field": field},
            headers={},
            where=f"job for {self._name}",
            code="code",
            message="message",
            field="field",
        )
        return write_error(failure, safe_to_repeat=True)


def _is_flat(item: WriteItem) -> bool:
    return bool(item.key) and not any(isinstance(value, dict | list) for value in item.body.values())


def _cell(value: Any) -> str:
    return EMPTIED if value in (None, "") else to_text(value)


def _is_same(told: Mapping[str, str], row: Mapping[str, str]) -> bool:
    """Whether a result speaks of this very row: the cells that it does not have were blank."""
    cells = {name: text for name, text in told.items() if not name.startswith("sf__") and text}
    return cells == row
