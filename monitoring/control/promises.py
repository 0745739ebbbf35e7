"""The rows of the control room about promises: how fast error budgets burn, what is stale, and gaps between systems."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import Count, Q, Sum
from django.urls import reverse

from governance.service_levels.queries import levels_for
from hub.common.display import duration
from monitoring.control.rows import Cell, Line, Money, Row, Tile, View, row
from monitoring.control.shipped import plural
from monitoring.freshness.queries import freshness_levels, inbound_for, rows_of
from monitoring.models import Expectation, ReconciliationGap
from monitoring.reconciliation.queries import SEE as SEE_RECONCILIATION
from monitoring.reconciliation.queries import UNEXPLAINED, last_done, percent, reconciliations_for
from monitoring.service_levels.standing import PAGE_BURN, Standing, burns, standing

SHOWN = 5
RANK = {"breached": 0, "at_risk": 1, "met": 2}


@row(10, title="Service levels")
def service_levels(view: View) -> Row:
    """Worst first, from the figures of their days; the burn of the last hour, and the money that is late or soon late."""
    found = sorted(standing(levels_for(view.user)), key=_worst)
    risks = _at_risk([each.level.pk for each in found])
    burning = [each for each in found if each.state in ("breached", "at_risk")]
    state = "breached" if any(each.state == "breached" for each in found) else "at_risk" if burning else "ok"
    return Row(
        "SLA burn",
        Tile("SLAs burning", f"{len(burning)}", f"of {len(found)}", state),
        ["Service level", "Attained", "Error budget left", "Burn 1 h", "At risk"],
        [_level(view, each, risks) for each in found[:SHOWN]],
        reverse("service_levels:service_level_list"),
        f"All {len(found)}",
        f"worst first · a burn of {PAGE_BURN} uses a month in two days",
        "Nothing is promised yet.",
        is_wide=True,
    )


def _worst(each: Standing) -> tuple[int, Decimal]:
    left = each.budget_left
    return RANK.get(each.state, 3), Decimal(1000) if left is None else left


def _level(view: View, each: Standing, risks: dict[int, Decimal]) -> Line:
    attained = each.counted if each.is_few or each.attained is None else f"{each.attained} %"
    left = "–" if each.budget_left is None else f"{each.budget_left} %"
    burn = next(found for found in burns(each.level) if found.label == "1 h")
    word = "nothing decided" if burn.rate is None else burn.words
    money = Money(risks.get(each.level.pk, Decimal(0)), view.rates.currency)
    return Line(
        each.level.name,
        each.level.get_absolute_url(),
        each.sentence,
        [
            Cell("state", each.state, attained),
            Cell(value=left),
            Cell("state", burn.state, word),
            Cell("money", money) if view.rates.currency else Cell(value="–"),
        ],
    )


def _at_risk(level_ids: list[int]) -> dict[int, Decimal]:
    """What has not arrived and is late or soon late, in the firm's currency, by level."""
    rows = Expectation.objects.filter(state__in=["warned", "breached"], service_level__in=level_ids).order_by()
    return {pk: amount or Decimal(0) for pk, amount in rows.values_list("service_level").annotate(Sum("amount_firm"))}


@row(40, title="Stale data")
def stale_data(view: View) -> Row:
    """Streams by their freshness level, the late ones first."""
    found = rows_of(inbound_for(view.user), freshness_levels(view.user))
    late = [each for each in found if each.state == "late"]
    shown = [each for each in found if each.state in ("late", "warn")][:SHOWN]
    stale = sum(each.stale.number for each in found if each.stale)
    lines = [
        Line(
            each.sync.name,
            f"{reverse('freshness:freshness_list')}?q={each.sync.name}",
            f"{each.sync.entity.domain} · {each.sync.stream.connection.system}",
            [
                Cell("when", each.last_at),
                Cell(
                    "state",
                    each.state,
                    f"Late {duration(each.overdue_seconds)}" if each.overdue_seconds else "Soon late",
                ),
                Cell("number", each.stale.number if each.stale else 0),
            ],
        )
        for each in shown
    ]
    return Row(
        "Stale data",
        Tile(
            "Stale sets",
            f"{len(late)}",
            f"{stale:,} records" if stale else f"of {len(found)}",
            "late" if late else "ok",
        ),
        ["Stream", "Last arrival", "Expected", "Records"],
        lines,
        reverse("freshness:freshness_list"),
        "Freshness",
        "by domain and system",
        "All data is as fresh as promised.",
    )


@row(50, title="Reconciliation gaps", permission=SEE_RECONCILIATION)
def reconciliation_gaps(view: View) -> Row | None:
    """Each pair of systems that is compared: how much matches, and what nobody can explain."""
    found = list(reconciliations_for(view.user).order_by("name"))
    if not found:
        return None
    gaps = ReconciliationGap.objects.filter(UNEXPLAINED, reconciliation__in=found).order_by()
    counts = dict(gaps.values_list("reconciliation").annotate(number=Count("pk")))
    amounts: dict[int, list[tuple[str | None, Decimal]]] = {}
    for pk, currency, left, right in gaps.filter(
        Q(left_amount__isnull=False) | Q(right_amount__isnull=False)
    ).values_list("reconciliation", "currency", "left_amount", "right_amount")[:20_000]:
        amounts.setdefault(pk, []).append((currency, abs((right or Decimal(0)) - (left or Decimal(0)))))
    lines = []
    for each in sorted(found, key=lambda one: -counts.get(one.pk, 0))[:SHOWN]:
        run = last_done(each)
        matched = percent(run.matched, run.matched + run.only_left + run.only_right + run.differing) if run else None
        cells = [
            Cell(
                "state",
                "unmeasured" if matched is None else "ok",
                "not compared yet" if matched is None else f"{matched} %",
            ),
            Cell("number", counts.get(each.pk, 0)),
            Cell("money", view.money(amounts.get(each.pk, []))) if each.pk in counts else Cell(value="–"),
        ]
        lines.append(
            Line(each.name, reverse("reconciliation:reconciliation", args=[each.slug]), str(each.domain), cells)
        )
    total = sum(counts.values())
    money = view.money([pair for pairs in amounts.values() for pair in pairs])
    value = f"{money.amount:,.2f}" if money.amount else f"{total}"
    return Row(
        "Reconciliation gaps",
        Tile(
            "Unexplained",
            value,
            plural(total, "gap", "gaps"),
            "failed" if total else "ok",
            money.currency if money.amount else "",
        ),
        ["Set", "Matched", "Unexplained", "Difference"],
        lines,
        reverse("reconciliation:scorecard"),
        "Scorecard",
        "of the last comparison",
    )
