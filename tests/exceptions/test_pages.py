"""The pages of the queue: what is wrong, how much money and which deadline hang on it, whose turn it is, what the fix is."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from decimal import Decimal
from typing import Any

import pytest

from monitoring.exceptions import views
from monitoring.models import ExceptionGroup, ExceptionItem
from tests.exceptions.world import World, only, sweep

pytestmark = pytest.mark.django_db


def page(client: Any, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status, answer.content[:2000]
    return answer.content.decode() if not answer.streaming else b"".join(answer.streaming_content).decode()


def test_an_empty_queue_says_when_it_was_checked(world: World, browse: Any, finn: Any) -> None:
    assert "not checked yet" in page(browse(finn), "/exceptions/")
    sweep()
    assert "Nothing open. Last checked" in page(browse(finn), "/exceptions/").replace("\n", "")


def test_causes_come_first_with_totals_that_are_those_of_the_rows(world: World, browse: Any, finn: Any) -> None:
    world.rate("EUR", "0.85")
    world.held(body={"amount": "1000.00", "currency": "EUR"})
    world.held(body={"amount": "100.00", "currency": "CHF"})
    world.refused(amount="200.00")
    sweep()
    rows = json.loads(page(browse(finn), "/exceptions.json"))
    assert sum(Decimal(row["amount_firm"]) for row in rows) == Decimal("1050.00")
    assert sum(row["records"] for row in rows) == 3
    text = page(browse(finn), "/exceptions/")
    assert "<b>2</b> causes" in text
    assert "<b>3</b> records" in text
    assert "1,050.00" in text
    assert "100.00</span> without a rate (1)" in text


def test_a_filter_narrows_causes_and_their_figures(world: World, browse: Any, finn: Any) -> None:
    world.add_project("P-2", customer="C-2")
    world.held(body={"amount": "10.00"})
    world.held(body={"amount": "5.00", "project": "P-2"})
    sweep()
    assert ExceptionGroup.objects.get().open_items == 2
    rows = json.loads(page(browse(finn), "/exceptions.json?client=Acme"))
    assert [(row["records"], row["amount_firm"]) for row in rows] == [(1, "10")]
    items = json.loads(page(browse(finn), "/exceptions.json?view=items&project=P-2"))
    assert [item["amount"] for item in items] == ["5"]
    assert "There is no state" in page(browse(finn), "/exceptions/?state=odd")


@pytest.mark.parametrize("query", ["", "?view=items", "?tab=mine", "?tab=new", "?tab=regressed", "?tab=all&view=items"])
def test_every_tab_can_be_read(world: World, browse: Any, finn: Any, query: str) -> None:
    world.held()
    world.refused()
    sweep()
    page(browse(finn), f"/exceptions/{query}")


def test_only_what_is_in_ones_domains_is_seen(world: World, browse: Any, make_person: Any, mallory: Any) -> None:
    world.held()
    sweep()
    item = only()
    other = make_person("Otto", ("finance", "billing-gl"))
    own = make_person("Paula", ("finance", "project-wbs"))
    assert json.loads(page(browse(other), "/exceptions.json")) == []
    page(browse(other), item.get_absolute_url(), 404)
    page(browse(other), item.group.get_absolute_url(), 404)
    page(browse(own), item.get_absolute_url())
    assert len(json.loads(page(browse(own), "/exceptions.json"))) == 1
    page(browse(mallory), "/exceptions/", 403)


def test_an_item_shows_its_money_its_clock_its_rule_and_where_it_is(world: World, browse: Any, finn: Any) -> None:
    held = world.held(body={"amount": "1000.00", "currency": "EUR"})
    world.rate("EUR", "0.85")
    sweep()
    text = page(browse(finn), only().get_absolute_url())
    for part in ("8 h on P-1, 3 Nov 2026", "850.00", "1,000.00", "hours is", "Correct the value at its source",
                 "Acme", "2026-11", held.external_id, "psa-time", "What happened", "Opened"):  # fmt: skip
        assert part in text, part


def test_masked_values_are_on_no_page(world: World, browse: Any, finn: Any) -> None:
    world.held(
        detail="iban is 'GB33BUKB20201555555555', which is not valid. (iban)", body={"iban": "GB33BUKB20201555555555"}
    )
    sweep()
    item = only()
    for url in (
        item.get_absolute_url(),
        item.group.get_absolute_url(),
        "/exceptions/",
        f"/api/v1/exceptions/{item.pk}/",
    ):
        assert "GB33BUKB" not in page(browse(finn), url), url


def test_a_settled_item_shows_what_settled_it(world: World, browse: Any, finn: Any) -> None:
    world.held().delete()
    world.held()
    sweep()
    ExceptionItem.objects.update(
        state="resolved", resolution="passed", evidence_id=77, resolved_at="2026-11-03T10:00:00Z"
    )
    assert "T-77 shows it" in page(browse(finn), only().get_absolute_url())


# Files ------------------------------------------------------------------------------------------------------
def test_files_keep_amounts_numbers_and_formulas_texts(world: World, browse: Any, finn: Any) -> None:
    world.held(body={"ref": "=HYPERLINK(1)", "amount": "-12.50"})
    sweep()
    text = page(browse(finn), "/exceptions.csv?view=items")
    row = next(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    assert (row["Record"], row["Amount"]) == ("'=HYPERLINK(1)", "-12.5")
    answer = browse(finn).get("/exceptions.xlsx?view=items")
    book = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert '<t xml:space="preserve">=HYPERLINK(1)</t>' in sheet
    assert "<v>-12.5</v>" in sheet
    assert "<f>" not in sheet


# Palette, first page, navigation ------------------------------------------------------------------------------
def test_the_palette_finds_an_exception_by_its_key_and_a_cause_by_its_words(
    world: World, browse: Any, finn: Any
) -> None:
    record = world.refused("The bill rate is missing.", role="Lead")
    sweep()
    assert only().get_absolute_url() in page(browse(finn), f"/search/?q={record.key}")
    assert only().group.get_absolute_url() in page(browse(finn), "/search/?q=bill rate")


def test_the_first_page_shows_what_is_unbilled_and_what_is_mine(world: World, browse: Any, finn: Any) -> None:
    world.held()
    sweep()
    ExceptionItem.objects.update(assignee=finn)
    text = page(browse(finn), "/")
    assert "Unbilled because of integration" in text
    assert "1 record assigned to you" in text
    assert 'href="/exceptions/"' in text


def test_acts_on_all_that_match_never_take_more_than_the_list_shows() -> None:
    """Words that acts do not know are no filter to them, so all that match is not offered then."""
    assert views.taken({}) == {}
    assert views.taken({"tab": "mine", "cause": "gap"}) == {"assignee": "me", "cause": "gap"}
    assert views.taken({"tab": "snoozed"}) == {"state": "snoozed"}
    for word in ("due", "age", "system", "domain", "sync"):
        assert views.taken({"cause": "gap", word: "x"}) is None
    assert views.taken({"tab": "new"}) is None
