"""What would become of the rows of a file: the path of a run, without a write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hub.spreadsheets import sheets
from hub.spreadsheets.reading import Table
from hub.sync import dry_inbound
from hub.sync.doubles import name_field
from hub.sync.dry_result import ORDER, DryRun, Row
from hub.sync.dry_run import secret_of
from hub.sync.models import Sync
from hub.sync.plan import load_plan

PAGE = 500
# Rows that are shown of each kind; the counts are of all.
SHOWN = 100


def preview(sync: Sync, table: Table) -> dict[str, Any]:
    """{counts, notes, rows}; masked values are masked already. Writes nothing."""
    plan = load_plan(sync)
    result = DryRun("in", "", name_field(plan.contract.markers))
    for start in range(0, len(table.entries), PAGE):
        dry_inbound.judge(plan, result, [record for _, _, record in table.entries[start : start + PAGE]])
    result.secret = secret_of(plan, result)
    numbers = {external_id: row for row, external_id, _ in table.entries}
    names = [field for field in table.columns if field]
    return {
        "counts": result.counts,
        "notes": list(dict.fromkeys(result.notes)),
        "rows": [_shown(row, numbers, names) for row in _some(result.masked().rows)],
    }


def _some(rows: Sequence[Row]) -> list[Row]:
    taken: Counter[str] = Counter()
    found = []
    for row in sorted(rows, key=lambda row: ORDER.index(row.would)):
        taken[row.would] += 1
        if row.would != "skip" and taken[row.would] <= SHOWN:
            found.append(row)
    return found


def _shown(row: Row, numbers: dict[str, int], names: Sequence[str]) -> dict[str, Any]:
    return {
        "would": row.would,
        "word": row.word,
        "row": numbers.get(row.external_id),
        "key": row.key or row.external_id,
        "label": row.label,
        "column": sheets.column_in(row.sentence, names) if row.would in ("reject", "waiting") else "",
        "sentence": row.sentence,
        "fields": [change.field for change in row.changes],
    }
