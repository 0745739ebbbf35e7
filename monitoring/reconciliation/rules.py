"""Match rules over the open gaps of two sides: what belongs together because it agrees in all but the key.

A group is every gap of one period and currency that agrees in the fields of the rule; its sums must be equal within the
tolerance. The score is 1.00 for one line against one of the same amount, 0.01 less for each line more (0.20 at most), and up
to 0.30 less for a difference that uses up the tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg import sql

from monitoring.models import Reconciliation
from monitoring.reconciliation.definition import Definition, MatchRule

SHOWN = 50
_COLUMNS = {"period", "currency", "legal_entity", "client", "project"}
_SIZES = {
    "one_to_one": "nl = 1 and nr = 1",
    "one_to_many": "nl = 1 and nr > 1",
    "many_to_one": "nl > 1 and nr = 1",
    "many_to_many": "nl > 0 and nr > 0 and nl + nr > 2",
}
_OPEN = "g.state = 'open' and g.match_id is null"


@dataclass(frozen=True, slots=True)
class Found:
    """Gaps that a rule puts together: ids of both sides and their sums."""

    left: frozenset[int]
    right: frozenset[int]
    left_amount: Decimal
    right_amount: Decimal
    currency: str
    period: str

    @property
    def ids(self) -> frozenset[int]:
        return self.left | self.right

    @property
    def variance(self) -> Decimal:
        return self.right_amount - self.left_amount


def _found(definition: Definition, rule: MatchRule, pool: str) -> sql.Composable:
    """SQL of (left_ids, right_ids, left_amount, right_amount, currency, period, variance, allowed)."""
    groups = [_value(definition, name) for name in rule.group]
    known = sql.SQL(" and ").join([sql.SQL("{} is not null").format(value) for value in groups])
    # Several lines of a group against several one by one: by amount, so that equal ones meet.
    place: sql.Composable = sql.SQL("0")
    if rule.kind == "one_to_one":
        exact = (
            sql.SQL(", coalesce(g.left_amount, g.right_amount)") if not (rule.absolute or rule.percent) else sql.SQL("")
        )
        place = sql.SQL(
            "row_number() over (partition by g.kind, g.period, g.currency, {groups}{exact}"
            ' order by coalesce(g.left_amount, g.right_amount), g.identity collate "C")'
        ).format(groups=sql.SQL(", ").join(groups), exact=exact)
    by_amount = sql.SQL("coalesce(g.left_amount, g.right_amount)")
    is_exact = rule.kind == "one_to_one" and not (rule.absolute or rule.percent)
    return sql.SQL(
        "select left_ids, right_ids, left_amount, right_amount, currency, period,"
        " abs(right_amount - left_amount) variance,"
        " greatest({absolute}, {percent} / 100.0 * greatest(abs(left_amount), abs(right_amount))) allowed from ("
        " select period, currency, array_agg(id) filter (where kind = 'only_left') left_ids,"
        " array_agg(id) filter (where kind = 'only_right') right_ids,"
        " count(*) filter (where kind = 'only_left') nl, count(*) filter (where kind = 'only_right') nr,"
        " coalesce(sum(left_amount), 0) left_amount, coalesce(sum(right_amount), 0) right_amount from ("
        " select g.*, array[{groups}]::text[] grp, {place} place, {amount} exact from monitoring_reconciliationgap g"
        " where g.reconciliation_id = %(reconciliation)s and g.kind in ('only_left', 'only_right') and {known} and ({pool})) g"
        " group by period, currency, grp, place, exact) f"
        " where {sizes} and abs(right_amount - left_amount) <="
        " greatest({absolute}, {percent} / 100.0 * greatest(abs(left_amount), abs(right_amount)))"
    ).format(
        absolute=sql.Literal(rule.absolute),
        percent=sql.Literal(rule.percent),
        groups=sql.SQL(", ").join(groups),
        place=place,
        amount=by_amount if is_exact else sql.SQL("0"),
        known=known,
        pool=sql.SQL(pool),
        sizes=sql.SQL(_SIZES[rule.kind]),
    )


def _value(definition: Definition, name: str) -> sql.Composable:
    if name in definition.names:
        return sql.SQL('coalesce(g."left" ->> {0}, g."right" ->> {0})').format(sql.Literal(name))
    return sql.SQL(f"nullif(g.{name}, '')") if name in _COLUMNS else sql.SQL("null::text")


def is_kept(definition: Definition, name: str) -> bool:
    """Whether gaps say this field, so that a rule can group by it."""
    return name in definition.names or name in _COLUMNS


# Suggesting ------------------------------------------------------------------------------------------------
def suggest_all(cursor: Any, reconciliation: Reconciliation, definition: Definition) -> None:
    """Take open suggestions back and let each rule suggest in turn; what a person discarded is not suggested again."""
    cursor.execute(
        "with gone as (delete from monitoring_reconciliationmatch where reconciliation_id = %s and state = 'suggested'"
        " returning id) update monitoring_reconciliationgap g set match_id = null from gone where g.match_id = gone.id",
        [reconciliation.pk],
    )
    for rule in definition.rules:
        _suggest(cursor, reconciliation, definition, rule)


def _suggest(cursor: Any, reconciliation: Reconciliation, definition: Definition, rule: MatchRule) -> None:
    query = sql.SQL(
        "with found as materialized ({found}),"
        " named as (select f.*, m.fingerprint from found f cross join lateral (select md5(string_agg(g.identity || g.content,"
        "   ',' order by g.id)) fingerprint from unnest(f.left_ids || f.right_ids) u(id) join monitoring_reconciliationgap g"
        "   on g.id = u.id) m),"
        " fresh as (select n.* from named n where not exists (select from monitoring_reconciliationmatch o where"
        "   o.reconciliation_id = %(reconciliation)s and o.fingerprint = n.fingerprint and o.state in ('discarded', 'undone')"
        "   and o.decided_by_id is not null)),"
        " made as (insert into monitoring_reconciliationmatch (reconciliation_id, period, state, rule, score, reason, comment,"
        "   currency, left_count, right_count, left_amount, right_amount, fingerprint, made_at)"
        "   select %(reconciliation)s, period, %(state)s, %(rule)s, {score}, '', '', currency, cardinality(left_ids),"
        "   cardinality(right_ids), left_amount, right_amount, fingerprint, now() from fresh returning id, fingerprint)"
        " update monitoring_reconciliationgap g set match_id = made.id, state = %(gap)s from made join fresh"
        " using (fingerprint) cross join lateral unnest(fresh.left_ids || fresh.right_ids) u(id) where g.id = u.id"
    ).format(found=_found(definition, rule, _OPEN), score=sql.SQL(_SCORE))
    values = {
        "reconciliation": reconciliation.pk,
        "rule": rule.name,
        "state": "confirmed" if rule.auto else "suggested",
        "gap": "matched" if rule.auto else "open",
    }
    cursor.execute(query, values)


_SCORE = (
    "round(1 - least(0.20, 0.01 * (cardinality(left_ids) + cardinality(right_ids) - 2))"
    " - case when allowed > 0 then 0.30 * least(1, variance / allowed) else 0 end, 2)"
)


# Trying ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would do to the gaps of now, beside what the saved one of its name does."""

    new: Sequence[Found]
    lost: Sequence[Found]
    kept: int
    lines: int
    covered: int

    @property
    def left_over(self) -> int:
        return self.lines - self.covered


