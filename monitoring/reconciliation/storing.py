"""The result of a comparison replaces the one before: gaps stay the same rows, decisions hold for what was decided."""

from __future__ import annotations

from typing import Any

from monitoring.models import ReconciliationGap, ReconciliationRun
from monitoring.reconciliation import staging
from monitoring.reconciliation.definition import Definition

State = ReconciliationGap.State
_COPIED = (
    "kind", "label", "note", "evidence", "key", "left_id", "right_id", "record_id", "period", "legal_entity", "currency",
    "client", "project", "left_amount", "right_amount", "fields", "content",
)  # fmt: skip


def last_comparable(run: ReconciliationRun) -> ReconciliationRun | None:
    """The newest comparison before this one that went through."""
    rows = ReconciliationRun.objects.filter(
        reconciliation_id=run.reconciliation_id, status=ReconciliationRun.Status.DONE
    )
    return rows.filter(pk__lt=run.pk).order_by("-pk").first()


def store(cursor: Any, run: ReconciliationRun, definition: Definition) -> None:
    staging.totals(cursor, definition, run.pk)
    _put(cursor, run)
    _take_away(cursor, run)
    cursor.execute(
        "insert into monitoring_reconciliationperiod (reconciliation_id, period, status, note, signed, run_id)"
        " select distinct %(reconciliation)s::bigint, period, 'open', '', '{}'::jsonb, %(run)s::bigint"
        " from monitoring_reconciliationtotal where run_id = %(run)s"
        " on conflict (reconciliation_id, period) do update set run_id = excluded.run_id",
        {"reconciliation": run.reconciliation_id, "run": run.pk},
    )


def _put(cursor: Any, run: ReconciliationRun) -> None:
    """A gap with other content than it had is open again, whatever was decided."""
    sources = {"fields": "to_jsonb(fields)", "period": "left(period, 20)"}
    values = ", ".join(sources.get(name, name) for name in _COPIED)
    changed = "monitoring_reconciliationgap.content <> excluded.content or monitoring_reconciliationgap.state = 'gone'"
    updates = ", ".join(f'"{name}" = excluded."{name}"' for name in (*_COPIED, "left", "right", "run_id", "seen_at"))
    cleared = {"state": "'open'", "match_id": "null", "reason": "''", "comment": "''", "is_raised": "false"}
    cleared |= {"decided_by_id": "null", "decided_at": "null", "opened_at": "excluded.opened_at"}
    reopened = ", ".join(
        f'"{name}" = case when {changed} then {value} else monitoring_reconciliationgap."{name}" end'
        for name, value in cleared.items()
    )
    cursor.execute(
        f'insert into monitoring_reconciliationgap (reconciliation_id, identity, run_id, state, {", ".join(_COPIED)}, "left",'
        f' "right", opened_at, seen_at, reason, comment, is_raised)'
        f" select %s, identity, %s, 'open', {values}, l, r, now(), now(), '', '', false"
        " from recon_gap order by identity"
        f" on conflict (reconciliation_id, identity) do update set {updates}, {reopened}",
        [run.reconciliation_id, run.pk],
    )


def _take_away(cursor: Any, run: ReconciliationRun) -> None:
    """What this comparison did not find is settled; a match whose gaps have gone on without it is undone."""
    cursor.execute(
        "update monitoring_reconciliationgap set state = 'gone', seen_at = now(), match_id = null"
        " where reconciliation_id = %s and run_id <> %s and state <> 'gone'",
        [run.reconciliation_id, run.pk],
    )
    cursor.execute(
        "update monitoring_reconciliationmatch m set state = 'undone', decided_at = now() where m.reconciliation_id = %s"
        " and m.state in ('suggested', 'confirmed') and m.left_count + m.right_count <>"
        " (select count(*) from monitoring_reconciliationgap g where g.match_id = m.id)",
        [run.reconciliation_id],
    )
    cursor.execute(
        "update monitoring_reconciliationgap g set state = case when g.state = 'matched' then 'open' else g.state end,"
        " match_id = null from monitoring_reconciliationmatch m where m.id = g.match_id and m.reconciliation_id = %s"
        " and m.state = 'undone'",
        [run.reconciliation_id],
    )


def outcome(cursor: Any, run: ReconciliationRun) -> dict[str, Any]:
    """How many gaps are explained, by a label or by a person, and how many by nobody."""
    rows = cursor.execute(
        "select label, count(*), count(*) filter (where label = 'unexplained' and state = 'open')"
        " from monitoring_reconciliationgap where reconciliation_id = %s and state <> 'gone' group by label",
        [run.reconciliation_id],
    ).fetchall()
    unexplained = sum(row[2] for row in rows)
    return {
        "labels": {name: number for name, number, _ in rows},
        "explained": sum(row[1] for row in rows) - unexplained,
        "unexplained": unexplained,
    }
