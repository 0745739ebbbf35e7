from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import CharField, F, Value
from django.db.models.functions import Concat
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from hub.accounts.models import AccessEvent, Domain, User
from hub.common.exports import Column, csv_cell, export_response
from hub.common.filters import FilterBar, Select, parse_words
from hub.common.lists import paginate


def ask(query: str = "") -> Any:
    return RequestFactory().get(f"/rows/?{query}")


@pytest.fixture
def rows(make_person: Any) -> Any:
    """23 rows; many share a value in the columns that are sorted by."""
    ada = make_person("Ada")
    at = datetime(2026, 11, 24, 10, 0, 0, 123456, tzinfo=UTC)
    AccessEvent.objects.bulk_create(
        AccessEvent(user=ada, event="token", detail=f"d{n % 4}", at=at.replace(hour=n % 5)) for n in range(23)
    )
    return AccessEvent.objects.all()


def walk(rows: Any, order: tuple[str, ...], size: int = 50) -> tuple[list[int], list[int]]:
    """All ids forwards to the last page, and backwards from there to the first."""
    forwards: list[int] = []
    page = paginate(rows, ask(), order=order, page_size=size)
    forwards += [row.pk for row in page]
    while page.older:
        page = paginate(rows, ask(f"after={page.older}"), order=order, page_size=size)
        forwards += [row.pk for row in page]
    backwards = [row.pk for row in page]
    while page.newer:
        page = paginate(rows, ask(f"before={page.newer}"), order=order, page_size=size)
        backwards = [row.pk for row in page] + backwards
    return forwards, backwards


@pytest.mark.parametrize(
    "order", [("-id",), ("at",), ("-at", "detail"), ("detail", "-at"), ("user__email", "-id"), ("label", "-pk")]
)
@pytest.mark.parametrize("size", [1, 4, 7, 23, 50])
def test_pages_hold_every_row_once_in_order_forwards_and_backwards(rows: Any, order: Any, size: int) -> None:
    rows = rows.annotate(label=Concat(F("detail"), Value("!"), output_field=CharField()))
    forwards, backwards = walk(rows, order, size)
    wanted = [row.pk for row in rows.order_by(*order, "-id" if order[-1].startswith("-") else "id")]
    assert forwards == wanted
    assert backwards == wanted


def test_rows_that_arrive_do_not_shift_the_pages(rows: Any, make_person: Any) -> None:
    first = paginate(rows, ask(), page_size=5)
    AccessEvent.objects.create(user=User.objects.get(), event="token")
    second = paginate(rows, ask(f"after={first.older}"), page_size=5)
    assert not {row.pk for row in first} & {row.pk for row in second}
    assert next(iter(second)).pk == min(row.pk for row in first) - 1


@pytest.mark.parametrize("cursor", ["x", "%00", "W10", "WyJhIl0", "WyIxIiwiMiJd", "W251bGxd", "eyJhIjoxfQ"])
@pytest.mark.parametrize("side", ["after", "before"])
def test_a_cursor_that_is_not_ours_leads_to_the_first_page(rows: Any, side: str, cursor: str) -> None:
    page = paginate(rows, ask(f"{side}={cursor}"), page_size=5)
    assert [row.pk for row in page] == [row.pk for row in rows.order_by("-id")[:5]]


def test_the_page_size_is_one_of_three(rows: Any) -> None:
    assert [paginate(rows, ask(f"size={size}")).size for size in ("100", "7", "x", "-1", "")] == [100, 50, 50, 50, 50]


def test_an_empty_list_has_no_neighbours(db: Any) -> None:
    page = paginate(AccessEvent.objects.all(), ask())
    assert (len(page), page.newer, page.older) == (0, "", "")


# --- exports ---------------------------------------------------------------------------------------------------------

COLUMNS = [
    Column("key", "Key"),
    Column("amount", "Amount"),
    Column("at", "At (UTC)"),
    Column("up", "Up", "parent.name"),
]
ROW = {
    "key": "=1+1",
    "amount": Decimal("-12.50"),
    "at": datetime(2026, 11, 24, 10, tzinfo=UTC),
    "parent": {"name": "Ä"},
}


def body(response: Any) -> str:
    return b"".join(response.streaming_content).decode("utf-8-sig")


def test_csv_is_read_back_as_it_was_except_for_formulas() -> None:
    response = export_response([ROW], COLUMNS, "csv", name="runs")
    assert response.headers["Content-Disposition"] == 'attachment; filename="runs.csv"'
    assert list(csv.DictReader(io.StringIO(body(response)))) == [
        {"Key": "'=1+1", "Amount": "-12.50", "At (UTC)": "2026-11-24T10:00:00Z", "Up": "Ä"}
    ]


def test_json_keeps_money_as_digits() -> None:
    assert (
        json.loads(body(export_response([ROW, ROW], COLUMNS, "json", name="runs")))
        == [{"key": "=1+1", "amount": "-12.50", "at": "2026-11-24T10:00:00Z", "up": "Ä"}] * 2
    )


@pytest.mark.parametrize("fmt", ["csv", "json"])
def test_an_export_of_nothing_is_valid(fmt: str) -> None:
    text = body(export_response([], COLUMNS, fmt, name="runs"))
    assert json.loads(text) == [] if fmt == "json" else text.splitlines() == ["Key,Amount,At (UTC),Up"]


@given(st.text())
def test_no_text_starts_a_formula_in_a_spreadsheet(text: str) -> None:
    cell = csv_cell(text)
    assert not cell.startswith(("=", "@", "\t", "\r"))
    if cell.startswith(("+", "-")):
        float(cell)


@pytest.mark.parametrize("number", ["-12.50", "+3", "-0.1"])
def test_a_negative_number_stays_a_number(number: str) -> None:
    assert csv_cell(number) == number


def test_a_queryset_is_exported_in_chunks(domains: dict[str, Domain]) -> None:
    response = export_response(Domain.objects.all(), [Column("slug", "Slug")], "csv", name="domains")
    assert body(response).splitlines() == ["Slug", *domains]


# --- filters ---------------------------------------------------------------------------------------------------------

KEYS = {"status": "State", "sync": "Sync"}


def test_words_with_a_known_key_filter_and_the_rest_is_text() -> None:
    assert parse_words('status:failed sync:"time to erp" P-4711 "Castell Insurance" other:x', set(KEYS)) == (
        {"status": "failed", "sync": "time to erp"},
        "P-4711 Castell Insurance other:x",
    )


@given(st.text())
def test_any_text_can_be_typed(text: str) -> None:
    typed, rest = parse_words(text, set(KEYS))
    assert set(typed) <= set(KEYS)
    assert "\x00" not in rest


def test_a_drop_down_comes_before_a_typed_word() -> None:
    bar = FilterBar(ask("q=status:failed&status=held"), keys=KEYS)
    assert bar.get("status") == "held"


def test_each_chip_leads_to_the_list_without_it() -> None:
    bar = FilterBar(ask("q=sync:a%20text&status=held&size=100"), keys=KEYS, selects=[Select("status", "State", [])])
    assert [(chip.key, chip.value, chip.url) for chip in bar.chips] == [
        ("status", "held", "/rows/?sync=a&q=text&size=100"),
        ("sync", "a", "/rows/?status=held&q=text&size=100"),
    ]
    assert bar.hidden == [("sync", "a")], "no drop-down carries it, so the form does"


def test_a_list_without_filters_says_so() -> None:
    assert not FilterBar(ask("size=100"), keys=KEYS).is_active
    assert FilterBar(ask("q=x"), keys=KEYS).is_active