def preview(
    cursor: Any, reconciliation: Reconciliation, definition: Definition, rule: MatchRule, *, instead_of: str = ""
) -> Preview:
    """New and lost matches of a rule before it is saved; nothing is written. `instead_of` names the rule it replaces."""
    name = instead_of or rule.name
    saved = next((one for one in definition.rules if one.name == name), None)
    pool = (
        "(g.state = 'open' and g.match_id is null) or exists (select from monitoring_reconciliationmatch m"
        " where m.id = g.match_id and m.rule = %(name)s)"
    )
    then = {one.ids: one for one in find(cursor, reconciliation, definition, rule, pool, name)}
    now = {one.ids: one for one in find(cursor, reconciliation, definition, saved, pool, name)} if saved else {}
    row = cursor.execute(
        "select count(*) from monitoring_reconciliationgap g where g.reconciliation_id = %(reconciliation)s"
        f" and g.kind in ('only_left', 'only_right') and ({pool})",
        {"reconciliation": reconciliation.pk, "name": name},
    ).fetchone()
    return Preview(
        new=[one for ids, one in then.items() if ids not in now],
        lost=[one for ids, one in now.items() if ids not in then],
        kept=len(then.keys() & now.keys()),
        lines=row[0],
        covered=sum(map(len, then)),
    )


def find(
    cursor: Any,
    reconciliation: Reconciliation,
    definition: Definition,
    rule: MatchRule,
    pool: str = _OPEN,
    name: str = "",
) -> list[Found]:
    rows = cursor.execute(
        _found(definition, rule, pool), {"reconciliation": reconciliation.pk, "name": name}
    ).fetchall()
    return [
        Found(frozenset(left), frozenset(right), left_amount, right_amount, currency, period)
        for left, right, left_amount, right_amount, currency, period, *_ in rows
    ]
